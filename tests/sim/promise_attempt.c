/* The checker: attempts as they are committed, against what the agents did. */
#include <inttypes.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

static void add_result(struct world *world, const struct effect *effect)
{
    struct book_attempt *attempt = books_attempt(world->books, effect->result.fence);
    if (attempt == NULL || ++attempt->results > 1) {
        promise_broken(world, "P6", "the result of %" PRIu64 " is stored twice, or nobody's",
                       effect->result.fence);
        return;
    }
    attempt->result_is_good = effect->result.reason.length == 0;
    attempt->has_value = effect->result.result.length > 0;
}

/* P1: what may have run, and of which nobody knows how it came out, is not run again. */
static void check_once(struct world *world, const struct book_task *task, uint64_t fence)
{
    const struct book_attempt *earlier = books_attempt(world->books, task->record.fence);
    while (earlier != NULL && earlier->round == task->record.round && !task->is_resolved) {
        bool is_known =
            earlier->record.state == ATTEMPT_ENDED &&
            earlier->record.outcome != OUTCOME_DISCONNECTED &&
            (earlier->record.outcome != OUTCOME_CANCELLED || earlier->record.stop_wanted);
        if (earlier->began && !is_known) {
            promise_broken(world, "P1",
                           "%" PRIu64 " runs once more what %" PRIu64
                           " may have done: task %" PRId64,
                           fence, earlier->fence, task->id);
        }
        earlier = books_attempt(world->books, earlier->record.previous);
    }
    count_path(world, COUNT_ONCE);
}

/* What its class takes of its device and of its constellation's limits, with all that is under way. */
static void check_room(struct world *world, const struct book_task *task,
                       const struct book_device *device, uint64_t fence)
{
    const struct plan_class *class = task->spec->class;
    int64_t milli = class->resources_count > 0 ? class->resources[0].amount_milli : 0;
    uint32_t used = class->limits_count > 0 ? class->limits[0].amount : 0;
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while ((milli > 0 || used > 0) && map_each(&world->books->attempts, &at, &key, &value)) {
        const struct book_attempt *other = value;
        const struct plan_class *taken = other->class;
        if (!book_attempt_is_live(other->record.state)) {
            continue;
        }
        if (milli > 0 && other->record.device_id == device->id && taken->resources_count > 0) {
            milli += taken->resources[0].amount_milli;
        }
        if (used > 0 && other->task->constellation == task->constellation &&
            taken->limits_count > 0) {
            used += taken->limits[0].amount;
        }
    }
    if (milli > 1000) {
        promise_broken(world, "P8", "%" PRIu64 " takes what %s does not have", fence, device->name);
    }
    if (used > task->constellation->limit) {
        promise_broken(world, "P8", "%" PRIu64 " goes beyond a limit of %u", fence,
                       task->constellation->limit);
    }
}

/* Where it is said to run: by the latest attempt of the other task, as long as that is in the plan. */
static void check_place(struct world *world, const struct book_task *task,
                        const struct attempt_record *record)
{
    const struct book_task *others[] = { books_task(world->books, task->same_with),
                                         books_task(world->books, task->other_than) };
    for (size_t i = 0; i < 2; i++) {
        const struct book_attempt *attempt =
            others[i] == NULL ? NULL : books_attempt(world->books, others[i]->record.fence);
        if (attempt == NULL) {
            continue;
        }
        bool is_there = attempt->record.device_id == record->device_id;
        if (is_there == (i == 1)) {
            promise_broken(world, "P4", "%" PRIu64 " is sent %s %" PRIu64 " has run", record->fence,
                           is_there ? "where" : "elsewhere than", attempt->fence);
        }
        count_path(world, i == 0 ? COUNT_SAME_DEVICE : COUNT_OTHER_DEVICE);
    }
}

