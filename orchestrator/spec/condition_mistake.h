/* Mistakes in conditions that SQLite takes without a word, or notices only when it is too late. */
#ifndef ORCHESTRATOR_SPEC_CONDITION_MISTAKE_H
#define ORCHESTRATOR_SPEC_CONDITION_MISTAKE_H

#include <stdbool.h>

#include "orchestrator/spec/condition_lex.h"

/* True for what an operand of AND, OR, CASE, a function or parentheses begins or ends at. */
bool condition_is_edge(const struct condition_word *word);

/* Three words between two edges, "X < Y". `stdout > 100` would compare text with text, where '9' >
   '100'; `state = 'suceeded'` would never be true. ERR_INVALID with *ret_offset. What is not of this
   form, such as `stdout + 0 > 100`, passes. */
enum err condition_check_comparison(const struct condition_word words[3], size_t *ret_offset,
                                    struct reason *reason);

/* A text in quotes that state is compared with: it must be a state in which a task can end. */
enum err condition_check_state(struct str text, struct reason *reason);

/* A text in quotes that is used as a path into JSON. */
enum err condition_check_path(struct str text, struct reason *reason);

#endif
