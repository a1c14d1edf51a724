/* asterism-bench: measures the real programs of the same build against design targets, with the
   floors of the machine measured in the same run. One figure, or family of figures, a file; each
   exports one function into the table of bench.c. docs/speed.md says what is measured and how. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct bench {
    char bin_dir[4096];  /* where asterismd and asterism-agent are */
    char work_dir[4096]; /* on a real disk, below the build directory; removed at the end */
    bool full;           /* the large sizes */
    unsigned fleets;     /* started so far: numbers their directories */
    size_t below_half;   /* figures that did not reach half of their target */
    double longest_turn_ms;
    double longest_work_ms; /* but for the commit */
    double longest_commit_ms;
    double longest_floor_ms; /* one transaction of a bare database of the floors */
    /* Of all daemons, and of the bare databases: how many, and how many of them beyond LONG_TURN_MS. */
    double turns;
    double turns_long;
    size_t floor_commits;
    size_t floor_commits_long;
};

enum { LONG_TURN_MS = 20 }; /* no turn is to take longer */

/* A benchmark that cannot be run is an error, not a slow figure: says why and ends the process. The
   programs that it has started end with it. */
void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

enum { FIGURE_FLOORS_MAX = 12 };

struct figure_floor {
    const char *name;
    double value;
};

/* Better is more for a rate, less for a time or a size. */
enum figure_kind { FIGURE_RATE, FIGURE_COST };

struct figure {
    const char *name;
    const char *unit;
    double value;
    double target; /* 0: reported only */
    /* How fast this machine is now beside the one that the target was set on: 1, or less if its floor
       is slower. Only the verdict of the run is eased by it, not the ratio. 0 means 1. */
    double machine;
    enum figure_kind kind;
    struct figure_floor floors[FIGURE_FLOORS_MAX];
    size_t floors_count;
};

void figure_floor(struct figure *figure, const char *name, double value);
/* Prints the line, and counts it if it is below half of its target. */
void figure_report(struct bench *bench, const struct figure *figure);

/* --- Times of the bench's own --- */

double now_s(void); /* CLOCK_MONOTONIC */
void sleep_s(double seconds);
double median(double *values, size_t count); /* sorts them */
/* The value that this part of them (0 … 1) does not exceed; sorts them. */
double percentile(double *values, size_t count, double part);

/* --- The figures --- */

void figure_noop_in_order(struct bench *bench);
void figure_noop_random(struct bench *bench);
void figure_hop(struct bench *bench);
void figure_process(struct bench *bench);
void figure_dag(struct bench *bench);
void figure_submit(struct bench *bench); /* acceptance, memory with it queued, restart */
void figure_edits(struct bench *bench);
void figure_growth(struct bench *bench);
void figure_living(struct bench *bench); /* the engine alone */
void figure_steps(struct bench *bench);  /* likewise */
void figure_memory(struct bench *bench);
void figure_idle_agents(struct bench *bench);
void figure_longest_turn(struct bench *bench); /* of all that ran before it */

#endif
