/* The ready tasks, in the order in which they go. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_LANE_H
#define ORCHESTRATOR_ENGINE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"

struct class;
struct constellation;
struct engine;
struct task;

/* The ready tasks of one constellation in one class. */
struct lane {
    struct class *class;
    struct constellation *constellation;
    struct heap ready; /* of task.node */
    struct heap_node node;
    struct lane *next; /* of the constellation */
    struct lane *previous;
    int64_t since_boot_ms; /* there has been a ready task in it */
};

void lane_push(struct engine *engine, struct task *task);
void lane_remove(struct engine *engine, struct task *task);
void lane_moved(struct engine *engine, struct task *task);              /* its rank has changed */
bool lane_before(const struct heap_node *a, const struct heap_node *b); /* of class.ready */
struct task *lane_top(const struct class *class);                       /* NULL: none is ready */
/* One attempt of it more or less holds a slot. */
void lane_share_changed(struct engine *engine, struct constellation *constellation);
void lane_free(struct lane *lane);

#endif
