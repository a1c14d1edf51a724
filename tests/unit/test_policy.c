/* What deadlines, cancels and approvals mean to a plan that is edited, or begins again; and what is learned of
   its tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum { DEADLINE_MS = 10000 }; /* several of them are less than the lease of the device */

static struct living *world(const struct plan_task *tasks, size_t count, int64_t deadline_ms)
{
    struct living *living = living_new(64);
    struct plan plan = living_plan(tasks, count, NULL, 0);
    plan.deadline_ms = deadline_ms;
    living_submit(living, &plan);
    return living;
}

static void cancel(struct living *living)
{
    struct event event = living_cancel();
    living_turn(living, &event, 1);
    living_settle(living);
    assert_int_equal(living->err, ERR_NONE);
}

static void retry(struct living *living, int64_t id)
{
    struct event event = living_reopening(&id, false);
    living_revive(living);
    living_turn(living, &event, 1);
    living_settle(living);
    assert_int_equal(living->err, ERR_NONE);
}

/* A new task, a `set`, or both. */
static enum err edit_by(struct living *living, bool adds, bool sets, int64_t deadline_ms,
                        bool dry_run, bool in_parts)
{
    struct edit_operation operations[2] = { living_addition(0), { .kind = EDIT_SET } };
    operations[1].set.deadline_ms = deadline_ms;
    struct edit batch = living_batch(adds ? operations : operations + 1, (size_t)adds + sets);
    batch.dry_run = dry_run;
    living_revive(living);
    enum err err = in_parts ? living_bulk(living, &batch, 1) : living_edit(living, &batch);
    living_settle(living);
    return err;
}

static enum err edit(struct living *living, bool adds, bool sets, int64_t deadline_ms, bool dry_run)
{
    return edit_by(living, adds, sets, deadline_ms, dry_run, false);
}

static void pass(struct living *living, int64_t ms)
{
    living_pass(living, ms);
    living_turn(living, NULL, 0);
    living_settle(living);
}

/* A constellation of one task that its deadline has ended. */
static struct living *late(void)
{
    struct living *living = world(&LIVING_TASK, 1, DEADLINE_MS);
    pass(living, DEADLINE_MS);
    living_finish_task(living, 1, OUTCOME_CANCELLED, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    assert_true(living->constellation.deadline_passed);
    return living;
}

static void a_dry_run_is_refused_while_the_edit_would_be(void **state)
{
    (void)state;
    const struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK };
    struct living *living = world(tasks, 2, 0);
    cancel(living);
    for (int dry_run = 0; dry_run <= 1; dry_run++) {
        assert_int_equal(edit(living, true, false, 0, dry_run == 1), ERR_CONFLICT);
        assert_int_equal(living->edit.problems_count, 1);
        assert_int_equal(living->edit.problems[0].code, EDIT_CODE_CANCELLED);
    }
    living_end(living);
}

static void the_approval_of_a_cancelled_task_goes_with_it(void **state)
{
    (void)state;
    struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LIVING_TASK };
    tasks[1].hold = STR("ship it?");
    tasks[2].hold = STR("clean up?");
    tasks[2].flags = TASK_FINALLY;
    struct living *living = world(tasks, 3, 0);
    assert_true(living_find_hold(living, HOLD_APPROVAL, 2) != 0);
    cancel(living);
    assert_int_equal(living_task(living, 2)->state, TASK_CANCELLED);
    assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
    assert_int_equal(living_find_hold(living, HOLD_APPROVAL, 2), 0);
    assert_true(living_find_hold(living, HOLD_APPROVAL, 3) != 0); /* it will be wanted */
    living_check(living);
    living_compare(living);
    living_restart(living);
    assert_int_equal(living_find_hold(living, HOLD_APPROVAL, 2), 0);
    living_end(living);
}

static void the_approval_of_a_task_that_another_hold_fails_goes_with_it(void **state)
{
    (void)state;
    struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK };
    tasks[1].hold = STR("ship it?");
    struct living *living = world(tasks, 2, 0);
    int64_t id = 2;
    struct event event = living_hold(HOLD_TASKS, &id, 1, 1000);
    living_turn(living, &event, 1);
    pass(living, 1000);
    assert_int_equal(living_task(living, 2)->state, TASK_FAILED);
    assert_int_equal(living_find_hold(living, HOLD_APPROVAL, 2), 0);
    living_end(living);
}

