#include "tests/sim/fault.h"

#include "tests/sim/world.h"

static struct host *any_host(struct world *world)
{
    for (int i = 0; i < 8; i++) {
        struct host *host = world->hosts[chance(world, world->hosts_count)];
        if (host->up && !host->is_hostile) {
            return host;
        }
    }
    return NULL;
}

static struct link *any_link(struct world *world)
{
    for (int i = 0; i < 8; i++) {
        struct link *link = net_link(world, world->hosts[chance(world, world->hosts_count)]->link);
        if (link != NULL && (link->open[SIDE_DAEMON] || link->open[SIDE_HOST])) {
            return link;
        }
    }
    return NULL;
}

static int64_t down_ms(struct world *world)
{
    return percent(world, 70) ? between(world, 0, 3000) : between(world, 0, world->lost_after_ms);
}

static bool cut(struct world *world, int64_t away_ms, int64_t daemon_ms, int64_t host_ms)
{
    struct link *link = any_link(world);
    if (link == NULL) {
        return false;
    }
    TRACE(world, "fault: connection % of host % is cut for %", link->id, link->host->index,
          (uint64_t)away_ms);
    if (world->now_ms + away_ms > link->host->cut_until_ms) {
        link->host->cut_until_ms = world->now_ms + away_ms;
    }
    net_cut(world, link, daemon_ms, host_ms);
    return true;
}

static bool strike_cut(struct world *world)
{
    int64_t away_ms =
        percent(world, 60) ? between(world, 0, 2000) : between(world, 0, world->lease_ms);
    return cut(world, away_ms, between(world, 0, 3000), between(world, 0, 3000));
}

static bool strike_cut_long(struct world *world)
{
    int64_t away_ms = between(world, world->lease_ms, 2 * world->lost_after_ms);
    return cut(world, away_ms, between(world, 0, 5000), between(world, 0, 5000));
}

static bool strike_half_open_daemon(struct world *world)
{
    return cut(world, 0, -1, between(world, 0, 200)); /* it dials again beside the dead one */
}

static bool strike_half_open_host(struct world *world)
{
    return cut(world, 0, between(world, 0, 200), -1);
}

static bool strike_black_hole(struct world *world)
{
    return cut(world, between(world, 0, world->lease_ms), -1, -1);
}

static bool strike_delay(struct world *world)
{
    struct link *link = any_link(world);
    if (link == NULL) {
        return false;
    }
    link->late_until_ms = world->now_ms + between(world, 500, world->lease_ms);
    TRACE(world, "fault: connection % is slow", link->id);
    return true;
}

static bool strike_clone(struct world *world)
{
    struct host *original = world->hosts[chance(world, world->hosts_count)];
    if (world->hosts_count == WORLD_HOSTS_MAX || original->is_hostile || original->is_clone) {
        return false;
    }
    struct host *clone = host_new(world, (unsigned)world->hosts_count, original->device);
    clone->is_clone = true;
    world->hosts[world->hosts_count++] = clone;
    TRACE(world, "fault: host % is a clone of %", clone->index, original->index);
    host_start(world, clone);
    return true;
}

static bool strike_hostile(struct world *world)
{
    if (world->hosts_count == WORLD_HOSTS_MAX) {
        return false;
    }
    struct host *host = host_new(world, (unsigned)world->hosts_count, "mallory");
    host->is_hostile = true;
    world->hosts[world->hosts_count++] = host;
    TRACE(world, "fault: host % is hostile", host->index);
    hostile_begin(world, host);
    return true;
}

static bool garbage(struct world *world, enum side from)
{
    struct link *link = any_link(world);
    if (link == NULL || !link->open[from]) {
        return false;
    }
    link->excused = true;
    uint8_t bytes[64];
    size_t length = 1 + chance(world, sizeof bytes);
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)chance(world, 256);
    }
    TRACE(world, "fault: % bytes of garbage over connection %", length, link->id);
    net_send(world, link->id, from, (struct str){ (const char *)bytes, length });
    return true;
}

static bool strike_garbage_to_daemon(struct world *world)
{
    return garbage(world, SIDE_HOST);
}