static void add_attempt(struct world *world, const struct attempt_record *record)
{
    struct books *books = world->books;
    struct book_task *task = map_get(&books->tasks, (uint64_t)record->task_id);
    struct book_device *device = map_get(&books->devices, (uint64_t)record->device_id);
    CHECK(device != NULL);
    if (task == NULL || task->is_removed) {
        promise_broken(world, "P3", "%" PRIu64 " is an attempt of a task that is not there",
                       record->fence);
        return;
    }
    struct book_attempt *before = books_attempt(books, record->previous);
    if (record->fence <= books->fence_max || record->previous != task->record.fence) {
        promise_broken(world, "P1", "fence %" PRIu64 " does not rise, or skips one", record->fence);
    }
    if (before != NULL && book_attempt_is_live(before->record.state)) {
        promise_broken(world, "P1", "%" PRIu64 " follows %" PRIu64 ", which is still current",
                       record->fence, record->previous);
    }
    if (task_state_is_final((enum task_state)task->record.state) ||
        task->tries >= task->spec->policy->max_attempts) {
        promise_broken(world, "P6", "%" PRIu64 " is an attempt of a task that has ended",
                       record->fence);
    }
    if (task->spec->policy->effect == TASK_ONCE) {
        check_once(world, task, record->fence);
    }
    check_room(world, task, device, record->fence);
    check_place(world, task, record);
    if (++device->live > device->slots) {
        promise_broken(world, "P8", "%s is given more than its %u slots", device->name,
                       device->slots);
    }
    struct book_attempt *attempt = mem_alloc(sizeof *attempt);
    attempt->fence = record->fence;
    attempt->task = task;
    attempt->assigned_ms = world->now_ms;
    attempt->round = task->record.round;
    attempt->class = task->spec->class;
    attempt->record.state = ATTEMPT_SENT;
    map_put(&books->attempts, record->fence, attempt);
    books->fence_max = record->fence;
    task->record.fence = record->fence;
    if (before != NULL) {
        count_path(world, before->record.state == ATTEMPT_LOST ? COUNT_REASSIGNED : COUNT_RETRIED);
    }
}

/* Another journal has the device's name, or has had it for a part of this turn. */
static bool is_displaced(const struct world *world, const struct book_device *device,
                         const struct host *host)
{
    const struct effects *effects = &world->daemon.effects;
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_SEND && effect->send.msg->kind == MSG_WELCOME) {
            const struct host *other = net_link(world, effect->send.channel)->host;
            if (strcmp(other->device, host->device) == 0 && other != host) {
                return true;
            }
        }
    }
    return strcmp(device->journal_id, host->journal_id) != 0;
}

/* Accepted, says its row; but the machine was started anew, and the row that said running may have gone
   with the power: nobody can tell that it has not begun. */
static bool may_have_begun(const struct book_attempt *attempt)
{
    const struct agent_record *row = journal_twin_get(&attempt->holder->journal, attempt->fence);
    return row != NULL && row->state == HELD_ACCEPTED && !row->once &&
           attempt->holder->boots != attempt->holder_boots;
}

/* Why it may be lost. Only what the daemon could not keep, or had waited for long enough, is. */
static enum lost_why judge_loss(const struct world *world, const struct book_attempt *attempt)
{
    const struct plan_policy *policy = attempt->task->spec->policy;
    const struct book_device *device =
        map_get(&world->books->devices, (uint64_t)attempt->record.device_id);
    int64_t silence_ms = world->lost_after_ms;
    if (policy->on_disconnect == ON_DISCONNECT_STOP) {
        silence_ms = (world->lease_ms + policy->kill_grace_ms) * 11 / 10;
    }
    /* One that stands still may not even have read it yet. */
    if (attempt->target != NULL && is_displaced(world, device, attempt->target)) {
        return LOST_DISPLACED;
    }
    if (world->now_ms - device->heard_ms >= silence_ms) {
        return LOST_SILENT;
    }
    bool held = attempt->holder != NULL && host_holds(attempt->holder, attempt->fence);
    return held && !may_have_begun(attempt) ? LOST_NOT : LOST_GONE;
}

/* Told to stop, and not a word of it for as long as a silent device would have had. */
static bool stop_has_waited(const struct world *world, const struct book_attempt *attempt)
{
    return attempt->stopping_ms != 0 &&
           world->now_ms - attempt->stopping_ms >=
               attempt->task->spec->policy->kill_grace_ms + world->lost_after_ms;
}

static bool stop_is_unconfirmed(const struct world *world, const struct book_attempt *attempt)
{
    return stop_has_waited(world, attempt) && (attempt->record.outcome == OUTCOME_TIMED_OUT ||
                                               attempt->record.outcome == OUTCOME_CANCELLED);
}

