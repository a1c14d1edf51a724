/* Metrics of a plan: against a naive reference, and at a million tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/metrics.h"
#include "tests/unit/graph_world.h"

static int64_t duration_in_list(const struct task *task, void *context)
{
    const int64_t *durations_ms = context;
    return durations_ms[task->index];
}

static void run(struct metrics_work *work, const struct graph *graph, int64_t *durations_ms,
                size_t slice)
{
    metrics_init(work, graph->constellation, durations_ms == NULL ? NULL : duration_in_list,
                 durations_ms);
    for (size_t turns = 0; !metrics_is_finished(work); turns++) {
        assert_true(turns < 4 * ((size_t)graph->constellation->tasks * 4 +
                                 (size_t)graph->constellation->edges * 4 + 4));
        assert_true(metrics_work(work, slice) <= slice);
    }
}

/* The longest way to each task, found by trying every edge as many times as there are tasks. */
static void reference(const struct graph *graph, const int64_t *weights, int64_t *ret_ends)
{
    uint32_t tasks = graph->constellation->tasks;
    for (uint32_t i = 0; i < tasks; i++) {
        ret_ends[i] = weights[i];
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < graph->constellation->edges; i++) {
            const struct edge *edge = constellation_edge(graph->constellation, i);
            if (ret_ends[edge->from] + weights[edge->to] > ret_ends[edge->to]) {
                ret_ends[edge->to] = ret_ends[edge->from] + weights[edge->to];
                changed = true;
            }
        }
    }
}

/* Linked from task to task, and as heavy as it is said to be. */
static void expect_path(const struct graph *graph, const struct metrics_path *path,
                        const int64_t *weights, int64_t weight)
{
    assert_int_equal(path->count,
                     path->total < METRICS_PATH_TASKS_MAX ? path->total : METRICS_PATH_TASKS_MAX);
    int64_t sum = 0;
    for (uint32_t i = 0; i < path->count; i++) {
        sum += weights[path->tasks[i]];
        bool linked = i + 1 == path->count;
        uint32_t at = constellation_task(graph->constellation, path->tasks[i])->first_out;
        while (at != 0 && !linked) {
            const struct edge *edge = constellation_edge(graph->constellation, at - 1);
            linked = edge->to == path->tasks[i + 1];
            at = edge->next_out;
        }
        assert_true(linked);
    }
    if (path->count == path->total) {
        assert_int_equal(sum, weight);
    } else {
        assert_true(sum <= weight);
    }
}

static void expect_metrics(const struct graph *graph, const int64_t *durations_ms,
                           const struct metrics *metrics)
{
    uint32_t tasks = graph->constellation->tasks;
    int64_t *ones = mem_array(tasks, sizeof *ones);
    int64_t *ends = mem_array(tasks, sizeof *ends);
    int64_t longest = 0;
    int64_t critical_ms = 0;
    int64_t work_ms = 0;
    for (uint32_t i = 0; i < tasks; i++) {
        ones[i] = 1;
        work_ms += durations_ms[i];
    }
    reference(graph, ones, ends);
    uint32_t *widths = mem_array(tasks, sizeof *widths);
    uint32_t width_max = 0;
    for (uint32_t i = 0; i < tasks; i++) {
        longest = ends[i] > longest ? ends[i] : longest;
        uint32_t width = ++widths[ends[i] - 1];
        width_max = width > width_max ? width : width_max;
    }
    assert_int_equal(metrics->tasks, tasks);
    assert_int_equal(metrics->longest.total, longest);
    assert_int_equal(metrics->widths_count, longest);
    assert_int_equal(metrics->width_max, width_max);
    assert_int_equal(metrics->widths[metrics->widest_level - 1], width_max);
    for (uint32_t i = 0; i < metrics->widths_count; i++) {
        assert_int_equal(metrics->widths[i], widths[i]);
    }
    expect_path(graph, &metrics->longest, ones, longest);
    reference(graph, durations_ms, ends);
    for (uint32_t i = 0; i < tasks; i++) {
        critical_ms = ends[i] > critical_ms ? ends[i] : critical_ms;
    }
    assert_int_equal(metrics->work_ms, work_ms);
    assert_int_equal(metrics->critical_ms, critical_ms);
    expect_path(graph, &metrics->critical, durations_ms, critical_ms);
    assert_true(metrics->parallelism == (double)tasks / (double)longest);
    double by_time = critical_ms == 0 ? 0 : (double)work_ms / (double)critical_ms;
    assert_true(metrics->parallelism_by_time == by_time);
    mem_free(widths);
    mem_free(ends);
    mem_free(ones);
}

static void any_plan_measures_what_a_slow_count_says(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 12);
    for (unsigned round = 0; round < 500; round++) {
        uint32_t tasks = 1 + (uint32_t)rng_below(&rng, 200);
        struct graph *graph = graph_new(tasks);
        int64_t *durations_ms = mem_array(tasks, sizeof *durations_ms);
        uint32_t *places = mem_array(tasks, sizeof *places);
        for (uint32_t i = 0; i < tasks; i++) {
            durations_ms[i] = (int64_t)rng_below(&rng, 1 + rng_below(&rng, 5000));
            uint32_t k = (uint32_t)rng_below(&rng, i + 1);
            places[i] = places[k];
            places[k] = i;
        }
        for (uint64_t edges = tasks < 2 ? 0 : rng_below(&rng, 4 * tasks); edges > 0; edges--) {
            uint32_t to = 1 + (uint32_t)rng_below(&rng, tasks - 1);
            graph_link(graph, places[rng_below(&rng, to)], places[to]);
        }
        struct metrics_work work;
        run(&work, graph, durations_ms, 1 + rng_below(&rng, 100));
        expect_metrics(graph, durations_ms, metrics_result(&work));
        metrics_done(&work);
        mem_free(places);
        mem_free(durations_ms);
        graph_free(graph);
    }
}

