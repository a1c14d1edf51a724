/* Edits, retries and reruns, rule by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/living_plan.h"

/* Tasks 1 … n, in a chain if asked for. */
static struct living *world(size_t tasks, bool is_chain)
{
    struct living *living = living_new(64);
    struct plan_task *list = living_tasks(tasks);
    struct plan_edge *edges = mem_array(tasks, sizeof *edges);
    for (size_t i = 0; i < tasks; i++) {
        edges[i] = (struct plan_edge){
            .from = (uint32_t)i, .to = (uint32_t)i + 1, .when = EDGE_WHEN_SUCCESS, .named = true
        };
    }
    struct plan plan = living_plan(list, tasks, edges, is_chain ? tasks - 1 : 0);
    living_submit(living, &plan);
    mem_free(list);
    mem_free(edges);
    return living;
}

static struct edit_operation removal(edit_task task)
{
    struct edit_operation operation = { .kind = EDIT_REMOVE_TASK };
    operation.task = task;
    return operation;
}

static struct edit_operation cut(int64_t edge_id)
{
    struct edit_operation operation = { .kind = EDIT_REMOVE_EDGE };
    operation.edge.edge_id = edge_id;
    return operation;
}

static enum err edit(struct living *living, struct edit_operation *operations, size_t count,
                     bool dry_run)
{
    struct edit batch = living_batch(operations, count);
    batch.dry_run = dry_run;
    return living_edit(living, &batch);
}

static void finish(struct living *living, int64_t id, int exit_code)
{
    living_finish_task(living, id, OUTCOME_EXITED, exit_code);
}

static void expect_refused(struct living *living, enum edit_code code, uint32_t index)
{
    assert_int_equal(living->err, ERR_CONFLICT);
    assert_true(living->edit.problems_count > 0);
    assert_string_equal(edit_code_name(living->edit.problems[0].code), edit_code_name(code));
    assert_int_equal(living->edit.problems[0].index, index);
}

static enum err reopen(struct living *living, int64_t id, bool rerun, bool keep_skipped)
{
    living_revive(living);
    struct event event = living_reopening(&id, rerun);
    event.reopen.keep_skipped = keep_skipped;
    living_turn(living, &event, 1);
    enum err err = living->err;
    living_settle(living);
    return err;
}

static void a_failing_task_is_replaced_by_two_others_while_it_runs(void **state)
{
    (void)state;
    struct living *living = world(3, true); /* 1 → 2 → 3 */
    finish(living, 1, 0);
    living_expect_state(living, 2, TASK_ASSIGNED);
    struct edit_operation operations[] = { living_addition(0),
                                           living_addition(1),
                                           living_link(2, -1, EDGE_WHEN_FAILURE),
                                           living_link(-1, -2, EDGE_WHEN_SUCCESS),
                                           living_link(-2, 3, EDGE_WHEN_SUCCESS),
                                           cut(2) };
    assert_int_equal(edit(living, operations, 6, true), ERR_NONE);
    assert_int_equal(living->edit.revision, 2);
    assert_int_equal(living->edit.longest_path_before, 3);
    assert_int_equal(living->edit.longest_path_after, 5);
    living_compare(living);
    assert_int_equal(edit(living, operations, 6, false), ERR_NONE);
    assert_int_equal(living->edit.revision, 2);
    assert_int_equal(living->edit.added, 2);
    assert_int_equal(living->edit.edges_removed, 1);
    living_compare(living);
    int64_t first = 0;
    int64_t second = 0;
    for (int64_t id = 4; id <= living->last_id; id++) {
        if (living_task(living, id) != NULL) {
            first = first == 0 ? id : first;
            second = id;
        }
    }
    finish(living, 2, 1);
    finish(living, first, 0);
    finish(living, second, 0);
    living_expect_state(living, 3, TASK_ASSIGNED);
    assert_int_equal(living_task(living, 3)->revision, 2);
    living_end(living);
}

