/* `watch` and `wait`: following what was submitted before. */
#include <stdio.h>
#include <string.h>

#include "cli/end.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/tasks.h"
#include "cli/watch.h"
#include "common/sys/clock.h"

struct watch_all {
    struct cli *cli;
    bool has_snapshot;
};

static void print_change(struct watch_all *all, const char *kind, const json_t *json)
{
    bool is_constellation = strcmp(kind, "constellation") == 0;
    const char *state = json_text(json, is_constellation ? "state" : "status");
    char now[CLOCK_TEXT_BYTES];
    clock_format_wall(clock_wall_ms(), now);
    now[19] = 0;
    struct buf line = { 0 };
    buf_printf(&line, "%s %s ", now + 11, kind);
    output_safe(&line, str_of(json_text(json, is_constellation ? "id" : "name")));
    buf_printf(&line, " %s", output_colour(all->cli->colour, state));
    output_safe(&line, str_of(state));
    buf_append_text(&line, output_plain(all->cli->colour));
    if (is_constellation) {
        const json_t *counts = json_object_get(json, "counts");
        const char *key = NULL;
        const json_t *value = NULL;
        const char *between = ": ";
        json_object_foreach((json_t *)(uintptr_t)counts, key, value)
        {
            if (json_integer_value(value) > 0) {
                buf_printf(&line, "%s%lld ", between, (long long)json_integer_value(value));
                output_safe(&line, str_of(key));
                between = ", ";
            }
        }
    } else {
        buf_printf(&line, ", %lld of %lld slots", (long long)json_number(json, "used"),
                   (long long)json_number(json, "slots"));
    }
    buf_append_text(&line, "\n");
    output_flush(&line);
    buf_done(&line);
}

static void take_event(void *context, const char *name, struct str data)
{
    struct watch_all *all = context;
    json_t *json = json_loadb(data.data, data.length, 0, NULL);
    if (all->cli->json && json != NULL) {
        json_object_set_new(json, "event", json_string(name));
        json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
        fputc('\n', stdout);
        fflush(stdout);
        json_decref(json);
        return;
    }
    size_t at = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(json, "constellations"), at, item)
    {
        print_change(all, "constellation", item);
    }
    json_array_foreach(json_object_get(json, "devices"), at, item)
    {
        print_change(all, "device", item);
    }
    json_decref(json);
}

/* Everything, for ever or until the deadline. */
static int watch_everything(struct cli *cli)
{
    int64_t deadline_ms = 0;
    if (!watch_deadline(cli, &deadline_ms)) {
        return CLI_USAGE;
    }
    struct watch_all all = { .cli = cli };
    struct follow follow;
    follow_init(&follow, cli->http, "/api/v1/changes", take_event, &all);
    http_watch_signals(cli->http);
    if (!cli->json) {
        cli_note("watching %s; Ctrl-C ends it", http_url(cli->http));
    }
    int code = CLI_OK;
    while (code == CLI_OK) {
        follow_step(&follow);
        int64_t left_ms = deadline_ms == 0 ? 1000 : deadline_ms - clock_boot_ms();
        if (follow.refused != 0) {
            code = follow.refused;
        } else if (http_interrupted(cli->http)) {
            code = CLI_INTERRUPTED;
        } else if (left_ms <= 0) {
            code = CLI_TIMED_OUT;
        } else {
            http_poll(cli->http, follow_wait_ms(&follow, left_ms < 1000 ? (int)left_ms : 1000));
        }
    }
    follow_done(&follow);
    return code;
}

static int watch(struct cli *cli)
{
    if (cli->options.arguments_count == 0) {
        return watch_everything(cli);
    }
    int64_t deadline_ms = 0;
    if (!watch_deadline(cli, &deadline_ms)) {
        return CLI_USAGE;
    }
    char id[TASKS_NAME_BYTES_MAX];
    int code = tasks_full_id(cli->http, cli->options.arguments[0], id);
    if (code != CLI_OK) {
        return code;
    }
    json_t *end = NULL;
    code = watch_constellation(cli, id, deadline_ms, &end);
    if (cli->json && end != NULL) {
        output_json(end);
    }
    json_decref(end);
    return code;
}

static int wait_for_one(struct cli *cli, const char *id, int64_t deadline_ms, json_t *ends)
{
    json_t *end = NULL;
    int code = end_wait(cli, id, deadline_ms, &end);
    if (end != NULL && live_state_is_final(json_text(end, "state"))) {
        json_array_append(ends, end);
        if (!cli->json) {
            watch_verdict(cli, end);
        }
    }
    json_decref(end);
    return code;
}

/* All are resolved first, so that a wrong name is told at once; the exit code is the first that is
   not 0. */
static int wait_for_all(struct cli *cli)
{
    static char ids[OPTIONS_ARGUMENTS_MAX][TASKS_NAME_BYTES_MAX];
    int64_t deadline_ms = 0;
    if (!watch_deadline(cli, &deadline_ms)) {
        return CLI_USAGE;
    }
    for (size_t i = 0; i < cli->options.arguments_count; i++) {
        int code = tasks_full_id(cli->http, cli->options.arguments[i], ids[i]);
        if (code != CLI_OK) {
            return code;
        }
    }
    json_t *ends = json_array();
    int first = CLI_OK;
    for (size_t i = 0; i < cli->options.arguments_count; i++) {
        int code = wait_for_one(cli, ids[i], deadline_ms, ends);
        first = first == CLI_OK ? code : first;
        if (code == CLI_INTERRUPTED || code == CLI_TIMED_OUT) {
            first = code;
            break;
        }
    }
    if (cli->json) {
        output_json(ends);
    }
    json_decref(ends);
    return first;
}

static const struct option options[] = {
    { .name = "timeout",
      .operand = "DURATION",
      .help = "Stop waiting after this long (exit code 124)." },
    { .name = NULL },
};

const struct verb verb_watch = {
    .name = "watch",
    .summary = "Follow a constellation, or everything, live",
    .usage = "[ID] [--timeout DURATION]",
    .text = "With an ID it ends when the constellation does, as run does. Without one it tells of "
            "every\nconstellation and device until Ctrl-C; with -o json one line of JSON an event.",
    .example = "asterism watch @last\n"
               "asterism watch -o json | jq .\n",
    .options = options,
    .operand = CLI_OPERAND_ID,
    .arguments_max = 1,
    .run = watch,
};

const struct verb verb_wait = {
    .name = "wait",
    .summary = "Wait until constellations have ended",
    .usage = "ID… [--timeout DURATION]",
    .text = "The exit code tells of the end: 0 succeeded, 1 failed, 5 cancelled, 124 not in time.",
    .example = "asterism wait disk-report-7k2m --timeout 5m\n",
    .options = options,
    .operand = CLI_OPERAND_ID,
    .arguments_min = 1,
    .arguments_max = OPTIONS_ARGUMENTS_MAX,
    .run = wait_for_all,
};
