/* `help` and `version`, and the table of verbs as text and as Markdown. */
#include <stdio.h>
#include <string.h>

#include "cli/help.h"

static const char exits[] =
    "Exit codes: 0 succeeded, 1 failed, 2 usage or spec, 3 unreachable, 4 refused, 5 cancelled,\n"
    "124 not in time, 130 Ctrl-C.\n";

static const char form[] =
    "With -o json a verb prints one JSON document; logs, and watch without an ID, print an object "
    "a\nline, and completion prints its script. Errors are words on stderr and the exit code; "
    "stdout then\nholds what was done, or nothing.\n";

const struct help_exit help_exits[] = {
    { CLI_OK, "succeeded" },
    { CLI_FAILED, "the constellation failed" },
    { CLI_USAGE, "wrong usage, or a spec that is refused" },
    { CLI_UNREACHABLE, "the daemon cannot be reached, or cannot serve" },
    { CLI_REFUSED, "refused: no right to, not found, not in that state" },
    { CLI_CANCELLED, "cancelled" },
    { CLI_TIMED_OUT, "--timeout passed first" },
    { CLI_INTERRUPTED, "Ctrl-C" },
    { 0, NULL },
};

static bool is_among(const struct option *options, const char *name)
{
    while (options != NULL && options->name != NULL && strcmp(options->name, name) != 0) {
        options++;
    }
    return options != NULL && options->name != NULL;
}

/* Those of `but` are left out: a verb's own option stands for that of every verb. */
static void print_options(const struct option *options, const struct option *but)
{
    for (const struct option *row = options; row != NULL && row->name != NULL; row++) {
        if (is_among(but, row->name)) {
            continue;
        }
        char head[80];
        snprintf(head, sizeof head, "%s%c%s--%s%s%s", row->letter == 0 ? "" : "-",
                 row->letter == 0 ? ' ' : row->letter, row->letter == 0 ? "   " : ", ", row->name,
                 row->operand == NULL ? "" : " ", row->operand == NULL ? "" : row->operand);
        printf("  %-28s %s", head, row->help);
        if (row->words != NULL && strchr(row->words, ' ') != NULL &&
            strcmp(row->name, "output") != 0) {
            printf(" One of: %s.", row->words);
        }
        printf("\n");
    }
}

/* Each line of `text` with `before` in front. */
static void print_indented(const char *text, const char *before)
{
    while (*text != 0) {
        size_t length = strcspn(text, "\n");
        printf("%s%.*s\n", before, (int)length, text);
        text += length + (text[length] == '\n');
    }
}

void verb_print_help(const struct verb *verb, bool json)
{
    if (json) {
        help_json(verb);
        return;
    }
    printf("asterism %s %s\n\n%s.\n", verb->name, verb->usage == NULL ? "" : verb->usage,
           verb->summary);
    if (verb->text != NULL) {
        printf("%s\n", verb->text);
    }
    printf("\nFor example:\n");
    print_indented(verb->example, "  ");
    if (verb->options != NULL) {
        printf("\nOptions:\n");
        print_options(verb->options, NULL);
    }
    printf("\nOptions of every verb:\n");
    print_options(global_options, verb->options);
    printf("\n%s", exits);
}

void verbs_help(bool json)
{
    if (json) {
        help_json(NULL);
        return;
    }
    printf("asterism VERB [OPTIONS] [ARGUMENTS]\n\n"
           "Runs work that spans devices: submits constellations of tasks to asterismd, follows "
           "them,\nshows what happened.\n\nVerbs:\n");
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            printf("  %-11s %s\n", (*verb)->name, (*verb)->summary);
        }
    }
    printf(
        "\nAn ID is a name with its four characters (disk-report-7k2m), a unique beginning of one, "
        "or\n@last; a task is ID/key.\n\nOptions of every verb:\n");
    print_options(global_options, NULL);
    printf("\n%s\n%s\nMore:  asterism help VERB\n", form, exits);
}

static void markdown_options(const struct option *options)
{
    printf("| option | meaning |\n|---|---|\n");
    for (const struct option *row = options; row != NULL && row->name != NULL; row++) {
        printf("| `");
        if (row->letter != 0) {
            printf("-%c`, `", row->letter);
        }
        printf("--%s%s%s` | %s |\n", row->name, row->operand == NULL ? "" : " ",
               row->operand == NULL ? "" : row->operand, row->help);
    }
    printf("\n");
}

static void markdown_text(const char *text)
{
    for (; *text != 0; text++) {
        putchar(*text == '\n' ? ' ' : *text);
    }
    printf("\n\n");
}

void verbs_markdown(void)
{
    printf("# The command line\n\n"
           "`asterism` speaks to the daemon over its HTTP API only. This page is made from the "
           "program's table\nof verbs: `asterism help --markdown`; a test compares the two.\n\n"
           "An ID is a name with its four characters (`disk-report-7k2m`), a unique beginning of "
           "one, or `@last`;\na task is `ID/key`.\n\n## Options of every verb\n\n");
    markdown_options(global_options);
    printf("## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (const struct help_exit *row = help_exits; row->meaning != NULL; row++) {
        printf("| %d | %s |\n", row->code, row->meaning);
    }
    printf("\n## JSON\n\n%s", form);
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if ((*verb)->hidden) {
            continue;
        }
        printf("\n## %s\n\n%s.\n\n```\nasterism %s %s\n```\n\n", (*verb)->name, (*verb)->summary,
               (*verb)->name, (*verb)->usage == NULL ? "" : (*verb)->usage);
        if ((*verb)->text != NULL) {
            markdown_text((*verb)->text);
        }
        if ((*verb)->options != NULL) {
            markdown_options((*verb)->options);
        }
        printf("For example:\n\n```\n%s```\n", (*verb)->example);
    }
}

static int help(struct cli *cli)
{
    if (options_has(&cli->options, "markdown")) {
        verbs_markdown();
        return CLI_OK;
    }
    if (cli->options.arguments_count == 0) {
        verbs_help(cli->json);
        return CLI_OK;
    }
    const char *name = cli->options.arguments[0];
    const struct verb *verb = verb_find(name);
    if (verb == NULL) {
        const char *near = verb_nearest(name);
        return cli_fail(CLI_USAGE, "there is no verb %s%s%s%s", name,
                        near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
                        near == NULL ? "" : "?");
    }
    verb_print_help(verb, cli->json);
    return CLI_OK;
}

static int version(struct cli *cli)
{
    if (cli->json) {
        printf("{\n  \"version\": \"%s\"\n}\n", ASTERISM_VERSION);
    } else {
        printf("asterism %s\n", ASTERISM_VERSION);
    }
    return CLI_OK;
}

static const struct option help_options[] = {
    { .name = "markdown", .help = "All of it as Markdown: docs/cli.md." },
    { .name = NULL },
};

const struct verb verb_help = {
    .name = "help",
    .summary = "Show help",
    .usage = "[VERB]",
    .example = "asterism help run\n",
    .options = help_options,
    .operand = CLI_OPERAND_VERB,
    .arguments_max = 1,
    .run = help,
};

const struct verb verb_version = {
    .name = "version",
    .summary = "Show the version",
    .usage = "",
    .example = "asterism version\n",
    .run = version,
};
