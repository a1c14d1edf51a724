/* See edit_draft.h: tasks that are added, removed and rewritten. */
#include "orchestrator/api/edit_draft.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "orchestrator/api/edit_resolve.h"
#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/edit_json.h"

static struct edit_draft *new_draft(struct edit_drafts *drafts, struct str key)
{
    struct edit_draft *draft = arena_alloc(drafts->arena, sizeof(*draft));
    draft->key = arena_str(drafts->arena, key);
    if (drafts->count == drafts->capacity) {
        drafts->capacity = drafts->capacity == 0 ? 16 : drafts->capacity * 2;
        drafts->list = mem_resize(drafts->list, drafts->capacity * sizeof(struct edit_draft *));
    }
    drafts->list[drafts->count++] = draft;
    strmap_put(&drafts->by_key, draft->key, draft);
    return draft;
}

void edit_drafts_done(struct edit_drafts *drafts)
{
    for (size_t i = 0; i < drafts->count; i++) {
        strmap_done(&drafts->list[i]->by_from);
    }
    strmap_done(&drafts->by_key);
    strmap_done(&drafts->ids);
    spec_intern_done(&drafts->classes);
    spec_intern_done(&drafts->policies);
    buf_done(&drafts->class_list);
    buf_done(&drafts->policy_list);
    mem_free(drafts->list);
    arena_done(&drafts->scratch);
    condition_engine_free(drafts->conditions);
}

bool edit_drafts_spend(struct edit_drafts *drafts, size_t reads)
{
    struct edit_budget *budget = drafts->budget;
    if (drafts->err != ERR_NONE) {
        return false;
    }
    if (reads > budget->reads) {
        budget->reads = 0;
        drafts->err = reason_set(drafts->reason, ERR_LIMIT, "it reads too much for one turn");
    } else if (drafts->arena->bytes > budget->bytes_max) {
        drafts->err =
            reason_set(drafts->reason, ERR_LIMIT,
                       "what it changes, with all dependencies, takes more than %zu MiB of memory: "
                       "make it by several edits",
                       budget->bytes_max >> 20);
    } else {
        budget->reads -= reads;
    }
    return drafts->err == ERR_NONE;
}

static void keep_id(struct edit_drafts *drafts, struct str key, int64_t id)
{
    strmap_put(&drafts->ids, key, (void *)(uintptr_t)id);
}

enum err edit_drafts_id(struct edit_drafts *drafts, struct str key, int64_t *ret_id)
{
    const void *kept = strmap_get(&drafts->ids, key);
    if (kept != NULL) {
        *ret_id = (int64_t)(uintptr_t)kept;
        return ERR_NONE;
    }
    if (!edit_drafts_spend(drafts, 1)) {
        return drafts->err;
    }
    enum err err =
        edit_lookup_id(drafts->store, drafts->constellation_id, key, ret_id, drafts->reason);
    if (err == ERR_NONE) {
        keep_id(drafts, key, *ret_id);
    } else if (err != ERR_NOT_FOUND) {
        drafts->err = err;
    }
    return err;
}

static size_t reads_of(struct str text)
{
    return 1 + text.length / EDIT_BYTES_A_READ;
}

/* All that there is of a task, with what leads into it. */
static bool spend_on_task(struct edit_drafts *drafts, int64_t id)
{
    size_t max = drafts->budget->reads;
    return edit_drafts_spend(
        drafts, 1 + 2 * engine_count_needs(drafts->engine, drafts->constellation_id, id, max));
}

static void take_known_needs(struct edit_drafts *drafts, struct edit_draft *draft)
{
    draft->needs =
        arena_array(drafts->arena, draft->known.needs_count, sizeof(struct edit_draft_need));
    draft->needs_count = draft->known.needs_count;
    draft->needs_capacity = draft->needs_count;
    for (size_t i = 0; i < draft->needs_count; i++) {
        const struct edit_known_need *known = &draft->known.needs[i];
        draft->needs[i] = (struct edit_draft_need){
            .need = known->need,
            .known = (uint32_t)i + 1,
        };
    }
}

/* The draft of a task that is there; NULL: there is none (and no fault of it), or the store failed. */
static struct edit_draft *load(struct edit_drafts *drafts, struct str key)
{
    struct edit_draft *draft = strmap_get(&drafts->by_key, key);
    int64_t id = 0;
    if (draft != NULL || edit_drafts_id(drafts, key, &id) != ERR_NONE ||
        !spend_on_task(drafts, id)) {
        return draft;
    }
    struct edit_known known = { 0 };
    enum err err = edit_lookup_needs(drafts->store, id, drafts->arena, &known, drafts->reason);
    if (err != ERR_NONE) {
        drafts->err = err;
        return NULL;
    }
    draft = new_draft(drafts, key);
    draft->known = known;
    take_known_needs(drafts, draft);
    return draft;
}

bool edit_draft_know_text(struct edit_drafts *drafts, struct edit_draft *draft)
{
    struct edit_known *known = &draft->known;
    if (known->id == 0 || known->has_text) {
        return true;
    }
    enum err err = edit_lookup_text(drafts->store, known, drafts->arena, drafts->reason);
    if (err != ERR_NONE) {
        drafts->err = err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
        return false;
    }
    return edit_drafts_spend(drafts, reads_of(known->task.body));
}

