/* Tasks that do nothing, end to end: two agents, durable commits. */

#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/plans.h"
#include "tests/bench/usage.h"

enum { FLOOR_BATCHES = 300, RUNS_MAX = 5 };

/* Completions a second, from the 201 to the end, once on a daemon of its own. */
static double run_once(struct bench *bench, const struct buf *spec, size_t tasks, unsigned slots,
                       double *ret_cpu_s)
{
    struct fleet fleet;
    char uid[UID_BYTES];
    fleet_start(&fleet, bench, 2, slots);
    http_submit(fleet.http, spec, uid);
    int64_t done = http_succeeded(fleet.http, uid);
    double cpu_s = usage_cpu_s(fleet.daemon);
    double began = now_s();
    double ended = http_wait_succeeded(fleet.http, uid, tasks, 0.02);
    *ret_cpu_s = (usage_cpu_s(fleet.daemon) - cpu_s) / ((double)tasks - (double)done);
    fleet_stop(&fleet);
    return ((double)tasks - (double)done) / (ended - began);
}

static void report(struct bench *bench, const char *name, const struct buf *spec, size_t tasks,
                   unsigned slots, size_t runs, double target)
{
    double rates[RUNS_MAX];
    double cpu[RUNS_MAX];
    double floors[RUNS_MAX + 1];
    struct floor_db *db = floor_db_new(bench);
    floors[0] = floor_db_rows(db, FLOOR_BATCHES);
    for (size_t i = 0; i < runs; i++) {
        rates[i] = run_once(bench, spec, tasks, slots, &cpu[i]);
        floors[i + 1] = floor_db_rows(db, FLOOR_BATCHES);
    }
    floor_db_free(db);
    struct figure figure = { .name = name, .unit = "tasks/s", .kind = FIGURE_RATE };
    figure.value = median(rates, runs);
    figure.target = target;
    double rows = median(floors, runs + 1);
    figure.machine = floor_machine_of_rows(rows);
    figure_floor(&figure, "sqlite_rows_per_s", rows);
    figure_floor(&figure, "fdatasync_ms", floor_fdatasync(bench, 50) * 1000);
    /* Beside other work the rate measures that work too; this hardly does. */
    figure_floor(&figure, "daemon_cpu_us_a_task", median(cpu, runs) * 1e6);
    figure_report(bench, &figure);
}

void figure_noop_in_order(struct bench *bench)
{
    enum { TASKS = 100000, TASKS_OF_FEW = 30000 };
    struct buf spec = { 0 };
    plan_flat(&spec, TASKS, "\"noop\":true");
    report(bench, "noop_in_order", &spec, TASKS, 64, 3, 50000);
    plan_flat(&spec, TASKS_OF_FEW, "\"noop\":true");
    report(bench, "noop_in_order_8_slots", &spec, TASKS_OF_FEW, 8, 1, 0);
    buf_done(&spec);
}

void figure_noop_random(struct bench *bench)
{
    size_t tasks = bench->full ? 1000000 : 200000;
    struct buf spec = { 0 };
    plan_random(&spec, tasks);
    report(bench, bench->full ? "noop_random_1000000" : "noop_random_200000", &spec, tasks, 64, 1,
           20000);
    buf_done(&spec);
}
