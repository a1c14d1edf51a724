/* The raw text of a spec: whether it is text at all, and where in it a byte stands. */
#ifndef ORCHESTRATOR_SPEC_SPEC_TEXT_H
#define ORCHESTRATOR_SPEC_SPEC_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

/* Both from 1, columns in characters; 0: not known. */
struct spec_place {
    uint32_t line;
    uint32_t column;
};

struct spec_place spec_text_place(struct str text, size_t offset);

/* The first byte that is no UTF-8, or a control character other than tab and line breaks. False: all
   of it is text. */
bool spec_text_find_bad_byte(struct str text, size_t *ret_offset);

/* At most bytes_max of it, never half a character. */
struct str spec_text_cut(struct str text, size_t bytes_max);

bool spec_text_holds(struct str text, struct str part);

#endif
