/* A mistake in conditions that SQLite takes without a word: text compared with a number. */
#ifndef ORCHESTRATOR_SPEC_CONDITION_ORDER_H
#define ORCHESTRATOR_SPEC_CONDITION_ORDER_H

#include <stdbool.h>

#include "orchestrator/spec/condition_lex.h"

/* True for what an operand of AND, OR, CASE, a function or parentheses begins or ends at. */
bool condition_is_edge(const struct condition_word *word);

/* Three words between two edges. `stdout > 100` would compare text with text, and '9' > '100': it is
   ERR_INVALID with *ret_offset, while `stdout + 0 > 100` is not of this form and passes. */
enum err condition_check_order(const struct condition_word words[3], size_t *ret_offset,
                               struct reason *reason);

#endif
