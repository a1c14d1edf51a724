/* Those who watch over constellations: what they wish for, and when. */
#include "tests/sim/books.h"
#include "tests/sim/world.h"

static struct book_constellation *any_constellation(struct world *world, bool live)
{
    struct book_constellation *found = NULL;
    uint64_t seen = 0;
    for (struct book_constellation *constellation = world->books->first; constellation != NULL;
         constellation = constellation->next) {
        bool is_final = constellation_state_is_final(constellation->record.state);
        if (constellation->record.state != CONSTELLATION_LOADING && (!live || !is_final) &&
            chance(world, ++seen) == 0) {
            found = constellation;
        }
    }
    return found;
}

/* Mostly of one that goes on; a final one is there to be reopened. */
static struct book_constellation *any_to_change(struct world *world)
{
    return any_constellation(world, percent(world, 85));
}

/* Some go the way of those that are too many for a turn. */
static void send_edit(struct world *world, struct wish *wish)
{
    wish->is_large = wish->takes_back_large || percent(world, 15);
    if (wish->is_large && wish->edit.expects_count == 0 && percent(world, 40)) {
        edit_add_expectation(world, &wish->edit, true);
    }
    wish_send(world, wish);
}

static bool wish_edit(struct world *world)
{
    const struct book_constellation *constellation = any_to_change(world);
    struct wish *wish = constellation == NULL ? NULL : edit_make(world, constellation->id);
    if (wish != NULL) {
        send_edit(world, wish);
    }
    return wish != NULL;
}

static bool wish_garbage(struct world *world)
{
    const struct book_constellation *constellation = any_to_change(world);
    struct wish *wish = constellation == NULL ? NULL : edit_make_garbage(world, constellation->id);
    if (wish != NULL) {
        send_edit(world, wish);
    }
    return wish != NULL;
}

static struct wish *any_edit(struct world *world)
{
    for (size_t i = world->wishes.count; i > 0 && i + 12 > world->wishes.count; i--) {
        struct wish *wish = world->wishes.list[i - 1];
        if (wish->event.kind == EVENT_EDIT && wish->sends > 0 && percent(world, 50)) {
            return wish;
        }
    }
    return NULL;
}

/* A client that has not understood its answer, or has had none. */
static bool wish_again(struct world *world)
{
    struct wish *wish = any_edit(world);
    if (wish != NULL) {
        wish_send(world, wish);
    }
    return wish != NULL;
}

static bool wish_undo(struct world *world)
{
    const struct wish *done = any_edit(world);
    struct wish *wish = done == NULL || !done->is_stored ? NULL : edit_make_inverse(world, done);
    if (wish != NULL) {
        send_edit(world, wish);
    }
    return wish != NULL;
}

static bool wish_hold(struct world *world)
{
    const struct book_constellation *constellation = any_to_change(world);
    if (constellation == NULL || constellation->tasks_count == 0) {
        return false;
    }
    struct wish *wish = wish_new(world, EVENT_HOLD, constellation->id, "a hold");
    struct event *event = &wish->event;
    uint64_t kind = chance(world, 10);
    event->hold.constellation_id = constellation->id;
    event->hold.scope = kind < 5 ? HOLD_TASKS : kind < 8 ? HOLD_DESCENDANTS : HOLD_ALL;
    event->hold.origin = HOLD_BY_REQUEST;
    event->hold.on_expiry = percent(world, 70) ? HOLD_EXPIRY_RELEASE : HOLD_EXPIRY_FAIL;
    event->hold.length_ms = percent(world, 60) ? between(world, 200, 8000) : 0;
    event->hold.owner = STR("sim");
    event->hold.reason = STR("to think");
    size_t count = event->hold.scope == HOLD_ALL     ? 0
                   : event->hold.scope == HOLD_TASKS ? 1 + chance(world, 3)
                                                     : 1;
    uint32_t first = (uint32_t)chance(world, constellation->tasks_count);
    int64_t *ids = arena_array(&world->arena, count + 1, sizeof *ids);
    for (size_t i = 0; i < count && first + i < constellation->tasks_count; i++) {
        ids[event->hold.task_ids_count++] = constellation->tasks[first + i]->id;
    }
    if (count > 0 && percent(world, 5)) {
        ids[0] = INT64_C(1) << 40; /* it is not there */
    }
    event->hold.task_ids = ids;
    wish_send(world, wish);
    return true;
}

static bool wish_pause(struct world *world)
{
    const struct book_constellation *constellation = any_constellation(world, true);
    if (constellation == NULL) {
        return false;
    }
    struct wish *wish = wish_new(world, EVENT_HOLD, constellation->id, "a pause");
    wish->event.hold.constellation_id = constellation->id;
    wish->event.hold.scope = HOLD_ALL;
    wish->event.hold.origin = HOLD_PAUSE;
    wish->event.hold.on_expiry = HOLD_EXPIRY_RELEASE;
    wish->event.hold.owner = STR("sim");
    wish_send(world, wish);
    return true;
}

static void release(struct world *world, const struct book_hold *hold)
{
    bool is_approval = hold->record.origin == HOLD_APPROVAL;
    struct wish *wish = wish_new(world, EVENT_RELEASE, hold->constellation->id,
                                 is_approval ? "somebody decides" : "a release");
    wish->event.release.constellation_id = hold->constellation->id;
    wish->event.release.hold_id =
        hold->record.origin == HOLD_PAUSE && percent(world, 50) ? 0 : hold->record.id;
    wish->event.release.approved = !is_approval || percent(world, 75);
    wish->event.release.actor = STR("sim");
    wish_send(world, wish);
}

