/* What comes at once, or in the middle of something long: holds that expire, cancels, retries and restarts
   that meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/living_plan.h"

static void begin(struct living *living, struct plan *plan, struct plan_task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tasks[i].key = STR("k");
        tasks[i].body = STR("b");
    }
    plan->name = STR("plan");
    plan->tasks = tasks;
    plan->tasks_count = count;
    plan->classes = plan->classes == NULL ? &LIVING_ANY : plan->classes;
    plan->classes_count = 1;
    plan->policies = plan->policies == NULL ? &LIVING_ONCE : plan->policies;
    plan->policies_count = 1;
    living_submit(living, plan);
}

static void hold_all(struct living *living, enum hold_origin origin, int64_t length_ms)
{
    struct event event = living_hold(HOLD_ALL, NULL, 0, length_ms);
    event.hold.origin = origin;
    living_turn(living, &event, 1);
    assert_int_equal(living->err, ERR_NONE);
    living_settle(living);
}

static const struct history *find_history(const struct living *living, enum history_kind kind)
{
    for (size_t i = 0; i < living->effects.count; i++) {
        const struct effect *effect = &living->effects.list[i];
        if (effect->kind == EFFECT_HISTORY && effect->history.kind == kind) {
            return &effect->history;
        }
    }
    return NULL;
}

static void clocks_that_had_not_begun_begin_after_a_restart(void **state)
{
    (void)state;
    enum { TASKS = 3 * ENGINE_SLICE };
    struct plan_policy policy = LIVING_ONCE;
    policy.queue_timeout_ms = 60000;
    struct plan_task *tasks = living_tasks(TASKS);
    struct plan plan = living_plan(tasks, TASKS, NULL, 0);
    plan.policies = &policy;
    struct living *living = living_new(1);
    struct event event = living_submission(&plan);
    living_turn(living, &event, 1);
    size_t compared = 0;
    for (int i = 0; i < 7; i++) {
        living_turn(living, NULL, 0);
        const struct constellation_record *record = engine_constellation(living->engine, 1);
        if (record != NULL && record->state == CONSTELLATION_RUNNING) {
            living_compare(living);
            compared++;
        }
    }
    assert_true(compared >= 2);
    living_settle(living);
    mem_free(tasks);
    living_end(living);
}

static void a_hold_that_expires_under_fail_fast_ends_with_it(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_task tasks[4] = {
        { .priority = 1 }, { .priority = 0 }, { .priority = 0 }, { .flags = TASK_FINALLY }
    };
    struct plan plan = { .fail_fast = true };
    begin(living, &plan, tasks, 4);
    living_expect_state(living, 1, TASK_ASSIGNED);
    hold_all(living, HOLD_BY_REQUEST, 1000);
    living_pass(living, 1000);
    living_settle(living);
    living_expect_state(living, 2, TASK_FAILED);
    assert_int_equal(engine_holds_count(living->engine, 1), 0);
    living_finish_task(living, 1, OUTCOME_CANCELLED, 0);
    living_expect_state(living, 4, TASK_ASSIGNED);
    living_finish_task(living, 4, OUTCOME_EXITED, 0);
    assert_null(engine_constellation(living->engine, 1));
    living_end(living);
}

static void what_had_started_goes_on_when_a_hold_on_all_expires(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_task tasks[2] = { { .priority = 1 }, { .priority = 0 } };
    struct plan plan = { 0 };
    begin(living, &plan, tasks, 2);
    hold_all(living, HOLD_BY_REQUEST, 1000);
    living_finish_task(living, 1, OUTCOME_DISCONNECTED, 0);
    living_expect_state(living, 1, TASK_WAITING);
    living_pass(living, 1000);
    living_settle(living);
    living_check(living);
    living_expect_state(living, 1, TASK_ASSIGNED);
    living_expect_state(living, 2, TASK_FAILED);
    living_end(living);
}

static void a_finally_task_goes_on_when_a_cancel_and_a_resume_meet(void **state)
{
    (void)state;
    struct living *living = living_new(4);
    struct plan_task tasks[2] = { { .priority = 0 }, { .flags = TASK_FINALLY } };
    struct plan plan = { 0 };
    begin(living, &plan, tasks, 2);
    hold_all(living, HOLD_PAUSE, 0);
    living_finish_task(living, 1, OUTCOME_EXITED, 0);
    living_expect_state(living, 2, TASK_WAITING);
    struct event events[2] = { living_cancel(), { .kind = EVENT_RELEASE } };
    events[1].release.constellation_id = 1;
    events[1].release.approved = true;
    events[1].release.actor = STR("ada");
    living_turn(living, events, 2);
    living_settle(living);
    living_check(living);
    living_expect_state(living, 2, TASK_ASSIGNED);
    living_end(living);
}

static void a_cancel_stops_what_runs_while_a_hold_expires(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_task tasks[2] = { { .priority = 1 }, { .priority = 0 } };
    struct plan plan = { 0 };
    begin(living, &plan, tasks, 2);
    hold_all(living, HOLD_BY_REQUEST, 1000);
    living_pass(living, 1000);
    struct event event = living_cancel();
    living_turn(living, &event, 1);
    living_settle(living);
    const struct attempt_record *attempt =
        map_get(&living->attempts, living_task(living, 1)->fence);
    assert_true(attempt->stop_wanted);
    living_finish_task(living, 1, OUTCOME_CANCELLED, 0);
    assert_null(engine_constellation(living->engine, 1));
    living_end(living);
}

static void a_task_that_is_named_twice_is_held_once(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_task tasks[3] = { { .priority = 1 }, { .priority = 0 }, { .priority = 0 } };
    struct plan plan = { 0 };
    begin(living, &plan, tasks, 3);
    const int64_t ids[] = { 2, 3, 2 };
    struct event event = living_hold(HOLD_TASKS, ids, 3, 0);
    living_turn(living, &event, 1);
    struct hold_view view = { 0 };
    assert_true(engine_find_hold(living->engine, 1, living->hold_id, &view));
    assert_int_equal(view.task_ids_count, 2);
    living_end(living);
}

static void a_gate_that_is_removed_with_its_approval_does_not_open(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_task tasks[2] = { { .hold = STR("ship it?"), .flags = TASK_GATE },
                                  { .hold = STR("ship it?"), .flags = TASK_GATE } };
    struct plan plan = { .classes = &LIVING_NONE };
    begin(living, &plan, tasks, 2);
    struct edit_operation operation = { .kind = EDIT_REMOVE_TASK };
    operation.task = 1;
    struct edit edit = { .constellation_id = 1,
                         .operations = &operation,
                         .operations_count = 1,
                         .author_kind = AUTHOR_USER,
                         .author = STR("ada"),
                         .reason = STR("no need") };
    assert_int_equal(living_edit(living, &edit), ERR_NONE);
    assert_null(find_history(living, HISTORY_TASK_SUCCEEDED));
    living_end(living);
}

static void an_edit_is_told_with_who_made_it_and_all_of_why(void **state)
{
    (void)state;
    char reason[1024];
    char expected[1100];
    struct living *living = living_new(1);
    struct plan_task tasks[2] = { { .priority = 1 }, { .priority = 0 } };
    struct plan plan = { 0 };
    memset(reason, 'w', sizeof reason);
    begin(living, &plan, tasks, 2);
    struct edit_operation operation = { .kind = EDIT_REMOVE_TASK };
    operation.task = 2;
    struct edit edit = { .constellation_id = 1,
                         .operations = &operation,
                         .operations_count = 1,
                         .author_kind = AUTHOR_PLANNER,
                         .author = STR("ada"),
                         .reason = { reason, sizeof reason } };
    assert_int_equal(living_edit(living, &edit), ERR_NONE);
    const struct history *history = find_history(living, HISTORY_CONSTELLATION_EDITED);
    if (history == NULL) {
        fail_msg("no event");
        return;
    }
    int length =
        snprintf(expected, sizeof expected, "planner ada: %.*s", (int)sizeof reason, reason);
    assert_int_equal(history->text.length, length);
    assert_memory_equal(history->text.data, expected, history->text.length);
    living_end(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_that_had_not_begun_begin_after_a_restart),
        cmocka_unit_test(a_hold_that_expires_under_fail_fast_ends_with_it),
        cmocka_unit_test(what_had_started_goes_on_when_a_hold_on_all_expires),
        cmocka_unit_test(a_finally_task_goes_on_when_a_cancel_and_a_resume_meet),
        cmocka_unit_test(a_cancel_stops_what_runs_while_a_hold_expires),
        cmocka_unit_test(a_task_that_is_named_twice_is_held_once),
        cmocka_unit_test(a_gate_that_is_removed_with_its_approval_does_not_open),
        cmocka_unit_test(an_edit_is_told_with_who_made_it_and_all_of_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
