#include "tests/sim/host.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "tests/sim/world.h"

void host_plan_turn(struct world *world, struct host *host, int64_t at_ms)
{
    if (at_ms < host->turn_ms) {
        host->turn_ms = at_ms;
        world_after(world, at_ms - world->now_ms, host_turn_due, host->index, host->lives);
    }
}

struct host *host_new(struct world *world, unsigned index, const char *device)
{
    static const char *const roles[] = { "a", "b", "c" };
    static const char *const zones[] = { "x", "y", "z" };
    struct host *host = mem_alloc(sizeof *host);
    host->index = index;
    snprintf(host->device, sizeof host->device, "%s", device);
    snprintf(host->journal_id, sizeof host->journal_id, "journal-%u", index);
    host->slots = (uint32_t)between(world, 1, 6);
    host->labels[0] =
        (struct msg_pair){ STR("role"), str_of(roles[index < 2 ? index : chance(world, 3)]) };
    host->labels[1] =
        (struct msg_pair){ STR("zone"), str_of(zones[index == 0 ? 0 : chance(world, 3)]) };
    host->turn_ms = INT64_MAX;
    host->boots = 1;
    host->boot_base_ms = world->now_ms - between(world, 1000, 100000);
    return host;
}

static void processes_free(struct host *host)
{
    size_t at = 0;
    uint64_t fence = 0;
    void *process = NULL;
    while (map_each(&host->processes, &at, &fence, &process)) {
        mem_free(process);
    }
    map_done(&host->processes);
    host->processes = (struct map){ 0 };
}

static void life_end(struct host *host)
{
    host->up = false;
    agent_engine_free(host->engine);
    host->engine = NULL;
    agent_effects_done(&host->effects);
    inbox_clear(&host->inbox);
    host->turn_ms = INT64_MAX;
    host->closed_due = false;
    host->shorts_count = 0;
    host->shutting_down = false;
    host->paused_until_ms = 0;
}

void host_free(struct host *host)
{
    life_end(host);
    processes_free(host);
    journal_twin_done(&host->journal);
    mem_free(host);
}

int64_t host_boot_ms(const struct world *world, const struct host *host)
{
    return world->now_ms - host->boot_base_ms;
}

int64_t host_wall_ms(const struct world *world, const struct host *host)
{
    return WORLD_WALL_MS + world->now_ms + host->wall_ms;
}

void host_arrived(struct world *world, struct host *host)
{
    host_plan_turn(world, host, world->now_ms + between(world, 0, 3));
}

bool host_holds(const struct host *host, uint64_t fence)
{
    const struct agent_record *row = journal_twin_get(&host->journal, fence);
    return process_find(host, fence) != NULL ? true : row != NULL && row->state != HELD_RUNNING;
}

/* --- Lives of the agent's process --- */

/* The executor keeps no files but those of attempts that the journal knows. */
static void forget_others(struct host *host)
{
    uint64_t fences[MSG_HELD_MAX];
    size_t count = 0;
    size_t at = 0;
    uint64_t fence = 0;
    void *process = NULL;
    while (map_each(&host->processes, &at, &fence, &process)) {
        if (journal_twin_get(&host->journal, fence) == NULL && count < MSG_HELD_MAX) {
            fences[count++] = fence;
        }
    }
    for (size_t i = 0; i < count; i++) {
        process_forget(host, fences[i]);
    }
}

static void journal_load(struct world *world, struct host *host)
{
    size_t count = 0;
    uint64_t *fences = journal_twin_fences(&host->journal, &count);
    struct reason reason = { "" };
    for (size_t i = 0; i < count; i++) {
        if (agent_engine_load(host->engine, journal_twin_get(&host->journal, fences[i]), &reason) !=
            ERR_NONE) {
            promise_broken(world, "P6", "an agent cannot read its journal: %s", reason.text);
        }
    }
    mem_free(fences);
    agent_engine_turn_end(host->engine);
}

void host_start(struct world *world, struct host *host)
{
    static const struct str executors[] = { { "run", 3 }, { "noop", 4 } };
    CHECK(!host->up && !host->is_hostile);
    host->up = true;
    host->lives++;
    snprintf(host->boot_id, sizeof host->boot_id, "boot-%u-%u", host->index, host->boots);
    struct agent_engine_config config = { .seed = rng_next(&world->rng) };
    config.hello = (struct msg_hello){
        .device = str_of(host->device),
        .agent_version = STR("sim"),
        .boot_id = str_of(host->boot_id),
        .process_id = rng_next(&world->rng) | 1,
        .journal_id = str_of(host->journal_id),
        .session = host->journal.now.session,
        .receipt = host->journal.now.receipt,
        .profile = { .os = STR("linux"),
                     .arch = STR("sim"),
                     .hostname = str_of(host->device),
                     .cpus = 1,
                     .slots = host->slots,
                     .executors = executors,
                     .executors_count = 2,
                     .labels = host->labels,
                     .labels_count = HOST_LABELS },
    };
    TRACE(world, "host % starts: boot %, life %", host->index, host->boots, host->lives);
    host->engine = agent_engine_new(&config);
    forget_others(host);
    journal_load(world, host);
    host_plan_turn(world, host, world->now_ms);
}

static void start_again(struct world *world, uint64_t a, uint64_t b)
{
    struct host *host = world->hosts[a];
    if (!host->up && !host->retired && host->lives == b) {
        host_start(world, host);
    }
}

void host_life_over(struct world *world, struct host *host, bool power, int64_t down_ms)
{
    struct link *link = net_link(world, host->link);
    if (link != NULL) {
        net_side_died(world, link, SIDE_HOST);
    }
    host->link = 0;
    life_end(host);
    promise_host_died(world, host, power);
    if (down_ms >= 0) {
        world_after(world, down_ms, start_again, host->index, host->lives);
    }
}

static void sabotage_results(struct host *host)
{
    struct agent_effects effects = { 0 };
    size_t count = 0;
    uint64_t *fences = journal_twin_fences(&host->journal, &count);
    for (size_t i = 0; i < count; i++) {
        const struct agent_record *row = journal_twin_get(&host->journal, fences[i]);
        if (row->state == HELD_FINISHED && !row->once) {
            agent_effects_add(&effects, AGENT_EFFECT_REMOVE)->fence = fences[i];
        }
    }
    journal_twin_commit(&host->journal, &effects, false);
    agent_effects_done(&effects);
    mem_free(fences);
}

void host_kill(struct world *world, struct host *host, int64_t down_ms)
{
    if (!host->up) {
        return;
    }
    TRACE(world, "host % is killed", host->index);
    if (world->options.sabotage == SABOTAGE_FORGET_RESULT) {
        sabotage_results(host);
    }
    process_kill_all(world, host);
    host_life_over(world, host, false, down_ms);
}

void host_power_cut(struct world *world, struct host *host, int64_t down_ms)
{
    TRACE(world, "host % loses its power", host->index);
    process_kill_all(world, host);
    processes_free(host);
    world->counts->paths[COUNT_JOURNAL_ROWS_LOST] +=
        journal_twin_power_cut(&host->journal, &world->rng);
    world->counts->paths[COUNT_SPOOL_LOST] += journal_twin_rebooted(&host->journal);
    host->boots++;
    host->boot_base_ms = world->now_ms - between(world, 0, 30000);
    host_life_over(world, host, true, down_ms);
}
