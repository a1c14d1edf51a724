/* The topological order: against a slow reference, at the ends of its labels, and at a million tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/order.h"
#include "tests/unit/graph_world.h"

static bool insert(struct order *order, struct constellation *constellation, uint32_t from,
                   uint32_t to, struct cycle *ret_cycle)
{
    size_t looks = SIZE_MAX;
    enum order_answer answer = order_insert(order, constellation, from, to, &looks, ret_cycle);
    assert_int_not_equal(answer, ORDER_TOO_FAR);
    return answer == ORDER_MADE;
}

static void build(struct graph *graph)
{
    struct order_build work;
    struct cycle cycle;
    order_build_init(&work, graph->constellation);
    order_build_work(&work, SIZE_MAX);
    assert_true(order_build_succeeded(&work, &cycle));
    order_build_done(&work);
}

static void expect_order(const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->constellation->tasks; i++) {
        const struct task *task = constellation_task(graph->constellation, i);
        for (uint32_t at = task->first_out; at != 0;) {
            const struct edge *edge = constellation_edge(graph->constellation, at - 1);
            assert_true(task->order < constellation_task(graph->constellation, edge->to)->order);
            at = edge->next_out;
        }
    }
}

/* The reference: all that can be reached from here, found anew. */
static bool is_reached(const struct graph *graph, uint32_t from, uint32_t to)
{
    uint32_t tasks = graph->constellation->tasks;
    bool *seen = mem_array(tasks, sizeof *seen);
    uint32_t *stack = mem_array(tasks, sizeof *stack);
    uint32_t depth = 0;
    stack[depth++] = from;
    seen[from] = true;
    while (depth > 0) {
        uint32_t at = constellation_task(graph->constellation, stack[--depth])->first_out;
        while (at != 0) {
            const struct edge *edge = constellation_edge(graph->constellation, at - 1);
            if (!seen[edge->to]) {
                seen[edge->to] = true;
                stack[depth++] = edge->to;
            }
            at = edge->next_out;
        }
    }
    bool result = seen[to];
    mem_free(seen);
    mem_free(stack);
    return result;
}

static bool is_linked(const struct graph *graph, uint32_t from, uint32_t to)
{
    uint32_t at = constellation_task(graph->constellation, from)->first_out;
    while (at != 0) {
        const struct edge *edge = constellation_edge(graph->constellation, at - 1);
        if (edge->to == to) {
            return true;
        }
        at = edge->next_out;
    }
    return false;
}

/* A ring of different tasks, each linked to the next; the edge from → to is the one that is new. */
static void expect_cycle(const struct graph *graph, const struct cycle *cycle, uint32_t from,
                         uint32_t to)
{
    assert_int_equal(cycle->count, cycle->total < CYCLE_TASKS_MAX ? cycle->total : CYCLE_TASKS_MAX);
    assert_int_equal(cycle->tasks[0], from);
    if (cycle->total > 1) {
        assert_int_equal(cycle->tasks[1], to);
    }
    for (uint32_t i = 1; i < cycle->count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            assert_int_not_equal(cycle->tasks[i], cycle->tasks[k]);
        }
        if (i + 1 < cycle->count) {
            assert_true(is_linked(graph, cycle->tasks[i], cycle->tasks[i + 1]));
        }
    }
    uint32_t last = cycle->tasks[cycle->count - 1];
    if (cycle->total == cycle->count) {
        assert_true(last == from ? from == to : is_linked(graph, last, from));
    } else {
        assert_true(is_reached(graph, last, from));
    }
}

struct walk {
    struct graph *graph;
    struct order *order;
    struct rng rng;
    struct edge *edges[1000];
    size_t count;
    unsigned refused;
    unsigned accepted;
    unsigned moved;
};

static void walk_insert(struct walk *walk)
{
    struct graph *graph = walk->graph;
    uint32_t tasks = graph->constellation->tasks;
    uint32_t from = (uint32_t)rng_below(&walk->rng, tasks);
    uint32_t to = (uint32_t)rng_below(&walk->rng, tasks);
    struct cycle cycle = { .total = UINT32_MAX };
    /* The edge may be there before it is asked for, or only after. */
    bool before = rng_below(&walk->rng, 2) == 0;
    bool closes = is_reached(graph, to, from);
    struct edge *edge = before ? graph_link(graph, from, to) : NULL;
    if (insert(walk->order, graph->constellation, from, to, &cycle)) {
        assert_false(closes);
        assert_int_equal(cycle.total, UINT32_MAX);
        walk->edges[walk->count++] = before ? edge : graph_link(graph, from, to);
        walk->accepted++;
        walk->moved += order_visited(walk->order) > 0;
    } else {
        assert_true(closes);
        if (before) {
            graph_unlink(graph, edge);
        }
        expect_cycle(graph, &cycle, from, to);
        walk->refused++;
    }
}