static void the_critical_path_is_the_slow_one_not_the_long_one(void **state)
{
    (void)state;
    /* 0 → 1 → 2 are quick; 3 → 4 take long; 5 stands alone. */
    int64_t durations_ms[] = { 10, 10, 10, 500, 470, 30 };
    struct graph *graph = graph_new(6);
    graph_link(graph, 0, 1);
    graph_link(graph, 1, 2);
    graph_link(graph, 3, 4);
    struct metrics_work work;
    run(&work, graph, durations_ms, 1);
    const struct metrics *metrics = metrics_result(&work);
    assert_int_equal(metrics->longest.total, 3);
    assert_int_equal(metrics->longest.tasks[0], 0);
    assert_int_equal(metrics->longest.tasks[2], 2);
    assert_int_equal(metrics->critical.total, 2);
    assert_int_equal(metrics->critical.tasks[0], 3);
    assert_int_equal(metrics->critical.tasks[1], 4);
    assert_int_equal(metrics->critical_ms, 970);
    assert_int_equal(metrics->work_ms, 1030);
    assert_int_equal(metrics->width_max, 3);
    assert_int_equal(metrics->widest_level, 1);
    assert_true(metrics->parallelism == 2.0);
    metrics_done(&work);
    graph_free(graph);
}

static void a_task_that_is_not_counted_adds_nothing(void **state)
{
    (void)state;
    int64_t durations_ms[] = { 5, -1, 7 };
    struct graph *graph = graph_new(3);
    graph_link(graph, 0, 2);
    struct metrics_work work;
    run(&work, graph, durations_ms, 100);
    const struct metrics *metrics = metrics_result(&work);
    assert_int_equal(metrics->tasks, 2);
    assert_int_equal(metrics->work_ms, 12);
    assert_int_equal(metrics->critical_ms, 12);
    assert_int_equal(metrics->width_max, 1);
    metrics_done(&work);
    durations_ms[0] = -1;
    graph_free(graph);
    graph = graph_new(2);
    run(&work, graph, durations_ms, 100);
    assert_int_equal(metrics_result(&work)->tasks, 0);
    assert_int_equal(metrics_result(&work)->longest.total, 0);
    assert_true(metrics_result(&work)->parallelism == 0);
    metrics_done(&work);
    graph_free(graph);
}

static void without_durations_there_is_no_time(void **state)
{
    (void)state;
    struct graph *graph = graph_new(4);
    graph_link(graph, 3, 1);
    struct metrics_work work;
    run(&work, graph, NULL, 100);
    const struct metrics *metrics = metrics_result(&work);
    assert_int_equal(metrics->tasks, 4);
    assert_int_equal(metrics->longest.total, 2);
    assert_int_equal(metrics->work_ms, 0);
    assert_int_equal(metrics->critical.total, 0);
    assert_true(metrics->parallelism_by_time == 0);
    metrics_done(&work);
    graph_free(graph);
}

static int64_t endless(const struct task *task, void *context)
{
    (void)task;
    (void)context;
    return INT64_MAX;
}

static void a_chain_of_a_million_tasks_is_listed_up_to_the_limits(void **state)
{
    (void)state;
    enum { TASKS = 1000000 };
    struct graph *graph = graph_new(TASKS);
    for (uint32_t i = 1; i < TASKS; i++) {
        graph_link(graph, i, i - 1);
    }
    struct metrics_work work;
    metrics_init(&work, graph->constellation, endless, NULL);
    assert_true(metrics_work(&work, SIZE_MAX) > 0);
    assert_true(metrics_is_finished(&work));
    const struct metrics *metrics = metrics_result(&work);
    assert_int_equal(metrics->longest.total, TASKS);
    assert_int_equal(metrics->longest.count, METRICS_PATH_TASKS_MAX);
    assert_int_equal(metrics->longest.tasks[0], TASKS - 1);
    assert_int_equal(metrics->longest.tasks[METRICS_PATH_TASKS_MAX - 1],
                     TASKS - METRICS_PATH_TASKS_MAX);
    assert_int_equal(metrics->widths_count, METRICS_LEVELS_MAX);
    assert_int_equal(metrics->width_max, 1);
    assert_true(metrics->critical_ms == TASKS * METRICS_DURATION_MS_MAX);
    assert_true(metrics->work_ms == metrics->critical_ms);
    assert_true(metrics->parallelism == 1.0);
    metrics_done(&work);
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_plan_measures_what_a_slow_count_says),
        cmocka_unit_test(the_critical_path_is_the_slow_one_not_the_long_one),
        cmocka_unit_test(a_task_that_is_not_counted_adds_nothing),
        cmocka_unit_test(without_durations_there_is_no_time),
        cmocka_unit_test(a_chain_of_a_million_tasks_is_listed_up_to_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
