/* An edit that was found good becomes the plan: rows, books, queues. The graph is linked already. */
#include "common/base/mem.h"
#include "orchestrator/engine/edit_batch.h"

/* The edit lives for the step, the effects until the turn ends. */
static const struct plan_task *keep_task(const struct batch *batch, const struct plan_task *plan)
{
    struct arena *arena = &batch->engine->effects->arena;
    struct plan_task *copy = arena_alloc(arena, sizeof *copy);
    *copy = *plan;
    copy->key = arena_str(arena, plan->key);
    copy->body = arena_str(arena, plan->body);
    copy->group = arena_str(arena, plan->group);
    copy->description = arena_str(arena, plan->description);
    copy->hold = arena_str(arena, plan->hold);
    return copy;
}

static const struct plan_edge *keep_edge(const struct batch *batch, const struct plan_edge *plan)
{
    struct arena *arena = &batch->engine->effects->arena;
    struct plan_edge *copy = arena_alloc(arena, sizeof *copy);
    *copy = *plan;
    copy->condition = arena_str(arena, plan->condition);
    copy->arguments = arena_str(arena, plan->arguments);
    return copy;
}

/* The first of all: from here on tasks may move. */
static void reopen_if_needed(struct batch *batch)
{
    const struct constellation *constellation = batch->constellation;
    bool goes_on = constellation->remaining > 0;
    for (size_t i = 0; i < batch->touches_count && !goes_on; i++) {
        const struct touch *touch = &batch->touches[i];
        const struct task *task = constellation_task(constellation, touch->task);
        goes_on = !touch->is_removed && task->record.state == TASK_SKIPPED &&
                  (touch->is_rewired || touch->is_updated) &&
                  forecast_ways(task, true, NULL) != WAYS_CLOSED;
    }
    batch->has_reopened = goes_on && constellation_state_is_final(constellation->record.state);
    if (goes_on) {
        constellation_reopen(batch->engine, batch->constellation, batch->edit->author);
    }
}

static void apply_removed_edges(struct batch *batch)
{
    for (size_t i = 0; i < batch->edges_count; i++) {
        if (batch->edges[i].is_removed) {
            uint32_t index = batch->edges[i].edge;
            effects_add(batch->engine->effects, EFFECT_REMOVE_EDGE)->id = batch->edges[i].was.id;
            storage_release_edge(batch->constellation, index);
        }
    }
}

/* From the queues of what is ready, or will be when its inputs are filled in. */
static void leave_queues(struct batch *batch)
{
    for (size_t i = 0; i < batch->touches_count; i++) {
        const struct touch *touch = &batch->touches[i];
        struct task *task = constellation_task(batch->constellation, touch->task);
        CHECK(task->queue != QUEUE_PREPARING);
        if ((touch->is_removed || touch->is_updated || touch->is_rewired) &&
            (task->queue == QUEUE_READY || task->queue == QUEUE_PREPARE)) {
            task_unqueue(batch->engine, task);
        }
    }
}

static void end_approval(struct batch *batch, const struct task *task, const char *why)
{
    struct hold *hold = hold_of_root(batch->constellation, task->record.id, HOLD_APPROVAL);
    if (hold != NULL) {
        hold_end(batch->engine, hold, str_of(why));
    }
}

/* With its task, which does not go on for it. */
static void drop_approval(struct batch *batch, struct task *task)
{
    struct hold *hold = hold_of_root(batch->constellation, task->record.id, HOLD_APPROVAL);
    if (hold != NULL) {
        task->held -= (uint16_t)hold->tasks_count;
        hold->tasks_count = 0;
        hold_end(batch->engine, hold, STR("its task was removed"));
    }
}

static void apply_removed_tasks(struct batch *batch)
{
    for (size_t i = 0; i < batch->touches_count; i++) {
        struct task *task = constellation_task(batch->constellation, batch->touches[i].task);
        if (batch->touches[i].is_removed) {
            drop_approval(batch, task);
            effects_add(batch->engine->effects, EFFECT_REMOVE_TASK)->id = task->record.id;
            storage_drop_task(batch->engine, task);
        }
    }
}

static int64_t id_of(const struct batch *batch, edit_task task)
{
    return task >= 0 ? task : batch_task(batch, task)->record.id;
}

static void apply_class(struct batch *batch, const struct edit_operation *operation,
                        struct task *task)
{
    struct engine *engine = batch->engine;
    struct class_record wanted = placement_wanted(
        operation->write.class, batch->constellation->record.id,
        id_of(batch, operation->write.same_device), id_of(batch, operation->write.other_device));
    storage_class_task(task, placement_class_of(engine, &wanted),
                       placement_policy(engine, operation->write.policy));
}

