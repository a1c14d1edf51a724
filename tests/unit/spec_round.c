/* See spec_round.h. */
#include "tests/unit/spec_round.h"

#include <inttypes.h>

#include "orchestrator/spec/spec_json.h"
#include "orchestrator/spec/spec_task.h"

static void add_limits(const struct plan *plan, struct buf *json)
{
    buf_append_text(json, ",\"limits\":{");
    for (size_t i = 0; i < plan->limits_count; i++) {
        buf_append_text(json, i > 0 ? "," : "");
        spec_json_text(json, plan->limits[i].name);
        buf_printf(json, ":%" PRIu32, plan->limits[i].capacity);
    }
    buf_append_text(json, "}");
}

/* Its own keys, without the brace that would end them. */
static void add_top(const struct plan *plan, struct buf *json)
{
    buf_append_text(json, "{\"name\":");
    spec_json_text(json, plan->name);
    if (plan->description.length > 0) {
        buf_append_text(json, ",\"description\":");
        spec_json_text(json, plan->description);
    }
    if (plan->limits_count > 0) {
        add_limits(plan, json);
    }
    if (plan->deadline_ms != 0) {
        buf_append_text(json, ",\"deadline\":");
        spec_json_duration(json, plan->deadline_ms);
    }
    buf_append_text(json, plan->fail_fast ? ",\"fail_fast\":true" : "");
}

void spec_round_export(const struct spec *spec, struct arena *arena, struct buf *json)
{
    const struct plan *plan = &spec->plan;
    add_top(plan, json);
    buf_append_text(json, ",\"tasks\":{");
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
        buf_append_text(json, i > 0 ? ",\n" : "\n");
        spec_json_text(json, view.task->key);
        buf_append_text(json, ":");
        spec_render_task(&view, json);
    }
    buf_append_text(json, "\n}}\n");
}
