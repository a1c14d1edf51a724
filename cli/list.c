/* `list`: constellations, the newest first. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/live.h"
#include "cli/output.h"
#include "common/sys/clock.h"

enum { LIST_DEFAULT = 50, LIST_MAX = 1000 };

static void add_row(struct table *table, const json_t *constellation)
{
    static const char *const done[] = { "succeeded", "failed", "cancelled", "skipped" };
    const json_t *counts = json_object_get(constellation, "counts");
    int64_t finished = 0;
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++) {
        finished += json_number(counts, done[i]);
    }
    char tasks[64];
    snprintf(tasks, sizeof tasks, "%lld/%lld", (long long)finished,
             (long long)json_number(constellation, "tasks"));
    char failed[32];
    snprintf(failed, sizeof failed, "%lld", (long long)json_number(counts, "failed"));
    char duration[OUTPUT_SPAN_BYTES];
    output_seconds(json_object_get(constellation, "duration"), duration);
    char age[OUTPUT_SPAN_BYTES] = "-";
    int64_t created = output_wall_of(json_text(constellation, "created_at"));
    if (created > 0) {
        /* The daemon's clock made the time; by ours it may not be older than it is. */
        int64_t ms = clock_wall_ms() - created;
        int64_t lasted =
            (int64_t)(json_number_value(json_object_get(constellation, "duration")) * 1000);
        bool runs = !live_state_is_final(json_text(constellation, "state"));
        output_span(runs || ms < lasted ? lasted : ms, age);
    }
    table_row(table, 6,
              (const char *const[]){ json_text(constellation, "id"),
                                     json_text(constellation, "state"), tasks, failed, duration,
                                     age });
}

static int list(struct cli *cli)
{
    const char *limit = options_get(&cli->options, "limit");
    uint64_t count = LIST_DEFAULT;
    if (limit != NULL && (!str_to_uint64(str_of(limit), LIST_MAX, &count) || count == 0)) {
        return cli_fail(CLI_USAGE, "--limit takes a number from 1 to %d", LIST_MAX);
    }
    struct buf path = { 0 };
    buf_printf(&path, "/api/v1/constellations?limit=%u", (unsigned)count);
    const char *state = options_get(&cli->options, "state");
    if (state != NULL) {
        buf_append_text(&path, "&state=");
        http_escape(&path, state);
    }
    json_t *answer = NULL;
    int code = http_get(cli->http, buf_text(&path), &answer);
    buf_done(&path);
    if (code != CLI_OK) {
        return code;
    }
    const json_t *items = json_object_get(answer, "constellations");
    if (cli->json) {
        output_json(answer);
    } else if (json_array_size(items) == 0) {
        cli_note("there is none; submit one:  asterism run FILE");
    } else {
        struct table table = { 0 };
        struct buf text = { 0 };
        table_row(&table, 6,
                  (const char *const[]){ "ID", "STATE", "TASKS", "FAILED", "TIME", "AGE" });
        size_t at = 0;
        const json_t *item = NULL;
        json_array_foreach(items, at, item)
        {
            add_row(&table, item);
        }
        table_render(&table, cli->colour, 1, &text);
        output_flush(&text);
        if (*json_text(answer, "next") != 0) {
            cli_note("there are older ones; see more by --limit");
        }
        buf_done(&text);
        table_done(&table);
    }
    json_decref(answer);
    return CLI_OK;
}

static const struct option options[] = {
    { .name = "state",
      .operand = "STATES",
      .help = "Only those in these states: running,failed.",
      .words = "running succeeded failed cancelled",
      .is_list = true },
    { .name = "limit", .operand = "N", .help = "At most so many; default 50." },
    { .name = NULL },
};

const struct verb verb_list = {
    .name = "list",
    .summary = "List constellations, the newest first",
    .usage = "[--state STATES] [--limit N]",
    .example = "asterism list --state running,failed\n"
               "asterism list -o json | jq -r '.constellations[].id'\n",
    .options = options,
    .run = list,
};
