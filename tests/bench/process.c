/* Tasks that start a process: against how fast two processes can start the same program. */
#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/plans.h"

enum { TASKS = 10000, SPAWNS = 2000, SLOTS = 64, RUNS = 3 };

void figure_process(struct bench *bench)
{
    struct fleet fleet;
    struct buf spec = { 0 };
    double rates[RUNS];
    double floors[RUNS + 1];
    plan_flat(&spec, TASKS, "\"run\":[\"/bin/true\"]");
    double alone = floor_spawn(1, SPAWNS);
    floors[0] = floor_spawn(2, SPAWNS);
    for (size_t i = 0; i < RUNS; i++) {
        char uid[UID_BYTES];
        fleet_start(&fleet, bench, 2, SLOTS);
        http_submit(fleet.http, &spec, uid);
        int64_t done = http_succeeded(fleet.http, uid);
        double began = now_s();
        double ended = http_wait_succeeded(fleet.http, uid, TASKS, 0.02);
        rates[i] = ((double)TASKS - (double)done) / (ended - began);
        fleet_stop(&fleet);
        floors[i + 1] = floor_spawn(2, SPAWNS);
    }
    double pair = median(floors, RUNS + 1);
    struct figure figure = { .name = "process", .unit = "tasks/s", .kind = FIGURE_RATE };
    figure.value = median(rates, RUNS);
    figure.target = 0.9 * pair;
    figure_floor(&figure, "spawn_by_two_per_s", pair);
    figure_floor(&figure, "spawn_by_one_per_s", alone);
    figure_report(bench, &figure);
    buf_done(&spec);
}