static void random_inserts_and_removals_agree_with_a_search_of_everything(void **state)
{
    (void)state;
    struct walk walk = { .order = order_new() };
    rng_init(&walk.rng, 20);
    for (unsigned round = 0; round < 200; round++) {
        uint32_t tasks = 1 + (uint32_t)rng_below(&walk.rng, 200);
        size_t edges_max = 1 + (size_t)rng_below(&walk.rng, 5 * tasks);
        walk.graph = graph_new(tasks);
        walk.count = 0;
        build(walk.graph);
        for (unsigned step = 0; step < 600; step++) {
            if (walk.count == edges_max || (walk.count > 0 && rng_below(&walk.rng, 8) == 0)) {
                size_t i = (size_t)rng_below(&walk.rng, walk.count);
                graph_unlink(walk.graph, walk.edges[i]);
                walk.edges[i] = walk.edges[--walk.count];
            } else if (rng_below(&walk.rng, 50) == 0 && walk.graph->constellation->tasks < 200) {
                order_add_task(walk.graph->constellation, graph_add_task(walk.graph));
            } else {
                walk_insert(&walk);
            }
            expect_order(walk.graph);
        }
        graph_free(walk.graph);
    }
    assert_true(walk.refused > 10000 && walk.accepted > 10000 && walk.moved > 5000);
    order_free(walk.order);
}

static void an_edge_that_agrees_with_the_order_visits_nothing(void **state)
{
    (void)state;
    struct graph *graph = graph_new(1000);
    struct order *order = order_new();
    struct cycle cycle;
    struct rng rng;
    rng_init(&rng, 1);
    graph_link_layers(graph, 10, 3, &rng);
    build(graph);
    for (uint32_t i = 0; i + 1 < 1000; i++) {
        const struct task *from = constellation_task(graph->constellation, i);
        const struct task *to = constellation_task(graph->constellation, i + 1);
        if (from->order < to->order) {
            assert_true(insert(order, graph->constellation, i, i + 1, &cycle));
            assert_int_equal(order_visited(order), 0);
        }
    }
    /* A new task stands last: what it needs agrees, and what needs it moves it alone. */
    order_add_task(graph->constellation, graph_add_task(graph));
    assert_true(insert(order, graph->constellation, 500, 1000, &cycle));
    assert_int_equal(order_visited(order), 0);
    graph_link(graph, 500, 1000);
    assert_true(insert(order, graph->constellation, 1000, 900, &cycle));
    assert_in_range(order_visited(order), 2, 10);
    graph_link(graph, 1000, 900);
    expect_order(graph);
    order_free(order);
    graph_free(graph);
}

static void a_long_cycle_is_named_by_its_first_tasks_and_its_length(void **state)
{
    (void)state;
    enum { TASKS = 5000 };
    struct graph *graph = graph_new(TASKS);
    struct order *order = order_new();
    for (uint32_t i = 1; i < TASKS; i++) {
        graph_link(graph, i - 1, i);
    }
    build(graph);
    struct cycle cycle;
    assert_false(insert(order, graph->constellation, TASKS - 1, 0, &cycle));
    assert_int_equal(cycle.total, TASKS);
    assert_int_equal(cycle.count, CYCLE_TASKS_MAX);
    assert_int_equal(cycle.tasks[0], TASKS - 1);
    for (uint32_t i = 1; i < CYCLE_TASKS_MAX; i++) {
        assert_int_equal(cycle.tasks[i], i - 1);
    }
    assert_false(insert(order, graph->constellation, 7, 7, &cycle));
    assert_int_equal(cycle.total, 1);
    assert_int_equal(cycle.tasks[0], 7);
    order_free(order);
    graph_free(graph);
}

