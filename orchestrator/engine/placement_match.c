/* Which classes fit which devices. There may be 20,000 of each, so that both find the other over several
   turns, so many pairs in a turn: a class when a task of it is ready for the first time; a device when it
   says what it has, for the first time or something else than before, when it forgets first what it fitted.
   Until one is through, nothing of it is placed.

   A class goes along the list of devices, a device along the roll, on which the classes stand in the order
   in which they were linked. Where both are on their way, whoever comes to the other last makes the pair. */
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* Of a slice of rows: the other half is for what placement_tell() has to say. */
enum { SHARE = 2 };

/* The place of the first that has at least this number. */
static size_t find(const struct roll *roll, uint64_t number)
{
    size_t low = 0;
    size_t high = roll->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (roll->list[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void roll_add(struct roll *roll, struct class *class)
{
    if (roll->count == roll->capacity) {
        roll->capacity = roll->capacity == 0 ? 64 : roll->capacity * 2;
        roll->list = mem_resize(roll->list, roll->capacity * sizeof roll->list[0]);
    }
    class->number = ++roll->last;
    roll->list[roll->count++] = (struct roll_entry){ class->number, class };
    roll->live++;
}

/* Its place stays empty until there are more of those than others. */
void roll_remove(struct roll *roll, const struct class *class)
{
    size_t at = find(roll, class->number);
    CHECK(at < roll->count && roll->list[at].class == class);
    roll->list[at].class = NULL;
    roll->live--;
    if (roll->count > 2 * roll->live) {
        size_t kept = 0;
        for (size_t i = 0; i < roll->count; i++) {
            if (roll->list[i].class != NULL) {
                roll->list[kept++] = roll->list[i];
            }
        }
        roll->count = kept;
    }
}

void roll_done(struct roll *roll)
{
    mem_free(roll->list);
    memset(roll, 0, sizeof *roll);
}

static void enqueue(struct engine *engine, struct device *device)
{
    if (!device->match_queued) {
        device->match_queued = true;
        device->match_next = NULL;
        *(engine->match_last == NULL ? &engine->match_first : &engine->match_last->match_next) =
            device;
        engine->match_last = device;
    }
}

static struct device *dequeue(struct engine *engine)
{
    struct device *device = engine->match_first;
    engine->match_first = device->match_next;
    if (engine->match_first == NULL) {
        engine->match_last = NULL;
    }
    device->match_queued = false;
    return device;
}

static size_t left(const struct engine *engine)
{
    size_t max = engine->config.slice / SHARE + 1;
    return engine->matched < max ? max - engine->matched : 0;
}

/* One is forgotten, or looked at. False: all have been. */
static bool match_one(struct engine *engine, struct device *device)
{
    if (device->match_forgets && device->placements_count > 0) {
        placement_forget_last(engine, device);
        return true;
    }
    device->match_forgets = false;
    struct roll *roll = &engine->roll;
    size_t at = find(roll, device->matched + 1);
    while (at < roll->count && roll->list[at].class == NULL) {
        at++;
    }
    if (at == roll->count) {
        return false;
    }
    struct class *class = roll->list[at].class;
    device->matched = roll->list[at].number;
    if (class->linked > device->at && placement_fits(class, device)) { /* else it comes here */
        placement_link(class, device);
    }
    return true;
}

/* As far as this turn goes. */
static void match_device(struct engine *engine, struct device *device)
{
    bool is_more = true;
    for (size_t budget = left(engine); budget > 0 && is_more; budget--) {
        is_more = match_one(engine, device);
        engine->matched += is_more;
    }
    if (is_more) {
        enqueue(engine, device);
        return;
    }
    device->is_matching = false;
    placement_device_changed(engine, device);
}

void placement_match_device(struct engine *engine, struct device *device)
{
    keep_drop(engine, device);
    device->has_been_matched = true;
    device->is_matching = true;
    device->match_forgets = true;
    device->matched = 0;
    match_device(engine, device);
}

static void wait_in_line(struct engine *engine, struct class *class)
{
    if (!class->link_queued) {
        class->link_queued = true;
        class->link_next = NULL;
        class->link_previous = engine->link_last;
        *(engine->link_last == NULL ? &engine->link_first : &engine->link_last->link_next) = class;
        engine->link_last = class;
    }
}

void placement_leave_line(struct engine *engine, struct class *class)
{
    if (class->link_queued) {
        struct class *before = class->link_previous;
        struct class *after = class->link_next;
        *(before == NULL ? &engine->link_first : &before->link_next) = after;
        *(after == NULL ? &engine->link_last : &after->link_previous) = before;
        class->link_queued = false;
    }
}

void placement_match_class(struct engine *engine, struct class *class)
{
    for (size_t budget = left(engine); budget > 0 && class->linked < engine->devices_count;
         budget--) {
        struct device *device = engine->devices_list[class->linked++];
        bool comes_to_it =
            device->is_matching && (device->match_forgets || device->matched < class->number);
        if (!comes_to_it && placement_fits(class, device)) {
            placement_link(class, device);
        }
        engine->matched++;
    }
    if (class->linked < engine->devices_count) {
        wait_in_line(engine, class);
        return;
    }
    placement_leave_line(engine, class);
    class->linked = PLACEMENT_ALL;
    for (size_t i = 0; i < class->placements_count; i++) {
        placement_refresh(engine, class->placements[i]);
    }
}

void placement_match(struct engine *engine)
{
    while (engine->match_first != NULL && left(engine) > 0) {
        struct device *device = dequeue(engine);
        if (device->is_matching) { /* else it has been begun again, and got through at once */
            match_device(engine, device);
        }
    }
    while (engine->link_first != NULL && left(engine) > 0) {
        placement_match_class(engine, engine->link_first);
    }
}
