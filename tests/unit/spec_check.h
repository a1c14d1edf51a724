/* What the tests and the fuzzing of specs share: reading one from a literal, and what must be true of
   every plan that is accepted. */
#ifndef TESTS_UNIT_SPEC_CHECK_H
#define TESTS_UNIT_SPEC_CHECK_H

#include <stdbool.h>

#include "orchestrator/spec/spec.h"

/* NULL, or which promise of a plan does not hold. */
static inline const char *spec_check_plan(const struct spec *spec)
{
    const struct plan *plan = &spec->plan;
    if (plan->name.length == 0 || plan->name.length > PLAN_NAME_BYTES_MAX) {
        return "the name has a length";
    }
    if (plan->tasks_count == 0 || plan->tasks_count > PLAN_TASKS_MAX) {
        return "there are tasks";
    }
    for (size_t i = 0; i < plan->tasks_count; i++) {
        const struct plan_task *task = &plan->tasks[i];
        if (task->key.length == 0 || task->key.length > PLAN_KEY_BYTES_MAX ||
            task->class_index >= plan->classes_count ||
            task->policy_index >= plan->policies_count || task->priority > PLAN_PRIORITY_MAX ||
            task->priority < -PLAN_PRIORITY_MAX) {
            return "a task is within its limits";
        }
    }
    for (size_t i = 0; i < plan->edges_count; i++) {
        const struct plan_edge *edge = &plan->edges[i];
        if (edge->from >= plan->tasks_count || edge->to >= plan->tasks_count ||
            edge->from == edge->to || edge->when < EDGE_WHEN_SUCCESS ||
            edge->when > EDGE_WHEN_ALWAYS || (!edge->named && !edge->required)) {
            return "an edge joins two tasks";
        }
        if (i > 0 && plan->edges[i - 1].to > edge->to) {
            return "edges are sorted";
        }
        for (size_t j = i; j > 0 && plan->edges[j - 1].to == edge->to; j--) {
            const struct plan_edge *other = &plan->edges[j - 1];
            if (other->from == edge->from && other->when == edge->when &&
                str_equal(other->condition, edge->condition) &&
                str_equal(other->arguments, edge->arguments)) {
                return "no two edges are alike";
            }
        }
    }
    return NULL;
}

#endif
