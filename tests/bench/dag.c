/* Small graphs, as a user sees them: from the first byte of the POST until the API says succeeded. */
#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/plans.h"

enum { RUNS = 9, TASKS = 1000, WIDTH = 100, PARENTS = 3, FLOOR_BATCHES = 50 };

static void report(struct bench *bench, struct fleet *fleet, const char *name,
                   const struct buf *spec, double target)
{
    double times[RUNS];
    double rows[RUNS];
    double commits[RUNS];
    struct floor_db *db = floor_db_new(bench);
    for (size_t i = 0; i < RUNS; i++) {
        char uid[UID_BYTES];
        rows[i] = floor_db_rows(db, FLOOR_BATCHES);
        commits[i] = floor_db_commit(db);
        double began = now_s();
        http_submit(fleet->http, spec, uid);
        times[i] = http_wait_succeeded(fleet->http, uid, 0, 0.001) - began;
    }
    floor_db_free(db);
    double row_floor = median(rows, RUNS);
    struct figure figure = { .name = name, .unit = "s", .kind = FIGURE_COST };
    figure.value = median(times, RUNS);
    figure.target = target;
    figure.machine = floor_machine_of_rows(row_floor);
    figure_floor(&figure, "sqlite_rows_per_s", row_floor);
    figure_floor(&figure, "commit_ms", median(commits, RUNS) * 1000);
    figure_report(bench, &figure);
}

void figure_dag(struct bench *bench)
{
    struct fleet fleet;
    struct buf spec = { 0 };
    fleet_start(&fleet, bench, 2, 64);
    plan_layers(&spec, TASKS, WIDTH, PARENTS, "\"noop\":true");
    report(bench, &fleet, "dag_layers_1000_by_3", &spec, 0.10);
    plan_fan(&spec, TASKS);
    report(bench, &fleet, "dag_1_1000_1", &spec, 0.05);
    fleet_stop(&fleet);
    buf_done(&spec);
}
