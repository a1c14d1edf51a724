#include "orchestrator/spec/spec_graph.h"

#include "common/base/check.h"
#include "common/base/mem.h"

/* Takes away, again and again, a task that nothing is left to need. What cannot be taken away stands
   on a cycle or before one. Returns how many were left; their `open` stays above 0. */
static size_t peel(const struct plan_edge *edges, size_t edges_count, size_t tasks_count,
                   uint32_t *open)
{
    uint32_t *first = mem_array(tasks_count + 1, sizeof *first); /* a task's edges in the list */
    uint32_t *queue = mem_array(tasks_count, sizeof *queue);
    size_t tail = 0;
    for (size_t i = 0; i < edges_count; i++) {
        first[edges[i].to + 1]++;
        open[edges[i].from]++;
    }
    for (size_t i = 0; i < tasks_count; i++) {
        first[i + 1] += first[i];
        if (open[i] == 0) {
            queue[tail++] = (uint32_t)i;
        }
    }
    for (size_t head = 0; head < tail; head++) {
        uint32_t task = queue[head];
        for (uint32_t i = first[task]; i < first[task + 1]; i++) {
            uint32_t from = edges[i].from;
            if (--open[from] == 0) {
                queue[tail++] = from;
            }
        }
    }
    mem_free(first);
    mem_free(queue);
    return tasks_count - tail;
}

bool spec_graph_find_cycle(const struct plan_edge *edges, size_t edges_count, size_t tasks_count,
                           struct buf *cycle)
{
    uint32_t *open = mem_array(tasks_count, sizeof *open);
    if (peel(edges, edges_count, tasks_count, open) == 0) {
        mem_free(open);
        return false;
    }
    /* Each task that is left is needed by one that is left: following those ends in a cycle. */
    uint32_t *next = mem_array(tasks_count, sizeof *next);
    bool *is_passed = mem_array(tasks_count, sizeof *is_passed);
    uint32_t at = UINT32_MAX;
    for (size_t i = 0; i < edges_count; i++) {
        if (open[edges[i].from] > 0 && open[edges[i].to] > 0) {
            next[edges[i].from] = edges[i].to;
            at = edges[i].from;
        }
    }
    CHECK(at != UINT32_MAX);
    for (; !is_passed[at]; at = next[at]) {
        is_passed[at] = true;
    }
    uint32_t start = at;
    for (uint32_t i = next[at]; i != at; i = next[i]) {
        start = i < start ? i : start;
    }
    at = start;
    do {
        buf_append(cycle, &at, sizeof at);
        at = next[at];
    } while (at != start);
    mem_free(open);
    mem_free(next);
    mem_free(is_passed);
    return true;
}
