/* How a database is thinned out: what is old, what was deleted, and what nothing refers to any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/retention.h"
#include "orchestrator/store/sqlite_db.h"
#include "orchestrator/store/store_sqlite.h"
#include "tests/unit/store_query.h"

static void finish_sample(struct store_world *world, int64_t wall_ms)
{
    world->constellation.state = CONSTELLATION_SUCCEEDED;
    world->constellation.finished_wall_ms = wall_ms;
    effects_add(&world->effects, EFFECT_SAVE_CONSTELLATION)->constellation.record =
        &world->constellation;
}

static unsigned retain(struct store_world *world, int64_t now_wall_ms,
                       const struct retention_policy *policy)
{
    unsigned turns = 0;
    bool more = true;
    for (; more && turns < 100; turns++) {
        world_apply(world);
        assert_int_equal(store_retain(world->store, now_wall_ms, policy, &more, NULL), ERR_NONE);
        world_commit(world);
    }
    assert_false(more);
    return turns;
}

static void a_constellation_that_ended_long_ago_goes_with_its_output(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { .finished_keep_ms = 1000 };
    char path[OUTPUT_PATH_BYTES_MAX];
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 20000);
    finish_sample(world, 5000);
    world_commit(world);
    assert_true(output_file_path(world->data_dir, 77, STREAM_STDOUT, path));
    retain(world, 6000, &policy);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM task"), 2);
    retain(world, 6001, &policy);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(
        world_query(world,
                    "SELECT (SELECT count(*) FROM constellation) + (SELECT count(*) FROM task) +"
                    " (SELECT count(*) FROM constellation_text) + (SELECT count(*) FROM edge) +"
                    " (SELECT count(*) FROM task_text) + (SELECT count(*) FROM attempt) +"
                    " (SELECT count(*) FROM output) + (SELECT count(*) FROM doomed)"),
        0);
    world_reopen(world);
    assert_int_equal(world->start.next_constellation_id, 2);
    assert_int_equal(world->start.next_task_id, 3);
    assert_int_equal(world->start.next_edge_id, 2);
}

static void the_highest_fence_is_known_when_its_attempt_has_gone(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { .finished_keep_ms = 1 };
    struct store_start first = world->start;
    world_add_sample(world); /* fence 77 */
    finish_sample(world, 1);
    world_commit(world);
    retain(world, 5000, &policy);
    assert_int_equal(world_query(world, "SELECT count(*) FROM attempt"), 0);
    world_reopen(world);
    world_reopen(world);
    assert_int_equal(world_query(world, "SELECT last_fence FROM start WHERE epoch = 2"), 77);
    assert_false(world_is_ahead(world, first.epoch, first.start_id, 77));
}

static void a_constellation_that_runs_is_never_removed(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { .finished_keep_ms = 1, .finished_max = 1 };
    world_add_sample(world);
    world_commit(world);
    retain(world, INT64_C(1) << 50, &policy);
    assert_int_equal(world_query(world, "SELECT count(*) FROM task"), 2);
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_CONFLICT);
    assert_int_equal(store_delete_constellation(world->store, 2, NULL), ERR_NOT_FOUND);
    world_commit(world);
}

static void a_deleted_constellation_is_gone_at_once_and_its_rows_in_slices(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { 0 };
    struct task_record tasks[3000];
    struct plan_task plan = { .body = STR("body") };
    char keys[3000][8];
    world_add_sample(world);
    for (size_t i = 0; i < 3000; i++) {
        tasks[i] = (struct task_record){ .id = (int64_t)i + 10, .state = TASK_SUCCEEDED };
        snprintf(keys[i], sizeof keys[i], "t%u", (unsigned)i);
        plan.key = str_of(keys[i]);
        struct effect *effect = effects_add(&world->effects, EFFECT_ADD_TASK);
        effect->task.record = &tasks[i];
        effect->task.constellation_id = 1;
        effect->task.plan = &plan;
        world_apply(world);
    }
    finish_sample(world, 1);
    world_commit(world);
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_NONE);
    world_commit(world);
    assert_int_equal(world_query(world, "SELECT count(*) FROM constellation"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM task"), 3002);
    bool more = false;
    world_apply(world);
    assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
    world_commit(world);
    assert_true(more);
    int64_t left = world_query(world, "SELECT count(*) FROM task");
    assert_true(left > 1500 && left < 3002);
    world_reopen(world);
    assert_in_range(retain(world, 2, &policy), 2, 6);
    assert_int_equal(world_query(world, "SELECT count(*) FROM task"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM task_text"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM doomed"), 0);
}

static void the_decisions_of_one_attempt_go_in_slices(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { 0 };
    world_add_sample(world);
    for (int64_t id = 2; id <= 5000; id++) {
        struct effect *effect = effects_add(&world->effects, EFFECT_ADD_EDGE);
        effect->edge.record = (struct edge_record){ .id = id,
                                                    .from_id = 1,
                                                    .to_id = 2,
                                                    .when = EDGE_WHEN_SUCCESS,
                                                    .named = true,
                                                    .decision = EDGE_UNDECIDED,
                                                    .fence = 0 };
        effect->edge.constellation_id = 1;
        effect = effects_add(&world->effects, EFFECT_SAVE_EDGE);
        effect->edge.record = (struct edge_record){ .id = id,
                                                    .from_id = 1,
                                                    .to_id = 2,
                                                    .when = EDGE_WHEN_SUCCESS,
                                                    .named = true,
                                                    .decision = EDGE_OPEN,
                                                    .fence = 77 };
        effect->edge.constellation_id = 1;
    }
    finish_sample(world, 1);
    world_commit(world);
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_NONE);
    world_commit(world);
    assert_int_equal(world_query(world, "SELECT count(*) FROM edge_decided"), 4999);
    bool more = false;
    world_apply(world);
    assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
    world_commit(world);
    assert_true(more);
    assert_int_equal(world_query(world, "SELECT count(*) FROM edge_decided"),
                     4999 - RETENTION_SLICE);
    retain(world, 2, &policy);
    assert_int_equal(world_query(world,
                                 "SELECT (SELECT count(*) FROM edge_decided) +"
                                 " (SELECT count(*) FROM edge) + (SELECT count(*) FROM attempt)"),
                     0);
}

