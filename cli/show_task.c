/* One task, as `show` and `explain` tell of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/show.h"

void show_field(struct buf *to, const char *name, const char *value)
{
    if (*value != 0) {
        buf_printf(to, "%-12s ", name);
        output_safe(to, str_of(value));
        buf_append_text(to, "\n");
    }
}

void show_state(struct cli *cli, struct buf *to, const char *state, const char *more)
{
    buf_printf(to, "%-12s %s", "state", output_colour(cli->colour, state));
    output_safe(to, str_of(state));
    buf_printf(to, "%s%s\n", output_plain(cli->colour), more);
}

/* Why it is as it is: what it waits for, or why it ended; and if some of its output is missing. */
void show_why(struct buf *to, const json_t *task)
{
    const char *waits = json_text(task, "waiting_for");
    buf_append_text(to, *waits != 0 ? waits : json_text(task, "reason"));
    if (tasks_output_cut(task)) {
        buf_append_text(to, to->length == 0 ? "" : "; ");
        tasks_cut_words(task, to);
    }
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

static void append_need(struct buf *to, const json_t *need)
{
    output_safe(to, str_of(json_text(need, "task")));
    buf_printf(to, " on %s", json_text(need, "when"));
    if (*json_text(need, "if") != 0) {
        buf_append_text(to, " if ");
        output_safe(to, str_of(json_text(need, "if")));
    }
    buf_printf(to, " (%s", json_text(need, "decision"));
    if (*json_text(need, "why") != 0) {
        buf_append_text(to, ": ");
        output_safe(to, str_of(json_text(need, "why")));
    }
    buf_append_text(to, ")");
}

void show_needs(struct buf *to, const json_t *task)
{
    size_t at = 0;
    const json_t *need = NULL;
    json_array_foreach(json_object_get(task, "needs"), at, need)
    {
        struct buf line = { 0 };
        append_need(&line, need);
        buf_printf(to, "%-12s %s\n", at == 0 ? "needs" : "", buf_text(&line));
        buf_done(&line);
    }
}

/* "gate, join any, finally" */
static void render_flags(struct buf *to, const json_t *task)
{
    static const char *const flags[][2] = {
        { "gate", "gate" },
        { "finally", "finally" },
        { "allow_failure", "allow_failure" },
    };
    struct buf words = { 0 };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (json_is_true(json_object_get(task, flags[i][0]))) {
            buf_printf(&words, "%s%s", words.length == 0 ? "" : ", ", flags[i][1]);
        }
    }
    if (strcmp(json_text(task, "join"), "any") == 0) {
        buf_printf(&words, "%sjoin any", words.length == 0 ? "" : ", ");
    }
    show_field(to, "is", buf_text(&words));
    buf_clear(&words);
    if (json_number(task, "round") > 1) {
        buf_printf(&words, "%lld", (long long)json_number(task, "round"));
    }
    show_field(to, "round", buf_text(&words));
    buf_done(&words);
}

void show_task(struct cli *cli, const struct tasks_name *name, const json_t *task, struct buf *to)
{
    char span[OUTPUT_SPAN_BYTES];
    output_seconds(json_object_get(task, "duration"), span);
    char code[32] = "";
    if (json_is_integer(json_object_get(task, "exit_code"))) {
        snprintf(code, sizeof code, "%lld", (long long)json_number(task, "exit_code"));
    }
    show_field(to, "task", json_text(task, "key"));
    show_field(to, "description", json_text(task, "description"));
    show_field(to, "group", json_text(task, "group"));
    show_state(cli, to, json_text(task, "state"), "");
    struct buf why = { 0 };
    show_why(&why, task);
    show_field(to, "why", buf_text(&why));
    buf_done(&why);
    show_field(to, "approval", json_text(task, "hold"));
    render_flags(to, task);
    show_field(to, "device", json_text(task, "device"));
    show_field(to, "pinned to", json_text(task, "pinned_device"));
    show_field(to, "selector", json_text(task, "selector"));
    show_field(to, "executor", json_text(task, "executor"));
    show_field(to, "exit code", code);
    show_field(to, "started", json_text(task, "started_at"));
    show_field(to, "ended", json_text(task, "ended_at"));
    show_field(to, "time", span);
    show_needs(to, task);
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