static void every_problem_of_a_batch_is_told_and_nothing_is_changed(void **state)
{
    (void)state;
    struct living *living = world(4, true);
    finish(living, 1, 0);
    struct buf before = { 0 };
    struct buf after = { 0 };
    engine_dump(living->engine, &before);
    struct edit_operation operations[] = { removal(1),
                                           removal(99),
                                           living_link(4, 3, EDGE_WHEN_SUCCESS),
                                           living_link(3, 4, EDGE_WHEN_SUCCESS),
                                           cut(1),
                                           removal(3),
                                           cut(77),
                                           living_addition(0) };
    assert_int_equal(edit(living, operations, 8, false), ERR_CONFLICT);
    static const enum edit_code codes[] = { EDIT_CODE_TASK_FINAL,     EDIT_CODE_UNKNOWN_TASK,
                                            EDIT_CODE_UNKNOWN_TASK,   EDIT_CODE_UNKNOWN_TASK,
                                            EDIT_CODE_TARGET_STARTED, EDIT_CODE_HAS_DEPENDENTS,
                                            EDIT_CODE_UNKNOWN_EDGE };
    assert_int_equal(living->edit.problems_count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(living->edit.problems[i].index, i);
        assert_int_equal(living->edit.problems[i].code, codes[i]);
        assert_true(living->edit.problems[i].detail.length > 0);
    }
    engine_dump(living->engine, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    buf_done(&before);
    buf_done(&after);
    living_end(living);
}

static void a_cycle_is_refused_and_named_in_its_order(void **state)
{
    (void)state;
    struct living *living = world(5, true);
    struct edit_operation operations[] = { living_link(4, 2, EDGE_WHEN_ALWAYS) };
    edit(living, operations, 1, false);
    expect_refused(living, EDIT_CODE_CYCLE, 0);
    const struct edit_problem *problem = &living->edit.problems[0];
    assert_int_equal(problem->tasks_count, 3);
    assert_int_equal(problem->tasks[0], 4);
    assert_int_equal(problem->tasks[1], 2);
    assert_int_equal(problem->tasks[2], 3);
    living_end(living);
}

static void the_same_dependency_twice_is_refused_another_kind_is_not(void **state)
{
    (void)state;
    struct living *living = world(3, true);
    struct edit_operation operations[] = { living_link(2, 3, EDGE_WHEN_SUCCESS),
                                           living_link(2, 3, EDGE_WHEN_FINISHED),
                                           living_link(2, 3, EDGE_WHEN_FINISHED) };
    edit(living, operations, 3, false);
    assert_int_equal(living->edit.problems_count, 2);
    expect_refused(living, EDIT_CODE_DUPLICATE_EDGE, 0);
    assert_int_equal(living->edit.problems[1].index, 2);
    assert_int_equal(edit(living, &operations[1], 1, false), ERR_NONE);
    living_end(living);
}

static void an_old_base_is_rebased_unless_it_touches_what_changed(void **state)
{
    (void)state;
    struct living *living = world(4, true);
    struct edit_operation one[] = { living_link(1, 3, EDGE_WHEN_FINISHED) };
    assert_int_equal(edit(living, one, 1, false), ERR_NONE);
    struct edit_operation two[] = { living_link(2, 4, EDGE_WHEN_FINISHED) };
    struct edit batch = {
        .constellation_id = 1, .base_revision = 1, .operations = two, .operations_count = 1
    };
    assert_int_equal(living_edit(living, &batch), ERR_NONE);
    two[0] = living_link(1, 4, EDGE_WHEN_FINISHED);
    living_edit(living, &batch);
    expect_refused(living, EDIT_CODE_CONFLICT, 0);
    batch.base_revision = 3;
    batch.exact = true;
    assert_int_equal(living_edit(living, &batch), ERR_NONE);
    living_edit(living, &batch);
    expect_refused(living, EDIT_CODE_STALE, EDIT_WHOLE);
    batch.base_revision = 9;
    living_edit(living, &batch);
    expect_refused(living, EDIT_CODE_FUTURE_BASE, EDIT_WHOLE);
    living_end(living);
}

static void an_expectation_that_does_not_hold_refuses_the_edit(void **state)
{
    (void)state;
    struct living *living = world(2, true);
    struct edit_expect expect = { .task_id = 1, .state = TASK_WAITING, .index = 0 };
    struct edit batch = { .constellation_id = 1, .expects = &expect, .expects_count = 1 };
    living_edit(living, &batch);
    expect_refused(living, EDIT_CODE_EXPECT_FAILED, 0);
    assert_true(living->edit.problems[0].in_expect);
    expect = (struct edit_expect){ .task_id = 1, .state = TASK_ASSIGNED, .attempts = 1 };
    assert_int_equal(living_edit(living, &batch), ERR_NONE);
    living_end(living);
}

static void a_skipped_task_that_is_rewired_is_decided_anew(void **state)
{
    (void)state;
    struct living *living = world(4, true); /* 1 → 2 → 3 → 4, and 5 for itself */
    struct edit_operation fifth[] = { living_addition(0) };
    edit(living, fifth, 1, false);
    living_settle(living);
    finish(living, 1, 1);
    living_expect_state(living, 2, TASK_SKIPPED);
    living_expect_state(living, 4, TASK_SKIPPED);
    struct edit_operation operations[] = { cut(1) };
    assert_int_equal(edit(living, operations, 1, true), ERR_NONE);
    assert_int_equal(living->edit.newly_ready_count, 1);
    assert_int_equal(living->edit.newly_ready[0], 2);
    assert_int_equal(edit(living, operations, 1, false), ERR_NONE);
    assert_int_equal(living->edit.newly_ready_count, 1);
    living_settle(living);
    living_expect_state(living, 2, TASK_ASSIGNED);
    living_expect_state(living, 4, TASK_WAITING);
    living_end(living);
}

static void what_an_edit_skips_is_told_with_what_is_behind_it(void **state)
{
    (void)state;
    struct living *living = world(4, false);
    struct edit_operation chain[] = { living_addition(0), living_link(2, -1, EDGE_WHEN_SUCCESS) };
    edit(living, chain, 2, false);
    living_settle(living);
    int64_t last = living->last_id;
    while (living_task(living, last) == NULL) {
        last--;
    }
    finish(living, 1, 1);
    struct edit_operation operations[] = {
        living_addition(0), living_link(1, -1, EDGE_WHEN_SUCCESS), living_addition(1),
        living_link(-1, -2, EDGE_WHEN_SUCCESS), living_link(1, last, EDGE_WHEN_SUCCESS)
    };
    assert_int_equal(edit(living, operations, 5, true), ERR_NONE);
    assert_int_equal(living->edit.newly_skipped_count, 3);
    assert_int_equal(edit(living, operations, 5, false), ERR_NONE);
    assert_int_equal(living->edit.newly_skipped_count, 3);
    living_settle(living);
    living_expect_state(living, last, TASK_SKIPPED);
    living_end(living);
}

static void slots_are_given_out_again_and_found_by_their_new_ids(void **state)
{
    (void)state;
    struct living *living = world(40, true);
    int64_t newest = 0;
    for (int round = 0; round < 200; round++) {
        struct edit_operation grow[] = { living_addition(0),
                                         living_link(40, -1, EDGE_WHEN_SUCCESS) };
        assert_int_equal(edit(living, grow, 2, false), ERR_NONE);
        for (newest = 1000; living_task(living, newest) == NULL; newest--) {
        }
        living_check(living);
        if (round % 2 == 0) {
            struct edit_operation shrink[] = { removal(newest) };
            assert_int_equal(edit(living, shrink, 1, false), ERR_NONE);
            living_check(living);
        }
    }
    assert_int_equal(living->constellation.tasks, 140);
    assert_int_equal(living->constellation.revision, 301);
    living_end(living);
}

static void the_last_task_cannot_be_removed(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    static const struct plan_class elsewhere = { .executor = EXECUTOR_RUN };
    const struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK };
    struct plan plan = { .name = STR("plan"),
                         .classes = &elsewhere,
                         .classes_count = 1,
                         .policies = &LIVING_ONCE,
                         .policies_count = 1,
                         .tasks = tasks,
                         .tasks_count = 2 };
    living_submit(living, &plan);
    struct edit_operation operations[] = { removal(1), removal(2) };
    edit(living, operations, 2, false);
    expect_refused(living, EDIT_CODE_NO_TASKS, EDIT_WHOLE);
    assert_int_equal(edit(living, operations, 1, false), ERR_NONE);
    edit(living, &operations[1], 1, false);
    expect_refused(living, EDIT_CODE_NO_TASKS, EDIT_WHOLE);
    living_end(living);
}

