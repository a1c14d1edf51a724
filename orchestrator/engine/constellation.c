/* Constellations: their jobs, and how they end. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

void constellation_enter(struct engine *engine, struct constellation *constellation)
{
    int64_t id = constellation->record.id;
    /* By their ids: one that comes back is older than others. */
    struct constellation *before = engine->last;
    while (before != NULL && before->record.id > id) {
        before = before->previous;
    }
    struct constellation *after = before == NULL ? engine->first : before->next;
    constellation->previous = before;
    constellation->next = after;
    *(before == NULL ? &engine->first : &before->next) = constellation;
    *(after == NULL ? &engine->last : &after->previous) = constellation;
    map_put(&engine->constellations, (uint64_t)id, constellation);
    engine->live_tasks += constellation->live_tasks;
}

struct constellation *constellation_new(struct engine *engine,
                                        const struct constellation_record *record)
{
    struct constellation *constellation = mem_alloc(sizeof *constellation);
    constellation->record = *record;
    constellation_enter(engine, constellation);
    return constellation;
}

void constellation_leave(struct engine *engine, struct constellation *constellation)
{
    map_remove(&engine->constellations, (uint64_t)constellation->record.id);
    if (constellation->previous == NULL) {
        engine->first = constellation->next;
    } else {
        constellation->previous->next = constellation->next;
    }
    if (constellation->next == NULL) {
        engine->last = constellation->previous;
    } else {
        constellation->next->previous = constellation->previous;
    }
    engine->live_tasks -= constellation->live_tasks;
    reopen_drop(engine, constellation);
    bulk_free(engine, constellation);
    while (constellation->holds != NULL) {
        hold_free(engine, constellation->holds);
    }
    hold_forget_over(constellation, false);
    if (heap_holds(&constellation->timer)) {
        heap_remove(&engine->deadlines, &constellation->timer);
    }
    CHECK(constellation->lanes_first == NULL || engine->effects == NULL);
    rank_free(engine, constellation);
    intake_free(engine, constellation->intake);
    constellation->intake = NULL;
    asleep_free_begin(engine, constellation);
}

void constellation_save(struct engine *engine, struct constellation *constellation)
{
    if (engine_mark(engine, &constellation->mark)) {
        effects_add(engine->effects, EFFECT_SAVE_CONSTELLATION)->constellation.record =
            &constellation->record;
    }
}

void constellation_stamp(struct engine *engine, struct constellation *constellation)
{
    if (!engine_is_marked(engine, constellation->mark)) {
        struct effect *effect = effects_add(engine->effects, EFFECT_SAVE_CONSTELLATION);
        effect->constellation.record = &constellation->record;
        effect->constellation.is_stamp = true;
    }
}

void constellation_queue_job(struct engine *engine, struct constellation *constellation,
                             enum job job)
{
    bool queued = constellation->job != JOB_NONE;
    if (queued && constellation->job != JOB_INTAKE && constellation->job != job) {
        enum job later = job < constellation->job ? job : constellation->job;
        constellation->jobs_due |= 1U << later;
        if (later == job) {
            return;
        }
    }
    constellation->job = job;
    constellation->cursor = 0;
    if (queued) {
        return;
    }
    constellation->job_next = NULL;
    if (engine->jobs_last == NULL) {
        engine->jobs_first = constellation;
    } else {
        engine->jobs_last->job_next = constellation;
    }
    engine->jobs_last = constellation;
}

bool constellation_has_room(const struct engine *engine, uint64_t tasks)
{
    return engine->live_tasks + engine->waking_tasks + engine->tasks_due + tasks <=
           ENGINE_LIVE_TASKS_MAX;
}

bool constellation_is_being_changed(const struct constellation *constellation)
{
    return constellation->reopening != NULL || constellation->bulk != NULL;
}

/* What is half made is made whole first: then this follows. */
static void queue_cancel(struct engine *engine, struct constellation *constellation)
{
    if (!constellation_is_being_changed(constellation)) {
        constellation_queue_job(engine, constellation, JOB_CANCEL);
    }
}

