/* See edit_lookup.h. */
#include "orchestrator/api/edit_lookup.h"

#include "orchestrator/store/query_plan.h"
#include "orchestrator/store/query_task.h"
#include "proto/wire.h"

enum err edit_lookup_id(struct store *store, int64_t constellation_id, struct str key,
                        int64_t *ret_id, struct reason *reason)
{
    return query_task_id(store, constellation_id, key, ret_id, reason);
}

enum err edit_lookup_key(struct store *store, int64_t id, struct arena *arena, struct str *ret_key,
                         struct reason *reason)
{
    return query_task_key(store, id, arena, ret_key, reason);
}

enum err edit_lookup_task(struct store *store, int64_t id, struct arena *arena,
                          struct edit_known *ret_known, struct reason *reason)
{
    struct query_plan_task task;
    enum err err = query_plan_task(store, id, arena, &task, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct edit_known known = {
        .id = id,
        .record = task.record,
        .task = {
            .key = task.key,
            .body = task.body,
            .priority = task.record.priority,
            .has_references = task.record.has_references,
            .flags = task.record.flags,
            .group = task.group,
            .description = task.description,
            .hold = task.hold,
        },
        .class = task.class.plan,
        .policy = task.policy.plan,
        .same_device = task.same_device,
        .other_device = task.other_device,
        .needs_count = task.needs_count,
    };
    if (task.body.length > 0) {
        err = wire_decode_body(task.body, arena, &known.body, reason);
        if (err != ERR_NONE) {
            return ERR_CORRUPT;
        }
    }
    known.needs = arena_array(arena, task.needs_count, sizeof(*known.needs));
    for (size_t i = 0; i < task.needs_count; i++) {
        const struct query_plan_need *need = &task.needs[i];
        known.needs[i] = (struct edit_known_need){
            .edge_id = need->record.id,
            .from_id = need->record.from_id,
            .need = {
                .task = need->task,
                .when = need->record.when,
                .named = need->record.named,
                .required = need->record.required,
                .condition = need->condition,
                .arguments = need->arguments,
            },
        };
    }
    *ret_known = known;
    return ERR_NONE;
}

enum err edit_lookup_top(struct store *store, int64_t constellation_id, struct arena *arena,
                         struct edit_top *ret_top, struct reason *reason)
{
    struct query_plan_top top;
    enum err err = query_plan_top(store, constellation_id, arena, &top, reason);
    if (err == ERR_NONE) {
        *ret_top = (struct edit_top){
            .name = top.name,
            .description = top.description,
            .fail_fast = top.record.fail_fast,
            .deadline_ms = top.record.deadline_length_ms,
            .limits = top.limits,
            .limits_count = top.limits_count,
            .revision = top.record.revision,
        };
    }
    return err;
}

enum err edit_lookup_keys(struct store *store, int64_t constellation_id, int64_t after,
                          struct arena *arena, struct str *keys, int64_t *ids, size_t limit,
                          size_t *ret_count, struct reason *reason)
{
    struct query_constellation constellation;
    enum err err = query_constellation(store, constellation_id, arena, &constellation, reason);
    struct query_task_state *list = arena_array(arena, limit, sizeof(*list));
    size_t count = 0;
    if (err == ERR_NONE) {
        err = query_task_scan(store, &constellation, after, list, limit, &count, reason);
    }
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        ids[i] = list[i].id;
        err = query_task_key(store, list[i].id, arena, &keys[i], reason);
    }
    if (err == ERR_NONE) {
        *ret_count = count;
    }
    return err;
}

struct str edit_known_render(const struct edit_known *known, const struct edit_top *top,
                             struct arena *arena)
{
    struct spec_need *needs = arena_array(arena, known->needs_count, sizeof(*needs));
    for (size_t i = 0; i < known->needs_count; i++) {
        needs[i] = known->needs[i].need;
    }
    const struct spec_task_view view = {
        .task = &known->task,
        .class = &known->class,
        .policy = &known->policy,
        .body = &known->body,
        .needs = needs,
        .needs_count = known->needs_count,
        .same_device = known->same_device,
        .other_device = known->other_device,
        .limits = top->limits,
    };
    struct buf json = { 0 };
    spec_render_task(&view, &json);
    struct str text = arena_str(arena, (struct str){ (const char *)json.data, json.length });
    buf_done(&json);
    return text;
}
