/* What one turn takes on, however much there is of it: counted in rows and looks, with slices so small
   that every boundary is met. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_world.h"

static const struct plan_class ANY = { .executor = EXECUTOR_NOOP };
static const struct plan_policy ONCE = {
    .max_attempts = 1, .max_lost = 3, .backoff_factor_permille = 1000, .kill_grace_ms = 1000
};

static struct plan plan_of(struct plan_task *tasks, size_t tasks_count, struct plan_edge *edges,
                           size_t edges_count)
{
    for (size_t i = 0; i < tasks_count; i++) {
        tasks[i].key = STR("k");
        tasks[i].body = STR("b");
    }
    return (struct plan){ .name = STR("plan"),
                          .classes = &ANY,
                          .classes_count = 1,
                          .policies = &ONCE,
                          .policies_count = 1,
                          .tasks = tasks,
                          .tasks_count = tasks_count,
                          .edges = edges,
                          .edges_count = edges_count };
}

/* --- Placement --- */

/* The book of each turn that living_turn() keeps says that no turn tells more than its share. */
static void a_device_that_many_classes_wait_for_tells_them_over_several_turns(void **state)
{
    (void)state;
    enum { CLASSES = 60, TASKS = 2 * CLASSES, SLOTS = 3, SLICE = 4 };
    struct living *living = living_new_slow(SLOTS, SLICE);
    static char selectors[CLASSES][16];
    struct plan_class classes[CLASSES];
    struct plan_task tasks[TASKS] = { 0 };
    struct plan plan = plan_of(tasks, TASKS, NULL, 0);
    for (uint32_t i = 0; i < CLASSES; i++) {
        snprintf(selectors[i], sizeof selectors[i], "zone!=z%u", i);
        classes[i] = ANY;
        classes[i].selector = str_of(selectors[i]);
        tasks[i].class_index = i;
        tasks[CLASSES + i].class_index = i;
    }
    plan.classes = classes;
    plan.classes_count = CLASSES;
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

static void a_class_looks_for_devices_when_a_task_of_it_is_ready(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_class classes[2] = { ANY, ANY };
    classes[1].selector = STR("zone!=z");
    struct plan_task tasks[2] = { { .class_index = 0 }, { .class_index = 1 } };
    struct plan_edge edge = { .from = 0, .to = 1, .when = EDGE_WHEN_SUCCESS };
    struct plan plan = plan_of(tasks, 2, &edge, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_many_classes_wait_for_tells_them_over_several_turns),
        cmocka_unit_test(a_class_looks_for_devices_when_a_task_of_it_is_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
