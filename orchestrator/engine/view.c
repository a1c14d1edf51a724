/* Looking in: what the API shows of what is live. */
#include "orchestrator/engine/model.h"

struct engine_stats engine_stats(const struct engine *engine)
{
    struct engine_stats stats = engine->stats;
    stats.constellations = engine->constellations.count;
    stats.tasks = engine->live_tasks;
    stats.devices = engine->devices_count;
    for (size_t i = 0; i < engine->devices_count; i++) {
        const struct device *device = engine->devices_list[i];
        stats.connected += device->ready;
        stats.slots += device->ready ? device->record.profile.slots : 0;
    }
    return stats;
}

static const struct constellation *find(const struct engine *engine, int64_t id)
{
    const struct constellation *constellation = map_get(&engine->constellations, (uint64_t)id);
    return constellation == NULL || constellation->record.state == CONSTELLATION_LOADING
               ? NULL
               : constellation;
}

const struct constellation_record *engine_constellation(const struct engine *engine, int64_t id)
{
    const struct constellation *constellation = find(engine, id);
    return constellation == NULL ? NULL : &constellation->record;
}

bool engine_constellation_counts(const struct engine *engine, int64_t id,
                                 struct engine_counts *ret_counts)
{
    const struct constellation *constellation = find(engine, id);
    if (constellation == NULL) {
        return false;
    }
    *ret_counts = constellation_counts(constellation);
    return true;
}

static const struct task *find_task(const struct engine *engine, int64_t constellation_id,
                                    int64_t task_id)
{
    const struct constellation *constellation = find(engine, constellation_id);
    return constellation == NULL ? NULL : constellation_find_task(constellation, task_id);
}

const struct task_record *engine_task(const struct engine *engine, int64_t constellation_id,
                                      int64_t task_id)
{
    const struct task *task = find_task(engine, constellation_id, task_id);
    return task == NULL ? NULL : &task->record;
}

bool engine_task_refers(const struct engine *engine, int64_t constellation_id, int64_t task_id)
{
    const struct task *task = find_task(engine, constellation_id, task_id);
    return task != NULL && (task->record.has_references || task->class->record.same_task_id != 0 ||
                            task->class->record.other_task_id != 0);
}

bool engine_has_limits(const struct engine *engine, int64_t constellation_id)
{
    const struct constellation *constellation = find(engine, constellation_id);
    return constellation != NULL && constellation->limits_count > 0;
}

size_t engine_count_needs(const struct engine *engine, int64_t constellation_id, int64_t task_id,
                          size_t max)
{
    const struct task *task = find_task(engine, constellation_id, task_id);
    size_t count = 0;
    for (uint32_t at = task == NULL ? 0 : task->first_in; at != 0 && count < max; count++) {
        at = constellation_edge(task->constellation, at - 1)->next_in;
    }
    return count;
}

const char *engine_task_state(const struct engine *engine, int64_t constellation_id,
                              int64_t task_id)
{
    const struct task *task = find_task(engine, constellation_id, task_id);
    if (task == NULL) {
        return NULL;
    }
    return task_is_ready(task) ? "ready" : task_state_name((enum task_state)task->record.state);
}

size_t engine_list_tasks(const struct engine *engine, int64_t constellation_id, uint32_t states,
                         int64_t *ids, size_t max)
{
    const struct constellation *constellation = find(engine, constellation_id);
    size_t left = 0;
    for (uint32_t state = 0; constellation != NULL && state < TASK_STATES_END; state++) {
        left += (states >> state & 1U) != 0 ? constellation->by_state[state] : 0;
    }
    size_t count = 0;
    for (uint32_t i = 0; left > 0 && i < constellation->tasks && count < max; i++) {
        const struct task *task = constellation_task(constellation, i);
        if (!task->removed && (states >> task->record.state & 1U) != 0) {
            ids[count++] = task->record.id;
            left--;
        }
    }
    return count;
}

bool engine_task_is_held(const struct engine *engine, int64_t constellation_id, int64_t task_id)
{
    const struct task *task = find_task(engine, constellation_id, task_id);
    return task != NULL && task->record.state == TASK_WAITING && task_is_held(task);
}

