/* Tasks: their states, the moves between them, and what an attempt's end makes of them. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* Which move is allowed, [from][to]. A task that lost its attempt waits again, or backs off; the attempt
   may still come back, and is adopted, until the next one is made. */
static const bool MOVES[TASK_STATES_END][TASK_STATES_END] = {
    [TASK_WAITING] = { [TASK_ASSIGNED] = true,
                       [TASK_RUNNING] = true,
                       [TASK_SUCCEEDED] = true, /* a gate */
                       [TASK_FAILED] = true,
                       [TASK_CANCELLED] = true,
                       [TASK_SKIPPED] = true },
    [TASK_ASSIGNED] = { [TASK_WAITING] = true,
                        [TASK_RUNNING] = true,
                        [TASK_BACKOFF] = true,
                        [TASK_SUCCEEDED] = true,
                        [TASK_FAILED] = true,
                        [TASK_CANCELLED] = true,
                        [TASK_UNKNOWN] = true },
    [TASK_RUNNING] = { [TASK_WAITING] = true,
                       [TASK_BACKOFF] = true,
                       [TASK_SUCCEEDED] = true,
                       [TASK_FAILED] = true,
                       [TASK_CANCELLED] = true,
                       [TASK_UNKNOWN] = true },
    /* It reported after all, it is proven never to have begun, or someone has decided. */
    [TASK_UNKNOWN] = { [TASK_WAITING] = true,
                       [TASK_ASSIGNED] = true,
                       [TASK_RUNNING] = true,
                       [TASK_BACKOFF] = true,
                       [TASK_SUCCEEDED] = true,
                       [TASK_FAILED] = true,
                       [TASK_CANCELLED] = true },
    [TASK_BACKOFF] = { [TASK_WAITING] = true,
                       [TASK_ASSIGNED] = true,
                       [TASK_RUNNING] = true,
                       [TASK_CANCELLED] = true },
    /* Reopened, or rewired. */
    [TASK_SUCCEEDED] = { [TASK_WAITING] = true },
    [TASK_FAILED] = { [TASK_WAITING] = true },
    [TASK_CANCELLED] = { [TASK_WAITING] = true },
    [TASK_SKIPPED] = { [TASK_WAITING] = true },
};

void task_queue_push(struct task_queue *queue, struct task *task, enum queue name)
{
    CHECK(task->queue == QUEUE_NONE);
    task->queue = (uint8_t)name;
    task->next = NULL;
    if (queue->last == NULL) {
        queue->first = task;
    } else {
        queue->last->next = task;
    }
    queue->last = task;
    queue->count++;
}

struct task *task_queue_pop(struct task_queue *queue)
{
    struct task *task = queue->first;
    queue->first = task->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    queue->count--;
    task->next = NULL;
    task->queue = QUEUE_NONE;
    return task;
}

bool task_wakes_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct task *x = HEAP_OWNER(a, const struct task, node);
    const struct task *y = HEAP_OWNER(b, const struct task, node);
    return x->wake_boot_ms != y->wake_boot_ms ? x->wake_boot_ms < y->wake_boot_ms
                                              : x->record.id < y->record.id;
}

bool task_prepares_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct task *x = HEAP_OWNER(a, const struct task, node);
    const struct task *y = HEAP_OWNER(b, const struct task, node);
    return x->record.priority != y->record.priority ? x->record.priority > y->record.priority
                                                    : x->record.id < y->record.id;
}

void task_save(struct engine *engine, struct task *task)
{
    if (engine_mark(engine, &task->mark)) {
        struct effect *effect = effects_add(engine->effects, EFFECT_SAVE_TASK);
        effect->task.record = &task->record;
        effect->task.constellation_id = task->constellation->record.id;
    }
}

void task_stamp(struct engine *engine, struct task *task)
{
    if (!engine_is_marked(engine, task->mark)) {
        struct effect *effect = effects_add(engine->effects, EFFECT_SAVE_TASK);
        effect->task.record = &task->record;
        effect->task.constellation_id = task->constellation->record.id;
        effect->task.is_stamp = true;
    }
}

/* How long it may be ready without being assigned. The clock runs while it is on the ready queue, and
   begins anew when it comes there again: a hold does not use it up. */
static void start_waiting(struct engine *engine, struct task *task)
{
    int64_t length = task->policy->record.plan.queue_timeout_ms;
    if (length == 0) {
        return;
    }
    if (task->record.wake_wall_ms == 0) {
        task->record.wake_wall_ms = engine->now.wall_ms + length;
        task->record.wake_length_ms = length;
        task_save(engine, task);
    }
    task->wake_boot_ms =
        engine_remaining_boot_ms(engine, task->record.wake_wall_ms, task->record.wake_length_ms);
    heap_insert(&engine->queue_timers, &task->timer);
}

