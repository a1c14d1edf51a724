/* Dependencies of a task that is being changed: which are still the same, and the operations that are
   about one of them. See edit_draft.h. */
#include "orchestrator/api/edit_draft.h"

#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/spec_text.h"

static bool shown_equal(struct str a, struct str a_arguments, struct str b, struct str b_arguments,
                        struct arena *arena)
{
    if (str_equal(a, b) && str_equal(a_arguments, b_arguments)) {
        return true;
    }
    if (a_arguments.length == 0 && b_arguments.length == 0) {
        return false;
    }
    struct buf text = { 0 };
    spec_render_condition(a, a_arguments, &text);
    struct str first = arena_str(arena, (struct str){ (const char *)text.data, text.length });
    buf_clear(&text);
    spec_render_condition(b, b_arguments, &text);
    bool are_equal = str_equal(first, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
    return are_equal;
}

static bool edit_needs_alike(const struct spec_need *a, const struct spec_need *b,
                             struct arena *arena)
{
    return a->when == b->when && str_equal(a->task, b->task) &&
           shown_equal(a->condition, a->arguments, b->condition, b->arguments, arena);
}

void edit_needs_map_init(struct edit_needs_map *map, const struct edit_draft_need *list,
                         size_t count, struct arena *arena)
{
    *map = (struct edit_needs_map){ .arena = arena, .list = list };
    map->next = arena_array(arena, count, sizeof(*map->next));
    map->is_taken = arena_array(arena, count, sizeof(*map->is_taken));
    for (size_t i = count; i > 0; i--) { /* the first comes out first */
        uint32_t *next = &map->next[i - 1];
        const uint32_t *before = strmap_get(&map->first, list[i - 1].need.task);
        *next = before == NULL ? 0 : (uint32_t)(before - map->next) + 1;
        strmap_put(&map->first, list[i - 1].need.task, next);
    }
}

const struct edit_draft_need *edit_needs_map_take(struct edit_needs_map *map,
                                                  const struct spec_need *need, bool alike)
{
    const uint32_t *slot = strmap_get(&map->first, need->task);
    uint32_t at = slot == NULL ? 0 : (uint32_t)(slot - map->next) + 1;
    for (; at != 0; at = map->next[at - 1]) {
        const struct edit_draft_need *found = &map->list[at - 1];
        if (!map->is_taken[at - 1] && !found->is_gone &&
            (!alike || edit_needs_alike(&found->need, need, map->arena))) {
            map->is_taken[at - 1] = true;
            return found;
        }
    }
    return NULL;
}

void edit_needs_map_done(struct edit_needs_map *map)
{
    strmap_done(&map->first);
}

/* --- The operations. --- */

static void refuse(struct edit_drafts *drafts, const struct batch_operation *operation,
                   const char *code, const char *place, const char *words)
{
    const struct edit_fault fault = {
        .part = EDIT_PART_OPERATION,
        .index = operation->index,
        .code = code,
        .path = edit_place(drafts, operation->index, place),
    };
    edit_fault_add(drafts->faults, &fault, "%s", words);
}

static bool check_condition(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    if (operation->condition_given != BATCH_VALUE) {
        return true;
    }
    struct reason reason = { "" };
    enum err err = ERR_NONE;
    if (spec_text_holds(operation->condition, STR("${{"))) {
        err = reason_set(&reason, ERR_INVALID,
                         "placeholders of a condition are filled in when a spec is submitted: "
                         "write the value");
    } else if (drafts->conditions == NULL) {
        drafts->conditions = condition_engine_new(&reason);
        err = drafts->conditions == NULL ? ERR_UNSUPPORTED : ERR_NONE;
    }
    if (err == ERR_NONE) {
        err = condition_check(drafts->conditions, operation->condition, NULL, &reason);
    }
    if (err != ERR_NONE) {
        refuse(drafts, operation, "bad_condition", "if", reason.text);
    }
    return err == ERR_NONE;
}

/* When the text makes dependencies of its own, what `needs` names decides which. */
static void settle(struct edit_drafts *drafts, struct edit_draft *draft,
                   const struct batch_operation *operation)
{
    draft->needs_index = operation->index;
    if (edit_draft_has_references(drafts, draft)) {
        edit_draft_reread(drafts, draft, STR("{}"), operation->index, "to");
    }
}

static void link_need(struct edit_draft *draft, size_t place)
{
    struct edit_draft_need *need = &draft->needs[place];
    need->next = (uint32_t)(uintptr_t)strmap_get(&draft->by_from, need->need.task);
    strmap_put(&draft->by_from, need->need.task, (void *)(uintptr_t)(place + 1));
}

/* The last that waits for this key: the others follow by `next`. */
static uint32_t needs_from(struct edit_draft *draft, struct str from)
{
    if (!draft->has_by_from) {
        for (size_t i = 0; i < draft->needs_count; i++) {
            link_need(draft, i);
        }
        draft->has_by_from = true;
    }
    return (uint32_t)(uintptr_t)strmap_get(&draft->by_from, from);
}

static bool is_doubled(struct edit_drafts *drafts, struct edit_draft *draft,
                       const struct spec_need *need, const struct edit_draft_need *beside)
{
    for (uint32_t at = needs_from(draft, need->task); at != 0; at = draft->needs[at - 1].next) {
        const struct edit_draft_need *other = &draft->needs[at - 1];
        if (other != beside && !other->is_gone && other->need.named &&
            edit_needs_alike(&other->need, need, drafts->arena)) {
            return true;
        }
    }
    return false;
}

static void append(struct edit_drafts *drafts, struct edit_draft *draft,
                   const struct spec_need *need, uint32_t index)
{
    if (draft->needs_count == draft->needs_capacity) {
        draft->needs_capacity = draft->needs_capacity == 0 ? 4 : draft->needs_capacity * 2;
        struct edit_draft_need *needs =
            arena_array(drafts->arena, draft->needs_capacity, sizeof(*needs));
        for (size_t i = 0; i < draft->needs_count; i++) {
            needs[i] = draft->needs[i];
        }
        draft->needs = needs;
    }
    draft->needs[draft->needs_count++] = (struct edit_draft_need){ .need = *need, .index = index };
    link_need(draft, draft->needs_count - 1);
}

void edit_draft_depend(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    struct edit_draft *draft = edit_drafts_find(drafts, operation->task, operation->index, "to");
    bool has_from = edit_drafts_have(drafts, operation->from);
    if (!has_from && drafts->err == ERR_NONE) {
        edit_drafts_find(drafts, operation->from, operation->index, "from"); /* says so */
    }
    if (!check_condition(drafts, operation) || draft == NULL || !has_from) {
        return;
    }
    const struct spec_need need = {
        .task = operation->from,
        .when = operation->when == 0 ? EDGE_WHEN_SUCCESS : operation->when,
        .named = true,
        .condition = operation->condition,
    };
    if (is_doubled(drafts, draft, &need, NULL)) {
        refuse(drafts, operation, "duplicate_dependency", "to",
               "there is such a dependency already");
        return;
    }
    append(drafts, draft, &need, operation->index);
    settle(drafts, draft, operation);
}

static void refuse_unknown(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    refuse(drafts, operation, edit_code_name(EDIT_CODE_UNKNOWN_EDGE), "from",
           "there is no such dependency");
}

void edit_draft_undepend(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    struct edit_draft *draft = strmap_get(&drafts->by_key, operation->task);
    if (draft != NULL && draft->is_removed) {
        return; /* it goes with the task */
    }
    draft = edit_drafts_find(drafts, operation->task, operation->index, "to");
    if (draft == NULL) {
        return;
    }
    bool has_gone = false;
    bool is_made = false;
    for (uint32_t at = needs_from(draft, operation->from); at != 0;) {
        struct edit_draft_need *need = &draft->needs[at - 1];
        at = need->next;
        if (need->is_gone || (operation->when != 0 && need->need.when != operation->when)) {
            continue;
        }
        is_made = is_made || !need->need.named;
        has_gone = has_gone || need->need.named;
        need->is_gone = need->need.named;
    }
    if (!has_gone) {
        if (is_made) {
            refuse(drafts, operation, "made_by_reference", "from",
                   "the task's own text refers to it: change that with update_task");
        } else {
            refuse_unknown(drafts, operation);
        }
        return;
    }
    settle(drafts, draft, operation);
}

void edit_draft_change_dependency(struct edit_drafts *drafts,
                                  const struct batch_operation *operation)
{
    struct edit_draft *draft = edit_drafts_find(drafts, operation->task, operation->index, "to");
    if (!check_condition(drafts, operation) || draft == NULL) {
        return;
    }
    struct edit_draft_need *found = NULL;
    for (uint32_t at = needs_from(draft, operation->from); at != 0;) {
        struct edit_draft_need *need = &draft->needs[at - 1];
        at = need->next;
        if (need->is_gone || (operation->old_when != 0 && need->need.when != operation->old_when)) {
            continue;
        }
        if (found != NULL) {
            refuse(drafts, operation, "ambiguous_dependency", "from",
                   "there are several between these two: say which by old_when, or remove and add");
            return;
        }
        found = need;
    }
    if (found == NULL) {
        refuse_unknown(drafts, operation);
        return;
    }
    struct spec_need need = found->need;
    need.named = true;
    if (operation->when != 0) {
        need.when = operation->when;
    }
    if (operation->condition_given != BATCH_ABSENT) {
        need.condition = operation->condition; /* null: none */
        need.arguments = (struct str){ NULL, 0 };
    }
    if (is_doubled(drafts, draft, &need, found)) {
        refuse(drafts, operation, "duplicate_dependency", "to",
               "there is such a dependency already");
        return;
    }
    found->need = need;
    found->index = operation->index;
    settle(drafts, draft, operation);
}
