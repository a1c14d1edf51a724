/* One task by itself, both ways: read from its keys as JSON (an edit adds or changes it), and rendered
   as the keys that a person would have written (show, export, revisions, edits). What one writes the
   other reads back as the same task. Floor 2. */
#ifndef ORCHESTRATOR_SPEC_SPEC_TASK_H
#define ORCHESTRATOR_SPEC_SPEC_TASK_H

#include "orchestrator/spec/spec.h"

/* A dependency of the task, by the key of what it waits for. */
struct spec_need {
    struct str task;
    enum edge_when when;
    bool named;           /* in `needs`; else a reference alone has made it */
    bool required;        /* a reference needs its value */
    struct str condition; /* "" none */
    struct str arguments; /* JSON array of its placeholders' values; "" none */
};

/* What a task that is read alone can name. */
struct spec_scope {
    void *context;
    /* Whether there is a task of this key, beside the one that is read. */
    bool (*has_task)(void *context, struct str key);
    const struct plan_limit *limits; /* of the constellation; a task's limits are indices into it */
    size_t limits_count;
};

struct spec_one {
    struct plan_task task; /* its body is empty: encode `body`, but of a gate; both indices are 0 */
    struct plan_class class; /* same_device and other_device are 0: they are keys, below */
    struct plan_policy policy;
    struct msg_body body;          /* executor 0: a gate */
    const struct spec_need *needs; /* `needs` as written, then what references have made */
    size_t needs_count;
    struct str same_device; /* the key of a task, which is among the needs; or "" */
    struct str other_device;
};

/* Reads {"run": […], …}, a JSON object of the keys of one task. `each` and placeholders of params
   are refused: they belong to a submission. ERR_INVALID with at least one problem, whose path begins
   within the task ("/retry/backoff"). `ret_one` points into `arena`, which has no limit, and `scope`. */
enum err spec_read_one(struct str key, struct str json, const struct spec_scope *scope,
                       struct arena *arena, struct spec_one *ret_one,
                       struct spec_problems *ret_problems);

/* A stored task, put together by the caller. */
struct spec_task_view {
    const struct plan_task *task;
    const struct plan_class *class;
    const struct plan_policy *policy;
    const struct msg_body *body;   /* NULL, or executor 0: a gate */
    const struct spec_need *needs; /* those that are not named are left out: the text makes them */
    size_t needs_count;
    struct str same_device; /* keys; the numbers in `class` are not used */
    struct str other_device;
    const struct plan_limit *limits; /* what class->limits are indices into */
};

/* A JSON object, appended. Conditions get their arguments back as literals of SQL. */
void spec_render_task(const struct spec_task_view *view, struct buf *json);
/* A condition alone, likewise. */
void spec_render_condition(struct str condition, struct str arguments, struct buf *sql);
/* A view of what was read. */
struct spec_task_view spec_view_of_one(const struct spec_one *one, const struct spec_scope *scope);

#endif
