/* A hop in a chain: the result of a task goes in, the assignment of the next one comes out, and
   between them stands one commit. Timed at the socket of an agent in this process; the floors are
   measured between its chains.

   Which core a program is on makes a third of what its commit takes, if only one of them is told that the disk
   has done its work, and to wake one on another core takes longer. So floors and hops are measured in
   the same places, and in each in turn: the daemon on one core, its agent on the same and on another. */

#include <unistd.h>

#include "common/base/mem.h"
#include "tests/bench/cores.h"
#include "tests/bench/fake.h"
#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/plans.h"

enum { WARM_CHAINS = 10 };
enum { ROUNDS = 3, CHAIN = 200, FLOORS = 100, CORES_MAX = 2, PLACES_MAX = CORES_MAX * CORES_MAX };

enum { HOPS, COMMITS, TRIPS, SAMPLES };

struct sample {
    double *times;
    size_t count;
};

/* What was measured in one place: times in seconds. */
struct place {
    int daemon_core;
    int agent_core;
    struct sample samples[SAMPLES];
};

struct rig {
    struct fleet fleet;
    struct fake *fake;
    struct floor_db *db;
    struct floor_trip *trip;
    struct buf spec;
    struct place places[PLACES_MAX];
    size_t places_count;
};

struct hop_floors {
    double commit_s;
    double commit_p99_s;
    double trip_s;
};

static void add(struct sample *sample, double time)
{
    sample->times[sample->count++] = time;
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

/* The first of a chain is no hop. */
static void run_chain(struct rig *rig, struct sample *hops)
{
    char uid[UID_BYTES];
    uint64_t fence = 0;
    http_submit(rig->fleet.http, &rig->spec, uid);
    fake_wait_assigned(rig->fake, &fence);
    for (size_t left = CHAIN - 1; left > 0; left--) {
        double sent_s = fake_finish(rig->fake, fence);
        add(hops, fake_wait_assigned(rig->fake, &fence) - sent_s);
    }
    fake_finish(rig->fake, fence);
    http_wait_succeeded(rig->fleet.http, uid, 0, 0.001);
}

/* --- Places --- */

static void find_places(struct rig *rig)
{
    int cores[CORES_MAX];
    size_t count = cores_list(cores, CORES_MAX);
    for (size_t i = 0; i < count * count; i++) {
        struct place *place = &rig->places[rig->places_count++];
        place->daemon_core = cores[i / count];
        place->agent_core = cores[i % count];
        for (size_t k = 0; k < SAMPLES; k++) {
            place->samples[k].times = mem_array((size_t)ROUNDS * CHAIN, sizeof(double));
        }
    }
}

static void measure(struct rig *rig, struct place *place)
{
    cores_put(rig->fleet.daemon, place->daemon_core);
    cores_put(floor_trip_echo(rig->trip), place->daemon_core);
    cores_put(getpid(), place->daemon_core);
    for (size_t i = 0; i < FLOORS; i++) {
        add(&place->samples[COMMITS], floor_db_commit(rig->db));
    }
    cores_put(getpid(), place->agent_core);
    for (size_t i = 0; i < FLOORS; i++) {
        add(&place->samples[TRIPS], floor_trip_once(rig->trip));
    }
    run_chain(rig, &place->samples[HOPS]);
}

/* Until the daemon's log has been full once and is written over, as the floor's is, and the thread that moves it
   is there, which would begin where the daemon has been put. */
static void warm_up(struct rig *rig)
{
    struct sample hops = { .times = mem_array((size_t)WARM_CHAINS * CHAIN, sizeof(double)) };
    for (size_t i = 0; i < WARM_CHAINS; i++) {
        run_chain(rig, &hops);
    }
    mem_free(hops.times);
}

/* Each place counts alike. */
static double mean_of_medians(const struct rig *rig, size_t sample)
{
    double sum = 0;
    for (size_t i = 0; i < rig->places_count; i++) {
        const struct sample *values = &rig->places[i].samples[sample];
        sum += median(values->times, values->count);
    }
    return sum / (double)rig->places_count;
}

static double p99_of_all(const struct rig *rig, size_t sample)
{
    double *all = mem_array(rig->places_count * ROUNDS * CHAIN, sizeof(double));
    size_t count = 0;
    for (size_t i = 0; i < rig->places_count; i++) {
        const struct sample *values = &rig->places[i].samples[sample];
        for (size_t k = 0; k < values->count; k++) {
            all[count++] = values->times[k];
        }
    }
    double value = percentile(all, count, 0.99);
    mem_free(all);
    return value;
}

void figure_hop(struct bench *bench)
{
    struct rig rig = { .places_count = 0 };
    find_places(&rig);
    fleet_start(&rig.fleet, bench, 0, 0);
    rig.fake = fake_dial(rig.fleet.url, "fake", 1);
    if (rig.fake == NULL) {
        bench_die("no session");
    }
    plan_chain(&rig.spec, CHAIN);
    rig.db = floor_db_new(bench);
    rig.trip = floor_trip_new();
    warm_up(&rig);
    for (size_t i = 0; i < ROUNDS * rig.places_count; i++) {
        measure(&rig, &rig.places[i % rig.places_count]);
    }
    cores_let_go(getpid());
    struct hop_floors floors = {
        .commit_s = mean_of_medians(&rig, COMMITS),
        .commit_p99_s = p99_of_all(&rig, COMMITS),
        .trip_s = mean_of_medians(&rig, TRIPS),
    };
    report(bench, "hop_p50", mean_of_medians(&rig, HOPS), 1.3, &floors);
    report(bench, "hop_p99", p99_of_all(&rig, HOPS), 3, &floors);
    for (size_t i = 0; i < rig.places_count; i++) {
        for (size_t k = 0; k < SAMPLES; k++) {
            mem_free(rig.places[i].samples[k].times);
        }
    }
    floor_trip_free(rig.trip);
    floor_db_free(rig.db);
    fake_free(rig.fake);
    fleet_stop(&rig.fleet);
    buf_done(&rig.spec);
}
