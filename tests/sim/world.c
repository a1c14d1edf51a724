#include "tests/sim/world.h"

#include "common/base/mem.h"

#define COUNTER_NAME(name, words) [COUNT_##name] = (words),

const char *counter_name(enum counter counter)
{
    static const char *const names[COUNTERS_END] = { COUNTERS(COUNTER_NAME) };
    return names[counter];
}

/* --- Time --- */

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct occurrence *x = HEAP_OWNER(a, const struct occurrence, node);
    const struct occurrence *y = HEAP_OWNER(b, const struct occurrence, node);
    return x->at_ms != y->at_ms ? x->at_ms < y->at_ms : x->tie < y->tie;
}

void world_after(struct world *world, int64_t delay_ms,
                 void (*run)(struct world *world, uint64_t a, uint64_t b), uint64_t a, uint64_t b)
{
    struct occurrence *occurrence = world->spare;
    if (occurrence == NULL) {
        occurrence = mem_alloc(sizeof *occurrence);
    } else {
        world->spare = occurrence->next;
    }
    *occurrence = (struct occurrence){ .at_ms = world->now_ms + (delay_ms < 0 ? 0 : delay_ms),
                                       .tie = rng_next(&world->rng),
                                       .run = run,
                                       .a = a,
                                       .b = b };
    heap_insert(&world->queue, &occurrence->node);
}

static bool step(struct world *world)
{
    struct heap_node *node = heap_top(&world->queue);
    if (node == NULL) {
        return false;
    }
    struct occurrence *occurrence = HEAP_OWNER(node, struct occurrence, node);
    heap_remove(&world->queue, node);
    CHECK(occurrence->at_ms >= world->now_ms);
    world->now_ms = occurrence->at_ms;
    world->step++;
    occurrence->run(world, occurrence->a, occurrence->b);
    occurrence->next = world->spare;
    world->spare = occurrence;
    return true;
}

/* --- A run --- */

static void submit_first(struct world *world, uint64_t a, uint64_t b)
{
    (void)b;
    struct sim_plan *plan = plan_make(world, (uint32_t)a);
    if (plan != NULL && world->daemon.up) {
        daemon_submit(world, plan);
    }
}

static void begin(struct world *world)
{
    bool small = world->daemon.disk == NULL;
    world->lease_ms = between(world, 4000, 15000);
    world->ping_ms = world->lease_ms / 3;
    world->lost_after_ms = world->lease_ms * between(world, 2, 4);
    world->faults_end_ms =
        WORLD_BEGIN_MS + between(world, small ? 5000 : 30000, small ? 20000 : 120000);
    world->tasks_max = small ? 14 : 110;
    world->tasks_min = small ? 8 : 100;
    world->check_every = world->options.seed % 2 == 0 ? 2 : 7;
    fault_choose(world);
    daemon_start(world);
    unsigned hosts = (unsigned)between(world, 3, 4);
    for (unsigned i = 0; i < hosts; i++) {
        char name[HOST_NAME_BYTES] = "device-0";
        name[7] = (char)('0' + i);
        world->hosts[i] = host_new(world, i, name);
        world->hosts_count++;
        host_start(world, world->hosts[i]);
    }
    for (size_t tasks = 0; tasks < (small ? 6U : 60U);) {
        uint32_t count = (uint32_t)between(world, 1, small ? 10 : 60);
        tasks += count;
        world_after(world, between(world, 0, 20000) / (small ? 10 : 1), submit_first, count, 0);
    }
    world->wish_pause_ms = between(world, 100, 1500);
    fault_begin(world);
    people_begin(world);
}

/* Faults end: everything is whole again, and those who should not be there are gone. */
static void calm_down(struct world *world)
{
    TRACE(world, "calm");
    world->calm = true;
    for (size_t i = 0; i < world->hosts_count; i++) {
        struct host *host = world->hosts[i];
        host->cut_until_ms = 0;
        if (host->paused_until_ms > world->now_ms) {
            host->paused_until_ms = world->now_ms;
            host_arrived(world, host);
        }
        if (host->is_clone || host->is_hostile) {
            host->retired = true;
            host_kill(world, host, -1);
        } else if (!host->up) {
            host_start(world, host);
        }
    }
    for (size_t i = 0; i < world->net.count; i++) {
        world->net.links[i]->late_until_ms = 0;
    }
    if (!world->daemon.up) {
        daemon_start(world);
    }
    while (world->plans.tasks < world->tasks_min && world->plans.count < SIM_PLANS_MAX) {
        submit_first(world, 20, 0);
    }
}

/* Clients repeat what was not answered; what can never run is cancelled. */
static void look_after_plans(struct world *world)
{
    for (size_t i = 0; i < world->plans.count && world->daemon.up; i++) {
        struct sim_plan *plan = world->plans.list[i];
        if (!plan->is_answered && !plan->is_submitted) {
            daemon_submit(world, plan);
        }
    }
    if (world->calm && world->daemon.up) {
        promise_cancel_impossible(world);
        people_decide(world);
    }
}

static void run(struct world *world)
{
    int64_t looked_ms = world->now_ms;
    uint64_t steps_max = world->options.steps_max;
    begin(world);
    while (!world->broken && step(world)) {
        if (steps_max != 0 && world->step >= steps_max) {
            return;
        }
        if (world->now_ms >= world->faults_end_ms && !world->calm) {
            calm_down(world);
        }
        if (world->now_ms - looked_ms < 1000) {
            continue;
        }
        looked_ms = world->now_ms;
        look_after_plans(world);
        if (world->calm && promise_is_settled(world)) {
            promise_check_end(world);
            return;
        }
        if (world->now_ms > world->faults_end_ms + WORLD_CALM_MAX_MS ||
            world->step > WORLD_STEPS_MAX) {
            promise_give_up(world);
        }
    }
}

bool world_run(struct world *world, const struct world_options *options, struct counts *counts)
{
    *world = (struct world){ .options = *options, .counts = counts, .now_ms = WORLD_BEGIN_MS };
    world->queue.before = is_before;
    world->trace.print = options->trace;
    rng_init(&world->rng, options->seed);
    world->books = books_new();
    daemon_init(world);
    run(world);
    return !world->broken;
}

void world_done(struct world *world)
{
    daemon_done(world);
    for (size_t i = 0; i < world->hosts_count; i++) {
        host_free(world->hosts[i]);
    }
    struct heap_node *node = NULL;
    while ((node = heap_top(&world->queue)) != NULL) {
        struct occurrence *occurrence = HEAP_OWNER(node, struct occurrence, node);
        heap_remove(&world->queue, node);
        net_forget(occurrence);
        mem_free(occurrence);
    }
    while (world->spare != NULL) {
        struct occurrence *next = world->spare->next;
        mem_free(world->spare);
        world->spare = next;
    }
    heap_done(&world->queue);
    net_done(&world->net);
    wishes_done(&world->wishes);
    books_free(world->books);
    arena_done(&world->arena);
}
