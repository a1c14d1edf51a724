/* See query_task.h. */
#include "orchestrator/store/query_task.h"

#include "orchestrator/store/late.h"
#include "orchestrator/store/query_step.h"
#include "orchestrator/store/record_row.h"
#include "orchestrator/store/sqlite_db.h"

static enum err not_found(enum err err, const char *what, struct reason *reason)
{
    return err != ERR_NONE ? err : reason_set(reason, ERR_NOT_FOUND, "no such %s", what);
}

enum err query_attempt(struct store *store, uint64_t fence, struct arena *arena,
                       struct query_attempt *ret_attempt, struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store,
                               "SELECT " ATTEMPT_COLUMNS ", a.reason, a.result,"
                               " (SELECT d.name FROM device d WHERE d.id = a.device_id)"
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
    struct query_attempt attempt;
    err = attempt_row_read(row, 0, &attempt.record);
    attempt.reason = sqlite_column_copy(row, ATTEMPT_COLUMNS_COUNT, arena);
    attempt.result = sqlite_column_copy(row, ATTEMPT_COLUMNS_COUNT + 1, arena);
    attempt.device = sqlite_column_copy(row, ATTEMPT_COLUMNS_COUNT + 2, arena);
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_attempt = attempt;
    }
    return err;
}

enum err query_span(struct store *store, uint64_t fence, struct query_span *ret_span,
                    struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, "SELECT started_wall_ms, ended_wall_ms, previous FROM attempt WHERE fence = ?1",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, (int64_t)fence);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return not_found(err, "attempt", reason);
    }
    *ret_span = (struct query_span){
        .started_wall_ms = sqlite3_column_int64(row, 0),
        .ended_wall_ms = sqlite3_column_int64(row, 1),
        .previous = (uint64_t)sqlite3_column_int64(row, 2),
    };
    sqlite3_reset(row);
    return ERR_NONE;
}

enum err query_task(struct store *store, int64_t id, struct arena *arena,
                    struct query_task *ret_task, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT " TASK_COLUMNS ", t.constellation_id, x.key, x.reason, x.\"group\", x.description,"
        " x.hold, c.selector, c.device, c.executor, p.max_attempts"
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
    int at = TASK_COLUMNS_COUNT;
    struct query_task task = {
        .constellation_id = sqlite3_column_int64(row, at),
        .key = sqlite_column_copy(row, at + 1, arena),
        .reason = sqlite_column_copy(row, at + 2, arena),
        .group = sqlite_column_copy(row, at + 3, arena),
        .description = sqlite_column_copy(row, at + 4, arena),
        .hold = sqlite_column_copy(row, at + 5, arena),
        .selector = sqlite_column_copy(row, at + 6, arena),
        .device = sqlite_column_copy(row, at + 7, arena),
        .executor = (enum executor)sqlite3_column_int(row, at + 8),
        .max_attempts = (uint32_t)sqlite3_column_int64(row, at + 9),
    };
    err = task_row_read(row, 0, &task.record);
    sqlite3_reset(row);
    if (err != ERR_NONE) {
        return err;
    }
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
    sqlite3_stmt *row = store_sqlite_statement(store,
                                               "SELECT key FROM task_text WHERE id = ?1 UNION ALL"
                                               " SELECT key FROM task_removed WHERE id = ?1",
                                               reason);
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

/* Adds to a list of states from a statement that is bound. */
static enum err read_states(struct store *store, sqlite3_stmt *row, struct query_task_state *list,
                            size_t limit, size_t *count, struct reason *reason)
{
    enum err err = ERR_NONE;
    while (*count < limit && query_step(store, row, &err, reason)) {
        list[*count].id = sqlite3_column_int64(row, 0);
        list[*count].state = (enum task_state)sqlite3_column_int(row, 1);
        ++*count;
    }
    sqlite3_reset(row);
    return err;
}

enum err query_task_scan(struct store *store, const struct query_constellation *constellation,
                         int64_t after, struct query_task_state *list, size_t limit,
                         size_t *ret_count, struct reason *reason)
{
    size_t count = 0;
    enum err err = ERR_NONE;
    if (after < constellation->last_task_id) {
        sqlite3_stmt *row =
            store_sqlite_statement(store,
                                   "SELECT id, state FROM task WHERE id BETWEEN max(?1 + 1, ?2)"
                                   " AND ?3 AND +constellation_id = ?4 AND late = 0"
                                   " ORDER BY id LIMIT ?5",
                                   reason);
        if (row == NULL) {
            return ERR_IO;
        }
        sqlite3_bind_int64(row, 1, after);
        sqlite3_bind_int64(row, 2, constellation->first_task_id);
        sqlite3_bind_int64(row, 3, constellation->last_task_id);
        sqlite3_bind_int64(row, 4, constellation->record.id);
        sqlite3_bind_int64(row, 5, (int64_t)limit);
        err = read_states(store, row, list, limit, &count, reason);
    }
    if (err == ERR_NONE && count < limit) {
        /* Those that edits have added. */
        sqlite3_stmt *row = store_sqlite_statement(
            store,
            "SELECT t.id, t.state FROM " LATE_ROWS("late_task", "task", "t",
                                                   "?2") " WHERE b.constellation_id = ?1"
                                                         " ORDER BY b.first_id, t.id LIMIT ?3",
            reason);
        if (row == NULL) {
            return ERR_IO;
        }
        sqlite3_bind_int64(row, 1, constellation->record.id);
        sqlite3_bind_int64(row, 2, after);
        sqlite3_bind_int64(row, 3, (int64_t)(limit - count));
        err = read_states(store, row, list, limit, &count, reason);
    }
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
        "SELECT x.key, e.\"when\", e.decision, e.flags, c.condition, c.arguments, c.reason,"
        " e.from_id FROM edge e JOIN task_text x ON x.id = e.from_id LEFT JOIN edge_text c ON c.id "
        "= e.id"
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
        list[count++] = (struct query_need){
            .task_id = sqlite3_column_int64(row, 7),
            .task = sqlite_column_copy(row, 0, arena),
            .when = (enum edge_when)sqlite3_column_int(row, 1),
            .decision = (enum edge_decision)sqlite3_column_int(row, 2),
            .named = (sqlite3_column_int(row, 3) & EDGE_NAMED) != 0,
            .condition = sqlite_column_copy(row, 4, arena),
            .arguments = sqlite_column_copy(row, 5, arena),
            .why = sqlite_column_copy(row, 6, arena),
        };
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
