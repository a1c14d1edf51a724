/* The words of a condition, one after the other: the first of the two walls around it (the second is
   SQLite itself, locked: condition_sql.h). */
#ifndef ORCHESTRATOR_SPEC_CONDITION_LEX_H
#define ORCHESTRATOR_SPEC_CONDITION_LEX_H

#include "common/base/err.h"
#include "common/base/str.h"

enum condition_kind {
    CONDITION_END, /* empty, behind the last byte */
    CONDITION_NAME,
    CONDITION_NUMBER,
    CONDITION_TEXT,        /* with its quotes */
    CONDITION_PLACEHOLDER, /* with its braces */
    CONDITION_OPERATOR,
    CONDITION_OPENS,
    CONDITION_CLOSES,
    CONDITION_COMMA,
};

struct condition_word {
    enum condition_kind kind;
    size_t at; /* its first byte */
    struct str text;
};

/* Takes the word at *at, which moves behind it. ERR_INVALID for what begins no word: ret_word->at is
   then where that is. */
enum err condition_lex(struct str text, size_t *at, struct condition_word *ret_word,
                       struct reason *reason);

/* Whether they are the same name: case does not matter. */
bool condition_word_is(struct str word, const char *known);

/* For "%.*s" in a reason: at most bytes_max of it, up to the first control character. */
struct str condition_shown(struct str text, size_t bytes_max);
enum { CONDITION_SHOWN_BYTES_MAX = 60 };

#endif
