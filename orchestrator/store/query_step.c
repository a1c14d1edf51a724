/* See query_step.h. */
#include "orchestrator/store/query_step.h"

#include "orchestrator/store/query.h"

enum err query_share_turn(struct store *store, struct reason *reason)
{
    return store_sqlite_write(store, reason);
}

bool query_step(struct store *store, sqlite3_stmt *statement, enum err *err, struct reason *reason)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        return true;
    }
    if (rc != SQLITE_DONE) {
        *err = reason_set(reason, sqlite_err(rc), "the database cannot be read: %s",
                          sqlite3_errmsg(store_sqlite_handle(store)));
    }
    sqlite3_reset(statement);
    return false;
}