static void lose(struct world *world, struct book_attempt *attempt)
{
    attempt->lost = attempt->task->is_resolved ? LOST_RESOLVED : judge_loss(world, attempt);
    if (attempt->lost == LOST_NOT && attempt->task->spec->policy->effect == TASK_ONCE &&
        stop_has_waited(world, attempt)) {
        attempt->lost = LOST_UNCONFIRMED; /* it is not done with: somebody decides */
        attempt->stop_ran_out = true;
        count_path(world, COUNT_LOST_UNCONFIRMED);
    }
    TRACE(world, "# is lost: why %", attempt->fence, attempt->lost);
    if (attempt->lost == LOST_NOT) {
        promise_broken(world, "P7", "%" PRIu64 " is given up although host %u holds it",
                       attempt->fence, attempt->holder->index);
    }
    attempt->task->losses++;
    world->counts->paths[COUNT_LOST_DISPLACED] += attempt->lost == LOST_DISPLACED;
}

/* A stop that the agent made of its own accord is nobody's failure. */
static bool counts_as_try(const struct attempt_record *record)
{
    return record->outcome != OUTCOME_DISCONNECTED &&
           (record->outcome != OUTCOME_CANCELLED || record->stop_wanted);
}

static void end(struct world *world, struct book_attempt *attempt)
{
    bool was_lost = attempt->lost != LOST_NOT;
    const struct attempt_record *record = &attempt->record;
    const struct msg_finished *told = &attempt->end;
    bool same = attempt->ended && record->outcome == told->outcome &&
                record->exit_code == told->exit_code && record->signal == told->signal &&
                (attempt->spool_cut || (record->stdout_bytes == told->stdout_bytes &&
                                        record->stderr_bytes == told->stderr_bytes));
    bool never_ran = attempt->starts == 0 && (record->outcome == OUTCOME_CANCELLED ||
                                              record->outcome == OUTCOME_DISCONNECTED);
    /* It may have ended just so meanwhile, and its agent be about to say it. */
    attempt->stop_ran_out = stop_is_unconfirmed(world, attempt);
    if (attempt->results == 1 && !same && !never_ran && attempt->stop_ran_out) {
        attempt->lost = LOST_UNCONFIRMED;
        count_path(world, COUNT_LOST_UNCONFIRMED);
    } else if (attempt->results != 1 || (!same && !never_ran)) {
        promise_broken(world, "P6", "%" PRIu64 " ended otherwise than what is stored: %s %d",
                       attempt->fence, outcome_name(record->outcome), record->exit_code);
    }
    attempt->result_is_good =
        attempt->result_is_good && record->outcome == OUTCOME_EXITED && record->exit_code == 0;
    attempt->task->tries += !attempt->result_is_good && counts_as_try(record);
    world->counts->paths[COUNT_LATE_RESULT] += was_lost;
    count_path_if(world, COUNT_BULK_WORKED_BESIDE,
                  book_bulk_hold(attempt->task->constellation) != NULL);
    world->counts->paths[COUNT_OUTPUT_LARGE] += record->stdout_bytes > STORE_OUTPUT_INLINE_MAX;
    world->counts->paths[COUNT_TIMED_OUT] += record->outcome == OUTCOME_TIMED_OUT;
    world->counts->paths[COUNT_CANCELLED_RUNNING] +=
        record->outcome == OUTCOME_CANCELLED && attempt->starts > 0;
}

static void save_attempt(struct world *world, const struct attempt_record *record)
{
    struct book_attempt *attempt = books_attempt(world->books, record->fence);
    struct book_device *device = map_get(&world->books->devices, (uint64_t)record->device_id);
    CHECK(attempt != NULL && device != NULL);
    enum attempt_state before = attempt->record.state;
    attempt->record = *record;
    if (before == ATTEMPT_ENDED && record->state != before) {
        promise_broken(world, "P6", "%" PRIu64 " had ended", record->fence);
    }
    device->live += book_attempt_is_live(record->state);
    device->live -= book_attempt_is_live(before);
    if (record->state != before && record->state == ATTEMPT_STOPPING) {
        attempt->stopping_ms = world->now_ms;
    } else if (record->state != before && record->state == ATTEMPT_LOST) {
        lose(world, attempt);
    } else if (record->state != before && record->state == ATTEMPT_ENDED) {
        end(world, attempt);
    }
}

void promise_attempts(struct world *world, const struct segment *segment)
{
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_RESULT) {
            add_result(world, effect);
        }
    }
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_ATTEMPT) {
            add_attempt(world, effect->attempt);
        }
        if (!world->broken &&
            (effect->kind == EFFECT_ADD_ATTEMPT || effect->kind == EFFECT_SAVE_ATTEMPT)) {
            save_attempt(world, effect->attempt);
        }
    }
}