static bool strike_garbage_to_host(struct world *world)
{
    return garbage(world, SIDE_DAEMON);
}

static bool strike_daemon_kill(struct world *world)
{
    if (!world->daemon.up) {
        return false;
    }
    daemon_kill(world, false, down_ms(world));
    return true;
}

static bool strike_daemon_power(struct world *world)
{
    if (!world->daemon.up) {
        return false;
    }
    daemon_kill(world, true, down_ms(world));
    return true;
}

static bool strike_host_kill(struct world *world)
{
    struct host *host = any_host(world);
    if (host == NULL) {
        return false;
    }
    host_kill(world, host, down_ms(world));
    return true;
}

static bool strike_host_power(struct world *world)
{
    struct host *host = any_host(world);
    if (host == NULL) {
        return false;
    }
    host_power_cut(world, host, down_ms(world));
    return true;
}

static bool strike_host_shutdown(struct world *world)
{
    struct host *host = any_host(world);
    if (host == NULL || host->shutting_down) {
        return false;
    }
    TRACE(world, "fault: host % is told to end", host->index);
    inbox_add(&host->inbox, ARRIVAL_SHUTDOWN, 0);
    host_arrived(world, host);
    return true;
}

static bool pause_for(struct world *world, int64_t ms)
{
    struct host *host = any_host(world);
    if (host == NULL) {
        return false;
    }
    TRACE(world, "fault: host % stands still for %", host->index, (uint64_t)ms);
    host->paused_until_ms = world->now_ms + ms;
    return true;
}

static bool strike_pause_lease(struct world *world)
{
    return pause_for(world, between(world, 3000, 2 * world->lease_ms));
}

static bool strike_pause_long(struct world *world)
{
    return pause_for(world, between(world, world->lost_after_ms, 2 * world->lost_after_ms));
}

static bool strike_wall_jump(struct world *world)
{
    int64_t by_ms =
        percent(world, 50) ? between(world, -60000, 60000) : between(world, -90000000, 90000000);
    struct host *host = percent(world, 30) ? any_host(world) : NULL;
    if (host != NULL) {
        host->wall_ms += by_ms;
    } else {
        world->daemon.wall_ms += by_ms;
        promise_wall_jumped(world);
    }
    TRACE(world, "fault: a wall clock jumps by %", (uint64_t)by_ms);
    return true;
}

static bool strike_slow_tick(struct world *world)
{
    int64_t ms = between(world, 100, world->lease_ms / 2);
    if (!world->daemon.up) {
        return false;
    }
    world->daemon.stalled_until_ms = world->now_ms + ms;
    TRACE(world, "fault: the daemon's next turn is % late", (uint64_t)ms);
    return true;
}

static bool strike_cancel(struct world *world)
{
    if (!world->daemon.up || percent(world, 60)) {
        return false;
    }
    int64_t id = promise_any_constellation(world);
    if (id != 0) {
        daemon_cancel(world, id);
    }
    return id != 0;
}

static bool strike_submit(struct world *world)
{
    if (!world->daemon.up || world->plans.tasks >= world->tasks_max) {
        return false;
    }
    struct sim_plan *plan = plan_make(world, (uint32_t)between(world, 1, 30));
    if (plan != NULL) {
        daemon_submit(world, plan);
    }
    return plan != NULL;
}

