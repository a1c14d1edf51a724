/* The walker: from the neutral tree to tasks, bodies and edges. What the files spec_read_*.c share. */
#ifndef ORCHESTRATOR_SPEC_SPEC_READ_H
#define ORCHESTRATOR_SPEC_SPEC_READ_H

#include "common/base/buf.h"
#include "common/base/map.h"
#include "orchestrator/spec/placeholder.h"
#include "orchestrator/spec/spec_intern.h"
#include "orchestrator/spec/spec_keys.h"
#include "orchestrator/spec/spec_task.h"

enum {
    /* What the tasks take together, with what `each`, `defaults` and groups have multiplied. */
    SPEC_PLAN_BYTES_MAX = 512 * 1024 * 1024,
    SPEC_PAIR_EDGES_MAX = 16, /* from one task to another, of different kind or condition */
};

/* One item of `needs` while it is read. */
struct spec_need_draft {
    const struct spec_node *task;
    enum edge_when when;
    struct str condition;
    struct str arguments;
};

/* One task while it is read, the top's own keys, or those of a param. The rows' offsets point in
   here, so numbers and flags are all int64_t and texts all struct str. */
struct spec_draft {
    uint64_t seen; /* a bit for each spec_key_id that was there */
    uint32_t index;
    struct str name;
    struct str description;
    struct str selector;
    struct str device;
    struct str group;
    struct str hold;
    int64_t priority;
    int64_t max_attempts;
    int64_t max_lost;
    int64_t backoff_ms;
    int64_t max_backoff_ms;
    int64_t factor_permille;
    int64_t output_bytes_max;
    int64_t queue_timeout_ms;
    int64_t start_timeout_ms;
    int64_t hold_on_failure_ms;
    int64_t deadline_ms;
    int64_t fail_fast;
    int64_t required; /* of a param */
    uint32_t retry_on;
    uint16_t flags;
    enum task_effect effect;
    enum strategy strategy;
    uint32_t same_device; /* index + 1 */
    uint32_t other_device;
    const struct str *tools;
    size_t tools_count;
    const struct plan_resource *resources;
    size_t resources_count;
    const struct plan_limit_use *limits;
    size_t limits_count;
    struct msg_body body;
    const struct spec_node *tasks; /* of the top: values of keys */
    const struct spec_node *params;
    const struct spec_node *defaults;
    const struct spec_node *selected; /* where the selector stands */
    struct spec_need_draft need;
    enum spec_kind param_kind; /* SPEC_NULL: whatever comes */
    bool param_is_integer;
    const struct spec_node *param_default;
};

/* A scalar that placeholders stand for. */
struct spec_value {
    enum spec_kind kind; /* SPEC_TEXT, SPEC_NUMBER or SPEC_BOOL */
    struct str text;
};

/* The values of one `each`; tasks whose are alike share one, and pair up. */
struct spec_each {
    struct str variable;
    struct spec_value *values;
    size_t count;
    bool is_device;
};

/* Tasks that can be needed by one name. */
struct spec_group {
    uint32_t first; /* index + 1 of its first member; the next ones by reader->next_members */
    uint32_t last;
    const struct spec_each *each; /* NULL: written by hand */
};

/* A placeholder of the task that is read. */
struct spec_reference {
    uint32_t from;
    bool has_fallback;
    bool in_body; /* else of same_device or other_device */
};