static void a_build_finds_a_cycle_and_gives_no_places(void **state)
{
    (void)state;
    struct graph *graph = graph_new(100);
    for (uint32_t i = 1; i < 100; i++) {
        graph_link(graph, i - 1, i);
    }
    graph_link(graph, 60, 20);
    struct order_build work;
    struct cycle cycle;
    order_build_init(&work, graph->constellation);
    order_build_work(&work, SIZE_MAX);
    assert_false(order_build_succeeded(&work, &cycle));
    order_build_done(&work);
    assert_int_equal(cycle.total, 41);
    uint32_t first = cycle.tasks[0];
    assert_in_range(first, 20, 60);
    expect_cycle(graph, &cycle, first, first == 60 ? 20 : first + 1);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(constellation_task(graph->constellation, i)->order, 0);
    }
    graph_free(graph);
}

static void a_build_in_slices_of_any_size_gives_the_same_order(void **state)
{
    (void)state;
    struct graph *graph = graph_new(3000);
    struct rng rng;
    rng_init(&rng, 3);
    graph_link_layers(graph, 30, 4, &rng);
    build(graph);
    uint64_t *expected = mem_array(3000, sizeof *expected);
    for (uint32_t i = 0; i < 3000; i++) {
        expected[i] = constellation_task(graph->constellation, i)->order;
    }
    static const size_t slices[] = { 1, 2, 3, 7, 4096 };
    for (size_t k = 0; k < sizeof slices / sizeof slices[0]; k++) {
        struct order_build work;
        struct cycle cycle;
        order_build_init(&work, graph->constellation);
        size_t turns = 0;
        while (!order_build_is_finished(&work)) {
            order_build_work(&work, slices[k]);
            turns++;
        }
        /* Each task is looked at three times, each edge twice. */
        size_t rows = 3 * 3000 + 2 * (size_t)graph->constellation->edges;
        assert_in_range(turns, rows / slices[k], rows / slices[k] + 1);
        assert_true(order_build_succeeded(&work, &cycle));
        order_build_done(&work);
        for (uint32_t i = 0; i < 3000; i++) {
            assert_int_equal(constellation_task(graph->constellation, i)->order, expected[i]);
        }
    }
    mem_free(expected);
    graph_free(graph);
}

static void a_gap_may_be_filled_again_and_again(void **state)
{
    (void)state;
    enum { CHAIN = 100, FILL = 20000 };
    struct graph *graph = graph_new(2 * CHAIN);
    struct order *order = order_new();
    struct cycle cycle;
    for (uint32_t i = 1; i < 2 * CHAIN; i++) {
        graph_link(graph, i - 1, i);
    }
    build(graph);
    size_t visited = 0;
    uint32_t after = CHAIN;
    for (uint32_t i = 0; i < FILL; i++) {
        struct task *task = graph_add_task(graph);
        order_add_task(graph->constellation, task);
        assert_true(insert(order, graph->constellation, CHAIN - 1, task->index, &cycle));
        graph_link(graph, CHAIN - 1, task->index);
        assert_true(insert(order, graph->constellation, task->index, after, &cycle));
        graph_link(graph, task->index, after);
        visited += order_visited(order);
        after = task->index;
    }
    expect_order(graph);
    assert_true(visited < (size_t)FILL * 20);
    order_free(order);
    graph_free(graph);
}

static void the_order_is_built_anew_when_the_labels_end(void **state)
{
    (void)state;
    struct graph *graph = graph_new(10);
    struct constellation *constellation = graph->constellation;
    struct order *order = order_new();
    struct cycle cycle;
    build(graph);
    /* At the top: the new tasks share the last label. */
    constellation->order_next = UINT64_MAX - 1;
    for (uint32_t i = 10; i < 14; i++) {
        order_add_task(constellation, graph_add_task(graph));
    }
    assert_int_equal(constellation_task(constellation, 13)->order, UINT64_MAX);
    graph_link(graph, 13, 12);
    assert_true(insert(order, constellation, 13, 12, &cycle));
    expect_order(graph);
    for (uint32_t i = 1; i < 14; i++) {
        assert_true(insert(order, constellation, i == 13 ? 0 : i, i - 1, &cycle) || i == 13);
        if (i < 13) {
            graph_link(graph, i, i - 1);
        }
        expect_order(graph);
    }
    /* At the bottom: nothing stands below 0, and the one that has to move needs nothing. */
    struct graph *low = graph_new(3);
    graph_link(low, 0, 1);
    build(low);
    constellation_task(low->constellation, 0)->order = 0;
    assert_true(insert(order, low->constellation, 2, 0, &cycle));
    graph_link(low, 2, 0);
    expect_order(low);
    assert_true(constellation_task(low->constellation, 2)->order > 0);
    graph_free(low);
    order_free(order);
    graph_free(graph);
}

