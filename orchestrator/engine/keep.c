/* Keeping: a task that asks for much of a device never finds that free while others, which ask for little
   of the same, follow one another there. So what a device has free is kept for the first that waits for
   it: from those that go after it, and would take what it needs. One device is kept for a class, until the
   class can go there or has gone elsewhere. All of it is derived, and may be a moment late. */
#include "orchestrator/engine/model.h"

enum {
    LOOKS_A_TURN = 16 * ENGINE_SLICE, /* at classes that may wait for a device */
    ROWS_A_REVIEW = 64,               /* of a slice: so a few devices that are kept, in turns */
};

static bool waits(const struct class *class)
{
    return class->record.plan.resources_count > 0 && heap_top(&class->ready) != NULL &&
           heap_top(&class->free) == NULL;
}

/* With what the class takes of it the device would have less free than the other needs. */
static bool harms(const struct class *class, const struct class *other, const struct device *device)
{
    const struct plan_class *takes = &class->record.plan;
    const struct plan_class *needs = &other->record.plan;
    for (size_t i = 0; i < takes->resources_count; i++) {
        for (size_t k = 0; k < needs->resources_count; k++) {
            const struct plan_resource *taken = &takes->resources[i];
            const struct plan_resource *needed = &needs->resources[k];
            if (!str_equal(taken->name, needed->name) || needed->amount_milli == 0) {
                continue;
            }
            const struct stock *stock = stock_find(device, needed->name);
            int64_t left = stock == NULL ? 0 : stock->total_milli - stock->used_milli;
            if (taken->amount_milli > left - needed->amount_milli) {
                return true;
            }
        }
    }
    return false;
}

static bool goes_first(const struct class *class, const struct class *other)
{
    return placement_active_before(&class->active, &other->active);
}

bool keep_is_off(const struct class *class, const struct device *device)
{
    const struct class *other = device->kept_for;
    return other != NULL && other != class && other->waits && heap_top(&class->ready) != NULL &&
           goes_first(other, class) && harms(class, other, device);
}

static void look_again(struct engine *engine, struct device *device)
{
    if (!device->is_freed) {
        device->is_freed = true;
        device->freed_next = engine->freed_first;
        engine->freed_first = device;
    }
}

static void enlist(struct engine *engine, struct device *device)
{
    device->kept_next = NULL;
    device->kept_previous = engine->kept_last;
    *(engine->kept_last == NULL ? &engine->kept_first : &engine->kept_last->kept_next) = device;
    engine->kept_last = device;
    engine->kept_count++;
}

static void delist(struct engine *engine, struct device *device)
{
    struct device *before = device->kept_previous;
    struct device *after = device->kept_next;
    *(before == NULL ? &engine->kept_first : &before->kept_next) = after;
    *(after == NULL ? &engine->kept_last : &after->kept_previous) = before;
    engine->kept_count--;
}

void keep_drop(struct engine *engine, struct device *device)
{
    if (device->kept_for != NULL) {
        device->kept_for->keeps = NULL;
        device->kept_for = NULL;
        delist(engine, device);
        look_again(engine, device);
    }
}

void keep_class_changed(struct engine *engine, struct class *class)
{
    bool waits_now = waits(class);
    if (waits_now != class->waits) {
        class->waits = waits_now;
        engine->waiting_classes += waits_now ? 1 : UINT32_MAX;
    }
    if (!waits_now && class->keeps != NULL) {
        keep_drop(engine, class->keeps);
    }
    if (class->kept_off_at != 0 && heap_top(&class->ready) != NULL) {
        struct device *device = engine->devices_list[class->kept_off_at - 1];
        if (!keep_is_off(class, device)) {
            class->kept_off_at = 0; /* it goes first by now */
            look_again(engine, device);
        }
    }
}

/* All that it lacks is enough of the device. */
static bool could_go(const struct engine *engine, const struct class *class)
{
    const struct task *top = lane_top(class);
    return !task_must_stop(top) && !task_is_held(top) && limit_in_the_way(engine, class) == NULL;
}

/* The first of those that wait and could go on the device, but for what the class would take of it. */
static struct class *first_waiting(const struct engine *engine, const struct class *class,
                                   const struct device *device, size_t *looks)
{
    struct class *first = NULL;
    for (size_t i = 0; i<device->placements_count && * looks> 0; i++) {
        struct class *other = device->placements[i]->class;
        --*looks;
        if (other != class && other->waits && (other->keeps == NULL || other->keeps == device) &&
            goes_first(other, class) && (first == NULL || goes_first(other, first)) &&
            harms(class, other, device) && could_go(engine, other)) {
            first = other;
        }
    }
    return first;
}

bool keep_from(struct engine *engine, const struct class *class, struct device *device,
               size_t *looks)
{
    if (class->record.plan.resources_count == 0) {
        return false;
    }
    if (keep_is_off(class, device)) {
        return true;
    }
    struct class *first =
        engine->waiting_classes == 0 ? NULL : first_waiting(engine, class, device, looks);
    if (first == NULL) {
        return false;
    }
    if (device->kept_for != first) {
        keep_drop(engine, device);
        device->kept_for = first;
        first->keeps = device;
        enlist(engine, device);
    }
    return true;
}

void keep_look_again(struct engine *engine)
{
    while (engine->freed_first != NULL) {
        struct device *device = engine->freed_first;
        engine->freed_first = device->freed_next;
        device->is_freed = false;
        placement_device_changed(engine, device);
    }
}

/* Whatever has happened in this turn may have ended the reason to keep a device: then all are looked at, over
   several turns if they are many. */
size_t keep_review(struct engine *engine)
{
    const struct device *last = engine->kept_last;
    struct device *device = engine->kept_first;
    if (engine->effects->count > 0) {
        engine->reviews_left = engine->kept_count;
    }
    size_t budget = engine->config.slice / ROWS_A_REVIEW + 1;
    engine->reviews_left -= budget < engine->reviews_left ? budget : engine->reviews_left;
    for (; budget > 0 && device != NULL; budget--) {
        struct device *next = device == last ? NULL : device->kept_next;
        bool is_open = device->ready && !device->record.draining;
        if (is_open && device->kept_for->waits && could_go(engine, device->kept_for)) {
            delist(engine, device);
            enlist(engine, device);
        } else {
            keep_drop(engine, device);
        }
        device = next;
    }
    keep_look_again(engine);
    return LOOKS_A_TURN;
}
