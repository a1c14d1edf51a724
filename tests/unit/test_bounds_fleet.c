/* What devices, and the classes of tasks that they may run, take of one turn, however many there are: with
   slices so small that every boundary is met. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum { CLASSES = 60 };

/* Each of them has a selector of its own, and the tasks take them in turn. */
static struct plan plan_of_many_classes(struct plan_task *tasks, size_t tasks_count,
                                        struct plan_class classes[CLASSES])
{
    static char selectors[CLASSES][16];
    struct plan plan = living_plan_of(tasks, tasks_count, NULL, 0);
    for (uint32_t i = 0; i < CLASSES; i++) {
        snprintf(selectors[i], sizeof selectors[i], "zone!=z%u", i);
        classes[i] = LIVING_ANY;
        classes[i].selector = str_of(selectors[i]);
    }
    for (size_t i = 0; i < tasks_count; i++) {
        tasks[i].class_index = (uint32_t)(i % CLASSES);
    }
    plan.classes = classes;
    plan.classes_count = CLASSES;
    return plan;
}

/* --- Placement --- */

/* The book of each turn that living_turn() keeps says that no turn tells more than its share. */
static void a_device_that_many_classes_wait_for_tells_them_over_several_turns(void **state)
{
    (void)state;
    enum { TASKS = 2 * CLASSES, SLOTS = 3, SLICE = 4 };
    struct living *living = living_new_slow(SLOTS, SLICE);
    struct plan_class classes[CLASSES];
    struct plan_task tasks[TASKS] = { 0 };
    struct plan plan = plan_of_many_classes(tasks, TASKS, classes);
    living_submit(living, &plan);
    const struct device *device = living->engine->devices_list[0];
    assert_int_equal(device->placements_count, CLASSES);
    bool was_behind = false;
    for (int left = TASKS; living->constellation.state == CONSTELLATION_RUNNING; left--) {
        assert_true(left > 0);
        assert_int_equal(device->used, left < SLOTS ? left : SLOTS);
        uint64_t fence = device->attempts->record.fence;
        living_finish(living, fence, OUTCOME_EXITED, 0);
        was_behind = was_behind || device->untold > 0;
        living_settle(living);
        assert_int_equal(device->untold, 0);
        living_check(living);
    }
    assert_true(was_behind);
    living_compare(living);
    living_free(living);
}

static void close_channel(struct living *living)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = LIVING_CHANNEL;
    event.channel_closed.reason = STR("cut");
    living_turn(living, &event, 1);
}

/* A task of a class of its own, ready at once. */
static void add_task_of_class(struct living *living, struct str selector)
{
    struct plan_class class = LIVING_ANY;
    class.selector = selector;
    struct edit_operation operation = living_addition(0);
    operation.write.class = &class;
    const struct edit edit = living_batch(&operation, 1);
    assert_int_equal(living_edit(living, &edit), ERR_NONE);
}

static void expect_linked(const struct living *living, const char *unfit)
{
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&living->engine->classes, &at, &id, &value)) {
        const struct class *class = value;
        bool fits = !str_equal(class->record.plan.selector, str_of(unfit));
        assert_int_equal(class->placements_count, fits);
    }
}

static void a_device_that_comes_back_with_something_else_is_matched_over_several_turns(void **state)
{
    (void)state;
    enum { SLICE = 4, A_TURN = SLICE / 2 + 1, TURNS = 2 * CLASSES / A_TURN };
    struct living *living = living_new_slow(CLASSES / 2, SLICE);
    struct plan_class classes[CLASSES];
    struct plan_task tasks[CLASSES] = { 0 };
    struct plan plan = plan_of_many_classes(tasks, CLASSES, classes);
    living_submit(living, &plan);
    living_settle(living);
    const struct device *device = living->engine->devices_list[0];
    expect_linked(living, "");
    /* The same once more: there is nothing to look for. */
    close_channel(living);
    living_connect(living, false);
    assert_false(device->is_matching);
    assert_int_equal(device->placements_count, CLASSES);
    living_settle(living);
    close_channel(living);
    living->label = (struct msg_pair){ STR("zone"), STR("z7") };
    living_connect(living, false);
    assert_true(device->is_matching);
    int turns = 2;
    for (size_t before = device->placements_count; device->is_matching; turns++) {
        if (turns == TURNS / 3 ||
            turns == 2 * TURNS / 3) { /* while it forgets, and while it looks */
            add_task_of_class(living, turns == TURNS / 3 ? STR("a!=b") : STR("c!=d"));
        } else {
            living_turn(living, NULL, 0);
        }
        size_t after = device->placements_count;
        assert_in_range(before < after ? after - before : before - after, 0, A_TURN);
        assert_true(!device->is_matching || living->assigned_count == 0);
        before = after;
        living_check(living);
        if (device->is_matching) {
            assert_true(engine_next_deadline(living->engine) <= living->now.boot_ms);
        }
    }
    assert_in_range(turns, TURNS, TURNS + 5);
    living_settle(living);
    expect_linked(living, "zone!=z7");
    assert_int_equal(device->used, CLASSES / 2);
    living_compare(living);
    living_free(living);
}

