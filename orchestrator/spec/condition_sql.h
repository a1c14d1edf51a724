/* The second wall around conditions: an SQLite connection of its own in which nothing can be reached.
   It stands by itself: whatever text is given to it as an expression, the worst that comes of it is a
   refusal or an answer of 1 or 0. */
#ifndef ORCHESTRATOR_SPEC_CONDITION_SQL_H
#define ORCHESTRATOR_SPEC_CONDITION_SQL_H

#include <sqlite3.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "orchestrator/spec/condition_function.h"

enum {
    CONDITION_INPUTS = 7,
    CONDITION_VALUE_BYTES_MAX = 128 * 1024, /* any value within an evaluation */
    CONDITION_CALLS_MAX = 32,               /* of functions, LIKE, -> and ->> in one expression */
    CONDITION_READS_MAX = 16,               /* of them: those that go through a JSON text */
    CONDITION_DEPTH_MAX = 250,              /* of the tree that SQLite makes of it */
};

struct condition_sql {
    sqlite3 *db;
    struct condition_budget budget;
    struct buf text;
    unsigned selects; /* of the statement that is being compiled */
    unsigned calls;
    unsigned reads;
    char denied[64]; /* what the authorizer refused in it; empty: nothing */
};

/* The names that an expression can use, in the order of their parameters, from 0. */
const char *condition_input_name(size_t index);

/* ERR_UNSUPPORTED: this SQLite lacks what conditions need. `sql` must stay where it is. */
enum err condition_sql_open(struct condition_sql *sql, struct reason *reason);
void condition_sql_close(struct condition_sql *sql);

/* The statement answers one row if the expression is true and none if it is false or NULL. Its
   parameters: first the inputs, then `placeholders` values, which the expression calls p1, p2, ….
   `text` is what a person wrote, for the reason; its words stand where they stand in the expression.
   *ret_offset: where in it the mistake is, SIZE_MAX if SQLite does not say. */
enum err condition_sql_prepare(struct condition_sql *sql, struct str expression, struct str text,
                               size_t placeholders, sqlite3_stmt **ret_statement,
                               size_t *ret_offset, struct reason *reason);

#endif
