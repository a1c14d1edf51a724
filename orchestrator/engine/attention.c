#include "orchestrator/engine/attention.h"

#include "orchestrator/engine/model.h"

static const struct constellation *find(const struct engine *engine, int64_t id)
{
    const struct constellation *constellation = map_get(&engine->constellations, (uint64_t)id);
    return constellation == NULL || constellation->record.state == CONSTELLATION_LOADING
               ? NULL
               : constellation;
}

bool engine_next_constellation(const struct engine *engine, int64_t *id)
{
    const struct constellation *constellation =
        *id == 0 ? NULL : map_get(&engine->constellations, (uint64_t)*id);
    constellation = constellation == NULL ? engine->first : constellation->next;
    while (constellation != NULL && (constellation->record.id <= *id ||
                                     constellation->record.state != CONSTELLATION_RUNNING)) {
        constellation = constellation->next;
    }
    if (constellation != NULL) {
        *id = constellation->record.id;
    }
    return constellation != NULL;
}

/* Since when no device that fits has been there, if that is so now. */
static void look_at_devices(const struct engine *engine, const struct lane *lane,
                            struct ready_view *view)
{
    const struct class *class = lane->class;
    view->since_boot_ms = lane->since_boot_ms;
    if (engine->match_first != NULL || class->linked != PLACEMENT_ALL) {
        view->wait = WAIT_NOTHING; /* they are just looking for each other */
        return;
    }
    view->wait = class->placements_count == 0 ? WAIT_NO_DEVICE : WAIT_OFFLINE;
    for (size_t i = 0; i < class->placements_count; i++) {
        const struct device *device = class->placements[i]->device;
        if (device->ready && !device->record.draining) {
            view->wait = WAIT_NOTHING;
            return;
        }
        if (device->ready) {
            view->wait = WAIT_DRAINED;
        } else if (device->pinged_boot_ms > view->since_boot_ms) {
            view->since_boot_ms = device->pinged_boot_ms;
        }
    }
}

bool engine_next_ready(const struct engine *engine, struct ready_view *ret_view)
{
    const struct constellation *constellation = find(engine, ret_view->constellation_id);
    if (constellation == NULL || constellation->holds_all > 0) {
        return false;
    }
    const struct lane *lane = ret_view->at == NULL ? constellation->lanes_first
                                                   : ((const struct lane *)ret_view->at)->next;
    if (lane == NULL) {
        return false;
    }
    const struct task *task = HEAP_OWNER(heap_top(&lane->ready), const struct task, node);
    ret_view->class = &lane->class->record;
    ret_view->count = (uint32_t)lane->ready.count;
    ret_view->task_id = task->record.id;
    ret_view->at = lane;
    look_at_devices(engine, lane, ret_view);
    return true;
}

bool engine_task_is_ready(const struct engine *engine, int64_t constellation_id, int64_t task_id)
{
    const struct constellation *constellation = find(engine, constellation_id);
    const struct task *task =
        constellation == NULL ? NULL : constellation_find_task(constellation, task_id);
    return task != NULL && task_is_ready(task);
}

int64_t engine_unknown_since_wall_ms(const struct engine *engine, int64_t constellation_id,
                                     int64_t task_id)
{
    const struct constellation *constellation = find(engine, constellation_id);
    const struct task *task =
        constellation == NULL ? NULL : constellation_find_task(constellation, task_id);
    return task == NULL || task->attempt == NULL ? 0 : task->attempt->record.ended_wall_ms;
}

int64_t engine_device_contested_wall_ms(const struct engine *engine, int64_t device_id,
                                        struct moment now)
{
    const struct device *device = map_get(&engine->devices, (uint64_t)device_id);
    bool contested = device != NULL && device->contests >= ATTENTION_CONTESTS &&
                     now.boot_ms - device->contested_boot_ms < ATTENTION_CONTEST_MS;
    return contested ? now.wall_ms - (now.boot_ms - device->contested_boot_ms) : 0;
}

bool engine_limit(const struct engine *engine, int64_t constellation_id, uint32_t index,
                  const struct limit_record **ret_limit, uint32_t *ret_used)
{
    const struct constellation *constellation = find(engine, constellation_id);
    if (constellation == NULL || index >= constellation->limits_count ||
        constellation->limits[index] == NULL) {
        return false;
    }
    *ret_limit = &constellation->limits[index]->record;
    *ret_used = constellation->limits[index]->used;
    return true;
}

bool engine_next_above_limit(const struct engine *engine, int64_t constellation_id, uint32_t index,
                             uint32_t amount, size_t *at, int64_t *ret_task_id)
{
    const struct constellation *constellation = find(engine, constellation_id);
    while (constellation != NULL && *at < constellation->tasks) {
        const struct task *task = constellation_task(constellation, (uint32_t)(*at)++);
        const struct plan_class *plan = task->removed ? NULL : &task->class->record.plan;
        for (size_t i = 0; plan != NULL && i < plan->limits_count; i++) {
            if (plan->limits[i].limit == index && plan->limits[i].amount > amount) {
                *ret_task_id = task->record.id;
                return true;
            }
        }
    }
    return false;
}
