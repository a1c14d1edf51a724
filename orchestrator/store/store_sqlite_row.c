/* Effects to rows: one prepared statement a kind of row effect. */
#include "orchestrator/store/store_sqlite.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/store/class_json.h"
#include "orchestrator/store/device_json.h"
#include "orchestrator/store/record_row.h"

/* The text of a larger plan is not kept: every task has its body, and a row of many megabytes would hold
   up one turn for as long as the disk takes to write it. */
enum { SOURCE_BYTES_MAX = 1024 * 1024 };

enum row {
    ROW_ADD_CLASS,
    ROW_ADD_POLICY,
    ROW_ADD_CONSTELLATION,
    ROW_ADD_CONSTELLATION_TEXT,
    ROW_SAVE_CONSTELLATION,
    ROW_EXTEND_CONSTELLATION,
    ROW_SUBMITTED,
    ROW_SUBMITTED_BY,
    ROW_ADD_TASK,
    ROW_ADD_TASK_TEXT,
    ROW_SAVE_TASK,
    ROW_TASK_LIVE,
    ROW_TASK_RESTS,
    ROW_TASK_STAMP,
    ROW_ADD_EDGE,
    ROW_ADD_EDGES,
    ROW_SAVE_EDGE,
    ROW_DECIDE_EDGE,
    ROW_FORGET_DECISION,
    ROW_KEEP_DECISIONS,
    ROW_DROP_DECISIONS,
    ROW_ADD_ATTEMPT,
    ROW_SAVE_ATTEMPT,
    ROW_SAVE_DEVICE,
    ROW_TASK_REASON,
    ROW_STDOUT,
    ROW_STDERR,
    ROW_RESULT,
    ROW_HISTORY,
    ROW_SAVE_FENCE,
    ROW_INPUTS,
    ROWS_END,
};
_Static_assert((int)ROWS_END <= (int)ROW_STATEMENTS_MAX, "room for every statement");

#define ONE_EDGE   "(?,?,?,?,?,?,?,?,?)"
#define FOUR_EDGES ONE_EDGE "," ONE_EDGE "," ONE_EDGE "," ONE_EDGE

#define TASK_FIELDS                                                                                \
    "id, class_id, policy_id, fence, wake_wall_ms, wake_length_ms, priority, attempts, tries,"     \
    " lost, body_bytes, first_attempt, revision, round, flags, state, has_references, prepared"

#define EDGE_FIELDS "id, from_id, to_id, \"when\", flags, decision, fence, constellation_id, late"

