/* Edits of many operations in the engine: what else happens while the parts of one are being made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum { TASKS = 4, DEADLINE_MS = 10000, QUEUE_MS = 1000 };

static struct plan_policy hasty; /* who has waited in the queue for too long fails */

static struct living *world(uint32_t slots, size_t count, int64_t deadline_ms)
{
    hasty = LIVING_ONCE;
    hasty.queue_timeout_ms = QUEUE_MS;
    const struct plan_task tasks[TASKS] = { LIVING_TASK, LIVING_TASK, LIVING_TASK, LIVING_TASK };
    struct living *living = living_new(slots);
    struct plan plan = living_plan(tasks, count, NULL, 0);
    plan.policies = &hasty;
    plan.deadline_ms = deadline_ms;
    living_submit(living, &plan);
    return living;
}

static void pass(struct living *living, int64_t ms)
{
    living_pass(living, ms);
    living_turn(living, NULL, 0);
}

/* All but the first task are written anew, one a part; a cancel comes with the admission. */
static struct living *cancelled_midway(void)
{
    struct living *living = world(1, TASKS, 0);
    struct edit_operation operations[TASKS - 1];
    for (int i = 0; i < TASKS - 1; i++) {
        operations[i] = (struct edit_operation){ .kind = EDIT_UPDATE_TASK, .index = (uint32_t)i };
        operations[i].write.task = 2 + i;
        operations[i].write.plan = &LIVING_TASK;
        operations[i].write.class = &LIVING_ANY;
        operations[i].write.policy = &hasty;
    }
    const struct edit edit = { .constellation_id = 1,
                               .operations = operations,
                               .operations_count = TASKS - 1,
                               .author_kind = AUTHOR_USER,
                               .author = STR("ada") };
    assert_int_equal(living_task(living, 1)->state, TASK_ASSIGNED);
    struct event event = living_bulk_begin(&edit);
    living_turn(living, &event, 1);
    assert_int_equal(living->err, ERR_NONE);
    struct event events[] = { living_bulk_check(living, &edit, living->hold_id, 1),
                              living_cancel() };
    assert_int_equal(events[0].kind, EVENT_BULK_ADMIT);
    living_turn(living, events, 2);
    assert_int_equal(living->bulk.next, 1);
    return living;
}

static void expect_all_but_the_first_cancelled(struct living *living)
{
    living_settle(living);
    assert_int_equal(living->constellation.revision, 2);
    for (int64_t id = 2; id <= TASKS; id++) {
        assert_int_equal(living_task(living, id)->state, TASK_CANCELLED);
    }
    assert_int_equal(living->constellation.state, CONSTELLATION_CANCELLED);
}

static void what_is_ready_is_cancelled_when_all_parts_are_made(void **state)
{
    (void)state;
    struct living *living = cancelled_midway();
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    assert_int_equal(living_task(living, TASKS)->state, TASK_WAITING);
    expect_all_but_the_first_cancelled(living);
    living_end(living);
}

static void what_was_ready_too_long_is_cancelled_when_all_parts_are_made(void **state)
{
    (void)state;
    struct living *living = cancelled_midway();
    pass(living, QUEUE_MS);
    assert_int_equal(living_task(living, TASKS)->state, TASK_WAITING);
    living_settle(living);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    expect_all_but_the_first_cancelled(living);
    living_end(living);
}

/* A `set` says all of it anew, also what it leaves as it was. */
static void a_deadline_that_has_passed_is_none_for_what_an_edit_reopens(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct living *living = world(1, 1, DEADLINE_MS);
        living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
        living_settle(living);
        assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
        pass(living, DEADLINE_MS);
        struct edit_operation operations[2] = { living_addition(0), { .kind = EDIT_SET } };
        operations[1].set.deadline_ms = DEADLINE_MS;
        const struct edit edit = { .constellation_id = 1,
                                   .operations = operations,
                                   .operations_count = 2,
                                   .tasks_added = 1,
                                   .author_kind = AUTHOR_USER,
                                   .author = STR("ada") };
        living_revive(living);
        struct event event = living_bulk_begin(&edit);
        living_turn(living, &event, 1);
        assert_int_equal(living->err, ERR_NONE);
        event = living_bulk_check(living, &edit, living->hold_id, 1);
        living_revive(living);
        living_turn(living, &event, 1);
        if (restarts == 1) {
            living_restart(living);
        }
        living_settle(living);
        assert_int_equal(living->constellation.revision, 2);
        assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
        assert_int_equal(living->constellation.deadline_wall_ms, 0);
        assert_false(living->constellation.stopping);
        living_end(living);
    }
}

