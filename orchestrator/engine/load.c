/* From records back to a running engine: what is derived is derived again. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order.h"

void engine_load_class(struct engine *engine, const struct class_record *record)
{
    if (!engine_has_class(engine, record->id)) {
        placement_load_class(engine, record);
    }
}

void engine_load_policy(struct engine *engine, const struct policy_record *record)
{
    if (!engine_has_policy(engine, record->id)) {
        placement_load_policy(engine, record);
    }
}

void engine_load_device(struct engine *engine, const struct device_record *record)
{
    placement_match_device(engine, fleet_add(engine, record));
}

void engine_load_constellation(struct engine *engine, const struct constellation_record *record)
{
    constellation_new(engine, record);
}

static struct constellation *find_any(const struct engine *engine, int64_t id)
{
    struct constellation *waking = asleep_find_waking(engine, id);
    return waking != NULL ? waking : map_get(&engine->constellations, (uint64_t)id);
}

static struct constellation *find(const struct engine *engine, int64_t id)
{
    struct constellation *constellation = find_any(engine, id);
    CHECK(constellation != NULL);
    return constellation;
}

const struct task_record *engine_loaded_task(const struct engine *engine, int64_t constellation_id,
                                             int64_t task_id)
{
    const struct task *task = constellation_find_task(find(engine, constellation_id), task_id);
    return task == NULL ? NULL : &task->record;
}

bool engine_has_class(const struct engine *engine, int64_t id)
{
    return map_get(&engine->classes, (uint64_t)id) != NULL;
}

bool engine_has_policy(const struct engine *engine, int64_t id)
{
    return map_get(&engine->policies, (uint64_t)id) != NULL;
}

void engine_load_task(struct engine *engine, int64_t constellation_id,
                      const struct task_record *record)
{
    struct constellation *constellation = find(engine, constellation_id);
    order_take_task(constellation, constellation_add_task(engine, constellation, record));
}

void engine_load_edge(struct engine *engine, int64_t constellation_id,
                      const struct edge_record *record)
{
    struct constellation *constellation = find(engine, constellation_id);
    const struct task *from = constellation_find_task(constellation, record->from_id);
    const struct task *to = constellation_find_task(constellation, record->to_id);
    CHECK(from != NULL && to != NULL);
    constellation_add_edge(engine, constellation, record, from->index, to->index);
    order_take_edge(constellation, from->index, to->index);
}

void engine_load_attempt(struct engine *engine, const struct attempt_record *record)
{
    struct constellation *constellation = find_any(engine, record->constellation_id);
    struct task *task =
        constellation == NULL ? NULL : constellation_find_task(constellation, record->task_id);
    struct device *device = map_get(&engine->devices, (uint64_t)record->device_id);
    if (task == NULL || device == NULL || record->fence != task->record.fence) {
        return;
    }
    placement_task_placed(engine, task, device); /* others may have to run where it has run */
    if (record->state == ATTEMPT_ENDED || record->given_up ||
        !task_has_started(task) || /* it was made in an earlier round */
        task_state_is_final((enum task_state)task->record.state) ||
        map_get(&engine->attempts, record->fence) != NULL) {
        return;
    }
    attempt_load(engine, record, task, device);
}

void engine_load_limit(struct engine *engine, const struct limit_record *record)
{
    limit_put(engine, find(engine, record->constellation_id), record);
}

void engine_load_hold(struct engine *engine, const struct hold_record *record,
                      const int64_t *task_ids, size_t task_ids_count)
{
    struct constellation *constellation = find(engine, record->constellation_id);
    if (record->id == engine->config.ignored_hold_id) {
        return;
    }
    struct hold *hold = hold_new(engine, constellation, record);
    for (size_t i = 0; i < task_ids_count; i++) {
        struct task *task = constellation_find_task(constellation, task_ids[i]);
        if (task != NULL) { /* else an edit has removed it */
            hold_add(hold, task);
        }
    }
}

static bool has_undecided_out(const struct task *task)
{
    uint32_t at = task->first_out;
    while (at != 0) {
        const struct edge *edge = constellation_edge(task->constellation, at - 1);
        if (edge->decision == EDGE_UNDECIDED) {
            return true;
        }
        at = edge->next_out;
    }
    return false;
}

