/* What one turn takes on of a plan, however much there is of it: counted in rows and looks, with slices so
   small that every boundary is met. What devices take is in test_bounds_fleet.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

/* --- Reopening --- */

/* One task behind all of them stays skipped, since one is not tried again: all that leads to it is looked
   at for each of the others. */
static void a_retry_counts_what_it_looks_at(void **state)
{
    (void)state;
    enum { TASKS = 100, ROWS_A_TASK = 4, SLICE = 8 };
    struct living *living = living_new_slow(TASKS, SLICE);
    struct plan_task tasks[TASKS + 1] = { 0 };
    struct plan_edge edges[TASKS];
    for (uint32_t i = 0; i < TASKS; i++) {
        edges[i] = (struct plan_edge){ .from = i, .to = TASKS, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = living_plan_of(tasks, TASKS + 1, edges, TASKS);
    living_submit(living, &plan);
    int64_t ids[TASKS];
    for (int64_t id = 1; id <= TASKS; id++) {
        living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, 1);
        ids[id - 1] = id;
    }
    living_settle(living);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    living_revive(living);
    struct event event = { .kind = EVENT_REOPEN };
    event.reopen.constellation_id = 1;
    event.reopen.task_ids = ids;
    event.reopen.task_ids_count = TASKS - 1;
    living_turn(living, &event, 1);
    int turns = 0;
    while (living_find_hold(living, HOLD_RETRY, 0) != 0) {
        living_turn(living, NULL, 0);
        turns++;
    }
    assert_true(turns >= (TASKS - 1) * (ROWS_A_TASK + TASKS / LOOKS_A_ROW) / SLICE);
    assert_int_equal(living_task(living, TASKS + 1)->state, TASK_SKIPPED);
    living_check(living);
    living_free(living);
}

/* --- Skipping --- */

/* What closes the way to each is found behind all else that leads to it. */
static void a_skip_counts_what_it_looks_at(void **state)
{
    (void)state;
    enum { FROM = 160, TO = 20, TASKS = FROM + TO, EDGES = FROM * TO };
    enum { LOOKS_A_TURN = 16 * 32, SLICE = 32 };
    struct living *living = living_new_slow(FROM, SLICE);
    struct plan_task tasks[TASKS] = { 0 };
    struct plan_edge *edges = mem_array(EDGES, sizeof *edges);
    for (uint32_t i = 0; i < EDGES; i++) {
        edges[i] =
            (struct plan_edge){ .from = i / TO, .to = FROM + i % TO, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = living_plan_of(tasks, TASKS, edges, EDGES);
    living_submit(living, &plan);
    mem_free(edges);
    int turns = 1;
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 1);
    while (engine_next_deadline(living->engine) <= living->now.boot_ms) {
        living_turn(living, NULL, 0);
        turns++;
    }
    for (int64_t id = FROM + 1; id <= TASKS; id++) {
        living_expect_state(living, id, TASK_SKIPPED);
    }
    assert_true(turns >= (FROM - 1) * TO / LOOKS_A_TURN);
    living_end(living);
}

/* --- Finally --- */

static void finish_all(struct living *living, int64_t last)
{
    bool is_any = true;
    while (is_any) {
        is_any = false;
        for (int64_t id = 1; id <= last; id++) {
            if (living_task(living, id)->state == TASK_ASSIGNED) {
                living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, 0);
                living_settle(living);
                is_any = true;
            }
        }
    }
}

static void finally_tasks_run_again_after_a_rerun_that_a_restart_has_met(void **state)
{
    (void)state;
    enum { TASKS = 12, SLICE = 4 };
    for (int restart_at = 1; restart_at <= 20; restart_at++) {
        struct living *living = living_new_slow(TASKS, SLICE);
        struct plan_task tasks[TASKS] = { [TASKS - 1] = { .flags = TASK_FINALLY } };
        struct plan_edge edges[TASKS];
        for (uint32_t i = 1; i < TASKS - 1; i++) {
            edges[i - 1] = (struct plan_edge){ .from = 0, .to = i, .when = EDGE_WHEN_SUCCESS };
        }
        struct plan plan = living_plan_of(tasks, TASKS, edges, TASKS - 2);
        living_submit(living, &plan);
        finish_all(living, TASKS);
        assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
        living_revive(living);
        const int64_t root = 1;
        struct event event = { .kind = EVENT_REOPEN };
        event.reopen.constellation_id = 1;
        event.reopen.task_ids = &root;
        event.reopen.task_ids_count = 1;
        event.reopen.rerun = true;
        living_turn(living, &event, 1);
        for (int turn = 1; living_find_hold(living, HOLD_RERUN, 0) != 0; turn++) {
            if (turn == restart_at) {
                living_restart(living);
            }
            living_turn(living, NULL, 0);
        }
        living_settle(living);
        finish_all(living, TASKS);
        assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
        for (int64_t id = 1; id <= TASKS; id++) {
            assert_int_equal(living_task(living, id)->round, 2);
        }
        living_check(living);
        living_free(living);
    }
}

/* They are few, and each needs all before it. */
static void what_leads_out_of_finally_tasks_is_taken_back_by_slices(void **state)
{
    (void)state;
    enum { FINALS = 40, EDGES = FINALS * (FINALS - 1) / 2, SLICE = 64 };
    struct living *living = living_new_slow(FINALS, SLICE);
    struct plan_task tasks[FINALS + 1] = { 0 };
    struct plan_edge edges[EDGES];
    size_t count = 0;
    for (uint32_t to = 1; to <= FINALS; to++) {
        tasks[to].flags = TASK_FINALLY;
        for (uint32_t from = 1; from < to; from++) {
            edges[count++] =
                (struct plan_edge){ .from = from, .to = to, .when = EDGE_WHEN_SUCCESS };
        }
    }
    struct plan plan = living_plan_of(tasks, FINALS + 1, edges, EDGES);
    living_submit(living, &plan);
    finish_all(living, FINALS + 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_revive(living);
    const int64_t root = 1;
    struct event event = living_reopening(&root, true);
    living_turn(living, &event, 1);
    assert_int_equal(living->err, ERR_NONE);
    assert_true(living->effects.count <= 5 * SLICE);
    while (engine_next_deadline(living->engine) <= living->now.boot_ms) {
        living_turn(living, NULL, 0);
        assert_true(living->effects.count <= 5 * SLICE);
    }
    for (int64_t id = 2; id <= FINALS + 1; id++) {
        assert_int_equal(living_task(living, id)->round, 2);
        living_expect_state(living, id, TASK_WAITING);
    }
    finish_all(living, FINALS + 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_end(living);
}

/* --- Holds --- */

enum { SMALL_SLICE = 8, SMALL_TURN_MAX = 5 * SMALL_SLICE };

static struct event hold_on(const int64_t *ids, size_t count)
{
    struct event event = { .kind = EVENT_HOLD };
    event.hold.constellation_id = 1;
    event.hold.scope = HOLD_TASKS;
    event.hold.origin = HOLD_BY_REQUEST;
    event.hold.on_expiry = HOLD_EXPIRY_FAIL;
    event.hold.length_ms = 1000;
    event.hold.task_ids = ids;
    event.hold.task_ids_count = count;
    event.hold.owner = STR("ada");
    return event;
}

/* Turns until nothing is due, each with a bounded number of rows, and a restart after one of them. */
static int work_off(struct living *living, int restart_at)
{
    int turns = 0;
    while (engine_next_deadline(living->engine) <= living->now.boot_ms) {
        living_turn(living, NULL, 0);
        assert_true(living->effects.count <= SMALL_TURN_MAX);
        living_check(living);
        living_compare(living);
        assert_true(turns++ < 1000);
        if (turns == restart_at) {
            living_restart(living);
        }
    }
    return turns;
}

static void the_expiry_of_a_hold_on_many_fails_them_by_slices_over_a_restart_too(void **state)
{
    (void)state;
    enum { TASKS = 40, HELD = 30 };
    for (int restart_at = 0; restart_at < 8; restart_at++) {
        struct living *living = living_new_slow(1, SMALL_SLICE);
        struct plan_task tasks[TASKS] = { 0 };
        struct plan plan = living_plan_of(tasks, TASKS, NULL, 0);
        living_submit(living, &plan);
        int64_t ids[HELD];
        for (int64_t i = 0; i < HELD; i++) {
            ids[i] = TASKS - i;
        }
        struct event event = hold_on(ids, HELD);
        living_turn(living, &event, 1);
        living_settle(living);
        living_pass(living, 1000);
        assert_true(work_off(living, restart_at) >= HELD * 4 / SMALL_SLICE);
        for (int64_t id = 1; id <= TASKS; id++) {
            bool was_held = id > TASKS - HELD;
            assert_int_equal(living_task(living, id)->state == TASK_FAILED, was_held);
        }
        assert_int_equal(living_find_hold(living, HOLD_BY_REQUEST, 0), 0);
        living_free(living);
    }
}

/* --- Many of them --- */

enum { ORDINARY = 3, PAIRS = 20, LAST = ORDINARY + 2 * PAIRS };

enum second_round {
    BY_RERUN,
    BY_EDIT,
    BY_LARGE_EDIT,
    WAYS_END,
};

/* All has ended, and is loaded again: ordinary tasks, then pairs of finally tasks, one after the other. */
static struct living *many_finals(void)
{
    struct living *living = living_new_slow(LAST, SMALL_SLICE);
    static struct plan_task tasks[LAST];
    static struct plan_edge edges[PAIRS];
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint32_t first = ORDINARY + 2 * i;
        tasks[first].flags = tasks[first + 1].flags = TASK_FINALLY;
        edges[i] = (struct plan_edge){ .from = first, .to = first + 1, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = living_plan_of(tasks, LAST, edges, PAIRS);
    living_submit(living, &plan);
    finish_all(living, LAST);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_revive(living);
    return living;
}

static void begin_second_round(struct living *living, enum second_round way)
{
    static const struct plan_task plain = { .key = { "n", 1 }, .body = { "b", 1 } };
    static const int64_t root = 1;
    struct edit_operation add = living_addition(0);
    add.write.plan = &plain;
    const struct edit edit = { .constellation_id = 1,
                               .operations = &add,
                               .operations_count = 1,
                               .tasks_added = 1,
                               .author_kind = AUTHOR_USER,
                               .author = STR("ada") };
    struct event event = { .kind = EVENT_EDIT };
    event.edit.edit = &edit;
    if (way == BY_LARGE_EDIT) {
        assert_int_equal(living_bulk(living, &edit, 4), ERR_NONE);
        return;
    }
    if (way == BY_RERUN) {
        event = (struct event){ .kind = EVENT_REOPEN };
        event.reopen.constellation_id = 1;
        event.reopen.task_ids = &root;
        event.reopen.task_ids_count = 1;
        event.reopen.rerun = true;
    }
    living_turn(living, &event, 1);
    assert_true(living->effects.count <= SMALL_TURN_MAX);
}

/* One that runs has what it depends on of the same round. */
static void finish_in_order(struct living *living)
{
    int64_t last = living->last_id > LAST ? living->last_id : LAST;
    bool is_any = true;
    while (is_any) {
        is_any = false;
        for (int64_t id = 1; id <= last; id++) {
            const struct task_record *task = living_task(living, id);
            if (task == NULL || task->state != TASK_ASSIGNED) {
                continue;
            }
            bool is_second = id > ORDINARY && id <= LAST && (id - ORDINARY) % 2 == 0;
            if (is_second) {
                assert_int_equal(living_task(living, id - 1)->round, 2);
                assert_int_equal(living_task(living, id - 1)->state, TASK_SUCCEEDED);
            }
            living_finish(living, task->fence, OUTCOME_EXITED, 0);
            living_settle(living);
            is_any = true;
        }
    }
}

static void many_finally_tasks_are_called_back_by_slices_over_a_restart_too(void **state)
{
    (void)state;
    for (int restart_at = 0; restart_at <= 60; restart_at++) {
        struct living *living = many_finals();
        begin_second_round(living, (enum second_round)(restart_at % WAYS_END));
        work_off(living, restart_at);
        finish_in_order(living);
        assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
        for (int64_t id = ORDINARY + 1; id <= LAST; id++) {
            assert_int_equal(living_task(living, id)->round, 2);
        }
        living_check(living);
        living_free(living);
    }
}

static void what_goes_on_in_the_turn_of_its_end_is_held_by_nothing(void **state)
{
    (void)state;
    struct living *living = living_new(2);
    struct plan_task tasks[2] = { 0 };
    struct plan_edge edge = { .from = 0, .to = 1, .when = EDGE_WHEN_SUCCESS };
    struct plan plan = living_plan_of(tasks, 2, &edge, 1);
    living_submit(living, &plan);
    const int64_t ids[] = { 1, 2 };
    struct event hold = hold_on(ids, 2);
    hold.hold.length_ms = 0;
    living_turn(living, &hold, 1);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    /* It ends with the task that is taken away; the hold named the other too. */
    struct edit_operation removals[] = { { .kind = EDIT_REMOVE_EDGE },
                                         { .kind = EDIT_REMOVE_TASK, .index = 1 } };
    removals[0].edge.edge_id = 1;
    removals[1].task = 2;
    const struct edit edit = { .constellation_id = 1,
                               .operations = removals,
                               .operations_count = 2,
                               .author_kind = AUTHOR_USER,
                               .author = STR("ada") };
    struct event events[] = { { .kind = EVENT_EDIT }, { .kind = EVENT_REOPEN } };
    events[0].edit.edit = &edit;
    events[1].reopen.constellation_id = 1;
    events[1].reopen.task_ids = ids;
    events[1].reopen.task_ids_count = 1;
    events[1].reopen.rerun = true;
    living_turn(living, events, 2);
    living_settle(living);
    assert_int_equal(living_find_hold(living, HOLD_BY_REQUEST, 0), 0);
    assert_int_equal(living_task(living, 1)->state, TASK_ASSIGNED);
    living_check(living);
    living_compare(living);
    living_free(living);
}

static void many_that_are_let_go_go_by_slices(void **state)
{
    (void)state;
    enum { TASKS = 40 };
    struct living *living = living_new_slow(1, SMALL_SLICE);
    struct plan_task tasks[TASKS] = { 0 };
    struct plan_edge edges[TASKS];
    for (uint32_t i = 1; i < TASKS; i++) {
        tasks[i].flags = TASK_GATE;
        edges[i - 1] = (struct plan_edge){ .from = 0, .to = i, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = living_plan_of(tasks, TASKS, edges, TASKS - 1);
    living_submit(living, &plan);
    int64_t ids[TASKS - 1];
    for (int64_t i = 0; i < TASKS - 1; i++) {
        ids[i] = 2 + i;
    }
    struct event event = hold_on(ids, TASKS - 1);
    event.hold.length_ms = 0;
    living_turn(living, &event, 1);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    assert_int_equal(living_task(living, TASKS)->state, TASK_WAITING);
    struct event release = { .kind = EVENT_RELEASE };
    release.release.constellation_id = 1;
    release.release.hold_id = living_find_hold(living, HOLD_BY_REQUEST, 0);
    release.release.approved = true;
    living_turn(living, &release, 1);
    assert_true(living->effects.count <= SMALL_TURN_MAX);
    work_off(living, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_free(living);
}

static void no_more_failures_are_held_than_can_be_let_go_in_one_turn(void **state)
{
    (void)state;
    enum { TASKS = ENGINE_FAILURE_HOLDS_MAX + 1 };
    struct living *living = living_new(TASKS);
    struct plan_policy holding = LIVING_ONCE;
    holding.hold_on_failure_ms = 1000;
    struct plan_task *tasks = mem_array(TASKS + 1, sizeof *tasks);
    struct plan_edge *edges = mem_array(TASKS, sizeof *edges);
    for (uint32_t i = 0; i < TASKS; i++) {
        edges[i] = (struct plan_edge){ .from = i, .to = TASKS, .when = EDGE_WHEN_FINISHED };
    }
    edges[0].when = edges[TASKS - 1].when = EDGE_WHEN_SUCCESS;
    tasks[TASKS].flags = TASK_JOIN_ANY;
    struct plan plan = living_plan_of(tasks, TASKS + 1, edges, TASKS);
    plan.policies = &holding;
    living_submit(living, &plan);
    const struct constellation *constellation = map_get(&living->engine->constellations, 1);
    for (int64_t id = 1; id <= TASKS; id++) {
        living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, 1);
    }
    assert_int_equal(constellation->failure_holds, ENGINE_FAILURE_HOLDS_MAX);
    assert_int_equal(living_edge(living, 1)->decision, EDGE_UNDECIDED);
    assert_int_equal(living_edge(living, TASKS)->decision, EDGE_CLOSED);
    struct event cancel = living_cancel();
    living_turn(living, &cancel, 1);
    assert_int_equal(constellation->failure_holds, 0);
    living_check(living);
    mem_free(tasks);
    mem_free(edges);
    living_free(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_counts_what_it_looks_at),
        cmocka_unit_test(a_skip_counts_what_it_looks_at),
        cmocka_unit_test(finally_tasks_run_again_after_a_rerun_that_a_restart_has_met),
        cmocka_unit_test(what_leads_out_of_finally_tasks_is_taken_back_by_slices),
        cmocka_unit_test(the_expiry_of_a_hold_on_many_fails_them_by_slices_over_a_restart_too),
        cmocka_unit_test(many_finally_tasks_are_called_back_by_slices_over_a_restart_too),
        cmocka_unit_test(what_goes_on_in_the_turn_of_its_end_is_held_by_nothing),
        cmocka_unit_test(many_that_are_let_go_go_by_slices),
        cmocka_unit_test(no_more_failures_are_held_than_can_be_let_go_in_one_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