static const char *const texts[ROWS_END] = {
    [ROW_ADD_CLASS] =
        "INSERT INTO class(id, executor, strategy, same_task_id, other_task_id, constellation_id,"
        " selector, device, tools, resources, limits) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_ADD_POLICY] =
        "INSERT INTO policy(id, max_attempts, max_lost, backoff_base_ms, backoff_max_ms,"
        " backoff_factor_permille, run_timeout_ms, kill_grace_ms, output_bytes_max,"
        " on_disconnect, effect, retry_on, queue_timeout_ms, start_timeout_ms,"
        " silence_timeout_ms, hold_on_failure_ms) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_ADD_CONSTELLATION] =
        "INSERT INTO constellation(id, state, cancel_requested, cancel_finally, created_wall_ms,"
        " finished_wall_ms, tasks, edges, revision, fail_fast, stopping, deadline_passed,"
        " deadline_wall_ms, deadline_length_ms, succeeded, failed, cancelled, skipped, uid, name)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_ADD_CONSTELLATION_TEXT] =
        "INSERT INTO constellation_text(id, source, description) VALUES(?,?,?)",
    [ROW_SAVE_CONSTELLATION] =
        "UPDATE constellation SET state=?2, cancel_requested=?3, cancel_finally=?4,"
        " created_wall_ms=?5, finished_wall_ms=?6, tasks=?7, edges=?8, revision=?9, fail_fast=?10,"
        " stopping=?11, deadline_passed=?12, deadline_wall_ms=?13, deadline_length_ms=?14,"
        " succeeded=?15, failed=?16, cancelled=?17, skipped=?18 WHERE id=?1",
    [ROW_EXTEND_CONSTELLATION] =
        "UPDATE constellation SET"
        " first_task_id = iif(first_task_id = 0, ?2, first_task_id), last_task_id ="
        " max(last_task_id, ?3), first_edge_id = iif(first_edge_id = 0, ?4, first_edge_id),"
        " last_edge_id = max(last_edge_id, ?5) WHERE id=?1",
    [ROW_SUBMITTED] = "UPDATE constellation SET first_seq=?2 WHERE id=?1",
    [ROW_SUBMITTED_BY] = "UPDATE constellation_text SET actor=?2 WHERE id=?1",
    [ROW_ADD_TASK] = "INSERT INTO task_row(" TASK_FIELDS ", constellation_id, late, name)"
                     " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_ADD_TASK_TEXT] = "INSERT INTO task_text(id, constellation_id, key, body, \"group\","
                          " description, hold) VALUES(?,?,?,?,?,?,?)",
    [ROW_SAVE_TASK] =
        "UPDATE task_row SET class_id=?2, policy_id=?3, fence=?4, wake_wall_ms=?5,"
        " wake_length_ms=?6, priority=?7, attempts=?8, tries=?9, lost=?10, body_bytes=?11,"
        " first_attempt=?12, revision=?13, round=?14, flags=?15, state=?16, has_references=?17,"
        " prepared=?18 WHERE id=?1",
    [ROW_TASK_LIVE] = "REPLACE INTO task_live(" TASK_FIELDS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                      " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18"
                      " WHERE EXISTS (SELECT 1 FROM task_row WHERE id=?1)",
    [ROW_TASK_RESTS] = "DELETE FROM task_live WHERE id=?1",
    [ROW_TASK_STAMP] = "INSERT INTO task_stamp(id, revision) VALUES(?,?)"
                       " ON CONFLICT(id) DO UPDATE SET revision=?2",
    [ROW_ADD_EDGE] = "INSERT INTO edge_row(" EDGE_FIELDS ") VALUES" ONE_EDGE,
    [ROW_ADD_EDGES] = "INSERT INTO edge_row(" EDGE_FIELDS ") VALUES" FOUR_EDGES "," FOUR_EDGES
                      "," FOUR_EDGES "," FOUR_EDGES,
    [ROW_SAVE_EDGE] = "UPDATE edge_row SET decision=?2, fence=?3 WHERE id=?1",
    [ROW_DECIDE_EDGE] = "REPLACE INTO edge_decided(edge_id, decision, fence) VALUES(?,?,?)",
    /* Its source may have been assigned again in this very turn: then the attempt before had made it. */
    [ROW_FORGET_DECISION] = "DELETE FROM edge_decided WHERE edge_id=?1 AND fence IN"
                            " (SELECT fence FROM task_row WHERE id=?2 UNION ALL"
                            " SELECT fence FROM task_live WHERE id=?2)",
    [ROW_KEEP_DECISIONS] = "UPDATE edge_row SET decision=d.decision, fence=d.fence"
                           " FROM edge_decided d WHERE d.fence=?1 AND edge_row.id=d.edge_id",
    [ROW_DROP_DECISIONS] = "DELETE FROM edge_decided WHERE fence=?1",
    [ROW_ADD_ATTEMPT] =
        "INSERT INTO attempt(fence, state, outcome, exit_code, signal, output_truncated,"
        " stop_wanted, started_wall_ms, ended_wall_ms, stdout_bytes, stderr_bytes, previous,"
        " constellation_id, task_id, device_id, session, number, assigned_wall_ms, given_up)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_SAVE_ATTEMPT] =
        "UPDATE attempt SET state=?2, outcome=?3, exit_code=?4, signal=?5, output_truncated=?6,"
        " stop_wanted=?7, started_wall_ms=?8, ended_wall_ms=?9, stdout_bytes=?10,"
        " stderr_bytes=?11, given_up=?12 WHERE fence=?1",
    [ROW_SAVE_DEVICE] =
        "INSERT INTO device(id, process_id, session, fence, connected_wall_ms, cpus,"
        " memory_bytes, slots, name, journal_id, boot_id, agent_version, os, arch, hostname,"
        " executors, tools, labels, draining, resources)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT(id) DO UPDATE SET process_id=?2, session=?3, fence=?4, connected_wall_ms=?5,"
        " cpus=?6, memory_bytes=?7, slots=?8, name=?9, journal_id=?10, boot_id=?11,"
        " agent_version=?12, os=?13, arch=?14, hostname=?15, executors=?16, tools=?17,"
        " labels=?18, draining=?19, resources=?20",
    [ROW_TASK_REASON] = "UPDATE task_text SET reason=?2 WHERE id=?1",
    [ROW_STDOUT] = "INSERT INTO output(fence, stdout) VALUES(?1,?3) ON CONFLICT(fence) DO UPDATE"
                   " SET stdout = cast(coalesce(substr(stdout, 1, ?2), x'') || ?3 AS BLOB)",
    [ROW_STDERR] = "INSERT INTO output(fence, stderr) VALUES(?1,?3) ON CONFLICT(fence) DO UPDATE"
                   " SET stderr = cast(coalesce(substr(stderr, 1, ?2), x'') || ?3 AS BLOB)",
    [ROW_RESULT] = "UPDATE attempt SET reason=?2, result=?3 WHERE fence=?1",
    [ROW_HISTORY] = "INSERT INTO event(seq, wall_ms, kind, constellation_id, task_id, device_id,"
                    " fence, state, outcome, number, text) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_SAVE_FENCE] = "INSERT INTO meta(key, value) VALUES('fence', ?1)"
                       " ON CONFLICT(key) DO UPDATE SET value=?1",
    [ROW_INPUTS] = "UPDATE task_text SET inputs=?2 WHERE id=?1",
};

enum err row_prepare(struct store_sqlite *self, struct reason *reason)
{
    for (size_t i = 0; i < ROWS_END; i++) {
        int rc = sqlite3_prepare_v3(self->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &self->rows[i], NULL);
        if (rc != SQLITE_OK) {
            return reason_set(reason, ERR_CORRUPT, "the database lacks what it should have: %s",
                              sqlite3_errmsg(self->db));
        }
    }
    return ERR_NONE;
}

void row_finalize(struct store_sqlite *self)
{
    for (size_t i = 0; i < ROWS_END; i++) {
        sqlite3_finalize(self->rows[i]);
    }
}

/* Binds parameters 1 … in order. */
#define BIND_NUMBERS(statement, ...)                                                               \
    bind_numbers(statement, (const int64_t[]){ __VA_ARGS__ },                                      \
                 sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void bind_numbers(sqlite3_stmt *statement, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_int64(statement, (int)i + 1, numbers[i]);
    }
}

/* Runs one that must find the row that it changes. */
static enum err run_on_row(struct store_sqlite *self, enum row row, struct reason *reason)
{
    enum err err = store_sqlite_run(&self->store, self->rows[row], reason);
    if (err == ERR_NONE && sqlite3_changes(self->db) != 1) {
        err = reason_set(reason, ERR_CORRUPT, "the database lacks a row that it should have (%s)",
                         texts[row]);
    }
    return err;
}

static enum err run(struct store_sqlite *self, enum row row, struct reason *reason)
{
    return store_sqlite_run(&self->store, self->rows[row], reason);
}

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
    return run(self, ROW_ADD_CLASS, reason);
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
    return run(self, ROW_ADD_POLICY, reason);
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
    enum err err = run(self, ROW_ADD_CONSTELLATION, reason);
    if (err != ERR_NONE) {
        return err;
    }
    statement = self->rows[ROW_ADD_CONSTELLATION_TEXT];
    BIND_NUMBERS(statement, record->id);
    struct str source = effect->constellation.plan->source;
    sqlite_bind_text(statement, 2, source.length <= SOURCE_BYTES_MAX ? source : STR(""));
    sqlite_bind_text(statement, 3, effect->constellation.plan->description);
    return run(self, ROW_ADD_CONSTELLATION_TEXT, reason);
}

