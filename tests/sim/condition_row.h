/* The conditions of the simulator's plans, each with what it must come to, found without SQLite. */
#ifndef TESTS_SIM_CONDITION_ROW_H
#define TESTS_SIM_CONDITION_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/str.h"

struct book_task;
struct book_attempt;

enum { CONDITION_ROWS = 9 };

enum condition_answer {
    ANSWER_CLOSED,
    ANSWER_OPEN,
    ANSWER_ERROR,
    ANSWER_ANY, /* only the evaluator knows */
};

struct condition_row {
    const char *text;
    const char *arguments; /* JSON, or "" */
    /* attempt NULL: the predecessor has not run. */
    enum condition_answer (*answer)(const struct book_task *task,
                                    const struct book_attempt *attempt);
};

const struct condition_row *condition_row(size_t index);
const struct condition_row *condition_row_of(struct str text); /* NULL: none of them */

#endif