static void stop_waiting(struct engine *engine, struct task *task)
{
    if (heap_holds(&task->timer)) {
        heap_remove(&engine->queue_timers, &task->timer);
        task->record.wake_wall_ms = 0;
        task->record.wake_length_ms = 0;
        task_save(engine, task);
    }
}

bool task_times_out_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct task *x = HEAP_OWNER(a, const struct task, timer);
    const struct task *y = HEAP_OWNER(b, const struct task, timer);
    return x->wake_boot_ms != y->wake_boot_ms ? x->wake_boot_ms < y->wake_boot_ms
                                              : x->record.id < y->record.id;
}

void task_ready_too_long(struct engine *engine, struct task *task)
{
    if (task_must_not_start(task)) {
        task_cancel(engine, task);
    } else if (task_is_held(task)) {
        task_unqueue(engine, task); /* by a hold on all; its end considers every task again */
    } else {
        task_fail(engine, task,
                  engine_text(engine, "no device took it within %lld ms: its queue timeout",
                              (long long)task->policy->record.plan.queue_timeout_ms));
    }
}

void task_unqueue(struct engine *engine, struct task *task)
{
    switch ((enum queue)task->queue) {
    case QUEUE_READY:
        lane_remove(engine, task);
        engine->stats.ready--;
        stop_waiting(engine, task);
        break;
    case QUEUE_BACKOFF:
        heap_remove(&engine->backoff, &task->node);
        break;
    case QUEUE_PREPARE:
        heap_remove(&engine->prepare, &task->node);
        break;
    case QUEUE_NONE:
        break;
    case QUEUE_DECIDE:
    case QUEUE_PREPARING:
        check_failed("a task on this queue cannot move", __FILE__, __LINE__);
        break;
    }
    task->queue = QUEUE_NONE;
}

static void end(struct engine *engine, struct task *task)
{
    struct constellation *constellation = task->constellation;
    if (task->attempt != NULL) {
        attempt_detach(engine, task->attempt);
    }
    constellation->remaining--;
    constellation->ordinary -= (task->record.flags & TASK_FINALLY) == 0;
    hold_task_ended(engine, task);
    if (task->record.state == TASK_FAILED && !task_must_stop(task)) {
        if (task->policy->record.plan.hold_on_failure_ms > 0 &&
            constellation->failure_holds < ENGINE_FAILURE_HOLDS_MAX) {
            hold_failure(engine, task);
        } else {
            task_failure_counts(engine, task);
        }
    }
    decision_task_final(engine, task);
}

void task_failure_counts(struct engine *engine, struct task *task)
{
    if (task->constellation->record.fail_fast &&
        (task->record.flags & (TASK_ALLOW_FAILURE | TASK_FINALLY)) == 0) {
        constellation_stop(engine, task->constellation, "fail_fast: a task has failed");
    }
}

void task_move(struct engine *engine, struct task *task, enum task_state state)
{
    CHECK(MOVES[task->record.state][state]);
    bool reopens = task_state_is_final((enum task_state)task->record.state);
    if (reopens) {
        /* It may be on the queue of those whose edges are decided: it stays there, and is passed over. */
        task->constellation->remaining++;
        task->constellation->ordinary += (task->record.flags & TASK_FINALLY) == 0;
    } else if (task->queue != QUEUE_DECIDE) {
        task_unqueue(engine, task);
    }
    if (task->record.state == TASK_BACKOFF) {
        task->record.wake_wall_ms = 0;
        task->record.wake_length_ms = 0;
    }
    constellation_count_out(task);
    task->record.state = (uint8_t)state;
    constellation_count_in(task);
    task_save(engine, task);
    if (task_state_is_final(state)) {
        end(engine, task);
    }
}

void task_drop_inputs(struct engine *engine, struct task *task)
{
    if (task->record.prepared) {
        task->record.prepared = false;
        effects_add(engine->effects, EFFECT_DROP_INPUTS)->id = task->record.id;
        task_save(engine, task);
    }
}

