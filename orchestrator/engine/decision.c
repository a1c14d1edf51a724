/* Dependencies: what each kind makes of how its predecessor ended. Whether a way is open is a function
   of the kind, the final state and the condition, decided once and stored. */
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

enum {
    NEAR_ROWS = 100, /* as many stand in a page */
    FAR_ROW_COST = 8,
};

/* Row by row the table in docs/spec.md. */
enum edge_decision decision_of(enum edge_when when, enum task_state state)
{
    switch (when) {
    case EDGE_WHEN_SUCCESS:
        return state == TASK_SUCCEEDED ? EDGE_OPEN : EDGE_CLOSED;
    case EDGE_WHEN_FINISHED:
        return state == TASK_SUCCEEDED || state == TASK_FAILED ? EDGE_OPEN : EDGE_CLOSED;
    case EDGE_WHEN_FAILURE:
        return state == TASK_FAILED ? EDGE_OPEN : EDGE_CLOSED;
    case EDGE_WHEN_ALWAYS:
        return EDGE_OPEN;
    }
    return EDGE_CLOSED;
}

void decision_task_final(struct engine *engine, struct task *task)
{
    if (task->queue == QUEUE_DECIDE) { /* from before it was reopened */
        decision_begin_again(engine, task);
        return;
    }
    /* Also one without edges: that nothing is left to decide is what ends the constellation. */
    task->constellation->deciding++;
    task_queue_push(&engine->decide, task, QUEUE_DECIDE);
}

static void count(struct task *to, const struct edge *edge, uint32_t by)
{
    switch ((enum edge_decision)edge->decision) {
    case EDGE_UNDECIDED:
        to->undecided += by;
        to->required_left += edge->required ? by : 0;
        break;
    case EDGE_CLOSED:
        to->closed += by;
        to->required_closed = (uint16_t)(to->required_closed + (edge->required ? by : 0));
        break;
    case EDGE_OPEN:
        to->opened += edge->required ? 0 : by;
        break;
    }
}

void decision_count_out(struct task *to, const struct edge *edge)
{
    constellation_count_out(to);
    count(to, edge, UINT32_MAX); /* that is, less one */
}

void decision_count_in(struct task *to, const struct edge *edge)
{
    count(to, edge, 1);
    constellation_count_in(to);
}

struct edge_record decision_record(const struct constellation *constellation,
                                   const struct edge *edge)
{
    const struct task *from = constellation_task(constellation, edge->from);
    return (struct edge_record){
        .id = edge->id,
        .from_id = from->record.id,
        .to_id = constellation_task(constellation, edge->to)->record.id,
        .when = (enum edge_when)edge->when,
        .named = edge->named,
        .required = edge->required,
        .conditional = edge->conditional,
        .decision = (enum edge_decision)edge->decision,
        .fence = edge->decision == EDGE_UNDECIDED ? 0 : from->record.fence,
    };
}

/* The predecessor that closed the way, for the books: the first that is found. */
static int64_t find_closer(struct engine *engine, const struct task *task)
{
    size_t looks = 0;
    for (uint32_t at = task->first_in; at != 0; looks++) {
        const struct edge *edge = constellation_edge(task->constellation, at - 1);
        if (edge->decision == EDGE_CLOSED &&
            (edge->required || (task->record.flags & TASK_JOIN_ANY) == 0 ||
             task->required_closed == 0)) {
            engine->far_rows += looks / LOOKS_A_ROW;
            return constellation_task(task->constellation, edge->from)->record.id;
        }
        at = edge->next_in;
    }
    return 0;
}

