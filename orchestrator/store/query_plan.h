/* What edits, exports and views read of a plan as it is: tasks whole, dependencies, named limits. As in
   query.h: text in the caller's arena, and rows of the open transaction are seen. */
#ifndef ORCHESTRATOR_STORE_QUERY_PLAN_H
#define ORCHESTRATOR_STORE_QUERY_PLAN_H

#include "orchestrator/store/query.h"

struct query_plan_need {
    int64_t edge_id;
    int64_t from_id;
    struct str from; /* its key */
    enum edge_when when;
    bool named;
    bool required;
    struct str condition; /* empty: none */
    struct str arguments; /* JSON array of what its ?1 … stand for; empty: none */
};

struct query_plan_needs {
    struct query_plan_need *list;
    size_t count;
};

/* The dependencies of a task on others, as they were written: what has been decided of them is not looked
   at. */
enum err query_plan_needs(struct store *store, int64_t task_id, struct arena *arena,
                          struct query_plan_needs *ret_needs, struct reason *reason);

/* One task with all that its text says, but for its needs. */
struct query_plan_task {
    struct task_record record;
    int64_t constellation_id;
    struct plan_task task; /* its indices mean nothing */
    struct plan_class class
        ; /* its same_device and other_device mean nothing: they are keys, below */
    struct plan_policy policy;
    struct str same_device; /* empty: none */
    struct str other_device;
};
enum err query_plan_task(struct store *store, int64_t id, struct arena *arena,
                         struct query_plan_task *ret_task, struct reason *reason);
/* The next ids behind `after` in rising order; fewer than `limit` at the end. */
enum err query_plan_scan(struct store *store, int64_t constellation_id, int64_t after,
                         int64_t *ret_ids, size_t limit, size_t *ret_count, struct reason *reason);

/* In the order of their index, from 0, without a gap. */
enum err query_plan_limits(struct store *store, int64_t constellation_id, struct arena *arena,
                           struct plan_limit **ret_limits, size_t *ret_count,
                           struct reason *reason);

#endif
