/* `show`: a constellation and its tasks, or one task with its attempts. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/tasks.h"

enum { SHOW_DEFAULT = 1000, SHOW_MAX = 1000000, GROUP_MIN = 8 };

static void add_task(struct table *table, const json_t *task)
{
    char attempt[64];
    int64_t most = json_number(task, "max_attempts");
    int64_t number = json_number(task, "attempt");
    snprintf(attempt, sizeof attempt, most > 1 ? "%lld/%lld" : "%lld", (long long)number,
             (long long)most);
    char time[OUTPUT_SPAN_BYTES];
    output_seconds(json_object_get(task, "duration"), time);
    struct buf why = { 0 };
    show_why(&why, task);
    table_row(table, 6,
              (const char *const[]){ json_text(task, "key"), json_text(task, "state"),
                                     json_text(task, "device"), attempt, time, buf_text(&why) });
    buf_done(&why);
}

static void render_head(struct cli *cli, const json_t *constellation, struct buf *to)
{
    const json_t *counts = json_object_get(constellation, "counts");
    struct buf words = { 0 };
    const char *key = NULL;
    const json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)counts, key, value)
    {
        if (json_integer_value(value) > 0) {
            buf_printf(&words, "%s%lld %s", words.length == 0 ? "" : ", ",
                       (long long)json_integer_value(value), key);
        }
    }
    char span[OUTPUT_SPAN_BYTES];
    output_seconds(json_object_get(constellation, "duration"), span);
    show_field(to, "id", json_text(constellation, "id"));
    show_field(to, "description", json_text(constellation, "description"));
    const char *state = json_text(constellation, "state");
    bool cancelling = json_is_true(json_object_get(constellation, "cancel_requested")) &&
                      strcmp(state, "running") == 0;
    bool stopping =
        json_is_true(json_object_get(constellation, "stopping")) && strcmp(state, "running") == 0;
    const char *more = cancelling ? ", being cancelled" : stopping ? ", being stopped" : "";
    show_state(cli, to, state, more);
    show_field(to, "created", json_text(constellation, "created_at"));
    show_field(to, "finished", json_text(constellation, "finished_at"));
    show_field(to, "time", span);
    show_field(to, "tasks", buf_text(&words));
    show_field(to, "deadline", json_text(constellation, "deadline"));
    buf_clear(&words);
    if (json_number(constellation, "revision") > 1) {
        buf_printf(&words, "%lld", (long long)json_number(constellation, "revision"));
    }
    show_field(to, "revision", buf_text(&words));
    buf_clear(&words);
    if (json_number(constellation, "holds") > 0) {
        buf_printf(&words, "%lld: asterism holds %s",
                   (long long)json_number(constellation, "holds"), json_text(constellation, "id"));
    }
    show_field(to, "holds", buf_text(&words));
    buf_done(&words);
}

static int show_constellation(struct cli *cli, const char *id)
{
    const char *limit = options_get(&cli->options, "limit");
    uint64_t count = SHOW_DEFAULT;
    if (limit != NULL && (!str_to_uint64(str_of(limit), SHOW_MAX, &count) || count == 0)) {
        return cli_fail(CLI_USAGE, "--limit takes a number from 1 to %d", SHOW_MAX);
    }
    json_t *constellation = NULL;
    int code = tasks_constellation(cli->http, id, &constellation);
    if (code != CLI_OK) {
        return code;
    }
    struct tasks_query query = {
        .id = json_text(constellation, "id"),
        .state = options_get(&cli->options, "state"),
        .limit = (int64_t)count,
    };
    json_t *answer = NULL;
    code = tasks_get(cli->http, &query, &answer);
    const json_t *tasks = json_object_get(answer, "tasks");
    if (code == CLI_OK && cli->json) {
        json_object_set(answer, "constellation", constellation);
        output_json(answer);
    } else if (code == CLI_OK) {
        struct table table = { 0 };
        struct buf text = { 0 };
        render_head(cli, constellation, &text);
        buf_append_text(&text, "\n");
        table_row(&table, 6,
                  (const char *const[]){ "KEY", "STATE", "DEVICE", "ATTEMPT", "TIME", "WHY" });
        size_t at = 0;
        const json_t *task = NULL;
        bool all = options_has(&cli->options, "all") || query.state != NULL;
        json_array_foreach(tasks, at, task)
        {
            size_t members = all ? 1 : show_group_size(tasks, at);
            if (members < GROUP_MIN) {
                add_task(&table, task);
            } else {
                show_group(&table, tasks, at, members);
                at += members - 1;
            }
        }
        table_render(&table, cli->colour, 1, &text);
        output_flush(&text);
        if (json_is_integer(json_object_get(answer, "next"))) {
            cli_note("these are the first %zu tasks; see more by --limit", json_array_size(tasks));
        }
        buf_done(&text);
        table_done(&table);
    }
    json_decref(answer);
    json_decref(constellation);
    return code;
}

static int show(struct cli *cli)
{
    struct tasks_name name;
    int code = tasks_name_of(cli->options.arguments[0], &name);
    if (code != CLI_OK) {
        return code;
    }
    if (*name.key == 0) {
        return show_constellation(cli, name.id);
    }
    struct buf text = { 0 };
    tasks_key_path(&text, &name, "");
    json_t *task = NULL;
    code = http_get(cli->http, buf_text(&text), &task);
    buf_clear(&text);
    if (code == CLI_OK && cli->json) {
        output_json(task);
    } else if (code == CLI_OK) {
        show_task(cli, &name, task, &text);
        output_flush(&text);
    }
    json_decref(task);
    buf_done(&text);
    return code;
}

static const struct option options[] = {
    { .name = "state",
      .operand = "STATES",
      .help = "Only tasks in these states: failed,skipped.",
      .words = "waiting ready assigned running backoff succeeded failed cancelled skipped unknown",
      .is_list = true },
    { .name = "all",
      .help = "Each task of a group that `each` has made; 8 and more are one line else." },
    { .name = "limit", .operand = "N", .help = "At most so many tasks; default 1000." },
    { .name = NULL },
};

const struct verb verb_show = {
    .name = "show",
    .summary = "Show a constellation and its tasks, or one task",
    .usage = "ID[/task] [--state STATES] [--all] [--limit N]",
    .text =
        "An ID is a name with its four characters, a unique beginning of one, or @last. WHY says "
        "what a\ntask waits for, or why it ended as it did.",
    .example = "asterism show @last\n"
               "asterism show disk-report-7k2m/scan\n"
               "asterism show @last --state failed,skipped\n",
    .options = options,
    .operand = CLI_OPERAND_TASK,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = show,
};
