/* Cycles in the graph of a plan. */
#ifndef ORCHESTRATOR_SPEC_SPEC_GRAPH_H
#define ORCHESTRATOR_SPEC_SPEC_GRAPH_H

#include "common/base/buf.h"
#include "orchestrator/engine/plan.h"

/* The edges are sorted by `to`. True: the tasks of one cycle, each needed by the next and the last by
   the first, are appended to `cycle` as uint32_t, from the one that was written first. */
bool spec_graph_find_cycle(const struct plan_edge *edges, size_t edges_count, size_t tasks_count,
                           struct buf *cycle);

#endif
