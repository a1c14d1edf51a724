/* The checker: tasks as they are committed. Every state has its cause. */
#include <inttypes.h>

#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

static bool failure_is_due(const struct book_task *task, const struct book_attempt *attempt)
{
    const struct plan_policy *policy = task->spec->policy;
    if (task->prepare_refused || task->is_denied || task->is_resolved ||
        policy->queue_timeout_ms > 0) {
        return true;
    }
    if (attempt == NULL) {
        return false;
    }
    if (attempt->record.state == ATTEMPT_LOST) {
        return task->record.lost >= policy->max_lost && task->record.lost <= task->losses;
    }
    return !attempt->result_is_good &&
           (task->tries >= policy->max_attempts || book_task_must_stop(task) ||
            (policy->retry_on != 0 && policy->retry_on != RETRY_ON_ALL));
}

static bool success_is_due(const struct book_task *task, const struct book_attempt *attempt)
{
    if ((task->spec->plan.flags & TASK_GATE) != 0) {
        return attempt == NULL && !book_task_is_held(task);
    }
    return task->is_resolved ||
           (attempt != NULL && attempt->results == 1 && attempt->result_is_good);
}

/* What the daemon says of it. */
static struct str words_of(const struct segment *segment, const struct book_task *task)
{
    struct str words = STR("");
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_HISTORY && effect->history.task_id == task->id) {
            words = effect->history.text;
        }
    }
    return words;
}

void promise_task_moved(struct world *world, const struct segment *segment,
                        const struct book_task *task)
{
    enum task_state state = (enum task_state)task->record.state;
    const struct book_attempt *attempt = books_current(world->books, task);
    bool right = true;
    switch (state) {
    case TASK_WAITING:
    case TASK_BACKOFF:
        right = attempt == NULL || !book_attempt_is_live(attempt->record.state);
        break;
    case TASK_ASSIGNED:
    case TASK_RUNNING:
        right = attempt != NULL && book_attempt_is_live(attempt->record.state);
        break;
    case TASK_SUCCEEDED:
        if ((task->spec->plan.flags & TASK_GATE) != 0 && !book_task_is_open(task)) {
            promise_broken(world, "P4", "gate %" PRId64 " opens before its time", task->id);
        }
        right = success_is_due(task, attempt);
        count_path(world, COUNT_SUCCEEDED);
        world->counts->paths[COUNT_GATE] += (task->spec->plan.flags & TASK_GATE) != 0;
        break;
    case TASK_FAILED:
        right = failure_is_due(task, attempt);
        count_path(world, COUNT_FAILED);
        break;
    case TASK_CANCELLED:
        right = book_task_must_stop(task);
        count_path(world, COUNT_CANCELLED);
        break;
    case TASK_UNKNOWN:
        right = attempt != NULL && task->spec->policy->effect == TASK_ONCE;
        count_path(world, COUNT_UNKNOWN);
        break;
    case TASK_STATES_END:
        right = false;
        break;
    case TASK_SKIPPED:
        right = attempt == NULL && book_task_is_closed(task);
        count_path(world, COUNT_SKIPPED);
        break;
    }
    if (!right) {
        promise_broken(world, "P6", "task %" PRId64 " is %s without a cause: %.*s", task->id,
                       task_state_name(state), STR_ARG(words_of(segment, task)));
    }
}

/* Another round: what was counted in the last one does not count any more. */
static void begin_anew(struct world *world, const struct segment *segment, struct book_task *task)
{
    bool asked =
        segment->wish != NULL && segment_is_done(segment) &&
        (segment->wish->event.kind == EVENT_EDIT || segment->wish->event.kind == EVENT_REOPEN);
    if (!asked) {
        promise_broken(world, "P6", "task %" PRId64 " had ended", task->id);
    }
    task->prepare_refused = false;
    task->is_denied = false;
    task->is_resolved = false;
    task->losses = 0;
    task->tries = 0;
    count_path(world, task->record.state == TASK_SKIPPED ? COUNT_SKIPPED_AGAIN : COUNT_ROUND);
}

void promise_task_saved(struct world *world, const struct segment *segment,
                        const struct task_record *record)
{
    struct book_task *task = books_task(world->books, record->id);
    if (task == NULL) {
        /* An edit has taken it away, after something was asked to be saved of it. */
        return;
    }
    bool is_final = task_state_is_final((enum task_state)task->record.state);
    if (is_final && (record->round != task->record.round ||
                     (task->record.state == TASK_SKIPPED && record->state != TASK_SKIPPED))) {
        begin_anew(world, segment, task);
    } else if (is_final && task->record.state != record->state) {
        promise_broken(world, "P6", "task %" PRId64 " had ended", task->id);
    }
    const struct book_task *from = books_task(world->books, task->refers_to);
    if (record->prepared && !task->record.prepared && from != NULL) {
        const struct book_attempt *attempt = books_current(world->books, from);
        task->input_fence = attempt == NULL ? 0 : attempt->fence;
    }
    /* A gate that begins anew may have succeeded again by the end of the step. */
    task->is_changed = task->is_changed || task->record.state != record->state ||
                       task->record.round != record->round;
    task->record = *record;
}
