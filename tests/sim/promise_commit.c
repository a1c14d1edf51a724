/* The checker: every row that is committed, against what was known before and what the agents did. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/books.h"
#include "tests/sim/world.h"

static const struct plan_policy *policy_of(const struct book_task *task)
{
    const struct plan *plan = &task->constellation->plan->plan;
    return &plan->policies[plan->tasks[task->index].policy_index];
}

/* --- New rows --- */

static void add_constellation(struct books *books, const struct effect *effect)
{
    struct book_constellation *constellation = mem_alloc(sizeof *constellation);
    constellation->id = effect->constellation.record->id;
    /* The plan is the first member of the simulator's. */
    constellation->plan = (const struct sim_plan *)(const void *)effect->constellation.plan;
    constellation->tasks =
        mem_array(constellation->plan->plan.tasks_count, sizeof(struct book_task *));
    constellation->next = books->first;
    books->first = constellation;
    map_put(&books->constellations, (uint64_t)constellation->id, constellation);
}

static void add_task(struct books *books, const struct effect *effect)
{
    struct book_constellation *constellation =
        map_get(&books->constellations, (uint64_t)effect->task.constellation_id);
    struct book_task *task = mem_alloc(sizeof *task);
    task->id = effect->task.record->id;
    task->constellation = constellation;
    task->index = constellation->tasks_count++;
    task->record.state = TASK_WAITING;
    constellation->tasks[task->index] = task;
    map_put(&books->tasks, (uint64_t)task->id, task);
}

static void save_device(struct books *books, const struct device_record *record)
{
    struct book_device *device = map_get(&books->devices, (uint64_t)record->id);
    if (device == NULL) {
        device = mem_alloc(sizeof *device);
        device->id = record->id;
        snprintf(device->name, sizeof device->name, "%.*s", STR_ARG(record->name));
        map_put(&books->devices, (uint64_t)record->id, device);
    }
    snprintf(device->journal_id, sizeof device->journal_id, "%.*s", STR_ARG(record->journal_id));
    device->session = record->session;
}

static void add_result(struct world *world, const struct effect *effect)
{
    struct book_attempt *attempt = books_attempt(world->books, effect->result.fence);
    if (attempt == NULL || ++attempt->results > 1) {
        promise_broken(world, "P6", "the result of %" PRIu64 " is stored twice, or nobody's",
                       effect->result.fence);
        return;
    }
    attempt->result_is_good = effect->result.reason.length == 0;
}

/* --- Attempts --- */

static bool is_live(enum attempt_state state)
{
    return state == ATTEMPT_SENT || state == ATTEMPT_RUNNING || state == ATTEMPT_STOPPING;
}

