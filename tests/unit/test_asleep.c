/* What comes into memory, and what leaves it: constellations that have ended come back and go in slices
   that nobody sees, and what a restart derives is what was there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum { MANY = 5000 };

static const struct plan_task LAST = { .key = { "k", 1 },
                                       .body = { "b", 1 },
                                       .flags = TASK_FINALLY };
static const struct plan_task GATE = { .key = { "k", 1 }, .body = { "b", 1 }, .flags = TASK_GATE };

static void finish(struct living *living, int64_t id)
{
    living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, 0);
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
    struct plan plan = living_plan(tasks, MANY, NULL, 0);
    plan.classes = &LIVING_NONE;
    plan.edges = edges;
    plan.edges_count = MANY - 1;
    struct living *living = living_new_slow(1, slice);
    struct event event = living_submission(&plan);
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
    struct plan plan = living_plan(&LIVING_TASK, 1, NULL, 0);
    struct event event = living_submission(&plan);
    living_turn(living, &event, 1);
    assert_int_equal(living->err, ERR_LIMIT);
    engine_wake_drop(living->engine, 1);
    assert_int_equal(engine_wake(living->engine, &record, &reason), ERR_NONE);
    living_free(living);
}

/* --- A restart --- */

/* How many tasks would be ready at once if one that runs last were added, as a first step. */
static size_t ready_with_another(struct engine *engine)
{
    struct edit_operation add = living_addition(0);
    add.write.plan = &LAST;
    struct edit edit = { .constellation_id = 1,
                         .dry_run = true,
                         .operations = &add,
                         .operations_count = 1,
                         .tasks_added = 1,
                         .author_kind = AUTHOR_USER,
                         .author = STR("ada") };
    struct event event = { .kind = EVENT_EDIT };
    struct effects effects = { 0 };
    event.edit.edit = &edit;
    engine_step(engine, &event, &effects);
    assert_int_equal(effects.list[effects.count - 1].kind, EFFECT_REPLY);
    assert_int_equal(effects.list[effects.count - 1].reply.err, ERR_NONE);
    size_t count = effects.list[effects.count - 1].reply.edit->newly_ready_count;
    effects_done(&effects);
    return count;
}

static void finally_tasks_have_their_turn_after_a_restart_just_before_it(void **state)
{
    (void)state;
    const struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LAST, LAST };
    struct plan plan = living_plan(tasks, 4, NULL, 0);
    struct living *living = living_new(1);
    living_submit(living, &plan);
    for (int64_t id = 1; id <= 2; id++) {
        struct engine *loaded = living_load(living);
        assert_int_equal(ready_with_another(loaded), 0); /* something else is left */
        engine_free(loaded);
        finish(living, id);
        living_settle(living);
    }
    /* One of the two runs: it is loaded as it was, and one more could go with the other. */
    assert_int_equal(living_task(living, 3)->state, TASK_ASSIGNED);
    assert_int_equal(living_task(living, 4)->state, TASK_WAITING);
    struct engine *loaded = living_load(living);
    const struct constellation *constellation = map_get(&loaded->constellations, 1);
    assert_true(constellation->finally_open);
    assert_int_equal(ready_with_another(loaded), 1);
    engine_free(loaded);
    living_restart(living);
    for (int64_t id = 3; id <= 4; id++) {
        living_settle(living);
        assert_int_equal(living_task(living, id)->state, TASK_ASSIGNED);
        finish(living, id);
    }
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_free(living);
}

/* The hold has set its clock back in memory only; by the time it goes the task waits for another. */
static void a_clock_that_a_hold_has_stopped_does_not_come_back_with_a_restart(void **state)
{
    (void)state;
    struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LIVING_TASK };
    const struct plan_edge edge = { .from = 0, .to = 2, .when = EDGE_WHEN_SUCCESS };
    struct plan_policy policy = LIVING_ONCE;
    policy.queue_timeout_ms = 60000;
    struct plan plan = living_plan(tasks, 3, NULL, 0);
    plan.policies = &policy;
    plan.edges = &edge;
    plan.edges_count = 1;
    tasks[0].priority = 2;
    tasks[1].priority = 1;
    struct living *living = living_new(1);
    living_submit(living, &plan);
    finish(living, 1);
    living_settle(living);
    assert_int_equal(living_task(living, 2)->state, TASK_ASSIGNED);
    assert_true(living_task(living, 3)->wake_wall_ms != 0);
    struct event hold = { .kind = EVENT_HOLD };
    hold.hold.constellation_id = 1;
    hold.hold.scope = HOLD_ALL;
    hold.hold.origin = HOLD_PAUSE;
    hold.hold.on_expiry = HOLD_EXPIRY_RELEASE;
    hold.hold.owner = STR("ada");
    living_turn(living, &hold, 1);
    living_restart(living);
    const int64_t root = 1;
    struct event again = { .kind = EVENT_REOPEN };
    again.reopen.constellation_id = 1;
    again.reopen.task_ids = &root;
    again.reopen.task_ids_count = 1;
    again.reopen.rerun = true;
    again.reopen.actor = STR("ada");
    living_turn(living, &again, 1);
    assert_int_equal(living->err, ERR_NONE);
    struct event release = { .kind = EVENT_RELEASE };
    release.release.constellation_id = 1;
    release.release.approved = true;
    release.release.actor = STR("ada");
    living_turn(living, &release, 1);
    assert_int_equal(living->err, ERR_NONE);
    living_settle(living);
    living_compare(living);
    living_restart(living);
    living_check(living);
    living_free(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_ended_is_freed_by_slices),
        cmocka_unit_test(what_comes_back_is_in_nobodys_way_until_it_is_whole),
        cmocka_unit_test(the_order_of_what_comes_back_is_made_by_slices),
        cmocka_unit_test(no_more_comes_back_than_there_is_room_for),
        cmocka_unit_test(finally_tasks_have_their_turn_after_a_restart_just_before_it),
        cmocka_unit_test(a_clock_that_a_hold_has_stopped_does_not_come_back_with_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
