/* `run` and `submit`: a spec, or one command, into the daemon. */
#include <stdio.h>
#include <string.h>

#include "cli/http.h"
#include "cli/live.h"
#include "cli/logs.h"
#include "cli/output.h"
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
static json_t *spec_of_command(const struct options *options, int *ret_code)
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

static int submit_command(struct cli *cli, json_t **ret_constellation)
{
    int code = CLI_OK;
    json_t *spec = spec_of_command(&cli->options, &code);
    if (spec == NULL) {
        return code;
    }
    char *text = json_dumps(spec, JSON_COMPACT);
    code = submit_text(cli, "the command", "application/json", str_of(text), ret_constellation);
    free(text);
    json_decref(spec);
    return code;
}

/* The end of a one-off: its output has been shown; what is left is the verdict. */
static int verdict_of_command(struct cli *cli, const char *id, const char *state)
{
    json_t *json = NULL;
    int code = live_exit(state);
    if (cli->json) {
        if (tasks_constellation(cli->http, id, &json) == CLI_OK) {
            output_json(json);
        }
    } else if (code != CLI_OK) {
        struct tasks_name name = { .id = "" };
        snprintf(name.id, sizeof name.id, "%s", id);
        snprintf(name.key, sizeof name.key, "%s", one_task);
        struct buf path = { 0 };
        tasks_key_path(&path, &name, "");
        if (http_get(cli->http, buf_text(&path), &json) == CLI_OK) {
            const char *reason = json_text(json, "reason");
            cli_note("%s %s%s%s", id, state, *reason == 0 ? "" : ": ", reason);
        }
        buf_done(&path);
    }
    json_decref(json);
    return code;
}

static int follow_command(struct cli *cli, const char *id, int64_t deadline_ms)
{
    char state[32] = "";
    int code = logs_follow(cli, id, one_task, LOGS_BOTH, deadline_ms, state);
    if (code == CLI_INTERRUPTED) {
        return watch_detached(id);
    }
    if (code == CLI_TIMED_OUT) {
        cli_note("%s has not ended in time; it goes on", id);
    }
    if (code != CLI_OK) {
        return code;
    }
    /* The task has ended; the constellation does so in the same turn, but may be told later. */
    if (!live_state_is_final(state)) {
        json_t *json = NULL;
        code = watch_constellation(cli, id, WATCH_QUIET, deadline_ms, &json);
        snprintf(state, sizeof state, "%s", json_text(json, "state"));
        json_decref(json);
        if (code == CLI_INTERRUPTED || code == CLI_TIMED_OUT || *state == 0) {
            return code;
        }
    }
    return verdict_of_command(cli, id, state);
}

static int run(struct cli *cli)
{
    const struct options *given = &cli->options;
    bool is_command = given->command_count > 0;
    int64_t deadline_ms = 0;
    if (!watch_deadline(cli, &deadline_ms)) {
        return CLI_USAGE;
    }
    if (is_command ? given->arguments_count != 0 : given->arguments_count != 1) {
        return cli_fail(CLI_USAGE,
                        "run takes one FILE, or a command behind --; see  asterism help run");
    }
    if (!is_command && (options_has(given, "on") || options_has(given, "device") ||
                        options_has(given, "env") || options_has(given, "name"))) {
        return cli_fail(CLI_USAGE, "--on, --device, --env and --name go with a command behind --");
    }
    json_t *constellation = NULL;
    int code = is_command ? submit_command(cli, &constellation)
                          : submit_file(cli, given->arguments[0], &constellation);
    if (code != CLI_OK) {
        return code;
    }
    const char *id = json_text(constellation, "id");
    if (is_command) {
        code = follow_command(cli, id, deadline_ms);
    } else {
        json_t *end = NULL;
        code = watch_constellation(cli, id, WATCH_PROGRESS, deadline_ms, &end);
        if (cli->json && end != NULL) {
            output_json(end);
        }
        json_decref(end);
    }
    json_decref(constellation);
    return code;
}

static int submit(struct cli *cli)
{
    json_t *constellation = NULL;
    int code = submit_file(cli, cli->options.arguments[0], &constellation);
    if (code == CLI_OK && cli->json) {
        output_json(constellation);
    } else if (code == CLI_OK) {
        printf("%s\n", json_text(constellation, "id"));
    }
    json_decref(constellation);
    return code;
}

static const struct option run_options[] = {
    { .name = "on", .operand = "SELECTOR", .help = "For a command: which devices may run it." },
    { .name = "device", .operand = "NAME", .help = "For a command: this device runs it." },
    { .name = "env",
      .operand = "NAME=VALUE",
      .help = "For a command; may be given several times." },
    { .name = "name", .operand = "NAME", .help = "For a command: the constellation's name." },
    { .name = "timeout", .operand = "DURATION", .help = "Stop waiting after this long." },
    { .name = NULL },
};

const struct verb verb_run = {
    .name = "run",
    .summary = "Submit a spec, or one command, and follow it to its end",
    .usage = "FILE | --on SELECTOR -- COMMAND…",
    .text =
        "FILE is YAML or JSON; - is stdin. On a terminal the progress is drawn in place, in a "
        "pipe each\nchange is a line. A command's output comes to stdout and stderr. Ctrl-C "
        "detaches; the\nconstellation goes on. The exit code is that of the end: 0 succeeded, 1 "
        "failed, 5 cancelled.",
    .example = "asterism run examples/fleet-report.yaml\n"
               "asterism run --on os=linux,role!=edge -- uname -a\n"
               "asterism run --timeout 10m nightly.yaml -o json\n",
    .options = run_options,
    .operand = CLI_OPERAND_FILE,
    .arguments_min = 0,
    .arguments_max = 1,
    .takes_command = true,
    .run = run,
};

const struct verb verb_submit = {
    .name = "submit",
    .summary = "Submit a spec and print its id",
    .usage = "FILE",
    .text = "FILE is YAML or JSON; - is stdin. A submission that a lost connection interrupts is "
            "repeated\nunder one key, so that it counts once.",
    .example = "id=$(asterism submit nightly.yaml) && asterism wait \"$id\"\n",
    .operand = CLI_OPERAND_FILE,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = submit,
};
