/* `completion`: scripts for shells, made from the table of verbs. What only the daemon knows (ids,
   tasks, devices) they ask the hidden verb `__words` for. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/tasks.h"

enum { WORDS_MAX = 200 };

static void print_verbs(const char *between)
{
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            printf("%s%s", verb == verbs ? "" : between, (*verb)->name);
        }
    }
}

static void print_flags(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        printf(" --%s", options->name);
    }
}

static const char *words_kind(const struct verb *verb)
{
    switch (verb->operand) {
    case CLI_OPERAND_ID:
        return "ids";
    case CLI_OPERAND_TASK:
        return "tasks";
    case CLI_OPERAND_DEVICE:
        return "devices";
    case CLI_OPERAND_NONE:
    case CLI_OPERAND_FILE:
    case CLI_OPERAND_VERB:
    case CLI_OPERAND_WORD:
        return NULL;
    }
    return NULL;
}

/* "--role|-r" */
static void print_bash_case(const struct option *option)
{
    printf("    --%s", option->name);
    if (option->letter != 0) {
        printf("|-%c", option->letter);
    }
    printf(") ");
}

/* What may stand behind an option that takes a value: "--role) … ;;" of a case. */
static void print_bash_values(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (options->operand == NULL) {
            continue;
        }
        print_bash_case(options);
        if (options->words != NULL) {
            printf("COMPREPLY=($(compgen -W \"%s\" -- \"$word\"))", options->words);
        } else if (strcmp(options->operand, "PATH") == 0) {
            printf("_asterism_files \"$word\"");
        } else if (strcmp(options->name, "device") == 0) {
            printf("COMPREPLY=($(compgen -W \"$(asterism __words devices 2>/dev/null)\" -- "
                   "\"$word\"))");
        } else {
            printf(":"); /* nobody knows */
        }
        printf("; return;;\n");
    }
}

/* The patterns of the options of every verb that take a value: what stands behind is no verb. */
static void print_bash_skipped(void)
{
    const char *between = "    ";
    for (const struct option *row = global_options; row->name != NULL; row++) {
        if (row->operand != NULL) {
            printf("%s--%s", between, row->name);
            between = "|";
        }
        if (row->operand != NULL && row->letter != 0) {
            printf("|-%c", row->letter);
        }
    }
    printf(") ((i++));;\n");
}

static void print_bash_verb(const struct verb *row)
{
    printf("  %s)\n    case \"$last\" in\n", row->name);
    print_bash_values(row->options);
    print_bash_values(global_options);
    printf("    esac\n    if [[ $word == -* ]]; then words=\"");
    print_flags(row->options);
    print_flags(global_options);
    printf("\"\n");
    if (words_kind(row) != NULL) {
        printf("    else words=\"$(asterism __words %s \"$word\" 2>/dev/null)\"\n",
               words_kind(row));
    } else if (row->operand == CLI_OPERAND_FILE) {
        printf("    else _asterism_files \"$word\"; return\n");
    } else if (row->operand == CLI_OPERAND_WORD) {
        printf("    else words=\"%s\"\n", row->words);
    } else if (row->operand == CLI_OPERAND_VERB) {
        printf("    else words=\"");
        print_verbs(" ");
        printf("\"\n");
    }
    /* A task may follow the id. */
    if (row->operand == CLI_OPERAND_TASK) {
        printf("      [[ $word == */* ]] || compopt -o nospace 2>/dev/null\n");
    }
    printf("    fi;;\n");
}

static void print_bash(void)
{
    printf(
        "# asterism completion bash > /etc/bash_completion.d/asterism\n"
        "_asterism_files() {\n"
        "  compopt -o filenames 2>/dev/null\n"
        "  local IFS=$'\\n'\n"
        "  COMPREPLY=($(compgen -f -- \"$1\"))\n"
        "}\n"
        "_asterism() {\n"
        "  local word=\"${COMP_WORDS[COMP_CWORD]}\" last=\"${COMP_WORDS[COMP_CWORD-1]}\" verb= i "
        "words=\n"
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "    case \"${COMP_WORDS[i]}\" in\n");
    print_bash_skipped();
    printf("    -*) ;;\n"
           "    *) verb=\"${COMP_WORDS[i]}\"; break;;\n"
           "    esac\n"
           "  done\n"
           "  case \"$verb\" in\n"
           "  \"\")\n    case \"$last\" in\n");
    print_bash_values(global_options);
    printf("    esac\n    words=\"");
    print_verbs(" ");
    printf("\"\n    [[ $word == -* ]] && words=\"");
    print_flags(global_options);
    printf("\";;\n");
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            print_bash_verb(*verb);
        }
    }
    printf("  esac\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "}\n"
           "complete -F _asterism asterism\n");
}

/* zsh knows bash's completions. */
static void print_zsh(void)
{
    printf("#compdef asterism\n"
           "# asterism completion zsh > \"${fpath[1]}/_asterism\"\n"
           "autoload -U +X bashcompinit && bashcompinit\n");
    print_bash();
}

