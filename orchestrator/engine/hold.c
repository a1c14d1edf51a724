/* Holds: a pause on new assignments in a part of a constellation, while someone thinks or must decide.
   What a held task depends on is decided all the same; only that it starts, or is skipped, waits. An
   approval does not keep its task from being skipped: it ends with it, and is asked for anew if the task
   waits again. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

bool hold_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct hold *x = HEAP_OWNER(a, const struct hold, timer);
    const struct hold *y = HEAP_OWNER(b, const struct hold, timer);
    return x->timer_boot_ms != y->timer_boot_ms ? x->timer_boot_ms < y->timer_boot_ms
                                                : x->record.id < y->record.id;
}

static uint64_t root_key(int64_t task_id, enum hold_origin origin)
{
    return (uint64_t)task_id * 2 + (origin == HOLD_FAILURE);
}

static bool is_of_root(const struct hold *hold)
{
    return hold->record.origin == HOLD_FAILURE || hold->record.origin == HOLD_APPROVAL;
}

/* Those of requests stand first, a few at the most; then those of failures, which are bounded too. There
   may be as many approvals as tasks, and what looks for one of the others must not go through them. */
static void enlist(struct constellation *constellation, struct hold *hold)
{
    struct hold *before = constellation->holds;
    if (hold->record.origin == HOLD_FAILURE) {
        before = constellation->root_holds_first;
    } else if (hold->record.origin == HOLD_APPROVAL) {
        before = constellation->approvals_first;
    }
    if (is_of_root(hold) && constellation->root_holds_first == before) {
        constellation->root_holds_first = hold;
    }
    if (hold->record.origin == HOLD_APPROVAL) {
        constellation->approvals_first = hold;
    }
    struct hold *after = before == NULL ? constellation->holds_last : before->previous;
    hold->previous = after;
    hold->next = before;
    *(before == NULL ? &constellation->holds_last : &before->previous) = hold;
    *(after == NULL ? &constellation->holds : &after->next) = hold;
}

static void delist(struct constellation *constellation, struct hold *hold)
{
    if (constellation->root_holds_first == hold) {
        constellation->root_holds_first = hold->next;
    }
    if (constellation->approvals_first == hold) {
        constellation->approvals_first = hold->next;
    }
    *(hold->previous == NULL ? &constellation->holds : &hold->previous->next) = hold->next;
    *(hold->next == NULL ? &constellation->holds_last : &hold->next->previous) = hold->previous;
}

struct hold *hold_new(struct engine *engine, struct constellation *constellation,
                      const struct hold_record *record)
{
    struct hold *hold = mem_alloc(sizeof *hold);
    hold->record = *record;
    hold->constellation = constellation;
    enlist(constellation, hold);
    constellation->holds_count += record->origin == HOLD_BY_REQUEST || record->origin == HOLD_PAUSE;
    constellation->holds_all += record->scope == HOLD_ALL;
    if (record->origin == HOLD_FAILURE) {
        constellation->failure_holds++;
        struct task *root = constellation_find_task(constellation, record->root_task_id);
        CHECK(root != NULL);
        root->failure_held = true;
    }
    if (is_of_root(hold)) {
        map_put(&constellation->root_holds, root_key(record->root_task_id, record->origin), hold);
    }
    map_put(&engine->holds, (uint64_t)record->id, hold);
    return hold;
}

struct hold *hold_of_root(const struct constellation *constellation, int64_t task_id,
                          enum hold_origin origin)
{
    return map_get(&constellation->root_holds, root_key(task_id, origin));
}

/* Of the books: what it names stays. */
static void take_out(struct engine *engine, struct hold *hold)
{
    struct constellation *constellation = hold->constellation;
    if (heap_holds(&hold->timer)) {
        heap_remove(&engine->hold_timers, &hold->timer);
    }
    delist(constellation, hold);
    if (is_of_root(hold)) {
        map_remove(&constellation->root_holds,
                   root_key(hold->record.root_task_id, hold->record.origin));
    }
    map_remove(&engine->holds, (uint64_t)hold->record.id);
}

