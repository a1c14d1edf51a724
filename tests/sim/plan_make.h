/* Random plans: what is submitted, and what the checker knows about it without asking the engine. */
#ifndef TESTS_SIM_PLAN_MAKE_H
#define TESTS_SIM_PLAN_MAKE_H

#include "orchestrator/engine/plan.h"

struct world;

enum { SIM_NEEDS_MAX = 4 };

struct sim_task {
    uint32_t needs[SIM_NEEDS_MAX]; /* indexes into the plan */
    size_t needs_count;
    uint32_t refers_to; /* whose stdout is its second argument … */
    bool refers;        /* … if it has one */
    bool noop;
    bool large_output;
};

struct sim_plan {
    struct plan plan;
    struct sim_task *tasks;
    uint32_t index;
    char uid[24];
    uint32_t tries;    /* how often it was submitted: an answer can be lost */
    bool impossible;   /* it holds a task that no device will ever fit */
    bool is_submitted; /* to the daemon that is up now, and not answered */
    bool is_answered;
};

enum { SIM_PLANS_MAX = 64 };

struct plans {
    struct sim_plan *list[SIM_PLANS_MAX];
    size_t count;
    size_t tasks;
};

/* With at most `tasks_max` tasks; NULL if there are too many plans already. It lives as long as the world. */
struct sim_plan *plan_make(struct world *world, uint32_t tasks_max);

#endif