static bool wish_release(struct world *world)
{
    const struct book_constellation *constellation = any_constellation(world, true);
    if (constellation == NULL || constellation->holds == NULL) {
        return false;
    }
    const struct book_hold *found = constellation->holds;
    uint64_t seen = 0;
    for (const struct book_hold *hold = found; hold != NULL; hold = hold->next) {
        found = chance(world, ++seen) == 0 ? hold : found;
    }
    release(world, found);
    return true;
}

static bool wish_reopen(struct world *world)
{
    const struct book_constellation *constellation = any_to_change(world);
    if (constellation == NULL || constellation->tasks_count == 0 ||
        world->rounds >= world->tasks_max) {
        return false;
    }
    bool rerun = percent(world, 50);
    struct wish *wish =
        wish_new(world, EVENT_REOPEN, constellation->id, rerun ? "a rerun" : "a retry");
    struct event *event = &wish->event;
    size_t count = 1 + chance(world, 2);
    int64_t *ids = arena_array(&world->arena, count, sizeof *ids);
    for (int i = 0; i < 12 && event->reopen.task_ids_count < count; i++) {
        const struct book_task *task =
            constellation->tasks[chance(world, constellation->tasks_count)];
        bool fits = rerun ? task_state_is_final((enum task_state)task->record.state)
                          : task->record.state == TASK_FAILED;
        if (fits || percent(world, 5)) {
            ids[event->reopen.task_ids_count++] = task->id;
        }
    }
    event->reopen.constellation_id = constellation->id;
    event->reopen.task_ids = ids;
    event->reopen.rerun = rerun;
    event->reopen.keep_skipped = !rerun && percent(world, 20);
    event->reopen.actor = STR("sim");
    world->rounds++;
    wish_send(world, wish);
    return true;
}

static void resolve(struct world *world, const struct book_task *task)
{
    struct wish *wish =
        wish_new(world, EVENT_RESOLVE, task->constellation->id, "somebody resolves a task");
    wish->event.resolve.constellation_id = task->constellation->id;
    wish->event.resolve.task_id = task->id;
    wish->event.resolve.resolution = (enum resolution)between(world, 1, 3);
    wish->event.resolve.actor = STR("sim");
    wish_send(world, wish);
}

/* Mostly one that waits for it. */
static bool wish_resolve(struct world *world)
{
    const struct book_constellation *constellation = any_constellation(world, true);
    for (uint32_t i = 0; constellation != NULL && i < constellation->tasks_count; i++) {
        const struct book_task *task = constellation->tasks[i];
        if (task->record.state == TASK_UNKNOWN || percent(world, 2)) {
            resolve(world, task);
            return true;
        }
    }
    return false;
}

static void drain(struct world *world, const struct host *host, bool draining)
{
    struct wish *wish = wish_new(world, EVENT_DRAIN, 0, draining ? "a drain" : "an end of a drain");
    wish->event.drain.device = str_of(host->device);
    wish->event.drain.draining = draining;
    wish->event.drain.actor = STR("sim");
    wish_send(world, wish);
}

static bool wish_drain(struct world *world)
{
    drain(world, world->hosts[chance(world, world->hosts_count)], percent(world, 40));
    return true;
}

static const struct {
    unsigned weight;
    bool (*wish)(struct world *world);
} rows[] = {
    { 30, wish_edit },   { 12, wish_garbage }, { 5, wish_again },    { 5, wish_undo },
    { 10, wish_hold },   { 3, wish_pause },    { 14, wish_release }, { 9, wish_reopen },
    { 4, wish_resolve }, { 3, wish_drain },
};

static void wish_one(struct world *world, uint64_t a, uint64_t b)
{
    (void)a;
    (void)b;
    unsigned weights = 0;
    if (world->calm) {
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weights += rows[i].weight;
    }
    uint64_t at = chance(world, weights);
    for (size_t i = 0; world->daemon.up && i < sizeof rows / sizeof rows[0]; i++) {
        if (at < rows[i].weight) {
            rows[i].wish(world);
            break;
        }
        at -= rows[i].weight;
    }
    people_begin(world);
}

void people_begin(struct world *world)
{
    world_after(world, between(world, 1, 2 * world->wish_pause_ms), wish_one, 0, 0);
}

void people_decide(struct world *world)
{
    for (const struct book_constellation *constellation = world->books->first;
         constellation != NULL; constellation = constellation->next) {
        if (constellation_state_is_final(constellation->record.state)) {
            continue;
        }
        for (const struct book_hold *hold = constellation->holds; hold != NULL; hold = hold->next) {
            if (hold->record.deadline_wall_ms == 0) {
                release(world, hold);
            }
        }
        for (uint32_t i = 0; i < constellation->tasks_count; i++) {
            if (constellation->tasks[i]->record.state == TASK_UNKNOWN) {
                resolve(world, constellation->tasks[i]);
            }
        }
    }
    struct device_view device;
    size_t at = 0;
    while (engine_each_device(world->daemon.engine, &at, daemon_now(world), &device)) {
        for (size_t i = 0; device.record->draining && i < world->hosts_count; i++) {
            if (str_is(device.record->name, world->hosts[i]->device)) {
                drain(world, world->hosts[i], false);
                break;
            }
        }
    }
}
