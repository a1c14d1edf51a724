/* `completion`: scripts for shells, made from the table of verbs. What only the daemon knows (ids,
   tasks, devices) they ask the hidden verb `__words` for, which is here too. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/completion.h"
#include "cli/http.h"
#include "cli/output.h"
#include "cli/tasks.h"

enum { WORDS_MAX = 200 };

void completion_print_verbs(const char *between)
{
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if (!(*verb)->hidden) {
            printf("%s%s", verb == verbs ? "" : between, (*verb)->name);
        }
    }
}

const char *completion_words_of(const struct verb *verb)
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

bool completion_is_path(const struct option *option)
{
    return option->operand != NULL && strcmp(option->operand, "PATH") == 0;
}

const char *completion_words_of_value(const struct option *option)
{
    return option->operand != NULL && strcmp(option->name, "device") == 0 ? "devices" : NULL;
}

static int completion(struct cli *cli)
{
    const char *shell = cli->options.arguments[0];
    if (strcmp(shell, "bash") == 0) {
        completion_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        completion_zsh();
    } else {
        completion_fish();
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
               "asterism completion zsh > \"${fpath[1]}/_asterism\"\n"
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