static void a_class_looks_for_devices_when_a_task_of_it_is_ready(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_class classes[2] = { LIVING_ANY, LIVING_ANY };
    classes[1].selector = STR("zone!=z");
    struct plan_task tasks[2] = { { .class_index = 0 }, { .class_index = 1 } };
    struct plan_edge edge = { .from = 0, .to = 1, .when = EDGE_WHEN_SUCCESS };
    struct plan plan = living_plan_of(tasks, 2, &edge, 1);
    plan.classes = classes;
    plan.classes_count = 2;
    living_submit(living, &plan);
    const struct device *device = living->engine->devices_list[0];
    assert_int_equal(device->placements_count, 1);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    assert_int_equal(device->placements_count, 2);
    assert_int_equal(living_task(living, 2)->state, TASK_ASSIGNED);
    living_free(living);
}

static void a_plan_with_many_classes_is_taken_in_by_slices(void **state)
{
    (void)state;
    enum { SLICE = 8, CLASSES_A_TURN = SLICE / 2 };
    struct living *living = living_new_slow(1, SLICE);
    struct plan_class classes[CLASSES];
    struct plan_task tasks[CLASSES] = { 0 };
    struct plan plan = plan_of_many_classes(tasks, CLASSES, classes);
    struct event event = living_submission(&plan);
    living_turn(living, &event, 1);
    struct engine *engine = living->engine;
    assert_int_equal(engine->classes.count, CLASSES_A_TURN);
    assert_int_equal(engine->classes_due, CLASSES - CLASSES_A_TURN);
    /* What they will take is kept for them. */
    assert_true(placement_has_room(engine, ENGINE_CLASSES_MAX - CLASSES, 1));
    assert_false(placement_has_room(engine, ENGINE_CLASSES_MAX - CLASSES + 1, 1));
    living_settle(living);
    assert_int_equal(engine->classes.count, CLASSES);
    assert_int_equal(engine->classes_due, 0);
    assert_int_equal(engine->policies_due, 0);
    living_compare(living);
    living_free(living);
}

/* --- Devices --- */

static void a_lost_device_gives_its_attempts_up_by_slices(void **state)
{
    (void)state;
    enum { TASKS = 30, SLICE = 8, TURN_MAX = 3 * SLICE };
    struct living *living = living_new_slow(TASKS, SLICE);
    struct plan_task tasks[TASKS] = { 0 };
    struct plan plan = living_plan_of(tasks, TASKS, NULL, 0);
    living_submit(living, &plan);
    const struct device *device = living->engine->devices_list[0];
    assert_int_equal(device->used, TASKS);
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = LIVING_CHANNEL;
    event.channel_closed.reason = STR("cut");
    living_turn(living, &event, 1);
    living_pass(living, living->engine->config.lost_after_ms);
    int turns = 0;
    while (engine_next_deadline(living->engine) <= living->now.boot_ms) {
        living_turn(living, NULL, 0);
        assert_true(living->effects.count <= TURN_MAX);
        living_check(living);
        living_compare(living);
        assert_true(turns++ < TASKS);
    }
    assert_true(turns >= TASKS * 4 / SLICE);
    assert_int_equal(device->used, 0);
    for (int64_t id = 1; id <= TASKS; id++) {
        assert_int_equal(living_task(living, id)->state, TASK_WAITING);
    }
    living_free(living);
}

/* Welcome says what becomes of each of them, and so must wait for the rows of all. There are no more than
   MSG_HELD_MAX. */
static void a_device_that_comes_back_costs_three_rows_an_attempt(void **state)
{
    (void)state;
    enum { TASKS = 50, ROWS_AN_ATTEMPT = 3, ROWS_A_HELLO = 4 };
    struct living *living = living_new(TASKS);
    struct plan_task tasks[TASKS] = { 0 };
    struct plan plan = living_plan_of(tasks, TASKS, NULL, 0);
    living_submit(living, &plan);
    struct msg_held held[TASKS];
    for (int64_t id = 1; id <= TASKS; id++) {
        held[id - 1] = (struct msg_held){ living_task(living, id)->fence, HELD_RUNNING };
    }
    close_channel(living);
    living_pass(living, living->engine->config.lost_after_ms);
    living_turn(living, NULL, 0);
    living_settle(living);
    living_expect_state(living, TASKS, TASK_WAITING);
    living_return(living, false, held, TASKS);
    assert_in_range(living->hello_effects, TASKS * ROWS_AN_ATTEMPT,
                    TASKS * ROWS_AN_ATTEMPT + ROWS_A_HELLO);
    living_expect_state(living, TASKS, TASK_RUNNING);
    living_end(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_many_classes_wait_for_tells_them_over_several_turns),
        cmocka_unit_test(
            a_device_that_comes_back_with_something_else_is_matched_over_several_turns),
        cmocka_unit_test(a_class_looks_for_devices_when_a_task_of_it_is_ready),
        cmocka_unit_test(a_plan_with_many_classes_is_taken_in_by_slices),
        cmocka_unit_test(a_lost_device_gives_its_attempts_up_by_slices),
        cmocka_unit_test(a_device_that_comes_back_costs_three_rows_an_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