static void view_hold(const struct hold *hold, struct hold_view *ret_view)
{
    *ret_view = (struct hold_view){ &hold->record, hold->tasks, hold->tasks_count };
}

bool engine_next_hold(const struct engine *engine, int64_t constellation_id,
                      struct hold_view *ret_view)
{
    const struct constellation *constellation = find(engine, constellation_id);
    const struct hold *hold = constellation == NULL ? NULL : constellation->holds;
    if (ret_view->record != NULL) {
        hold = HEAP_OWNER(ret_view->record, const struct hold, record)->next;
    }
    if (hold != NULL) {
        view_hold(hold, ret_view);
    }
    return hold != NULL;
}

bool engine_find_hold(const struct engine *engine, int64_t constellation_id, int64_t hold_id,
                      struct hold_view *ret_view)
{
    const struct hold *hold = map_get(&engine->holds, (uint64_t)hold_id);
    if (hold == NULL || hold->constellation->record.id != constellation_id) {
        return false;
    }
    view_hold(hold, ret_view);
    return true;
}

bool engine_is_paused(const struct engine *engine, int64_t constellation_id)
{
    const struct constellation *constellation = find(engine, constellation_id);
    const struct hold *hold =
        constellation == NULL || constellation->holds_all == 0 ? NULL : constellation->holds;
    while (hold != NULL && hold->record.origin != HOLD_PAUSE) {
        hold = hold->next == constellation->root_holds_first ? NULL : hold->next;
    }
    return hold != NULL;
}

uint32_t engine_holds_count(const struct engine *engine, int64_t constellation_id)
{
    const struct constellation *constellation = find(engine, constellation_id);
    return constellation == NULL ? 0 : constellation->holds_count + constellation->failure_holds;
}

static void view(const struct device *device, struct moment now, struct device_view *ret_view)
{
    *ret_view = (struct device_view){
        .record = &device->record,
        .status = fleet_status(device),
        .connected = device->channel != 0,
        .ready = device->ready,
        .used = device->used,
        .channel = device->channel,
    };
    if (device->channel != 0 || device->attempts != NULL) {
        ret_view->silent_ms = now.boot_ms - device->pinged_boot_ms;
    }
}

bool engine_each_device(const struct engine *engine, size_t *at, struct moment now,
                        struct device_view *ret_view)
{
    if (*at >= engine->devices_count) {
        return false;
    }
    view(engine->devices_list[(*at)++], now, ret_view);
    return true;
}

static bool view_found(const struct device *device, struct moment now, struct device_view *ret_view)
{
    if (device == NULL) {
        return false;
    }
    view(device, now, ret_view);
    return true;
}

bool engine_find_device(const struct engine *engine, struct str name, struct moment now,
                        struct device_view *ret_view)
{
    return view_found(fleet_find(engine, name), now, ret_view);
}

bool engine_find_device_id(const struct engine *engine, int64_t id, struct moment now,
                           struct device_view *ret_view)
{
    return view_found(map_get(&engine->devices, (uint64_t)id), now, ret_view);
}

uint64_t engine_attempt_channel(const struct engine *engine, uint64_t fence)
{
    const struct attempt *attempt = map_get(&engine->attempts, fence);
    return attempt == NULL ? 0 : attempt->device->channel;
}

const char *device_status_name(enum device_status status)
{
    switch (status) {
    case DEVICE_DISCONNECTED:
        return "disconnected";
    case DEVICE_CONNECTED:
        return "connected";
    case DEVICE_DRAINING:
        return "draining";
    case DEVICE_DRAINED:
        return "drained";
    }
    return "none";
}

bool engine_device_resource(const struct engine *engine, int64_t device_id, size_t at,
                            struct plan_resource *ret_total, int64_t *ret_used_milli)
{
    const struct device *device = map_get(&engine->devices, (uint64_t)device_id);
    if (device == NULL || at >= device->stock_count) {
        return false;
    }
    *ret_total = (struct plan_resource){ device->stock[at].name, device->stock[at].total_milli };
    *ret_used_milli = device->stock[at].used_milli;
    return true;
}
