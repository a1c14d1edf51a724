/* Effects to rows: classes, policies, constellations, their tasks and edges. */
#include "orchestrator/store/store_sqlite_row.h"

#include "common/base/mem.h"
#include "orchestrator/store/class_json.h"
#include "orchestrator/store/late.h"
#include "orchestrator/store/record_row.h"

/* The text of a larger plan is not kept: every task has its body, and a row of many megabytes would hold
   up one turn for as long as the disk takes to write it. */
enum { SOURCE_BYTES_MAX = 1024 * 1024 };

static enum err add_class(struct store_sqlite *self, const struct class_record *class,
                          struct reason *reason)
{
    sqlite3_stmt *statement = self->rows[ROW_ADD_CLASS];
    BIND_NUMBERS(statement, class->id, class->plan.executor, class->plan.strategy,
                 class->same_task_id, class->other_task_id, class->constellation_id);
    sqlite_bind_text(statement, 7, class->plan.selector);
    sqlite_bind_text(statement, 8, class->plan.device);
    struct buf *json = &self->scratch;
    buf_clear(json);
    class_json_tools(json, &class->plan);
    size_t tools = json->length;
    class_json_resources(json, &class->plan);
    size_t resources = json->length;
    class_json_limits(json, &class->plan);
    const char *text = buf_text(json);
    sqlite_bind_text(statement, 9, (struct str){ text, tools });
    sqlite_bind_text(statement, 10, (struct str){ text + tools, resources - tools });
    sqlite_bind_text(statement, 11, (struct str){ text + resources, json->length - resources });
    return row_run(self, ROW_ADD_CLASS, reason);
}

static enum err add_policy(struct store_sqlite *self, const struct policy_record *policy,
                           struct reason *reason)
{
    const struct plan_policy *plan = &policy->plan;
    BIND_NUMBERS(self->rows[ROW_ADD_POLICY], policy->id, plan->max_attempts, plan->max_lost,
                 plan->backoff_base_ms, plan->backoff_max_ms, plan->backoff_factor_permille,
                 plan->run_timeout_ms, plan->kill_grace_ms, plan->output_bytes_max,
                 plan->on_disconnect, plan->effect, plan->retry_on, plan->queue_timeout_ms,
                 plan->start_timeout_ms, plan->silence_timeout_ms, plan->hold_on_failure_ms);
    return row_run(self, ROW_ADD_POLICY, reason);
}

static void bind_constellation(sqlite3_stmt *statement, const struct constellation_record *record)
{
    BIND_NUMBERS(statement, record->id, record->state, record->cancel_requested,
                 record->cancel_finally, record->created_wall_ms, record->finished_wall_ms,
                 record->tasks, record->edges, record->revision, record->fail_fast,
                 record->stopping, record->deadline_passed, record->deadline_wall_ms,
                 record->deadline_length_ms, record->succeeded, record->failed, record->cancelled,
                 record->skipped);
}

static enum err add_constellation(struct store_sqlite *self, const struct effect *effect,
                                  struct reason *reason)
{
    const struct constellation_record *record = effect->constellation.record;
    sqlite3_stmt *statement = self->rows[ROW_ADD_CONSTELLATION];
    bind_constellation(statement, record);
    sqlite_bind_text(statement, 19, effect->constellation.uid);
    sqlite_bind_text(statement, 20, effect->constellation.plan->name);
    enum err err = row_run(self, ROW_ADD_CONSTELLATION, reason);
    if (err != ERR_NONE) {
        return err;
    }
    statement = self->rows[ROW_ADD_CONSTELLATION_TEXT];
    BIND_NUMBERS(statement, record->id);
    struct str source = effect->constellation.plan->source;
    sqlite_bind_text(statement, 2, source.length <= SOURCE_BYTES_MAX ? source : STR(""));
    sqlite_bind_text(statement, 3, effect->constellation.plan->description);
    return row_run(self, ROW_ADD_CONSTELLATION_TEXT, reason);
}

static enum err save_constellation(struct store_sqlite *self,
                                   const struct constellation_record *record, struct reason *reason)
{
    bind_constellation(self->rows[ROW_SAVE_CONSTELLATION], record);
    return row_run_on(self, ROW_SAVE_CONSTELLATION, reason);
}

