/* The first wall around conditions: every word of the text must be known and allowed. */
#ifndef ORCHESTRATOR_SPEC_CONDITION_SCAN_H
#define ORCHESTRATOR_SPEC_CONDITION_SCAN_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Writes the expression that SQLite is given into `expression`: the text with pN in the place of its
   N-th placeholder, every word at the place it had. ERR_INVALID: *ret_offset is the byte at fault. */
enum err condition_scan(struct str text, struct buf *expression, size_t *ret_placeholders,
                        size_t *ret_calls, size_t *ret_offset, struct reason *reason);

#endif