struct spec_reader {
    struct spec_report report;
    struct arena *arena;
    struct spec_tree *tree; /* for nodes that are filled in */
    const struct spec_inputs *inputs;
    const struct spec_scope *scope; /* of a task that is read alone; then there is only task 0 */
    struct spec_intern classes;
    struct spec_intern policies;
    struct strmap params; /* struct spec_value */
    struct strmap eaches; /* their variable and values to struct spec_each */
    struct strmap groups; /* struct spec_group */
    struct strmap keys;   /* a task's key to its index + 1 */
    const struct spec_node *defaults;
    const struct plan_limit *limits;
    size_t limits_count;
    const struct spec_node **nodes;   /* each task's key */
    const struct spec_each **each_of; /* each task's, NULL: none; then the number of its value */
    uint32_t *value_of;
    uint32_t *next_members; /* index + 1; 0: the last of its group */
    struct plan_task *tasks;
    struct msg_body *bodies;
    size_t tasks_count;
    size_t plan_bytes;
    struct buf names;      /* struct str: with a scope, the keys of tasks from index 1 on */
    struct buf stamps;     /* uint32_t a task: the number of the last edge from it, from 1 */
    struct buf edges;      /* struct plan_edge */
    struct buf chain;      /* uint32_t an edge: the one before between the same two */
    struct buf references; /* struct spec_reference: of the draft's placeholders */
    struct condition_engine *conditions; /* NULL: none was needed yet */
    struct spec_value filler; /* of the instance that is read: what each.VARIABLE stands for */
    struct str filler_name;
};

static inline bool spec_draft_has(const struct spec_draft *draft, enum spec_key_id id)
{
    return (draft->seen >> (unsigned)id & 1U) != 0;
}

static inline const struct spec_node *spec_value(const struct spec_node *key)
{
    return key->next;
}

/* spec.c: what can be said before anything is built. Moves *text behind a byte order mark. */
bool spec_check_text(struct str *text, struct spec_report *report);

/* spec_read.c: each key of a map to its row's reader. False if it is no map. */
bool spec_read_map(struct spec_reader *reader, struct spec_draft *draft, enum spec_where where,
                   const struct spec_node *map, const struct spec_path *path);
/* The value of a key of a map; NULL: it is not there. */
const struct spec_node *spec_map_get(const struct spec_node *map, const char *name);
/* A key of a task, with the value filled in. */
void spec_read_task_key(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_node *key, const struct spec_path *up);
void spec_read_top(struct spec_reader *reader, const struct spec_node *root,
                   struct spec_draft *ret_top);
spec_read spec_read_retry;
spec_read spec_read_timeouts;
spec_read spec_read_params; /* note where they are: the whole top is read first */
spec_read spec_read_defaults;
spec_read spec_read_tasks;
void spec_reader_done(struct spec_reader *reader);
/* Counts what the plan will take. False: it is too much, and that is reported. */
bool spec_charge(struct spec_reader *reader, size_t bytes, const struct spec_node *node,
                 const struct spec_path *path);

/* spec_read_value.c: the general readers. */
spec_read spec_read_text;
spec_read spec_read_integer;
spec_read spec_read_duration;
spec_read spec_read_size;
spec_read spec_read_factor;
spec_read spec_read_flag;
spec_read spec_read_name;   /* [A-Za-z0-9_-] */
spec_read spec_read_device; /* and '.' */
void spec_wrong_type(struct spec_reader *reader, const struct spec_node *node,
                     const struct spec_path *path, const char *expected);
/* Text of one kind of value, or a report: a text; also a number or true, as they were written. */
bool spec_take_text(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, struct str *ret_text);
bool spec_take_scalar(struct spec_reader *reader, const struct spec_node *node,
                      const struct spec_path *path, struct str *ret_text);
bool spec_take_flag(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, bool *ret_flag);
bool spec_take_size(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, int64_t min, int64_t max, int64_t *ret_bytes);
/* A whole number within the bounds. */
bool spec_take_integer(struct spec_reader *reader, const struct spec_node *node,
                       const struct spec_path *path, int64_t min, int64_t max, int64_t *ret_value);
/* One of the words; *ret_choice is its number. `allowed` lists them, comma separated. */
bool spec_take_choice(struct spec_reader *reader, const struct spec_node *node,
                      const struct spec_path *path, const char *const *words, size_t count,
                      const char *allowed, size_t *ret_choice);
bool spec_is_name(struct str text, const char *also, size_t bytes_max);
/* A task's key: a name; behind an '@' the value of an `each`. */
bool spec_is_key(struct str text);
bool spec_is_each_value(struct str text); /* spec_each.c */

