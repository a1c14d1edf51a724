/* A seeded stream of numbers (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64). Not for
   secrets: those come from the operating system. */
#ifndef COMMON_BASE_RNG_H
#define COMMON_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* 0 … bound - 1, unbiased; bound > 0 */

#endif
