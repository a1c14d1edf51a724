/* The simulator: runs worlds by their seeds, and says which one broke a promise, and how.

   sim [--seeds N] [--from S]      N seeds from S on; one in twenty on a real database
   sim --seed S [--trace]          one of them
       [--steps N]                 no further than this
       [--real-store]              all on a real database
       [--twice]                   every seed twice: the two traces must be one
       [--sabotage NAME]           with a fault in the simulator itself: the checker must notice */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/world.h"

enum {
    REAL_STORE_EVERY = 20,
    SEEDS_FOR_ALL = 1000, /* so many must have gone every way */
};

static const char *const sabotages[] = {
    [SABOTAGE_NONE] = "none",
    [SABOTAGE_RUN_TWICE] = "run-twice",
    [SABOTAGE_NO_EDGES] = "no-edges",
    [SABOTAGE_SEND_EARLY] = "send-early",
    [SABOTAGE_FORGET_SYNC] = "forget-sync",
    [SABOTAGE_COMMIT_TWICE] = "commit-twice",
    [SABOTAGE_FORGET_RESULT] = "forget-result",
    [SABOTAGE_LOSE_ON_CUT] = "lose-on-cut",
    [SABOTAGE_IGNORE_SLOTS] = "ignore-slots",
    [SABOTAGE_DROP_ACK] = "drop-ack",
    [SABOTAGE_LOSE_ROW] = "lose-row",
    [SABOTAGE_HALF_EDIT] = "half-edit",
    [SABOTAGE_STALE_BASE] = "stale-base",
    [SABOTAGE_LOSE_HOLD] = "lose-hold",
    [SABOTAGE_FORGET_HOLD] = "forget-hold",
    [SABOTAGE_WRONG_KIND] = "wrong-kind",
    [SABOTAGE_WRONG_CONDITION] = "wrong-condition",
    [SABOTAGE_ONCE_AGAIN] = "once-again",
    [SABOTAGE_ANY_DEVICE] = "any-device",
    [SABOTAGE_NO_RESOURCES] = "no-resources",
    [SABOTAGE_NO_LIMIT] = "no-limit",
    [SABOTAGE_NO_TIMEOUTS] = "no-timeouts",
    [SABOTAGE_NO_SILENCE] = "no-silence",
    [SABOTAGE_HALF_BULK] = "half-bulk",
};

struct options {
    struct world_options world;
    uint64_t seeds;
    uint64_t from;
    bool twice;
};

/* Of the seed that runs, for those who end the process in the middle of it. */
static struct world *running;

/* Also from a signal handler, in which nothing else is to come. NOLINTBEGIN(bugprone-signal-handler) */
static void print_running(void)
{
    if (running != NULL) {
        fprintf(stderr, "sim: seed %" PRIu64 " stopped at step %" PRIu64 "; what came last:\n",
                running->options.seed, running->step);
        trace_print_last(&running->trace);
    }
}
/* NOLINTEND(bugprone-signal-handler) */

static void on_abort(int number)
{
    (void)number;
    signal(SIGABRT, SIG_DFL);
    print_running();
}

/* There with a sanitizer only. */
/* NOLINTNEXTLINE(readability-identifier-naming,bugprone-reserved-identifier) */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void usage(void)
{
    fprintf(stderr, "usage: sim [--seeds N] [--from S] [--seed S] [--steps N] [--trace] "
                    "[--real-store] [--twice] [--sabotage NAME]\n");
    exit(2);
}

static uint64_t number(const char *text)
{
    uint64_t value = 0;
    if (text == NULL || !str_to_uint64(str_of(text), UINT64_MAX, &value)) {
        usage();
    }
    return value;
}

static enum sabotage sabotage_named(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof sabotages / sizeof sabotages[0]; i++) {
        if (strcmp(sabotages[i], name) == 0) {
            return (enum sabotage)i;
        }
    }
    usage();
    return SABOTAGE_NONE;
}

static struct options read_options(int argc, char **argv)
{
    struct options options = { .seeds = 100, .from = 1 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options.world.trace = true;
        } else if (strcmp(argv[i], "--real-store") == 0) {
            options.world.real_store = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            options.twice = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            options.seeds = number(argv[++i]);
        } else if (strcmp(argv[i], "--from") == 0) {
            options.from = number(argv[++i]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            options.from = number(argv[++i]);
            options.seeds = 1;
        } else if (strcmp(argv[i], "--steps") == 0) {
            options.world.steps_max = number(argv[++i]);
        } else if (strcmp(argv[i], "--sabotage") == 0) {
            options.world.sabotage = sabotage_named(argv[++i]);
        } else {
            usage();
        }
    }
    return options;
}

static bool run_seed(const struct options *options, uint64_t seed, struct counts *counts,
                     uint64_t *ret_hash)
{
    struct world_options world_options = options->world;
    world_options.seed = seed;
    world_options.real_store = world_options.real_store || seed % REAL_STORE_EVERY == 0;
    struct world *world = mem_alloc(sizeof *world);
    running = world;
    bool good = world_run(world, &world_options, counts);
    running = NULL;
    if (!good) {
        fprintf(stderr, "sim: seed %" PRIu64 " %s, at step %" PRIu64 "; what came last:\n", seed,
                world->complaint, world->step);
        trace_print_last(&world->trace);
    }
    *ret_hash = world->trace.hash;
    world_done(world);
    mem_free(world);
    return good;
}

static bool run_again(const struct options *options, uint64_t seed, uint64_t first)
{
    struct counts counts = { 0 };
    uint64_t second = 0;
    if (!run_seed(options, seed, &counts, &second) || first == second) {
        return first == second;
    }
    fprintf(stderr, "sim: seed %" PRIu64 " has two traces\n", seed);
    return false;
}

/* False: a way that should have been gone was not. */
static bool print_counts(const struct counts *counts, uint64_t seeds)
{
    bool all = true;
    for (int i = 0; i < FAULT_KINDS; i++) {
        printf("%10" PRIu64 "  fault: %s\n", counts->faults[i], fault_name((enum fault_kind)i));
        all = all && counts->faults[i] > 0;
    }
    for (int i = 0; i < COUNTERS_END; i++) {
        printf("%10" PRIu64 "  %s\n", counts->paths[i], counter_name((enum counter)i));
        all = all && counts->paths[i] > 0;
    }
    if (!all && seeds >= SEEDS_FOR_ALL) {
        fprintf(stderr, "sim: a count of 0 over so many seeds is a hole in the simulator\n");
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct counts counts = { 0 };
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(print_running);
    }
    for (uint64_t i = 0; i < options.seeds; i++) {
        uint64_t seed = options.from + i;
        uint64_t hash = 0;
        if (!run_seed(&options, seed, &counts, &hash) ||
            (options.twice && !run_again(&options, seed, hash))) {
            return 1;
        }
        if (options.seeds == 1) {
            printf("seed %" PRIu64 " trace %016" PRIx64 "\n", seed, hash);
        }
    }
    printf("%10" PRIu64 "  seeds\n", options.seeds);
    return print_counts(&counts, options.seeds) ? 0 : 1;
}
