/* A plan in layers and random edits of it, each of one operation that the daemon must accept: the same
   sequence for the engine alone and over HTTP. It keeps a copy of the plan of its own, in which every
   dependency goes from a lower layer to a higher one, so that none can close a cycle, while tasks
   that are added later stand before older ones. */
#ifndef TESTS_BENCH_MIX_H
#define TESTS_BENCH_MIX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/map.h"
#include "common/base/rng.h"

enum mix_kind {
    MIX_ADD_TASK,
    MIX_REMOVE_TASK,
    MIX_UPDATE_TASK, /* its priority */
    MIX_ADD_EDGE,
    MIX_UPDATE_EDGE, /* its kind */
    MIX_REMOVE_EDGE,
    MIX_KINDS,
};

enum { MIX_PARENTS = 3 };

struct mix_edge {
    uint32_t from;
    uint32_t to;
    bool finished; /* when: finished, else success */
};

struct mix_task {
    uint32_t layer;
    uint32_t dependents;
    bool removed;
};

struct mix {
    struct rng rng;
    struct mix_task *tasks; /* by number; numbers are never used again */
    uint32_t tasks_count;
    uint32_t layers;
    struct mix_edge *edges; /* those there are, in no order; at first by `to` */
    uint32_t edges_count;
    uint32_t initial; /* tasks at the start */
    struct map pairs; /* from << 32 | to → place in edges + 1 */
};

/* What is to be done; it has been done to the copy. */
struct mix_operation {
    enum mix_kind kind;
    uint32_t task;                 /* of MIX_ADD_TASK to MIX_UPDATE_TASK */
    uint32_t parents[MIX_PARENTS]; /* of a new one, different ones */
    int32_t priority;
    struct mix_edge edge;
};

/* Room for `edits` more tasks and dependencies than it begins with. */
void mix_init(struct mix *mix, uint32_t tasks, uint32_t width, uint32_t edits);
void mix_done(struct mix *mix);
struct mix_operation mix_next(struct mix *mix, enum mix_kind kind);
const char *mix_kind_name(enum mix_kind kind);

#endif
