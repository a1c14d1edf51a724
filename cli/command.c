#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/end.h"
#include "cli/http.h"
#include "cli/live.h"
#include "cli/logs.h"
#include "cli/logs_json.h"
#include "cli/output.h"
#include "cli/stdin.h"
#include "cli/submit.h"
#include "cli/tasks.h"
#include "cli/watch.h"

static const char *const one_task = "run";

/* A name of the characters that a constellation's may have, from the command's. */
static void name_of_command(const char *command, char to[64])
{
    const char *slash = strrchr(command, '/');
    const char *from = slash == NULL ? command : slash + 1;
    size_t length = 0;
    for (; *from != 0 && length < 40; from++) {
        bool good = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                    (*from >= '0' && *from <= '9') || *from == '-' || *from == '_';
        if (good) {
            to[length++] = *from;
        }
    }
    to[length] = 0;
    if (length == 0) {
        snprintf(to, 64, "command");
    }
}

/* NULL after words. */
static json_t *environment_of(const struct options *options, int *ret_code)
{
    json_t *env = json_object();
    const char *pair = NULL;
    for (size_t i = 0; (pair = options_get_nth(options, "env", i)) != NULL; i++) {
        const char *equals = strchr(pair, '=');
        if (equals == NULL || equals == pair) {
            *ret_code = cli_fail(CLI_USAGE, "--env: \"%s\" is not of the form NAME=VALUE", pair);
            json_decref(env);
            return NULL;
        }
        if (json_object_setn_new_nocheck(env, pair, (size_t)(equals - pair),
                                         json_string(equals + 1)) != 0) {
            *ret_code = cli_fail(CLI_USAGE, "--env: the value is not UTF-8");
            json_decref(env);
            return NULL;
        }
    }
    return env;
}

/* The command as the spec of a constellation of one task; NULL after words. */
static json_t *spec_of_command(const struct options *options, const struct buf *input,
                               int *ret_code)
{
    json_t *argv = json_array();
    for (size_t i = 0; i < options->command_count; i++) {
        if (json_array_append_new(argv, json_string(options->command[i])) != 0) {
            *ret_code = cli_fail(CLI_USAGE, "word %zu of the command is not UTF-8", i + 1);
            json_decref(argv);
            return NULL;
        }
    }
    json_t *env = environment_of(options, ret_code);
    if (env == NULL) {
        json_decref(argv);
        return NULL;
    }
    json_t *task = json_object();
    json_object_set_new(task, "run", argv);
    if (json_object_size(env) > 0) {
        json_object_set(task, "env", env);
    }
    json_decref(env);
    if (input->length > 0) {
        json_object_set_new(task, "stdin", json_stringn((const char *)input->data, input->length));
    }
    const char *selector = options_get(options, "on");
    if (selector != NULL && *selector != 0) {
        json_object_set_new(task, "selector", json_string(selector));
    }
    const char *device = options_get(options, "device");
    if (device != NULL) {
        json_object_set_new(task, "device", json_string(device));
    }
    char name[64];
    name_of_command(options->command[0], name);
    const char *given = options_get(options, "name");
    json_t *spec = json_object();
    json_object_set_new(spec, "name", json_string(given == NULL ? name : given));
    json_t *tasks = json_object();
    json_object_set_new(tasks, one_task, task);
    json_object_set_new(spec, "tasks", tasks);
    return spec;
}

static int submit_command(struct cli *cli, int64_t deadline_ms, json_t **ret_constellation)
{
    enum stdin_mode mode = options_has(&cli->options, "no-stdin") ? STDIN_NEVER
                           : options_has(&cli->options, "stdin")  ? STDIN_WHOLE
                                                                  : STDIN_IF_GIVEN;
    struct buf input = { 0 };
    int code = stdin_read(STDIN_FILENO, mode, deadline_ms, &input);
    json_t *spec = code == CLI_OK ? spec_of_command(&cli->options, &input, &code) : NULL;
    buf_done(&input);
    if (spec == NULL) {
        return code;
    }
    char *text = json_dumps(spec, JSON_COMPACT);
    code = submit_text(cli, "the command", "application/json", str_of(text), ret_constellation);
    free(text);
    json_decref(spec);
    return code;
}

