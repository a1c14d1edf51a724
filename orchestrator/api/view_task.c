/* Tasks and attempts as clients see them. */
#include <jansson.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/view.h"
#include "orchestrator/engine/attention.h"
#include "orchestrator/spec/spec_task.h"
#include "orchestrator/spec/spec_text.h"

const char *view_task_state(const struct api *api, int64_t constellation_id,
                            const struct task_record *task)
{
    enum task_state state = (enum task_state)task->state;
    /* Only the engine knows which of the waiting ones wait for a device alone. */
    return state == TASK_WAITING &&
                   engine_task_is_ready(api->config.engine, constellation_id, task->id)
               ? "ready"
               : task_state_name(state);
}

/* A value that an agent sent: it goes into our JSON as it is only if it is JSON. */
static void write_value(struct json_out *out, const char *key, struct str value)
{
    if (value.length == 0) {
        json_out_null(out, key);
        return;
    }
    json_t *tree = json_loadb(value.data, value.length, JSON_DECODE_ANY, NULL);
    if (tree != NULL) {
        json_out_raw(out, key, value);
    } else {
        json_out_str(out, key, value);
    }
    json_decref(tree);
}

static const char *decision_name(enum edge_decision decision)
{
    switch (decision) {
    case EDGE_UNDECIDED:
        return "undecided";
    case EDGE_OPEN:
        return "open";
    case EDGE_CLOSED:
        return "closed";
    }
    return "undecided";
}

