/* Why a task waits: always an answer (P9). */
#include <stdio.h>

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

static void explain_hold(const struct task *task, struct wait *wait)
{
    wait->kind = WAIT_HELD;
    for (const struct hold *hold = task->constellation->holds; hold != NULL; hold = hold->next) {
        if (hold->record.scope == HOLD_ALL || hold_names(hold, task->record.id)) {
            wait->count++;
            if (wait->holds_count < WAIT_LIST_MAX) {
                wait->holds[wait->holds_count++] = hold->record.id;
            }
        }
    }
}

static void explain_misfit(const struct class *class, const struct device *device,
                           struct wait *wait)
{
    if (wait->unmet_count == WAIT_LIST_MAX) {
        return;
    }
    const struct plan_class *plan = &class->record.plan;
    const struct msg_profile *profile = &device->record.profile;
    char *why = wait->unmet[wait->unmet_count].why;
    size_t size = sizeof wait->unmet[0].why;
    struct str unmet = selector_unmet(class->selector, profile->labels, profile->labels_count);
    wait->unmet[wait->unmet_count++].device = device->record.name;
    if (plan->device.length > 0 && !str_equal(plan->device, device->record.name)) {
        snprintf(why, size, "it is pinned to %.*s", STR_ARG(plan->device));
    } else if (unmet.length > 0) {
        snprintf(why, size, "its labels do not meet %.*s", STR_ARG(unmet));
    } else {
        snprintf(why, size, "it has no executor %s", executor_name(plan->executor));
    }
}

static void explain_placement(const struct engine *engine, const struct task *task,
                              struct wait *wait)
{
    const struct class *class = task->class;
    if (engine->blocked) {
        wait->kind = WAIT_BLOCKED;
        return;
    }
    if (class->placements_count == 0) {
        wait->kind = WAIT_NO_DEVICE;
        wait->count = (uint32_t)engine->devices_count;
        for (size_t i = 0; i < engine->devices_count; i++) {
            explain_misfit(class, engine->devices_list[i], wait);
        }
        return;
    }
    uint32_t connected = 0;
    for (size_t i = 0; i < class->placements_count; i++) {
        connected += class->placements[i]->device->ready;
    }
    if (heap_top(&class->free) != NULL) {
        wait->kind = WAIT_TURN;
    } else if (connected == 0) {
        wait->kind = WAIT_OFFLINE;
        wait->count = (uint32_t) class->placements_count;
    } else {
        wait->kind = WAIT_SLOTS;
        wait->count = connected;
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
