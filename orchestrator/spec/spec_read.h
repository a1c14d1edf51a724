/* The walker: from the neutral tree to tasks, bodies and edges. What the files spec_read_*.c share. */
#ifndef ORCHESTRATOR_SPEC_SPEC_READ_H
#define ORCHESTRATOR_SPEC_SPEC_READ_H

#include "common/base/buf.h"
#include "common/base/map.h"
#include "orchestrator/spec/spec_intern.h"
#include "orchestrator/spec/spec_keys.h"

/* One task while it is read, and the top's own keys. The rows' offsets point in here, so numbers are
   all int64_t and texts all struct str. */
struct spec_draft {
    uint64_t seen; /* a bit for each spec_key_id that was there */
    uint32_t index;
    struct str name;
    struct str description;
    struct str selector;
    struct str device;
    int64_t priority;
    int64_t max_attempts;
    int64_t max_lost;
    int64_t backoff_ms;
    int64_t max_backoff_ms;
    int64_t factor_permille;
    int64_t output_bytes_max;
    struct msg_body body;
    const struct spec_node *tasks;    /* of the top */
    const struct spec_node *selected; /* where the selector stands */
    const struct spec_node *need;     /* the task of a need's mapping */
};

struct spec_reader {
    struct spec_report report;
    struct arena *arena;
    struct spec_intern classes;
    struct spec_intern policies;
    struct strmap keys;             /* a task's key to its index + 1 */
    const struct spec_node **nodes; /* each task's key */
    struct plan_task *tasks;
    struct msg_body *bodies;
    uint32_t *stamps; /* the last task (index + 1) with an edge from this one */
    size_t tasks_count;
    struct buf edges;      /* struct plan_edge */
    struct buf references; /* uint32_t: tasks that the draft's placeholders name */
};

static inline bool spec_draft_has(const struct spec_draft *draft, enum spec_key_id id)
{
    return (draft->seen >> (unsigned)id & 1U) != 0;
}

static inline const struct spec_node *spec_value(const struct spec_node *key)
{
    return key->next;
}

/* spec_read.c: each key of a map to its row's reader. False if it is no map. */
bool spec_read_map(struct spec_reader *reader, struct spec_draft *draft, enum spec_where where,
                   const struct spec_node *map, const struct spec_path *path);
void spec_read_top(struct spec_reader *reader, const struct spec_node *root,
                   struct spec_draft *ret_top);
spec_read spec_read_retry;
spec_read spec_read_timeouts;
spec_read spec_read_tasks; /* notes where they are: the whole top is read first */

/* spec_read_value.c: the general readers. */
spec_read spec_read_text;
spec_read spec_read_integer;
spec_read spec_read_duration;
spec_read spec_read_size;
spec_read spec_read_factor;
spec_read spec_read_name;   /* [A-Za-z0-9_-] */
spec_read spec_read_device; /* and '.' */
void spec_wrong_type(struct spec_reader *reader, const struct spec_node *node,
                     const struct spec_path *path, const char *expected);
/* Text of one kind of value, or a report: a text; also a number or true, as they were written. */
bool spec_take_text(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, struct str *ret_text);
bool spec_take_scalar(struct spec_reader *reader, const struct spec_node *node,
                      const struct spec_path *path, struct str *ret_text);
bool spec_is_name(struct str text, const char *also, size_t bytes_max);

/* spec_read_body.c: what the task does. */
spec_read spec_read_run;
spec_read spec_read_shell;
spec_read spec_read_noop;
spec_read spec_read_sleep;
spec_read spec_read_env;
spec_read spec_read_stdin;
spec_read spec_read_cwd;
spec_read spec_read_selector;
spec_read spec_read_timeout;
spec_read spec_read_on_disconnect;
spec_read spec_read_output;

/* spec_read_task.c */
void spec_read_all_tasks(struct spec_reader *reader, const struct spec_draft *top);

/* spec_read_needs.c: edges. */
spec_read spec_read_needs;
spec_read spec_read_need_task;
spec_read spec_read_need_when;
/* The placeholders of a text: checked, and noted in reader->references. */
void spec_note_references(struct spec_reader *reader, const struct spec_draft *draft,
                          struct str text, const struct spec_node *node,
                          const struct spec_path *path);
/* Edges for what was noted, but for tasks that `needs` names. */
void spec_add_references(struct spec_reader *reader, const struct spec_draft *draft,
                         const struct spec_path *path);

#endif
