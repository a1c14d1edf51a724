/* A batch of edit operations, read from JSON or YAML: what is written, before anything is looked up.
   docs/editing.md says what each operation means. A pure function, floor 2. */
#ifndef ORCHESTRATOR_SPEC_EDIT_BATCH_H
#define ORCHESTRATOR_SPEC_EDIT_BATCH_H

#include "common/base/buf.h"
#include "orchestrator/spec/edit_fault.h"
#include "orchestrator/spec/spec.h"

enum {
    EDIT_AUTHOR_BYTES_MAX = 128,
    EDIT_REASON_BYTES_MAX = 4096,
};

enum batch_kind {
    BATCH_ADD_TASK,
    BATCH_REMOVE_TASK,
    BATCH_UPDATE_TASK,
    BATCH_ADD_DEPENDENCY,
    BATCH_UPDATE_DEPENDENCY,
    BATCH_REMOVE_DEPENDENCY,
    BATCH_SET,
    BATCH_KINDS,
};

/* Whether a key is there, and whether it is null, which takes away what was. */
enum batch_given {
    BATCH_ABSENT = 0,
    BATCH_NULL,
    BATCH_VALUE,
};

struct batch_operation {
    enum batch_kind kind;
    uint32_t index;
    struct str task; /* a key; of a dependency that of its end */
    struct str from;
    struct str text; /* JSON object: the keys of ADD_TASK's spec, or those that UPDATE_TASK sets */
    enum edge_when when;     /* 0: not given */
    enum edge_when old_when; /* 0: not given */
    enum batch_given condition_given;
    struct str condition;
    enum batch_given deadline_given; /* SET */
    int64_t deadline_ms;
    enum batch_given fail_fast_given;
    bool fail_fast;
    enum batch_given description_given;
    struct str description;
    const struct plan_limit *limits; /* capacity 0: null was given */
    size_t limits_count;
};

struct batch_expect {
    struct str task;
    enum task_state state; /* 0: whatever it is */
    bool is_ready;         /* and ready, which is derived */
    uint32_t attempts;     /* 0: however many, or none */
    bool no_attempt;
    uint32_t index;
};

struct batch {
    uint32_t base_revision;       /* 0: whatever the head is */
    enum author_kind author_kind; /* 0: not given */
    struct str author;
    struct str reason;
    int64_t release_hold_id;
    const struct batch_operation *operations;
    size_t operations_count;
    const struct batch_expect *expects;
    size_t expects_count;
    struct str text; /* the operations as a JSON array, for the revision */
};

/* ERR_INVALID with faults; nothing else fails. Everything lives in `arena`, which has no limit, or
   points into `text`. What the specs of tasks hold is looked at only when something else is wrong, as far as
   that can be known without the plan. */
enum err batch_read(struct str text, enum spec_format format, struct arena *arena,
                    struct batch *ret_batch, struct edit_faults *faults);

/* Of what the daemon has written itself: {"operations": […]}, as many as there are. */
enum err batch_read_inverse(struct str json, struct arena *arena, struct batch *ret_batch,
                            struct edit_faults *faults);

#endif
