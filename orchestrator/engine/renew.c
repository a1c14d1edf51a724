/* Tasks that wait again, because they are tried anew or were rewired: what their former end decided is
   taken back where nothing has been built on it, and what was skipped for it waits again too. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

static uint16_t one_more(uint16_t count)
{
    return count < UINT16_MAX ? (uint16_t)(count + 1) : count;
}

static void begin_round(struct engine *engine, struct task *task)
{
    struct task_record *record = &task->record;
    record->round = one_more(record->round);
    record->first_attempt = record->attempts;
    record->tries = 0;
    record->lost = 0;
    record->prepared = false;
    effects_add(engine->effects, EFFECT_DROP_INPUTS)->id = record->id;
    struct history *history = engine_history(engine, HISTORY_TASK_REOPENED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = record->id;
    history->number = record->round;
}

void renewal_list(struct renewal *renewal, const struct task *task)
{
    if (renewal->count == renewal->capacity) {
        renewal->capacity = renewal->capacity == 0 ? 16 : renewal->capacity * 2;
        renewal->list = mem_resize(renewal->list, renewal->capacity * sizeof renewal->list[0]);
    }
    renewal->list[renewal->count++] = task->index;
}

void renewal_add(struct engine *engine, struct renewal *renewal, struct task *task)
{
    struct constellation *constellation = task->constellation;
    bool was_skipped = task->record.state == TASK_SKIPPED;
    task_move(engine, task, TASK_WAITING);
    if (!was_skipped) {
        begin_round(engine, task);
        if (task->failure_held) {
            hold_end(engine, hold_of_root(constellation, task->record.id, HOLD_FAILURE),
                     STR("its task is tried again"));
        }
    }
    if ((task->record.flags & TASK_APPROVAL) != 0 &&
        hold_of_root(constellation, task->record.id, HOLD_APPROVAL) == NULL) {
        hold_approval(engine, task); /* what was skipped has lost its own */
    }
    renewal_list(renewal, task);
}

/* What a decision led to stands: an attempt, or a gate that has opened. */
static bool is_used(const struct task *to)
{
    return task_has_started(to) || to->record.state == TASK_SUCCEEDED;
}

size_t renewal_erase(struct engine *engine, struct constellation *constellation,
                     struct renewal *renewal, struct edge *edge, bool keep_skipped)
{
    struct task *to = constellation_task(constellation, edge->to);
    bool is_skipped = to->record.state == TASK_SKIPPED;
    if (is_used(to) || (is_skipped && keep_skipped)) {
        decision_keep(engine, constellation, edge);
        return 1;
    }
    if (edge->decision != EDGE_UNDECIDED) {
        decision_erase(engine, constellation, edge);
    }
    if (is_skipped && forecast_ways(to, true, NULL) != WAYS_CLOSED) {
        renewal_add(engine, renewal, to);
    }
    /* It may be looked at again for each of its edges. */
    return is_skipped ? 1 + ((size_t)to->undecided + to->closed + to->opened) / LOOKS_A_ROW : 1;
}

static void erase_out(struct engine *engine, struct renewal *renewal, const struct task *task,
                      bool keep_skipped)
{
    for (uint32_t at = task->first_out; at != 0;) {
        struct edge *edge = constellation_edge(task->constellation, at - 1);
        at = edge->next_out;
        renewal_erase(engine, task->constellation, renewal, edge, keep_skipped);
    }
}

/* What it depends on has ended once, and would decide the same again: where all of 2,000 tasks need all of
   2,000, nearly everything that leads into those of a rerun. */
static bool stands(const struct constellation *constellation, const struct edge *edge)
{
    const struct task *from = constellation_task(constellation, edge->from);
    enum task_state state = (enum task_state)from->record.state;
    if (edge->decision == EDGE_UNDECIDED || !task_state_is_final(state) || from->record.round > 1 ||
        edge->decision != decision_of((enum edge_when)edge->when, state)) {
        return false;
    }
    return edge->decision == EDGE_OPEN ? !edge->conditional : !from->failure_held;
}

void renewal_decide(struct engine *engine, struct constellation *constellation, uint32_t index)
{
    struct edge *edge = constellation_edge(constellation, index);
    if (stands(constellation, edge)) {
        return;
    }
    if (edge->decision != EDGE_UNDECIDED) {
        decision_erase(engine, constellation, edge);
    }
    decision_queue_edge(engine, constellation, index);
}

/* All that leads into it, by what is now. */
static void decide_in(struct engine *engine, struct task *task)
{
    for (uint32_t at = task->first_in; at != 0;) {
        uint32_t index = at - 1;
        at = constellation_edge(task->constellation, index)->next_in;
        renewal_decide(engine, task->constellation, index);
    }
}

void renewal_spread(struct engine *engine, struct constellation *constellation,
                    struct renewal *renewal, bool keep_skipped)
{
    for (size_t i = 0; i < renewal->count; i++) { /* it grows meanwhile */
        erase_out(engine, renewal, constellation_task(constellation, renewal->list[i]),
                  keep_skipped);
    }
    for (size_t i = 0; i < renewal->count; i++) {
        struct task *task = constellation_task(constellation, renewal->list[i]);
        decide_in(engine, task);
        task_consider(engine, task);
    }
}

void renewal_done(struct renewal *renewal)
{
    mem_free(renewal->list);
    *renewal = (struct renewal){ 0 };
}

bool renewal_adds_final(struct engine *engine, struct renewal *renewal, struct task *task)
{
    if (task_state_is_final((enum task_state)task->record.state)) {
        renewal_add(engine, renewal, task);
        return true;
    }
    if (task->queue == QUEUE_READY || task->queue == QUEUE_PREPARE) {
        task_unqueue(engine, task); /* those under way go on, and do not run again */
    }
    return false;
}

void renewal_add_finals(struct engine *engine, struct constellation *constellation,
                        struct renewal *renewal)
{
    if (!constellation->finally_open) {
        return;
    }
    constellation->finally_open = false;
    /* From behind, where they mostly stand, and only until all are found. */
    uint32_t left = constellation->finals;
    for (uint32_t i = constellation->tasks; left > 0 && i > 0; i--) {
        struct task *task = constellation_task(constellation, i - 1);
        if (task->removed || (task->record.flags & TASK_FINALLY) == 0) {
            continue;
        }
        left--;
        renewal_adds_final(engine, renewal, task);
    }
}

void constellation_reopen(struct engine *engine, struct constellation *constellation,
                          struct str actor)
{
    struct constellation_record *record = &constellation->record;
    if (!constellation_state_is_final(record->state)) {
        return;
    }
    hold_forget_over(constellation, true);
    record->state = CONSTELLATION_RUNNING;
    record->finished_wall_ms = 0;
    record->succeeded = record->failed = record->cancelled = record->skipped = 0;
    record->cancel_requested = record->cancel_finally = record->stopping = false;
    record->deadline_passed = false;
    if (record->deadline_wall_ms <= engine->now.wall_ms) {
        record->deadline_wall_ms = record->deadline_length_ms = 0; /* it was for what is over */
    }
    constellation->finally_open = true; /* until what is not finally goes on */
    constellation_arm(engine, constellation);
    rank_begin(engine, constellation); /* it was loaded without, and more is known by now */
    constellation_save(engine, constellation);
    struct history *history = engine_history(engine, HISTORY_CONSTELLATION_REOPENED);
    history->constellation_id = record->id;
    history->text = arena_str(&engine->effects->arena, actor);
}
