/* One edit while it is checked and applied: private to edit*.c. It goes through these steps:
     edit_check    every operation against what is running; nothing changes
     edit_link     the graph as it will be, without an effect: finds cycles and doubles
     edit_forecast what will become ready or be skipped
   and then either edit_unlink, which leaves all as it was, or edit_apply. */
#ifndef ORCHESTRATOR_ENGINE_EDIT_BATCH_H
#define ORCHESTRATOR_ENGINE_EDIT_BATCH_H

#include "orchestrator/engine/model.h"

/* A task that the batch has to do with. */
struct touch {
    uint32_t task;   /* index */
    uint32_t number; /* of one that is added */
    uint16_t flags;  /* as they will be */
    bool is_added;
    bool is_removed;
    bool is_updated;
    bool is_rewired; /* edges into it */
    bool sweeps_in;  /* edges have gone from its lists */
    bool sweeps_out;
    bool was_ready;
    bool was_skipped;
    bool was_flagged; /* its flags have been put in; `flags` are the old ones */
};

/* An edge that the batch has to do with, and how it was. */
struct edge_touch {
    uint32_t edge;                          /* index */
    const struct edit_operation *operation; /* NULL: it goes with a task that is removed */
    struct edge was;
    bool is_added;
    bool is_removed;
    bool is_updated;
};

struct batch {
    struct engine *engine;
    const struct edit *edit;
    struct constellation *constellation;
    struct hold *released;
    uint32_t base;                      /* 0: nothing that changed since can be in conflict */
    const struct edit_operation **adds; /* by the number of the task that is added */
    uint32_t *added;                    /* its index */
    uint8_t *refused;                   /* by operation: it has a problem */
    struct touch *touches;
    size_t touches_count;
    size_t touches_capacity;
    struct map touch_of; /* task's index + 1 → place in touches + 1 */
    struct edge_touch *edges;
    size_t edges_count;
    size_t edges_capacity;
    struct map edge_of; /* likewise */
    uint32_t tasks_removed;
    uint32_t edges_added;
    uint32_t edges_removed;
    uint32_t tasks_updated;
    struct edit_problem *problems; /* room for EDIT_PROBLEMS_MAX */
    size_t problems_count;
    bool more_problems;
    bool has_reopened; /* a constellation that had ended: while it is applied */
    bool is_too_large; /* it is not even tried; nor looked at any further */
    bool has_given_up; /* it took too many looks: what is linked by then is taken back */
    bool has_lost_order;
    size_t looks; /* that are left */
    struct edit_result result;
};

/* --- edit.c --- */
struct touch *batch_touch(struct batch *batch, const struct task *task);
struct touch *batch_find(const struct batch *batch, uint32_t task); /* NULL: untouched */
struct edge_touch *batch_touch_edge(struct batch *batch, uint32_t edge);
struct edge_touch *batch_find_edge(const struct batch *batch, uint32_t edge);
/* NULL: it is not there, or not any more. */
struct task *batch_task(const struct batch *batch, edit_task task);
edit_task batch_name(const struct batch *batch, uint32_t task); /* as the edit names it */
/* The operation is not carried out. NULL: there are too many already. `detail` lives long enough. */
struct edit_problem *batch_refuse(struct batch *batch, const struct edit_operation *operation,
                                  enum edit_code code, struct str detail);
void problem_add_task(struct edit_problem *problem, edit_task task); /* NULL is fine */

void edit_check(struct batch *batch);
void edit_check_expects(struct batch *batch);
void edit_refuse_too_large(struct batch *batch);
void edit_check_size(struct batch *batch);
void edit_link(struct batch *batch);
void edit_unlink(struct batch *batch);
void edit_forecast_before(struct batch *batch);
void edit_forecast(struct batch *batch);
/* By count; 0: the plan is too large for one turn. */
uint32_t edit_longest_path(const struct engine *engine, const struct constellation *constellation);
void edit_apply(struct batch *batch);
/* Of a part: what follows from it waits until all are made. */
void edit_apply_part(struct batch *batch);

#endif