enum ways task_ways(const struct task *task)
{
    if ((task->record.flags & TASK_JOIN_ANY) == 0) {
        return task->closed > 0 ? WAYS_CLOSED : task->undecided > 0 ? WAYS_WAIT : WAYS_OPEN;
    }
    uint32_t others_left = task->undecided - task->required_left;
    if (task->required_closed > 0 || (task->opened == 0 && others_left == 0 && task->closed > 0)) {
        return WAYS_CLOSED; /* also while what it requires is undecided: it cannot start any more */
    }
    return task->required_left > 0 || (task->opened == 0 && others_left > 0) ? WAYS_WAIT
                                                                             : WAYS_OPEN;
}

bool task_is_ready(const struct task *task)
{
    return task->record.state == TASK_WAITING && task_ways(task) == WAYS_OPEN;
}

bool task_has_started(const struct task *task)
{
    return task->record.attempts > task->record.first_attempt;
}

bool task_is_held(const struct task *task)
{
    return task->held > 0 || task->constellation->holds_all > 0;
}

bool task_awaits_approval_only(const struct task *task)
{
    return task->held == 1 && task->constellation->holds_all == 0 &&
           (task->record.flags & TASK_APPROVAL) != 0 &&
           hold_of_root(task->constellation, task->record.id, HOLD_APPROVAL) != NULL;
}

bool task_must_stop(const struct task *task)
{
    const struct constellation_record *record = &task->constellation->record;
    if ((task->record.flags & TASK_FINALLY) != 0) {
        return record->cancel_requested && record->cancel_finally;
    }
    return record->cancel_requested || record->stopping;
}

bool task_must_not_start(const struct task *task)
{
    return task_must_stop(task) && !constellation_is_being_changed(task->constellation);
}