static void apply_added_tasks(struct batch *batch)
{
    struct engine *engine = batch->engine;
    for (size_t i = 0; i < batch->edit->tasks_added; i++) {
        struct task *task = constellation_task(batch->constellation, batch->added[i]);
        apply_class(batch, batch->adds[i], task);
        engine_mark(engine, &task->mark);
        struct effect *effect = effects_add(engine->effects, EFFECT_ADD_TASK);
        effect->task.record = &task->record;
        effect->task.constellation_id = batch->constellation->record.id;
        effect->task.plan = keep_task(batch, batch->adds[i]->write.plan);
    }
    for (size_t i = 0; i < batch->edit->tasks_added; i++) {
        struct task *task = constellation_task(batch->constellation, batch->added[i]);
        if ((task->record.flags & TASK_APPROVAL) != 0) {
            hold_approval(engine, task);
        }
    }
}

static void apply_update(struct batch *batch, const struct edit_operation *operation)
{
    struct engine *engine = batch->engine;
    struct task *task = batch_task(batch, operation->write.task);
    const struct plan_task *plan = operation->write.plan;
    if (task->queue == QUEUE_READY || task->queue == QUEUE_PREPARE) {
        /* It was written before, and the end of its approval let it go. */
        task_unqueue(engine, task);
    }
    apply_class(batch, operation, task);
    task->record.priority = (int16_t)plan->priority;
    task->record.body_bytes = (uint32_t)plan->body.length;
    task->record.has_references = plan->has_references;
    task->record.prepared = false;
    struct effect *effect = effects_add(engine->effects, EFFECT_TASK_TEXT);
    effect->task.record = &task->record;
    effect->task.constellation_id = batch->constellation->record.id;
    effect->task.plan = keep_task(batch, plan);
    bool is_approval = (task->record.flags & TASK_APPROVAL) != 0;
    bool was_approval = (batch_find(batch, task->index)->flags & TASK_APPROVAL) != 0;
    /* What is skipped is asked about when it waits again. */
    if (is_approval && !was_approval && task->record.state != TASK_SKIPPED &&
        hold_of_root(batch->constellation, task->record.id, HOLD_APPROVAL) == NULL) {
        hold_approval(engine, task);
    } else if (!is_approval) {
        end_approval(batch, task, "no approval is asked for any more");
    }
}

static void apply_edges(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    for (size_t i = 0; i < batch->edges_count; i++) {
        const struct edge_touch *touch = &batch->edges[i];
        if (!touch->is_added && !touch->is_updated) {
            continue;
        }
        struct edge *edge = constellation_edge(constellation, touch->edge);
        struct effect *effect = effects_add(batch->engine->effects,
                                            touch->is_added ? EFFECT_ADD_EDGE : EFFECT_EDGE_TEXT);
        effect->edge.constellation_id = constellation->record.id;
        effect->edge.record = decision_record(constellation, edge);
        effect->edge.plan = keep_edge(batch, &touch->operation->edge.plan);
        if (touch->is_updated) {
            effect = effects_add(batch->engine->effects, EFFECT_SAVE_EDGE);
            effect->edge.constellation_id = constellation->record.id;
            effect->edge.record = decision_record(constellation, edge);
            task_drop_inputs(batch->engine, constellation_task(constellation, edge->to));
        }
    }
}

/* Backwards: what was added last is mostly nearest to the end, and raises the rest once. */
static void apply_ranks(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    size_t looks = ENGINE_SLICE;
    for (size_t i = batch->edges_count; i > 0 && looks > 0; i--) {
        if (batch->edges[i - 1].is_added) {
            const struct edge *edge = constellation_edge(constellation, batch->edges[i - 1].edge);
            rank_raise(batch->engine, constellation_task(constellation, edge->from),
                       constellation_task(constellation, edge->to), &looks);
        }
    }
}

static void apply_set(struct batch *batch, const struct edit_operation *operation)
{
    struct constellation_record *record = &batch->constellation->record;
    if (operation->set.limits_only) {
        return;
    }
    record->fail_fast = operation->set.fail_fast;
    int64_t deadline_ms = operation->set.deadline_ms;
    int64_t wall_ms = deadline_ms == 0 ? 0 : record->created_wall_ms + deadline_ms;
    /* One made in parts has been reopened, if it had to be, before the first of them. */
    bool begins_again =
        batch->has_reopened || (batch->edit->part != NULL && record->deadline_wall_ms == 0);
    if (begins_again && wall_ms <= batch->engine->now.wall_ms) {
        deadline_ms = wall_ms = 0; /* it was for what is over, and not for what begins again */
    }
    if (wall_ms != record->deadline_wall_ms) {
        record->deadline_wall_ms = wall_ms;
        record->deadline_length_ms = deadline_ms;
        constellation_arm(batch->engine, batch->constellation);
    }
    constellation_save(batch->engine, batch->constellation);
}

