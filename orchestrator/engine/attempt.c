/* Attempts: one run of a task on a device, known by its fence. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* How much later than the agent the daemon enforces a run timeout, on top of a tenth. */
static const int64_t BACKUP_SLACK_MS = 5000;

static const bool MOVES[ATTEMPT_LOST + 1][ATTEMPT_LOST + 1] = {
    [ATTEMPT_SENT] = { [ATTEMPT_RUNNING] = true,
                       [ATTEMPT_STOPPING] = true,
                       [ATTEMPT_ENDED] = true,
                       [ATTEMPT_LOST] = true },
    [ATTEMPT_RUNNING] = { [ATTEMPT_STOPPING] = true,
                          [ATTEMPT_ENDED] = true,
                          [ATTEMPT_LOST] = true },
    [ATTEMPT_STOPPING] = { [ATTEMPT_ENDED] = true, [ATTEMPT_LOST] = true },
    /* It came back before the task went on to another. */
    [ATTEMPT_LOST] = { [ATTEMPT_SENT] = true,
                       [ATTEMPT_RUNNING] = true,
                       [ATTEMPT_STOPPING] = true,
                       [ATTEMPT_ENDED] = true },
};

bool attempt_timer_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct attempt *x = HEAP_OWNER(a, const struct attempt, timer);
    const struct attempt *y = HEAP_OWNER(b, const struct attempt, timer);
    return x->timer_boot_ms != y->timer_boot_ms ? x->timer_boot_ms < y->timer_boot_ms
                                                : x->record.fence < y->record.fence;
}

void attempt_save(struct engine *engine, struct attempt *attempt)
{
    if (attempt->task != NULL && engine_mark(engine, &attempt->mark)) {
        effects_add(engine->effects, EFFECT_SAVE_ATTEMPT)->attempt = &attempt->record;
    }
}

/* How many of the constellation's that are to be spread are on the device. */
static void count_spread(const struct attempt *attempt, int by)
{
    struct map *spread = &attempt->task->constellation->spread;
    uint64_t device_id = (uint64_t)attempt->device->record.id;
    intptr_t count = (intptr_t)map_get(spread, device_id) + by;
    if (count == 0) {
        map_remove(spread, device_id);
    } else {
        map_put(spread, device_id, (void *)count);
    }
}

/* What an attempt of a task takes up beside its slot: of the device, of its constellation's share, of
   the named limits. */
static void take_slot(struct engine *engine, struct attempt *attempt, struct class *class)
{
    CHECK(!attempt->holds_slot && attempt->class == NULL);
    attempt->holds_slot = true;
    attempt->device->used++;
    engine->stats.attempts++;
    if (class != NULL) {
        attempt->class = class;
        class->holders++;
        stock_reserve(attempt->device, class);
    }
    if (attempt->task != NULL) {
        CHECK(class != NULL);
        attempt->task->constellation->running++;
        limit_take(engine, class);
        if (class->record.plan.strategy == STRATEGY_SPREAD) {
            count_spread(attempt, 1);
        }
        lane_share_changed(engine, attempt->task->constellation);
    }
    placement_device_changed(engine, attempt->device);
}

/* What the agent has begun weighs nothing any more. */
static void attempt_begun(struct engine *engine, struct attempt *attempt)
{
    struct device *device = attempt->device;
    bool was_full = device->unstarted_bytes >= ENGINE_ASSIGN_BYTES_MAX;
    device->unstarted_bytes -= attempt->unstarted_bytes;
    attempt->unstarted_bytes = 0;
    if (was_full && device->unstarted_bytes < ENGINE_ASSIGN_BYTES_MAX) {
        placement_device_changed(engine, device);
    }
}

static void give_slot(struct engine *engine, struct attempt *attempt)
{
    if (attempt->holds_slot) {
        CHECK(attempt->device->used > 0);
        attempt->holds_slot = false;
        attempt->device->used--;
        engine->stats.attempts--;
        struct class *class = attempt->class;
        attempt->class = NULL;
        if (class != NULL) {
            class->holders--;
            stock_return(attempt->device, class);
        }
        if (attempt->task != NULL) {
            CHECK(class != NULL);
            attempt->task->constellation->running--;
            if (class->record.plan.strategy == STRATEGY_SPREAD) {
                count_spread(attempt, -1);
            }
            limit_give(engine, class);
            lane_share_changed(engine, attempt->task->constellation);
        }
        placement_device_changed(engine, attempt->device);
    }
}