/* A text in fish's single quotes. */
static void print_fish_text(const char *text)
{
    putchar('\'');
    for (; *text != 0; text++) {
        if (*text == '\'' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('\'');
}

static void print_fish_options(const struct option *options, const char *condition)
{
    for (; options != NULL && options->name != NULL; options++) {
        printf("complete -c asterism%s -l %s", condition, options->name);
        if (options->letter != 0) {
            printf(" -s %c", options->letter);
        }
        if (options->words != NULL) {
            printf(" -x -a '%s'", options->words);
        } else if (options->operand != NULL) {
            printf(strcmp(options->operand, "PATH") == 0 ? " -r -F" : " -x");
        }
        printf(" -d ");
        print_fish_text(options->help);
        printf("\n");
    }
}

static void print_fish(void)
{
    printf("# asterism completion fish > ~/.config/fish/completions/asterism.fish\n"
           "complete -c asterism -f\n");
    print_fish_options(global_options, "");
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        const struct verb *row = *verb;
        if (row->hidden) {
            continue;
        }
        printf("complete -c asterism -n __fish_use_subcommand -a %s -d ", row->name);
        print_fish_text(row->summary);
        printf("\n");
        char condition[128];
        snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %s'", row->name);
        print_fish_options(row->options, condition);
        if (words_kind(row) != NULL) {
            printf("complete -c asterism%s -a '(asterism __words %s (commandline -ct) "
                   "2>/dev/null)'\n",
                   condition, words_kind(row));
        } else if (row->operand == CLI_OPERAND_FILE) {
            printf("complete -c asterism%s -F\n", condition);
        } else if (row->operand == CLI_OPERAND_WORD) {
            printf("complete -c asterism%s -a '%s'\n", condition, row->words);
        } else if (row->operand == CLI_OPERAND_VERB) {
            printf("complete -c asterism%s -a '", condition);
            print_verbs(" ");
            printf("'\n");
        }
    }
}

static int completion(struct cli *cli)
{
    const char *shell = cli->options.arguments[0];
    if (strcmp(shell, "bash") == 0) {
        print_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        print_zsh();
    } else {
        print_fish();
    }
    return CLI_OK;
}

/* Only what no shell takes apart: names come from elsewhere. */
static void print_word(const char *before, const char *word)
{
    for (const char *at = word; *at != 0; at++) {
        bool good = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                    (*at >= '0' && *at <= '9') || strchr("-_.@", *at) != NULL;
        if (!good) {
            return;
        }
    }
    printf("%s%s\n", before, word);
}

static void print_tasks(struct cli *cli, const char *id)
{
    struct tasks_query query = { .id = id, .limit = WORDS_MAX };
    json_t *answer = NULL;
    size_t at = 0;
    const json_t *task = NULL;
    char before[TASKS_NAME_BYTES_MAX + 1];
    snprintf(before, sizeof before, "%s/", id);
    if (tasks_get(cli->http, &query, &answer) == CLI_OK) {
        json_array_foreach(json_object_get(answer, "tasks"), at, task)
        {
            print_word(before, json_text(task, "key"));
        }
    }
    json_decref(answer);
}

static void print_names(struct cli *cli, const char *path, const char *list, const char *name)
{
    json_t *answer = NULL;
    size_t at = 0;
    const json_t *item = NULL;
    if (http_get(cli->http, path, &answer) == CLI_OK) {
        json_array_foreach(json_object_get(answer, list), at, item)
        {
            print_word("", json_text(item, name));
        }
    }
    json_decref(answer);
}

static int words(struct cli *cli)
{
    const char *kind = cli->options.arguments[0];
    const char *word = cli->options.arguments_count > 1 ? cli->options.arguments[1] : "";
    if (strcmp(kind, "devices") == 0) {
        print_names(cli, "/api/v1/devices", "devices", "name");
        return CLI_OK;
    }
    struct tasks_name name;
    if (strcmp(kind, "tasks") == 0 && strchr(word, '/') != NULL) {
        size_t id = strcspn(word, "/");
        if (id > 0 && id < sizeof name.id) {
            memcpy(name.id, word, id);
            name.id[id] = 0;
            print_tasks(cli, name.id);
        }
        return CLI_OK;
    }
    printf("@last\n");
    print_names(cli, "/api/v1/constellations?limit=100", "constellations", "id");
    return CLI_OK;
}

const struct verb verb_completion = {
    .name = "completion",
    .summary = "Print a completion script for a shell",
    .usage = "bash|zsh|fish",
    .example = "source <(asterism completion bash)\n"
               "asterism completion fish > ~/.config/fish/completions/asterism.fish\n",
    .operand = CLI_OPERAND_WORD,
    .words = "bash zsh fish",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = completion,
};

const struct verb verb_words = {
    .name = "__words",
    .summary = "What a shell may complete",
    .usage = "ids|tasks|devices [WORD]",
    .example = "asterism __words ids\n",
    .operand = CLI_OPERAND_WORD,
    .words = "ids tasks devices",
    .arguments_min = 1,
    .arguments_max = 2,
    .hidden = true,
    .run = words,
};