/* Before the tasks, which may take part in a new one. */
static void apply_limits(struct batch *batch, const struct edit_operation *operation)
{
    struct engine *engine = batch->engine;
    for (size_t i = 0; i < operation->set.limits_count; i++) {
        struct limit_record record = {
            .constellation_id = batch->constellation->record.id,
            .index = (uint32_t)i,
            .name = arena_str(&engine->effects->arena, operation->set.limits[i].name),
            .capacity = operation->set.limits[i].capacity,
        };
        limit_put(engine, batch->constellation, &record);
        effects_add(engine->effects, EFFECT_ADD_LIMIT)->limit = record;
    }
}

struct place {
    uint64_t order;
    uint32_t edge;
};

static void sift(struct place *list, size_t at, size_t count)
{
    struct place place = list[at];
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && list[child + 1].order > list[child].order;
        if (list[child].order <= place.order) {
            break;
        }
        list[at] = list[child];
        at = child;
    }
    list[at] = place;
}

/* Along the order: what one edge brings into a hold, the next goes out from. The edges of a part come in
   it, and the plan may have none then. */
static void extend_holds(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    bool is_any = false;
    for (const struct hold *hold = constellation->holds;
         hold != constellation->root_holds_first && !is_any; hold = hold->next) {
        is_any = hold->record.scope == HOLD_DESCENDANTS;
    }
    if (!is_any) {
        return;
    }
    struct place *list = mem_array(batch->edges_count + 1, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < batch->edges_count; i++) {
        if (batch->edges[i].is_added) {
            const struct edge *edge = constellation_edge(constellation, batch->edges[i].edge);
            uint64_t order = batch->edit->part != NULL
                                 ? i
                                 : constellation_task(constellation, edge->from)->order;
            list[count++] = (struct place){ order, batch->edges[i].edge };
        }
    }
    for (size_t i = count / 2; i > 0; i--) {
        sift(list, i - 1, count);
    }
    for (size_t end = count; end-- > 1;) {
        struct place last = list[0];
        list[0] = list[end];
        list[end] = last;
        sift(list, 0, end);
    }
    for (size_t i = 0; i < count; i++) {
        const struct edge *edge = constellation_edge(constellation, list[i].edge);
        hold_extend(batch->engine, constellation_task(constellation, edge->from),
                    constellation_task(constellation, edge->to));
    }
    mem_free(list);
}

/* What it has touched counts as touched by this revision, which may be yet to come. */
static void count_in(struct batch *batch, uint32_t revision)
{
    struct constellation_record *record = &batch->constellation->record;
    batch->constellation->edits++;
    record->tasks = batch->constellation->live_tasks;
    record->edges = batch->constellation->live_edges;
    bool is_final = constellation_state_is_final(record->state);
    if (is_final) {
        constellation_note_counts(batch->constellation); /* a skipped task may have gone */
    }
    if (is_final || record->revision != revision) {
        constellation_save(batch->engine, batch->constellation);
    } else {
        constellation_stamp(batch->engine, batch->constellation);
    }
    for (size_t i = 0; i < batch->touches_count; i++) {
        if (!batch->touches[i].is_removed) {
            struct task *task = constellation_task(batch->constellation, batch->touches[i].task);
            task->record.revision = revision;
            if (batch->touches[i].is_updated) {
                task_save(batch->engine, task);
            } else {
                task_stamp(batch->engine, task);
            }
        }
    }
}

static void add_revision(struct batch *batch)
{
    struct engine *engine = batch->engine;
    const struct edit *edit = batch->edit;
    struct arena *arena = &engine->effects->arena;
    struct constellation_record *record = &batch->constellation->record;
    uint32_t base = edit->base_revision == 0 ? record->revision : edit->base_revision;
    record->revision++;
    count_in(batch, record->revision);
    struct revision_record *revision = &effects_add(engine->effects, EFFECT_ADD_REVISION)->revision;
    *revision = (struct revision_record){
        .constellation_id = record->id,
        .number = record->revision,
        .base = base,
        .wall_ms = engine->now.wall_ms,
        .author_kind = edit->author_kind,
        .author = arena_str(arena, edit->author),
        .reason = arena_str(arena, edit->reason),
        .operations = arena_str(arena, edit->text),
        .inverse = arena_str(arena, edit->inverse),
        .bulk_id = edit->part == NULL ? 0 : edit->part->bulk_id,
        .tasks = record->tasks,
        .edges = record->edges,
    };
    struct history *history = engine_history(engine, HISTORY_CONSTELLATION_EDITED);
    history->constellation_id = record->id;
    history->number = record->revision;
    history->text = engine_by(engine, edit->author_kind, edit->author, edit->reason);
}

