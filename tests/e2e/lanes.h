/* A test in several lanes at once: the program starts itself again for each, because most of a lane's
   time is its agents' waiting before they dial again. */
#ifndef TESTS_E2E_LANES_H
#define TESTS_E2E_LANES_H

#include <stdbool.h>
#include <stdint.h>

/* Fails if a lane does; adds up the numbers that the lanes have reported. */
struct lanes_sum {
    unsigned kills;
    unsigned trials;
};
struct lanes_sum lanes_run(unsigned count, uint64_t seed, unsigned share);

/* In a lane: argv is PROGRAM --lane NUMBER SEED SHARE. False if it is none. */
struct lane {
    unsigned number;
    uint64_t seed;
    unsigned share;
};
bool lane_of(int argc, char **argv, struct lane *ret_lane);
void lane_report(struct lanes_sum sum);

/* A number from the environment. */
unsigned lanes_setting(const char *name, unsigned otherwise);

#endif
