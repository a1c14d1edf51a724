/* See token.h. */
#include "orchestrator/store/token.h"

#include <string.h>

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/sqlite_db.h"

enum err token_load(struct store *store, struct arena *arena, struct token_list *ret_list,
                    struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT id, name, hash, role, device, created_wall_ms, revoked_wall_ms, count(*) OVER ()"
        " FROM token ORDER BY id",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    struct token_list list = { .list = NULL };
    enum err err = ERR_NONE;
    while (query_step(store, row, &err, reason)) {
        if (list.list == NULL) {
            list.list = arena_array(arena, (size_t)sqlite3_column_int64(row, 7),
                                    sizeof(struct token_record));
        }
        struct token_record *record = &list.list[list.count++];
        struct str hash = sqlite_column_str(row, 2);
        if (hash.length != TOKEN_HASH_BYTES) {
            sqlite3_reset(row);
            return reason_set(reason, ERR_CORRUPT, "the database holds a token without its hash");
        }
        memcpy(record->hash, hash.data, TOKEN_HASH_BYTES);
        record->id = sqlite3_column_int64(row, 0);
        record->name = sqlite_column_copy(row, 1, arena);
        record->role = sqlite_column_copy(row, 3, arena);
        record->device = sqlite_column_copy(row, 4, arena);
        record->created_wall_ms = sqlite3_column_int64(row, 5);
        record->revoked_wall_ms = sqlite3_column_int64(row, 6);
    }
    if (err == ERR_NONE) {
        *ret_list = list;
    }
    return err;
}

enum err token_add(struct store *store, const struct token_record *record, struct reason *reason)
{
    enum err err = store_sqlite_write(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *row =
        store_sqlite_statement(store,
                               "INSERT INTO token(id, name, hash, role, device, created_wall_ms)"
                               " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                               reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, record->id);
    sqlite_bind_text(row, 2, record->name);
    sqlite_bind_blob(row, 3, (struct str){ (const char *)record->hash, TOKEN_HASH_BYTES });
    sqlite_bind_text(row, 4, record->role);
    sqlite_bind_text(row, 5, record->device);
    sqlite3_bind_int64(row, 6, record->created_wall_ms);
    return store_sqlite_run(store, row, reason);
}

enum err token_revoke(struct store *store, int64_t id, int64_t wall_ms, struct reason *reason)
{
    enum err err = store_sqlite_write(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *row = store_sqlite_statement(
        store, "UPDATE token SET revoked_wall_ms = ?2 WHERE id = ?1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    sqlite3_bind_int64(row, 2, wall_ms);
    return store_sqlite_run(store, row, reason);
}
