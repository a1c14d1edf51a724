/* `pause`, `resume`, `retry`, `rerun` and `resolve`. */
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/send.h"

static void set_text(struct cli *cli, json_t *body, const char *key)
{
    const char *value = options_get(&cli->options, key);
    if (value != NULL) {
        json_object_set_new(body, key, json_string(value));
    }
}

static void say(const char *id, const char *key, const char *words)
{
    struct buf line = { 0 };
    output_safe(&line, str_of(id));
    if (*key != 0) {
        buf_append_text(&line, "/");
        output_safe(&line, str_of(key));
    }
    buf_printf(&line, " %s\n", words);
    output_flush(&line);
    buf_done(&line);
}

/* The same change of each constellation; goes on after a refusal. */
static int change_each(struct cli *cli, const char *rest, const json_t *body, const char *words)
{
    json_t *answers = json_array();
    int first = CLI_OK;
    for (size_t i = 0; i < cli->options.arguments_count; i++) {
        char id[TASKS_NAME_BYTES_MAX];
        json_t *answer = NULL;
        int code = send_whole_id(cli, cli->options.arguments[i], id);
        if (code == CLI_OK) {
            struct buf path = { 0 };
            tasks_path(&path, id, rest);
            code = send_change(cli, "POST", buf_text(&path), body, &answer);
            buf_done(&path);
        }
        if (code == CLI_OK && !cli->json) {
            say(id, "", words);
        }
        if (answer != NULL) {
            json_array_append_new(answers, answer);
        }
        first = first == CLI_OK ? code : first;
    }
    if (cli->json) {
        output_json(answers);
    }
    json_decref(answers);
    return first;
}

static int pause_verb(struct cli *cli)
{
    json_t *body = json_object();
    set_text(cli, body, "reason");
    set_text(cli, body, "for");
    int code = change_each(cli, "/pause", body, "is paused; what runs goes on");
    json_decref(body);
    return code;
}

static int resume(struct cli *cli)
{
    return change_each(cli, "/resume", NULL, "goes on");
}

static int reopen(struct cli *cli, const char *rest)
{
    char id[TASKS_NAME_BYTES_MAX] = "";
    json_t *body = json_object();
    json_t *keys = json_array();
    json_t *answer = NULL;
    int code = send_names(cli, 0, id, keys);
    if (json_array_size(keys) > 0) {
        json_object_set(body, "tasks", keys);
    }
    if (options_has(&cli->options, "keep-skipped")) {
        json_object_set_new(body, "keep_skipped", json_true());
    }
    if (code == CLI_OK && strcmp(rest, "/rerun") == 0 && json_array_size(keys) == 0) {
        code = cli_fail(CLI_USAGE, "name the tasks that are to run again: rerun ID TASK…");
    }
    if (code == CLI_OK) {
        struct buf path = { 0 };
        tasks_path(&path, id, rest);
        code = send_change(cli, "POST", buf_text(&path), body, &answer);
        buf_done(&path);
    }
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        say(id, "", "runs again");
    }
    json_decref(answer);
    json_decref(keys);
    json_decref(body);
    return code;
}

static int retry(struct cli *cli)
{
    return reopen(cli, "/retry");
}

static int rerun(struct cli *cli)
{
    return reopen(cli, "/rerun");
}

static int resolve(struct cli *cli)
{
    struct tasks_name name = { .id = "" };
    const char *as = cli->options.arguments[1];
    int code = tasks_name_of(cli->options.arguments[0], &name);
    if (code == CLI_OK && *name.key == 0) {
        return cli_fail(CLI_USAGE, "name the task: resolve ID/TASK %s", as);
    }
    if (code == CLI_OK && !options_word_in("succeeded failed retry", as)) {
        return cli_fail(CLI_USAGE, "a task is resolved as one of: succeeded failed retry");
    }
    char id[TASKS_NAME_BYTES_MAX] = "";
    code = code == CLI_OK ? send_whole_id(cli, name.id, id) : code;
    if (code != CLI_OK) {
        return code;
    }
    memcpy(name.id, id, sizeof name.id);
    struct buf path = { 0 };
    tasks_key_path(&path, &name, "/resolve");
    json_t *body = json_pack("{s:s}", "as", as);
    json_t *answer = NULL;
    code = send_change(cli, "POST", buf_text(&path), body, &answer);
    if (code == CLI_OK && cli->json) {
        output_json(answer);
    } else if (code == CLI_OK) {
        say(name.id, name.key,
            strcmp(as, "retry") == 0       ? "is tried again"
            : strcmp(as, "succeeded") == 0 ? "counts as succeeded"
                                           : "counts as failed");
    }
    json_decref(answer);
    json_decref(body);
    buf_done(&path);
    return code;
}

static const struct option pause_options[] = {
    { .name = "for", .operand = "DURATION", .help = "It goes on by itself after this long." },
    { .name = "reason", .operand = "TEXT", .help = "Why, for whoever sees it wait." },
    { .name = NULL },
};

static const struct option retry_options[] = {
    { .name = "keep-skipped", .help = "What was skipped because of them stays skipped." },
    { .name = NULL },
};

const struct verb verb_pause = {
    .name = "pause",
    .summary = "Pause constellations: what runs goes on, nothing more begins",
    .usage = "ID… [--for DURATION] [--reason TEXT]",
    .example = "asterism pause @last --reason \"the NAS is being moved\"\n",
    .options = pause_options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = pause_verb,
};

const struct verb verb_resume = {
    .name = "resume",
    .summary = "Let paused constellations go on",
    .usage = "ID…",
    .example = "asterism resume @last\n",
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = resume,
};

const struct verb verb_retry = {
    .name = "retry",
    .summary = "Run failed tasks again, and what was skipped because of them",
    .usage = "ID [TASK…] [--keep-skipped]",
    .text = "Without a task: all that have failed. A constellation that has ended runs again.",
    .example = "asterism retry @last\n"
               "asterism retry disk-report-7k2m scan\n",
    .options = retry_options,
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = retry,
};

const struct verb verb_rerun = {
    .name = "rerun",
    .summary = "Run tasks again, and all that depends on them",
    .usage = "ID TASK…",
    .text = "Whatever came of them. Refused while one of them runs.",
    .example = "asterism rerun @last build\n",
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = rerun,
};

const struct verb verb_resolve = {
    .name = "resolve",
    .summary = "Say what became of a task whose fate is not known",
    .usage = "ID/TASK succeeded|failed|retry",
    .text = "For a task with effect: once whose device was lost while it may have run.",
    .example = "asterism resolve @last/deploy succeeded\n",
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 2,
    .arguments_max = 2,
    .run = resolve,
};
