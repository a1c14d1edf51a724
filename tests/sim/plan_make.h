/* Random plans and tasks: what is submitted, and what the checker knows about it without asking the
   engine. */
#ifndef TESTS_SIM_PLAN_MAKE_H
#define TESTS_SIM_PLAN_MAKE_H

#include "orchestrator/engine/plan.h"

struct world;

enum { SIM_NEEDS_MAX = 4 };

struct sim_task {
    struct plan_task plan;
    const struct plan_class *class;
    const struct plan_policy *policy;
    uint32_t refers_to;  /* whose stdout is its last argument: an index into the plan … */
    bool refers;         /* … if it has one */
    bool has_default;    /* which is then the word "none" if that task has not run */
    uint32_t same_with;  /* index + 1 of the task on whose device it runs; 0 none */
    uint32_t other_than; /* and of one that it keeps away from */
    bool noop;
    unsigned version; /* its first argument says so: an edit may write it anew */
};

struct sim_plan {
    struct plan plan;
    struct sim_task *tasks;
    const struct plan_edge *edges; /* all of them, whatever sabotage makes of those in `plan` */
    size_t edges_count;
    uint32_t limit; /* of its one named limit */
    uint32_t index;
    char uid[24];
    uint32_t tries;    /* how often it was submitted: an answer can be lost */
    bool is_submitted; /* to the daemon that is up now, and not answered */
    bool is_answered;
};

enum { SIM_PLANS_MAX = 64 };

struct plans {
    struct sim_plan *list[SIM_PLANS_MAX];
    size_t count;
    size_t tasks;
    uint32_t added; /* by edits: each has a key of its own */
};

/* With at most `tasks_max` tasks; NULL if there are too many plans already. It lives as long as the world. */
struct sim_plan *plan_make(struct world *world, uint32_t tasks_max);

/* A task by itself, for an edit: it refers to nothing. */
struct sim_task *plan_make_task(struct world *world);
/* The same task written anew: another body, other flags. */
struct sim_task *plan_remake_task(struct world *world, const struct sim_task *task,
                                  struct str refers_to);
/* Its kind and perhaps a condition. */
struct plan_edge plan_make_edge(struct world *world);
/* Perhaps no device will ever fit it. */
bool plan_class_is_impossible(const struct plan_class *class);

#endif
