/* A whole plan rendered as a spec again: what the tests and the fuzzing compare. */
#ifndef TESTS_UNIT_SPEC_ROUND_H
#define TESTS_UNIT_SPEC_ROUND_H

#include "orchestrator/spec/spec_task.h"

/* Appends the export of a plan. `arena` takes what the views point to. */
static inline void spec_round_export(const struct spec *spec, struct arena *arena, struct buf *json)
{
    const struct plan *plan = &spec->plan;
    const struct spec_top_view top = {
        .name = plan->name,
        .description = plan->description,
        .deadline_ms = plan->deadline_ms,
        .fail_fast = plan->fail_fast,
        .limits = plan->limits,
        .limits_count = plan->limits_count,
    };
    struct spec_export export;
    spec_export_begin(&export, &top, json);
    size_t edge = 0;
    for (size_t i = 0; i < plan->tasks_count; i++) {
        size_t first = edge;
        while (edge < plan->edges_count && plan->edges[edge].to == i) {
            edge++;
        }
        struct spec_need *needs = arena_array(arena, edge - first, sizeof *needs);
        for (size_t j = first; j < edge; j++) {
            const struct plan_edge *from = &plan->edges[j];
            needs[j - first] = (struct spec_need){
                .task = plan->tasks[from->from].key,
                .when = from->when,
                .named = from->named,
                .required = from->required,
                .condition = from->condition,
                .arguments = from->arguments,
            };
        }
        const struct plan_class *class = &plan->classes[plan->tasks[i].class_index];
        const struct spec_task_view view = {
            .task = &plan->tasks[i],
            .class = class,
            .policy = &plan->policies[plan->tasks[i].policy_index],
            .body = &spec->bodies[i],
            .needs = needs,
            .needs_count = edge - first,
            .same_device = class->same_device == 0 ? (struct str){ NULL, 0 }
                                                   : plan->tasks[class->same_device - 1].key,
            .other_device = class->other_device == 0 ? (struct str){ NULL, 0 }
                                                     : plan->tasks[class->other_device - 1].key,
            .limits = plan->limits,
        };
        spec_export_task(&export, &view);
    }
    spec_export_end(&export);
}

#endif
