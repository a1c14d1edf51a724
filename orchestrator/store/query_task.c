/* See query_task.h. */
#include "orchestrator/store/query_task.h"

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/sqlite_db.h"

static enum err not_found(enum err err, const char *what, struct reason *reason)
{
    return err != ERR_NONE ? err : reason_set(reason, ERR_NOT_FOUND, "no such %s", what);
}

enum err query_attempt(struct store *store, uint64_t fence, struct arena *arena,
                       struct query_attempt *ret_attempt, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT a.previous, a.constellation_id, a.task_id, a.device_id, a.session, a.number,"
        " a.state, a.outcome, a.exit_code, a.signal, a.output_truncated, a.stop_wanted,"
        " a.assigned_wall_ms, a.started_wall_ms, a.ended_wall_ms, a.stdout_bytes, a.stderr_bytes,"
        " a.reason, a.result, (SELECT d.name FROM device d WHERE d.id = a.device_id)"
        " FROM attempt a WHERE a.fence = ?1",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, (int64_t)fence);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return not_found(err, "attempt", reason);
    }
    *ret_attempt = (struct query_attempt){
        .record = {
            .fence = fence,
            .previous = (uint64_t)sqlite3_column_int64(row, 0),
            .constellation_id = sqlite3_column_int64(row, 1),
            .task_id = sqlite3_column_int64(row, 2),
            .device_id = sqlite3_column_int64(row, 3),
            .session = (uint64_t)sqlite3_column_int64(row, 4),
            .number = (uint32_t)sqlite3_column_int64(row, 5),
            .state = (enum attempt_state)sqlite3_column_int(row, 6),
            .outcome = (enum outcome)sqlite3_column_int(row, 7),
            .exit_code = sqlite3_column_int(row, 8),
            .signal = sqlite3_column_int(row, 9),
            .output_truncated = sqlite3_column_int(row, 10) != 0,
            .stop_wanted = sqlite3_column_int(row, 11) != 0,
            .assigned_wall_ms = sqlite3_column_int64(row, 12),
            .started_wall_ms = sqlite3_column_int64(row, 13),
            .ended_wall_ms = sqlite3_column_int64(row, 14),
            .stdout_bytes = (uint64_t)sqlite3_column_int64(row, 15),
            .stderr_bytes = (uint64_t)sqlite3_column_int64(row, 16),
        },
        .reason = sqlite_column_copy(row, 17, arena),
        .result = sqlite_column_copy(row, 18, arena),
        .device = sqlite_column_copy(row, 19, arena),
    };
    sqlite3_reset(row);
    return ERR_NONE;
}

enum err query_task(struct store *store, int64_t id, struct arena *arena,
                    struct query_task *ret_task, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT t.constellation_id, t.class_id, t.policy_id, t.fence, t.wake_wall_ms,"
        " t.wake_length_ms, t.priority, t.attempts, t.tries, t.lost, t.state, t.has_references,"
        " t.prepared, x.key, x.reason, c.selector, c.device, c.executor, p.max_attempts"
        " FROM task t JOIN task_text x ON x.id = t.id LEFT JOIN class c ON c.id = t.class_id"
        " LEFT JOIN policy p ON p.id = t.policy_id WHERE t.id = ?1",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return not_found(err, "task", reason);
    }
    struct query_task task = {
        .record = {
            .id = id,
            .class_id = sqlite3_column_int64(row, 1),
            .policy_id = sqlite3_column_int64(row, 2),
            .fence = (uint64_t)sqlite3_column_int64(row, 3),
            .wake_wall_ms = sqlite3_column_int64(row, 4),
            .wake_length_ms = sqlite3_column_int64(row, 5),
            .priority = sqlite3_column_int(row, 6),
            .attempts = (uint16_t)sqlite3_column_int(row, 7),
            .tries = (uint16_t)sqlite3_column_int(row, 8),
            .lost = (uint16_t)sqlite3_column_int(row, 9),
            .state = (uint8_t)sqlite3_column_int(row, 10),
            .has_references = sqlite3_column_int(row, 11) != 0,
            .prepared = sqlite3_column_int(row, 12) != 0,
        },
        .constellation_id = sqlite3_column_int64(row, 0),
        .key = sqlite_column_copy(row, 13, arena),
        .reason = sqlite_column_copy(row, 14, arena),
        .selector = sqlite_column_copy(row, 15, arena),
        .device = sqlite_column_copy(row, 16, arena),
        .executor = (enum executor)sqlite3_column_int(row, 17),
        .max_attempts = (uint32_t)sqlite3_column_int64(row, 18),
    };
    sqlite3_reset(row);
    if (task.record.fence != 0) {
        err = query_attempt(store, task.record.fence, arena, &task.attempt, reason);
        if (err != ERR_NONE && err != ERR_NOT_FOUND) {
            return err;
        }
        task.has_attempt = err == ERR_NONE;
    }
    *ret_task = task;
    return ERR_NONE;
}