static void add_attempt(struct world *world, const struct attempt_record *record)
{
    struct books *books = world->books;
    struct book_task *task = map_get(&books->tasks, (uint64_t)record->task_id);
    struct book_device *device = map_get(&books->devices, (uint64_t)record->device_id);
    CHECK(task != NULL && device != NULL);
    struct book_attempt *before = books_attempt(books, record->previous);
    if (record->fence <= books->fence_max || record->previous != task->record.fence) {
        promise_broken(world, "P1", "fence %" PRIu64 " does not rise, or skips one", record->fence);
    }
    if (before != NULL && is_live(before->record.state)) {
        promise_broken(world, "P1", "%" PRIu64 " follows %" PRIu64 ", which is still current",
                       record->fence, record->previous);
    }
    if (task_state_is_final((enum task_state)task->record.state) ||
        task->tries >= policy_of(task)->max_attempts) {
        promise_broken(world, "P6", "%" PRIu64 " is an attempt of a task that has ended",
                       record->fence);
    }
    if (++device->live > device->slots) {
        promise_broken(world, "P8", "%s is given more than its %u slots", device->name,
                       device->slots);
    }
    struct book_attempt *attempt = mem_alloc(sizeof *attempt);
    attempt->fence = record->fence;
    attempt->task = task;
    attempt->assigned_ms = world->now_ms;
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
    const struct plan_policy *policy = policy_of(attempt->task);
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
static bool stop_is_unconfirmed(const struct world *world, const struct book_attempt *attempt)
{
    return attempt->stopping_ms != 0 &&
           world->now_ms - attempt->stopping_ms >=
               policy_of(attempt->task)->kill_grace_ms + world->lost_after_ms &&
           (attempt->record.outcome == OUTCOME_TIMED_OUT ||
            attempt->record.outcome == OUTCOME_CANCELLED);
}

static void lose(struct world *world, struct book_attempt *attempt)
{
    attempt->lost = judge_loss(world, attempt);
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
    if (attempt->results == 1 && !same && !never_ran && stop_is_unconfirmed(world, attempt)) {
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
    device->live += is_live(record->state);
    device->live -= is_live(before);
    if (record->state != before && record->state == ATTEMPT_STOPPING) {
        attempt->stopping_ms = world->now_ms;
    } else if (record->state != before && record->state == ATTEMPT_LOST) {
        lose(world, attempt);
    } else if (record->state != before && record->state == ATTEMPT_ENDED) {
        end(world, attempt);
    }
}

/* --- Tasks --- */

static bool needs_failed(const struct book_task *task)
{
    const struct sim_task *plan = &task->constellation->plan->tasks[task->index];
    for (size_t i = 0; i < plan->needs_count; i++) {
        enum task_state state =
            (enum task_state)task->constellation->tasks[plan->needs[i]]->record.state;
        if (task_state_is_final(state) && state != TASK_SUCCEEDED) {
            return true;
        }
    }
    return false;
}

static bool needs_succeeded(const struct book_task *task)
{
    const struct sim_task *plan = &task->constellation->plan->tasks[task->index];
    for (size_t i = 0; i < plan->needs_count; i++) {
        if (task->constellation->tasks[plan->needs[i]]->record.state != TASK_SUCCEEDED) {
            return false;
        }
    }
    return true;
}

static bool failure_is_due(const struct book_task *task, const struct book_attempt *attempt)
{
    if (attempt == NULL) {
        return task->prepare_refused;
    }
    if (attempt->record.state == ATTEMPT_LOST) {
        return task->record.lost >= policy_of(task)->max_lost && task->record.lost <= task->losses;
    }
    return !attempt->result_is_good && (task->tries >= policy_of(task)->max_attempts ||
                                        task->constellation->record.cancel_requested);
}

static void check_task(struct world *world, const struct book_task *task)
{
    enum task_state state = (enum task_state)task->record.state;
    const struct book_attempt *attempt = books_attempt(world->books, task->record.fence);
    bool right = true;
    switch (state) {
    case TASK_WAITING:
    case TASK_BACKOFF:
        right = attempt == NULL || !is_live(attempt->record.state);
        break;
    case TASK_ASSIGNED:
    case TASK_RUNNING:
        right = attempt != NULL && is_live(attempt->record.state);
        break;
    case TASK_SUCCEEDED:
        right = attempt != NULL && attempt->results == 1 && attempt->result_is_good;
        count_path(world, COUNT_SUCCEEDED);
        break;
    case TASK_FAILED:
        right = failure_is_due(task, attempt);
        count_path(world, COUNT_FAILED);
        break;
    case TASK_CANCELLED:
        right = task->constellation->record.cancel_requested;
        count_path(world, COUNT_CANCELLED);
        break;
    case TASK_UNKNOWN:
    case TASK_STATES_END:
        right = false;
        break;
    case TASK_SKIPPED:
        right = attempt == NULL && needs_failed(task);
        count_path(world, COUNT_SKIPPED);
        break;
    }
    if (!right) {
        promise_broken(world, "P6", "task %" PRId64 " is %s without a cause", task->id,
                       task_state_name(state));
    }
    if (attempt != NULL && !needs_succeeded(task)) {
        promise_broken(world, "P4", "task %" PRId64 " was assigned before its time", task->id);
    }
}

static void save_task(struct world *world, const struct task_record *record)
{
    struct book_task *task = map_get(&world->books->tasks, (uint64_t)record->id);
    CHECK(task != NULL);
    if (task_state_is_final((enum task_state)task->record.state) &&
        (task->record.state != record->state || task->record.fence != record->fence)) {
        promise_broken(world, "P6", "task %" PRId64 " had ended", task->id);
    }
    bool changed = task->record.state != record->state;
    task->record = *record;
    if (changed) {
        check_task(world, task);
    }
}

static void save_constellation(struct world *world, const struct constellation_record *record)
{
    struct book_constellation *constellation =
        map_get(&world->books->constellations, (uint64_t)record->id);
    CHECK(constellation != NULL);
    if (constellation_state_is_final(constellation->record.state) &&
        constellation->record.state != record->state) {
        promise_broken(world, "P6", "constellation %" PRId64 " had ended", record->id);
    }
    constellation->record = *record;
}

static void check_constellation(struct world *world, const struct book_constellation *constellation)
{
    unsigned counts[TASK_SKIPPED + 1] = { 0 };
    for (uint32_t i = 0; i < constellation->tasks_count; i++) {
        counts[constellation->tasks[i]->record.state]++;
    }
    unsigned ended = counts[TASK_SUCCEEDED] + counts[TASK_FAILED] + counts[TASK_CANCELLED] +
                     counts[TASK_SKIPPED];
    enum constellation_state due = constellation->record.cancel_requested ? CONSTELLATION_CANCELLED
                                   : counts[TASK_FAILED] > 0              ? CONSTELLATION_FAILED
                                                                          : CONSTELLATION_SUCCEEDED;
    if (ended != constellation->tasks_count || due != constellation->record.state) {
        promise_broken(world, "P6", "constellation %" PRId64 " is %s wrongly", constellation->id,
                       constellation_state_name(constellation->record.state));
    }
}

/* --- The whole --- */

static void count_history(struct world *world, const struct history *history)
{
    const struct book_attempt *attempt = books_attempt(world->books, history->fence);
    switch ((int)history->kind) {
    case HISTORY_TASK_LOST:
        world->counts->paths[COUNT_LOST_SILENT] +=
            str_is(history->text, "the device was cut off for too long");
        world->counts->paths[COUNT_LOST_NEVER_ARRIVED] +=
            str_is(history->text, "it never reached the agent");
        world->counts->paths[COUNT_LOST_DEAD] +=
            str_is(history->text, "the agent was restarted while it ran") ||
            str_is(history->text, "the machine was restarted");
        world->counts->paths[COUNT_POISON] += str_starts_with(history->text, STR("poison"));
        break;
    case HISTORY_TASK_ADOPTED:
        count_path(world, COUNT_ADOPTED);
        world->counts->paths[COUNT_ADOPTED_AFTER_RESTART] +=
            attempt != NULL && attempt->assigned_ms < world->daemon.started_ms;
        break;
    case HISTORY_ATTEMPT_STALE:
        count_path(world, COUNT_STALE);
        break;
    case HISTORY_TASK_ENDED:
        if (history->outcome == OUTCOME_DISCONNECTED) {
            bool was_shut_down = str_is(history->text, "the agent was shut down");
            count_path(world, was_shut_down ? COUNT_INTERRUPTED : COUNT_STOPPED_BY_LEASE);
        }
        break;
    case HISTORY_RESTORE_BLOCKED:
        promise_broken(world, "P5", "the database is taken for an old copy");
        break;
    default:
        break;
    }
}

static void take_attempts(struct world *world, const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ADD_ATTEMPT) {
            add_attempt(world, effect->attempt);
        }
        if (effect->kind == EFFECT_ADD_ATTEMPT || effect->kind == EFFECT_SAVE_ATTEMPT) {
            save_attempt(world, effect->attempt);
        }
    }
}

/* A row looks as it does at the end of the turn, wherever it stands in the list: so first all of one
   kind, in the order in which one depends on the other. */
void promise_committed(struct world *world, const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ADD_CONSTELLATION) {
            add_constellation(world->books, effect);
        } else if (effect->kind == EFFECT_ADD_TASK) {
            add_task(world->books, effect);
        } else if (effect->kind == EFFECT_SAVE_DEVICE) {
            save_device(world->books, effect->device);
        } else if (effect->kind == EFFECT_RESULT) {
            add_result(world, effect);
        }
        if (effect->kind == EFFECT_ADD_CONSTELLATION || effect->kind == EFFECT_SAVE_CONSTELLATION) {
            save_constellation(world, effect->constellation.record);
        }
    }
    take_attempts(world, effects);
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_SAVE_TASK) {
            save_task(world, effect->task.record);
        }
    }
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_SAVE_CONSTELLATION &&
            constellation_state_is_final(effect->constellation.record->state)) {
            check_constellation(world, map_get(&world->books->constellations,
                                               (uint64_t)effect->constellation.record->id));
        } else if (effect->kind == EFFECT_HISTORY) {
            count_history(world, &effect->history);
        }
    }
}
