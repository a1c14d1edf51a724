/* Conditions of dependencies: SQLite expressions over how the predecessor ended and what it put out,
   such as "output->>'$.rows' > 100", "exit_code < 3", "state = 'failed' and stdout like '%disk%'".
   The same condition with the same inputs has the same answer, wherever and whenever it is asked. */
#ifndef ORCHESTRATOR_SPEC_CONDITION_H
#define ORCHESTRATOR_SPEC_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/str.h"

enum {
    CONDITION_BYTES_MAX = 4096,
    CONDITION_PLACEHOLDERS_MAX = 32,
    CONDITION_INPUT_BYTES_MAX = 64 * 1024, /* of output, stdout, and the text of a placeholder */
    CONDITION_STEPS_MAX = 1024 * 1024,     /* of an evaluation: instructions, items of patterns */
    CONDITION_STATEMENTS_MAX = 256,        /* that an engine keeps compiled */
};

/* For one thread. Compiled conditions are kept, those used last; nothing else is. */
struct condition_engine;

/* NULL with the reason: the SQLite of this system cannot evaluate conditions. */
struct condition_engine *condition_engine_new(struct reason *reason);
void condition_engine_free(struct condition_engine *engine);

/* ERR_INVALID if it is no condition: the reason says why and begins with the column (in characters,
   from 1; and the line, if there is more than one) if that is known. *ret_offset, which may be left
   out, is then the byte; SIZE_MAX: not known. */
enum err condition_check(struct condition_engine *engine, struct str text, size_t *ret_offset,
                         struct reason *reason);

/* What the expression sees of the predecessor. */
struct condition_inputs {
    struct str state; /* "succeeded", "failed", … */
    bool has_exit_code;
    bool has_duration;
    int32_t exit_code;
    uint32_t attempt;  /* 0: it had none; the expression then sees NULL */
    struct str output; /* JSON; empty: NULL */
    bool has_stdout;
    uint64_t stdout_bytes; /* all that was kept */
    /* All of it if it is at most CONDITION_INPUT_BYTES_MAX. The expression sees it less one newline
       at its end, and NULL if it is larger or not UTF-8; `number` is made of it. */
    struct str stdout_data;
    int64_t duration_ms; /* the expression sees seconds */
};

/* The value of a placeholder. */
struct condition_value {
    enum {
        CONDITION_VALUE_NULL,
        CONDITION_VALUE_INTEGER,
        CONDITION_VALUE_REAL,
        CONDITION_VALUE_TEXT
    } type;
    int64_t integer;
    double real;
    struct str text;
};

enum condition_verdict {
    CONDITION_OPEN,   /* true */
    CONDITION_CLOSED, /* false or NULL */
    CONDITION_ERROR,  /* the reason says why, in words without payloads over 200 bytes */
};

/* One value a placeholder, in their order. The values are data: bound, never part of the text. */
enum condition_verdict condition_evaluate(struct condition_engine *engine, struct str text,
                                          const struct condition_inputs *inputs,
                                          const struct condition_value *values, size_t values_count,
                                          struct reason *reason);

/* The bytes that the last evaluation may have gone through, at the most: what a turn counts. */
size_t condition_engine_work(const struct condition_engine *engine);

/* The steps that the last evaluation took, at most CONDITION_STEPS_MAX; what is compiled now. For
   tests and measurements. */
uint64_t condition_engine_steps(const struct condition_engine *engine);
size_t condition_engine_statements(const struct condition_engine *engine);

#endif
