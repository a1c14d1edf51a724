/* One call of the retention: what is left of its slice, and what the files of it share. */
#ifndef ORCHESTRATOR_STORE_RETENTION_PASS_H
#define ORCHESTRATOR_STORE_RETENTION_PASS_H

#include "orchestrator/store/store_sqlite.h"

/* What it costs to give back the pages of a long text. */
enum { TEXT_BYTES_A_ROW = 16 * 1024 };

/* A pass over what may go, with what is left of its slice. */
struct pass {
    struct store *store;
    struct store_sqlite *self;
    int64_t budget;
    struct reason *reason;
};

/* Runs a statement that writes, with up to two numbers. */
enum err pass_run(struct pass *pass, const char *sql, int64_t first, int64_t second);
/* The first row of a query with up to two numbers: its columns as numbers. ERR_NOT_FOUND: none. */
enum err pass_read_row(struct pass *pass, const char *sql, int64_t first, int64_t second,
                       int64_t *ret_columns, int columns);

/* The oldest revisions of a constellation, up to the first that is neither too old nor too many. */
enum err pass_drop_revisions(struct pass *pass, int64_t constellation_id, int64_t keep_after_ms,
                             int64_t keep_from);
/* A hold with what it names; `drop` is the statement for its own row. */
enum err pass_drop_hold_row(struct pass *pass, int64_t hold_id, const char *drop);

/* retention_doomed.c: a slice of what is left of a deleted constellation. ERR_NOT_FOUND: there is none. */
enum err pass_drop_doomed(struct pass *pass);

#endif