/* A trial puts what it takes away back, at another place of the lists that a rerun goes through. */
static void what_is_tried_while_a_rerun_is_made_hides_nothing_from_it(void **state)
{
    (void)state;
    const struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LIVING_TASK, LIVING_TASK,
                                       LIVING_TASK };
    const struct plan_edge edges[] = {
        { .from = 0, .to = 2, .when = EDGE_WHEN_SUCCESS },
        { .from = 1, .to = 2, .when = EDGE_WHEN_SUCCESS },
        { .from = 0, .to = 3, .when = EDGE_WHEN_SUCCESS },
        { .from = 0, .to = 4, .when = EDGE_WHEN_SUCCESS },
    };
    struct plan plan = living_plan(tasks, 5, edges, 4);
    struct living *living = living_new_slow(8, 1);
    living_submit(living, &plan);
    living_settle(living);
    living_finish(living, living_task(living, 2)->fence, OUTCOME_EXITED, 1);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    living_finish(living, living_task(living, 4)->fence, OUTCOME_EXITED, 0);
    living_finish(living, living_task(living, 5)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    assert_int_equal(living_task(living, 3)->state, TASK_SKIPPED);
    assert_int_equal(living_edge(living, 1)->decision, EDGE_OPEN);
    living_revive(living);
    int64_t id = 1;
    struct event event = { .kind = EVENT_REOPEN };
    event.reopen.request = 1;
    event.reopen.constellation_id = 1;
    event.reopen.task_ids = &id;
    event.reopen.task_ids_count = 1;
    event.reopen.rerun = true;
    event.reopen.actor = STR("ada");
    living_turn(living, &event, 1);
    assert_true(living_find_hold(living, HOLD_RERUN, 0) != 0);
    struct edit_operation operation = { .kind = EDIT_REMOVE_EDGE };
    operation.edge.edge_id = 1;
    const struct edit edit = { .constellation_id = 1,
                               .dry_run = true,
                               .operations = &operation,
                               .operations_count = 1,
                               .author_kind = AUTHOR_USER,
                               .author = STR("ada") };
    while (living_edge(living, 4)->decision != EDGE_UNDECIDED) { /* it stands first */
        living_turn(living, NULL, 0);
    }
    assert_int_equal(living_edge(living, 1)->decision, EDGE_OPEN);
    event = (struct event){ .kind = EVENT_EDIT };
    event.edit.edit = &edit;
    living_turn(living, &event, 1);
    assert_int_equal(living->err, ERR_CONFLICT);
    living_settle(living);
    assert_int_equal(living_edge(living, 1)->decision, EDGE_UNDECIDED);
    living_end(living);
}

/* Of what it adds nothing is there yet: others may not take the room for that, nor is it admitted without. */
static void what_an_edit_is_still_to_add_has_its_room_kept(void **state)
{
    (void)state;
    for (int is_short = 0; is_short < 2; is_short++) {
        struct living *living = world(1, 1, 0);
        struct edit_operation operations[] = { living_addition(0), living_addition(1),
                                               living_addition(2) };
        struct plan_class classes[] = { LIVING_ANY, LIVING_ANY };
        classes[0].selector = STR("a!=b");
        classes[1].selector = STR("c!=d");
        operations[1].write.class = &classes[0];
        operations[2].write.class = &classes[1];
        const struct edit edit = living_batch(operations, 3);
        struct event event = living_bulk_begin(&edit);
        living_turn(living, &event, 1);
        event = living_bulk_check(living, &edit, living->hold_id, 1);
        assert_int_equal(event.bulk_admit.classes, 3);
        struct engine *engine = living->engine;
        uint64_t waking = ENGINE_LIVE_TASKS_MAX - 1 - 3 + (uint64_t)is_short;
        engine->waking_tasks = waking;
        living_turn(living, &event, 1);
        if (is_short == 1) {
            assert_string_equal(living->why, "too_many_tasks");
            assert_int_equal(living->bulk.id, 0);
            assert_int_equal(engine->tasks_due, 0);
        } else {
            assert_int_equal(living->bulk.next, 1);
            assert_int_equal(engine->tasks_due, 2);
            assert_int_equal(engine->classes_due, 3);
            assert_false(constellation_has_room(engine, 1));
            engine->waking_tasks = 0;
            living_restart(living); /* which makes the next part */
            engine = living->engine;
            assert_int_equal(engine->tasks_due + engine->live_tasks, 4);
            living_settle(living);
            assert_int_equal(engine->live_tasks, 4);
        }
        engine->waking_tasks = 0;
        assert_int_equal(engine->tasks_due, 0);
        assert_int_equal(engine->classes_due, 0);
        assert_int_equal(engine->policies_due, 0);
        living_end(living);
    }
}

static void nor_do_plans_come_in_together_that_would_not_fit_together(void **state)
{
    (void)state;
    struct living *living = living_new_slow(1, 1);
    const struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LIVING_TASK };
    const struct plan plan = living_plan(tasks, 3, NULL, 0);
    living->engine->waking_tasks = ENGINE_LIVE_TASKS_MAX - 5;
    struct event events[] = { living_submission(&plan), living_submission(&plan) };
    living_turn(living, events, 2);
    assert_int_equal(living->err, ERR_LIMIT);
    assert_int_equal(living->engine->tasks_due + living->engine->live_tasks, 3);
    living_settle(living);
    assert_int_equal(living->engine->tasks_due, 0);
    assert_int_equal(living->engine->live_tasks, 3);
    living->engine->waking_tasks = 0;
    living_end(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ready_is_cancelled_when_all_parts_are_made),
        cmocka_unit_test(what_was_ready_too_long_is_cancelled_when_all_parts_are_made),
        cmocka_unit_test(what_is_tried_while_a_rerun_is_made_hides_nothing_from_it),
        cmocka_unit_test(what_an_edit_is_still_to_add_has_its_room_kept),
        cmocka_unit_test(nor_do_plans_come_in_together_that_would_not_fit_together),
        cmocka_unit_test(a_deadline_that_has_passed_is_none_for_what_an_edit_reopens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