static struct tasks_name task_of(const char *id)
{
    struct tasks_name name = { .id = "" };
    snprintf(name.id, sizeof name.id, "%s", id);
    snprintf(name.key, sizeof name.key, "%s", one_task);
    return name;
}

/* NULL after words. */
static json_t *get_task(struct cli *cli, const struct tasks_name *name)
{
    struct buf path = { 0 };
    tasks_key_path(&path, name, "");
    json_t *json = NULL;
    http_get(cli->http, buf_text(&path), &json);
    buf_done(&path);
    return json;
}

/* The end of a one-off: its output has been shown; what is left is the verdict. */
static int verdict(struct cli *cli, const char *id, const char *state)
{
    int code = live_exit(state);
    struct tasks_name name = task_of(id);
    json_t *task = get_task(cli, &name);
    if (task != NULL && tasks_output_cut(task)) {
        struct buf words = { 0 };
        tasks_cut_words(task, &words);
        cli_note("%s: %s", id, buf_text(&words));
        buf_done(&words);
    }
    if (task != NULL && code != CLI_OK) {
        const char *reason = json_text(task, "reason");
        cli_note("%s %s%s%s", id, state, *reason == 0 ? "" : ": ", reason);
    }
    json_decref(task);
    return code;
}

static int follow(struct cli *cli, const char *id, int64_t deadline_ms)
{
    char state[32] = "";
    int code = logs_follow(cli, id, one_task, LOGS_BOTH, deadline_ms, state);
    if (code == CLI_INTERRUPTED) {
        return watch_detached(id);
    }
    if (code == CLI_TIMED_OUT) {
        return watch_timed_out(cli, id);
    }
    if (code != CLI_OK) {
        return code;
    }
    /* The task has ended; the constellation does so in the same turn, but may be told later. */
    if (!live_state_is_final(state)) {
        json_t *json = NULL;
        code = end_wait(cli, id, deadline_ms, &json);
        snprintf(state, sizeof state, "%s", json_text(json, "state"));
        json_decref(json);
        if (code == CLI_INTERRUPTED || code == CLI_TIMED_OUT || *state == 0) {
            return code;
        }
    }
    return verdict(cli, id, state);
}

static void append_bytes(void *context, struct str bytes)
{
    buf_append(context, bytes.data, bytes.length);
}

static int add_output(struct cli *cli, const struct tasks_name *name, bool is_stderr, json_t *to)
{
    struct buf bytes = { 0 };
    struct logs_wish wish = {
        .name = name,
        .is_stderr = is_stderr,
        .none_is_fine = true,
        .sink = append_bytes,
        .context = &bytes,
    };
    int code = logs_stored(cli->http, &wish);
    if (code == CLI_OK) {
        logs_json_set(to, is_stderr ? "stderr" : "stdout",
                      is_stderr ? "stderr_base64" : "stdout_base64",
                      (struct str){ (const char *)bytes.data, bytes.length });
    }
    buf_done(&bytes);
    return code;
}

/* One document: the constellation, how the command ended, and what it wrote. */
static int report(struct cli *cli, const char *id, int64_t deadline_ms)
{
    static const char *const shown[] = { "device", "exit_code", "reason", "output_truncated" };
    json_t *json = NULL;
    int code = end_wait(cli, id, deadline_ms, &json);
    if (json != NULL && live_state_is_final(json_text(json, "state"))) {
        struct tasks_name name = task_of(id);
        json_t *task = get_task(cli, &name);
        for (size_t i = 0; task != NULL && i < sizeof shown / sizeof shown[0]; i++) {
            json_object_set(json, shown[i], json_object_get(task, shown[i]));
        }
        bool good = task != NULL && add_output(cli, &name, false, json) == CLI_OK &&
                    add_output(cli, &name, true, json) == CLI_OK;
        code = good ? code : CLI_UNREACHABLE;
        json_decref(task);
    }
    if (json != NULL) {
        output_json(json);
    }
    json_decref(json);
    return code;
}

int command_run(struct cli *cli, int64_t deadline_ms)
{
    json_t *constellation = NULL;
    int code = submit_command(cli, deadline_ms, &constellation);
    if (code == CLI_OK) {
        const char *id = json_text(constellation, "id");
        code = cli->json ? report(cli, id, deadline_ms) : follow(cli, id, deadline_ms);
    }
    json_decref(constellation);
    return code;
}
