/* Placement: requirement classes, the devices that fit them, and the pairing of ready tasks with free
   devices. A class that no free device fits is not looked at, however many tasks wait in it. */

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

bool placement_active_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct class *x = HEAP_OWNER(a, const struct class, active);
    const struct class *y = HEAP_OWNER(b, const struct class, active);
    return lane_before(heap_top(&x->ready), heap_top(&y->ready));
}

static bool is_listed(const struct str *list, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(list[i], name)) {
            return true;
        }
    }
    return false;
}

enum misfit placement_misfit(const struct class *class, const struct device *device,
                             struct str *ret_what)
{
    const struct plan_class *plan = &class->record.plan;
    const struct msg_profile *profile = &device->record.profile;
    *ret_what = (struct str){ NULL, 0 };
    if (plan->device.length > 0 && !str_equal(plan->device, device->record.name)) {
        *ret_what = plan->device;
        return MISFIT_DEVICE;
    }
    if (class->same_at != 0 && class->same_at != device->at + 1) {
        return MISFIT_SAME;
    }
    if (class->other_at == device->at + 1) {
        return MISFIT_OTHER;
    }
    if (!is_listed(profile->executors, profile->executors_count,
                   str_of(executor_name(plan->executor)))) {
        *ret_what = str_of(executor_name(plan->executor));
        return MISFIT_EXECUTOR;
    }
    if (!selector_matches(class->selector, profile->labels, profile->labels_count)) {
        *ret_what = selector_unmet(class->selector, profile->labels, profile->labels_count);
        return MISFIT_LABELS;
    }
    for (size_t i = 0; i < plan->tools_count; i++) {
        if (!is_listed(profile->tools, profile->tools_count, plan->tools[i])) {
            *ret_what = plan->tools[i];
            return MISFIT_TOOL;
        }
    }
    const struct plan_resource *lacks = stock_short(device, class, true);
    if (lacks != NULL) {
        *ret_what = lacks->name;
        return MISFIT_RESOURCE;
    }
    return MISFIT_NONE;
}

bool placement_fits(const struct class *class, const struct device *device)
{
    struct str what;
    return placement_misfit(class, device, &what) == MISFIT_NONE;
}

bool device_is_assignable(const struct engine *engine, const struct device *device)
{
    return device->ready && !device->record.draining && !device->is_matching &&
           device->used < device->record.profile.slots && !engine->blocked &&
           device->unstarted_bytes < ENGINE_ASSIGN_BYTES_MAX;
}

void placement_reposition(struct engine *engine, struct class *class)
{
    if (heap_holds(&class->active)) {
        /* Out and in again: its top may have gone, and the order asks for the top. */
        heap_remove(class->parked == NULL ? &engine->active : &class->parked->parked,
                    &class->active);
        class->parked = NULL;
    }
    bool has_both = heap_top(&class->ready) != NULL && heap_top(&class->free) != NULL;
    if (has_both && !limit_is_out_of_reach(engine, class)) {
        class->parked = limit_in_the_way(engine, class);
        heap_insert(class->parked == NULL ? &engine->active : &class->parked->parked,
                    &class->active);
    }
}

void placement_class_changed(struct engine *engine, struct class *class)
{
    bool was_parked = class->parked != NULL;
    bool was_active = heap_holds(&class->active) && !was_parked;
    placement_reposition(engine, class);
    bool is_active = heap_holds(&class->active) && class->parked == NULL;
    /* What was kept free for it is for the next, and so is its place at the head of those that wait. */
    if (class->record.plan.limits_count > 0 && (was_parked || (was_active && !is_active))) {
        limit_wake_all(engine, class);
    }
    keep_class_changed(engine, class);
}

static void assign(struct engine *engine, struct task *task, struct device *device)
{
    device->turn_of = ++engine->assignments;
    engine->stats.assigned_total++;
    task_unqueue(engine, task);
    struct attempt *attempt = attempt_new(engine, task, device);
    task_move(engine, task, TASK_ASSIGNED);
    placement_task_placed(engine, task, device);
    struct effect *effect = effects_add(engine->effects, EFFECT_ASSIGN);
    effect->assign.channel = device->channel;
    effect->assign.fence = attempt->record.fence;
    effect->assign.constellation_id = attempt->record.constellation_id;
    effect->assign.task_id = attempt->record.task_id;
    effect->assign.attempt = attempt->record.number;
    struct history *history = engine_history(engine, HISTORY_TASK_ASSIGNED);
    history->constellation_id = attempt->record.constellation_id;
    history->task_id = attempt->record.task_id;
    history->device_id = device->record.id;
    history->fence = attempt->record.fence;
    history->number = attempt->record.number;
}

void placement_dispatch(struct engine *engine)
{
    size_t bytes = 0;
    size_t looks = keep_review(engine);
    for (int i = 0; i < ENGINE_ASSIGN_MAX && bytes < ENGINE_ASSIGN_BYTES_MAX; i++) {
        keep_look_again(engine);
        struct heap_node *node = heap_top(&engine->active);
        if (node == NULL) {
            return;
        }
        struct class *class = HEAP_OWNER(node, struct class, active);
        struct task *task = lane_top(class);
        if (task_must_not_start(task)) {
            task_cancel(engine, task); /* the cancel's own walk has not come to it yet */
            continue;
        }
        if (task_is_held(task)) {
            task_unqueue(engine, task); /* by a hold on all; its end considers every task again */
            continue;
        }
        if (limit_in_the_way(engine, class) != NULL) {
            placement_class_changed(engine, class); /* it is parked there */
            continue;
        }
        struct placement *placement = HEAP_OWNER(heap_top(&class->free), struct placement, node);
        if (!placement_is_free(engine, placement) ||
            keep_from(engine, class, placement->device, &looks)) {
            placement_refresh(engine, placement); /* the class has not been told yet */
            continue;
        }
        bytes += task->record.body_bytes;
        assign(engine, task, placement->device);
        if ((node = heap_top(&class->free)) != NULL) {
            placement_refresh(engine, HEAP_OWNER(node, struct placement, node));
        }
    }
}
