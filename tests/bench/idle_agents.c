/* Many agents that have nothing to do: what a connection costs. They live in this process. */
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "tests/bench/fake.h"
#include "tests/bench/fleet.h"
#include "tests/bench/usage.h"

enum { AGENTS = 2000, AT_A_TIME = 50 };

static const double LIMIT_S = 60;
static const double WATCH_S = 5;
static const double KIB = 1024;

static void on_ready(void *context, struct fake *fake)
{
    (void)fake;
    ++*(size_t *)context;
}

static void on_assigned(void *context, struct fake *fake, const struct msg_assign *assign)
{
    (void)context;
    (void)fake;
    (void)assign;
}

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
    struct nest *nest = NULL;
    struct reason reason = { "" };
    size_t ready = 0;
    struct fake_callbacks callbacks = { &ready, on_ready, on_assigned };
    struct fake **fakes = mem_array(AGENTS, sizeof *fakes);
    if (nest_new(&nest, &reason) != ERR_NONE) {
        bench_die("loop: %s", reason.text);
    }
    fleet_start(&fleet, bench, 0, 0);
    sleep_s(0.5);
    double before = usage_private_bytes(fleet.daemon);
    double began = now_s();
    for (size_t i = 0; i < AGENTS; i++) {
        char device[32];
        snprintf(device, sizeof device, "idle-%zu", i);
        fakes[i] = fake_new(nest, fleet.url, device, 4, &callbacks);
        fake_dial(fakes[i]);
        while (ready + AT_A_TIME < i) {
            nest_run_once(nest, true);
        }
    }
    while (ready < AGENTS && now_s() - began < LIMIT_S) {
        nest_run_once(nest, true);
    }
    if (ready < AGENTS) {
        bench_die("only %zu agents have connected", ready);
    }
    nest_run_once(nest, false);
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
    nest_free(nest);
    fleet_stop(&fleet);
}