/* A constellation whose submission has been written grows by edits. */
static enum err is_late(struct store_sqlite *self, int64_t constellation_id, bool *ret_late,
                        struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        &self->store, "SELECT first_seq FROM constellation_row WHERE id = ?", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, constellation_id);
    *ret_late = sqlite3_step(row) == SQLITE_ROW && sqlite3_column_int64(row, 0) != 0;
    sqlite3_reset(row);
    return ERR_NONE;
}

static enum err range_of(struct store_sqlite *self, int64_t constellation_id,
                         struct id_range **ret_range, struct reason *reason)
{
    for (size_t i = self->ranges_count; i > 0; i--) {
        if (self->ranges[i - 1].constellation_id == constellation_id) {
            *ret_range = &self->ranges[i - 1];
            return ERR_NONE;
        }
    }
    struct id_range range = { .constellation_id = constellation_id };
    enum err err = is_late(self, constellation_id, &range.late, reason);
    if (err != ERR_NONE) {
        return err;
    }
    if (self->ranges_count == self->ranges_capacity) {
        self->ranges_capacity = self->ranges_capacity == 0 ? 16 : self->ranges_capacity * 2;
        self->ranges = mem_resize(self->ranges, self->ranges_capacity * sizeof self->ranges[0]);
    }
    self->ranges[self->ranges_count] = range;
    *ret_range = &self->ranges[self->ranges_count++];
    return ERR_NONE;
}

static void bind_task(sqlite3_stmt *statement, const struct task_record *record)
{
    BIND_NUMBERS(statement, record->id, record->class_id, record->policy_id, (int64_t)record->fence,
                 record->wake_wall_ms, record->wake_length_ms, record->priority, record->attempts,
                 record->tries, record->lost, record->body_bytes, record->first_attempt,
                 record->revision, record->round, record->flags, record->state,
                 record->has_references, record->prepared);
}

static enum err add_task(struct store_sqlite *self, const struct effect *effect,
                         struct reason *reason)
{
    const struct task_record *record = effect->task.record;
    const struct plan_task *plan = effect->task.plan;
    int64_t constellation_id = effect->task.constellation_id;
    struct id_range *range;
    enum err err = range_of(self, constellation_id, &range, reason);
    if (err != ERR_NONE) {
        return err;
    }
    range->first_task_id = range->first_task_id == 0 ? record->id : range->first_task_id;
    range->last_task_id = record->id;
    sqlite3_stmt *statement = self->rows[ROW_ADD_TASK];
    bind_task(statement, record);
    sqlite3_bind_int64(statement, 19, constellation_id);
    sqlite3_bind_int64(statement, 20, range->late);
    sqlite3_bind_int64(statement, 21, record->name);
    err = row_run(self, ROW_ADD_TASK, reason);
    if (err != ERR_NONE) {
        return err;
    }
    statement = self->rows[ROW_ADD_TASK_TEXT];
    BIND_NUMBERS(statement, record->id, constellation_id);
    sqlite_bind_text(statement, 3, plan->key);
    sqlite_bind_blob(statement, 4, plan->body);
    sqlite_bind_words(statement, 5, plan->group);
    sqlite_bind_words(statement, 6, plan->description);
    sqlite_bind_words(statement, 7, plan->hold);
    err = row_run(self, ROW_ADD_TASK_TEXT, reason);
    if (err != ERR_NONE || !range->late) {
        return err;
    }
    return late_added(&self->store, LATE_TASK, constellation_id, record->id, reason);
}

/* While an attempt has the task its own row, which lies anywhere, is left alone. */
static enum err save_task(struct store_sqlite *self, const struct task_record *record,
                          struct reason *reason)
{
    bool live = record->state == TASK_ASSIGNED || record->state == TASK_RUNNING;
    enum row row = live ? ROW_TASK_LIVE : ROW_SAVE_TASK;
    bind_task(self->rows[row], record);
    enum err err = row_run_on(self, row, reason);
    if (err != ERR_NONE || live || record->fence == 0) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_TASK_RESTS], record->id);
    return row_run(self, ROW_TASK_RESTS, reason);
}

static enum err stamp_task(struct store_sqlite *self, const struct task_record *record,
                           struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_TASK_STAMP], record->id, record->revision);
    return row_run_on(self, ROW_TASK_STAMP, reason);
}

