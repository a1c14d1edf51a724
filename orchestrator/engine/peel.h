/* The tasks of a constellation, each after all that it needs (Kahn, "Topological sorting of large
   networks", CACM 1962): linear, without recursion, in slices, so that a million tasks make no long
   turn. The order is built by it, and the metrics of a plan are counted along it. */
#ifndef ORCHESTRATOR_ENGINE_PEEL_H
#define ORCHESTRATOR_ENGINE_PEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct constellation;

enum { CYCLE_TASKS_MAX = 20 };

/* Tasks by index, each before the one that needs it; the last before the first. */
struct cycle {
    uint32_t tasks[CYCLE_TASKS_MAX];
    uint32_t count; /* of those listed: the first of them */
    uint32_t total;
};

/* 8 bytes a task while it lives. */
struct peel {
    const struct constellation *constellation;
    uint32_t *open;  /* by task: edges from tasks that have not been passed */
    uint32_t *queue; /* tasks in order, the first `taken` of them */
    uint32_t taken;
    uint32_t tasks;
    uint32_t counted; /* tasks whose edges have been counted */
    uint32_t passed;  /* of the queue */
    uint32_t edge;    /* of the task that is counted or passed: index + 1 */
    bool begun;       /* with that task */
};

/* The graph must not change until the peel is done with. */
void peel_init(struct peel *peel, const struct constellation *constellation);
void peel_done(struct peel *peel);
/* Looks at `budget` tasks and edges at most; returns what is left of it: above 0 only when there is
   nothing left to do. Then fewer are taken than there are tasks if some stand on a cycle or behind one. */
size_t peel_work(struct peel *peel, size_t budget);
bool peel_is_finished(const struct peel *peel);
/* Of a finished peel that has not taken all: linear, in one go. */
void peel_cycle(const struct peel *peel, struct cycle *ret_cycle);

#endif
