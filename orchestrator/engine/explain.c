/* Why a task waits: always an answer (P9). */
#include <stdio.h>

#include "orchestrator/engine/attention.h"
#include "orchestrator/engine/model.h"

static void explain_dependencies(const struct task *task, struct wait *wait)
{
    wait->kind = WAIT_DEPENDENCIES;
    for (uint32_t at = task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(task->constellation, at - 1);
        if (edge->decision == EDGE_UNDECIDED) {
            wait->count++;
            if (wait->tasks_count < WAIT_LIST_MAX) {
                wait->tasks[wait->tasks_count++] =
                    constellation_task(task->constellation, edge->from)->record.id;
            }
        }
        at = edge->next_in;
    }
}

static void add_hold(struct wait *wait, const struct hold *hold)
{
    wait->count++;
    if (wait->holds_count < WAIT_LIST_MAX) {
        wait->holds[wait->holds_count++] = hold->record.id;
    }
}

static void explain_hold(const struct task *task, struct wait *wait)
{
    const struct constellation *constellation = task->constellation;
    wait->kind = WAIT_HELD;
    for (const struct hold *hold = constellation->holds; hold != constellation->root_holds_first;
         hold = hold->next) {
        if (hold->record.scope == HOLD_ALL || hold_names(hold, task->record.id)) {
            add_hold(wait, hold);
        }
    }
    const struct hold *approval = hold_of_root(constellation, task->record.id, HOLD_APPROVAL);
    if (approval != NULL) {
        add_hold(wait, approval);
    }
}

/* Only its approval holds it, and nobody needs to think of that before its turn has come. */
static bool is_before_its_turn(const struct task *task, const struct wait *held)
{
    return held->count == 1 && task->undecided > 0 && !task_is_ready(task) &&
           hold_of_root(task->constellation, task->record.id, HOLD_APPROVAL) != NULL;
}

/* Room for one more line about a device; NULL: there are enough. */
static char *line_about(const struct device *device, struct wait *wait)
{
    if (wait->unmet_count == WAIT_LIST_MAX) {
        return NULL;
    }
    wait->unmet[wait->unmet_count].device = device->record.name;
    return wait->unmet[wait->unmet_count++].why;
}

/* "0.5": thousandths as a person writes them. */
static void write_amount(int64_t milli, char text[24])
{
    int64_t rest = milli % 1000;
    if (rest == 0) {
        snprintf(text, 24, "%lld", (long long)(milli / 1000));
    } else {
        int digits = rest % 100 == 0 ? 1 : rest % 10 == 0 ? 2 : 3;
        int64_t shown = digits == 1 ? rest / 100 : digits == 2 ? rest / 10 : rest;
        snprintf(text, 24, "%lld.%0*lld", (long long)(milli / 1000), digits, (long long)shown);
    }
}

static void explain_shortage(const struct plan_resource *lacks, const struct device *device,
                             bool of_all, char *why, size_t size)
{
    char needed[24];
    char there[24];
    const struct stock *stock = stock_find(device, lacks->name);
    int64_t left = stock == NULL ? 0 : stock->total_milli - (of_all ? 0 : stock->used_milli);
    write_amount(lacks->amount_milli, needed);
    write_amount(left < 0 ? 0 : left, there);
    snprintf(why, size, "%s of %.*s %s, %s needed", there, STR_ARG(lacks->name),
             of_all ? "is all it has" : "is free", needed);
}

static void explain_misfit(const struct class *class, const struct device *device,
                           struct wait *wait)
{
    struct str what;
    enum misfit misfit = placement_misfit(class, device, &what);
    char *why = misfit == MISFIT_NONE ? NULL : line_about(device, wait);
    if (why == NULL) {
        return;
    }
    size_t size = sizeof wait->unmet[0].why;
    switch (misfit) {
    case MISFIT_NONE:
        break;
    case MISFIT_DEVICE:
        snprintf(why, size, "it is pinned to %.*s", STR_ARG(what));
        break;
    case MISFIT_SAME:
        snprintf(why, size, "same_device: that task ran elsewhere");
        break;
    case MISFIT_OTHER:
        snprintf(why, size, "other_device: that task ran here");
        break;
    case MISFIT_EXECUTOR:
        snprintf(why, size, "it has no executor %.*s", STR_ARG(what));
        break;
    case MISFIT_LABELS:
        snprintf(why, size, "its labels do not meet %.*s", STR_ARG(what));
        break;
    case MISFIT_TOOL:
        snprintf(why, size, "it has no tool %.*s", STR_ARG(what));
        break;
    case MISFIT_RESOURCE:
        explain_shortage(stock_short(device, class, true), device, true, why, size);
        break;
    }
}

/* Why a device that fits takes nothing now. */
static void explain_busy(const struct class *class, const struct device *device, struct wait *wait)
{
    const struct plan_resource *lacks = stock_short(device, class, false);
    bool has_slot = device->used < device->record.profile.slots;
    bool is_kept = keep_is_off(class, device);
    if (device->ready && !device->record.draining && has_slot && lacks == NULL && !is_kept &&
        device->unstarted_bytes < ENGINE_ASSIGN_BYTES_MAX) {
        return;
    }
    char *why = line_about(device, wait);
    size_t size = sizeof wait->unmet[0].why;
    if (why == NULL) {
        return;
    }
    if (device->record.draining) {
        snprintf(why, size, "it is being drained");
    } else if (!device->ready) {
        snprintf(why, size, "it is not connected");
    } else if (!has_slot) {
        snprintf(why, size, "all of its %u slots are taken", device->record.profile.slots);
    } else if (lacks != NULL) {
        explain_shortage(lacks, device, false, why, size);
    } else if (is_kept) {
        snprintf(why, size, "what is free of it is kept for a task that goes first");
    } else {
        snprintf(why, size, "it has much to begin yet");
    }
}