void constellation_cancel(struct engine *engine, const struct event *event)
{
    int64_t id = event->cancel.constellation_id;
    struct constellation *constellation = map_get(&engine->constellations, (uint64_t)id);
    if (constellation == NULL || constellation->record.state == CONSTELLATION_LOADING) {
        engine_reply(engine, event->cancel.request, ERR_NOT_FOUND, id,
                     str_of("no live constellation"));
        return;
    }
    if (constellation_state_is_final(constellation->record.state)) {
        engine_reply(engine, event->cancel.request, ERR_CONFLICT, id,
                     str_of("it has ended already"));
        return;
    }
    struct constellation_record *record = &constellation->record;
    bool spares = constellation->remaining > constellation->ordinary && !record->cancel_finally;
    if (!record->cancel_requested || spares) {
        record->cancel_finally = record->cancel_requested; /* asked for a second time */
        record->cancel_requested = true;
        constellation_save(engine, constellation);
        queue_cancel(engine, constellation);
        struct history *history = engine_history(engine, HISTORY_CONSTELLATION_CANCEL);
        history->constellation_id = id;
        history->text = arena_str(&engine->effects->arena, event->cancel.actor);
        hold_end_failures(engine, constellation, event->cancel.actor);
    }
    engine_reply(engine, event->cancel.request, ERR_NONE, id, str_of(""));
}

void constellation_stop(struct engine *engine, struct constellation *constellation, const char *why)
{
    struct constellation_record *record = &constellation->record;
    if (record->stopping || record->cancel_requested) {
        return;
    }
    record->stopping = true;
    constellation_save(engine, constellation);
    queue_cancel(engine, constellation);
    struct history *history = engine_history(engine, HISTORY_CONSTELLATION_STOPPING);
    history->constellation_id = record->id;
    history->text = str_of(why);
    hold_end_failures(engine, constellation, str_of(why));
}

bool constellation_ends_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct constellation *x = HEAP_OWNER(a, const struct constellation, timer);
    const struct constellation *y = HEAP_OWNER(b, const struct constellation, timer);
    return x->deadline_boot_ms != y->deadline_boot_ms ? x->deadline_boot_ms < y->deadline_boot_ms
                                                      : x->record.id < y->record.id;
}

void constellation_arm(struct engine *engine, struct constellation *constellation)
{
    const struct constellation_record *record = &constellation->record;
    if (heap_holds(&constellation->timer)) {
        heap_remove(&engine->deadlines, &constellation->timer);
    }
    if (record->deadline_wall_ms == 0 || record->deadline_passed ||
        record->state != CONSTELLATION_RUNNING) {
        return;
    }
    constellation->deadline_boot_ms =
        engine_remaining_boot_ms(engine, record->deadline_wall_ms, record->deadline_length_ms);
    heap_insert(&engine->deadlines, &constellation->timer);
}

void constellation_deadline_passed(struct engine *engine, struct constellation *constellation)
{
    struct constellation_record *record = &constellation->record;
    heap_remove(&engine->deadlines, &constellation->timer);
    record->deadline_passed = true;
    if (record->deadline_wall_ms > engine->now.wall_ms) {
        /* The wall clock is late. Should the constellation begin again, this one is over. */
        record->deadline_wall_ms = engine->now.wall_ms;
    }
    constellation_save(engine, constellation);
    constellation_stop(engine, constellation, "the deadline has passed");
}

static void begin_next_job(struct constellation *constellation)
{
    static const enum job jobs[] = { JOB_CANCEL, JOB_EXPIRE, JOB_OPEN };
    constellation->job = JOB_NONE;
    constellation->cursor = 0;
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0] && constellation->job == JOB_NONE; i++) {
        if ((constellation->jobs_due & 1U << jobs[i]) != 0) {
            constellation->jobs_due &= ~(1U << jobs[i]);
            constellation->job = jobs[i];
        }
    }
}

/* JOB_OPEN, JOB_CANCEL and JOB_EXPIRE: task by task. */
static size_t walk_tasks(struct engine *engine, struct constellation *constellation, size_t budget)
{
    while (budget > 0 && constellation->cursor < constellation->tasks) {
        struct task *task = constellation_task(constellation, constellation->cursor++);
        size_t before = engine_rows(engine);
        if (task->removed) {
            /* A free slot costs a look. */
        } else if (constellation->job == JOB_CANCEL) {
            if (task_must_stop(task)) {
                task_cancel(engine, task);
            }
        } else if (constellation->job == JOB_EXPIRE) {
            /* What a stop spares is there to run after it. */
            bool stops = constellation->record.cancel_requested || constellation->record.stopping;
            if (task->record.state == TASK_WAITING && !task_has_started(task) && !stops) {
                task_fail(engine, task, STR("it was held, and nobody acted in time"));
            } else {
                task_consider(engine, task);
            }
        } else {
            task_consider(engine, task);
        }
        budget = engine_spend(engine, budget, before);
    }
    if (constellation->cursor == constellation->tasks) {
        if (constellation->job == JOB_EXPIRE) {
            hold_expiry_done(engine, constellation);
        }
        begin_next_job(constellation);
    }
    return budget;
}

