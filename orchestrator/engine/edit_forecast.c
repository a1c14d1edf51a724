/* What will come of an edit: the tasks that become ready or are skipped by it, and what follows from
   those at once. The same for a dry run and for the real thing, since both are asked of the linked graph
   before anything else is done. */
#include "common/base/mem.h"
#include "orchestrator/engine/edit_batch.h"
#include "orchestrator/engine/metrics.h"

struct outlook {
    struct batch *batch;
    struct map states;  /* index + 1 → the state that it will have */
    struct map readied; /* index + 1 */
    uint32_t *list;     /* tasks that will be final: what is behind them follows */
    size_t count;
    size_t capacity;
    size_t looks_left;
    edit_task *ready;
    edit_task *skipped;
};

/* When the hold that goes with the edit is gone: by another than its own approval, which does not keep it
   from being skipped. */
static bool is_held_by_others(const struct batch *batch, const struct task *task)
{
    const struct hold *released = batch->released;
    const struct hold *own = hold_of_root(batch->constellation, task->record.id, HOLD_APPROVAL);
    uint32_t all = batch->constellation->holds_all;
    uint32_t held = task->held - (own != NULL ? 1U : 0U);
    if (released != NULL && released->record.scope == HOLD_ALL) {
        all--;
    } else if (released != NULL && released != own && hold_names(released, task->record.id)) {
        held--;
    }
    return all > 0 || held > 0;
}

/* An approval is asked for already, or will be: of what is new, and of what was skipped and waits again. */
static bool awaits_approval(const struct batch *batch, const struct task *task)
{
    const struct hold *own = hold_of_root(batch->constellation, task->record.id, HOLD_APPROVAL);
    const struct touch *touch = batch_find(batch, task->index);
    bool is_asked = own != NULL && own != batch->released;
    bool is_added = touch != NULL && touch->is_added;
    return (task->record.flags & TASK_APPROVAL) != 0 &&
           (is_asked || is_added || task->record.state == TASK_SKIPPED);
}

/* A finally task is not ready before its time. */
static bool is_early(const struct task *task)
{
    const struct constellation *constellation = task->constellation;
    bool is_time =
        constellation->ordinary == 0 &&
        (constellation->finally_open || constellation_state_is_final(constellation->record.state));
    return (task->record.flags & TASK_FINALLY) != 0 && !is_time;
}

static bool waits(const struct task *task)
{
    return task->record.state == TASK_WAITING && !task_has_started(task);
}

/* By counts alone while nothing is being decided: a task may have a million edges. */
static enum ways ways_now(const struct task *task)
{
    return task->constellation->deciding == 0 ? task_ways(task) : forecast_ways(task, false, NULL);
}

void edit_forecast_before(struct batch *batch)
{
    for (size_t i = 0; i < batch->touches_count; i++) {
        struct touch *touch = &batch->touches[i];
        const struct task *task = constellation_task(batch->constellation, touch->task);
        bool is_held = task_is_held(task);
        bool may_skip = !is_held || task_awaits_approval_only(task);
        enum ways ways = ways_now(task);
        touch->was_ready = waits(task) && !is_held && ways == WAYS_OPEN && !is_early(task);
        touch->was_skipped =
            task->record.state == TASK_SKIPPED || (waits(task) && may_skip && ways == WAYS_CLOSED);
    }
}

static void will_be(struct outlook *outlook, const struct task *task, enum task_state state)
{
    map_put(&outlook->states, (uint64_t)task->index + 1, (void *)(uintptr_t)state);
    if (outlook->count == outlook->capacity) {
        outlook->capacity = outlook->capacity == 0 ? 16 : outlook->capacity * 2;
        outlook->list = mem_resize(outlook->list, outlook->capacity * sizeof outlook->list[0]);
    }
    outlook->list[outlook->count++] = task->index;
}

