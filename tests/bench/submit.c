/* A large constellation without anybody to run it: how long until it is accepted, what it costs in
   memory while it waits, and how long a daemon that was killed over it needs until it hands out the
   first task again. */
#include <stdio.h>

#include "tests/bench/fake.h"
#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/plans.h"
#include "tests/bench/usage.h"

enum { TASKS = 100000, WIDTH = 1000, PARENTS = 3, FLOOR_BATCHES = 300, RUNS = 3 };

static const double MIB = 1024 * 1024;
static const double LIMIT_S = 60;

static double rows_floor(struct bench *bench)
{
    struct floor_db *db = floor_db_new(bench);
    double rows = floor_db_rows(db, FLOOR_BATCHES);
    floor_db_free(db);
    return rows;
}

static void report_time(struct bench *bench, const char *name, double value, double rows)
{
    struct figure figure = { .name = name, .unit = "s", .kind = FIGURE_COST };
    figure.value = value;
    figure.target = 1;
    figure.machine = floor_machine_of_rows(rows);
    figure_floor(&figure, "sqlite_rows_per_s", rows);
    figure_report(bench, &figure);
}

static void report_memory(struct bench *bench, struct fleet *fleet)
{
    struct figure figure = { .name = "daemon_private_100000_queued",
                             .unit = "MiB",
                             .kind = FIGURE_COST };
    sleep_s(0.5); /* what the plan was parsed into is freed beside the loop */
    figure.value = usage_private_bytes(fleet->daemon) / MIB;
    figure.target = 60;
    figure_report(bench, &figure);
}

/* Seconds from the exec to the first Assign at an agent that dials all the while. */
static double restart(struct fleet *fleet)
{
    char device[32];
    uint64_t fence = 0;
    snprintf(device, sizeof device, "fake-%u", fleet->starts);
    fleet_kill_daemon(fleet);
    double began = fleet_exec_daemon(fleet);
    struct fake *fake = fake_dial(fleet->url, device, 1);
    while (fake == NULL) { /* not listening yet */
        if (now_s() - began > LIMIT_S) {
            bench_die("nobody listens after a restart");
        }
        sleep_s(0.001);
        fake = fake_dial(fleet->url, device, 1);
    }
    double assigned_s = fake_wait_assigned(fake, &fence);
    fake_free(fake);
    fleet_wait_daemon(fleet);
    return assigned_s - began;
}

void figure_submit(struct bench *bench)
{
    struct fleet fleet;
    struct buf spec = { 0 };
    double accepted[RUNS];
    double restarted[RUNS];
    double rows[2 * RUNS];
    plan_layers(&spec, TASKS, WIDTH, PARENTS, "\"noop\":true");
    for (size_t i = 0; i < RUNS; i++) {
        char uid[UID_BYTES];
        rows[2 * i] = rows_floor(bench);
        fleet_start(&fleet, bench, 0, 0);
        accepted[i] = http_submit(fleet.http, &spec, uid);
        if (i == 0) {
            report_memory(bench, &fleet);
        }
        rows[2 * i + 1] = rows_floor(bench);
        restarted[i] = restart(&fleet);
        fleet_stop(&fleet);
    }
    double floor = median(rows, 2 * (size_t)RUNS);
    report_time(bench, "accept_100000_tasks_300000_edges", median(accepted, RUNS), floor);
    report_time(bench, "restart_100000_open", median(restarted, RUNS), floor);
    buf_done(&spec);
}
