/* What a former end has decided for those that have begun since: it stands while its task is tried anew, and
   leaves its attempt for its edge by slices, before another attempt follows. That none is left behind is
   looked at by the book of the living world, at each attempt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum {
    WIDE = 2 * ENGINE_SLICE,
    TURNS_MAX = 1000,
};

/* Task 1 on a device, and so many gates that open however it ends. */
static struct living *gates(uint32_t count, uint32_t slice)
{
    struct living *living = slice == 0 ? living_new(2) : living_new_slow(2, slice);
    struct plan_edge *edges = mem_array(count, sizeof *edges);
    struct plan_task *tasks = living_tasks(count + 1);
    for (uint32_t i = 0; i < count; i++) {
        edges[i] = (struct plan_edge){ .from = 0, .to = i + 1, .when = EDGE_WHEN_ALWAYS };
        tasks[i + 1].flags = TASK_GATE;
        tasks[i + 1].class_index = 1;
    }
    struct plan plan = living_plan(tasks, count + 1, edges, count);
    const struct plan_class classes[] = { LIVING_ANY, LIVING_NONE };
    plan.classes = classes;
    plan.classes_count = 2;
    living_submit(living, &plan);
    mem_free(tasks);
    mem_free(edges);
    living_finish_task(living, 1, OUTCOME_EXITED, 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    return living;
}

static size_t count_kept(const struct living *living)
{
    size_t count = 0;
    for (size_t i = 0; i < living->effects.count; i++) {
        count += living->effects.list[i].kind == EFFECT_KEEP_EDGE;
    }
    return count;
}

static bool is_due(const struct living *living)
{
    return engine_next_deadline(living->engine) <= living->now.boot_ms;
}

/* Until it has its next attempt, with a restart after that turn (0: none). Returns what was kept but for
   the turns in which its device comes back. */
static size_t retry(struct living *living, size_t slice, int restart_at)
{
    const int64_t root = 1;
    struct event event = living_reopening(&root, false);
    size_t kept = 0;
    living_revive(living);
    for (int turn = 1; turn == 1 || is_due(living); turn++) {
        assert_true(turn < TURNS_MAX);
        living_turn(living, &event, turn == 1);
        assert_true(count_kept(living) <= slice);
        kept += count_kept(living);
        living_compare(living);
        if (turn == restart_at) {
            living_restart(living);
        }
    }
    living_check(living);
    living_expect_state(living, 1, TASK_ASSIGNED);
    return kept;
}

static void what_is_kept_is_a_slice_of_rows_a_turn(void **state)
{
    (void)state;
    struct living *living = gates(WIDE, 0);
    assert_int_equal(retry(living, ENGINE_SLICE, 0), WIDE);
    living_finish_task(living, 1, OUTCOME_EXITED, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_end(living);
}

/* The one of the first round is with its edge already, and the next attempt has decided nothing. */
static void it_is_kept_whatever_rounds_and_restarts_there_are(void **state)
{
    (void)state;
    enum { GATES = 20, SLICE = 4 };
    for (int at = 0; at <= 12; at++) {
        struct living *living = gates(GATES, SLICE);
        for (int round = 2; round <= 4; round++) {
            size_t kept = retry(living, SLICE, at);
            assert_true(at > 0 || kept == GATES);
            living_finish_task(living, 1, OUTCOME_EXITED, 1);
            assert_int_equal(living_task(living, 1)->round, round);
        }
        for (int64_t id = 1; id <= GATES; id++) {
            assert_int_equal(living_edge(living, id)->decision, EDGE_OPEN);
        }
        living_end(living);
    }
}

/* A task that nobody has run decides as well, and has no attempt to leave. */
static void what_no_attempt_has_decided_is_where_it_stays(void **state)
{
    (void)state;
    struct living *living = living_new(2);
    struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LIVING_TASK };
    tasks[1].flags = tasks[2].flags = TASK_GATE;
    const struct plan_edge edges[] = { { .from = 0, .to = 1, .when = EDGE_WHEN_SUCCESS },
                                       { .from = 1, .to = 2, .when = EDGE_WHEN_ALWAYS } };
    struct plan plan = living_plan(tasks, 3, edges, 2);
    living_submit(living, &plan);
    living_finish_task(living, 1, OUTCOME_EXITED, 1);
    living_expect_state(living, 2, TASK_SKIPPED);
    living_expect_state(living, 3, TASK_SUCCEEDED);
    assert_int_equal(retry(living, ENGINE_SLICE, 0), 0);
    living_expect_state(living, 2, TASK_WAITING);
    assert_int_equal(living_edge(living, 2)->decision, EDGE_OPEN);
    living_finish_task(living, 1, OUTCOME_EXITED, 0);
    living_expect_state(living, 2, TASK_SUCCEEDED);
    living_end(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_a_slice_of_rows_a_turn),
        cmocka_unit_test(it_is_kept_whatever_rounds_and_restarts_there_are),
        cmocka_unit_test(what_no_attempt_has_decided_is_where_it_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