static void drop(struct hold *hold)
{
    map_done(&hold->names);
    mem_free(hold->tasks);
    mem_free(hold);
}

void hold_free(struct engine *engine, struct hold *hold)
{
    take_out(engine, hold);
    drop(hold);
}

void hold_arm(struct engine *engine, struct hold *hold)
{
    if (hold->record.deadline_wall_ms != 0 && !heap_holds(&hold->timer)) {
        hold->timer_boot_ms =
            engine_remaining_boot_ms(engine, hold->record.deadline_wall_ms, hold->record.length_ms);
        heap_insert(&engine->hold_timers, &hold->timer);
    }
}

enum { NAMES_LISTED = 8 }; /* more of them are looked up in a map */

bool hold_names(const struct hold *hold, int64_t task_id)
{
    if (hold->tasks_count > NAMES_LISTED) {
        return map_get(&hold->names, (uint64_t)task_id) != NULL;
    }
    for (size_t i = 0; i < hold->tasks_count; i++) {
        if (hold->tasks[i] == task_id) {
            return true;
        }
    }
    return false;
}

void hold_add(struct hold *hold, struct task *task)
{
    if (hold->tasks_count == hold->tasks_capacity) {
        hold->tasks_capacity = hold->tasks_capacity == 0 ? 1 : hold->tasks_capacity * 2;
        hold->tasks = mem_resize(hold->tasks, hold->tasks_capacity * sizeof hold->tasks[0]);
    }
    hold->tasks[hold->tasks_count++] = task->record.id;
    if (hold->tasks_count > NAMES_LISTED) {
        size_t from = hold->tasks_count == NAMES_LISTED + 1 ? 0 : hold->tasks_count - 1;
        for (size_t i = from; i < hold->tasks_count; i++) {
            map_put(&hold->names, (uint64_t)hold->tasks[i], hold);
        }
    }
    task->held++;
}

static void name_task(struct engine *engine, struct hold *hold, struct task *task)
{
    hold_add(hold, task);
    if (task->queue == QUEUE_READY || task->queue == QUEUE_PREPARE) {
        task_unqueue(engine, task);
    }
    struct effect *effect = effects_add(engine->effects, EFFECT_ADD_HOLD_TASK);
    effect->hold_task.hold_id = hold->record.id;
    effect->hold_task.task_id = task->record.id;
}

/* Its row, its timer, its line in the books. Text is borrowed for the turn. */
static struct hold *place(struct engine *engine, struct constellation *constellation,
                          struct hold_record record, int64_t length_ms, struct str owner,
                          struct str reason)
{
    record.id = record.id != 0 ? record.id : engine->config.next_hold_id++;
    record.constellation_id = constellation->record.id;
    record.created_wall_ms = engine->now.wall_ms;
    if (length_ms > 0) {
        record.length_ms = length_ms;
        record.deadline_wall_ms = engine->now.wall_ms + length_ms;
    }
    struct hold *hold = hold_new(engine, constellation, &record);
    hold_arm(engine, hold);
    struct effect *effect = effects_add(engine->effects, EFFECT_ADD_HOLD);
    effect->hold.record =
        (const void *)arena_copy(&engine->effects->arena, (const char *)&record, sizeof record);
    effect->hold.owner = arena_str(&engine->effects->arena, owner);
    effect->hold.reason = arena_str(&engine->effects->arena, reason);
    if (record.origin != HOLD_APPROVAL) {
        struct history *history = engine_history(engine, HISTORY_HOLD_PLACED);
        history->constellation_id = record.constellation_id;
        history->task_id = record.root_task_id;
        history->number = record.id;
        history->text = engine_by(engine, record.origin == HOLD_FAILURE ? AUTHOR_RULE : AUTHOR_USER,
                                  owner, reason);
    }
    return hold;
}

void hold_failure(struct engine *engine, struct task *task)
{
    struct hold_record record = {
        .scope = HOLD_TASKS,
        .origin = HOLD_FAILURE,
        .on_expiry = HOLD_EXPIRY_RELEASE,
        .root_task_id = task->record.id,
    };
    place(engine, task->constellation, record, task->policy->record.plan.hold_on_failure_ms,
          STR("hold_on_failure"), STR("a task has failed"));
}