static enum err save_constellation(struct store_sqlite *self,
                                   const struct constellation_record *record, struct reason *reason)
{
    bind_constellation(self->rows[ROW_SAVE_CONSTELLATION], record);
    return run_on_row(self, ROW_SAVE_CONSTELLATION, reason);
}

/* A constellation whose submission has been written grows by edits. */
static enum err is_late(struct store_sqlite *self, int64_t constellation_id, bool *ret_late,
                        struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        &self->store, "SELECT first_seq FROM constellation WHERE id = ?", reason);
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
    err = run(self, ROW_ADD_TASK, reason);
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
    return run(self, ROW_ADD_TASK_TEXT, reason);
}

/* While an attempt has the task its own row, which lies anywhere, is left alone. */
static enum err save_task(struct store_sqlite *self, const struct task_record *record,
                          struct reason *reason)
{
    bool live = record->state == TASK_ASSIGNED || record->state == TASK_RUNNING;
    enum row row = live ? ROW_TASK_LIVE : ROW_SAVE_TASK;
    bind_task(self->rows[row], record);
    enum err err = run_on_row(self, row, reason);
    if (err != ERR_NONE || live || record->fence == 0) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_TASK_RESTS], record->id);
    return run(self, ROW_TASK_RESTS, reason);
}

