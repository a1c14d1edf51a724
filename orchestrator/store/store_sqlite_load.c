/* Rows to the engine, at the start: classes, policies, devices, and of every constellation that is not
   final its tasks, its edges and each task's latest attempt, all in the order of their ids. */
#include "orchestrator/store/store_sqlite.h"

#include "orchestrator/store/device_json.h"
#include "orchestrator/store/output_file.h"

/* One pass over a query: `row` takes each of its rows. */
struct pass {
    const char *sql;
    enum err (*row)(struct store_sqlite *self, sqlite3_stmt *row, struct engine *engine);
};

/* Numbers that we wrote are in range; a damaged page may hold anything. */
static bool column_in(sqlite3_stmt *row, int at, int64_t min, int64_t max, int64_t *ret_number)
{
    *ret_number = sqlite3_column_int64(row, at);
    return *ret_number >= min && *ret_number <= max;
}

static enum err load_class(struct store_sqlite *self, sqlite3_stmt *row, struct engine *engine)
{
    (void)self;
    int64_t executor;
    if (!column_in(row, 3, EXECUTOR_RUN, EXECUTOR_SLEEP, &executor)) {
        return ERR_CORRUPT;
    }
    const struct class_record record = {
        .id = sqlite3_column_int64(row, 0),
        .plan = { .selector = sqlite_column_str(row, 1),
                  .device = sqlite_column_str(row, 2),
                  .executor = (enum executor)executor },
    };
    engine_load_class(engine, &record);
    return ERR_NONE;
}

static enum err load_policy(struct store_sqlite *self, sqlite3_stmt *row, struct engine *engine)
{
    (void)self;
    int64_t tries;
    int64_t lost;
    int64_t factor;
    int64_t on_disconnect;
    int64_t output_bytes_max;
    if (!column_in(row, 1, 0, UINT32_MAX, &tries) || !column_in(row, 2, 0, UINT32_MAX, &lost) ||
        !column_in(row, 5, 0, UINT32_MAX, &factor) ||
        !column_in(row, 8, ON_DISCONNECT_CONTINUE, ON_DISCONNECT_STOP, &on_disconnect) ||
        !column_in(row, 9, 0, INT64_MAX, &output_bytes_max)) {
        return ERR_CORRUPT;
    }
    const struct policy_record record = {
        .id = sqlite3_column_int64(row, 0),
        .plan = { .max_attempts = (uint32_t)tries,
                  .max_lost = (uint32_t)lost,
                  .backoff_base_ms = sqlite3_column_int64(row, 3),
                  .backoff_max_ms = sqlite3_column_int64(row, 4),
                  .backoff_factor_permille = (uint32_t)factor,
                  .run_timeout_ms = sqlite3_column_int64(row, 6),
                  .kill_grace_ms = sqlite3_column_int64(row, 7),
                  .output_bytes_max = output_bytes_max,
                  .on_disconnect = (enum on_disconnect)on_disconnect },
    };
    engine_load_policy(engine, &record);
    return ERR_NONE;
}

static enum err load_device(struct store_sqlite *self, sqlite3_stmt *row, struct engine *engine)
{
    sqlite3_stmt *each = store_sqlite_statement(&self->store, DEVICE_JSON_EACH, NULL);
    int64_t cpus;
    int64_t slots;
    if (each == NULL || !column_in(row, 10, 0, UINT32_MAX, &cpus) ||
        !column_in(row, 12, 0, UINT32_MAX, &slots)) {
        return ERR_CORRUPT;
    }
    struct device_record record = {
        .id = sqlite3_column_int64(row, 0),
        .name = sqlite_column_str(row, 1),
        .journal_id = sqlite_column_str(row, 2),
        .boot_id = sqlite_column_str(row, 3),
        .process_id = (uint64_t)sqlite3_column_int64(row, 4),
        .session = (uint64_t)sqlite3_column_int64(row, 5),
        .fence = (uint64_t)sqlite3_column_int64(row, 6),
        .agent_version = sqlite_column_str(row, 7),
        .connected_wall_ms = sqlite3_column_int64(row, 8),
        .profile = { .os = sqlite_column_str(row, 9),
                     .cpus = (uint32_t)cpus,
                     .memory_bytes = (uint64_t)sqlite3_column_int64(row, 11),
                     .slots = (uint32_t)slots,
                     .arch = sqlite_column_str(row, 13),
                     .hostname = sqlite_column_str(row, 14) },
    };
    struct arena arena = { 0 };
    enum err err =
        device_json_read_list(each, sqlite_column_str(row, 15), &arena, MSG_EXECUTORS_MAX,
                              &record.profile.executors, &record.profile.executors_count);
    if (err == ERR_NONE) {
        err = device_json_read_list(each, sqlite_column_str(row, 16), &arena, MSG_TOOLS_MAX,
                                    &record.profile.tools, &record.profile.tools_count);
    }
    if (err == ERR_NONE) {
        err = device_json_read_labels(each, sqlite_column_str(row, 17), &arena,
                                      &record.profile.labels, &record.profile.labels_count);
    }
    if (err == ERR_NONE) {
        engine_load_device(engine, &record);
    }
    arena_done(&arena);
    return err;
}