/* A gate has nothing to run: that its ways are open is all there is to it. */
static void open_gate(struct engine *engine, struct task *task)
{
    task_move(engine, task, TASK_SUCCEEDED);
    struct history *history = engine_history(engine, HISTORY_TASK_SUCCEEDED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
}

void task_consider(struct engine *engine, struct task *task)
{
    const struct constellation *constellation = task->constellation;
    if (task->record.state != TASK_WAITING || task->queue != QUEUE_NONE ||
        constellation->record.state == CONSTELLATION_LOADING) {
        return;
    }
    enum ways ways = task_ways(task);
    /* Nobody is asked about what will not run. */
    bool is_moot =
        ways == WAYS_CLOSED && !task_has_started(task) && task_awaits_approval_only(task);
    if (task_is_held(task) && !is_moot) {
        return;
    }
    bool is_gate = (task->record.flags & TASK_GATE) != 0;
    bool starts_clock = ways == WAYS_OPEN && task->record.wake_wall_ms == 0 &&
                        task->policy->record.plan.queue_timeout_ms > 0;
    if (engine->effects == NULL && (ways == WAYS_CLOSED || is_gate || starts_clock)) {
        /* Loading: a slice had not come to it before the last end. It is a change, and waits for a turn. */
        constellation_queue_job(engine, task->constellation, JOB_OPEN);
        return;
    }
    if (is_moot) {
        hold_end(engine, hold_of_root(constellation, task->record.id, HOLD_APPROVAL),
                 STR("its task is skipped")); /* considers it again */
        return;
    }
    if (ways == WAYS_CLOSED && !task_has_started(task)) {
        decision_skip(engine, task);
        return;
    }
    if (ways != WAYS_OPEN ||
        ((task->record.flags & TASK_FINALLY) != 0 && !constellation->finally_open)) {
        return;
    }
    if (is_gate) {
        open_gate(engine, task);
        return;
    }
    if (task->record.has_references && !task->record.prepared) {
        task->queue = QUEUE_PREPARE;
        heap_insert(&engine->prepare, &task->node);
        return;
    }
    task->queue = QUEUE_READY;
    engine->stats.ready++;
    lane_push(engine, task);
    start_waiting(engine, task);
}

/* Full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015): uniform below the exponential. */
static int64_t backoff_ms(struct engine *engine, const struct task *task)
{
    const struct plan_policy *policy = &task->policy->record.plan;
    int64_t ceiling = policy->backoff_base_ms;
    for (unsigned i = 1; i < task->record.tries && ceiling < policy->backoff_max_ms; i++) {
        if (ceiling > INT64_MAX / policy->backoff_factor_permille) {
            ceiling = policy->backoff_max_ms;
            break;
        }
        ceiling = ceiling * policy->backoff_factor_permille / 1000;
    }
    if (ceiling > policy->backoff_max_ms) {
        ceiling = policy->backoff_max_ms;
    }
    return (int64_t)rng_below(&engine->rng, (uint64_t)ceiling + 1);
}

static void begin_backoff(struct engine *engine, struct task *task, int64_t length)
{
    task->record.wake_length_ms = length;
    task->record.wake_wall_ms = engine->now.wall_ms + length;
    task->wake_boot_ms = engine->now.boot_ms + length;
    task_move(engine, task, TASK_BACKOFF);
    task->queue = QUEUE_BACKOFF;
    heap_insert(&engine->backoff, &task->node);
}

void task_wake(struct engine *engine, struct task *task)
{
    CHECK(task->record.state == TASK_BACKOFF);
    task_move(engine, task, TASK_WAITING);
    task_consider(engine, task);
}

/* Attempts that ended by no fault of the task: stopped by an agent of its own accord, cut off for too
   long, never arrived. The first goes on at once, more of them wait longer and longer, and there is an
   end to it. False: it has failed. */
static bool requeue(struct engine *engine, struct task *task)
{
    enum { BASE_MS = 100, CEILING_MS = 60 * 1000, DOUBLINGS_MAX = 10 };
    uint32_t uncounted =
        task->record.attempts - task->record.first_attempt - task->record.tries - task->record.lost;
    if (uncounted >= ENGINE_UNCOUNTED_MAX) {
        task_move(engine, task, TASK_FAILED);
        return false;
    }
    if (uncounted <= 1) {
        task_move(engine, task, TASK_WAITING);
        task_consider(engine, task);
        return true;
    }
    uint32_t doublings = uncounted < DOUBLINGS_MAX ? uncounted : DOUBLINGS_MAX;
    int64_t ceiling = (int64_t)BASE_MS << doublings;
    ceiling = ceiling > CEILING_MS ? CEILING_MS : ceiling;
    begin_backoff(engine, task, (int64_t)rng_below(&engine->rng, (uint64_t)ceiling + 1));
    return true;
}

void task_give_reason(struct engine *engine, const struct task *task, struct str text)
{
    struct effect *effect = effects_add(engine->effects, EFFECT_TASK_REASON);
    effect->reason.task_id = task->record.id;
    effect->reason.text = text;
}

/* Its attempt has begun, or may have, and is not heard of; it must not begin twice. Someone decides. */
static void become_unknown(struct engine *engine, struct task *task, const struct attempt *attempt,
                           const char *why)
{
    if (task->record.state != TASK_UNKNOWN) {
        task_move(engine, task, TASK_UNKNOWN);
    }
    task_give_reason(engine, task, str_of(why));
    struct history *history = engine_history(engine, HISTORY_TASK_UNKNOWN);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
    history->device_id = attempt->device->record.id;
    history->fence = attempt->record.fence;
    history->text = str_of(why);
}

/* After which kind of end another attempt is made, if one is left. */
static bool is_retried(const struct task *task, const struct msg_finished *finished)
{
    uint32_t bits = task->policy->record.plan.retry_on;
    uint32_t bit = RETRY_ON_EXIT;
    switch (finished->outcome) {
    case OUTCOME_EXITED:
        break;
    case OUTCOME_SIGNALLED:
        bit = RETRY_ON_SIGNAL;
        break;
    case OUTCOME_TIMED_OUT:
    case OUTCOME_CANCELLED:
    case OUTCOME_DISCONNECTED:
        bit = RETRY_ON_TIMEOUT;
        break;
    case OUTCOME_START_FAILED:
        bit = RETRY_ON_START;
        break;
    }
    return task->record.tries < task->policy->record.plan.max_attempts &&
           (bits == 0 || (bits & bit) != 0);
}

static const char NEVER_ENDS[] =
    "given up: a thousand attempts were interrupted, none by the task itself";

static void note_end(struct engine *engine, const struct task *task, const struct device *device,
                     const struct msg_finished *finished)
{
    struct history *history = engine_history(engine, HISTORY_TASK_ENDED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
    history->device_id = device->record.id;
    history->fence = finished->fence;
    history->state = task->record.state;
    history->outcome = (uint8_t)finished->outcome;
    history->number =
        finished->outcome == OUTCOME_SIGNALLED ? finished->signal : finished->exit_code;
    history->text = arena_str(&engine->effects->arena, finished->reason);
}

static uint16_t one_more(uint16_t count)
{
    return count < UINT16_MAX ? (uint16_t)(count + 1) : count;
}

/* A stop that the agent made of its own accord (it was shut down, or cut off with on_disconnect: stop)
   is nobody's failure: it counts to no limit. */
static bool was_interrupted(const struct attempt *attempt, const struct msg_finished *finished)
{
    return finished->outcome == OUTCOME_DISCONNECTED ||
           (finished->outcome == OUTCOME_CANCELLED && !attempt->record.stop_wanted);
}

void task_ended(struct engine *engine, struct task *task, const struct msg_finished *finished)
{
    struct attempt *attempt = task->attempt;
    struct device *device = attempt->device;
    bool cancelled = task_must_stop(task);
    bool stopped =
        finished->outcome == OUTCOME_CANCELLED || finished->outcome == OUTCOME_DISCONNECTED;
    if (finished->outcome == OUTCOME_EXITED && finished->exit_code == 0 &&
        finished->reason.length == 0) {
        rank_learn(engine, task, finished->duration_ms);
        task_move(engine, task, TASK_SUCCEEDED);
    } else if (cancelled && stopped) {
        task_move(engine, task, TASK_CANCELLED);
    } else if (was_interrupted(attempt, finished) &&
               task->policy->record.plan.effect == TASK_ONCE &&
               (finished->started_wall_ms != 0 || attempt->record.started_wall_ms != 0)) {
        become_unknown(engine, task, attempt, "the agent stopped it midway, of its own accord");
    } else if (was_interrupted(attempt, finished)) {
        if (!requeue(engine, task)) {
            task_give_reason(engine, task, str_of(NEVER_ENDS));
        }
    } else {
        task->record.tries = one_more(task->record.tries);
        if (!cancelled && is_retried(task, finished)) {
            begin_backoff(engine, task, backoff_ms(engine, task));
        } else {
            task_move(engine, task, TASK_FAILED);
        }
    }
    note_end(engine, task, device, finished);
}

void task_lost(struct engine *engine, struct task *task, enum loss loss, const char *why)
{
    struct attempt *attempt = task->attempt;
    uint64_t fence = attempt->record.fence;
    int64_t device_id = attempt->device->record.id;
    bool died = loss == LOSS_DIED;
    if (died) {
        task->record.lost = one_more(task->record.lost);
        task_save(engine, task);
    }
    engine->stats.lost_total++;
    struct str reason = str_of(why);
    if (loss != LOSS_NEVER_STARTED && task->policy->record.plan.effect == TASK_ONCE) {
        if (task->record.state != TASK_UNKNOWN) {
            become_unknown(engine, task, attempt, why);
        }
        return;
    }
    if (task_must_stop(task)) {
        task_move(engine, task, TASK_CANCELLED);
    } else if (died && task->record.lost >= task->policy->record.plan.max_lost) {
        reason = engine_text(engine, "poison: %u attempts died with their agent; the last: %s",
                             task->record.lost, why);
        task_give_reason(engine, task, reason);
        task_move(engine, task, TASK_FAILED);
    } else if (died) {
        task_move(engine, task, TASK_WAITING);
        task_consider(engine, task);
    } else if (!requeue(engine, task)) {
        reason = str_of(NEVER_ENDS);
        task_give_reason(engine, task, reason);
    }
    struct history *history = engine_history(engine, HISTORY_TASK_LOST);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
    history->device_id = device_id;
    history->fence = fence;
    history->state = task->record.state;
    history->text = reason;
}

void task_proven_unstarted(struct engine *engine, struct task *task)
{
    if (task->record.state != TASK_UNKNOWN) {
        return;
    }
    if (task_must_stop(task)) {
        task_move(engine, task, TASK_CANCELLED);
    } else if (!requeue(engine, task)) {
        task_give_reason(engine, task, str_of(NEVER_ENDS));
    }
}

void task_cancel(struct engine *engine, struct task *task)
{
    if (task_state_is_final(task->record.state)) {
        return;
    }
    if (task->record.state == TASK_ASSIGNED || task->record.state == TASK_RUNNING) {
        attempt_stop(engine, task->attempt, "cancelled");
        return;
    }
    if (task->record.state == TASK_UNKNOWN) {
        /* It is not over before someone says what became of it; it need not go on if it comes back. */
        if (task->attempt != NULL && !task->attempt->record.stop_wanted) {
            task->attempt->record.stop_wanted = true;
            attempt_save(engine, task->attempt);
        }
        return;
    }
    task_move(engine, task, TASK_CANCELLED);
    struct history *history = engine_history(engine, HISTORY_TASK_CANCELLED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
}

void task_fail(struct engine *engine, struct task *task, struct str reason)
{
    struct str text = arena_str(&engine->effects->arena, reason);
    task_move(engine, task, TASK_FAILED);
    task_give_reason(engine, task, text);
    struct history *history = engine_history(engine, HISTORY_TASK_FAILED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
    history->text = text;
}