static enum err stamp_task(struct store_sqlite *self, const struct task_record *record,
                           struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_TASK_STAMP], record->id, record->revision);
    return run_on_row(self, ROW_TASK_STAMP, reason);
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

/* The edges that have been collected, one by one. */
static enum err flush_edges(struct store_sqlite *self, struct reason *reason)
{
    size_t count = self->edges_count;
    self->edges_count = 0;
    for (size_t i = 0; i < count; i++) {
        bind_edge(self->rows[ROW_ADD_EDGE], 0, &self->edges[i]);
        enum err err = run(self, ROW_ADD_EDGE, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
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
    return run(self, ROW_ADD_EDGES, reason);
}

/* A decision that an attempt has made stands beside those of its time, not at its edge. */
static enum err save_edge(struct store_sqlite *self, const struct edge_record *record,
                          struct reason *reason)
{
    bool by_attempt = record->decision != EDGE_UNDECIDED && record->fence != 0;
    enum row row = by_attempt ? ROW_DECIDE_EDGE : ROW_SAVE_EDGE;
    BIND_NUMBERS(self->rows[row], record->id, record->decision, (int64_t)record->fence);
    enum err err = run_on_row(self, row, reason);
    if (err != ERR_NONE || by_attempt) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_FORGET_DECISION], record->id, record->from_id);
    err = run(self, ROW_FORGET_DECISION, reason);
    if (err != ERR_NONE || record->decision != EDGE_UNDECIDED) {
        return err;
    }
    return change_edge_undecided(self, record->id, reason);
}

/* Another attempt follows: a decision is found by the latest one only. */
static enum err keep_decisions(struct store_sqlite *self, uint64_t fence, struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_KEEP_DECISIONS], (int64_t)fence);
    enum err err = run(self, ROW_KEEP_DECISIONS, reason);
    if (err != ERR_NONE || sqlite3_changes(self->db) == 0) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_DROP_DECISIONS], (int64_t)fence);
    return run(self, ROW_DROP_DECISIONS, reason);
}

