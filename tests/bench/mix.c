/* See mix.h. */
#include "tests/bench/mix.h"

#include "common/base/mem.h"

static const uint64_t SEED = 20261123; /* the same edits every time */

const char *mix_kind_name(enum mix_kind kind)
{
    static const char *const names[MIX_KINDS] = {
        [MIX_ADD_TASK] = "add_task",
        [MIX_REMOVE_TASK] = "remove_task",
        [MIX_UPDATE_TASK] = "update_task",
        [MIX_ADD_EDGE] = "add_dependency",
        [MIX_UPDATE_EDGE] = "update_dependency",
        [MIX_REMOVE_EDGE] = "remove_dependency",
    };
    return names[kind];
}

static uint64_t pair(uint32_t from, uint32_t to)
{
    return (uint64_t)from << 32 | to;
}

static struct mix_edge link_tasks(struct mix *mix, uint32_t from, uint32_t to)
{
    struct mix_edge edge = { from, to, false };
    mix->edges[mix->edges_count++] = edge;
    map_put(&mix->pairs, pair(from, to), (void *)(uintptr_t)mix->edges_count);
    mix->tasks[from].dependents++;
    return edge;
}

static void unlink_at(struct mix *mix, uint32_t at)
{
    struct mix_edge gone = mix->edges[at];
    struct mix_edge last = mix->edges[--mix->edges_count];
    map_remove(&mix->pairs, pair(gone.from, gone.to));
    mix->tasks[gone.from].dependents--;
    if (at < mix->edges_count) {
        mix->edges[at] = last;
        map_put(&mix->pairs, pair(last.from, last.to), (void *)((uintptr_t)at + 1));
    }
}

void mix_init(struct mix *mix, uint32_t tasks, uint32_t width, uint32_t edits)
{
    *mix = (struct mix){ .initial = tasks, .layers = tasks / width };
    rng_init(&mix->rng, SEED);
    mix->tasks = mem_array((size_t)tasks + edits, sizeof *mix->tasks);
    mix->edges = mem_array(((size_t)tasks + edits) * MIX_PARENTS, sizeof *mix->edges);
    for (uint32_t i = 0; i < tasks; i++) {
        mix->tasks[i].layer = i / width;
        mix->tasks_count++;
        uint32_t first = (uint32_t)rng_below(&mix->rng, width);
        for (uint32_t k = 0; i >= width && k < MIX_PARENTS; k++) {
            /* Neighbours on a ring: different ones, and every task has followers. */
            link_tasks(mix, (i / width - 1) * width + (first + k * 7) % width, i);
        }
    }
}

void mix_done(struct mix *mix)
{
    mem_free(mix->tasks);
    mem_free(mix->edges);
    map_done(&mix->pairs);
}

static uint32_t any_task(struct mix *mix)
{
    uint32_t task = 0;
    do {
        task = (uint32_t)rng_below(&mix->rng, mix->tasks_count);
    } while (mix->tasks[task].removed);
    return task;
}

static uint32_t any_below(struct mix *mix, uint32_t layer)
{
    uint32_t task = 0;
    do {
        task = any_task(mix);
    } while (mix->tasks[task].layer >= layer);
    return task;
}

static void add_task(struct mix *mix, struct mix_operation *operation)
{
    uint32_t task = mix->tasks_count;
    /* Not too near to the first layer: its parents have to be found by chance. */
    uint32_t layer = mix->layers / 4 + (uint32_t)rng_below(&mix->rng, mix->layers * 3 / 4);
    operation->task = task;
    for (uint32_t k = 0; k < MIX_PARENTS; k++) {
        do {
            operation->parents[k] = any_below(mix, layer);
        } while (map_get(&mix->pairs, pair(operation->parents[k], task)) != NULL);
        link_tasks(mix, operation->parents[k], task);
    }
    mix->tasks[task].layer = layer;
    mix->tasks_count++;
}

/* One that nothing depends on. */
static void remove_task(struct mix *mix, struct mix_operation *operation)
{
    do {
        operation->task = any_task(mix);
    } while (mix->tasks[operation->task].dependents > 0);
    mix->tasks[operation->task].removed = true;
    for (uint32_t i = mix->edges_count; i-- > 0;) {
        if (mix->edges[i].to == operation->task) {
            unlink_at(mix, i);
        }
    }
}

static void add_edge(struct mix *mix, struct mix_operation *operation)
{
    uint32_t from = 0;
    uint32_t to = 0;
    do {
        from = any_task(mix);
        to = any_task(mix);
    } while (mix->tasks[from].layer >= mix->tasks[to].layer ||
             map_get(&mix->pairs, pair(from, to)) != NULL);
    operation->edge = link_tasks(mix, from, to);
}

struct mix_operation mix_next(struct mix *mix, enum mix_kind kind)
{
    struct mix_operation operation = { .kind = kind };
    uint32_t at = (uint32_t)rng_below(&mix->rng, mix->edges_count);
    if (kind == MIX_ADD_TASK) {
        add_task(mix, &operation);
    } else if (kind == MIX_REMOVE_TASK) {
        remove_task(mix, &operation);
    } else if (kind == MIX_UPDATE_TASK) {
        operation.task = any_task(mix);
        operation.priority = (int32_t)rng_below(&mix->rng, 1900) - 950;
    } else if (kind == MIX_ADD_EDGE) {
        add_edge(mix, &operation);
    } else if (kind == MIX_UPDATE_EDGE) {
        mix->edges[at].finished = !mix->edges[at].finished;
        operation.edge = mix->edges[at];
    } else {
        operation.edge = mix->edges[at];
        unlink_at(mix, at);
    }
    return operation;
}
