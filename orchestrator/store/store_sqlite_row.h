/* The prepared statements of the row effects, for the files that write them. */
#ifndef ORCHESTRATOR_STORE_STORE_SQLITE_ROW_H
#define ORCHESTRATOR_STORE_STORE_SQLITE_ROW_H

#include "orchestrator/store/store_sqlite.h"

enum row {
    ROW_ADD_CLASS,
    ROW_ADD_POLICY,
    ROW_ADD_CONSTELLATION,
    ROW_ADD_CONSTELLATION_TEXT,
    ROW_SAVE_CONSTELLATION,
    ROW_EXTEND_CONSTELLATION,
    ROW_SUBMITTED,
    ROW_SUBMITTED_BY,
    ROW_ADD_TASK,
    ROW_ADD_TASK_TEXT,
    ROW_SAVE_TASK,
    ROW_TASK_LIVE,
    ROW_TASK_RESTS,
    ROW_TASK_STAMP,
    ROW_ADD_EDGE,
    ROW_ADD_EDGES,
    ROW_SAVE_EDGE,
    ROW_DECIDE_EDGE,
    ROW_FORGET_DECISION,
    ROW_DROP_DECISION,
    ROW_ADD_ATTEMPT,
    ROW_SAVE_ATTEMPT,
    ROW_SAVE_DEVICE,
    ROW_TASK_REASON,
    ROW_STDOUT,
    ROW_STDERR,
    ROW_RESULT,
    ROW_HISTORY,
    ROW_INPUTS,
    ROWS_END,
};
_Static_assert((int)ROWS_END <= (int)ROW_STATEMENTS_MAX, "room for every statement");

/* Binds parameters 1 … in order. */
#define BIND_NUMBERS(statement, ...)                                                               \
    bind_numbers(statement, (const int64_t[]){ __VA_ARGS__ },                                      \
                 sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
void bind_numbers(sqlite3_stmt *statement, const int64_t *numbers, size_t count);

enum err row_run(struct store_sqlite *self, enum row row, struct reason *reason);
/* One that must find the row that it changes. */
enum err row_run_on(struct store_sqlite *self, enum row row, struct reason *reason);

/* EFFECT_ADD_ATTEMPT … EFFECT_HISTORY. */
enum err attempt_apply(struct store_sqlite *self, struct effect *effect, struct reason *reason);

#endif
