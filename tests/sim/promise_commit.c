/* The checker: every row that is committed, against what was known before and what the agents did. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

static const struct plan_policy *policy_of(const struct book_task *task)
{
    return task->spec->policy;
}

static bool must_stop(const struct book_task *task)
{
    const struct constellation_record *record = &task->constellation->record;
    return (task->spec->plan.flags & TASK_FINALLY) != 0
               ? record->cancel_finally
               : record->cancel_requested || record->stopping;
}

/* --- New rows --- */

static void add_constellation(struct books *books, const struct effect *effect)
{
    struct book_constellation *constellation = mem_alloc(sizeof *constellation);
    constellation->id = effect->constellation.record->id;
    /* The plan is the first member of the simulator's. */
    constellation->plan = (const struct sim_plan *)(const void *)effect->constellation.plan;
    constellation->record = *effect->constellation.record;
    constellation->record.state = CONSTELLATION_LOADING;
    constellation->limit = constellation->plan->plan.limits[0].capacity;
    constellation->next = books->first;
    books->first = constellation;
    map_put(&books->constellations, (uint64_t)constellation->id, constellation);
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
    attempt->has_value = effect->result.result.length > 0;
}

/* --- Attempts --- */

static bool is_live(enum attempt_state state)
{
    return state == ATTEMPT_SENT || state == ATTEMPT_RUNNING || state == ATTEMPT_STOPPING;
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
        if (!is_live(other->record.state)) {
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
    if (before != NULL && is_live(before->record.state)) {
        promise_broken(world, "P1", "%" PRIu64 " follows %" PRIu64 ", which is still current",
                       record->fence, record->previous);
    }
    if (task_state_is_final((enum task_state)task->record.state) ||
        task->tries >= policy_of(task)->max_attempts) {
        promise_broken(world, "P6", "%" PRIu64 " is an attempt of a task that has ended",
                       record->fence);
    }
    if (policy_of(task)->effect == TASK_ONCE) {
        check_once(world, task, record->fence);
    }
    check_room(world, task, device, record->fence);
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
static bool stop_has_waited(const struct world *world, const struct book_attempt *attempt)
{
    return attempt->stopping_ms != 0 &&
           world->now_ms - attempt->stopping_ms >=
               policy_of(attempt->task)->kill_grace_ms + world->lost_after_ms;
}

static bool stop_is_unconfirmed(const struct world *world, const struct book_attempt *attempt)
{
    return stop_has_waited(world, attempt) && (attempt->record.outcome == OUTCOME_TIMED_OUT ||
                                               attempt->record.outcome == OUTCOME_CANCELLED);
}

static void lose(struct world *world, struct book_attempt *attempt)
{
    attempt->lost = attempt->task->is_resolved ? LOST_RESOLVED : judge_loss(world, attempt);
    if (attempt->lost == LOST_NOT && policy_of(attempt->task)->effect == TASK_ONCE &&
        stop_has_waited(world, attempt)) {
        attempt->lost = LOST_UNCONFIRMED; /* it is not done with: somebody decides */
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

static bool failure_is_due(const struct book_task *task, const struct book_attempt *attempt)
{
    const struct plan_policy *policy = policy_of(task);
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
           (task->tries >= policy->max_attempts || must_stop(task) ||
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

static void check_task(struct world *world, const struct segment *segment,
                       const struct book_task *task)
{
    enum task_state state = (enum task_state)task->record.state;
    const struct book_attempt *attempt = books_current(world->books, task);
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
        right = must_stop(task);
        count_path(world, COUNT_CANCELLED);
        break;
    case TASK_UNKNOWN:
        right = attempt != NULL && policy_of(task)->effect == TASK_ONCE;
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

static void save_task(struct world *world, const struct segment *segment,
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
    task->is_changed = task->is_changed || task->record.state != record->state;
    task->record = *record;
}

static void save_constellation(struct world *world, const struct segment *segment,
                               const struct constellation_record *record)
{
    struct book_constellation *constellation = books_constellation(world->books, record->id);
    CHECK(constellation != NULL);
    if (constellation_state_is_final(constellation->record.state) &&
        constellation->record.state != record->state) {
        if (segment->wish == NULL || !segment_is_done(segment)) {
            promise_broken(world, "P6", "constellation %" PRId64 " had ended", record->id);
        }
        constellation->cancel_asked = false;
        count_path(world, segment->wish != NULL && segment->wish->event.kind == EVENT_EDIT
                              ? COUNT_EDIT_REOPENS
                              : COUNT_REOPENED);
    }
    bool is_edited = segment->wish != NULL && segment->wish->event.kind == EVENT_EDIT &&
                     segment->wish->constellation_id == record->id && segment_is_done(segment);
    uint32_t revision = is_edited ? segment->wish->revision : constellation->record.revision;
    if (record->revision != revision) {
        promise_broken(world, "P3", "constellation %" PRId64 " is at revision %u after %u",
                       record->id, record->revision, constellation->record.revision);
    }
    if (is_edited && (record->tasks != constellation->tasks_count ||
                      record->edges != books_stored_edges(constellation))) {
        promise_broken(world, "P3",
                       "constellation %" PRId64 " says it has %u tasks and %u dependencies, not "
                       "%u and %u",
                       record->id, record->tasks, record->edges, constellation->tasks_count,
                       books_stored_edges(constellation));
    }
    constellation->record = *record;
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

static void take_attempts(struct world *world, const struct segment *segment)
{
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

/* What a wish has brought about, apart from rows that are looked at for themselves. */
static void take_wish(struct world *world, const struct segment *segment)
{
    struct wish *wish = segment->wish;
    bool is_done = segment_is_done(segment);
    if (wish->is_stored && wish->event.kind == EVENT_EDIT && is_done) {
        char text[400];
        wish_print(wish, text, sizeof text);
        promise_broken(world, "P3", "the same edit is applied twice: revision %u, %s",
                       wish->revision, text);
    }
    world->counts->paths[COUNT_EDIT_REPEATED] +=
        wish->is_stored && wish->event.kind == EVENT_EDIT && !is_done;
    if (wish->event.kind == EVENT_EDIT && is_done) {
        promise_edit_applied(world, segment);
    } else if (wish->event.kind == EVENT_EDIT) {
        promise_edit_refused(world, segment);
    } else if (wish->event.kind == EVENT_RESOLVE && is_done) {
        struct book_task *task = books_task(world->books, wish->event.resolve.task_id);
        task->is_resolved = true;
        count_path(world, COUNT_RESOLVED);
    } else if (wish->event.kind == EVENT_REOPEN && is_done) {
        count_path(world, wish->event.reopen.rerun ? COUNT_RERUN : COUNT_RETRY);
    } else if (wish->event.kind == EVENT_DRAIN && is_done) {
        count_path(world, COUNT_DRAINED);
    }
    wish->is_stored = wish->is_stored || is_done;
}

static void take_rows(struct world *world, const struct segment *segment)
{
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_SAVE_DEVICE) {
            save_device(world->books, effect->device);
        } else if (effect->kind == EFFECT_RESULT) {
            add_result(world, effect);
        } else if (effect->kind == EFFECT_ADD_CONSTELLATION ||
                   effect->kind == EFFECT_SAVE_CONSTELLATION) {
            save_constellation(world, segment, effect->constellation.record);
        }
    }
    take_attempts(world, segment);
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_SAVE_TASK) {
            save_task(world, segment, effect->task.record);
        }
    }
}

static void check_rows(struct world *world, const struct segment *segment)
{
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_ATTEMPT) {
            promise_may_start(world, books_task(world->books, effect->attempt->task_id),
                              effect->attempt->fence);
        } else if (effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_SAVE_TASK) {
            struct book_task *task = books_task(world->books, effect->task.record->id);
            if (task != NULL && task->is_changed) {
                task->is_changed = false;
                check_task(world, segment, task);
            }
        } else if (effect->kind == EFFECT_HISTORY) {
            count_history(world, &effect->history);
        }
    }
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_CONSTELLATION || effect->kind == EFFECT_SAVE_CONSTELLATION) {
            struct book_constellation *constellation =
                books_constellation(world->books, effect->constellation.record->id);
            promise_stopping(world, constellation);
            constellation->before = constellation->record;
            if (constellation_state_is_final(constellation->record.state)) {
                promise_verdict(world, constellation);
            }
        }
    }
}

/* A row looks as it does at the end of its segment, wherever it stands in the list: so first all of one
   kind, in the order in which one depends on the other. */
void promise_committed(struct world *world, const struct turn_log *log)
{
    for (size_t i = 0; i < log->count && !world->broken; i++) {
        const struct segment *segment = &log->segments[i];
        for (size_t k = 0; k < segment->count; k++) {
            if (segment->list[k].kind == EFFECT_ADD_CONSTELLATION) {
                add_constellation(world->books, &segment->list[k]);
            }
        }
        if (segment->wish != NULL) {
            take_wish(world, segment);
        }
        promise_holds(world, segment);
        if (segment->wish == NULL || segment->wish->event.kind != EVENT_EDIT) {
            promise_plan_rows(world, segment);
        }
        /* They were asked for in the tick, which comes last. */
        for (size_t k = 0; k < log->refused_count && i + 1 == log->count; k++) {
            struct book_task *task = books_task(world->books, log->refused[k]);
            if (task != NULL) {
                task->prepare_refused = true;
                count_path(world, COUNT_PREPARE_REFUSED);
            }
        }
        if (!world->broken) {
            take_rows(world, segment);
        }
        if (!world->broken) {
            promise_decisions(world, log, segment);
        }
        check_rows(world, segment);
    }
}
