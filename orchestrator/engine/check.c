/* The invariants, numbered. The simulator checks them after every step, the tests after every scenario;
   a new one takes the next number. */
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order.h"

static enum err broken(struct reason *reason, int number, const char *what, int64_t id)
{
    return reason_set(reason, ERR_CORRUPT, "invariant %d is broken: %s (%lld)", number, what,
                      (long long)id);
}

/* A predecessor that waits again leaves decisions behind where they have been used, and where what was
   skipped was to be kept. */
static bool may_outlast(const struct task *to)
{
    return task_has_started(to) || to->record.state == TASK_SUCCEEDED ||
           to->record.state == TASK_SKIPPED;
}

/* 1: what a task counts of its edges is what they say.
   2: every edge out of a final task is decided, or the task is on the queue for it (P4, P9). */
static enum err check_edges(const struct constellation *constellation, const struct task *task,
                            struct reason *reason)
{
    uint32_t undecided = 0;
    uint32_t closed = 0;
    uint32_t opened = 0;
    uint32_t required_left = 0;
    uint32_t required_closed = 0;
    for (uint32_t at = task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(constellation, at - 1);
        undecided += edge->decision == EDGE_UNDECIDED;
        closed += edge->decision == EDGE_CLOSED;
        opened += edge->decision == EDGE_OPEN && !edge->required;
        required_left += edge->decision == EDGE_UNDECIDED && edge->required;
        required_closed += edge->decision == EDGE_CLOSED && edge->required;
        const struct task *from = constellation_task(constellation, edge->from);
        if (edge->decision != EDGE_UNDECIDED &&
            !task_state_is_final((enum task_state)from->record.state) && !may_outlast(task) &&
            constellation->reopening == NULL) { /* which is about to take it back */
            return broken(reason, 2, "an edge was decided before its predecessor", edge->id);
        }
        at = edge->next_in;
    }
    if (undecided != task->undecided || closed != task->closed || opened != task->opened ||
        required_left != task->required_left || required_closed != task->required_closed) {
        return broken(reason, 1, "a task miscounts its edges", task->record.id);
    }
    if (!task_state_is_final((enum task_state)task->record.state) || task->queue == QUEUE_DECIDE) {
        return ERR_NONE;
    }
    for (uint32_t at = task->first_out; at != 0;) {
        const struct edge *edge = constellation_edge(constellation, at - 1);
        if (edge->decision == EDGE_UNDECIDED && !task->failure_held && !edge->asked &&
            !edge->queued) {
            return broken(reason, 2, "an edge out of a final task is undecided", edge->id);
        }
        at = edge->next_out;
    }
    return ERR_NONE;
}

/* 3: assigned and running tasks have a live attempt, others none (P1).
   4: the current attempt is the one with the task's fence, which is below the engine's. */
static enum err check_attempt(const struct engine *engine, const struct task *task,
                              struct reason *reason)
{
    const struct attempt *attempt = task->attempt;
    bool live = attempt != NULL && attempt->record.state != ATTEMPT_LOST;
    bool under_way = task->record.state == TASK_ASSIGNED || task->record.state == TASK_RUNNING;
    /* Unknown, and told to stop on a device that is there: it may yet say how it ended. */
    bool is_awaited =
        task->record.state == TASK_UNKNOWN && live && attempt->record.state == ATTEMPT_STOPPING;
    if (live != under_way && !is_awaited) {
        return broken(reason, 3, "a task and its attempt disagree", task->record.id);
    }
    if (attempt != NULL && (attempt->record.fence != task->record.fence || attempt->task != task ||
                            attempt->freed || attempt->record.fence > engine->fence)) {
        return broken(reason, 4, "a task's attempt is not its current one", task->record.id);
    }
    return ERR_NONE;
}

/* 13: a task's queue timeout runs just while it is on the ready queue; after a load a job may still
   have to bring it there, and then it runs on. */
static enum err check_clock(const struct task *task, struct reason *reason)
{
    bool runs = task->queue == QUEUE_READY && task->policy->record.plan.queue_timeout_ms > 0;
    bool may_say =
        task->record.state == TASK_BACKOFF || runs || task->constellation->job != JOB_NONE;
    return runs == heap_holds(&task->timer) && (may_say || task->record.wake_wall_ms == 0)
               ? ERR_NONE
               : broken(reason, 13, "a task's clock is wrong", task->record.id);
}

/* 5: a task that could run is where it will be found; one that started had all its ways open (P4).
   6: one that waits has a predecessor that will end, or whose edges are being decided (P9). */
