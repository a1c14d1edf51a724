/* A DAG as text: one task a line, lines of edges beside it, in layers (a task stands below all that
   it needs). */
#ifndef CLI_GRAPH_DRAW_H
#define CLI_GRAPH_DRAW_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

enum { GRAPH_COLUMNS_MAX = 40, GRAPH_NODES_MAX = 1000000 };

struct graph_edge {
    size_t from;
    size_t to;
};

struct graph {
    size_t nodes_count;
    const struct graph_edge *edges; /* in any order; a repeated one counts once */
    size_t edges_count;
    const char *const *labels; /* what stands behind a node: one line, harmless */
};

/* Depth of each node into `depths` (nodes_count of them) and the nodes by depth, then by number, into
   `order`. False if there is a cycle, which the daemon never stores. */
bool graph_layers(const struct graph *graph, size_t *depths, size_t *order);
/* False if it takes more than GRAPH_COLUMNS_MAX lines side by side (nothing is appended). */
bool graph_draw(const struct graph *graph, bool ascii, struct buf *to);

#endif
