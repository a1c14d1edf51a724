/* What most plans of a living world are made of, and what is done to it most often. */
#ifndef TESTS_UNIT_LIVING_PLAN_H
#define TESTS_UNIT_LIVING_PLAN_H

#include "tests/unit/living_world.h"

extern const struct plan_class LIVING_ANY;   /* any device */
extern const struct plan_class LIVING_NONE;  /* nothing runs: of gates */
extern const struct plan_policy LIVING_ONCE; /* one attempt, unless it is lost */
extern const struct plan_task LIVING_TASK;

/* With that class and that policy, instead of which the caller may set others. */
struct plan living_plan(const struct plan_task *tasks, size_t tasks_count,
                        const struct plan_edge *edges, size_t edges_count);
/* The same of tasks that have no key and no text yet. */
struct plan living_plan_of(struct plan_task *tasks, size_t tasks_count,
                           const struct plan_edge *edges, size_t edges_count);
struct plan_task *living_tasks(size_t count); /* all alike; the caller frees them */

/* Requests, of constellation 1. */
struct event living_submission(const struct plan *plan);
struct event living_cancel(void);
struct event living_reopening(const int64_t *id, bool rerun);
/* length_ms: then what is held fails; 0: it ends when somebody releases it. */
struct event living_hold(enum hold_scope scope, const int64_t *ids, size_t count,
                         int64_t length_ms);

/* Operations of an edit. The number of a task that is added: from 0. */
struct edit_operation living_addition(size_t number);
struct edit_operation living_link(edit_task from, edit_task to, enum edge_when when);
/* Numbers the operations, and counts the tasks that they add. */
struct edit living_batch(struct edit_operation *operations, size_t count);

void living_pass(struct living *living, int64_t ms); /* both clocks; no turn */
/* The latest attempt of the task ends so, and what follows at once is done. */
void living_finish_task(struct living *living, int64_t id, enum outcome outcome, int exit_code);
void living_expect_state(struct living *living, int64_t id, enum task_state state);
void living_end(struct living *living); /* checks and compares, then frees */

#endif
