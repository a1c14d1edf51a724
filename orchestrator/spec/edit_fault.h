/* What is wrong with an edit: all of it at once, each with the operation that it is about, so that a
   program can repair its batch. docs/codes.md has the codes. */
#ifndef ORCHESTRATOR_SPEC_EDIT_FAULT_H
#define ORCHESTRATOR_SPEC_EDIT_FAULT_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "orchestrator/engine/edit.h"

enum edit_part {
    EDIT_PART_BATCH = 0, /* the batch itself */
    EDIT_PART_EXPECT,
    EDIT_PART_OPERATION,
};

struct edit_fault {
    enum edit_part part;
    uint32_t index; /* of the operation or the expectation */
    const char *code;
    struct str path; /* JSON pointer into the batch */
    unsigned line;   /* from 1; 0: not known */
    unsigned column;
    struct str detail;
    struct str allowed;      /* comma separated, or empty */
    const struct str *tasks; /* keys: those it is about */
    size_t tasks_count;
};

/* Zero-initialised but for the arena is empty. */
struct edit_faults {
    struct arena *arena;
    struct edit_fault *list;
    size_t count;
    bool more; /* there were others than EDIT_PROBLEMS_MAX */
};

/* `fault` without a detail, which the format gives. NULL when there are too many already. */
struct edit_fault *edit_fault_add(struct edit_faults *faults, const struct edit_fault *fault,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));
/* In the order of the batch; what is about the same thing stays as it was found. */
void edit_faults_sort(struct edit_faults *faults);

#endif
