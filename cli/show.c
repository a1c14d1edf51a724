/* `show`: a constellation and its tasks, or one task with its attempts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/tasks.h"

enum { SHOW_DEFAULT = 1000, SHOW_MAX = 1000000 };

static void field(struct buf *to, const char *name, const char *value)
{
    if (*value != 0) {
        buf_printf(to, "%-12s ", name);
        output_safe(to, str_of(value));
        buf_append_text(to, "\n");
    }
}

static void state_field(struct cli *cli, struct buf *to, const char *state, const char *more)
{
    buf_printf(to, "%-12s %s", "state", output_colour(cli->colour, state));
    output_safe(to, str_of(state));
    buf_printf(to, "%s%s\n", output_plain(cli->colour), more);
}

/* Why it is as it is: what it waits for, or why it ended; and if some of its output is missing. */
static void append_why(struct buf *to, const json_t *task)
{
    const char *waits = json_text(task, "waiting_for");
    buf_append_text(to, *waits != 0 ? waits : json_text(task, "reason"));
    if (tasks_output_cut(task)) {
        buf_append_text(to, to->length == 0 ? "" : "; ");
        tasks_cut_words(task, to);
    }
}

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
    append_why(&why, task);
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
    field(to, "id", json_text(constellation, "id"));
    field(to, "description", json_text(constellation, "description"));
    const char *state = json_text(constellation, "state");
    bool cancelling = json_is_true(json_object_get(constellation, "cancel_requested")) &&
                      strcmp(state, "running") == 0;
    state_field(cli, to, state, cancelling ? ", being cancelled" : "");
    field(to, "created", json_text(constellation, "created_at"));
    field(to, "finished", json_text(constellation, "finished_at"));
    field(to, "time", span);
    field(to, "tasks", buf_text(&words));
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
        json_array_foreach(tasks, at, task)
        {
            add_task(&table, task);
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

static void render_attempts(struct cli *cli, const json_t *task, struct buf *to)
{
    const json_t *attempts = json_object_get(task, "attempts");
    if (json_array_size(attempts) == 0) {
        return;
    }
    struct table table = { 0 };
    table_row(&table, 8,
              (const char *const[]){ "ATTEMPT", "STATE", "DEVICE", "OUTCOME", "EXIT", "TIME",
                                     "OUTPUT", "REASON" });
    size_t at = 0;
    const json_t *attempt = NULL;
    json_array_foreach(attempts, at, attempt)
    {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)json_number(attempt, "attempt"));
        char code[32] = "";
        if (json_is_integer(json_object_get(attempt, "exit_code"))) {
            snprintf(code, sizeof code, "%lld", (long long)json_number(attempt, "exit_code"));
        }
        char time[OUTPUT_SPAN_BYTES];
        output_seconds(json_object_get(attempt, "duration"), time);
        char bytes[OUTPUT_SPAN_BYTES];
        output_size(json_number(attempt, "stdout_bytes") + json_number(attempt, "stderr_bytes"),
                    bytes);
        char size[OUTPUT_SPAN_BYTES + 16];
        bool cut = json_is_true(json_object_get(attempt, "output_truncated"));
        snprintf(size, sizeof size, "%s%s", bytes, cut ? " (cut)" : "");
        table_row(&table, 8,
                  (const char *const[]){ number, json_text(attempt, "state"),
                                         json_text(attempt, "device"),
                                         json_text(attempt, "outcome"), code, time, size,
                                         json_text(attempt, "reason") });
    }
    buf_append_text(to, "\n");
    table_render(&table, cli->colour, 1, to);
    table_done(&table);
}

static void render_json(struct buf *to, const char *name, const json_t *json)
{
    if (json == NULL || json_is_null(json) ||
        (json_is_object(json) && json_object_size(json) == 0)) {
        return;
    }
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    buf_printf(to, "\n%s\n", name);
    /* JSON escapes C0 itself; lines are ours. */
    struct str left = str_of(text);
    while (left.length > 0) {
        const char *end = memchr(left.data, '\n', left.length);
        size_t length = end == NULL ? left.length : (size_t)(end - left.data);
        buf_append_text(to, "  ");
        output_safe(to, (struct str){ left.data, length });
        buf_append_text(to, "\n");
        left.data += length + (end != NULL);
        left.length -= length + (end != NULL);
    }
    free(text);
}

/* Only what the placeholders have changed. */
static void render_inputs(struct buf *to, const json_t *spec, const json_t *inputs)
{
    json_t *changed = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)inputs, key, value)
    {
        if (!json_equal(value, json_object_get(spec, key))) {
            json_object_set(changed, key, value);
        }
    }
    render_json(to, "inputs", changed);
    json_decref(changed);
}

static void render_needs(struct buf *to, const json_t *task)
{
    size_t at = 0;
    const json_t *need = NULL;
    json_array_foreach(json_object_get(task, "needs"), at, need)
    {
        char line[512];
        snprintf(line, sizeof line, "%s on %s (%s)", json_text(need, "task"),
                 json_text(need, "when"), json_text(need, "decision"));
        field(to, at == 0 ? "needs" : "", line);
    }
}

static void render_task(struct cli *cli, const struct tasks_name *name, const json_t *task,
                        struct buf *to)
{
    char span[OUTPUT_SPAN_BYTES];
    output_seconds(json_object_get(task, "duration"), span);
    char code[32] = "";
    if (json_is_integer(json_object_get(task, "exit_code"))) {
        snprintf(code, sizeof code, "%lld", (long long)json_number(task, "exit_code"));
    }
    field(to, "task", json_text(task, "key"));
    state_field(cli, to, json_text(task, "state"), "");
    struct buf why = { 0 };
    append_why(&why, task);
    field(to, "why", buf_text(&why));
    buf_done(&why);
    field(to, "device", json_text(task, "device"));
    field(to, "pinned to", json_text(task, "pinned_device"));
    field(to, "selector", json_text(task, "selector"));
    field(to, "executor", json_text(task, "executor"));
    field(to, "exit code", code);
    field(to, "started", json_text(task, "started_at"));
    field(to, "ended", json_text(task, "ended_at"));
    field(to, "time", span);
    render_needs(to, task);
    render_attempts(cli, task, to);
    render_json(to, "spec", json_object_get(task, "spec"));
    render_inputs(to, json_object_get(task, "spec"), json_object_get(task, "inputs"));
    render_json(to, "output", json_object_get(task, "output"));
    if (json_number(task, "stdout_bytes") + json_number(task, "stderr_bytes") > 0) {
        buf_append_text(to, "\nwhat it wrote:  asterism logs ");
        output_safe(to, str_of(name->id));
        buf_append_text(to, "/");
        output_safe(to, str_of(name->key));
        buf_append_text(to, "\n");
    }
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
        render_task(cli, &name, task, &text);
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
      .words = "waiting ready assigned running backoff succeeded failed cancelled skipped",
      .is_list = true },
    { .name = "limit", .operand = "N", .help = "At most so many tasks; default 1000." },
    { .name = NULL },
};

const struct verb verb_show = {
    .name = "show",
    .summary = "Show a constellation and its tasks, or one task",
    .usage = "ID[/task] [--state STATES] [--limit N]",
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
