/* Tasks and edges in a constellation of the engine's own kind, without what runs them: for what is
   computed over the graph alone. */
#ifndef TESTS_UNIT_GRAPH_WORLD_H
#define TESTS_UNIT_GRAPH_WORLD_H

#include "orchestrator/engine/model.h"

struct graph {
    struct engine engine;
    struct class class;
    struct policy policy;
    struct constellation *constellation;
};

struct graph *graph_new(uint32_t tasks); /* without edges and without an order */
void graph_free(struct graph *graph);
struct task *graph_add_task(struct graph *graph);
struct edge *graph_link(struct graph *graph, uint32_t from, uint32_t to);
void graph_unlink(struct graph *graph, struct edge *edge); /* it stays in its chunk */
/* Links each task of a layer to so many of the layer before, chosen at random. */
void graph_link_layers(struct graph *graph, uint32_t width, uint32_t parents, struct rng *rng);

#endif
