/* The chunks and slots in which a constellation keeps its tasks and edges: pointers to them hold, and
   ids are found by bisection. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_STORAGE_H
#define ORCHESTRATOR_ENGINE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/map.h"
#include "orchestrator/engine/task.h"

struct class;
struct constellation;
struct engine;
struct policy;

enum { CHUNK_SHIFT = 10, CHUNK_SIZE = 1 << CHUNK_SHIFT };

/* The slots of tasks or edges that are free, the longest unused first. */
struct slots {
    uint32_t *list; /* a ring */
    uint32_t first;
    uint32_t count;
    uint32_t capacity; /* 0 or a power of two */
    struct map
        signposts;    /* index + 1 → the first id that the slot had, if it was given out again */
    struct map moved; /* id → what lives in such a slot: a task; of an edge its index + 1 */
};

/* Without a class: storage_class_task() must follow. */
struct task *storage_new_task(struct engine *engine, struct constellation *constellation,
                              const struct task_record *record);
/* Its class and policy, instead of those it had. */
void storage_class_task(struct task *task, struct class *class, struct policy *policy);
void storage_link(struct constellation *constellation, uint32_t edge);
/* Counts it no more. The lists of both ends must be swept before anything walks them; then the slot is
   released, or the edge linked again. */
void storage_drop_edge(struct constellation *constellation, struct edge *edge);
void storage_sweep_in(struct task *task);
void storage_sweep_out(struct task *task);
void storage_release_edge(struct constellation *constellation, uint32_t index);
/* One without edges. Its slot is released, unless it is on a queue: then when it leaves that. */
void storage_drop_task(struct engine *engine, struct task *task);
void storage_release_task(struct task *task);
/* The next chunk, at constellation.cursor, with its slots: how many tasks it had, 1 for one of edges;
   0: there is none left, and what is left are the lists of them. */
size_t storage_free_chunk(struct constellation *constellation);
void storage_free_lists(struct constellation *constellation);
/* NULL: not there. */
struct edge *constellation_find_edge(const struct constellation *constellation, int64_t id,
                                     uint32_t *ret_index);

#endif