static enum err load_constellation(struct store_sqlite *self, sqlite3_stmt *row,
                                   struct engine *engine)
{
    (void)self;
    int64_t counts[6];
    for (int i = 0; i < 6; i++) {
        if (!column_in(row, 5 + i, 0, UINT32_MAX, &counts[i])) {
            return ERR_CORRUPT;
        }
    }
    const struct constellation_record record = {
        .id = sqlite3_column_int64(row, 0),
        .state = (enum constellation_state)sqlite3_column_int(row, 1),
        .cancel_requested = sqlite3_column_int(row, 2) != 0,
        .created_wall_ms = sqlite3_column_int64(row, 3),
        .finished_wall_ms = sqlite3_column_int64(row, 4),
        .tasks = (uint32_t)counts[0],
        .edges = (uint32_t)counts[1],
        .succeeded = (uint32_t)counts[2],
        .failed = (uint32_t)counts[3],
        .cancelled = (uint32_t)counts[4],
        .skipped = (uint32_t)counts[5],
    };
    engine_load_constellation(engine, &record);
    return ERR_NONE;
}

static enum err load_task(struct store_sqlite *self, sqlite3_stmt *row, struct engine *engine)
{
    (void)self;
    int64_t priority;
    int64_t attempts;
    int64_t tries;
    int64_t lost;
    int64_t state;
    int64_t body_bytes;
    if (!column_in(row, 7, -PLAN_PRIORITY_MAX, PLAN_PRIORITY_MAX, &priority) ||
        !column_in(row, 8, 0, UINT32_MAX, &attempts) || !column_in(row, 9, 0, UINT16_MAX, &tries) ||
        !column_in(row, 10, 0, UINT16_MAX, &lost) ||
        !column_in(row, 11, TASK_WAITING, TASK_SKIPPED, &state) ||
        !column_in(row, 14, 0, UINT32_MAX, &body_bytes)) {
        return ERR_CORRUPT;
    }
    const struct task_record record = {
        .id = sqlite3_column_int64(row, 1),
        .class_id = sqlite3_column_int64(row, 2),
        .policy_id = sqlite3_column_int64(row, 3),
        .fence = (uint64_t)sqlite3_column_int64(row, 4),
        .wake_wall_ms = sqlite3_column_int64(row, 5),
        .wake_length_ms = sqlite3_column_int64(row, 6),
        .priority = (int32_t)priority,
        .attempts = (uint32_t)attempts,
        .tries = (uint16_t)tries,
        .lost = (uint16_t)lost,
        .body_bytes = (uint32_t)body_bytes,
        .state = (uint8_t)state,
        .has_references = sqlite3_column_int(row, 12) != 0,
        .prepared = sqlite3_column_int(row, 13) != 0,
    };
    engine_load_task(engine, sqlite3_column_int64(row, 0), &record);
    return ERR_NONE;
}

/* What the latest attempt of the edge's source has decided, if it has. The view edge would look for it
   at every edge; the sources, which are loaded by now, say where there can be one. */
static enum err load_decision(struct store_sqlite *self, const struct engine *engine,
                              int64_t constellation_id, struct edge_record *record)
{
    const struct task_record *from = engine_task(engine, constellation_id, record->from_id);
    if (from == NULL || from->fence == 0) {
        return ERR_NONE;
    }
    sqlite3_stmt *row = store_sqlite_statement(
        &self->store, "SELECT decision FROM edge_decided WHERE fence = ? AND edge_id = ?", NULL);
    if (row == NULL) {
        return ERR_CORRUPT;
    }
    sqlite3_bind_int64(row, 1, (int64_t)from->fence);
    sqlite3_bind_int64(row, 2, record->id);
    int rc = sqlite3_step(row);
    int64_t decision = EDGE_OPEN;
    bool sound = rc == SQLITE_DONE ||
                 (rc == SQLITE_ROW && column_in(row, 0, EDGE_OPEN, EDGE_CLOSED, &decision));
    if (rc == SQLITE_ROW) {
        record->decision = (enum edge_decision)decision;
        record->fence = from->fence;
    }
    sqlite3_reset(row);
    return sound ? ERR_NONE : ERR_CORRUPT;
}

