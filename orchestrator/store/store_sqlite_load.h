/* Rows to the engine: what the start (store_sqlite_load.c) and the waking of a constellation
   (store_sqlite_wake.c) have in common. */
#ifndef ORCHESTRATOR_STORE_STORE_SQLITE_LOAD_H
#define ORCHESTRATOR_STORE_STORE_SQLITE_LOAD_H

#include "orchestrator/store/store_sqlite.h"

struct loader {
    struct store_sqlite *self;
    struct engine *engine;
    int64_t only_id;    /* of the one that is wanted, whatever its state; 0: all that are live */
    bool only_looks;    /* nothing is written */
    struct arena arena; /* text of one row */
};

/* One row each: its columns as record_row.h has them; of tasks and edges behind the constellation's id. */
enum err load_class_row(struct loader *loader, sqlite3_stmt *row);
enum err load_policy_row(struct loader *loader, sqlite3_stmt *row);
enum err load_edge_row(struct loader *loader, sqlite3_stmt *row);
enum err load_limit_row(struct loader *loader, sqlite3_stmt *row);
enum err load_hold_row(struct loader *loader, sqlite3_stmt *row);

/* ERR_CORRUPT with what to do; ERR_NONE: SQLite has said what is wrong. */
enum err load_damaged(struct store_sqlite *self, enum err err, struct reason *reason);

#endif
