/* Looking ahead: what the ways to a task will come to, before the queues have decided them. */
#include "orchestrator/engine/model.h"

static enum task_state state_of(const struct task *task, const struct map *states)
{
    uintptr_t other = states == NULL ? 0 : (uintptr_t)map_get(states, (uint64_t)task->index + 1);
    return other == 0 ? (enum task_state)task->record.state : (enum task_state)other;
}

static enum edge_decision forecast(const struct constellation *constellation,
                                   const struct edge *edge, bool anew, const struct map *states)
{
    if (!anew && edge->decision != EDGE_UNDECIDED) {
        return (enum edge_decision)edge->decision;
    }
    const struct task *from = constellation_task(constellation, edge->from);
    enum task_state state = state_of(from, states);
    if (!task_state_is_final(state)) {
        return EDGE_UNDECIDED;
    }
    enum edge_decision decision = decision_of((enum edge_when)edge->when, state);
    bool waits = decision == EDGE_CLOSED ? from->failure_held : edge->conditional;
    return waits ? EDGE_UNDECIDED : decision;
}

enum ways forecast_ways(const struct task *task, bool anew, const struct map *states)
{
    struct task sum = { .record = { .flags = task->record.flags } };
    for (uint32_t at = task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(task->constellation, at - 1);
        enum edge_decision decision = forecast(task->constellation, edge, anew, states);
        sum.undecided += decision == EDGE_UNDECIDED;
        sum.closed += decision == EDGE_CLOSED;
        sum.opened += decision == EDGE_OPEN && !edge->required;
        sum.required_left += decision == EDGE_UNDECIDED && edge->required;
        sum.required_closed |= decision == EDGE_CLOSED && edge->required;
        at = edge->next_in;
    }
    return task_ways(&sum);
}