static enum err load_edge(struct store_sqlite *self, sqlite3_stmt *row, struct engine *engine)
{
    int64_t when;
    int64_t decision;
    if (!column_in(row, 4, EDGE_WHEN_SUCCESS, EDGE_WHEN_SUCCESS, &when) ||
        !column_in(row, 5, EDGE_UNDECIDED, EDGE_CLOSED, &decision)) {
        return ERR_CORRUPT;
    }
    int64_t constellation_id = sqlite3_column_int64(row, 0);
    struct edge_record record = {
        .id = sqlite3_column_int64(row, 1),
        .from_id = sqlite3_column_int64(row, 2),
        .to_id = sqlite3_column_int64(row, 3),
        .when = (enum edge_when)when,
        .decision = (enum edge_decision)decision,
        .fence = (uint64_t)sqlite3_column_int64(row, 6),
    };
    enum err err = load_decision(self, engine, constellation_id, &record);
    if (err == ERR_NONE) {
        engine_load_edge(engine, constellation_id, &record);
    }
    return err;
}

/* A stream's length is in its row at the commit, the bytes of its file are on the disk at the next sync:
   after a power cut the row may promise more than there is. What is there is made durable, and the row
   says so much; the agent still has the rest, which was never acknowledged. */
static enum err settle_output(struct store_sqlite *self, struct attempt_record *record)
{
    uint64_t have[2] = { record->stdout_bytes, record->stderr_bytes };
    for (int i = 0; i < 2; i++) {
        uint64_t in_file = 0;
        if (have[i] <= STORE_OUTPUT_INLINE_MAX) {
            continue;
        }
        enum err err = output_file_settle(self->data_dir, record->fence,
                                          i == 0 ? STREAM_STDOUT : STREAM_STDERR, &in_file);
        if (err != ERR_NONE) {
            return err;
        }
        if (have[i] > STORE_OUTPUT_INLINE_MAX + in_file) {
            have[i] = STORE_OUTPUT_INLINE_MAX + in_file;
        }
    }
    if (have[0] == record->stdout_bytes && have[1] == record->stderr_bytes) {
        return ERR_NONE;
    }
    record->stdout_bytes = have[0];
    record->stderr_bytes = have[1];
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(
        self->db, "UPDATE attempt SET stdout_bytes=?2, stderr_bytes=?3 WHERE fence=?1", -1,
        &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, (int64_t)record->fence);
        sqlite3_bind_int64(statement, 2, (int64_t)have[0]);
        sqlite3_bind_int64(statement, 3, (int64_t)have[1]);
        rc = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? ERR_NONE : ERR_IO;
}

static enum err load_attempt(struct store_sqlite *self, sqlite3_stmt *row, struct engine *engine)
{
    int64_t number;
    int64_t state;
    int64_t outcome;
    int64_t exit_code;
    int64_t signal;
    if (!column_in(row, 6, 1, UINT32_MAX, &number) ||
        !column_in(row, 7, ATTEMPT_SENT, ATTEMPT_LOST, &state) ||
        !column_in(row, 8, 0, OUTCOME_DISCONNECTED, &outcome) ||
        !column_in(row, 9, INT32_MIN, INT32_MAX, &exit_code) ||
        !column_in(row, 10, INT32_MIN, INT32_MAX, &signal)) {
        return ERR_CORRUPT;
    }
    struct attempt_record record = {
        .fence = (uint64_t)sqlite3_column_int64(row, 0),
        .previous = (uint64_t)sqlite3_column_int64(row, 1),
        .constellation_id = sqlite3_column_int64(row, 2),
        .task_id = sqlite3_column_int64(row, 3),
        .device_id = sqlite3_column_int64(row, 4),
        .session = (uint64_t)sqlite3_column_int64(row, 5),
        .number = (uint32_t)number,
        .state = (enum attempt_state)state,
        .outcome = (enum outcome)outcome,
        .exit_code = (int32_t)exit_code,
        .signal = (int32_t)signal,
        .output_truncated = sqlite3_column_int(row, 11) != 0,
        .stop_wanted = sqlite3_column_int(row, 12) != 0,
        .assigned_wall_ms = sqlite3_column_int64(row, 13),
        .started_wall_ms = sqlite3_column_int64(row, 14),
        .ended_wall_ms = sqlite3_column_int64(row, 15),
        .stdout_bytes = (uint64_t)sqlite3_column_int64(row, 16),
        .stderr_bytes = (uint64_t)sqlite3_column_int64(row, 17),
    };
    enum err err = record.state == ATTEMPT_ENDED ? ERR_NONE : settle_output(self, &record);
    if (err == ERR_NONE) {
        engine_load_attempt(engine, &record);
    }
    return err;
}

