/* What is wrong with a spec, collected while it is read, so that a person sees all of it at once. */
#ifndef ORCHESTRATOR_SPEC_SPEC_REPORT_H
#define ORCHESTRATOR_SPEC_SPEC_REPORT_H

#include <stdbool.h>

#include "orchestrator/spec/spec.h"
#include "orchestrator/spec/spec_text.h"

/* The way from the top to a value. Lives on the stack of whoever walks; NULL is the whole spec. */
struct spec_path {
    const struct spec_path *up;
    struct str key; /* data NULL: an item of a list */
    size_t index;
};

struct spec_report {
    struct arena *arena;
    struct spec_problems *problems;
};

/* Later ones than SPEC_PROBLEMS_MAX are dropped. `code` is a literal; `allowed` may be NULL. What the
   format puts in is made printable and cut. */
void spec_report_add(struct spec_report *report, const char *code, struct spec_place place,
                     const struct spec_path *path, const char *allowed, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
bool spec_report_is_full(const struct spec_report *report);
/* By position; what has none comes last, in the order it was found in. */
void spec_report_sort(struct spec_report *report);

/* For "%.*s" in a report: short enough to be read. */
struct str spec_report_shorten(struct str text);

#endif
