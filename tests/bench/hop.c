/* A hop in a chain: the result of a task goes in, the assignment of the next one comes out, and
   between them stands one commit. Timed at the socket of an agent in this process; the floors are
   measured between its chains. */

#include "common/base/err.h"
#include "common/base/mem.h"
#include "tests/bench/fake.h"
#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/plans.h"

enum { ROUNDS = 10, CHAIN = 200, FLOORS = 100, SPARE = 8 };

struct hops {
    double *times;
    size_t count;
    double sent_s; /* 0: the first of a chain is no hop */
    size_t left;   /* of the chain */
    bool ready;
};

struct hop_floors {
    double commit_s;
    double commit_p99_s;
    double trip_s;
};

static void on_ready(void *context, struct fake *fake)
{
    (void)fake;
    ((struct hops *)context)->ready = true;
}

static void on_assigned(void *context, struct fake *fake, const struct msg_assign *assign)
{
    struct hops *hops = context;
    double now = now_s();
    if (hops->sent_s > 0) {
        hops->times[hops->count++] = now - hops->sent_s;
    }
    hops->left--;
    hops->sent_s = hops->left == 0 ? 0 : now_s();
    fake_finish(fake, assign->tasks[0].fence);
}

/* `factor` times the floors is due. The p99 is also judged beside the floors' own p99: a disk that
   stalls for everybody is no fault of the daemon. */
static void report(struct bench *bench, const char *name, double value, double factor,
                   const struct hop_floors *floors)
{
    struct figure figure = { .name = name, .unit = "ms", .kind = FIGURE_COST };
    figure.value = value * 1000;
    figure.target = factor * (floors->commit_s + floors->trip_s) * 1000;
    figure_floor(&figure, "commit_ms", floors->commit_s * 1000);
    figure_floor(&figure, "round_trip_ms", floors->trip_s * 1000);
    if (factor > 2) {
        double slow = (floors->commit_p99_s + floors->trip_s) * 1000;
        figure_floor(&figure, "commit_p99_ms", floors->commit_p99_s * 1000);
        figure.machine = slow > figure.target ? figure.target / slow : 1;
    }
    figure_report(bench, &figure);
}

static void run_chain(struct fleet *fleet, struct nest *nest, struct hops *hops,
                      const struct buf *spec)
{
    char uid[UID_BYTES];
    hops->left = CHAIN;
    hops->sent_s = 0;
    http_submit(fleet->http, spec, uid);
    while (hops->left > 0) {
        nest_run_once(nest, true);
    }
    nest_run_once(nest, false); /* the last result goes out */
    nest_run_once(nest, false);
    http_wait_succeeded(fleet->http, uid, 0, 0.001);
}

void figure_hop(struct bench *bench)
{
    struct fleet fleet;
    struct nest *nest = NULL;
    struct reason reason = { "" };
    struct buf spec = { 0 };
    struct hops hops = { .times = mem_array(ROUNDS * CHAIN + SPARE, sizeof(double)) };
    double commits[ROUNDS * FLOORS];
    double trips[ROUNDS * FLOORS];
    if (nest_new(&nest, &reason) != ERR_NONE) {
        bench_die("loop: %s", reason.text);
    }
    fleet_start(&fleet, bench, 0, 0);
    struct fake_callbacks callbacks = { &hops, on_ready, on_assigned };
    struct fake *fake = fake_new(nest, fleet.url, "fake", 1, &callbacks);
    fake_dial(fake);
    while (!hops.ready) {
        nest_run_once(nest, true);
    }
    plan_chain(&spec, CHAIN);
    struct floor_db *db = floor_db_new(bench);
    struct floor_trip *trip = floor_trip_new();
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < FLOORS; i++) {
            commits[round * FLOORS + i] = floor_db_commit(db);
            trips[round * FLOORS + i] = floor_trip_once(trip);
        }
        run_chain(&fleet, nest, &hops, &spec);
    }
    struct hop_floors floors = {
        .commit_s = median(commits, ROUNDS * FLOORS),
        .commit_p99_s = percentile(commits, ROUNDS * FLOORS, 0.99),
        .trip_s = median(trips, ROUNDS * FLOORS),
    };
    report(bench, "hop_p50", percentile(hops.times, hops.count, 0.5), 1.3, &floors);
    report(bench, "hop_p99", percentile(hops.times, hops.count, 0.99), 3, &floors);
    floor_trip_free(trip);
    floor_db_free(db);
    fake_free(fake);
    nest_free(nest);
    fleet_stop(&fleet);
    mem_free(hops.times);
    buf_done(&spec);
}
