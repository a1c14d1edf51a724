/* See edit_build.h: the engine's operations. */
#include "orchestrator/api/edit_build.h"

#include "common/base/check.h"
#include "proto/wire.h"

static bool is_same(const struct spec_need *a, const struct spec_need *b)
{
    return a->when == b->when && a->named == b->named && a->required == b->required &&
           str_equal(a->condition, b->condition) && str_equal(a->arguments, b->arguments);
}

struct edit_need_change *edit_need_changes(struct edit_drafts *drafts, struct edit_draft *draft,
                                           size_t *ret_count)
{
    struct arena *arena = drafts->arena;
    size_t known_count = draft->known.needs_count;
    struct edit_need_change *list =
        arena_array(arena, known_count + draft->needs_count, sizeof(*list));
    bool *is_claimed = arena_array(arena, known_count, sizeof(*is_claimed));
    size_t count = 0;
    for (size_t i = 0; i < draft->needs_count; i++) {
        const struct edit_draft_need *need = &draft->needs[i];
        if (need->known == 0) {
            continue;
        }
        const struct edit_known_need *known = &draft->known.needs[need->known - 1];
        is_claimed[need->known - 1] = true;
        if (need->is_gone || !is_same(&known->need, &need->need)) {
            list[count++] =
                (struct edit_need_change){ known, need->is_gone ? NULL : need,
                                           need->is_gone ? draft->needs_index : need->index };
        }
    }
    /* What a new text has dropped: of the same task it is still the same dependency, changed. */
    struct edit_draft_need *dropped = arena_array(arena, known_count, sizeof(*dropped));
    for (size_t i = 0; i < known_count; i++) {
        dropped[i] = (struct edit_draft_need){ .need = draft->known.needs[i].need,
                                               .known = (uint32_t)i + 1,
                                               .is_gone = is_claimed[i] };
    }
    struct edit_needs_map map;
    edit_needs_map_init(&map, dropped, known_count, arena);
    for (size_t i = 0; i < draft->needs_count; i++) {
        const struct edit_draft_need *need = &draft->needs[i];
        if (need->known != 0 || need->is_gone) {
            continue;
        }
        const struct edit_draft_need *old = edit_needs_map_take(&map, &need->need, false);
        const struct edit_known_need *before =
            old == NULL ? NULL : &draft->known.needs[old->known - 1];
        list[count++] = (struct edit_need_change){ before, need, need->index };
        if (before != NULL) {
            is_claimed[old->known - 1] = true;
        }
    }
    edit_needs_map_done(&map);
    for (size_t i = 0; i < known_count; i++) {
        if (!is_claimed[i]) {
            list[count++] =
                (struct edit_need_change){ &draft->known.needs[i], NULL, draft->needs_index };
        }
    }
    *ret_count = count;
    return list;
}

/* What the engine calls the task; 0: there is none, and it is among the faults. */
static edit_task task_of(struct edit_drafts *drafts, struct str key, uint32_t index)
{
    const struct edit_draft *draft = strmap_get(&drafts->by_key, key);
    if (draft != NULL && !draft->is_removed) {
        return draft->is_added ? -1 - (edit_task)draft->number : draft->known.id;
    }
    if (draft != NULL && draft->is_added && !draft->has_one) {
        return 0; /* what adds it is wrong, and that is said */
    }
    int64_t id = 0;
    if (draft == NULL && edit_drafts_id(drafts, key, &id) == ERR_NONE) {
        return id;
    }
    edit_drafts_find(drafts, key, index, "needs"); /* says so */
    return 0;
}

static edit_task own_task(const struct edit_draft *draft)
{
    return draft->is_added ? -1 - (edit_task)draft->number : draft->known.id;
}

static void push(struct buf *operations, const struct edit_operation *operation)
{
    buf_append(operations, operation, sizeof(*operation));
}

static void build_needs(struct edit_drafts *drafts, struct edit_draft *draft,
                        struct buf *operations)
{
    size_t count = 0;
    const struct edit_need_change *changes = edit_need_changes(drafts, draft, &count);
    for (size_t i = 0; i < count; i++) {
        const struct edit_need_change *change = &changes[i];
        CHECK(change->before != NULL || change->after != NULL);
        struct edit_operation operation = { .index = change->index };
        operation.edge.to = own_task(draft);
        if (change->before != NULL) {
            operation.edge.from = change->before->from_id;
            operation.edge.edge_id = change->before->edge_id;
            operation.kind = change->after == NULL ? EDIT_REMOVE_EDGE : EDIT_UPDATE_EDGE;
        } else {
            operation.kind = EDIT_ADD_EDGE;
            operation.edge.from = task_of(drafts, change->after->need.task, change->index);
            if (operation.edge.from == 0) {
                continue;
            }
        }
        if (change->after != NULL) {
            const struct spec_need *need = &change->after->need;
            operation.edge.when = need->when;
            operation.edge.named = need->named;
            operation.edge.plan = (struct plan_edge){
                .when = need->when,
                .named = need->named,
                .required = need->required,
                .condition = need->condition,
                .arguments = need->arguments,
            };
        }
        push(operations, &operation);
    }
}