static enum err check_waiting(const struct constellation *constellation, const struct task *task,
                              struct reason *reason)
{
    enum task_state state = (enum task_state)task->record.state;
    bool started = task_has_started(task);
    if (started && task_ways(task) != WAYS_OPEN) {
        return broken(reason, 5, "a task started on a way that was not open", task->record.id);
    }
    if ((state == TASK_BACKOFF) != (task->queue == QUEUE_BACKOFF)) {
        return broken(reason, 5, "a task in backoff is not on its queue", task->record.id);
    }
    if (state != TASK_WAITING || constellation->record.state == CONSTELLATION_LOADING ||
        constellation->job != JOB_NONE || task_is_held(task)) {
        return ERR_NONE; /* a hold says what it waits for, and a job comes to it */
    }
    if (task->queue == QUEUE_DECIDE) {
        return ERR_NONE; /* it was reopened, and is considered when the queue comes to it */
    }
    if (task_is_ready(task)) {
        if ((task->record.flags & TASK_FINALLY) != 0 && !constellation->finally_open) {
            return ERR_NONE; /* for all the others: of those one is found to go on */
        }
        return task->queue == QUEUE_READY || task->queue == QUEUE_PREPARE
                   ? ERR_NONE
                   : broken(reason, 5, "a ready task is on no queue", task->record.id);
    }
    if (task_ways(task) == WAYS_CLOSED) {
        return broken(reason, 6, "a task waits behind a closed way", task->record.id);
    }
    for (uint32_t at = task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(constellation, at - 1);
        const struct task *from = constellation_task(constellation, edge->from);
        if (edge->decision == EDGE_UNDECIDED &&
            (!task_state_is_final((enum task_state)from->record.state) ||
             from->queue == QUEUE_DECIDE || from->failure_held || edge->asked || edge->queued)) {
            return ERR_NONE;
        }
        at = edge->next_in;
    }
    return broken(reason, 6, "a task waits for nothing", task->record.id);
}

