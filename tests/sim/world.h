/* One simulated world: a daemon, agents, the network between them, time, and the seed that all of it
   comes from. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/heap.h"
#include "common/base/rng.h"
#include "tests/sim/counter.h"
#include "tests/sim/daemon.h"
#include "tests/sim/host.h"
#include "tests/sim/net.h"
#include "tests/sim/plan_make.h"
#include "tests/sim/promise.h"
#include "tests/sim/trace.h"
#include "tests/sim/wish.h"

/* Faults in the simulator's own glue, each of which the checker must notice. */
enum sabotage {
    SABOTAGE_NONE,
    SABOTAGE_RUN_TWICE,
    SABOTAGE_NO_EDGES,
    SABOTAGE_SEND_EARLY,
    SABOTAGE_FORGET_SYNC,
    SABOTAGE_COMMIT_TWICE,
    SABOTAGE_FORGET_RESULT,
    SABOTAGE_LOSE_ON_CUT,
    SABOTAGE_IGNORE_SLOTS,
    SABOTAGE_DROP_ACK,
    SABOTAGE_LOSE_ROW,
    SABOTAGE_HALF_EDIT,
    SABOTAGE_STALE_BASE,
    SABOTAGE_LOSE_HOLD,
    SABOTAGE_FORGET_HOLD,
    SABOTAGE_WRONG_KIND,
    SABOTAGE_WRONG_CONDITION,
    SABOTAGE_ONCE_AGAIN,
    SABOTAGE_ANY_DEVICE,
    SABOTAGE_NO_RESOURCES,
    SABOTAGE_NO_LIMIT,
    SABOTAGE_NO_TIMEOUTS,
    SABOTAGE_NO_SILENCE,
    SABOTAGE_HALF_BULK,
};

enum {
    WORLD_HOSTS_MAX = 8,
    WORLD_STEPS_MAX = 400000, /* of one seed: far more than any needs */
};
static const int64_t WORLD_BEGIN_MS = 1000000;
static const int64_t WORLD_WALL_MS = 1700000000000;
static const int64_t WORLD_CALM_MAX_MS = INT64_C(3600) * 1000; /* in which all must end */

struct world_options {
    uint64_t seed;
    uint64_t steps_max; /* 0: no limit of the caller's */
    enum sabotage sabotage;
    bool trace;
    bool real_store;
};

struct occurrence {
    struct heap_node node;
    int64_t at_ms;
    uint64_t tie; /* who is first of two at the same time is a matter of chance */
    void (*run)(struct world *world, uint64_t a, uint64_t b);
    uint64_t a;
    uint64_t b;
    struct occurrence *next;
};

struct world {
    struct world_options options;
    struct rng rng;
    int64_t now_ms;
    uint64_t step;
    struct heap queue;
    struct occurrence *spare;
    struct arena arena; /* lives as long as the world */
    struct trace trace;
    struct counts *counts;
    bool calm; /* no more faults */
    bool broken;
    char complaint[1024];

    int64_t lease_ms;
    int64_t ping_ms;
    int64_t lost_after_ms;
    int64_t faults_end_ms;
    size_t tasks_max;
    size_t tasks_min;     /* submitted in any case */
    unsigned check_every; /* turns of the daemon */

    struct daemon daemon;
    struct condition_engine *conditions;
    struct host *hosts[WORLD_HOSTS_MAX];
    size_t hosts_count;
    struct net net;
    struct plans plans;
    struct wishes wishes;
    int64_t wish_pause_ms; /* between two of them, on average */
    size_t rounds;         /* that were asked for */
    struct faults faults;
    struct books *books;
};

/* Runs one seed. False: a promise was broken; the complaint says which. *world is left to be looked at, and
   freed by world_done(). */
bool world_run(struct world *world, const struct world_options *options, struct counts *counts);
void world_done(struct world *world);

void world_after(struct world *world, int64_t delay_ms,
                 void (*run)(struct world *world, uint64_t a, uint64_t b), uint64_t a, uint64_t b);

static inline uint64_t chance(struct world *world, uint64_t bound)
{
    return rng_below(&world->rng, bound);
}

static inline int64_t between(struct world *world, int64_t least, int64_t most)
{
    return least + (int64_t)rng_below(&world->rng, (uint64_t)(most - least + 1));
}

static inline bool percent(struct world *world, unsigned share)
{
    return rng_below(&world->rng, 100) < share;
}

static inline void count_path(struct world *world, enum counter counter)
{
    world->counts->paths[counter]++;
}

static inline void count_path_if(struct world *world, enum counter counter, bool is_gone)
{
    world->counts->paths[counter] += is_gone;
}

#endif
