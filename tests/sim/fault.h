/* What can go wrong: one table, a row a fault. A fault happens at a time of its own or at a point of a
   turn; each seed has its own choice of them, so that rare meetings are not drowned by common ones. */
#ifndef TESTS_SIM_FAULT_H
#define TESTS_SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

struct world;

enum fault_kind {
    FAULT_CUT,
    FAULT_CUT_LONG,
    FAULT_HALF_OPEN_DAEMON,
    FAULT_HALF_OPEN_HOST,
    FAULT_BLACK_HOLE,
    FAULT_DELAY,
    FAULT_DIAL_REFUSED,
    FAULT_CLONE,
    FAULT_HOSTILE,
    FAULT_GARBAGE_TO_DAEMON,
    FAULT_GARBAGE_TO_HOST,
    FAULT_DAEMON_KILL,
    FAULT_DAEMON_POWER,
    FAULT_HOST_KILL,
    FAULT_HOST_POWER,
    FAULT_HOST_SHUTDOWN,
    FAULT_PAUSE_LEASE,
    FAULT_PAUSE_LONG,
    FAULT_WALL_JUMP,
    FAULT_SLOW_TICK,
    FAULT_CANCEL,
    FAULT_SUBMIT,
    /* At a point of a turn. */
    FAULT_BEFORE_COMMIT,
    FAULT_COMMIT_FAILED,
    FAULT_AFTER_COMMIT,
    FAULT_IN_LARGE_EDIT,
    FAULT_BETWEEN_SENDS,
    FAULT_PREPARE_FAILED,
    FAULT_HOST_BEFORE_COMMIT,
    FAULT_HOST_AFTER_COMMIT,
    FAULT_HOST_BETWEEN_EFFECTS,
    FAULT_SPOOL_SHORT,
    FAULT_KINDS,
};

const char *fault_name(enum fault_kind kind);

struct faults {
    bool chosen[FAULT_KINDS];
    uint64_t weights; /* of the timed ones that are chosen */
    int64_t pause_ms; /* between two of them, on average */
};

void fault_choose(struct world *world);
/* The next timed one, from now on for as long as the world is not calm. */
void fault_begin(struct world *world);
/* At a point of a turn: whether it happens now. */
bool fault_strikes(struct world *world, enum fault_kind kind);

#endif