static void removing_all_that_is_left_ends_the_constellation(void **state)
{
    (void)state;
    struct living *living = world(3, false);
    struct edit_operation behind[] = { living_addition(0), living_link(3, -1, EDGE_WHEN_SUCCESS) };
    edit(living, behind, 2, false);
    finish(living, 1, 0);
    finish(living, 2, 0);
    struct edit_operation operations[] = { removal(4) };
    assert_int_equal(edit(living, operations, 1, false), ERR_NONE);
    finish(living, 3, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    assert_int_equal(living->constellation.succeeded, 3);
    living_end(living);
}

static void a_failed_task_is_retried_with_what_was_skipped_for_it(void **state)
{
    (void)state;
    struct living *living = world(3, true);
    finish(living, 1, 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    assert_int_equal(reopen(living, 2, false, false), ERR_CONFLICT);
    assert_memory_equal(living->why, "task_skipped:", 13);
    assert_int_equal(reopen(living, 1, false, false), ERR_NONE);
    assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
    assert_int_equal(living_task(living, 1)->round, 2);
    living_expect_state(living, 2, TASK_WAITING);
    living_expect_state(living, 3, TASK_WAITING);
    finish(living, 1, 0);
    finish(living, 2, 0);
    finish(living, 3, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_end(living);
}

static void what_was_skipped_may_be_kept_so(void **state)
{
    (void)state;
    struct living *living = world(2, true);
    finish(living, 1, 1);
    assert_int_equal(reopen(living, 1, false, true), ERR_NONE);
    living_expect_state(living, 2, TASK_SKIPPED);
    finish(living, 1, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    assert_int_equal(living->constellation.skipped, 1);
    living_end(living);
}

static void a_rerun_takes_all_that_is_behind_and_waits_for_what_runs(void **state)
{
    (void)state;
    struct living *living = world(3, true);
    finish(living, 1, 0);
    assert_int_equal(reopen(living, 1, true, false), ERR_CONFLICT);
    assert_memory_equal(living->why, "task_running:", 13);
    finish(living, 2, 0);
    finish(living, 3, 0);
    assert_int_equal(reopen(living, 1, false, false), ERR_CONFLICT);
    assert_memory_equal(living->why, "not_failed:", 11);
    assert_int_equal(reopen(living, 2, true, false), ERR_NONE);
    living_expect_state(living, 1, TASK_SUCCEEDED);
    living_expect_state(living, 2, TASK_ASSIGNED);
    living_expect_state(living, 3, TASK_WAITING);
    assert_int_equal(living_task(living, 3)->round, 2);
    living_end(living);
}

static void an_edit_reopens_what_has_ended(void **state)
{
    (void)state;
    struct living *living = world(2, true);
    finish(living, 1, 0);
    finish(living, 2, 0);
    assert_null(engine_constellation(living->engine, 1));
    living_revive(living);
    struct edit_operation operations[] = { living_addition(0),
                                           living_link(2, -1, EDGE_WHEN_SUCCESS) };
    assert_int_equal(edit(living, operations, 2, true), ERR_NONE);
    assert_null(engine_constellation(living->engine, 1));
    living_revive(living);
    assert_int_equal(edit(living, operations, 2, false), ERR_NONE);
    living_settle(living);
    assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
    assert_int_equal(living->constellation.tasks, 3);
    living_end(living);
}

static void more_placements_than_there_may_be_are_refused(void **state)
{
    (void)state;
    enum { STEP = 1000, MANY = ENGINE_CLASSES_MAX };
    struct living *living = world(1, false); /* which has one already */
    struct edit_operation operations[STEP];
    struct plan_class classes[STEP];
    char names[STEP][16];
    size_t count = 1;
    for (; count + STEP <= MANY; count += STEP) {
        for (size_t i = 0; i < STEP; i++) {
            operations[i] = living_addition(i);
            classes[i] = LIVING_ANY;
            snprintf(names[i], sizeof names[i], "d%zu", count + i);
            classes[i].device = str_of(names[i]);
            operations[i].write.class = &classes[i];
        }
        assert_int_equal(edit(living, operations, STEP, false), ERR_NONE);
    }
    edit(living, operations, STEP, false); /* the last ones again are no new ones, but may be */
    expect_refused(living, EDIT_CODE_TOO_MANY_CLASSES, EDIT_WHOLE);
    assert_int_equal(edit(living, operations, MANY - count, true), ERR_NONE);
    living_end(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_placements_than_there_may_be_are_refused),
        cmocka_unit_test(a_failing_task_is_replaced_by_two_others_while_it_runs),
        cmocka_unit_test(every_problem_of_a_batch_is_told_and_nothing_is_changed),
        cmocka_unit_test(a_cycle_is_refused_and_named_in_its_order),
        cmocka_unit_test(the_same_dependency_twice_is_refused_another_kind_is_not),
        cmocka_unit_test(an_old_base_is_rebased_unless_it_touches_what_changed),
        cmocka_unit_test(an_expectation_that_does_not_hold_refuses_the_edit),
        cmocka_unit_test(a_skipped_task_that_is_rewired_is_decided_anew),
        cmocka_unit_test(what_an_edit_skips_is_told_with_what_is_behind_it),
        cmocka_unit_test(slots_are_given_out_again_and_found_by_their_new_ids),
        cmocka_unit_test(the_last_task_cannot_be_removed),
        cmocka_unit_test(removing_all_that_is_left_ends_the_constellation),
        cmocka_unit_test(a_failed_task_is_retried_with_what_was_skipped_for_it),
        cmocka_unit_test(what_was_skipped_may_be_kept_so),
        cmocka_unit_test(a_rerun_takes_all_that_is_behind_and_waits_for_what_runs),
        cmocka_unit_test(an_edit_reopens_what_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
