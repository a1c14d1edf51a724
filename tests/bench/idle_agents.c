/* Many agents that have nothing to do: what a connection costs. They live in this process. */
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/bench/fake.h"
#include "tests/bench/fleet.h"
#include "tests/bench/usage.h"

enum { AGENTS = 2000 };

static const double WATCH_S = 5;
static const double KIB = 1024;

static void report(struct bench *bench, double bytes, double part)
{
    struct figure memory = { .name = "idle_agent_memory", .unit = "KiB", .kind = FIGURE_COST };
    memory.value = bytes / AGENTS / KIB;
    memory.target = 20;
    figure_report(bench, &memory);
    /* No pings are due while it is watched: this is what idle connections cost by being there. */
    struct figure cpu = { .name = "idle_2000_agents_cpu",
                          .unit = "% of a core",
                          .kind = FIGURE_COST };
    cpu.value = part * 100;
    figure_report(bench, &cpu);
}

void figure_idle_agents(struct bench *bench)
{
    struct fleet fleet;
    struct fake **fakes = mem_array(AGENTS, sizeof *fakes);
    fleet_start(&fleet, bench, 0, 0);
    sleep_s(0.5);
    double before = usage_private_bytes(fleet.daemon);
    for (size_t i = 0; i < AGENTS; i++) {
        char device[32];
        snprintf(device, sizeof device, "idle-%zu", i);
        fakes[i] = fake_dial(fleet.url, device, 4);
        if (fakes[i] == NULL) {
            bench_die("only %zu agents have connected", i);
        }
    }
    fleet_wait_connected(&fleet, AGENTS);
    double bytes = usage_private_bytes(fleet.daemon) - before;
    double cpu = usage_cpu_s(fleet.daemon);
    sleep_s(WATCH_S);
    cpu = usage_cpu_s(fleet.daemon) - cpu;
    report(bench, bytes, cpu / WATCH_S);
    for (size_t i = 0; i < AGENTS; i++) {
        fake_free(fakes[i]);
    }
    mem_free(fakes);
    fleet_stop(&fleet);
}