/* A new text that names others is in conflict with what has been done to them. */
static void build_touches(struct edit_drafts *drafts, const struct edit_draft *draft,
                          struct buf *operations)
{
    for (size_t i = 0; i < draft->needs_count; i++) {
        const struct edit_draft_need *need = &draft->needs[i];
        if (need->known == 0 || need->is_gone || (need->need.named && !need->need.required)) {
            continue;
        }
        struct edit_operation operation = { .kind = EDIT_TOUCH, .index = draft->index };
        operation.task = task_of(drafts, need->need.task, draft->index);
        if (operation.task != 0) {
            push(operations, &operation);
        }
    }
}

/* False: it is refused, and among the faults. */
static bool encode(struct edit_drafts *drafts, struct edit_draft *draft)
{
    if (draft->one.body.executor == 0) {
        return true; /* a gate */
    }
    struct buf bytes = { 0 };
    struct reason reason = { "" };
    enum err err = wire_encode_body(&draft->one.body, &bytes, &reason);
    if (err == ERR_NONE) {
        draft->one.task.body =
            arena_str(drafts->arena, (struct str){ (const char *)bytes.data, bytes.length });
    } else {
        const struct edit_fault fault = {
            .part = EDIT_PART_OPERATION,
            .index = draft->index,
            .code = "out_of_range",
            .path = edit_place(drafts, draft->index, draft->is_added ? "spec" : "set"),
        };
        edit_fault_add(drafts->faults, &fault, "%s", reason.text);
    }
    buf_done(&bytes);
    return err == ERR_NONE;
}

static const struct plan_class *share_class(struct edit_drafts *drafts,
                                            const struct plan_class *class)
{
    uint32_t index = 0;
    if (!spec_intern_class(&drafts->classes, class, &index)) {
        buf_append(&drafts->class_list, &class, sizeof(class));
    }
    return ((const struct plan_class *const *)(const void *)drafts->class_list.data)[index];
}

static const struct plan_policy *share_policy(struct edit_drafts *drafts,
                                              const struct plan_policy *policy)
{
    uint32_t index = 0;
    spec_intern_policy(&drafts->policies, policy, &index);
    if (index == drafts->policy_list.length / sizeof(policy)) {
        buf_append(&drafts->policy_list, &policy, sizeof(policy));
    }
    return ((const struct plan_policy *const *)(const void *)drafts->policy_list.data)[index];
}

static void build_text(struct edit_drafts *drafts, struct edit_draft *draft, struct buf *operations)
{
    if (!encode(drafts, draft)) {
        return;
    }
    struct edit_operation operation = {
        .kind = draft->is_added ? EDIT_ADD_TASK : EDIT_UPDATE_TASK,
        .index = draft->index,
    };
    operation.write.task = own_task(draft);
    operation.write.plan = &draft->one.task;
    operation.write.class = share_class(drafts, &draft->one.class);
    operation.write.policy = share_policy(drafts, &draft->one.policy);
    if (draft->one.same_device.length > 0) {
        operation.write.same_device = task_of(drafts, draft->one.same_device, draft->index);
    }
    if (draft->one.other_device.length > 0) {
        operation.write.other_device = task_of(drafts, draft->one.other_device, draft->index);
    }
    push(operations, &operation);
    if (!draft->is_added) {
        build_touches(drafts, draft, operations);
    }
}

void edit_build(struct edit_drafts *drafts, struct buf *operations, size_t *ret_added)
{
    size_t added = 0;
    for (size_t i = 0; i < drafts->count; i++) {
        struct edit_draft *draft = drafts->list[i];
        if (draft->is_added && !draft->is_removed && draft->has_one) {
            draft->number = (uint32_t)added++;
        } else if (draft->is_added) {
            draft->is_removed = true; /* wrong, and said so; or taken back by the same batch */
        }
    }
    *ret_added = added;
    if (drafts->is_set) {
        struct edit_operation operation = { .kind = EDIT_SET, .index = drafts->set_index };
        operation.set.fail_fast = drafts->next.fail_fast;
        operation.set.deadline_ms = drafts->next.deadline_ms;
        operation.set.limits = drafts->next.limits;
        operation.set.limits_count = drafts->next.limits_count;
        push(operations, &operation);
    }
    for (size_t i = 0; i < drafts->count && drafts->err == ERR_NONE; i++) {
        struct edit_draft *draft = drafts->list[i];
        if (draft->is_removed) {
            if (!draft->is_added) {
                struct edit_operation operation = { .kind = EDIT_REMOVE_TASK,
                                                    .index = draft->index };
                operation.task = draft->known.id;
                push(operations, &operation);
            }
            continue;
        }
        if (draft->is_added || (draft->is_rewritten && draft->has_one)) {
            build_text(drafts, draft, operations);
        }
        build_needs(drafts, draft, operations);
    }
}