void hold_approval(struct engine *engine, struct task *task)
{
    struct hold_record record = {
        .scope = HOLD_TASKS,
        .origin = HOLD_APPROVAL,
        .on_expiry = HOLD_EXPIRY_RELEASE,
        .root_task_id = task->record.id,
    };
    struct hold *hold =
        place(engine, task->constellation, record, 0, STR("spec"), (struct str){ 0 });
    name_task(engine, hold, task);
}

struct hold *hold_reopening(struct engine *engine, struct constellation *constellation,
                            enum hold_origin kind, const uint32_t *tasks, size_t count,
                            struct str actor)
{
    struct hold_record record = {
        .scope = HOLD_ALL,
        .origin = kind,
        .on_expiry = HOLD_EXPIRY_RELEASE,
    };
    struct hold *hold = place(engine, constellation, record, 0, actor,
                              kind == HOLD_RERUN ? STR("a rerun of many tasks is being made")
                                                 : STR("a retry of many tasks is being made"));
    for (size_t i = 0; i < count; i++) {
        name_task(engine, hold, constellation_task(constellation, tasks[i]));
    }
    return hold;
}

struct hold *hold_bulk(struct engine *engine, struct constellation *constellation, int64_t id,
                       uint32_t operations, struct str actor)
{
    struct hold_record record = {
        .id = id,
        .scope = HOLD_ALL,
        .origin = HOLD_BULK,
        .on_expiry = HOLD_EXPIRY_RELEASE,
    };
    struct str reason = operations == 0
                            ? STR("an edit of many operations is being made") /* not read yet */
                            : engine_text(engine, "an edit of %u operation%s is being made",
                                          operations, operations == 1 ? "" : "s");
    return place(engine, constellation, record, 0, actor, reason);
}

/* All behind the root, breadth first. False: more than one hold may name. */
static bool collect_descendants(struct constellation *constellation, const struct task *root,
                                uint32_t **ret_list, size_t *ret_count)
{
    uint32_t *list = mem_array(ENGINE_HOLD_TASKS_MAX, sizeof *list);
    struct map seen = { 0 };
    size_t count = 0;
    bool fits = true;
    const struct task *from = root;
    for (size_t next = 0; fits; from = constellation_task(constellation, list[next++])) {
        for (uint32_t at = from->first_out; at != 0 && fits;) {
            const struct edge *edge = constellation_edge(constellation, at - 1);
            at = edge->next_out;
            if (map_get(&seen, (uint64_t)edge->to + 1) != NULL) {
                continue;
            }
            fits = count < ENGINE_HOLD_TASKS_MAX;
            if (fits) {
                map_put(&seen, (uint64_t)edge->to + 1, list);
                list[count++] = edge->to;
            }
        }
        if (next == count) {
            break;
        }
    }
    map_done(&seen);
    *ret_list = list;
    *ret_count = count;
    return fits;
}

/* Turns the ids of the request into indexes; refuses what is not there. */
static enum err find_tasks(struct constellation *constellation, const struct event *event,
                           uint32_t **ret_list, size_t *ret_count, const char **ret_why)
{
    size_t ids = event->hold.task_ids_count;
    *ret_why = "hold_too_wide: hold the whole constellation";
    if (ids > ENGINE_HOLD_TASKS_MAX) {
        return ERR_LIMIT;
    }
    uint32_t *list = mem_array(ids + 1, sizeof *list);
    struct map seen = { 0 };
    size_t count = 0;
    bool all_there = true;
    for (size_t i = 0; i < ids && all_there; i++) {
        const struct task *task = constellation_find_task(constellation, event->hold.task_ids[i]);
        all_there = task != NULL;
        if (all_there && map_get(&seen, (uint64_t)task->index + 1) == NULL) {
            map_put(&seen, (uint64_t)task->index + 1, list);
            list[count++] = task->index;
        }
    }
    map_done(&seen);
    if (!all_there) {
        mem_free(list);
        *ret_why = "no such task";
        return ERR_NOT_FOUND;
    }
    *ret_list = list;
    *ret_count = count;
    if (event->hold.scope != HOLD_DESCENDANTS) {
        return ERR_NONE;
    }
    CHECK(ids == 1);
    const struct task *root = constellation_task(constellation, list[0]);
    mem_free(list);
    if (!collect_descendants(constellation, root, ret_list, ret_count)) {
        mem_free(*ret_list);
        return ERR_LIMIT;
    }
    return ERR_NONE;
}