static void write_needs(struct json_out *out, const struct query_need *needs, size_t count)
{
    json_out_array(out, "needs");
    for (size_t i = 0; i < count; i++) {
        json_out_object(out, NULL);
        json_out_str(out, "task", needs[i].task);
        json_out_text(out, "when", edge_when_name(needs[i].when));
        json_out_str_or_null(out, "if", needs[i].condition);
        if (needs[i].arguments.length > 0) {
            json_out_raw(out, "arguments", needs[i].arguments);
        }
        json_out_bool(out, "named", needs[i].named);
        json_out_text(out, "decision", decision_name(needs[i].decision));
        json_out_str_or_null(out, "why", needs[i].why);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

/* Whether the way is open but for the condition; docs/spec.md has the table. */
static bool kind_opens(enum edge_when when, enum task_state state)
{
    switch (when) {
    case EDGE_WHEN_SUCCESS:
        return state == TASK_SUCCEEDED;
    case EDGE_WHEN_FINISHED:
        return state == TASK_SUCCEEDED || state == TASK_FAILED;
    case EDGE_WHEN_FAILURE:
        return state == TASK_FAILED;
    case EDGE_WHEN_ALWAYS:
        return true;
    }
    return false;
}

/* With the values that it was asked with: a placeholder says nothing to who looks for the cause. */
static void append_condition(const struct query_need *need, struct buf *words)
{
    enum { SHOWN_BYTES_MAX = 4096 };
    struct buf text = { NULL, 0, 0 };
    spec_render_condition(need->condition, need->arguments, &text);
    struct str whole = { (const char *)text.data, text.length };
    struct str shown = spec_text_cut(whole, SHOWN_BYTES_MAX);
    buf_append(words, shown.data, shown.length);
    buf_append_text(words, shown.length < whole.length ? "…" : "");
    buf_done(&text);
}

/* Why a task was not begun: "scan failed" if that closed the way to it. Appended to `words`. */
static void skipped_words(struct store *store, struct arena *arena, const struct query_task *task,
                          const struct query_need *needs, size_t count, struct buf *words)
{
    size_t i = 0;
    while (i < count && needs[i].decision != EDGE_CLOSED) {
        i++;
    }
    struct query_task before;
    struct reason reason;
    int64_t id = 0;
    if (i == count ||
        query_task_id(store, task->constellation_id, needs[i].task, &id, &reason) != ERR_NONE ||
        query_task(store, id, arena, &before, &reason) != ERR_NONE) {
        buf_append_text(words, "what it needs did not succeed");
        return;
    }
    enum task_state state = (enum task_state)before.record.state;
    if (needs[i].why.length > 0) {
        buf_printf(words, "its condition on %.*s could not be evaluated: %.*s",
                   STR_ARG(needs[i].task), STR_ARG(needs[i].why));
        return;
    }
    bool is_passive = state == TASK_SKIPPED || state == TASK_CANCELLED;
    buf_printf(words, "%.*s %s%s", STR_ARG(needs[i].task), is_passive ? "was " : "",
               task_state_name(state));
    if (needs[i].condition.length > 0 && kind_opens(needs[i].when, state)) {
        buf_append_text(words, ", but not: ");
        append_condition(&needs[i], words);
    }
}

/* From its start to its end, or to now; null before it started. */
static void write_duration(int64_t now_wall_ms, struct json_out *out,
                           const struct attempt_record *attempt)
{
    bool runs = attempt->state == ATTEMPT_RUNNING || attempt->state == ATTEMPT_STOPPING;
    int64_t until = runs ? now_wall_ms : attempt->ended_wall_ms;
    if (attempt->started_wall_ms == 0 || until == 0) {
        json_out_null(out, "duration");
        return;
    }
    json_out_seconds(out, "duration", until - attempt->started_wall_ms);
}

static void write_exit_code(struct json_out *out, const struct attempt_record *attempt)
{
    if (attempt->outcome == OUTCOME_EXITED) {
        json_out_int(out, "exit_code", attempt->exit_code);
    } else {
        json_out_null(out, "exit_code");
    }
}

/* What the latest attempt says; of one that never ran, what ended it. */
static struct str reason_of(struct store *store, struct arena *arena, const struct view_rows *rows)
{
    const struct query_task *task = &rows->task;
    if (task->has_attempt && task->attempt.reason.length != 0) {
        return task->attempt.reason;
    }
    if (task->reason.length == 0 && task->record.state == TASK_SKIPPED) {
        struct buf words = { NULL, 0, 0 };
        skipped_words(store, arena, task, rows->needs, rows->needs_count, &words);
        struct str reason =
            arena_str(arena, (struct str){ (const char *)words.data, words.length });
        buf_done(&words);
        return reason;
    }
    bool never_ran = task->record.state == TASK_CANCELLED && !task->has_attempt;
    return task->reason.length == 0 && never_ran ? STR("cancelled before it started")
                                                 : task->reason;
}

enum err view_task_rows(struct store *store, int64_t task_id, const struct json_out *out,
                        struct arena *arena, struct view_rows *ret_rows, struct reason *reason)
{
    struct query_need needs[VIEW_NEEDS_MAX];
    struct view_rows rows = { .needs_count = 0 };
    enum err err = query_task(store, task_id, arena, &rows.task, reason);
    if (err == ERR_NONE && (json_out_wants(out, "needs") || json_out_wants(out, "reason") ||
                            json_out_wants(out, "waiting_for"))) {
        err = query_needs(store, task_id, needs, VIEW_NEEDS_MAX, arena, &rows.needs_count, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    rows.needs = arena_array(arena, rows.needs_count, sizeof(needs[0]));
    for (size_t i = 0; i < rows.needs_count; i++) {
        rows.needs[i] = needs[i];
    }
    rows.reason = reason_of(store, arena, &rows);
    *ret_rows = rows;
    return ERR_NONE;
}

/* What is shown of a task is shown of its latest attempt; without one there is nothing. */
static void write_latest(struct api *api, struct json_out *out, const struct query_task *task)
{
    static const struct query_attempt none;
    const struct query_attempt *attempt = task->has_attempt ? &task->attempt : &none;
    json_out_str_or_null(out, "device", attempt->device);
    json_out_uint(out, "attempt", attempt->record.number);
    write_exit_code(out, &attempt->record);
    json_out_time(out, "started_at", attempt->record.started_wall_ms);
    json_out_time(out, "ended_at", attempt->record.ended_wall_ms);
    write_duration(api_now(api).wall_ms, out, &attempt->record);
    json_out_fence(out, "fence", attempt->record.fence);
    json_out_uint(out, "stdout_bytes", attempt->record.stdout_bytes);
    json_out_uint(out, "stderr_bytes", attempt->record.stderr_bytes);
    json_out_bool(out, "output_truncated", attempt->record.output_truncated);
    write_value(out, "output", attempt->result);
}

static void write_flags(const struct api *api, struct json_out *out, const struct query_task *task)
{
    unsigned flags = task->record.flags;
    json_out_text(out, "join", (flags & TASK_JOIN_ANY) != 0 ? "any" : "all");
    json_out_bool(out, "allow_failure", (flags & TASK_ALLOW_FAILURE) != 0);
    json_out_bool(out, "finally", (flags & TASK_FINALLY) != 0);
    json_out_bool(out, "gate", (flags & TASK_GATE) != 0);
    json_out_str_or_null(out, "hold", task->hold);
    json_out_bool(out, "held",
                  engine_task_is_held(api->config.engine, task->constellation_id, task->record.id));
    json_out_uint(out, "round", task->record.round);
    json_out_uint(out, "revision", task->record.revision);
}

void view_task(struct api *api, struct json_out *out, const char *key, const struct view_rows *rows)
{
    const struct query_task *task = &rows->task;
    json_out_object(out, key);
    json_out_str(out, "key", task->key);
    json_out_text(out, "state", view_task_state(api, task->constellation_id, &task->record));
    json_out_str_or_null(out, "group", task->group);
    json_out_str_or_null(out, "description", task->description);
    write_flags(api, out, task);
    json_out_text(out, "executor", task->executor == 0 ? NULL : executor_name(task->executor));
    json_out_str(out, "selector", task->selector);
    json_out_str_or_null(out, "pinned_device", task->device);
    json_out_int(out, "priority", task->record.priority);
    json_out_uint(out, "max_attempts", task->max_attempts);
    write_latest(api, out, task);
    json_out_str_or_null(out, "reason", rows->reason);
    write_needs(out, rows->needs, rows->needs_count);
    struct buf words = { NULL, 0, 0 };
    if (json_out_wants(out, "waiting_for") && wait_words(api, rows, &words)) {
        json_out_str(out, "waiting_for", (struct str){ (const char *)words.data, words.length });
    } else {
        json_out_null(out, "waiting_for");
    }
    buf_done(&words);
}

void view_attempt(int64_t now_wall_ms, struct json_out *out, const char *key,
                  const struct query_attempt *attempt)
{
    const struct attempt_record *record = &attempt->record;
    json_out_object(out, key);
    json_out_uint(out, "attempt", record->number);
    json_out_fence(out, "fence", record->fence);
    json_out_str_or_null(out, "device", attempt->device);
    json_out_text(out, "state", attempt_state_name(record->state));
    json_out_text(out, "outcome", record->outcome == 0 ? NULL : outcome_name(record->outcome));
    write_exit_code(out, record);
    if (record->outcome == OUTCOME_SIGNALLED) {
        json_out_int(out, "signal", record->signal);
    } else {
        json_out_null(out, "signal");
    }
    json_out_str_or_null(out, "reason", attempt->reason);
    json_out_time(out, "assigned_at", record->assigned_wall_ms);
    json_out_time(out, "started_at", record->started_wall_ms);
    json_out_time(out, "ended_at", record->ended_wall_ms);
    write_duration(now_wall_ms, out, record);
    json_out_uint(out, "stdout_bytes", record->stdout_bytes);
    json_out_uint(out, "stderr_bytes", record->stderr_bytes);
    json_out_bool(out, "output_truncated", record->output_truncated);
}