struct str edit_place(struct edit_drafts *drafts, uint32_t index, const char *place)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "/operations/%u/%s", (unsigned)index, place);
    return arena_str(drafts->arena, (struct str){ text, (size_t)length });
}

struct edit_draft *edit_drafts_find(struct edit_drafts *drafts, struct str key, uint32_t index,
                                    const char *place)
{
    struct edit_draft *draft = load(drafts, key);
    if (drafts->err != ERR_NONE || (draft != NULL && !draft->is_removed)) {
        return drafts->err == ERR_NONE ? draft : NULL;
    }
    const struct edit_fault fault = {
        .part = EDIT_PART_OPERATION,
        .index = index,
        .code = "unknown_task",
        .path = edit_place(drafts, index, place),
    };
    struct edit_fault *added = edit_fault_add(
        drafts->faults, &fault,
        draft != NULL ? "\"%.*s\" is removed by this edit" : "no task \"%.*s\"", STR_ARG(key));
    if (added != NULL && draft == NULL) {
        edit_hint(drafts, added, key);
    }
    return NULL;
}

/* --- Reading a task's text. --- */

bool edit_drafts_have(struct edit_drafts *drafts, struct str key)
{
    const struct edit_draft *draft = strmap_get(&drafts->by_key, key);
    if (draft != NULL) {
        return !draft->is_removed;
    }
    int64_t id = 0;
    return edit_drafts_id(drafts, key, &id) == ERR_NONE;
}

/* What the batch removes counts while its texts are read: a later operation may end what is left of the
   dependency. If none does, the task that is removed still has a dependent, which is refused. */
static bool has_task(void *context, struct str key)
{
    struct edit_drafts *drafts = context;
    return strmap_get(&drafts->by_key, key) != NULL || edit_drafts_have(drafts, key);
}

static struct spec_scope scope_of(struct edit_drafts *drafts)
{
    return (struct spec_scope){
        .context = drafts,
        .has_task = has_task,
        .limits = drafts->next.limits,
        .limits_count = drafts->next.limits_count,
    };
}

static void take_problems(struct edit_drafts *drafts, const struct spec_problems *problems,
                          uint32_t index, const char *place)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct spec_problem *problem = &problems->list[i];
        struct str base = edit_place(drafts, index, place);
        char path[512];
        int length =
            snprintf(path, sizeof(path), "%.*s%.*s", STR_ARG(base), STR_ARG(problem->path));
        size_t bytes = (size_t)length < sizeof(path) ? (size_t)length : sizeof(path) - 1;
        const struct edit_fault fault = {
            .part = EDIT_PART_OPERATION,
            .index = index,
            .code = problem->code,
            .path = arena_str(drafts->arena, (struct str){ path, bytes }),
            .allowed = arena_str(drafts->arena, problem->allowed),
        };
        edit_fault_add(drafts->faults, &fault, "%.*s", STR_ARG(problem->detail));
    }
}

static bool read_one(struct edit_drafts *drafts, struct edit_draft *draft, struct str json,
                     uint32_t index, const char *place)
{
    struct spec_scope scope = scope_of(drafts);
    struct spec_problems problems;
    struct spec_one one;
    if (!edit_drafts_spend(drafts, reads_of(json))) {
        return false;
    }
    enum err err = spec_read_one(draft->key, json, &scope, drafts->arena, &one, &problems);
    if (drafts->err != ERR_NONE) {
        return false;
    }
    if (err != ERR_NONE) {
        take_problems(drafts, &problems, index, place);
        return false;
    }
    draft->one = one;
    draft->has_one = true;
    return true;
}

static const struct spec_need *needs_left(struct edit_drafts *drafts,
                                          const struct edit_draft *draft, size_t *ret_count)
{
    struct spec_need *needs = arena_array(drafts->arena, draft->needs_count, sizeof(*needs));
    size_t count = 0;
    for (size_t i = 0; i < draft->needs_count; i++) {
        if (!draft->needs[i].is_gone) {
            needs[count++] = draft->needs[i].need;
        }
    }
    *ret_count = count;
    return needs;
}

struct str edit_draft_render(struct edit_drafts *drafts, const struct edit_draft *draft)
{
    struct spec_task_view view;
    if (draft->has_one) {
        struct spec_scope scope = scope_of(drafts);
        view = spec_view_of_one(&draft->one, &scope);
    } else {
        view = (struct spec_task_view){
            .task = &draft->known.task,
            .class = &draft->known.class,
            .policy = &draft->known.policy,
            .body = &draft->known.body,
            .same_device = draft->known.same_device,
            .other_device = draft->known.other_device,
            .limits = drafts->top.limits, /* it may name one that goes: then it says so */
        };
    }
    view.needs = needs_left(drafts, draft, &view.needs_count);
    struct buf json = { 0 };
    spec_render_task(&view, &json);
    struct str text =
        arena_str(drafts->arena, (struct str){ (const char *)json.data, json.length });
    buf_done(&json);
    return text;
}