/* 7: every constellation is a DAG (P2; Kahn, "Topological sorting of large networks", 1962). */
static enum err check_acyclic(const struct constellation *constellation, struct reason *reason)
{
    uint32_t *indegree = mem_array(constellation->tasks, sizeof *indegree);
    uint32_t *order = mem_array(constellation->tasks, sizeof *order);
    for (uint32_t i = 0; i < constellation->edges; i++) {
        const struct edge *edge = constellation_edge(constellation, i);
        indegree[edge->to] += !edge->removed;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < constellation->tasks; i++) {
        if (indegree[i] == 0) {
            order[count++] = i;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = constellation_task(constellation, order[i])->first_out;
        while (at != 0) {
            const struct edge *edge = constellation_edge(constellation, at - 1);
            if (--indegree[edge->to] == 0) {
                order[count++] = edge->to;
            }
            at = edge->next_out;
        }
    }
    mem_free(indegree);
    mem_free(order);
    return count == constellation->tasks
               ? ERR_NONE
               : broken(reason, 7, "a constellation has a cycle", constellation->record.id);
}

/* 13: what is there is found by its id and counted, what was removed is neither; every edge goes up in
   the order, once there is one. */
static enum err check_slots(const struct constellation *constellation, struct reason *reason)
{
    uint32_t tasks = 0;
    uint32_t edges = 0;
    bool loading = constellation->record.state == CONSTELLATION_LOADING;
    for (uint32_t i = 0; i < constellation->tasks; i++) {
        const struct task *task = constellation_task(constellation, i);
        tasks += !task->removed;
        if ((constellation_find_task(constellation, task->record.id) == task) == task->removed ||
            task->index != i) {
            return broken(reason, 13, "a task is not where it is looked for", task->record.id);
        }
    }
    for (uint32_t i = 0; i < constellation->edges; i++) {
        const struct edge *edge = constellation_edge(constellation, i);
        uint32_t index = 0;
        edges += !edge->removed;
        if ((constellation_find_edge(constellation, edge->id, &index) == edge) == edge->removed) {
            return broken(reason, 13, "an edge is not where it is looked for", edge->id);
        }
        if (!edge->removed && constellation->order_next != 0 &&
            !order_before(constellation_task(constellation, edge->from),
                          constellation_task(constellation, edge->to))) {
            return broken(reason, 13, "an edge goes against the order", edge->id);
        }
    }
    bool counts =
        tasks == constellation->live_tasks && edges == constellation->live_edges &&
        (loading || (tasks == constellation->record.tasks && edges == constellation->record.edges));
    return counts ? ERR_NONE
                  : broken(reason, 13, "a constellation miscounts what is there",
                           constellation->record.id);
}

/* By index, of a list of holds. Returns how many are on all. */
static uint32_t count_held(const struct constellation *constellation, const struct hold *hold,
                           uint32_t *held)
{
    uint32_t all = 0;
    for (; hold != NULL; hold = hold->next) {
        all += hold->record.scope == HOLD_ALL;
        for (size_t i = 0; i < hold->tasks_count; i++) {
            const struct task *task = constellation_find_task(constellation, hold->tasks[i]);
            if (task != NULL) {
                held[task->index]++;
            }
        }
    }
    return all;
}

/* 12: a task is held by just those holds that name it. */
static enum err check_holds(const struct constellation *constellation, struct reason *reason)
{
    uint32_t *held = mem_array(constellation->tasks, sizeof *held);
    uint32_t all = count_held(constellation, constellation->holds, held);
    count_held(constellation, constellation->holds_over, held);
    enum err err = all == constellation->holds_all
                       ? ERR_NONE
                       : broken(reason, 12, "holds on all are miscounted", (int64_t)all);
    for (uint32_t i = 0; i < constellation->tasks && err == ERR_NONE; i++) {
        const struct task *task = constellation_task(constellation, i);
        if (!task->removed && task->held != held[i]) {
            err = broken(reason, 12, "a task miscounts its holds", task->record.id);
        }
    }
    mem_free(held);
    return err;
}

/* 8: a constellation counts right, and one with nothing left to do has ended (P9). */
static enum err check_constellation(const struct engine *engine,
                                    const struct constellation *constellation,
                                    struct reason *reason)
{
    uint32_t remaining = 0;
    uint32_t deciding = 0;
    uint32_t ready = 0;
    uint32_t ordinary = 0;
    uint32_t failed_hard = 0;
    uint32_t cancelled_hard = 0;
    uint32_t by_state[TASK_STATES_END] = { 0 };
    enum err err = ERR_NONE;
    for (uint32_t i = 0; i < constellation->tasks && err == ERR_NONE; i++) {
        const struct task *task = constellation_task(constellation, i);
        deciding += task->queue == QUEUE_DECIDE;
        if (task->removed) {
            continue;
        }
        by_state[task->record.state]++;
        bool is_hard = (task->record.flags & TASK_ALLOW_FAILURE) == 0;
        failed_hard += is_hard && task->record.state == TASK_FAILED;
        cancelled_hard += is_hard && task->record.state == TASK_CANCELLED;
        ready += task_is_ready(task);
        remaining += !task_state_is_final((enum task_state)task->record.state);
        ordinary += !task_state_is_final((enum task_state)task->record.state) &&
                    (task->record.flags & TASK_FINALLY) == 0;
        err = check_edges(constellation, task, reason);
        if (err == ERR_NONE) {
            err = check_attempt(engine, task, reason);
        }
        if (err == ERR_NONE) {
            err = check_waiting(constellation, task, reason);
        }
        if (err == ERR_NONE) {
            err = check_clock(task, reason);
        }
    }
    if (err != ERR_NONE) {
        return err;
    }
    for (uint32_t i = 0; i < constellation->edges; i++) {
        const struct edge *edge = constellation_edge(constellation, i);
        deciding += edge->asked + edge->queued;
    }
    if (remaining != constellation->remaining || ordinary != constellation->ordinary ||
        deciding != constellation->deciding || ready != constellation->ready ||
        failed_hard != constellation->failed_hard ||
        cancelled_hard != constellation->cancelled_hard ||
        memcmp(by_state, constellation->by_state, sizeof by_state) != 0) {
        return broken(reason, 8, "a constellation miscounts", constellation->record.id);
    }
    bool has_ended = constellation_state_is_final(constellation->record.state);
    if (ordinary == 0 && deciding == 0 && constellation->job == JOB_NONE &&
        !constellation_is_being_changed(constellation) && constellation->failure_holds == 0 &&
        !has_ended && (remaining == 0 || !constellation->finally_open)) {
        return broken(reason, 8, "a constellation has nothing to do and has not ended",
                      constellation->record.id);
    }
    err = check_holds(constellation, reason);
    if (err == ERR_NONE) {
        err = check_slots(constellation, reason);
    }
    return err != ERR_NONE ? err : check_acyclic(constellation, reason);
}

/* 14: so much of a device's resources is reserved as its attempts hold. */
static enum err check_stock(const struct device *device, struct reason *reason)
{
    for (size_t i = 0; i < device->stock_count; i++) {
        int64_t used = 0;
        for (const struct attempt *attempt = device->attempts; attempt != NULL;
             attempt = attempt->next) {
            const struct plan_class *plan =
                attempt->class == NULL ? NULL : &attempt->class->record.plan;
            for (size_t j = 0; plan != NULL && j < plan->resources_count; j++) {
                if (str_equal(plan->resources[j].name, device->stock[i].name)) {
                    used += plan->resources[j].amount_milli;
                }
            }
        }
        if (used != device->stock[i].used_milli) {
            return broken(reason, 14, "a device miscounts its resources", device->record.id);
        }
    }
    return ERR_NONE;
}

/* 9: a device's slots are what its attempts hold.
   10: every attempt belongs to the device that it is listed at, and to its task. */
static enum err check_device(const struct engine *engine, const struct device *device,
                             struct reason *reason)
{
    uint32_t used = 0;
    for (const struct attempt *attempt = device->attempts; attempt != NULL;
         attempt = attempt->next) {
        used += attempt->holds_slot;
        const struct map *book = attempt->is_stray ? &device->strays : &engine->attempts;
        if (attempt->device != device || attempt->freed ||
            map_get(book, attempt->record.fence) != attempt ||
            attempt->is_stray != (attempt->task == NULL) ||
            (attempt->task != NULL && attempt->task->attempt != attempt)) {
            return broken(reason, 10, "an attempt is misfiled", (int64_t)attempt->record.fence);
        }
    }
    if (used != device->used) {
        return broken(reason, 9, "a device miscounts its slots", device->record.id);
    }
    return check_stock(device, reason);
}

/* 11: a class is active just when a ready task and a free device meet in it; or it is parked, if a limit
   that it takes part in is taken. The first that is parked there could not go.
   16: a device is kept for a class that waits. */
static enum err check_class(const struct engine *engine, const struct class *class,
                            struct reason *reason)
{
    bool active = heap_top(&class->ready) != NULL && heap_top(&class->free) != NULL &&
                  !limit_is_out_of_reach(engine, class);
    if (active != heap_holds(&class->active) || (!active && class->parked != NULL)) {
        return broken(reason, 11, "a class is active wrongly", class->record.id);
    }
    bool waits = class->record.plan.resources_count > 0 && heap_top(&class->ready) != NULL &&
                 heap_top(&class->free) == NULL;
    if (class->waits != waits ||
        (class->keeps != NULL && (!waits || class->keeps->kept_for != class))) {
        return broken(reason, 16, "a device is kept wrongly", class->record.id);
    }
    if (class->parked != NULL && heap_top(&class->parked->parked) == &class->active &&
        limit_in_the_way(engine, class) == NULL) {
        return broken(reason, 11, "a class is parked at what is free", class->record.id);
    }
    return ERR_NONE;
}

/* 15: so much of each limit is taken as the attempts that take part in it say; of the share likewise. */
static enum err check_limits(const struct constellation *constellation, struct reason *reason)
{
    uint64_t *used = mem_array(constellation->limits_count + 1, sizeof *used);
    uint32_t running = 0;
    for (uint32_t i = 0; i < constellation->tasks; i++) {
        const struct attempt *attempt = constellation_task(constellation, i)->attempt;
        if (attempt == NULL || !attempt->holds_slot) {
            continue;
        }
        running++;
        const struct plan_class *plan = &attempt->class->record.plan;
        for (size_t j = 0; j < plan->limits_count; j++) {
            used[plan->limits[j].limit] += plan->limits[j].amount;
        }
    }
    enum err err = running == constellation->running
                       ? ERR_NONE
                       : broken(reason, 15, "a share is miscounted", constellation->record.id);
    for (uint32_t i = 0; i < constellation->limits_count && err == ERR_NONE; i++) {
        if (constellation->limits[i] != NULL && constellation->limits[i]->used != used[i]) {
            err = broken(reason, 15, "a limit is miscounted", (int64_t)i);
        }
    }
    mem_free(used);
    return err;
}

enum err engine_check(const struct engine *engine, struct reason *reason)
{
    for (const struct constellation *constellation = engine->first; constellation != NULL;
         constellation = constellation->next) {
        enum err err = check_constellation(engine, constellation, reason);
        if (err == ERR_NONE) {
            err = check_limits(constellation, reason);
        }
        if (err != ERR_NONE) {
            return err;
        }
    }
    for (size_t i = 0; i < engine->devices_count; i++) {
        enum err err = check_device(engine, engine->devices_list[i], reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&engine->classes, &at, &id, &value)) {
        enum err err = check_class(engine, value, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}