static void tasks_of_one_label_are_told_apart(void **state)
{
    (void)state;
    enum { TASKS = 200 };
    struct graph *graph = graph_new(TASKS);
    struct order *order = order_new();
    struct cycle cycle;
    build(graph);
    for (uint32_t i = 0; i < TASKS; i++) {
        constellation_task(graph->constellation, i)->order = 1000;
    }
    assert_true(order_before(constellation_task(graph->constellation, 3),
                             constellation_task(graph->constellation, 4)));
    assert_false(order_before(constellation_task(graph->constellation, 4),
                              constellation_task(graph->constellation, 3)));
    struct rng rng;
    rng_init(&rng, 5);
    for (unsigned i = 0; i < 600; i++) {
        uint32_t from = (uint32_t)rng_below(&rng, TASKS);
        uint32_t to = (uint32_t)rng_below(&rng, TASKS);
        bool closes = is_reached(graph, to, from);
        assert_int_equal(insert(order, graph->constellation, from, to, &cycle), !closes);
        if (!closes) {
            graph_link(graph, from, to);
        }
        expect_order(graph);
    }
    order_free(order);
    graph_free(graph);
}

enum { MILLION = 1000000 };

/* Every edge goes down in the order as it stands when the edge comes. */
static void a_chain_of_a_million_tasks_may_be_linked_from_its_end(void **state)
{
    (void)state;
    struct graph *graph = graph_new(MILLION);
    struct order *order = order_new();
    struct cycle cycle;
    build(graph);
    for (uint32_t i = 1; i < MILLION; i++) {
        assert_true(insert(order, graph->constellation, i, i - 1, &cycle));
        assert_in_range(order_visited(order), 2, 3);
        graph_link(graph, i, i - 1);
    }
    expect_order(graph);
    assert_false(insert(order, graph->constellation, 0, MILLION - 1, &cycle));
    assert_int_equal(cycle.total, MILLION);
    order_free(order);
    graph_free(graph);
}

static void a_chain_of_a_million_tasks_may_be_linked_in_any_order(void **state)
{
    (void)state;
    struct graph *graph = graph_new(MILLION);
    struct order *order = order_new();
    struct cycle cycle;
    struct rng rng;
    build(graph);
    uint32_t *links = mem_array(MILLION, sizeof *links);
    rng_init(&rng, 9);
    for (uint32_t i = 1; i < MILLION; i++) {
        uint32_t k = 1 + (uint32_t)rng_below(&rng, i);
        links[i] = links[k];
        links[k] = i;
    }
    size_t visited = 0;
    for (uint32_t i = 1; i < MILLION; i++) {
        assert_true(insert(order, graph->constellation, links[i], links[i] - 1, &cycle));
        visited += order_visited(order);
        graph_link(graph, links[i], links[i] - 1);
    }
    expect_order(graph);
    /* The smaller half is moved: at most log2 of the tasks times each, and as much again to see it. */
    assert_true(visited < (size_t)MILLION * 40);
    mem_free(links);
    order_free(order);
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_inserts_and_removals_agree_with_a_search_of_everything),
        cmocka_unit_test(an_edge_that_agrees_with_the_order_visits_nothing),
        cmocka_unit_test(a_long_cycle_is_named_by_its_first_tasks_and_its_length),
        cmocka_unit_test(a_build_finds_a_cycle_and_gives_no_places),
        cmocka_unit_test(a_build_in_slices_of_any_size_gives_the_same_order),
        cmocka_unit_test(a_gap_may_be_filled_again_and_again),
        cmocka_unit_test(the_order_is_built_anew_when_the_labels_end),
        cmocka_unit_test(tasks_of_one_label_are_told_apart),
        cmocka_unit_test(a_chain_of_a_million_tasks_may_be_linked_from_its_end),
        cmocka_unit_test(a_chain_of_a_million_tasks_may_be_linked_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