struct attempt *attempt_of(const struct engine *engine, const struct device *device, uint64_t fence)
{
    struct attempt *attempt = map_get(&engine->attempts, fence);
    return attempt != NULL && attempt->device == device ? attempt : map_get(&device->strays, fence);
}

/* task: NULL of a stray. */
static struct attempt *link_attempt(struct engine *engine, struct device *device,
                                    const struct attempt_record *record, struct task *task)
{
    CHECK(attempt_of(engine, device, record->fence) == NULL);
    struct attempt *attempt = mem_alloc(sizeof *attempt);
    attempt->record = *record;
    attempt->device = device;
    attempt->task = task;
    attempt->is_stray = task == NULL;
    attempt->next = device->attempts;
    if (attempt->next != NULL) {
        attempt->next->previous = attempt;
    }
    device->attempts = attempt;
    map_put(attempt->is_stray ? &device->strays : &engine->attempts, record->fence, attempt);
    return attempt;
}

struct attempt *attempt_new(struct engine *engine, struct task *task, struct device *device)
{
    if (task->attempt != NULL) {
        attempt_detach(engine, task->attempt);
    }
    do {
        engine->fence++;
    } while (map_get(&device->strays, engine->fence) !=
             NULL); /* it would mistake the one for the other */
    struct attempt_record record = {
        .fence = engine->fence,
        .previous = task->record.fence,
        .constellation_id = task->constellation->record.id,
        .task_id = task->record.id,
        .device_id = device->record.id,
        .session = device->record.session,
        .number = ++task->record.attempts,
        .state = ATTEMPT_SENT,
        .assigned_wall_ms = engine->now.wall_ms,
    };
    struct attempt *attempt = link_attempt(engine, device, &record, task);
    attempt->assigned_boot_ms = engine->now.boot_ms;
    attempt->unstarted_bytes = task->record.body_bytes;
    device->unstarted_bytes += attempt->unstarted_bytes;
    task->attempt = attempt;
    task->record.fence = record.fence;
    take_slot(engine, attempt, task->class);
    engine_mark(engine, &attempt->mark);
    effects_add(engine->effects, EFFECT_ADD_ATTEMPT)->attempt = &attempt->record;
    attempt_arm(engine, attempt);
    return attempt;
}

struct attempt *attempt_new_stray(struct engine *engine, struct device *device, uint64_t fence,
                                  struct class *class)
{
    struct attempt_record record = {
        .fence = fence,
        .device_id = device->record.id,
        .session = device->record.session,
        .state = ATTEMPT_STOPPING,
        .stop_wanted = true,
    };
    struct attempt *attempt = link_attempt(engine, device, &record, NULL);
    take_slot(engine, attempt, class);
    return attempt;
}

void attempt_load(struct engine *engine, const struct attempt_record *record, struct task *task,
                  struct device *device)
{
    struct attempt *attempt = link_attempt(engine, device, record, task);
    task->attempt = attempt;
    if (record->state != ATTEMPT_LOST) {
        take_slot(engine, attempt, task->class);
    }
}

static void disarm(struct engine *engine, struct attempt *attempt)
{
    if (heap_holds(&attempt->timer)) {
        heap_remove(&engine->attempt_timers, &attempt->timer);
    }
}

static void arm_at(struct engine *engine, struct attempt *attempt, int64_t boot_ms)
{
    disarm(engine, attempt);
    attempt->timer_boot_ms = boot_ms;
    heap_insert(&engine->attempt_timers, &attempt->timer);
}

void attempt_arm(struct engine *engine, struct attempt *attempt)
{
    disarm(engine, attempt);
    if (attempt->task == NULL) {
        return;
    }
    const struct plan_policy *policy = &attempt->task->policy->record.plan;
    enum attempt_state state = attempt->record.state;
    if (state == ATTEMPT_STOPPING) {
        arm_at(engine, attempt,
               engine->now.boot_ms + policy->kill_grace_ms + engine->config.lost_after_ms);
    } else if (state == ATTEMPT_SENT && policy->start_timeout_ms > 0) {
        arm_at(engine, attempt, attempt->assigned_boot_ms + policy->start_timeout_ms);
    } else if (policy->run_timeout_ms > 0 && (state == ATTEMPT_SENT || state == ATTEMPT_RUNNING)) {
        int64_t length = policy->run_timeout_ms + policy->kill_grace_ms;
        length += length / 10 + BACKUP_SLACK_MS;
        arm_at(engine, attempt, attempt->assigned_boot_ms + length);
    }
}

