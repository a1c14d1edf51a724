/* What a `set` makes of the constellation itself: its limits most of all, which have their places, as tasks
   know them by those. One that was removed leaves its place without a name, for another. */
#include "orchestrator/api/edit_draft.h"

static struct edit_fault limits_fault(struct edit_drafts *drafts,
                                      const struct batch_operation *operation, const char *code)
{
    return (struct edit_fault){
        .part = EDIT_PART_OPERATION,
        .index = operation->index,
        .code = code,
        .path = edit_place(drafts, operation->index, "limits"),
    };
}

/* The place of a limit, or PLAN_LIMITS_MAX. */
static size_t find_limit(const struct edit_top *top, struct str name)
{
    for (size_t i = 0; i < top->limits_count; i++) {
        if (str_equal(top->limits[i].name, name)) {
            return i;
        }
    }
    return PLAN_LIMITS_MAX;
}

/* For one that is not there. Not where the batch removes another: tasks know limits by their places. */
static size_t place_limit(const struct edit_drafts *drafts, struct str name)
{
    size_t at = find_limit(&drafts->top, name);
    for (size_t i = 0; at == PLAN_LIMITS_MAX && i < PLAN_LIMITS_MAX; i++) {
        bool was_there = i < drafts->top.limits_count && drafts->top.limits[i].name.length > 0;
        bool is_there = i < drafts->next.limits_count && drafts->next.limits[i].name.length > 0;
        at = was_there || is_there ? at : i;
    }
    return at;
}

/* Tasks that take of it are looked for when all of the batch is known. */
static void remove_limit(struct edit_drafts *drafts, const struct batch_operation *operation,
                         struct str name)
{
    size_t at = find_limit(&drafts->next, name);
    if (at < PLAN_LIMITS_MAX) {
        drafts->next.limits[at] = (struct plan_limit){ .capacity = 0 };
        return;
    }
    const struct edit_fault draft = limits_fault(drafts, operation, "unknown_limit");
    struct edit_fault *fault =
        edit_fault_add(drafts->faults, &draft, "there is no limit \"%.*s\"", STR_ARG(name));
    struct buf names = { 0 };
    for (size_t i = 0; fault != NULL && i < drafts->next.limits_count; i++) {
        struct str known = drafts->next.limits[i].name;
        if (known.length > 0) {
            buf_printf(&names, "%s%.*s", names.length == 0 ? "" : ", ", STR_ARG(known));
        }
    }
    if (fault != NULL) {
        fault->allowed =
            arena_str(drafts->arena, (struct str){ (const char *)names.data, names.length });
    }
    buf_done(&names);
}

void edit_draft_set(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    struct edit_top *next = &drafts->next;
    drafts->is_set = true;
    drafts->set_index = operation->index;
    if (operation->fail_fast_given != BATCH_ABSENT) {
        next->fail_fast = operation->fail_fast;
    }
    if (operation->deadline_given != BATCH_ABSENT) {
        next->deadline_ms = operation->deadline_ms;
    }
    if (operation->description_given != BATCH_ABSENT) {
        next->description = operation->description;
    }
    for (size_t i = 0; i < operation->limits_count; i++) {
        const struct plan_limit *limit = &operation->limits[i];
        if (limit->capacity == 0) { /* null */
            remove_limit(drafts, operation, limit->name);
            continue;
        }
        size_t at = find_limit(next, limit->name);
        at = at < PLAN_LIMITS_MAX ? at : place_limit(drafts, limit->name);
        if (at == PLAN_LIMITS_MAX) {
            const struct edit_fault fault = limits_fault(drafts, operation, "too_large");
            edit_fault_add(drafts->faults, &fault, "a constellation has at most %d limits",
                           PLAN_LIMITS_MAX);
            return;
        }
        next->limits[at] = *limit;
        next->limits_count = at < next->limits_count ? next->limits_count : at + 1;
    }
}