/* Not before the finally tasks have been called back: it may hold one of them. It may be gone with its
   task by now. */
static void release_hold(struct batch *batch)
{
    int64_t id = batch->edit->release_hold_id;
    struct hold *hold = id == 0 ? NULL : map_get(&batch->engine->holds, (uint64_t)id);
    if (hold != NULL) {
        hold_end(batch->engine, hold, batch->edit->author);
    }
}

void edit_renew(struct engine *engine, struct constellation *constellation,
                const struct renewal *skipped, struct str author)
{
    struct renewal renewal = { 0 };
    if (skipped->count == 0 && constellation->ordinary == 0) {
        return;
    }
    if (reopen_is_large(engine, constellation, skipped->list, skipped->count, HOLD_RETRY)) {
        reopen_begin(engine, constellation, skipped->list, skipped->count, HOLD_RETRY, NULL,
                     author);
        return;
    }
    for (size_t i = 0; i < skipped->count; i++) {
        renewal_add(engine, &renewal, constellation_task(constellation, skipped->list[i]));
    }
    if (constellation->ordinary > 0) {
        renewal_add_finals(engine, constellation, &renewal);
    }
    renewal_spread(engine, constellation, &renewal, false);
    renewal_done(&renewal);
}

static void renew(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    struct renewal skipped = { 0 };
    for (size_t i = 0; i < batch->touches_count; i++) {
        const struct touch *touch = &batch->touches[i];
        const struct task *task = constellation_task(constellation, touch->task);
        if (!touch->is_removed && task->record.state == TASK_SKIPPED &&
            (touch->is_rewired || touch->is_updated) &&
            forecast_ways(task, true, NULL) != WAYS_CLOSED) {
            renewal_list(&skipped, task);
        }
    }
    edit_renew(batch->engine, constellation, &skipped, batch->edit->author);
    renewal_done(&skipped);
}

/* Everything that may be another thing now is looked at. */
static void go_on(struct batch *batch)
{
    struct engine *engine = batch->engine;
    struct constellation *constellation = batch->constellation;
    renew(batch);
    release_hold(batch);
    for (size_t i = 0; i < batch->edges_count; i++) {
        if (!batch->edges[i].is_removed) {
            decision_queue_edge(engine, constellation, batch->edges[i].edge);
        }
    }
    for (size_t i = 0; i < batch->touches_count; i++) {
        const struct touch *touch = &batch->touches[i];
        if (touch->is_rewired || touch->is_updated || touch->is_added) {
            struct task *task = constellation_task(constellation, touch->task);
            if (!touch->is_removed) {
                task_consider(engine, task);
            }
        }
    }
    constellation_settle(engine, constellation);
}

/* The graph is there: now the rows. */
static void apply_changes(struct batch *batch)
{
    const struct edit *edit = batch->edit;
    leave_queues(batch);
    apply_removed_edges(batch);
    apply_removed_tasks(batch);
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_SET) {
            apply_limits(batch, &edit->operations[i]);
        }
    }
    apply_added_tasks(batch);
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_UPDATE_TASK) {
            apply_update(batch, &edit->operations[i]);
        } else if (edit->operations[i].kind == EDIT_SET) {
            apply_set(batch, &edit->operations[i]);
        }
    }
    apply_edges(batch);
    apply_ranks(batch);
    extend_holds(batch);
}

void edit_apply(struct batch *batch)
{
    reopen_if_needed(batch);
    apply_changes(batch);
    add_revision(batch);
    go_on(batch);
}

/* Everything is held, so that no task has to be looked at. What was skipped may be as before when the
   last part is made. */
void edit_apply_part(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    apply_changes(batch);
    if (batch->edit->part->is_last) {
        add_revision(batch);
        release_hold(batch);
    } else {
        count_in(batch, constellation->record.revision + 1);
    }
    for (size_t i = 0; i < batch->edges_count; i++) {
        if (!batch->edges[i].is_removed) {
            decision_queue_edge(batch->engine, constellation, batch->edges[i].edge);
        }
    }
    for (size_t i = 0; i < batch->touches_count; i++) {
        const struct touch *touch = &batch->touches[i];
        if (!touch->is_removed && (touch->is_rewired || touch->is_updated) &&
            constellation_task(constellation, touch->task)->record.state == TASK_SKIPPED) {
            bulk_note_skipped(constellation);
        }
    }
}
