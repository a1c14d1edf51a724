/* Edits over HTTP: random ones of one operation on a plan of 100,000 tasks, and a plan that grows by
   batches. Nobody runs the tasks: each edit is a turn of its own, with its commit. */
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/mix.h"
#include "tests/bench/usage.h"

static const double MS = 1000;
static const double MIB = 1024 * 1024;

/* --- Random edits --- */

enum { TASKS = 100000, WIDTH = 1000, EDITS = 10000, BLOCKS = 20, FLOORS_A_BLOCK = 50 };

static void write_plan(struct buf *spec, const struct mix *mix)
{
    uint32_t at = 0;
    buf_append_text(spec, "{\"name\":\"edited\",\"tasks\":{");
    for (uint32_t i = 0; i < mix->initial; i++) {
        buf_printf(spec, "%s\"t%u\":{\"noop\":true", i == 0 ? "" : ",", i);
        const char *before = ",\"needs\":[";
        for (; at < mix->edges_count && mix->edges[at].to == i; at++) {
            buf_printf(spec, "%s\"t%u\"", before, mix->edges[at].from);
            before = ",";
        }
        buf_append_text(spec, *before == ',' && before[1] == '\0' ? "]}" : "}");
    }
    buf_append_text(spec, "}}");
}

static void write_edit(struct buf *body, const struct mix_operation *operation)
{
    buf_clear(body);
    buf_printf(body, "{\"operations\":[{\"op\":\"%s\"", mix_kind_name(operation->kind));
    if (operation->kind == MIX_ADD_TASK) {
        buf_printf(body, ",\"task\":\"t%u\",\"spec\":{\"noop\":true", operation->task);
        for (size_t i = 0; i < MIX_PARENTS; i++) {
            buf_printf(body, "%s\"t%u\"", i == 0 ? ",\"needs\":[" : ",", operation->parents[i]);
        }
        buf_append_text(body, "]}");
    } else if (operation->kind == MIX_REMOVE_TASK) {
        buf_printf(body, ",\"task\":\"t%u\"", operation->task);
    } else if (operation->kind == MIX_UPDATE_TASK) {
        buf_printf(body, ",\"task\":\"t%u\",\"set\":{\"priority\":%d}", operation->task,
                   (int)operation->priority);
    } else {
        const char *when = operation->edge.finished ? "finished" : "success";
        buf_printf(body, ",\"from\":\"t%u\",\"to\":\"t%u\"", operation->edge.from,
                   operation->edge.to);
        if (operation->kind != MIX_REMOVE_EDGE) {
            buf_printf(body, ",\"when\":\"%s\"", when);
        }
    }
    buf_append_text(body, "}]}");
}

struct edit_floors {
    double commits[BLOCKS * FLOORS_A_BLOCK];
    double trips[BLOCKS * FLOORS_A_BLOCK];
};

