/* The checker: what dependencies were decided to be, and that nothing starts without it (P4). */
#include <inttypes.h>

#include "tests/sim/condition_row.h"
#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

/* The table of docs/spec.md, once more. */
static bool opens(enum edge_when when, enum task_state state)
{
    switch (when) {
    case EDGE_WHEN_SUCCESS:
        return state == TASK_SUCCEEDED;
    case EDGE_WHEN_FINISHED:
        return state == TASK_SUCCEEDED || state == TASK_FAILED;
    case EDGE_WHEN_FAILURE:
        return state == TASK_FAILED;
    case EDGE_WHEN_ALWAYS:
        return true;
    }
    return false;
}

/* What the condition comes to, by the evaluator, which must be right. */
static bool answer(struct world *world, const struct turn_log *log, const struct book_edge *edge)
{
    const struct condition_row *row = condition_row_of(edge->plan.condition);
    const struct evaluated *said = turn_log_answer(log, edge->id);
    if (said == NULL || row == NULL) {
        promise_broken(world, "P4", "dependency %" PRId64 " is decided and was not evaluated",
                       edge->id);
        return false;
    }
    /* One that was skipped in a later round has an attempt still, but has not run. */
    const struct book_attempt *attempt = books_current(world->books, edge->from);
    enum condition_answer due = row->answer(edge->from, attempt);
    bool is_right = due == ANSWER_ANY ||
                    (said->failed == (due == ANSWER_ERROR) && said->opens == (due == ANSWER_OPEN));
    if (!is_right) {
        promise_broken(world, "P4", "the condition \"%s\" of dependency %" PRId64 " is %s",
                       row->text, edge->id,
                       said->failed  ? "said to be wrong"
                       : said->opens ? "said to hold"
                                     : "said not to hold");
    }
    count_path(world, said->failed  ? COUNT_CONDITION_FAILED
                      : said->opens ? COUNT_CONDITION_OPEN
                                    : COUNT_CONDITION_CLOSED);
    return said->opens && !said->failed;
}

static void decide(struct world *world, const struct turn_log *log, struct book_edge *edge,
                   const struct edge_record *record)
{
    enum task_state state = (enum task_state)edge->from->record.state;
    if (edge->decision != EDGE_UNDECIDED) {
        promise_broken(world, "P4", "dependency %" PRId64 " is decided twice", edge->id);
        return;
    }
    if (!task_state_is_final(state) || record->fence != edge->from->record.fence) {
        promise_broken(world, "P4", "dependency %" PRId64 " is decided by a task that is %s",
                       edge->id, task_state_name(state));
        return;
    }
    bool is_open = opens(edge->plan.when, state);
    if (is_open && edge->plan.condition.length > 0) {
        is_open = answer(world, log, edge);
    }
    if (is_open != (record->decision == EDGE_OPEN)) {
        promise_broken(world, "P4", "dependency %" PRId64 " (%s) is %s by a task that has %s",
                       edge->id, edge_when_name(edge->plan.when), is_open ? "closed" : "opened",
                       task_state_name(state));
    }
    for (const struct book_hold *hold = edge->constellation->holds; hold != NULL && !is_open;
         hold = hold->next) {
        if (hold->record.origin == HOLD_FAILURE && hold->record.root_task_id == edge->from->id &&
            !opens(edge->plan.when, state)) {
            promise_broken(world, "the hold", "the failure of task %" PRId64 " is held, and closes",
                           edge->from->id);
        }
    }
    edge->decision = record->decision;
    edge->fence = record->fence;
}

static void erase(struct world *world, const struct segment *segment, struct book_edge *edge)
{
    if (edge->decision == EDGE_UNDECIDED) {
        return;
    }
    /* A gate that waits again may open in the same turn, by something else. */
    bool is_over = edge->to->record.state == TASK_SUCCEEDED && !edge->to->is_changed;
    if (book_task_has_started(edge->to) || is_over || segment->wish == NULL) {
        promise_broken(world, "P4", "the decision of dependency %" PRId64 " is taken back",
                       edge->id);
    }
    edge->decision = EDGE_UNDECIDED;
    edge->fence = 0;
    count_path(world, COUNT_DECISION_ERASED);
}

/* Of a task that waits again: it is used, or stays for another reason. */
static void keep(struct world *world, struct book_edge *edge, const struct edge_record *record)
{
    if (edge->decision != record->decision) {
        promise_broken(world, "P10", "dependency %" PRId64 " is kept as another than it is",
                       edge->id);
    }
    edge->fence = 0;
    count_path(world, COUNT_DECISION_KEPT);
}

void promise_decisions(struct world *world, const struct turn_log *log,
                       const struct segment *segment)
{
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind != EFFECT_SAVE_EDGE && effect->kind != EFFECT_KEEP_EDGE) {
            continue;
        }
        struct book_edge *edge = books_edge(world->books, effect->edge.record.id);
        if (edge == NULL) {
            promise_broken(world, "P4", "dependency %" PRId64 " is decided and is not there",
                           effect->edge.record.id);
        } else if (effect->kind == EFFECT_KEEP_EDGE) {
            keep(world, edge, &effect->edge.record);
        } else if (effect->edge.record.decision == EDGE_UNDECIDED) {
            erase(world, segment, edge);
        } else {
            decide(world, log, edge, &effect->edge.record);
        }
    }
}

static bool finally_is_due(const struct book_constellation *constellation)
{
    for (uint32_t i = 0; i < constellation->tasks_count; i++) {
        const struct book_task *task = constellation->tasks[i];
        if ((task->spec->plan.flags & TASK_FINALLY) == 0 &&
            !task_state_is_final((enum task_state)task->record.state)) {
            return false;
        }
    }
    return true;
}

void promise_nothing_lost(struct world *world, const struct book_task *task, uint64_t previous)
{
    const struct book_constellation *constellation = task->constellation;
    for (uint32_t i = 0; previous != 0 && i < constellation->edges_count; i++) {
        const struct book_edge *edge = constellation->edges[i];
        if (edge->from == task && edge->fence == previous) {
            promise_broken(world, "P10",
                           "what %" PRIu64 " has decided of dependency %" PRId64
                           " is not kept, and its task is assigned again",
                           previous, edge->id);
        }
    }
}

void promise_may_start(struct world *world, const struct book_task *task, uint64_t fence)
{
    const struct constellation_record *record = &task->constellation->record;
    bool is_finally = (task->spec->plan.flags & TASK_FINALLY) != 0;
    if (!book_task_is_open(task)) {
        promise_broken(world, "P4",
                       "%" PRIu64 " is assigned, and the way to task %" PRId64 " is not open",
                       fence, task->id);
    } else if (book_task_is_held(task)) {
        promise_broken(world, "the hold", "%" PRIu64 " is assigned, and task %" PRId64 " is held",
                       fence, task->id);
    } else if (is_finally && !finally_is_due(task->constellation)) {
        promise_broken(world, "P4", "%" PRIu64 " is assigned, and task %" PRId64 " runs last",
                       fence, task->id);
    } else if (is_finally ? record->cancel_finally : record->cancel_requested || record->stopping) {
        promise_broken(world, "P4", "%" PRIu64 " is assigned while all is stopped", fence);
    }
    world->counts->paths[COUNT_FINALLY] += is_finally;
    world->counts->paths[COUNT_JOIN_ANY] += (task->spec->plan.flags & TASK_JOIN_ANY) != 0;
}