static enum err add_attempt(struct store_sqlite *self, const struct attempt_record *record,
                            struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_ADD_ATTEMPT], (int64_t)record->fence, record->state,
                 record->outcome, record->exit_code, record->signal, record->output_truncated,
                 record->stop_wanted, record->started_wall_ms, record->ended_wall_ms,
                 (int64_t)record->stdout_bytes, (int64_t)record->stderr_bytes,
                 (int64_t)record->previous, record->constellation_id, record->task_id,
                 record->device_id, (int64_t)record->session, record->number,
                 record->assigned_wall_ms, record->given_up);
    self->fence = record->fence > self->fence ? record->fence : self->fence;
    enum err err = run(self, ROW_ADD_ATTEMPT, reason);
    if (err != ERR_NONE || record->previous == 0) {
        return err;
    }
    return keep_decisions(self, record->previous, reason);
}

static enum err save_attempt(struct store_sqlite *self, const struct attempt_record *record,
                             struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_SAVE_ATTEMPT], (int64_t)record->fence, record->state,
                 record->outcome, record->exit_code, record->signal, record->output_truncated,
                 record->stop_wanted, record->started_wall_ms, record->ended_wall_ms,
                 (int64_t)record->stdout_bytes, (int64_t)record->stderr_bytes, record->given_up);
    return run_on_row(self, ROW_SAVE_ATTEMPT, reason);
}

static enum err save_device(struct store_sqlite *self, const struct device_record *record,
                            struct reason *reason)
{
    const struct msg_profile *profile = &record->profile;
    sqlite3_stmt *statement = self->rows[ROW_SAVE_DEVICE];
    BIND_NUMBERS(statement, record->id, (int64_t)record->process_id, (int64_t)record->session,
                 (int64_t)record->fence, record->connected_wall_ms, profile->cpus,
                 (int64_t)profile->memory_bytes, profile->slots);
    const struct str words[] = { record->name,          record->journal_id, record->boot_id,
                                 record->agent_version, profile->os,        profile->arch,
                                 profile->hostname };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        sqlite_bind_text(statement, 9 + (int)i, words[i]);
    }
    struct buf *json = &self->scratch;
    buf_clear(json);
    device_json_list(json, profile->executors, profile->executors_count);
    size_t executors = json->length;
    device_json_list(json, profile->tools, profile->tools_count);
    size_t tools = json->length;
    device_json_labels(json, profile->labels, profile->labels_count);
    size_t labels = json->length;
    device_json_resources(json, profile->resources, profile->resources_count);
    const char *text = buf_text(json);
    sqlite_bind_text(statement, 16, (struct str){ text, executors });
    sqlite_bind_text(statement, 17, (struct str){ text + executors, tools - executors });
    sqlite_bind_text(statement, 18, (struct str){ text + tools, labels - tools });
    sqlite3_bind_int64(statement, 19, record->draining);
    sqlite_bind_text(statement, 20, (struct str){ text + labels, json->length - labels });
    return run(self, ROW_SAVE_DEVICE, reason);
}

static enum err task_reason(struct store_sqlite *self, int64_t task_id, struct str text,
                            struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_TASK_REASON], task_id);
    sqlite_bind_text(self->rows[ROW_TASK_REASON], 2, text);
    return run_on_row(self, ROW_TASK_REASON, reason);
}

static enum err output(struct store_sqlite *self, const struct effect *effect,
                       struct reason *reason)
{
    uint64_t fence = effect->output.fence;
    uint64_t offset = effect->output.offset;
    struct str data = effect->output.data;
    if (offset < STORE_OUTPUT_INLINE_MAX) {
        size_t room = (size_t)(STORE_OUTPUT_INLINE_MAX - offset);
        struct str head = { data.data, data.length < room ? data.length : room };
        enum row row = effect->output.stream == STREAM_STDERR ? ROW_STDERR : ROW_STDOUT;
        BIND_NUMBERS(self->rows[row], (int64_t)fence, (int64_t)offset);
        sqlite_bind_blob(self->rows[row], 3, head);
        enum err err = run(self, row, reason);
        if (err != ERR_NONE) {
            return err;
        }
        output_files_note(self->files, fence, effect->output.stream, offset + head.length);
        data = (struct str){ data.data + head.length, data.length - head.length };
        offset += head.length;
    }
    if (data.length == 0) {
        return ERR_NONE;
    }
    return output_files_write(self->files, fence, effect->output.stream, offset, data, reason);
}

