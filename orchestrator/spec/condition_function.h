/* The functions that a condition may call: one table, by which both walls decide and the documents
   are written. */
#ifndef ORCHESTRATOR_SPEC_CONDITION_FUNCTION_H
#define ORCHESTRATOR_SPEC_CONDITION_FUNCTION_H

#include <sqlite3.h>
#include <stdint.h>

#include "common/base/str.h"

/* All of them answer the same for the same arguments, look at nothing else, give one value, and take
   time in proportion to their arguments; those of SQLite that do not are ours or are not here.
   min and max of one argument would be aggregates. */
struct condition_function {
    const char *name;
    uint8_t arguments_min;
    uint8_t arguments_max;
    const char *help; /* for docs/spec.md */
};

/* NULL: there is none. Names of functions are in any case. */
const struct condition_function *condition_function_find(struct str name);
const struct condition_function *condition_function_at(size_t index); /* NULL: behind the last */
/* Whether each call of it may parse all of a JSON text, and write out what it finds. */
bool condition_function_reads_json(struct str name);

/* What the functions of one evaluation may still do, in steps: an instruction of SQLite, an item
   of a pattern, eight bytes searched. */
struct condition_budget {
    uint64_t steps_left;
    uint64_t steps_used;
};

/* False when there is not as much left; all of it is gone then. */
bool condition_budget_take(struct condition_budget *budget, uint64_t steps);

/* Puts ours in the place of SQLite's: its like() and instr() can take the square of what they look
   at, and no progress handler stops them. `budget` must outlive the connection. */
int condition_function_install(sqlite3 *db, struct condition_budget *budget);

#endif