void attempt_move(struct engine *engine, struct attempt *attempt, enum attempt_state state)
{
    CHECK(MOVES[attempt->record.state][state]);
    bool was_lost = attempt->record.state == ATTEMPT_LOST;
    if (state != ATTEMPT_SENT && state != ATTEMPT_STOPPING) {
        attempt_begun(engine, attempt);
    }
    attempt->record.state = state;
    if (state == ATTEMPT_LOST || state == ATTEMPT_ENDED) {
        give_slot(engine, attempt);
        attempt->record.ended_wall_ms = engine->now.wall_ms;
    } else if (was_lost) {
        take_slot(engine, attempt, attempt->task == NULL ? NULL : attempt->task->class);
        attempt->record.ended_wall_ms = 0;
    }
    attempt_arm(engine, attempt);
    attempt_save(engine, attempt);
}

void attempt_stop(struct engine *engine, struct attempt *attempt, const char *why)
{
    if (attempt->record.state != ATTEMPT_SENT && attempt->record.state != ATTEMPT_RUNNING) {
        return;
    }
    attempt->record.stop_wanted = true;
    attempt_move(engine, attempt, ATTEMPT_STOPPING);
    if (attempt->device->channel != 0) {
        uint64_t *fence = arena_alloc(&engine->effects->arena, sizeof *fence);
        *fence = attempt->record.fence;
        struct msg *msg = engine_send(engine, attempt->device->channel, MSG_CANCEL);
        msg->cancel.fences = fence;
        msg->cancel.fences_count = 1;
        msg->cancel.reason = str_of(why);
    }
}

void attempt_end(struct engine *engine, struct attempt *attempt,
                 const struct msg_finished *finished)
{
    struct attempt_record *record = &attempt->record;
    record->outcome = finished->outcome;
    record->exit_code = finished->exit_code;
    record->signal = finished->signal;
    record->output_truncated = finished->output_truncated;
    if (finished->started_wall_ms > 0) {
        record->started_wall_ms = finished->started_wall_ms;
    }
    if ((unsigned)finished->outcome < sizeof engine->stats.ended_total / sizeof(uint64_t)) {
        engine->stats.ended_total[finished->outcome]++;
    }
    struct task *task = attempt->task;
    attempt_move(engine, attempt, ATTEMPT_ENDED);
    if (task == NULL) {
        attempt_free(engine, attempt);
        return;
    }
    struct effect *effect = effects_add(engine->effects, EFFECT_RESULT);
    effect->result.fence = record->fence;
    effect->result.reason = arena_str(&engine->effects->arena, finished->reason);
    effect->result.result = arena_str(&engine->effects->arena, finished->result);
    task_ended(engine, task, finished);
    if (attempt->task != NULL) {
        attempt_detach(engine, attempt);
    }
}

void attempt_lose(struct engine *engine, struct attempt *attempt, enum loss loss, const char *why)
{
    struct task *task = attempt->task;
    attempt_move(engine, attempt, ATTEMPT_LOST);
    if (task == NULL) {
        attempt_free(engine, attempt);
        return;
    }
    task_lost(engine, task, loss, why);
    if (loss == LOSS_DIED && attempt->task != NULL) {
        attempt_detach(engine, attempt); /* it cannot come back */
    }
}

void attempt_abandon(struct engine *engine, struct attempt *attempt)
{
    struct device *device = attempt->device;
    struct class *class = attempt->class;
    uint64_t fence = attempt->record.fence;
    bool may_run = attempt->holds_slot && device->channel != 0;
    if (attempt->record.state != ATTEMPT_LOST) {
        attempt_move(engine, attempt, ATTEMPT_LOST);
    }
    attempt_detach(engine, attempt);
    if (may_run) {
        attempt_new_stray(engine, device, fence, class);
    }
}