static void what_a_hold_named_goes_in_slices_after_its_end(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { 0 };
    enum { NAMED = 2 * RETENTION_SLICE };
    const struct hold_record hold = { .id = 31, .constellation_id = 1, .scope = HOLD_TASKS };
    world_add_sample(world);
    struct effect *place = effects_add(&world->effects, EFFECT_ADD_HOLD);
    place->hold.record = &hold;
    place->hold.owner = STR("ada");
    for (int64_t id = 1000; id < 1000 + NAMED; id++) {
        struct effect *effect = effects_add(&world->effects, EFFECT_ADD_HOLD_TASK);
        effect->hold_task.hold_id = 31;
        effect->hold_task.task_id = id;
    }
    world_commit(world);
    assert_int_equal(world_query(world, "SELECT count(*) FROM hold_task"), NAMED);
    effects_add(&world->effects, EFFECT_REMOVE_HOLD)->id = 31;
    world_commit(world);
    assert_int_equal(world_query(world, "SELECT count(*) FROM hold WHERE id = 31"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM hold_task"),
                     NAMED - STORE_HOLD_TASKS_AT_ONCE);
    world_reopen(world);
    bool more = true;
    for (unsigned turns = 0; more; turns++) {
        int64_t before = world_query(world, "SELECT count(*) FROM hold_task");
        world_apply(world);
        assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
        world_commit(world);
        assert_true(before - world_query(world, "SELECT count(*) FROM hold_task") <=
                    RETENTION_SLICE);
        assert_true(turns < 4);
    }
    assert_int_equal(world_query(world, "SELECT (SELECT count(*) FROM hold_task) +"
                                        " (SELECT count(*) FROM hold_doomed)"),
                     0);
}

static void classes_that_nothing_refers_to_go_in_slices(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { 0 };
    enum { CLASSES = 2 * RETENTION_SLICE };
    world_add_sample(world);
    for (int64_t i = 1; i <= CLASSES; i++) {
        static struct class_record class = { .plan = { .executor = EXECUTOR_NOOP } };
        class.id = 100 + i;
        effects_add(&world->effects, EFFECT_ADD_CLASS)->class = &class;
        world_apply(world);
    }
    finish_sample(world, 1);
    world_commit(world);
    world_reopen(world); /* retires them */
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_NONE);
    world_commit(world);
    assert_int_equal(world_query(world, "SELECT count(*) FROM constellation_text"), 1);
    bool more = true;
    unsigned turns = 0;
    for (; more; turns++) {
        int64_t before = world_query(world, "SELECT count(*) FROM class");
        world_apply(world);
        assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
        world_commit(world);
        assert_true(before - world_query(world, "SELECT count(*) FROM class") <= RETENTION_SLICE);
    }
    assert_in_range(turns, 3, 4);
    assert_int_equal(world_query(world, "SELECT count(*) FROM class"),
                     1); /* the newest: its number */
    assert_int_equal(world_query(world, "SELECT count(*) FROM constellation_text"), 0);
}

static void old_events_go_but_never_the_newest(void **state)
{
    struct store_world *world = *state;
    for (int64_t i = 1; i <= 10; i++) {
        struct effect *effect = effects_add(&world->effects, EFFECT_HISTORY);
        effect->history.kind = HISTORY_TASK_STARTED;
        effect->history.wall_ms = i * 100;
    }
    world_commit(world);
    retain(world, 1000, &(struct retention_policy){ .events_keep_ms = 700 });
    assert_int_equal(world_query(world, "SELECT min(seq) FROM event"), 3);
    retain(world, 1000, &(struct retention_policy){ .events_max = 4 });
    assert_int_equal(world_query(world, "SELECT min(seq) FROM event"), 7);
    retain(world, 99999, &(struct retention_policy){ .events_keep_ms = 1 });
    assert_int_equal(world_query(world, "SELECT min(seq) FROM event"), 10);
    world_reopen(world);
    assert_int_equal(world->start.last_seq, 10);
}

static void nothing_is_removed_while_a_backup_is_taken(void **state)
{
    struct store_world *world = *state;
    const struct retention_policy policy = { .finished_keep_ms = 1 };
    int fd = -1;
    world_add_sample(world);
    finish_sample(world, 1);
    world_commit(world);
    assert_int_equal(data_dir_lock_backup(world->data_dir, false, &fd, NULL), ERR_NONE);
    retain(world, 5000, &policy);
    assert_int_equal(world_query(world, "SELECT count(*) FROM constellation"), 1);
    close(fd);
    retain(world, 5000, &policy);
    assert_int_equal(world_query(world, "SELECT count(*) FROM constellation"), 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_constellation_that_ended_long_ago_goes_with_its_output),
        ROW(the_highest_fence_is_known_when_its_attempt_has_gone),
        ROW(a_constellation_that_runs_is_never_removed),
        ROW(a_deleted_constellation_is_gone_at_once_and_its_rows_in_slices),
        ROW(the_decisions_of_one_attempt_go_in_slices),
        ROW(what_a_hold_named_goes_in_slices_after_its_end),
        ROW(classes_that_nothing_refers_to_go_in_slices),
        ROW(old_events_go_but_never_the_newest),
        ROW(nothing_is_removed_while_a_backup_is_taken),
    };
    return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