struct hold *hold_pause(const struct constellation *constellation)
{
    for (struct hold *hold = constellation->holds; hold != constellation->root_holds_first;
         hold = hold->next) {
        if (hold->record.origin == HOLD_PAUSE) {
            return hold;
        }
    }
    return NULL;
}

void hold_place(struct engine *engine, const struct event *event)
{
    int64_t id = event->hold.constellation_id;
    uint64_t request = event->hold.request;
    struct constellation *constellation = map_get(&engine->constellations, (uint64_t)id);
    if (constellation == NULL || constellation->record.state != CONSTELLATION_RUNNING) {
        engine_reply(engine, request, constellation == NULL ? ERR_NOT_FOUND : ERR_CONFLICT, id,
                     STR("the constellation is not running"));
        return;
    }
    struct hold *hold = event->hold.origin == HOLD_PAUSE ? hold_pause(constellation) : NULL;
    if (hold != NULL) {
        engine_reply(engine, request, ERR_NONE, id, STR(""))->reply.hold_id = hold->record.id;
        return;
    }
    if (constellation->holds_count == ENGINE_HOLDS_MAX) {
        engine_reply(engine, request, ERR_LIMIT, id, STR("too many holds are on it"));
        return;
    }
    uint32_t *list = NULL;
    size_t count = 0;
    const char *why = "";
    if (event->hold.scope != HOLD_ALL) {
        enum err err = find_tasks(constellation, event, &list, &count, &why);
        if (err != ERR_NONE) {
            engine_reply(engine, request, err, id, str_of(why));
            return;
        }
    }
    struct hold_record record = {
        .scope = event->hold.scope,
        .origin = event->hold.origin,
        .on_expiry = event->hold.on_expiry,
        .root_task_id = event->hold.scope == HOLD_DESCENDANTS ? event->hold.task_ids[0] : 0,
    };
    hold = place(engine, constellation, record, event->hold.length_ms, event->hold.owner,
                 event->hold.reason);
    for (size_t i = 0; i < count; i++) {
        name_task(engine, hold, constellation_task(constellation, list[i]));
    }
    mem_free(list);
    engine_reply(engine, request, ERR_NONE, id, STR(""))->reply.hold_id = hold->record.id;
}

void hold_end_all(struct engine *engine, struct constellation *constellation)
{
    while (constellation->holds != NULL) {
        struct hold *hold = constellation->holds;
        effects_add(engine->effects, EFFECT_REMOVE_HOLD)->id = hold->record.id;
        take_out(engine, hold);
        hold->next = constellation->holds_over;
        constellation->holds_over = hold;
    }
    constellation->holds_count = 0;
    constellation->holds_all = 0;
}

void hold_forget_over(struct constellation *constellation, bool goes_on)
{
    while (constellation->holds_over != NULL) {
        struct hold *hold = constellation->holds_over;
        constellation->holds_over = hold->next;
        for (size_t i = 0; goes_on && i < hold->tasks_count; i++) {
            struct task *task = constellation_find_task(constellation, hold->tasks[i]);
            if (task != NULL) {
                task->held--;
            }
        }
        drop(hold);
    }
}

void hold_extend(struct engine *engine, const struct task *from, struct task *task)
{
    for (struct hold *hold = task->constellation->holds;
         hold != task->constellation->root_holds_first; hold = hold->next) {
        bool below =
            hold->record.scope == HOLD_DESCENDANTS &&
            (hold->record.root_task_id == from->record.id || hold_names(hold, from->record.id));
        if (below && !hold_names(hold, task->record.id) &&
            hold->tasks_count < ENGINE_HOLD_TASKS_MAX) {
            name_task(engine, hold, task);
        }
    }
}