void attempt_adopt(struct engine *engine, struct attempt *attempt, bool running)
{
    struct task *task = attempt->task;
    bool was_lost = attempt->record.state == ATTEMPT_LOST;
    if (was_lost && attempt->record.stop_wanted) {
        attempt_move(engine, attempt, ATTEMPT_STOPPING);
    } else if (running && attempt->record.state != ATTEMPT_RUNNING &&
               attempt->record.state != ATTEMPT_STOPPING) {
        attempt_move(engine, attempt, ATTEMPT_RUNNING);
    } else if (was_lost) {
        attempt_move(engine, attempt, ATTEMPT_SENT);
    }
    enum task_state state = running ? TASK_RUNNING : TASK_ASSIGNED;
    if (task->record.state != TASK_RUNNING && task->record.state != state) {
        task_move(engine, task, state);
    }
    struct history *history = engine_history(engine, HISTORY_TASK_ADOPTED);
    history->constellation_id = task->constellation->record.id;
    history->task_id = task->record.id;
    history->device_id = attempt->device->record.id;
    history->fence = attempt->record.fence;
}

void attempt_detach(struct engine *engine, struct attempt *attempt)
{
    CHECK(attempt->record.state == ATTEMPT_ENDED || attempt->record.state == ATTEMPT_LOST);
    if (attempt->record.state == ATTEMPT_LOST) {
        attempt->record.given_up = true;
        attempt_save(engine, attempt);
    }
    attempt->task->attempt = NULL;
    attempt->task = NULL;
    attempt_free(engine, attempt);
}

void attempt_free(struct engine *engine, struct attempt *attempt)
{
    CHECK(!attempt->freed && attempt->task == NULL);
    attempt_begun(engine, attempt);
    give_slot(engine, attempt);
    disarm(engine, attempt);
    map_remove(attempt->is_stray ? &attempt->device->strays : &engine->attempts,
               attempt->record.fence);
    if (attempt->previous != NULL) {
        attempt->previous->next = attempt->next;
    } else {
        attempt->device->attempts = attempt->next;
    }
    if (attempt->next != NULL) {
        attempt->next->previous = attempt->previous;
    }
    attempt->freed = true;
    attempt->next = engine->graveyard;
    engine->graveyard = attempt;
}

int64_t attempt_given_up_boot_ms(const struct engine *engine, const struct attempt *attempt)
{
    const struct engine_config *config = &engine->config;
    int64_t length = config->lost_after_ms;
    if (attempt->task != NULL) {
        const struct plan_policy *policy = &attempt->task->policy->record.plan;
        if (policy->on_disconnect == ON_DISCONNECT_STOP) {
            length = config->lease_ms + policy->kill_grace_ms;
            length += length / 10;
        }
    }
    return attempt->device->pinged_boot_ms + length;
}

/* Told to stop, and silent about it. The task does not wait any longer: its time was up (a try), or it
   was cancelled. The slot does, on a device that is there: what holds it may still run. A task that must
   not run twice is unknown from now on; should the agent say how it ended after all, that counts. */
static void give_up_stop(struct engine *engine, struct attempt *attempt)
{
    static const char why[] = "told to stop, and the agent did not confirm that it has";
    struct device *device = attempt->device;
    struct class *class = attempt->class;
    struct task *task = attempt->task;
    uint64_t fence = attempt->record.fence;
    if (task == NULL) {
        return;
    }
    if (task->policy->record.plan.effect == TASK_ONCE) {
        if (device->channel == 0) {
            attempt_lose(engine, attempt, LOSS_CUT_OFF, why);
            return;
        }
        task_lost(engine, task, LOSS_CUT_OFF, why);
        attempt_arm(engine, attempt);
        return;
    }
    bool cancelled = task_must_stop(task);
    struct msg_finished finished = {
        .fence = fence,
        .outcome = cancelled ? OUTCOME_CANCELLED : OUTCOME_TIMED_OUT,
        .reason = str_of(why),
    };
    attempt_end(engine, attempt, &finished);
    if (device->channel != 0) {
        attempt_new_stray(engine, device, fence, class);
    }
}

void attempt_timer_fired(struct engine *engine, struct attempt *attempt)
{
    disarm(engine, attempt);
    if (attempt->record.state == ATTEMPT_STOPPING) {
        give_up_stop(engine, attempt);
    } else if (attempt->record.state == ATTEMPT_SENT &&
               attempt->task->policy->record.plan.start_timeout_ms > 0) {
        attempt_stop(engine, attempt, "did not start within its start timeout");
    } else {
        attempt_stop(engine, attempt, "ran longer than its timeout");
    }
}