static enum err result(struct store_sqlite *self, const struct effect *effect,
                       struct reason *reason)
{
    enum err err = output_files_finish(self->files, effect->result.fence, reason);
    if (err != ERR_NONE || effect->result.reason.length + effect->result.result.length == 0) {
        return err;
    }
    sqlite3_stmt *statement = self->rows[ROW_RESULT];
    BIND_NUMBERS(statement, (int64_t)effect->result.fence);
    sqlite_bind_text(statement, 2, effect->result.reason);
    sqlite_bind_text(statement, 3, effect->result.result);
    if (effect->result.result.length == 0) {
        sqlite3_bind_null(statement, 3);
    }
    return run_on_row(self, ROW_RESULT, reason);
}

static enum err history(struct store_sqlite *self, struct history *history, struct reason *reason)
{
    history->seq = ++self->seq;
    sqlite3_stmt *statement = self->rows[ROW_HISTORY];
    BIND_NUMBERS(statement, history->seq, history->wall_ms, history->kind,
                 history->constellation_id, history->task_id, history->device_id,
                 (int64_t)history->fence, history->state, history->outcome, history->number);
    if (history->text.length == 0) {
        sqlite3_bind_null(statement, 11);
    } else {
        sqlite_bind_text(statement, 11, history->text);
    }
    enum err err = run(self, ROW_HISTORY, reason);
    if (err != ERR_NONE || history->kind != HISTORY_CONSTELLATION_SUBMITTED) {
        return err;
    }
    /* Kept with the constellation as well, which outlives its events. */
    BIND_NUMBERS(self->rows[ROW_SUBMITTED], history->constellation_id, history->seq);
    err = run_on_row(self, ROW_SUBMITTED, reason);
    if (err != ERR_NONE) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_SUBMITTED_BY], history->constellation_id);
    sqlite_bind_text(self->rows[ROW_SUBMITTED_BY], 2, history->text);
    return run_on_row(self, ROW_SUBMITTED_BY, reason);
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
        return save_constellation(self, effect->constellation.record, reason);
    case EFFECT_ADD_TASK:
        return add_task(self, effect, reason);
    case EFFECT_SAVE_TASK:
        return effect->task.is_stamp ? stamp_task(self, effect->task.record, reason)
                                     : save_task(self, effect->task.record, reason);
    case EFFECT_ADD_EDGE:
        return add_edge(self, effect, reason);
    case EFFECT_SAVE_EDGE:
        return save_edge(self, &effect->edge.record, reason);
    case EFFECT_ADD_ATTEMPT:
        return add_attempt(self, effect->attempt, reason);
    case EFFECT_SAVE_ATTEMPT:
        return save_attempt(self, effect->attempt, reason);
    case EFFECT_SAVE_DEVICE:
        return save_device(self, effect->device, reason);
    case EFFECT_TASK_REASON:
        return task_reason(self, effect->reason.task_id, effect->reason.text, reason);
    case EFFECT_OUTPUT:
        return output(self, effect, reason);
    case EFFECT_RESULT:
        return result(self, effect, reason);
    case EFFECT_HISTORY:
        return history(self, &effect->history, reason);
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
        err = run_on_row(self, ROW_EXTEND_CONSTELLATION, reason);
    }
    self->ranges_count = 0;
    return err;
}

enum err row_save_fence(struct store_sqlite *self, struct reason *reason)
{
    if (self->fence == self->fence_saved) {
        return ERR_NONE;
    }
    BIND_NUMBERS(self->rows[ROW_SAVE_FENCE], (int64_t)self->fence);
    enum err err = run(self, ROW_SAVE_FENCE, reason);
    if (err == ERR_NONE) {
        self->fence_saved = self->fence;
    }
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
    return run_on_row(self, ROW_INPUTS, reason);
}