size_t constellation_work(struct engine *engine, size_t budget)
{
    while (budget > 0 && engine->jobs_first != NULL) {
        struct constellation *constellation = engine->jobs_first;
        if (constellation->job == JOB_INTAKE) {
            budget = intake_work(engine, constellation, budget);
        } else {
            budget = walk_tasks(engine, constellation, budget);
        }
        if (constellation->job != JOB_NONE) {
            continue; /* out of budget, or on to its next job */
        }
        engine->jobs_first = constellation->job_next;
        if (engine->jobs_first == NULL) {
            engine->jobs_last = NULL;
        }
        constellation_settle(engine, constellation);
    }
    return budget;
}

void constellation_count_out(struct task *task)
{
    struct constellation *constellation = task->constellation;
    bool is_hard = (task->record.flags & TASK_ALLOW_FAILURE) == 0;
    constellation->by_state[task->record.state]--;
    constellation->ready -= task_is_ready(task);
    constellation->failed_hard -= is_hard && task->record.state == TASK_FAILED;
    constellation->cancelled_hard -= is_hard && task->record.state == TASK_CANCELLED;
}

void constellation_count_in(struct task *task)
{
    struct constellation *constellation = task->constellation;
    bool is_hard = (task->record.flags & TASK_ALLOW_FAILURE) == 0;
    constellation->by_state[task->record.state]++;
    constellation->ready += task_is_ready(task);
    constellation->failed_hard += is_hard && task->record.state == TASK_FAILED;
    constellation->cancelled_hard += is_hard && task->record.state == TASK_CANCELLED;
}

struct engine_counts constellation_counts(const struct constellation *constellation)
{
    const uint32_t *by_state = constellation->by_state;
    return (struct engine_counts){
        .waiting = by_state[TASK_WAITING] - constellation->ready,
        .ready = constellation->ready,
        .assigned = by_state[TASK_ASSIGNED],
        .running = by_state[TASK_RUNNING],
        .backoff = by_state[TASK_BACKOFF],
        .succeeded = by_state[TASK_SUCCEEDED],
        .failed = by_state[TASK_FAILED],
        .cancelled = by_state[TASK_CANCELLED],
        .skipped = by_state[TASK_SKIPPED],
        .unknown = by_state[TASK_UNKNOWN],
    };
}

void constellation_note_counts(struct constellation *constellation)
{
    struct constellation_record *record = &constellation->record;
    struct engine_counts counts = constellation_counts(constellation);
    record->succeeded = counts.succeeded;
    record->failed = counts.failed;
    record->cancelled = counts.cancelled;
    record->skipped = counts.skipped;
}

static enum constellation_state verdict_of(const struct constellation *constellation)
{
    if (constellation->record.cancel_requested) {
        return CONSTELLATION_CANCELLED;
    }
    if (constellation->failed_hard > 0 || constellation->record.deadline_passed) {
        return CONSTELLATION_FAILED;
    }
    return constellation->cancelled_hard > 0 ? CONSTELLATION_CANCELLED : CONSTELLATION_SUCCEEDED;
}

void constellation_settle(struct engine *engine, struct constellation *constellation)
{
    if (constellation->ordinary > 0 || constellation->deciding > 0 ||
        constellation->failure_holds > 0 || constellation->job != JOB_NONE ||
        constellation_is_being_changed(constellation) ||
        constellation_state_is_final(constellation->record.state)) {
        return;
    }
    if (constellation->remaining > 0) {
        if (!constellation->finally_open) {
            constellation->finally_open = true;
            constellation_queue_job(engine, constellation, JOB_OPEN);
        }
        return;
    }
    struct constellation_record *record = &constellation->record;
    constellation_note_counts(constellation);
    record->finished_wall_ms = engine->now.wall_ms;
    record->state = verdict_of(constellation);
    constellation_arm(engine, constellation);
    hold_end_all(engine, constellation);
    constellation_save(engine, constellation);
    struct history *history = engine_history(engine, HISTORY_CONSTELLATION_FINISHED);
    history->constellation_id = record->id;
    history->state = (uint8_t)record->state;
    if (!constellation->ended) {
        constellation->ended = true;
        constellation->ended_next = engine->ended_first;
        engine->ended_first = constellation;
    }
}