void decision_skip(struct engine *engine, struct task *task)
{
    int64_t because = find_closer(engine, task);
    task_move(engine, task, TASK_SKIPPED);
    struct history *history = engine_history(engine, HISTORY_TASK_SKIPPED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
    history->number = because;
}

static bool is_near(uint64_t a, uint64_t b, uint64_t distance)
{
    return (a > b ? a - b : b - a) <= distance;
}

/* A decision is stored with those of its attempt, or at its edge when no attempt has made it; one that is
   taken back goes from both, one that is kept from the one to the other. Where all of 2,000 tasks need all
   of 2,000, the next one is often far from the last there, and a page of its own costs as much as many
   rows. */
static void count_far(struct engine *engine, const struct constellation *constellation,
                      const struct effect *effect, uint64_t fence)
{
    const struct edge_record *edge = &effect->edge.record;
    bool at_attempt =
        effect->kind == EFFECT_SAVE_EDGE && edge->decision != EDGE_UNDECIDED && fence != 0;
    uint64_t an_attempt = 1 + constellation->live_edges / constellation->live_tasks;
    bool is_far =
        (fence != 0 && !is_near(fence, engine->saved_fence, NEAR_ROWS / an_attempt)) ||
        (!at_attempt && !is_near((uint64_t)edge->id, (uint64_t)engine->saved_edge_id, NEAR_ROWS));
    engine->far_rows += is_far ? FAR_ROW_COST : 0;
    engine->saved_edge_id = edge->id;
    engine->saved_fence = fence;
}

static void add_row(struct engine *engine, struct constellation *constellation,
                    const struct edge *edge, enum effect_kind kind)
{
    struct effect *effect = effects_add(engine->effects, kind);
    effect->edge.constellation_id = constellation->record.id;
    effect->edge.record = decision_record(constellation, edge);
    count_far(engine, constellation, effect,
              constellation_task(constellation, edge->from)->record.fence);
}

static void settle(struct engine *engine, struct constellation *constellation, struct edge *edge,
                   enum edge_decision decision)
{
    struct task *to = constellation_task(constellation, edge->to);
    CHECK(edge->decision == EDGE_UNDECIDED);
    decision_count_out(to, edge);
    edge->decision = (unsigned)decision & 3U;
    decision_count_in(to, edge);
    add_row(engine, constellation, edge, EFFECT_SAVE_EDGE);
    /* One that is final already stays so; one that has started did so on another way (join: any). */
    if (to->record.state == TASK_WAITING && !task_has_started(to)) {
        task_consider(engine, to);
    }
}

void decision_erase(struct engine *engine, struct constellation *constellation, struct edge *edge)
{
    struct task *to = constellation_task(constellation, edge->to);
    CHECK(edge->decision != EDGE_UNDECIDED);
    decision_count_out(to, edge);
    edge->decision = EDGE_UNDECIDED;
    decision_count_in(to, edge);
    add_row(engine, constellation, edge, EFFECT_SAVE_EDGE);
    if (task_has_started(to)) {
        return;
    }
    /* Ready by another way (join: any), but its inputs are to be filled in anew. */
    bool is_stale = to->queue == QUEUE_READY && to->record.prepared;
    bool is_listed = to->queue == QUEUE_READY || to->queue == QUEUE_PREPARE;
    if (is_stale || (is_listed && !task_is_ready(to))) {
        task_unqueue(engine, to);
    }
    task_drop_inputs(engine, to);
    if (is_stale) {
        task_consider(engine, to);
    }
}

void decision_keep(struct engine *engine, struct constellation *constellation,
                   const struct edge *edge)
{
    bool has_attempt = constellation_task(constellation, edge->from)->record.fence != 0;
    if (edge->decision != EDGE_UNDECIDED && has_attempt) {
        add_row(engine, constellation, edge, EFFECT_KEEP_EDGE);
    }
}

void decision_queue_edge(struct engine *engine, struct constellation *constellation, uint32_t index)
{
    struct edge *edge = constellation_edge(constellation, index);
    const struct task *from = constellation_task(constellation, edge->from);
    if (edge->decision != EDGE_UNDECIDED || edge->queued || edge->asked ||
        !task_state_is_final((enum task_state)from->record.state)) {
        return;
    }
    size_t passed = engine->pending_first;
    if (engine->pending_count == engine->pending_capacity && passed > engine->pending_count / 2) {
        /* It need not become empty while conditions are put off. */
        engine->pending_count -= passed;
        engine->pending_first = 0;
        memmove(engine->pending, engine->pending + passed,
                engine->pending_count * sizeof engine->pending[0]);
    }
    if (engine->pending_count == engine->pending_capacity) {
        engine->pending_capacity =
            engine->pending_capacity == 0 ? 16 : engine->pending_capacity * 2;
        engine->pending =
            mem_resize(engine->pending, engine->pending_capacity * sizeof engine->pending[0]);
    }
    engine->pending[engine->pending_count++] = (struct asked){ constellation, index };
    edge->queued = 1;
    constellation->deciding++;
}

void decision_begin_again(struct engine *engine, const struct task *task)
{
    if (engine->decide.first == task) {
        engine->decide_begun = false; /* what has been decided costs a look */
    }
}

static void ask(struct engine *engine, const struct task *from, struct edge *edge, uint32_t index)
{
    if (engine->asked_count == engine->asked_capacity) {
        engine->asked_capacity = engine->asked_capacity == 0 ? 16 : engine->asked_capacity * 2;
        engine->asked = mem_resize(engine->asked, engine->asked_capacity * sizeof engine->asked[0]);
    }
    engine->asked[engine->asked_count++] = (struct asked){ from->constellation, index };
    edge->asked = 1;
    from->constellation->deciding++;
    struct effect *effect = effects_add(engine->effects, EFFECT_EVALUATE);
    effect->evaluate.constellation_id = from->constellation->record.id;
    effect->evaluate.edge_id = edge->id;
    effect->evaluate.from_id = from->record.id;
}

static void decide(struct engine *engine, const struct task *from, struct edge *edge,
                   uint32_t index)
{
    enum edge_decision decision =
        decision_of((enum edge_when)edge->when, (enum task_state)from->record.state);
    if (decision == EDGE_CLOSED && from->failure_held) {
        return; /* its turn comes when the hold ends */
    }
    if (decision == EDGE_OPEN && edge->conditional) {
        ask(engine, from, edge, index);
        return;
    }
    settle(engine, from->constellation, edge, decision);
}

/* A reopening in the same tick may have made its source wait again. */
static bool is_still_asked(const struct constellation *constellation, const struct edge *edge)
{
    const struct task *from = constellation_task(constellation, edge->from);
    enum task_state state = (enum task_state)from->record.state;
    return task_state_is_final(state) &&
           decision_of((enum edge_when)edge->when, state) == EDGE_OPEN;
}

void decision_evaluated(struct engine *engine, const struct event *event)
{
    CHECK(engine->asked_answered < engine->asked_count);
    const struct asked *asked = &engine->asked[engine->asked_answered++];
    struct constellation *constellation = asked->constellation;
    uint32_t index = asked->edge;
    struct edge *edge = constellation_edge(constellation, index);
    CHECK(constellation->record.id == event->evaluated.constellation_id &&
          edge->id == event->evaluated.edge_id && edge->asked);
    edge->asked = 0;
    if (engine->asked_answered == engine->asked_count) {
        engine->asked_answered = engine->asked_count = 0;
    }
    constellation->deciding--;
    if (event->evaluated.put_off || !is_still_asked(constellation, edge)) {
        decision_queue_edge(engine, constellation, index);
        constellation_settle(engine, constellation);
        return;
    }
    if (event->evaluated.reason.length > 0) {
        struct str reason = arena_str(&engine->effects->arena, event->evaluated.reason);
        struct effect *effect = effects_add(engine->effects, EFFECT_EDGE_REASON);
        effect->edge_reason.edge_id = edge->id;
        effect->edge_reason.text = reason;
        struct history *history = engine_history(engine, HISTORY_CONDITION_FAILED);
        history->constellation_id = constellation->record.id;
        history->task_id = constellation_task(constellation, edge->to)->record.id;
        history->number = edge->id;
        history->text = reason;
    }
    settle(engine, constellation, edge,
           event->evaluated.opens && event->evaluated.reason.length == 0 ? EDGE_OPEN : EDGE_CLOSED);
    constellation_settle(engine, constellation);
}

/* Edges one by one: those that an edit has put behind a final task, or that are decided anew. */
static size_t work_pending(struct engine *engine, size_t budget)
{
    while (budget > 0 && engine->pending_first < engine->pending_count &&
           engine->asked_count < engine->config.evaluate_max) {
        size_t before = engine_rows(engine);
        struct asked at = engine->pending[engine->pending_first++];
        struct edge *edge = constellation_edge(at.constellation, at.edge);
        const struct task *from = constellation_task(at.constellation, edge->from);
        edge->queued = 0;
        at.constellation->deciding--;
        if (edge->removed) {
            storage_release_edge(at.constellation, at.edge);
        } else if (edge->decision == EDGE_UNDECIDED && !edge->asked &&
                   task_state_is_final((enum task_state)from->record.state)) {
            decide(engine, from, edge, at.edge);
        }
        constellation_settle(engine, at.constellation);
        budget = engine_spend(engine, budget, before);
    }
    if (engine->pending_first == engine->pending_count) {
        engine->pending_first = engine->pending_count = 0;
    }
    return budget;
}

/* Its edges have been decided, unless it was reopened or removed meanwhile. */
static void leave_queue(struct engine *engine, struct task *task)
{
    struct constellation *constellation = task->constellation;
    task_queue_pop(&engine->decide);
    engine->decide_begun = false;
    constellation->deciding--;
    if (task->removed) {
        storage_release_task(task);
    } else {
        task_consider(engine, task);
    }
    constellation_settle(engine, constellation);
}

size_t decision_work(struct engine *engine, size_t budget)
{
    budget = work_pending(engine, budget);
    while (budget > 0 && engine->decide.first != NULL) {
        struct task *task = engine->decide.first;
        if (!engine->decide_begun) {
            engine->decide_begun = true;
            engine->decide_edge = task->first_out;
        }
        if (!task_state_is_final((enum task_state)task->record.state)) {
            engine->decide_edge = 0;
        }
        while (budget > 0 && engine->decide_edge != 0 &&
               engine->asked_count < engine->config.evaluate_max) {
            uint32_t index = engine->decide_edge - 1;
            struct edge *edge = constellation_edge(task->constellation, index);
            engine->decide_edge = edge->next_out;
            if (edge->decision == EDGE_UNDECIDED && !edge->asked) {
                size_t before = engine_rows(engine);
                decide(engine, task, edge, index);
                budget = engine_spend(engine, budget, before);
            }
        }
        if (engine->decide_edge != 0) {
            break; /* the slice is used up; the rest follows in the next turn */
        }
        leave_queue(engine, task);
    }
    return budget;
}
