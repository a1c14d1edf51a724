/* See query_hold.h. */
#include "orchestrator/store/query_hold.h"

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/sqlite_db.h"

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
