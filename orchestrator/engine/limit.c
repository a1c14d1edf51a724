/* Named limits of a constellation: so much of each may be taken at a time. A class that finds one of
   its limits taken is parked there, in the order of what is active, and looked at again only when some
   of it is given back: however many classes wait, an end wakes no more than can go. The first that is
   parked is waited for, so that one that needs much is not passed by for ever. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

static struct constellation *owner_of(const struct engine *engine, const struct class *class)
{
    struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t) class->record.constellation_id);
    CHECK(constellation != NULL);
    return constellation;
}

static struct limit *limit_at(const struct constellation *constellation, uint32_t index)
{
    CHECK(index < constellation->limits_count && constellation->limits[index] != NULL);
    return constellation->limits[index];
}

/* While a constellation is loaded, attempts that take of a limit come before the limit itself. */
static struct limit *limit_made(struct constellation *constellation, uint32_t index)
{
    CHECK(index < PLAN_LIMITS_MAX);
    if (index >= constellation->limits_count) {
        constellation->limits =
            mem_resize(constellation->limits, (index + 1) * sizeof(struct limit *));
        while (constellation->limits_count <= index) {
            constellation->limits[constellation->limits_count++] = NULL;
        }
    }
    if (constellation->limits[index] == NULL) {
        struct limit *limit = mem_alloc(sizeof *limit);
        limit->record.constellation_id = constellation->record.id;
        limit->record.index = index;
        limit->parked.before = placement_active_before;
        constellation->limits[index] = limit;
    }
    return constellation->limits[index];
}

static uint32_t free_of(const struct limit *limit)
{
    return limit->used < limit->record.capacity ? limit->record.capacity - limit->used : 0;
}

static uint32_t amount_of(const struct class *class, const struct limit *limit)
{
    for (size_t i = 0; i < class->record.plan.limits_count; i++) {
        if (class->record.plan.limits[i].limit == limit->record.index) {
            return class->record.plan.limits[i].amount;
        }
    }
    return 0;
}

/* Another waits for it that goes before the class: what is free of it is kept for that one. */
static bool is_kept(const struct limit *limit, const struct class *class)
{
    const struct heap_node *first = heap_top(&limit->parked);
    return first != NULL && first != &class->active && heap_top(&class->ready) != NULL &&
           placement_active_before(first, &class->active);
}

struct limit *limit_in_the_way(const struct engine *engine, const struct class *class)
{
    const struct plan_class *plan = &class->record.plan;
    if (plan->limits_count == 0) {
        return NULL;
    }
    const struct constellation *constellation = owner_of(engine, class);
    for (size_t i = 0; i < plan->limits_count; i++) {
        struct limit *limit = limit_at(constellation, plan->limits[i].limit);
        if (plan->limits[i].amount > free_of(limit) || is_kept(limit, class)) {
            return limit;
        }
    }
    return NULL;
}

bool limit_is_out_of_reach(const struct engine *engine, const struct class *class)
{
    const struct plan_class *plan = &class->record.plan;
    if (plan->limits_count == 0) {
        return false;
    }
    const struct constellation *constellation = owner_of(engine, class);
    for (size_t i = 0; i < plan->limits_count; i++) {
        if (plan->limits[i].amount >
            limit_at(constellation, plan->limits[i].limit)->record.capacity) {
            return true;
        }
    }
    return false;
}

/* As many of those that are parked as there is room for. One that is looked at and does not become
   active (its next limit is taken) leaves the room to the one after it. */
static void wake(struct engine *engine, struct limit *limit)
{
    uint32_t room = free_of(limit);
    struct heap_node *node = NULL;
    while ((node = heap_top(&limit->parked)) != NULL) {
        struct class *class = HEAP_OWNER(node, struct class, active);
        uint32_t amount = amount_of(class, limit);
        if (amount > room) {
            return;
        }
        placement_reposition(engine, class);
        if (class->parked == limit) {
            return;
        }
        if (class->parked == NULL && heap_holds(&class->active)) {
            room -= amount;
        }
    }
}

void limit_wake_all(struct engine *engine, const struct class *class)
{
    const struct plan_class *plan = &class->record.plan;
    const struct constellation *constellation = owner_of(engine, class);
    for (size_t i = 0; i < plan->limits_count; i++) {
        wake(engine, limit_at(constellation, plan->limits[i].limit));
    }
}

void limit_take(struct engine *engine, const struct class *class)
{
    const struct plan_class *plan = &class->record.plan;
    if (plan->limits_count > 0) {
        struct constellation *constellation = owner_of(engine, class);
        for (size_t i = 0; i < plan->limits_count; i++) {
            limit_made(constellation, plan->limits[i].limit)->used += plan->limits[i].amount;
        }
    }
}

void limit_give(struct engine *engine, const struct class *class)
{
    const struct plan_class *plan = &class->record.plan;
    if (plan->limits_count > 0) {
        const struct constellation *constellation = owner_of(engine, class);
        for (size_t i = 0; i < plan->limits_count; i++) {
            struct limit *limit = limit_at(constellation, plan->limits[i].limit);
            CHECK(limit->used >= plan->limits[i].amount);
            limit->used -= plan->limits[i].amount;
        }
        limit_wake_all(engine, class);
    }
}

/* A new capacity may bring classes within its reach, or take them out of it: rare, and all are asked. */
static void capacity_changed(struct engine *engine, const struct constellation *constellation)
{
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&engine->classes, &at, &id, &value)) {
        struct class *class = value;
        if (class->record.constellation_id == constellation->record.id &&
            class->record.plan.limits_count > 0) {
            placement_class_changed(engine, class);
        }
    }
}

void limit_put(struct engine *engine, struct constellation *constellation,
               const struct limit_record *record)
{
    struct limit *limit = limit_made(constellation, record->index);
    if (!str_equal(limit->record.name, record->name)) {
        mem_free((void *)(uintptr_t)limit->record.name.data);
        limit->record.name =
            (struct str){ mem_copy(record->name.data, record->name.length), record->name.length };
    }
    if (limit->record.capacity != record->capacity) {
        limit->record.capacity = record->capacity;
        if (!constellation->asleep) { /* else none of its classes has a task that is ready */
            capacity_changed(engine, constellation);
        }
    }
}

void limit_free_all(struct constellation *constellation)
{
    for (uint32_t i = 0; i < constellation->limits_count; i++) {
        struct limit *limit = constellation->limits[i];
        if (limit != NULL) {
            heap_done(&limit->parked);
            mem_free((void *)(uintptr_t)limit->record.name.data);
            mem_free(limit);
        }
    }
    mem_free(constellation->limits);
}
