/* See query_plan.h: tasks and what the constellation has itself. */
#include "orchestrator/store/query_plan.h"

#include "orchestrator/store/late.h"
#include "orchestrator/store/query_step.h"
#include "orchestrator/store/query_task.h"
#include "orchestrator/store/record_row.h"

/* The key of a task that a class names; empty when there is none, or no more. */
static enum err read_key(struct store *store, int64_t task_id, struct arena *arena,
                         struct str *ret_key, struct reason *reason)
{
    *ret_key = (struct str){ 0 };
    if (task_id == 0) {
        return ERR_NONE;
    }
    enum err err = query_task_key(store, task_id, arena, ret_key, reason);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

enum { AT_CLASS = TASK_COLUMNS_COUNT, AT_POLICY = AT_CLASS + CLASS_COLUMNS_COUNT };
enum { AT_TEXT = AT_POLICY + POLICY_COLUMNS_COUNT };

static enum err read_task(struct store *store, sqlite3_stmt *row, struct arena *arena,
                          struct query_plan_task *task, struct class_record *class)
{
    struct policy_record policy;
    enum err err = task_row_read(row, 0, &task->record);
    if (err == ERR_NONE) {
        err = class_row_read(store, row, AT_CLASS, arena, class);
    }
    if (err == ERR_NONE) {
        err = policy_row_read(row, AT_POLICY, &policy);
    }
    if (err != ERR_NONE) {
        return err;
    }
    task->class = class->plan;
    task->policy = policy.plan;
    task->constellation_id = sqlite3_column_int64(row, AT_TEXT);
    task->task = (struct plan_task){
        .key = sqlite_column_copy(row, AT_TEXT + 1, arena),
        .body = sqlite_column_copy(row, AT_TEXT + 2, arena),
        .priority = task->record.priority,
        .has_references = task->record.has_references,
        .flags = task->record.flags,
        .group = sqlite_column_copy(row, AT_TEXT + 3, arena),
        .description = sqlite_column_copy(row, AT_TEXT + 4, arena),
        .hold = sqlite_column_copy(row, AT_TEXT + 5, arena),
    };
    return ERR_NONE;
}

enum err query_plan_task(struct store *store, int64_t id, struct arena *arena,
                         struct query_plan_task *ret_task, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT " TASK_COLUMNS ", " CLASS_COLUMNS ", " POLICY_COLUMNS
        ", t.constellation_id, x.key, x.body, x.\"group\", x.description, x.hold"
        " FROM task t JOIN task_text x ON x.id = t.id JOIN class k ON k.id = t.class_id"
        " JOIN policy p ON p.id = t.policy_id WHERE t.id = ?1",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return err != ERR_NONE ? err : reason_set(reason, ERR_NOT_FOUND, "no such task");
    }
    struct query_plan_task task;
    struct class_record class;
    err = read_task(store, row, arena, &task, &class);
    sqlite3_reset(row);
    if (err != ERR_NONE) {
        return reason_set(reason, err, "the row of a task is damaged");
    }
    err = read_key(store, class.same_task_id, arena, &task.same_device, reason);
    if (err == ERR_NONE) {
        err = read_key(store, class.other_task_id, arena, &task.other_device, reason);
    }
    if (err == ERR_NONE) {
        *ret_task = task;
    }
    return err;
}

enum err query_plan_scan(struct store *store, int64_t constellation_id, int64_t after,
                         int64_t *ret_ids, size_t limit, size_t *ret_count, struct reason *reason)
{
    static const char *const parts[] = {
        "SELECT t.id FROM constellation_row c CROSS JOIN task_row t ON t.id BETWEEN"
        " max(c.first_task_id, ?2 + 1) AND c.last_task_id AND t.constellation_id = c.id"
        " AND t.late = 0 WHERE c.id = ?1 ORDER BY t.id LIMIT ?3",
        "SELECT t.id FROM " LATE_ROWS(
            "late_task", "task_row", "t",
            "?2") " WHERE b.constellation_id = ?1 ORDER BY b.first_id, t.id LIMIT ?3",
    };
    size_t count = 0;
    for (size_t i = 0; i < 2 && count < limit; i++) {
        sqlite3_stmt *row = store_sqlite_statement(store, parts[i], reason);
        if (row == NULL) {
            return ERR_IO;
        }
        sqlite3_bind_int64(row, 1, constellation_id);
        sqlite3_bind_int64(row, 2, after);
        sqlite3_bind_int64(row, 3, (int64_t)(limit - count));
        enum err err = ERR_NONE;
        while (count < limit && query_step(store, row, &err, reason)) {
            ret_ids[count++] = sqlite3_column_int64(row, 0);
        }
        sqlite3_reset(row);
        if (err != ERR_NONE) {
            return err;
        }
    }
    *ret_count = count;
    return ERR_NONE;
}

enum err query_plan_limits(struct store *store, int64_t constellation_id, struct arena *arena,
                           struct plan_limit **ret_limits, size_t *ret_count, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT " LIMIT_COLUMNS " FROM constellation_limit l WHERE l.constellation_id = ?1"
        " ORDER BY l.number LIMIT ?2",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, constellation_id);
    sqlite3_bind_int64(row, 2, PLAN_LIMITS_MAX);
    struct plan_limit *limits = arena_array(arena, PLAN_LIMITS_MAX, sizeof limits[0]);
    size_t count = 0;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && count < PLAN_LIMITS_MAX && query_step(store, row, &err, reason)) {
        struct limit_record record;
        err = limit_row_read(row, 0, arena, &record);
        limits[count++] = (struct plan_limit){ record.name, record.capacity };
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_limits = limits;
        *ret_count = count;
    }
    return err;
}