/* 2 is running, 3 paused: neither loading nor final. CROSS JOIN keeps the order of the loops: ranges
   of ids within each live constellation. */
static const struct pass passes[] = {
    { "SELECT id, selector, device, executor FROM class WHERE retired = 0 ORDER BY id",
      load_class },
    { "SELECT id, max_attempts, max_lost, backoff_base_ms, backoff_max_ms,"
      " backoff_factor_permille, run_timeout_ms, kill_grace_ms, on_disconnect,"
      " output_bytes_max"
      " FROM policy WHERE retired = 0 ORDER BY id",
      load_policy },
    { "SELECT id, name, journal_id, boot_id, process_id, session, fence, agent_version,"
      " connected_wall_ms, os, cpus, memory_bytes, slots, arch, hostname, executors, tools, labels"
      " FROM device ORDER BY id",
      load_device },
    { "SELECT id, state, cancel_requested, created_wall_ms, finished_wall_ms, tasks, edges,"
      " succeeded, failed, cancelled, skipped FROM constellation WHERE state IN (2, 3) ORDER BY id",
      load_constellation },
    { "SELECT t.constellation_id, t.id, t.class_id, t.policy_id, t.fence, t.wake_wall_ms,"
      " t.wake_length_ms, t.priority, t.attempts, t.tries, t.lost, t.state, t.has_references,"
      " t.prepared, t.body_bytes FROM constellation c CROSS JOIN task t"
      " ON t.id BETWEEN c.first_task_id AND c.last_task_id AND t.constellation_id = c.id"
      " WHERE c.state IN (2, 3) ORDER BY c.id, t.id",
      load_task },
    { "SELECT e.constellation_id, e.id, e.from_id, e.to_id, e.\"when\", e.decision, e.fence"
      " FROM constellation c CROSS JOIN edge_row e"
      " ON e.id BETWEEN c.first_edge_id AND c.last_edge_id AND e.constellation_id = c.id"
      " WHERE c.state IN (2, 3) ORDER BY c.id, e.id",
      load_edge },
    { "SELECT a.fence, a.previous, a.constellation_id, a.task_id, a.device_id, a.session,"
      " a.number, a.state, a.outcome, a.exit_code, a.signal, a.output_truncated, a.stop_wanted,"
      " a.assigned_wall_ms, a.started_wall_ms, a.ended_wall_ms, a.stdout_bytes, a.stderr_bytes"
      " FROM constellation c CROSS JOIN task t"
      " ON t.id BETWEEN c.first_task_id AND c.last_task_id AND t.constellation_id = c.id"
      " CROSS JOIN attempt a ON a.fence = t.fence"
      " WHERE c.state IN (2, 3) AND t.fence <> 0 ORDER BY c.id, t.id",
      load_attempt },
};

enum err load_all(struct store *store, struct engine *engine, struct reason *reason)
{
    struct store_sqlite *self = sqlite_of(store);
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        sqlite3_stmt *statement = NULL;
        int rc = sqlite3_prepare_v2(self->db, passes[i].sql, -1, &statement, NULL);
        enum err err = ERR_NONE;
        while (rc == SQLITE_OK || rc == SQLITE_ROW) {
            rc = sqlite3_step(statement);
            if (rc != SQLITE_ROW) {
                break;
            }
            err = passes[i].row(self, statement, engine);
            if (err != ERR_NONE) {
                break;
            }
        }
        if (err != ERR_NONE || rc != SQLITE_DONE) {
            reason_set(reason, ERR_CORRUPT,
                       "the database in %s is damaged (%s): stop asterismd, move the directory "
                       "away and restore a backup with: asterismd restore BACKUP",
                       self->data_dir,
                       err != ERR_NONE ? "a number that no asterismd writes"
                                       : sqlite3_errmsg(self->db));
            sqlite3_finalize(statement);
            return ERR_CORRUPT;
        }
        sqlite3_finalize(statement);
    }
    return ERR_NONE;
}
