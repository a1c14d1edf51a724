/* Stepping a read: the three answers of sqlite3_step() in our words. For the query files. */
#ifndef ORCHESTRATOR_STORE_QUERY_STEP_H
#define ORCHESTRATOR_STORE_QUERY_STEP_H

#include <stdbool.h>

#include "orchestrator/store/sqlite_db.h"

/* True: there is a row. False: the end, or *err is set with the reason; the statement is reset. */
bool query_step(struct store *store, sqlite3_stmt *statement, enum err *err, struct reason *reason);

#endif