/* How often among the timed ones; or, at a point of a turn, in how many of 10,000 turns. */
static const struct row {
    const char *name;
    unsigned weight;
    bool (*strike)(struct world *world); /* NULL: at a point of a turn */
} rows[FAULT_KINDS] = {
    [FAULT_CUT] = { "connection cut", 30, strike_cut },
    [FAULT_CUT_LONG] = { "connection cut for long", 8, strike_cut_long },
    [FAULT_HALF_OPEN_DAEMON] = { "half open at the daemon", 12, strike_half_open_daemon },
    [FAULT_HALF_OPEN_HOST] = { "half open at the agent", 12, strike_half_open_host },
    [FAULT_BLACK_HOLE] = { "dead connection that nobody notices", 8, strike_black_hole },
    [FAULT_DELAY] = { "slow connection", 15, strike_delay },
    [FAULT_DIAL_REFUSED] = { "dial refused", 200, NULL },
    [FAULT_CLONE] = { "cloned agent", 6, strike_clone },
    [FAULT_HOSTILE] = { "hostile agent", 6, strike_hostile },
    [FAULT_GARBAGE_TO_DAEMON] = { "garbage from an agent", 6, strike_garbage_to_daemon },
    [FAULT_GARBAGE_TO_HOST] = { "garbage from the daemon", 6, strike_garbage_to_host },
    [FAULT_DAEMON_KILL] = { "daemon killed", 12, strike_daemon_kill },
    [FAULT_DAEMON_POWER] = { "daemon's power cut", 5, strike_daemon_power },
    [FAULT_HOST_KILL] = { "agent killed", 15, strike_host_kill },
    [FAULT_HOST_POWER] = { "agent's power cut", 8, strike_host_power },
    [FAULT_HOST_SHUTDOWN] = { "agent shut down", 6, strike_host_shutdown },
    [FAULT_PAUSE_LEASE] = { "agent paused", 10, strike_pause_lease },
    [FAULT_PAUSE_LONG] = { "agent paused until it is lost", 5, strike_pause_long },
    [FAULT_WALL_JUMP] = { "wall clock jump", 8, strike_wall_jump },
    [FAULT_SLOW_TICK] = { "slow turn", 10, strike_slow_tick },
    [FAULT_CANCEL] = { "cancel", 8, strike_cancel },
    [FAULT_SUBMIT] = { "submission", 30, strike_submit },
    [FAULT_BEFORE_COMMIT] = { "daemon killed before the commit", 40, NULL },
    [FAULT_COMMIT_FAILED] = { "commit failed", 20, NULL },
    [FAULT_AFTER_COMMIT] = { "daemon killed after the commit", 40, NULL },
    [FAULT_IN_LARGE_EDIT] = { "daemon killed in the middle of a large edit", 500, NULL },
    [FAULT_BETWEEN_SENDS] = { "daemon killed between sends", 60, NULL },
    [FAULT_PREPARE_FAILED] = { "inputs that cannot be filled in", 300, NULL },
    [FAULT_HOST_BEFORE_COMMIT] = { "agent killed before its commit", 15, NULL },
    [FAULT_HOST_AFTER_COMMIT] = { "agent killed after its commit", 15, NULL },
    [FAULT_HOST_BETWEEN_EFFECTS] = { "agent killed between effects", 20, NULL },
    [FAULT_SPOOL_SHORT] = { "spool cut short", 100, NULL },
};

const char *fault_name(enum fault_kind kind)
{
    return rows[kind].name;
}

void fault_choose(struct world *world)
{
    struct faults *faults = &world->faults;
    unsigned share = (unsigned)between(world, 20, 90);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        faults->chosen[kind] = percent(world, share) || kind == FAULT_SUBMIT;
        if (faults->chosen[kind] && rows[kind].strike != NULL) {
            faults->weights += rows[kind].weight;
        }
    }
    faults->pause_ms = between(world, 300, 4000);
}

static void strike_one(struct world *world, uint64_t a, uint64_t b)
{
    (void)a;
    (void)b;
    if (world->calm) {
        return;
    }
    uint64_t at = chance(world, world->faults.weights);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        if (!world->faults.chosen[kind] || rows[kind].strike == NULL) {
            continue;
        }
        if (at < rows[kind].weight) {
            world->counts->faults[kind] += rows[kind].strike(world);
            break;
        }
        at -= rows[kind].weight;
    }
    fault_begin(world);
}

void fault_begin(struct world *world)
{
    world_after(world, between(world, 1, 2 * world->faults.pause_ms), strike_one, 0, 0);
}

bool fault_strikes(struct world *world, enum fault_kind kind)
{
    if (world->calm || !world->faults.chosen[kind] || chance(world, 10000) >= rows[kind].weight) {
        return false;
    }
    world->counts->faults[kind]++;
    TRACE(world, "fault: $", TRACE_TEXT(rows[kind].name));
    return true;
}