enum { EDGE_FIELDS_COUNT = 9 };

static void bind_edge(sqlite3_stmt *statement, size_t place, const struct new_edge *edge)
{
    const struct edge_record *record = &edge->record;
    const int64_t numbers[EDGE_FIELDS_COUNT] = {
        record->id,         record->from_id,  record->to_id,          record->when,
        edge_flags(record), record->decision, (int64_t)record->fence, edge->constellation_id,
        edge->late,
    };
    for (size_t i = 0; i < EDGE_FIELDS_COUNT; i++) {
        sqlite3_bind_int64(statement, (int)(place * EDGE_FIELDS_COUNT + i) + 1, numbers[i]);
    }
}

/* Of those that are in one block the first says so for all. */
static enum err added_edges(struct store_sqlite *self, size_t count, struct reason *reason)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        const struct new_edge *edge = &self->edges[i];
        bool is_first = i == 0 || edge[-1].constellation_id != edge->constellation_id ||
                        edge[-1].record.id / LATE_BLOCK != edge->record.id / LATE_BLOCK;
        if (edge->late && is_first) {
            err = late_added(&self->store, LATE_EDGE, edge->constellation_id, edge->record.id,
                             reason);
        }
    }
    return err;
}

/* The edges that have been collected, one by one. */
static enum err flush_edges(struct store_sqlite *self, struct reason *reason)
{
    size_t count = self->edges_count;
    self->edges_count = 0;
    for (size_t i = 0; i < count; i++) {
        bind_edge(self->rows[ROW_ADD_EDGE], 0, &self->edges[i]);
        enum err err = row_run(self, ROW_ADD_EDGE, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return added_edges(self, count, reason);
}

/* Edges come by the hundred thousand: they are collected, and go in by one statement for many. */
static enum err add_edge(struct store_sqlite *self, const struct effect *effect,
                         struct reason *reason)
{
    const struct edge_record *record = &effect->edge.record;
    struct id_range *range;
    enum err err = range_of(self, effect->edge.constellation_id, &range, reason);
    if (err == ERR_NONE && record->conditional) {
        err = change_edge_text(self, record->id, effect->edge.plan, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    range->first_edge_id = range->first_edge_id == 0 ? record->id : range->first_edge_id;
    range->last_edge_id = record->id;
    self->edges[self->edges_count++] =
        (struct new_edge){ *record, effect->edge.constellation_id, range->late };
    if (self->edges_count < EDGES_AT_ONCE) {
        return ERR_NONE;
    }
    for (size_t i = 0; i < EDGES_AT_ONCE; i++) {
        bind_edge(self->rows[ROW_ADD_EDGES], i, &self->edges[i]);
    }
    self->edges_count = 0;
    err = row_run(self, ROW_ADD_EDGES, reason);
    return err != ERR_NONE ? err : added_edges(self, EDGES_AT_ONCE, reason);
}

/* A decision that an attempt has made stands beside those of its time, not at its edge. */
static enum err save_edge(struct store_sqlite *self, const struct edge_record *record,
                          struct reason *reason)
{
    bool by_attempt = record->decision != EDGE_UNDECIDED && record->fence != 0;
    enum row row = by_attempt ? ROW_DECIDE_EDGE : ROW_SAVE_EDGE;
    BIND_NUMBERS(self->rows[row], record->id, record->decision, (int64_t)record->fence);
    enum err err = row_run_on(self, row, reason);
    if (err != ERR_NONE || by_attempt) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_FORGET_DECISION], record->id, record->from_id);
    err = row_run(self, ROW_FORGET_DECISION, reason);
    if (err != ERR_NONE || record->decision != EDGE_UNDECIDED) {
        return err;
    }
    return change_edge_undecided(self, record->id, reason);
}

/* An attempt before the latest one may have made it: then it stands at its edge already. */
static enum err keep_edge(struct store_sqlite *self, const struct edge_record *record,
                          struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_DROP_DECISION], record->id, (int64_t)record->fence);
    enum err err = row_run(self, ROW_DROP_DECISION, reason);
    if (err != ERR_NONE || sqlite3_changes(self->db) == 0) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_SAVE_EDGE], record->id, record->decision, (int64_t)record->fence);
    return row_run_on(self, ROW_SAVE_EDGE, reason);
}

