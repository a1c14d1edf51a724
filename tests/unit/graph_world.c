#include "tests/unit/graph_world.h"

#include "common/base/mem.h"

struct graph *graph_new(uint32_t tasks)
{
    struct graph *graph = mem_alloc(sizeof *graph);
    map_put(&graph->engine.classes, 1, &graph->class);
    map_put(&graph->engine.policies, 1, &graph->policy);
    struct constellation_record record = { .id = 1, .state = CONSTELLATION_RUNNING };
    graph->constellation = constellation_new(&graph->engine, &record);
    for (uint32_t i = 0; i < tasks; i++) {
        graph_add_task(graph);
    }
    return graph;
}

void graph_free(struct graph *graph)
{
    constellation_leave(&graph->engine, graph->constellation);
    asleep_free_all(&graph->engine);
    map_done(&graph->engine.constellations);
    map_done(&graph->engine.classes);
    map_done(&graph->engine.policies);
    mem_free(graph);
}

struct task *graph_add_task(struct graph *graph)
{
    struct task_record record = {
        .id = (int64_t)graph->constellation->tasks + 1,
        .class_id = 1,
        .policy_id = 1,
        .state = TASK_WAITING,
    };
    return constellation_add_task(&graph->engine, graph->constellation, &record);
}

struct edge *graph_link(struct graph *graph, uint32_t from, uint32_t to)
{
    struct edge_record record = {
        .id = (int64_t)graph->constellation->edges + 1,
        .from_id = (int64_t)from + 1,
        .to_id = (int64_t)to + 1,
        .when = EDGE_WHEN_SUCCESS,
    };
    return constellation_add_edge(&graph->engine, graph->constellation, &record, from, to);
}

void graph_unlink(struct graph *graph, struct edge *edge)
{
    struct task *from = constellation_task(graph->constellation, edge->from);
    struct task *to = constellation_task(graph->constellation, edge->to);
    uint32_t *at = &from->first_out;
    while (constellation_edge(graph->constellation, *at - 1) != edge) {
        at = &constellation_edge(graph->constellation, *at - 1)->next_out;
    }
    *at = edge->next_out;
    at = &to->first_in;
    while (constellation_edge(graph->constellation, *at - 1) != edge) {
        at = &constellation_edge(graph->constellation, *at - 1)->next_in;
    }
    *at = edge->next_in;
}

void graph_link_layers(struct graph *graph, uint32_t width, uint32_t parents, struct rng *rng)
{
    for (uint32_t i = width; i < graph->constellation->tasks; i++) {
        uint32_t before = i / width * width - width;
        for (uint32_t k = 0; k < parents; k++) {
            graph_link(graph, before + (uint32_t)rng_below(rng, width), i);
        }
    }
}
