/* What comes into memory, and what leaves it: constellations that have ended come back and go in slices
   that nobody sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_world.h"

enum { MANY = 5000 };

static const struct plan_class ANY = { .executor = EXECUTOR_NOOP };
static const struct plan_class NONE = { .executor = 0 };
static const struct plan_policy ONCE = {
    .max_attempts = 1, .max_lost = 3, .backoff_factor_permille = 1000, .kill_grace_ms = 1000
};
static const struct plan_task PLAIN = { .key = { "k", 1 }, .body = { "b", 1 } };
static const struct plan_task GATE = { .key = { "k", 1 }, .body = { "b", 1 }, .flags = TASK_GATE };

static struct plan plan_of(const struct plan_task *tasks, size_t count)
{
    return (struct plan){ .name = STR("plan"),
                          .classes = &ANY,
                          .classes_count = 1,
                          .policies = &ONCE,
                          .policies_count = 1,
                          .tasks = tasks,
                          .tasks_count = count };
}

/* Gates, each needing the one after it: they have run, and are about to be freed. */
static struct living *many_that_have_ended(uint32_t slice)
{
    struct plan_task *tasks = mem_array(MANY, sizeof *tasks);
    struct plan_edge *edges = mem_array(MANY, sizeof *edges);
    for (uint32_t i = 0; i < MANY; i++) {
        tasks[i] = GATE;
        edges[i] = (struct plan_edge){ .from = i + 1, .to = i, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = plan_of(tasks, MANY);
    plan.classes = &NONE;
    plan.edges = edges;
    plan.edges_count = MANY - 1;
    struct living *living = living_new_slow(1, slice);
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = &plan;
    event.submit.uid = STR("plan-0000");
    event.submit.actor = STR("test");
    living_turn(living, &event, 1);
    while (!constellation_state_is_final(living->constellation.state)) {
        living_turn(living, NULL, 0);
    }
    mem_free(tasks);
    mem_free(edges);
    return living;
}

static void what_has_ended_is_freed_by_slices(void **state)
{
    (void)state;
    struct living *living = many_that_have_ended(64);
    int turns = 0;
    for (; living->engine->leaving_first != NULL; turns++) {
        assert_null(engine_constellation(living->engine, 1));
        assert_int_equal(engine_stats(living->engine).tasks, 0);
        assert_int_equal(engine_next_deadline(living->engine), INT64_MIN);
        living_check(living);
        living_compare(living);
        living_turn(living, NULL, 0);
    }
    assert_in_range(turns, MANY / CHUNK_SIZE, 2 * (MANY / CHUNK_SIZE + 1));
    living_free(living);
}

/* Tasks from..to of the book. */
static void load_tasks(struct living *living, int64_t from, int64_t to)
{
    for (int64_t id = from; id <= to; id++) {
        engine_load_task(living->engine, 1, living_task(living, id));
    }
}

static void what_comes_back_is_in_nobodys_way_until_it_is_whole(void **state)
{
    (void)state;
    struct living *living = many_that_have_ended(64);
    living_settle(living);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(engine_wake(living->engine, &living->constellation, NULL), ERR_NONE);
        load_tasks(living, 1, MANY / 2);
        living_turn(living, NULL, 0);
        assert_null(engine_constellation(living->engine, 1));
        assert_int_equal(engine_stats(living->engine).tasks, 0);
        living_check(living);
        living_compare(living);
        engine_wake_drop(living->engine, 1);
        living_settle(living);
        living_compare(living);
    }
    engine_wake_drop(living->engine, 1); /* it is not there */
    assert_int_equal(engine_wake(living->engine, &living->constellation, NULL), ERR_NONE);
    load_tasks(living, 1, MANY / 2);
    living_free(living); /* with what is half there */
}

static void the_order_of_what_comes_back_is_made_by_slices(void **state)
{
    (void)state;
    enum { ROWS = 16, STEPS_A_ROW = 16 };
    struct living *living = many_that_have_ended(0);
    living_settle(living);
    assert_int_equal(engine_wake(living->engine, &living->constellation, NULL), ERR_NONE);
    load_tasks(living, 1, MANY);
    for (int64_t id = 1; id < MANY; id++) {
        engine_load_edge(living->engine, 1, living_edge(living, id));
    }
    int slices = 1;
    while (engine_wake_order(living->engine, 1, ROWS) == 0) {
        living_turn(living, NULL, 0);
        slices++;
    }
    assert_in_range(slices, 4 * MANY / (ROWS * STEPS_A_ROW), 8 * MANY / (ROWS * STEPS_A_ROW));
    assert_int_equal(engine_load_revived(living->engine, 1, living->now, NULL), ERR_NONE);
    const struct constellation *constellation = map_get(&living->engine->constellations, 1);
    assert_true(constellation->order_next != 0);
    living_check(living);
    living_free(living);
}

static void no_more_comes_back_than_there_is_room_for(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct constellation_record record = { .id = 1,
                                           .state = CONSTELLATION_FAILED,
                                           .tasks = ENGINE_LIVE_TASKS_MAX + 1 };
    struct reason reason = { "" };
    assert_int_equal(engine_wake(living->engine, &record, &reason), ERR_LIMIT);
    record.tasks = ENGINE_LIVE_TASKS_MAX;
    assert_int_equal(engine_wake(living->engine, &record, &reason), ERR_NONE);
    record.id = 2;
    record.tasks = 1;
    assert_int_equal(engine_wake(living->engine, &record, &reason), ERR_LIMIT);
    struct plan plan = plan_of(&PLAIN, 1);
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = &plan;
    event.submit.uid = STR("plan-0000");
    living_turn(living, &event, 1);
    assert_int_equal(living->err, ERR_LIMIT);
    engine_wake_drop(living->engine, 1);
    assert_int_equal(engine_wake(living->engine, &record, &reason), ERR_NONE);
    living_free(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_ended_is_freed_by_slices),
        cmocka_unit_test(what_comes_back_is_in_nobodys_way_until_it_is_whole),
        cmocka_unit_test(the_order_of_what_comes_back_is_made_by_slices),
        cmocka_unit_test(no_more_comes_back_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