static enum err apply_row(struct store_sqlite *self, struct effect *effect, struct reason *reason)
{
    switch (effect->kind) {
    case EFFECT_ADD_CLASS:
        return add_class(self, effect->class, reason);
    case EFFECT_ADD_POLICY:
        return add_policy(self, effect->policy, reason);
    case EFFECT_ADD_CONSTELLATION:
        return add_constellation(self, effect, reason);
    case EFFECT_SAVE_CONSTELLATION:
        return effect->constellation.is_stamp
                   ? ERR_NONE /* its revision says it all */
                   : save_constellation(self, effect->constellation.record, reason);
    case EFFECT_ADD_TASK:
        return add_task(self, effect, reason);
    case EFFECT_SAVE_TASK:
        return effect->task.is_stamp ? stamp_task(self, effect->task.record, reason)
                                     : save_task(self, effect->task.record, reason);
    case EFFECT_ADD_EDGE:
        return add_edge(self, effect, reason);
    case EFFECT_SAVE_EDGE:
        return save_edge(self, &effect->edge.record, reason);
    case EFFECT_KEEP_EDGE:
        return keep_edge(self, &effect->edge.record, reason);
    case EFFECT_ADD_ATTEMPT:
    case EFFECT_SAVE_ATTEMPT:
    case EFFECT_SAVE_DEVICE:
    case EFFECT_TASK_REASON:
    case EFFECT_OUTPUT:
    case EFFECT_RESULT:
    case EFFECT_HISTORY:
        return attempt_apply(self, effect, reason);
    case EFFECT_ADD_LIMIT:
    case EFFECT_ADD_HOLD:
    case EFFECT_ADD_HOLD_TASK:
    case EFFECT_REMOVE_HOLD:
    case EFFECT_REMOVE_TASK:
    case EFFECT_REMOVE_EDGE:
    case EFFECT_TASK_TEXT:
    case EFFECT_DROP_INPUTS:
    case EFFECT_EDGE_TEXT:
    case EFFECT_EDGE_REASON:
    case EFFECT_ADD_REVISION:
    case EFFECT_PUT_BULK:
    case EFFECT_REMOVE_BULK:
        return change_apply(self, effect, reason);
    case EFFECT_PREPARE:
    case EFFECT_EVALUATE:
    case EFFECT_SEND:
    case EFFECT_ASSIGN:
    case EFFECT_CLOSE:
    case EFFECT_REPLY:
    case EFFECT_PLAN_DONE:
        break;
    }
    return ERR_NONE;
}

enum err row_apply(struct store *store, struct effect *effect, struct reason *reason)
{
    if (effect->kind >= EFFECT_PREPARE) {
        return ERR_NONE; /* not a row: the turn stays free of a transaction for its sake */
    }
    struct store_sqlite *self = sqlite_of(store);
    enum err err = store_sqlite_write(store, reason);
    if (err == ERR_NONE && self->edges_count > 0 && effect->kind != EFFECT_ADD_EDGE) {
        err = flush_edges(self, reason); /* what follows may concern them */
    }
    if (err != ERR_NONE) {
        return err;
    }
    return apply_row(self, effect, reason);
}

enum err row_applied(struct store *store, struct reason *reason)
{
    struct store_sqlite *self = sqlite_of(store);
    enum err err = flush_edges(self, reason);
    for (size_t i = 0; err == ERR_NONE && i < self->ranges_count; i++) {
        const struct id_range *range = &self->ranges[i];
        if (range->late) {
            continue;
        }
        BIND_NUMBERS(self->rows[ROW_EXTEND_CONSTELLATION], range->constellation_id,
                     range->first_task_id, range->last_task_id, range->first_edge_id,
                     range->last_edge_id);
        err = row_run_on(self, ROW_EXTEND_CONSTELLATION, reason);
    }
    self->ranges_count = 0;
    return err;
}

enum err row_put_inputs(struct store *store, int64_t task_id, struct str body,
                        struct reason *reason)
{
    struct store_sqlite *self = sqlite_of(store);
    enum err err = store_sqlite_write(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_INPUTS], task_id);
    sqlite_bind_blob(self->rows[ROW_INPUTS], 2, body);
    return row_run_on(self, ROW_INPUTS, reason);
}
