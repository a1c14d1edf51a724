/* See query_hold.h. */
#include "orchestrator/store/query_hold.h"

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/query_task.h"
#include "orchestrator/store/record_row.h"

static enum err count_tasks(struct store *store, int64_t hold_id, size_t *ret_tasks,
                            struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT count(*) FROM hold_task h JOIN task_row t ON t.id = h.task_id WHERE h.hold_id = ?1",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, hold_id);
    enum err err = ERR_NONE;
    if (query_step(store, row, &err, reason)) {
        *ret_tasks = (size_t)sqlite3_column_int64(row, 0);
        sqlite3_reset(row);
    }
    return err;
}

static enum err read_keys(struct store *store, struct query_hold_whole *hold, struct arena *arena,
                          struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store,
                               "SELECT x.key FROM hold_task h JOIN task_text x ON x.id = h.task_id"
                               " WHERE h.hold_id = ?1 ORDER BY h.task_id LIMIT ?2",
                               reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, hold->record.id);
    sqlite3_bind_int64(row, 2, QUERY_HOLD_TASKS_MAX);
    size_t room = hold->tasks < QUERY_HOLD_TASKS_MAX ? hold->tasks : QUERY_HOLD_TASKS_MAX;
    hold->keys = arena_array(arena, room, sizeof hold->keys[0]);
    enum err err = ERR_NONE;
    while (hold->keys_count < room && query_step(store, row, &err, reason)) {
        hold->keys[hold->keys_count++] = sqlite_column_copy(row, 0, arena);
    }
    sqlite3_reset(row);
    return err;
}

/* What is in other tables than its own. */
static enum err complete(struct store *store, struct query_hold_whole *hold, struct arena *arena,
                         struct reason *reason)
{
    enum err err = ERR_NONE;
    if (hold->record.root_task_id != 0) {
        err = query_task_key(store, hold->record.root_task_id, arena, &hold->root, reason);
        err = err == ERR_NOT_FOUND ? ERR_NONE : err;
    }
    if (err == ERR_NONE) {
        err = count_tasks(store, hold->record.id, &hold->tasks, reason);
    }
    return err != ERR_NONE ? err : read_keys(store, hold, arena, reason);
}

#define COLUMNS HOLD_COLUMNS ", h.owner, h.reason"

static enum err read_row(sqlite3_stmt *row, struct arena *arena, struct query_hold_whole *hold)
{
    *hold = (struct query_hold_whole){
        .words = { .owner = sqlite_column_copy(row, HOLD_COLUMNS_COUNT, arena),
                   .reason = sqlite_column_copy(row, HOLD_COLUMNS_COUNT + 1, arena) },
    };
    return hold_row_read(row, 0, &hold->record);
}

enum err query_hold(struct store *store, int64_t id, struct arena *arena,
                    struct query_hold *ret_hold, struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, "SELECT owner, reason FROM hold WHERE id = ?1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return err != ERR_NONE ? err : reason_set(reason, ERR_NOT_FOUND, "no such hold");
    }
    ret_hold->owner = sqlite_column_copy(row, 0, arena);
    ret_hold->reason = sqlite_column_copy(row, 1, arena);
    sqlite3_reset(row);
    return ERR_NONE;
}

enum err query_hold_list(struct store *store, int64_t constellation_id, int64_t after, size_t limit,
                         struct arena *arena, struct query_holds *ret_list, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT " COLUMNS " FROM hold h WHERE h.constellation_id = ?1 AND h.id > ?2 ORDER BY h.id",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, constellation_id);
    sqlite3_bind_int64(row, 2, after);
    struct query_holds list = { .list =
                                    arena_array(arena, limit, sizeof(struct query_hold_whole)) };
    enum err err = ERR_NONE;
    while (err == ERR_NONE && query_step(store, row, &err, reason)) {
        if (list.count == limit) {
            list.next_id = limit == 0 ? 0 : list.list[limit - 1].record.id;
            break;
        }
        err = read_row(row, arena, &list.list[list.count++]);
    }
    sqlite3_reset(row);
    for (size_t i = 0; err == ERR_NONE && i < list.count; i++) {
        err = complete(store, &list.list[i], arena, reason);
    }
    if (err == ERR_NONE) {
        *ret_list = list;
    }
    return err;
}
