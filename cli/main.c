/* asterism, the command-line tool: which verb, with which options, against which daemon. */
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"

/* An option, else the environment, else the default. */
static const char *setting(const struct options *options, const char *name, const char *variable,
                           const char *otherwise)
{
    const char *value = options_get(options, name);
    if (value == NULL) {
        value = getenv(variable);
    }
    return value == NULL || *value == 0 ? otherwise : value;
}

static bool wants_json(const struct options *options)
{
    const char *form = options_get(options, "output");
    return form != NULL && strcmp(form, "json") == 0;
}

static void look_at_terminal(struct cli *cli)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    cli->terminal = isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    cli->colour = cli->terminal && (no_color == NULL || *no_color == 0) &&
                  !options_has(&cli->options, "no-color");
    cli->json = wants_json(&cli->options);
}

static int check_arguments(const struct cli *cli)
{
    const struct verb *verb = cli->verb;
    const struct options *options = &cli->options;
    if (options->command_count > 0 && !verb->takes_command) {
        return cli_fail(CLI_USAGE, "%s takes no command behind --", verb->name);
    }
    if (options->arguments_count < verb->arguments_min ||
        options->arguments_count > verb->arguments_max) {
        return cli_fail(CLI_USAGE, "usage: asterism %s %s", verb->name,
                        verb->usage == NULL ? "" : verb->usage);
    }
    if (verb->operand == CLI_OPERAND_WORD && !options_word_in(verb->words, options->arguments[0])) {
        return cli_fail(CLI_USAGE, "%s takes one of: %s", verb->name, verb->words);
    }
    return CLI_OK;
}

static int run_verb(struct cli *cli)
{
    int code = check_arguments(cli);
    if (code != CLI_OK) {
        return code;
    }
    look_at_terminal(cli);
    struct reason reason;
    enum err err =
        http_new(setting(&cli->options, "url", "ASTERISM_URL", "http://127.0.0.1:7350"),
                 setting(&cli->options, "token-file", "ASTERISM_TOKEN_FILE", NULL),
                 setting(&cli->options, "ca-file", "ASTERISM_CA_FILE", NULL), &cli->http, &reason);
    if (err != ERR_NONE) {
        return cli_fail(CLI_USAGE, "%s", reason.text);
    }
    code = cli->verb->run(cli);
    http_free(cli->http);
    /* Output that could not be written is not output. */
    bool unwritten = fflush(stdout) != 0 || ferror(stdout);
    output_end_if_unread();
    if (unwritten && code == CLI_OK) {
        code = cli_fail(CLI_FAILED, "cannot write to stdout");
    }
    return code;
}

static int unknown_verb(const char *name)
{
    const char *near = verb_nearest(name);
    return cli_fail(CLI_USAGE, "there is no verb %s%s%s%s", name,
                    near == NULL ? "; see  asterism help" : "; did you mean ",
                    near == NULL ? "" : near, near == NULL ? "" : "?");
}

static int dispatch(struct cli *cli, int argc, const char *const *argv)
{
    struct reason reason;
    int used = 0;
    /* What stands before the verb can only be an option of every verb. */
    enum err err =
        options_parse(&cli->options, NULL, global_options, argc, argv, true, &used, &reason);
    if (err != ERR_NONE) {
        return cli_fail(CLI_USAGE, "%s", reason.text);
    }
    bool wants_help = options_has(&cli->options, "help");
    if (used == argc) {
        if (!wants_help && cli->options.given_count > 0) {
            return cli_fail(CLI_USAGE, "no verb is given; see  asterism help");
        }
        verbs_help(wants_json(&cli->options));
        return wants_help ? CLI_OK : CLI_USAGE;
    }
    cli->verb = verb_find(argv[used]);
    if (cli->verb == NULL) {
        return unknown_verb(argv[used]);
    }
    err = options_parse(&cli->options, cli->verb->options, global_options, argc - used - 1,
                        argv + used + 1, false, NULL, &reason);
    if (err != ERR_NONE) {
        return cli_fail(CLI_USAGE, "%s; see  asterism help %s", reason.text, cli->verb->name);
    }
    if (options_has(&cli->options, "help")) {
        verb_print_help(cli->verb, wants_json(&cli->options));
        return CLI_OK;
    }
    return run_verb(cli);
}

int main(int argc, char **argv)
{
    /* For the character set only: numbers keep their points. */
    setlocale(LC_CTYPE, "");
    static struct cli cli;
    if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
        printf("asterism %s\n", ASTERISM_VERSION);
        return CLI_OK;
    }
    return dispatch(&cli, argc - 1, (const char *const *)argv + 1);
}
