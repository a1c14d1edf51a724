/* One constellation run by the CLI on a fleet of three while something is done to the fleet; and the
   verdict: it ended as if nothing had happened. Trials are stepped, so that several go on at once. */
#ifndef TESTS_E2E_TRIAL_H
#define TESTS_E2E_TRIAL_H

#include "common/base/rng.h"
#include "tests/e2e/fleet.h"

enum trial_kind {
    TRIAL_MARKED, /* marks_constellation */
    TRIAL_DEMO,   /* examples/fleet-report.yaml as it is */
    TRIAL_LIVING, /* living.h */
};

struct trial {
    struct fleet *fleet; /* NULL: nothing goes on here */
    enum trial_kind kind;
    struct process run;
    char spec[FLEET_PATH_MAX];
    int64_t began_ms;
    unsigned kills_wanted;
    unsigned kills;
    int64_t kill_at_ms;
    size_t sessions; /* of all agents, when the daemon was started last */
};

struct trial_sum {
    unsigned trials;
    unsigned kills;
    unsigned reruns;
    unsigned lost;
    unsigned disorder;
};

/* Starts the fleet; agents dial `server` in place of the daemon if it is not NULL. */
void trial_prepare(struct trial *trial, enum trial_kind kind, const char *server);
/* Starts the CLI's `run`, and waits until the daemon has the constellation. */
void trial_run(struct trial *trial);
/* Kills the daemon when it is time, and starts it again. False when the CLI has ended. */
bool trial_step(struct trial *trial, struct rng *rng);
/* The part of it that kills, for one whose CLI has ended. */
void trial_kill_if_due(struct trial *trial, struct rng *rng);
/* A daemon that died at a point it was told is started again, and counted. False if it lives. */
bool trial_revive(struct trial *trial);
/* The verdict; adds to the sum and releases the fleet. */
void trial_judge(struct trial *trial, struct trial_sum *sum);
void trial_abandon(struct trial *trial); /* for a teardown */

#endif
