/* See idempotency.h. */
#include "orchestrator/store/idempotency.h"

#include <string.h>

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/sqlite_db.h"

#define AGE_MS_MAX ((int64_t)IDEMPOTENCY_DAYS * 24 * 3600 * 1000)

enum err idempotency_find(struct store *store, struct str scope, struct str key,
                          int64_t now_wall_ms, struct arena *arena,
                          struct idempotency_record *ret_record, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT body_hash, status, response, created_wall_ms FROM idempotency"
        " WHERE scope = ?1 AND key = ?2",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite_bind_text(row, 1, scope);
    sqlite_bind_text(row, 2, key);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return err != ERR_NONE ? err : reason_set(reason, ERR_NOT_FOUND, "a new key");
    }
    struct str hash = sqlite_column_str(row, 0);
    int64_t created_wall_ms = sqlite3_column_int64(row, 3);
    if (hash.length != IDEMPOTENCY_HASH_BYTES || created_wall_ms + AGE_MS_MAX < now_wall_ms) {
        sqlite3_reset(row);
        return reason_set(reason, ERR_NOT_FOUND, "a key of long ago");
    }
    struct idempotency_record record = {
        .scope = scope,
        .key = key,
        .status = sqlite3_column_int(row, 1),
        .response = { NULL, 0 },
        .created_wall_ms = created_wall_ms,
    };
    memcpy(record.body_hash, hash.data, IDEMPOTENCY_HASH_BYTES);
    record.response = sqlite_column_copy(row, 2, arena);
    sqlite3_reset(row);
    *ret_record = record;
    return ERR_NONE;
}

enum err idempotency_put(struct store *store, const struct idempotency_record *record,
                         struct reason *reason)
{
    enum err err = store_sqlite_write(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "INSERT OR REPLACE INTO idempotency(scope, key, body_hash, status, response,"
        " created_wall_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite_bind_text(row, 1, record->scope);
    sqlite_bind_text(row, 2, record->key);
    sqlite_bind_blob(row, 3,
                     (struct str){ (const char *)record->body_hash, IDEMPOTENCY_HASH_BYTES });
    sqlite3_bind_int(row, 4, record->status);
    sqlite_bind_text(row, 5, record->response);
    sqlite3_bind_int64(row, 6, record->created_wall_ms);
    return store_sqlite_run(store, row, reason);
}
