/* The grammar of placeholders:
       ${{ tasks.KEY.FIELD }}   ${{ tasks.KEY.FIELD || DEFAULT }}   ${{ params.NAME }}   ${{ each.NAME }}
       FIELD = stdout | stderr | exit_code | state | device | output STEP*
       STEP  = .NAME | [INDEX]                  NAME = letters, digits, _ and -   INDEX = digits
       KEY   = NAME | NAME@VALUE                VALUE = NAME, joined by '.', none but the first a FIELD
       DEFAULT = 'text' ('' is one ') | "JSON text" | a number | true | false | null */
#ifndef ORCHESTRATOR_SPEC_PLACEHOLDER_H
#define ORCHESTRATOR_SPEC_PLACEHOLDER_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum { PLACEHOLDER_STEPS_MAX = 16 };

enum placeholder_kind {
    PLACEHOLDER_TASK,
    PLACEHOLDER_PARAM,
    PLACEHOLDER_EACH,
};

struct placeholder {
    enum placeholder_kind kind;
    size_t from; /* the bytes it spans in the string */
    size_t to;
    struct str name;     /* the task's key, the param, the variable */
    struct str field;    /* of a task: "stdout", "output", "output.rows[0].name", … */
    struct str fallback; /* as written; empty: there is none */
};

/* Walks the placeholders of one string: *at moves behind the one found. False: no more. ERR_INVALID in
   *ret_err (and false) for one that does not parse. */
bool placeholder_next(struct str text, size_t *at, struct placeholder *ret_placeholder,
                      enum err *ret_err, struct reason *reason);
/* Whether a text holds one of params or each, as far as can be seen before it is parsed. */
bool placeholder_is_own(struct str text);
/* 'text', "JSON text", a number, true, false or null. */
bool placeholder_is_fallback(struct str text);
/* How many bytes the quoted text at the start of `text` has, with its quotes; 0: it does not end. */
size_t placeholder_quoted_bytes(struct str text);
/* What a default stands for, appended. */
void placeholder_fallback(struct str fallback, struct buf *text);
/* The word is a field that a task can be asked for. */
bool placeholder_is_field(struct str word);

/* The way into an output value: takes the first step off *path, what follows `output`: a name (".rows",
   ".0") or an index ("[3]", only digits, *ret_bracketed). False at the end of the path, and for one
   that does not parse: *path is then not empty. */
bool placeholder_step(struct str *path, struct str *ret_step, bool *ret_bracketed);

#endif
