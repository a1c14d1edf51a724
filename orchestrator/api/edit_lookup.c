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

enum err edit_lookup_needs(struct store *store, int64_t id, struct arena *arena,
                           struct edit_known *ret_known, struct reason *reason)
{
    struct query_plan_needs needs;
    enum err err = query_plan_needs(store, id, arena, &needs, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct edit_known known = { .id = id, .needs_count = needs.count };
    known.needs = arena_array(arena, known.needs_count, sizeof(*known.needs));
    for (size_t i = 0; i < known.needs_count; i++) {
        const struct query_plan_need *need = &needs.list[i];
        known.needs[i] = (struct edit_known_need){
            .edge_id = need->edge_id,
            .from_id = need->from_id,
            .need = {
                .task = need->from,
                .when = need->when,
                .named = need->named,
                .required = need->required,
                .condition = need->condition,
                .arguments = need->arguments,
            },
        };
    }
    *ret_known = known;
    return ERR_NONE;
}

enum err edit_lookup_text(struct store *store, struct edit_known *known, struct arena *arena,
                          struct reason *reason)
{
    struct query_plan_task task;
    struct msg_body body = { 0 };
    enum err err = query_plan_task(store, known->id, arena, &task, reason);
    if (err == ERR_NONE && task.task.body.length > 0) {
        err = wire_decode_body(task.task.body, arena, &body, reason) == ERR_NONE ? ERR_NONE
                                                                                 : ERR_CORRUPT;
    }
    if (err != ERR_NONE) {
        return err;
    }
    known->has_text = true;
    known->record = task.record;
    known->task = task.task;
    known->class = task.class;
    known->policy = task.policy;
    known->body = body;
    known->same_device = task.same_device;
    known->other_device = task.other_device;
    return ERR_NONE;
}

enum err edit_lookup_task(struct store *store, int64_t id, struct arena *arena,
                          struct edit_known *ret_known, struct reason *reason)
{
    struct edit_known known = { .id = id };
    enum err err = edit_lookup_needs(store, id, arena, &known, reason);
    err = err != ERR_NONE ? err : edit_lookup_text(store, &known, arena, reason);
    if (err == ERR_NONE) {
        *ret_known = known;
    }
    return err;
}

enum err edit_lookup_limits(struct store *store, int64_t constellation_id, struct arena *arena,
                            struct edit_top *top, struct reason *reason)
{
    return query_plan_limits(store, constellation_id, arena, &top->limits, &top->limits_count,
                             reason);
}

enum err edit_lookup_top(struct store *store, int64_t constellation_id, struct arena *arena,
                         struct edit_top *ret_top, struct reason *reason)
{
    struct query_constellation constellation;
    enum err err = query_constellation(store, constellation_id, arena, &constellation, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct edit_top top = {
        .name = constellation.name,
        .description = constellation.description,
        .fail_fast = constellation.record.fail_fast,
        .deadline_ms = constellation.record.deadline_length_ms,
        .revision = constellation.record.revision,
    };
    err = edit_lookup_limits(store, constellation_id, arena, &top, reason);
    if (err == ERR_NONE) {
        *ret_top = top;
    }
    return err;
}

enum err edit_lookup_keys(struct store *store, int64_t constellation_id, int64_t after,
                          struct arena *arena, struct str *keys, int64_t *ids, size_t limit,
                          size_t *ret_count, struct reason *reason)
{
    size_t count = 0;
    enum err err = query_plan_scan(store, constellation_id, after, ids, limit, &count, reason);
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        err = query_task_key(store, ids[i], arena, &keys[i], reason);
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