/* All the devices that fit, and what stands between each and the task. */
static void explain_devices(const struct class *class, struct wait *wait)
{
    uint32_t connected = 0;
    uint32_t open = 0;
    uint32_t slotless = 0;
    for (size_t i = 0; i < class->placements_count; i++) {
        const struct device *device = class->placements[i]->device;
        connected += device->ready;
        open += device->ready && !device->record.draining;
        slotless += device->ready && !device->record.draining &&
                    device->used >= device->record.profile.slots;
        explain_busy(class, device, wait);
    }
    wait->count = open;
    if (connected == 0) {
        wait->kind = WAIT_OFFLINE;
        wait->count = (uint32_t) class->placements_count;
    } else if (open == 0) {
        wait->kind = WAIT_DRAINED;
        wait->count = (uint32_t) class->placements_count;
    } else {
        wait->kind = slotless == open || class->record.plan.resources_count == 0 ? WAIT_SLOTS
                                                                                 : WAIT_RESOURCES;
    }
}

static void explain_placement(const struct engine *engine, const struct task *task,
                              struct wait *wait)
{
    const struct class *class = task->class;
    const struct limit *limit =
        class->parked != NULL ? class->parked : limit_in_the_way(engine, class);
    if (engine->blocked) {
        wait->kind = WAIT_BLOCKED;
        return;
    }
    wait->kind = WAIT_TURN; /* unless something is in its way */
    if (!class->is_linked || class->linked != PLACEMENT_ALL || engine->match_first != NULL) {
        return; /* a job is about to come to it, or it to its devices */
    }
    if (class->placements_count == 0) {
        wait->kind = WAIT_NO_DEVICE;
        wait->count = (uint32_t)engine->devices_count;
        for (size_t i = 0; i < engine->devices_count && wait->unmet_count < WAIT_LIST_MAX; i++) {
            explain_misfit(class, engine->devices_list[i], wait);
        }
    } else if (limit != NULL) {
        wait->kind = WAIT_LIMIT;
        wait->count = limit->record.index;
    } else if (heap_top(&class->free) == NULL) {
        explain_devices(class, wait);
    }
}

static void explain_attempt(const struct engine *engine, const struct attempt *attempt,
                            struct moment now, struct wait *wait)
{
    if (attempt->device->channel == 0) {
        wait->kind = WAIT_DISCONNECTED;
        wait->wake_ms = attempt_given_up_boot_ms(engine, attempt) - now.boot_ms;
        wait->unmet[wait->unmet_count++].device = attempt->device->record.name;
    } else if (attempt->record.state == ATTEMPT_STOPPING) {
        wait->kind = WAIT_STOPPING;
    }
}

void engine_explain(const struct engine *engine, int64_t constellation_id, int64_t task_id,
                    struct moment now, struct wait *ret_wait)
{
    *ret_wait = (struct wait){ 0 };
    const struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t)constellation_id);
    const struct task *task =
        constellation == NULL ? NULL : constellation_find_task(constellation, task_id);
    if (task == NULL) {
        return;
    }
    switch ((enum task_state)task->record.state) {
    case TASK_WAITING:
        if (task_is_held(task)) {
            explain_hold(task, ret_wait);
            if (is_before_its_turn(task, ret_wait)) {
                *ret_wait = (struct wait){ 0 };
                explain_dependencies(task, ret_wait);
            }
        } else if (task_ways(task) == WAYS_OPEN && !constellation->finally_open &&
                   (task->record.flags & TASK_FINALLY) != 0) {
            ret_wait->kind = WAIT_FINALLY;
            ret_wait->count = constellation->ordinary;
        } else if (!task_is_ready(task)) {
            explain_dependencies(task, ret_wait);
        } else if (task->record.has_references && !task->record.prepared) {
            ret_wait->kind = WAIT_INPUTS;
        } else {
            explain_placement(engine, task, ret_wait);
        }
        break;
    case TASK_BACKOFF:
        ret_wait->kind = WAIT_BACKOFF;
        ret_wait->wake_ms = task->wake_boot_ms - now.boot_ms;
        break;
    case TASK_ASSIGNED:
    case TASK_RUNNING:
        explain_attempt(engine, task->attempt, now, ret_wait);
        break;
    case TASK_UNKNOWN:
        ret_wait->kind = WAIT_DECISION;
        break;
    case TASK_SUCCEEDED:
    case TASK_FAILED:
    case TASK_CANCELLED:
    case TASK_SKIPPED:
    case TASK_STATES_END:
        break;
    }
}

bool engine_next_fit(const struct engine *engine, int64_t constellation_id, int64_t task_id,
                     size_t *at, struct device_fit *ret_fit)
{
    const struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t)constellation_id);
    const struct task *task =
        constellation == NULL ? NULL : constellation_find_task(constellation, task_id);
    if (task == NULL || (task->record.flags & TASK_GATE) != 0 || *at >= engine->devices_count) {
        return false;
    }
    const struct device *device = engine->devices_list[(*at)++];
    struct wait wait = { 0 };
    explain_misfit(task->class, device, &wait);
    *ret_fit = (struct device_fit){ .device = device->record.name, .fits = wait.unmet_count == 0 };
    if (ret_fit->fits) {
        explain_busy(task->class, device, &wait);
        ret_fit->free = wait.unmet_count == 0;
    }
    if (wait.unmet_count > 0) {
        snprintf(ret_fit->why, sizeof ret_fit->why, "%s", wait.unmet[0].why);
    }
    return true;
}