/* Whether the finally tasks had their turn already: an edit in the first turn has to know it. */
static bool is_all_else_over(const struct engine *engine, const struct constellation *constellation)
{
    const struct task *task = engine->decide.first;
    while (task != NULL &&
           (task->constellation != constellation || (task->record.flags & TASK_FINALLY) != 0)) {
        task = task->next;
    }
    return task == NULL && constellation->ordinary == 0 && constellation->failure_holds == 0;
}

static enum err derive_task(struct engine *engine, struct task *task, struct reason *reason)
{
    enum task_state state = (enum task_state)task->record.state;
    bool under_way = state == TASK_ASSIGNED || state == TASK_RUNNING;
    bool has_live = task->attempt != NULL && task->attempt->record.state != ATTEMPT_LOST;
    if (under_way != has_live && state != TASK_UNKNOWN) {
        return reason_set(reason, ERR_CORRUPT, "task %lld is %s, its attempt is not",
                          (long long)task->record.id, task_state_name(state));
    }
    if (state == TASK_BACKOFF) {
        task->wake_boot_ms = engine_remaining_boot_ms(engine, task->record.wake_wall_ms,
                                                      task->record.wake_length_ms);
        task->queue = QUEUE_BACKOFF;
        heap_insert(&engine->backoff, &task->node);
    }
    if (state == TASK_WAITING && (task_is_held(task) || task_ways(task) != WAYS_OPEN)) {
        /* See start_waiting: after a hold its clock begins anew. What a load has set back so is not saved,
           so the row may have it still when the task waits for more than the hold. */
        task->record.wake_wall_ms = 0;
        task->record.wake_length_ms = 0;
    }
    task_consider(engine, task);
    return ERR_NONE;
}

static enum err derive_constellation(struct engine *engine, struct constellation *constellation,
                                     struct reason *reason)
{
    for (uint32_t i = 0; i < constellation->tasks; i++) {
        struct task *task = constellation_task(constellation, i);
        if (task_state_is_final((enum task_state)task->record.state) && has_undecided_out(task)) {
            decision_task_final(engine, task);
        }
    }
    constellation->finally_open = is_all_else_over(engine, constellation);
    for (uint32_t i = 0; i < constellation->tasks; i++) {
        struct task *task = constellation_task(constellation, i);
        if (!task_state_is_final((enum task_state)task->record.state)) {
            enum err err = derive_task(engine, task, reason);
            if (err != ERR_NONE) {
                return err;
            }
        }
    }
    const struct constellation_record *record = &constellation->record;
    if (constellation->order_next == 0) {
        order_build_whole(constellation); /* no turn waits for it here */
    }
    bool stops = record->cancel_requested || record->stopping;
    constellation_arm(engine, constellation);
    rank_begin(engine, constellation);
    for (struct hold *hold = constellation->holds; hold != NULL; hold = hold->next) {
        hold_arm(engine, hold);
        if (hold->record.origin == HOLD_BULK) {
            bulk_resume(engine, hold);
        } else if (hold->record.origin >= HOLD_RERUN) {
            reopen_resume(engine, hold);
        }
    }
    if (!constellation_is_being_changed(constellation) && (stops || constellation->ordinary == 0)) {
        constellation_queue_job(engine, constellation, stops ? JOB_CANCEL : JOB_OPEN);
    }
    return ERR_NONE;
}

enum err engine_load_end(struct engine *engine, struct moment now, struct reason *reason)
{
    engine->now = now;
    engine->bulks_moved_boot_ms = now.boot_ms;
    for (size_t i = 0; i < engine->devices_count; i++) {
        struct device *device = engine->devices_list[i];
        device->pinged_boot_ms = now.boot_ms;
        for (struct attempt *attempt = device->attempts; attempt != NULL; attempt = attempt->next) {
            int64_t passed = now.wall_ms - attempt->record.assigned_wall_ms;
            attempt->assigned_boot_ms = now.boot_ms - (passed < 0 ? 0 : passed);
            attempt_arm(engine, attempt);
        }
        fleet_arm(engine, device);
    }
    for (struct constellation *constellation = engine->first; constellation != NULL;
         constellation = constellation->next) {
        enum err err = derive_constellation(engine, constellation, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}