enum err query_task_id(struct store *store, int64_t constellation_id, struct str key,
                       int64_t *ret_id, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, "SELECT id FROM task_text WHERE constellation_id = ?1 AND key = ?2", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, constellation_id);
    sqlite_bind_text(row, 2, key);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return not_found(err, "task", reason);
    }
    *ret_id = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    return ERR_NONE;
}

enum err query_task_key(struct store *store, int64_t id, struct arena *arena, struct str *ret_key,
                        struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, "SELECT key FROM task_text WHERE id = ?1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return not_found(err, "task", reason);
    }
    *ret_key = sqlite_column_copy(row, 0, arena);
    sqlite3_reset(row);
    return ERR_NONE;
}

enum err query_task_bodies(struct store *store, int64_t id, struct arena *arena,
                           struct str *ret_body, struct str *ret_inputs, struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, "SELECT body, inputs FROM task_text WHERE id = ?1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return not_found(err, "task", reason);
    }
    *ret_body = sqlite_column_copy(row, 0, arena);
    *ret_inputs = sqlite_column_copy(row, 1, arena);
    sqlite3_reset(row);
    return ERR_NONE;
}

enum err query_task_scan(struct store *store, const struct query_constellation *constellation,
                         int64_t after, struct query_task_state *list, size_t limit,
                         size_t *ret_count, struct reason *reason)
{
    /* The unary plus keeps SQLite on the range of ids, whatever indexes a later schema has. */
    sqlite3_stmt *row =
        store_sqlite_statement(store,
                               "SELECT id, state FROM task WHERE id > ?1 AND id >= ?2 AND id <= ?3"
                               " AND +constellation_id = ?4 ORDER BY id LIMIT ?5",
                               reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, after);
    sqlite3_bind_int64(row, 2, constellation->first_task_id);
    sqlite3_bind_int64(row, 3, constellation->last_task_id);
    sqlite3_bind_int64(row, 4, constellation->record.id);
    sqlite3_bind_int64(row, 5, (int64_t)limit);
    size_t count = 0;
    enum err err = ERR_NONE;
    while (count < limit && query_step(store, row, &err, reason)) {
        list[count].id = sqlite3_column_int64(row, 0);
        list[count].state = (enum task_state)sqlite3_column_int(row, 1);
        count++;
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_count = count;
    }
    return err;
}

enum err query_needs(struct store *store, int64_t task_id, struct query_need *list, size_t limit,
                     struct arena *arena, size_t *ret_count, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT x.key, e.\"when\", e.decision FROM edge e JOIN task_text x ON x.id = e.from_id"
        " WHERE e.to_id = ?1 ORDER BY e.id LIMIT ?2",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, task_id);
    sqlite3_bind_int64(row, 2, (int64_t)limit);
    size_t count = 0;
    enum err err = ERR_NONE;
    while (count < limit && query_step(store, row, &err, reason)) {
        list[count].task = sqlite_column_copy(row, 0, arena);
        list[count].when = (enum edge_when)sqlite3_column_int(row, 1);
        list[count].decision = (enum edge_decision)sqlite3_column_int(row, 2);
        count++;
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_count = count;
    }
    return err;
}

enum err query_edge_source(struct store *store, int64_t edge_id, int64_t *ret_task_id,
                           struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, "SELECT from_id FROM edge_row WHERE id = ?1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, edge_id);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return not_found(err, "dependency", reason);
    }
    *ret_task_id = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    return ERR_NONE;
}
