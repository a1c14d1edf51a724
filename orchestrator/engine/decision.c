/* Dependencies: what each kind makes of how its predecessor ended. Whether a way is open is a function
   of the kind and the final state, decided once and stored. */
#include "orchestrator/engine/model.h"

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
    /* Also one without edges: that nothing is left to decide is what ends the constellation. */
    task->constellation->deciding++;
    task_queue_push(&engine->decide, task, QUEUE_DECIDE);
}

static void skip(struct engine *engine, struct task *task, const struct task *because)
{
    task_move(engine, task, TASK_SKIPPED);
    struct history *history = engine_history(engine, HISTORY_TASK_SKIPPED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
    history->number = because->record.id;
}

static void decide(struct engine *engine, const struct task *from, struct edge *edge)
{
    struct constellation *constellation = from->constellation;
    struct task *to = constellation_task(constellation, edge->to);
    CHECK(edge->decision == EDGE_UNDECIDED);
    edge->decision = (uint8_t)decision_of((enum edge_when)edge->when, from->record.state);
    constellation_count_out(to);
    to->undecided--;
    to->closed += edge->decision == EDGE_CLOSED;
    constellation_count_in(to);
    struct effect *effect = effects_add(engine->effects, EFFECT_SAVE_EDGE);
    effect->edge.constellation_id = constellation->record.id;
    effect->edge.record = (struct edge_record){
        .id = edge->id,
        .from_id = from->record.id,
        .to_id = to->record.id,
        .when = (enum edge_when)edge->when,
        .decision = (enum edge_decision)edge->decision,
        .fence = from->record.fence,
    };
    if (to->record.state != TASK_WAITING || to->record.fence != 0) {
        return; /* cancelled or skipped already; started it cannot be, with an edge open to decide */
    }
    if (to->closed > 0) {
        skip(engine, to, from);
    } else {
        task_consider(engine, to);
    }
}

size_t decision_work(struct engine *engine, size_t budget)
{
    while (budget > 0 && engine->decide.first != NULL) {
        struct task *task = engine->decide.first;
        if (!engine->decide_begun) {
            engine->decide_begun = true;
            engine->decide_edge = task->first_out;
        }
        while (budget > 0 && engine->decide_edge != 0) {
            struct edge *edge = constellation_edge(task->constellation, engine->decide_edge - 1);
            engine->decide_edge = edge->next_out;
            if (edge->decision == EDGE_UNDECIDED) {
                decide(engine, task, edge);
                budget--;
            }
        }
        if (engine->decide_edge != 0) {
            break;
        }
        task_queue_pop(&engine->decide);
        engine->decide_begun = false;
        task->constellation->deciding--;
        constellation_settle(engine, task->constellation);
    }
    return budget;
}
