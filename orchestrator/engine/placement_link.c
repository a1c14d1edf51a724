/* Which devices a class has to choose from, and what it is told of them. A class is linked to the devices
   that fit when a task of it is ready for the first time (placement_match.c says over how many turns). When
   a device changes, all of its classes order it anew: a few at once, many over several turns. Until then a
   class may take a device for free that has filled up, which is seen when it is about to be used, or know
   less of one that has room. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* Rows of a slice for each class that is told whenever a device changes; of others one a row is told. */
enum { ROWS_A_CLASS_ALWAYS = 512 };

static uint32_t push_placement(struct placement ***list, size_t *count, size_t *capacity,
                               struct placement *placement)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 4 : *capacity * 2;
        *list = mem_resize(*list, *capacity * sizeof(struct placement *));
    }
    (*list)[*count] = placement;
    return (uint32_t)(*count)++;
}

void placement_link(struct class *class, struct device *device)
{
    struct placement *placement = mem_alloc(sizeof *placement);
    placement->class = class;
    placement->device = device;
    placement->in_class = push_placement(&class->placements, &class->placements_count,
                                         &class->placements_capacity, placement);
    placement->in_device = push_placement(&device->placements, &device->placements_count,
                                          &device->placements_capacity, placement);
}

/* The last of each list takes its place. */
static void unlink_placement(struct placement *placement)
{
    struct class *class = placement->class;
    struct device *device = placement->device;
    if (heap_holds(&placement->node)) {
        heap_remove(&class->free, &placement->node);
    }
    struct placement *last = class->placements[--class->placements_count];
    class->placements[placement->in_class] = last;
    last->in_class = placement->in_class;
    last = device->placements[--device->placements_count];
    device->placements[placement->in_device] = last;
    last->in_device = placement->in_device;
    if (device->untold > 0) {
        device->untold = (uint32_t)device->placements_count; /* once more round */
    }
    mem_free(placement);
}

static uint32_t count_here(const struct engine *engine, const struct placement *placement)
{
    const struct class *class = placement->class;
    if (class->record.plan.strategy != STRATEGY_SPREAD) {
        return 0;
    }
    const struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t) class->record.constellation_id);
    return constellation == NULL
               ? 0
               : (uint32_t)(uintptr_t)map_get(&constellation->spread,
                                              (uint64_t)placement->device->record.id);
}

bool placement_is_free(const struct engine *engine, const struct placement *placement)
{
    return placement->class->linked == PLACEMENT_ALL &&
           device_is_assignable(engine, placement->device) &&
           stock_short(placement->device, placement->class, false) == NULL &&
           !keep_is_off(placement->class, placement->device);
}

void placement_refresh(struct engine *engine, struct placement *placement)
{
    struct class *class = placement->class;
    bool free_now = placement_is_free(engine, placement);
    bool free_before = heap_holds(&placement->node);
    placement->here = count_here(engine, placement);
    if (!free_now && keep_is_off(class, placement->device)) {
        class->kept_off_at = placement->device->at + 1;
    }
    if (free_now && free_before) {
        heap_moved(&class->free, &placement->node);
        return;
    }
    if (free_now) {
        heap_insert(&class->free, &placement->node);
    } else if (free_before) {
        heap_remove(&class->free, &placement->node);
    }
    if (free_now != free_before) {
        placement_class_changed(engine, class);
    }
}

static size_t told_max(const struct engine *engine)
{
    return engine->config.slice;
}

static void enqueue(struct engine *engine, struct device *device)
{
    device->untold_next = NULL;
    device->untold_queued = true;
    if (engine->untold_last == NULL) {
        engine->untold_first = device;
    } else {
        engine->untold_last->untold_next = device;
    }
    engine->untold_last = device;
}

void placement_device_changed(struct engine *engine, struct device *device)
{
    size_t count = device->placements_count;
    bool is_few = count <= engine->config.slice / ROWS_A_CLASS_ALWAYS;
    if (is_few || engine->told + count <= told_max(engine)) {
        device->untold = 0;
        engine->told += is_few ? 0 : count;
        for (size_t i = 0; i < count; i++) {
            placement_refresh(engine, device->placements[i]);
        }
        return;
    }
    device->untold = (uint32_t)count;
    if (!device->untold_queued) {
        enqueue(engine, device);
    }
}

/* One device after the other, so that one that changes all the time does not keep the rest waiting. */
void placement_tell(struct engine *engine)
{
    size_t max = told_max(engine);
    size_t left = engine->told < max ? max - engine->told : 0;
    left = left <= max / 2 ? max / 2 + 1 : left; /* however much this turn has had to tell */
    engine->told += left;
    while (left > 0 && engine->untold_first != NULL) {
        struct device *device = engine->untold_first;
        for (; left > 0 && device->untold > 0; left--) {
            device->untold_at =
                device->untold_at < device->placements_count ? device->untold_at : 0;
            placement_refresh(engine, device->placements[device->untold_at++]);
            device->untold--;
        }
        engine->untold_first = device->untold_next;
        if (engine->untold_first == NULL) {
            engine->untold_last = NULL;
        }
        device->untold_queued = false;
        if (device->untold > 0) {
            enqueue(engine, device);
        }
    }
    engine->told -= left;
}

void placement_forget_last(struct engine *engine, struct device *device)
{
    struct placement *placement = device->placements[device->placements_count - 1];
    struct class *class = placement->class;
    unlink_placement(placement);
    placement_class_changed(engine, class);
}

void placement_link_class(struct engine *engine, struct class *class)
{
    class->is_linked = true;
    roll_add(&engine->roll, class);
    struct device *only = class->same_at != 0 ? engine->devices_list[class->same_at - 1]
                                              : fleet_find(engine, class->record.plan.device);
    if (only == NULL && class->record.plan.device.length == 0) {
        class->linked = 0;
        placement_match_class(engine, class);
        return;
    }
    class->linked = PLACEMENT_ALL;
    if (only != NULL && !only->is_matching && placement_fits(class, only)) {
        placement_link(class, only);
        placement_refresh(engine, class->placements[class->placements_count - 1]);
    }
}

void placement_unlink_class(struct engine *engine, struct class *class)
{
    if (class->keeps != NULL) {
        keep_drop(engine, class->keeps);
    }
    if (class->is_linked) {
        roll_remove(&engine->roll, class);
        placement_leave_line(engine, class);
    }
    class->is_linked = false;
    while (class->placements_count > 0) {
        unlink_placement(class->placements[class->placements_count - 1]);
    }
}