/* spec_read_body.c: what the task does. */
spec_read spec_read_run;
spec_read spec_read_shell;
spec_read spec_read_noop;
spec_read spec_read_sleep;
spec_read spec_read_env;
spec_read spec_read_stdin;
spec_read spec_read_cwd;
spec_read spec_read_timeout;
spec_read spec_read_on_disconnect;
spec_read spec_read_output;

/* spec_read_place.c: where it may run, and what it takes. */
spec_read spec_read_selector;
spec_read spec_read_same_device;
spec_read spec_read_other_device;
spec_read spec_read_tools;
spec_read spec_read_resources;
spec_read spec_read_limits;
spec_read spec_read_capacities; /* of the top */
spec_read spec_read_strategy;

/* spec_read_policy.c: how it is run. */
spec_read spec_read_join;
spec_read spec_read_finally;
spec_read spec_read_allow_failure;
spec_read spec_read_effect;
spec_read spec_read_retry_on;

/* spec_param.c: `params`, and the values of a submission. */
spec_read spec_read_param_type;
spec_read spec_read_param_default;
void spec_settle_params(struct spec_reader *reader, const struct spec_draft *top);

/* spec_fill.c: placeholders of params and each. */
/* The node itself when there is nothing to fill in. Conditions are left alone. */
const struct spec_node *spec_fill(struct spec_reader *reader, const struct spec_node *node,
                                  const struct spec_path *path);
/* NULL: there is none, and it is reported. */
const struct spec_value *spec_fill_value(struct spec_reader *reader,
                                         const struct placeholder *placeholder,
                                         const struct spec_node *node,
                                         const struct spec_path *path);

/* spec_each.c: the keys of all tasks, and what `each` makes of them. False: reported, no going on. */
spec_read spec_read_each;
bool spec_expand(struct spec_reader *reader, const struct spec_node *tasks,
                 const struct spec_path *path);

/* spec_read_task.c */
void spec_read_all_tasks(struct spec_reader *reader, const struct spec_draft *top);
/* From `map` into reader->tasks[index]. False: it was no map. */
bool spec_read_task(struct spec_reader *reader, uint32_t index, const struct spec_draft *top,
                    const struct spec_node *map, const struct spec_path *path);

/* spec_read_needs.c: edges. */
spec_read spec_read_needs;
spec_read spec_read_need_task;
spec_read spec_read_need_when;
spec_read spec_read_need_if;
/* ERR_EXISTS: there is one already of this kind and condition. */
enum err spec_add_edge(struct spec_reader *reader, const struct plan_edge *edge);
/* The last edge into `to` from this task, or NULL; and the one before it. */
struct plan_edge *spec_edge_of(struct spec_reader *reader, uint32_t from, uint32_t to);
struct plan_edge *spec_edge_before(struct spec_reader *reader, const struct plan_edge *edge);

/* spec_read_names.c: other tasks, by name. */
struct spec_named {
    uint32_t index;                 /* of a task, or UINT32_MAX: of a group */
    const struct spec_group *group; /* which does not pair up */
};
/* A task, or a group; of a group that pairs up the one task. False: reported. */
bool spec_find(struct spec_reader *reader, const struct spec_draft *draft, struct str key,
               const struct spec_node *node, const struct spec_path *path,
               struct spec_named *ret_named);
/* One task: a group that does not pair up is refused. */
bool spec_find_one(struct spec_reader *reader, const struct spec_draft *draft, struct str key,
                   const struct spec_node *node, const struct spec_path *path, uint32_t *ret_index);
struct str spec_key_of(const struct spec_reader *reader, uint32_t index);
/* The placeholders of a text: checked, and noted in reader->references. One of a group that pairs up
   is given its task's key. */
void spec_note_references(struct spec_reader *reader, const struct spec_draft *draft,
                          struct str *text, const struct spec_node *node,
                          const struct spec_path *path);
/* Edges for what was noted, but for tasks that `needs` names. */
void spec_add_references(struct spec_reader *reader, const struct spec_draft *draft,
                         const struct spec_path *path);

#endif