static void a_deadline_that_has_passed_is_none_for_what_is_retried(void **state)
{
    (void)state;
    struct living *living = late();
    retry(living, 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
    assert_int_equal(living->constellation.deadline_wall_ms, 0);
    living_end(living);
}

static void a_deadline_has_passed_though_the_wall_clock_is_late(void **state)
{
    (void)state;
    struct living *living = world(&LIVING_TASK, 1, DEADLINE_MS);
    living->now.wall_ms -= 500;
    pass(living, DEADLINE_MS);
    living_finish_task(living, 1, OUTCOME_CANCELLED, 0);
    assert_true(living->constellation.deadline_passed);
    retry(living, 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
    assert_int_equal(living->constellation.deadline_wall_ms, 0);
    living_end(living);
}

static void a_new_deadline_counts_for_what_is_retried(void **state)
{
    (void)state;
    struct living *living = late();
    assert_int_equal(edit(living, false, true, 3 * DEADLINE_MS, false), ERR_NONE);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    retry(living, 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
    assert_int_equal(living->constellation.deadline_wall_ms,
                     living->constellation.created_wall_ms + 3 * DEADLINE_MS);
    assert_false(living->constellation.deadline_passed);
    living_compare(living);
    pass(living, 2 * DEADLINE_MS);
    assert_true(living->constellation.deadline_passed);
    living_finish_task(living, 1, OUTCOME_CANCELLED, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    living_end(living);
}

static void a_new_deadline_that_has_passed_as_well_is_none_for_what_is_retried(void **state)
{
    (void)state;
    struct living *living = late();
    assert_int_equal(edit(living, false, true, DEADLINE_MS / 2, false), ERR_NONE);
    living_compare(living);
    retry(living, 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
    assert_int_equal(living->constellation.deadline_wall_ms, 0);
    living_end(living);
}

/* A `set` of anything else repeats the deadline as it was. */
static void an_edit_that_begins_again_is_not_ended_by_the_deadline_that_has_passed(void **state)
{
    (void)state;
    for (int in_parts = 0; in_parts <= 1; in_parts++) {
        struct living *living = late();
        assert_int_equal(edit_by(living, true, true, DEADLINE_MS, false, in_parts == 1), ERR_NONE);
        assert_int_equal(living->constellation.state, CONSTELLATION_RUNNING);
        assert_int_equal(living->constellation.deadline_wall_ms, 0);
        assert_false(living->constellation.stopping);
        living_end(living);
    }
}

static void what_tasks_take_is_learned_by_their_names(void **state)
{
    (void)state;
    struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LIVING_TASK, LIVING_TASK };
    tasks[1].key = STR("other");
    tasks[2].key = STR("k@1");
    tasks[2].group = STR("k");
    tasks[3].key = STR("unknown");
    struct living *living = world(tasks, 4, 0);
    struct engine *engine = living->engine;
    const struct constellation *constellation = engine->first;
    const struct task *task[4];
    for (uint32_t i = 0; i < 4; i++) {
        task[i] = constellation_task(constellation, i);
        assert_int_equal(learn_expected(engine, task[i]), 1);
    }
    assert_true(learn_duration(engine, task[0], 8000));
    assert_int_equal(learn_expected(engine, task[0]), 8000);
    assert_int_equal(learn_expected(engine, task[2]), 8000); /* of the same `each` */
    assert_int_equal(learn_expected(engine, task[3]), 8000); /* the mean */
    assert_false(learn_duration(engine, task[2], 4000));
    assert_int_equal(learn_expected(engine, task[0]), 7000);
    assert_true(learn_duration(engine, task[1], 0));
    assert_int_equal(learn_expected(engine, task[1]), 1);
    assert_true(learn_expected(engine, task[3]) > 7000);
    assert_true(learn_duration(engine, task[0], INT64_MAX));
    assert_true(learn_expected(engine, task[0]) <= 24 * 3600 * 1000);
    living_end(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tasks_take_is_learned_by_their_names),
        cmocka_unit_test(a_dry_run_is_refused_while_the_edit_would_be),
        cmocka_unit_test(the_approval_of_a_cancelled_task_goes_with_it),
        cmocka_unit_test(the_approval_of_a_task_that_another_hold_fails_goes_with_it),
        cmocka_unit_test(a_deadline_that_has_passed_is_none_for_what_is_retried),
        cmocka_unit_test(a_deadline_has_passed_though_the_wall_clock_is_late),
        cmocka_unit_test(a_new_deadline_counts_for_what_is_retried),
        cmocka_unit_test(a_new_deadline_that_has_passed_as_well_is_none_for_what_is_retried),
        cmocka_unit_test(an_edit_that_begins_again_is_not_ended_by_the_deadline_that_has_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