/* What has been read takes the place of the needs; what is as it was before stays the same edge. */
static void take_needs(struct edit_drafts *drafts, struct edit_draft *draft, uint32_t index)
{
    struct edit_draft_need *before = draft->needs;
    size_t before_count = draft->needs_count;
    size_t count = draft->one.needs_count;
    struct edit_draft_need *needs = arena_array(drafts->arena, count, sizeof(*needs));
    struct edit_needs_map map;
    edit_needs_map_init(&map, before, before_count, drafts->arena);
    for (size_t i = 0; i < count; i++) {
        needs[i] = (struct edit_draft_need){ .need = draft->one.needs[i], .index = index };
        const struct edit_draft_need *old = edit_needs_map_take(&map, &needs[i].need, true);
        if (old != NULL) {
            needs[i].known = old->known;
            needs[i].index = old->index;
            needs[i].need.condition = old->need.condition;
            needs[i].need.arguments = old->need.arguments;
        }
    }
    edit_needs_map_done(&map);
    draft->needs = needs;
    draft->needs_count = count;
    draft->needs_capacity = count;
    strmap_done(&draft->by_from);
    draft->has_by_from = false;
    draft->needs_index = index;
}

bool edit_draft_has_references(const struct edit_drafts *drafts, const struct edit_draft *draft)
{
    if (draft->has_one) {
        return draft->one.task.has_references || draft->one.same_device.length > 0 ||
               draft->one.other_device.length > 0;
    }
    return engine_task_refers(drafts->engine, drafts->constellation_id, draft->known.id);
}

bool edit_draft_reread(struct edit_drafts *drafts, struct edit_draft *draft, struct str set,
                       uint32_t index, const char *place)
{
    if (!edit_draft_know_text(drafts, draft) ||
        !edit_drafts_spend(drafts, reads_of(set) + draft->needs_count)) {
        return false;
    }
    for (size_t i = 0; i < draft->known.needs_count; i++) { /* these it will name again */
        const struct edit_known_need *known = &draft->known.needs[i];
        keep_id(drafts, known->need.task, known->from_id);
    }
    struct str before = edit_draft_render(drafts, draft);
    struct buf json = { 0 };
    edit_json_merge(before, set, &drafts->scratch, &json);
    arena_clear(&drafts->scratch);
    struct str text =
        arena_str(drafts->arena, (struct str){ (const char *)json.data, json.length });
    buf_done(&json);
    if (!read_one(drafts, draft, text, index, place)) {
        return false;
    }
    take_needs(drafts, draft, index);
    return true;
}

/* --- The operations. --- */

void edit_draft_add(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    struct edit_draft *draft = load(drafts, operation->task);
    if (drafts->err != ERR_NONE) {
        return;
    }
    if (draft != NULL && !draft->is_removed) {
        const struct edit_fault fault = {
            .part = EDIT_PART_OPERATION,
            .index = operation->index,
            .code = "duplicate_key",
            .path = edit_place(drafts, operation->index, "task"),
        };
        edit_fault_add(drafts->faults, &fault, "there is a task \"%.*s\" already",
                       STR_ARG(operation->task));
        return;
    }
    if (draft == NULL) {
        draft = new_draft(drafts, operation->task);
        draft->is_added = true;
    }
    /* Removed and added again: it does something else from here on, and what needs it still does. */
    draft->is_rewritten = !draft->is_added;
    draft->is_removed = false;
    draft->index = operation->index;
}

void edit_draft_remove(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    struct edit_draft *draft = edit_drafts_find(drafts, operation->task, operation->index, "task");
    if (draft != NULL) {
        draft->is_removed = true;
        draft->is_rewritten = false;
        draft->index = operation->index;
    }
}

/* Whether nothing but `needs` is set: then its text stays as it is. */
static bool sets_needs_only(struct edit_drafts *drafts, struct str set)
{
    const struct spec_node *map = edit_json_parse(set, &drafts->scratch);
    bool is_only = map != NULL && map->length == 1 && str_is(spec_node_text(map->first), "needs");
    arena_clear(&drafts->scratch);
    return is_only;
}

void edit_draft_update(struct edit_drafts *drafts, const struct batch_operation *operation)
{
    bool is_whole = operation->kind == BATCH_ADD_TASK;
    struct edit_draft *draft =
        is_whole ? strmap_get(&drafts->by_key, operation->task)
                 : edit_drafts_find(drafts, operation->task, operation->index, "task");
    if (draft == NULL || draft->is_removed) {
        return;
    }
    if (is_whole) {
        if (draft->index == operation->index && /* else it is a duplicate, and refused */
            read_one(drafts, draft, operation->text, operation->index, "spec")) {
            take_needs(drafts, draft, operation->index);
        }
        return;
    }
    if (draft->is_added && !draft->has_one) {
        return; /* what adds it is wrong: more would be said of the same */
    }
    if (edit_draft_reread(drafts, draft, operation->text, operation->index, "set") &&
        !sets_needs_only(drafts, operation->text)) {
        draft->is_rewritten = true;
        draft->index = draft->is_added ? draft->index : operation->index;
    }
}