static void report_edits(struct bench *bench, double *times, struct edit_floors *floors)
{
    enum { COUNT = BLOCKS * FLOORS_A_BLOCK };
    static const struct {
        const char *name;
        double part;
        double target_ms;
    } rows[] = {
        { "edit_p50_100000", 0.5, 0 },
        { "edit_p99_100000", 0.99, 1 },
        { "edit_worst_100000", 1, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct figure figure = { .name = rows[i].name, .unit = "ms", .kind = FIGURE_COST };
        double commit_p99 = percentile(floors->commits, COUNT, 0.99) * MS;
        figure.value = percentile(times, EDITS, rows[i].part) * MS;
        figure.target = rows[i].target_ms;
        figure_floor(&figure, "commit_ms", median(floors->commits, COUNT) * MS);
        figure_floor(&figure, "commit_p99_ms", commit_p99);
        figure_floor(&figure, "round_trip_ms", median(floors->trips, COUNT) * MS);
        /* A disk on which a bare commit takes longer than that is no fault of the daemon. */
        figure.machine =
            commit_p99 > figure.target && figure.target > 0 ? figure.target / commit_p99 : 1;
        figure_report(bench, &figure);
    }
}

static void measure_edits(struct bench *bench)
{
    struct fleet fleet;
    struct mix mix;
    struct buf text = { 0 };
    char uid[UID_BYTES];
    char path[UID_BYTES + 64];
    struct edit_floors *floors = mem_alloc(sizeof *floors);
    double *times = mem_array(EDITS, sizeof *times);
    struct floor_db *db = floor_db_new(bench);
    struct floor_trip *trip = floor_trip_new();
    mix_init(&mix, TASKS, WIDTH, EDITS);
    write_plan(&text, &mix);
    fleet_start(&fleet, bench, 0, 0);
    http_submit(fleet.http, &text, uid);
    snprintf(path, sizeof path, "/api/v1/constellations/%s/edits", uid);
    for (size_t i = 0; i < EDITS; i++) {
        if (i % (EDITS / BLOCKS) == 0) {
            size_t first = i / (EDITS / BLOCKS) * FLOORS_A_BLOCK;
            for (size_t k = first; k < first + FLOORS_A_BLOCK; k++) {
                floors->commits[k] = floor_db_commit(db);
                floors->trips[k] = floor_trip_once(trip);
            }
        }
        struct mix_operation operation = mix_next(&mix, (enum mix_kind)(i % MIX_KINDS));
        write_edit(&text, &operation);
        times[i] = http_post(fleet.http, path, &text, 200);
    }
    report_edits(bench, times, floors);
    fleet_stop(&fleet);
    floor_trip_free(trip);
    floor_db_free(db);
    mix_done(&mix);
    buf_done(&text);
    mem_free(floors);
    mem_free(times);
}

/* --- Growth --- */

enum {
    GROWN = 50000,
    GROWN_FULL = 1000000,
    BATCH = 200, /* tasks an edit: with what they wait for, about as many as one may touch */
    PARENTS = 4,
    FIRST = 1000, /* what a task of many is compared with: the cost of these, several times */
    FLOOR_BATCHES = 300,
    SMALL_RUNS = 5,
};

/* Half of the dependencies lead to a task nearby, half anywhere. */
static uint32_t parent_of(struct rng *rng, uint32_t task, uint32_t k)
{
    uint32_t reach = k % 2 == 0 && task > BATCH ? BATCH : task;
    return task - 1 - (uint32_t)rng_below(rng, reach);
}

static void write_batch(struct buf *body, struct rng *rng, uint32_t first)
{
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[");
    for (uint32_t task = first; task < first + BATCH; task++) {
        uint32_t parents[PARENTS];
        buf_printf(body, "%s{\"op\":\"add_task\",\"task\":\"t%u\",\"spec\":{\"noop\":true",
                   task == first ? "" : ",", task);
        for (uint32_t k = 0; k < PARENTS; k++) {
            bool is_new = false;
            while (!is_new) {
                parents[k] = parent_of(rng, task, k);
                is_new = true;
                for (uint32_t other = 0; other < k; other++) {
                    is_new = is_new && parents[other] != parents[k];
                }
            }
            buf_printf(body, "%s\"t%u\"", k == 0 ? ",\"needs\":[" : ",", parents[k]);
        }
        buf_append_text(body, "]}}");
    }
    buf_append_text(body, "]}");
}

static void write_first(struct buf *body)
{
    buf_clear(body);
    buf_append_text(body, "{\"name\":\"grown\",\"tasks\":{");
    for (uint32_t i = 0; i < BATCH; i++) {
        buf_printf(body, "%s\"t%u\":{\"noop\":true}", i == 0 ? "" : ",", i);
    }
    buf_append_text(body, "}}");
}

/* Seconds a task; the time of each batch goes to `times`. The daemon runs on. */
static double grow(struct fleet *fleet, uint32_t tasks, double *times)
{
    struct rng rng;
    struct buf body = { 0 };
    char uid[UID_BYTES];
    char path[UID_BYTES + 64];
    double all = 0;
    rng_init(&rng, 1);
    write_first(&body);
    http_submit(fleet->http, &body, uid);
    snprintf(path, sizeof path, "/api/v1/constellations/%s/edits", uid);
    for (uint32_t first = BATCH; first < tasks; first += BATCH) {
        write_batch(&body, &rng, first);
        double took = http_post(fleet->http, path, &body, 200);
        times[first / BATCH - 1] = took;
        all += took;
    }
    buf_done(&body);
    return all / (tasks - BATCH);
}

static void report(struct bench *bench, const char *name, const char *unit, double value,
                   double target, double rows)
{
    struct figure figure = { .name = name, .unit = unit, .kind = FIGURE_COST };
    figure.value = value;
    figure.target = target;
    figure_floor(&figure, "sqlite_rows_per_s", rows);
    figure_report(bench, &figure);
}

static void measure_growth(struct bench *bench)
{
    uint32_t tasks = bench->full ? GROWN_FULL : GROWN;
    size_t batches = tasks / BATCH - 1;
    double *times = mem_array(batches, sizeof *times);
    double small[SMALL_RUNS];
    struct fleet fleet;
    struct floor_db *db = floor_db_new(bench);
    double rows = floor_db_rows(db, FLOOR_BATCHES);
    fleet_start(&fleet, bench, 0, 0);
    for (size_t i = 0; i < SMALL_RUNS; i++) {
        small[i] = grow(&fleet, FIRST, times);
    }
    fleet_stop(&fleet);
    fleet_start(&fleet, bench, 0, 0);
    double before = usage_private_bytes(fleet.daemon);
    double task_s = grow(&fleet, tasks, times);
    double memory = usage_private_bytes(fleet.daemon);
    rows = (rows + floor_db_rows(db, FLOOR_BATCHES)) / 2;
    floor_db_free(db);
    char name[64];
    struct figure figure = { .name = name, .unit = "tasks/s", .kind = FIGURE_RATE };
    snprintf(name, sizeof name, "grow_%u_by_200", tasks);
    figure.value = 1 / task_s;
    figure_floor(&figure, "sqlite_rows_per_s", rows);
    figure_report(bench, &figure);
    snprintf(name, sizeof name, "grow_%u_batch_p50", tasks);
    report(bench, name, "ms", percentile(times, batches, 0.5) * MS, 0, rows);
    snprintf(name, sizeof name, "grow_%u_batch_worst", tasks);
    report(bench, name, "ms", percentile(times, batches, 1) * MS, 0, rows);
    snprintf(name, sizeof name, "grow_task_%u_over_%d", tasks, FIRST);
    report(bench, name, "times", task_s / median(small, SMALL_RUNS), 2, rows);
    snprintf(name, sizeof name, "daemon_private_%u_grown", tasks);
    report(bench, name, "MiB", memory / MIB, 0, rows);
    snprintf(name, sizeof name, "daemon_bytes_a_task_%u", tasks);
    report(bench, name, "bytes", (memory - before) / tasks, 0, rows);
    fleet_stop(&fleet);
    mem_free(times);
}

void figure_edits(struct bench *bench)
{
    measure_edits(bench);
}

void figure_growth(struct bench *bench)
{
    measure_growth(bench);
}