static void note_ready(struct outlook *outlook, const struct task *task)
{
    struct edit_result *result = &outlook->batch->result;
    if (result->newly_ready_count++ < EDIT_LISTED_MAX) {
        outlook->ready[result->newly_ready_count - 1] = batch_name(outlook->batch, task->index);
    }
}

static void look_at(struct outlook *outlook, const struct task *task)
{
    struct batch *batch = outlook->batch;
    const struct touch *touch = batch_find(batch, task->index);
    bool is_skipped = task->record.state == TASK_SKIPPED;
    bool is_changed = touch != NULL && (touch->is_rewired || touch->is_updated || touch->is_added);
    if (map_get(&outlook->states, (uint64_t)task->index + 1) != NULL ||
        !(waits(task) || (is_skipped && is_changed)) ||
        (!is_skipped && is_held_by_others(batch, task))) {
        return;
    }
    size_t looks = (size_t)task->undecided + task->closed + task->opened + 1;
    if (looks > outlook->looks_left) {
        outlook->looks_left = 0; /* what follows from here on is not told */
        return;
    }
    outlook->looks_left -= looks;
    enum ways ways = forecast_ways(task, is_skipped, &outlook->states);
    if (ways == WAYS_CLOSED && !is_skipped && (touch == NULL || !touch->was_skipped)) {
        struct edit_result *result = &batch->result;
        if (result->newly_skipped_count++ < EDIT_LISTED_MAX) {
            outlook->skipped[result->newly_skipped_count - 1] = batch_name(batch, task->index);
        }
        will_be(outlook, task, TASK_SKIPPED);
    } else if (ways == WAYS_OPEN && !is_early(task) && !is_held_by_others(batch, task) &&
               !awaits_approval(batch, task) && (touch == NULL || !touch->was_ready) &&
               map_get(&outlook->readied, (uint64_t)task->index + 1) == NULL) {
        map_put(&outlook->readied, (uint64_t)task->index + 1, outlook);
        note_ready(outlook, task);
        if ((task->record.flags & TASK_GATE) != 0) {
            will_be(outlook, task, TASK_SUCCEEDED);
        }
    }
}

void edit_forecast(struct batch *batch)
{
    struct arena *arena = &batch->engine->effects->arena;
    struct constellation *constellation = batch->constellation;
    struct outlook outlook = {
        .batch = batch,
        .looks_left = EDIT_FORECAST_MAX,
        .ready = arena_array(arena, EDIT_LISTED_MAX, sizeof(edit_task)),
        .skipped = arena_array(arena, EDIT_LISTED_MAX, sizeof(edit_task)),
    };
    for (size_t i = 0; i < batch->touches_count; i++) {
        const struct touch *touch = &batch->touches[i];
        if (!touch->is_removed && (touch->is_rewired || touch->is_updated || touch->is_added)) {
            look_at(&outlook, constellation_task(constellation, touch->task));
        }
    }
    for (size_t i = 0; i < outlook.count; i++) {
        const struct task *from = constellation_task(constellation, outlook.list[i]);
        for (uint32_t at = from->first_out; at != 0 && outlook.looks_left > 0;) {
            const struct edge *edge = constellation_edge(constellation, at - 1);
            outlook.looks_left--;
            look_at(&outlook, constellation_task(constellation, edge->to));
            at = edge->next_out;
        }
    }
    batch->result.newly_ready = outlook.ready;
    batch->result.newly_skipped = outlook.skipped;
    map_done(&outlook.states);
    map_done(&outlook.readied);
    mem_free(outlook.list);
}

uint32_t edit_longest_path(const struct engine *engine, const struct constellation *constellation)
{
    if ((uint64_t)constellation->live_tasks + constellation->live_edges >
        engine->config.edit_path_max) {
        return 0;
    }
    struct metrics_work work;
    metrics_init(&work, constellation, NULL, NULL);
    metrics_work(&work, SIZE_MAX);
    uint32_t total = metrics_result(&work)->longest.total;
    metrics_done(&work);
    return total;
}
