/* The contract of the store for edits, over both implementations: what they add and remove, those that are
   made in parts, and a constellation that comes back for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_bench.h"

/* --- Edits --- */

/* Task 40 "late" behind "report", after another constellation has taken the ids in between. */
static void edit(struct bench *bench)
{
    static const struct plan_task text = { .key = { "late", 4 }, .body = { "body", 4 } };
    static const struct plan_edge edge_text;
    static const struct task_record task = {
        .id = 40, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .round = 1
    };
    static const struct edge_record edge = {
        .id = 50, .from_id = 13, .to_id = 40, .when = EDGE_WHEN_ALWAYS, .named = true
    };
    sample_add_task(bench_effects(bench), &task, &text);
    sample_edge(bench_effects(bench), EFFECT_ADD_EDGE, &edge, &edge_text);
    world_commit(bench->world);
}

static void other_constellation(struct bench *bench)
{
    static const struct constellation_record record = { .id = 2, .state = CONSTELLATION_RUNNING };
    static const struct plan plan = { .name = { "other", 5 } };
    static const struct plan_task text = { .key = { "late", 4 }, .body = { "b", 1 } };
    static const struct task_record task = {
        .id = 30, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .round = 1
    };
    struct effect *effect = effects_add(bench_effects(bench), EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = &record;
    effect->constellation.uid = STR("other-abcd");
    effect->constellation.plan = &plan;
    sample_add_task(bench_effects(bench), &task, &text)->task.constellation_id = 2;
    struct history *history = &effects_add(bench_effects(bench), EFFECT_HISTORY)->history;
    history->kind = HISTORY_CONSTELLATION_SUBMITTED;
    history->constellation_id = 2;
    world_commit(bench->world);
}

static void what_an_edit_adds_is_found_beyond_the_ids_of_another_constellation(void **state)
{
    struct bench *bench = *state;
    bench_submit(bench);
    other_constellation(bench);
    edit(bench);
    bench_expect_dump(bench, "task 40 waiting", true);
    bench_expect_dump(bench, "edge 50 13-40 when 4 decision 0 named", true);
    struct buf text = { 0 };
    bench_dump(bench, &text);
    const char *other = strstr(buf_text(&text), "constellation 2 ");
    assert_non_null(other);
    assert_non_null(strstr(other, "task 30 "));
    assert_null(strstr(other, "task 40 ")); /* it is the first one's */
    buf_done(&text);
    assert_int_equal(bench->world->start.next_task_id, 41);
    assert_int_equal(bench->world->start.next_edge_id, 51);
}

static void what_an_edit_removes_is_gone_and_its_ids_are_not_given_again(void **state)
{
    struct bench *bench = *state;
    struct str name;
    struct str body;
    bench_submit(bench);
    edit(bench);
    effects_add(bench_effects(bench), EFFECT_REMOVE_EDGE)->id = 50;
    effects_add(bench_effects(bench), EFFECT_REMOVE_TASK)->id = 40;
    effects_add(bench_effects(bench), EFFECT_REMOVE_EDGE)->id = 22;
    effects_add(bench_effects(bench), EFFECT_REMOVE_HOLD)->id = 32;
    world_commit(bench->world);
    bench_expect_dump(bench, "task 40", false);
    bench_expect_dump(bench, "edge 50", false);
    bench_expect_dump(bench, "edge 22", false);
    bench_expect_dump(bench, "hold 32", false);
    bench_expect_dump(bench, "edge 23", true);
    bench_expect_condition(bench, 22, NULL, NULL);
    assert_int_equal(store_task_body(bench->world->store, 40, &bench->arena, &name, &body),
                     ERR_NOT_FOUND);
    assert_true(bench->world->start.next_task_id > 40);
    assert_true(bench->world->start.next_edge_id > 50);
    assert_true(bench->world->start.next_hold_id > 32);
    edit(bench); /* its key is free again; only the engine never gives an id twice */
    bench_expect_dump(bench, "task 40 waiting", true);
}

static void what_an_edit_did_is_lost_with_its_turn(void **state)
{
    struct bench *bench = *state;
    bench_submit(bench);
    effects_add(bench_effects(bench), EFFECT_REMOVE_HOLD)->id = 31;
    effects_add(bench_effects(bench), EFFECT_REMOVE_EDGE)->id = 21;
    effects_add(bench_effects(bench), EFFECT_REMOVE_EDGE)->id = 23;
    effects_add(bench_effects(bench), EFFECT_REMOVE_TASK)->id = 12;
    world_apply(bench->world);
    world_reopen(bench->world);
    struct buf expected = { 0 };
    struct buf loaded = { 0 };
    sample_dump(&bench->sample, &expected);
    bench_dump(bench, &loaded);
    assert_string_equal(buf_text(&expected), buf_text(&loaded));
    buf_done(&expected);
    buf_done(&loaded);
}

static void a_hold_does_not_name_a_task_that_was_removed(void **state)
{
    struct bench *bench = *state;
    bench_submit(bench);
    effects_add(bench_effects(bench), EFFECT_REMOVE_EDGE)->id = 21;
    effects_add(bench_effects(bench), EFFECT_REMOVE_EDGE)->id = 23;
    effects_add(bench_effects(bench), EFFECT_REMOVE_TASK)->id = 12;
    world_commit(bench->world);
    bench_expect_dump(bench, "until 70000+60000: 13\n", true);
}

/* --- Coming back --- */

/* So many rows a turn. */
static enum err come_back(struct bench *bench, int64_t id, size_t slice, struct buf *text)
{
    struct engine_config config = { .epoch = 1, .lease_ms = 60000, .ping_ms = 20000 };
    struct engine *engine = engine_new(&config);
    struct reason reason = { { 0 } };
    assert_int_equal(store_load(bench->world->store, engine, &reason), ERR_NONE);
    assert_int_equal(store_begin(bench->world->store, NULL), ERR_NONE);
    struct store_wake wake = { .constellation_id = id };
    enum err err = ERR_NONE;
    size_t turns = 0;
    for (; err == ERR_NONE && !wake.is_whole; turns++) {
        size_t budget = slice;
        err = store_wake(bench->world->store, engine, &wake, &budget, &reason);
        assert_int_equal(store_commit(bench->world->store, NULL), ERR_NONE);
        assert_int_equal(store_begin(bench->world->store, NULL), ERR_NONE);
    }
    if (err == ERR_NONE) {
        assert_true(turns > SAMPLE_TASKS / slice); /* its tasks alone, and one that was added */
        assert_int_equal(engine_load_revived(engine, id, (struct moment){ 1000, 1000 }, &reason),
                         ERR_NONE);
        engine_dump(engine, text);
    }
    assert_int_equal(store_commit(bench->world->store, NULL), ERR_NONE);
    engine_free(engine);
    return err;
}

static void a_constellation_that_is_final_comes_back_whole(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct buf live = { 0 };
    struct buf back = { 0 };
    bench_submit(bench);
    edit(bench);
    assert_int_equal(come_back(bench, 1, SIZE_MAX, &back), ERR_CONFLICT);
    assert_int_equal(come_back(bench, 7, SIZE_MAX, &back), ERR_NOT_FOUND);
    for (int i = 0; i < SAMPLE_TASKS; i++) {
        sample->tasks[i].state = TASK_CANCELLED;
        effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[i];
    }
    const struct task_record late = {
        .id = 40, .class_id = 2, .policy_id = 3, .state = TASK_CANCELLED, .round = 1
    };
    effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = &late;
    world_commit(bench->world);
    bench_dump(bench, &live);
    sample->constellation.state = CONSTELLATION_CANCELLED;
    effects_add(bench_effects(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record =
        &sample->constellation;
    /* One that is newer: at the next start the class of the first is out of use. */
    struct class_record newer = { .id = 8, .plan = { .executor = EXECUTOR_NOOP } };
    effects_add(bench_effects(bench), EFFECT_ADD_CLASS)->class = &newer;
    world_commit(bench->world);
    bench_expect_dump(bench, "constellation 1", false);
    const char *state_then = strstr(buf_text(&live), "constellation 1 running");
    assert_non_null(state_then);
    const size_t slices[] = { SIZE_MAX, 1, 2, 3, 5, 9 };
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        assert_int_equal(come_back(bench, 1, slices[i], &back), ERR_NONE);
        const char *state_now = strstr(buf_text(&back), "constellation 1 cancelled");
        assert_non_null(state_now);
        assert_string_equal(strchr(state_then, '\n'), strchr(state_now, '\n'));
        assert_non_null(strstr(buf_text(&back), "class 2 shell"));
        buf_done(&back);
        back = (struct buf){ 0 };
    }
    buf_done(&live);
}

static void a_half_loaded_constellation_leaves_no_hold_and_no_limit(void **state)
{
    struct bench *bench = *state;
    bench->sample.constellation.state = CONSTELLATION_LOADING;
    sample_submit(&bench->sample, bench_effects(bench));
    world_commit(bench->world);
    bench_expect_dump(bench, "constellation", false);
    bench_expect_condition(bench, 22, NULL, NULL);
    assert_int_equal(bench->world->start.next_hold_id, 33);
    bench->sample.constellation.state = CONSTELLATION_RUNNING;
    bench->sample.class.id = 5;
    bench->sample.policy.id = 5;
    for (int i = 0; i < SAMPLE_TASKS; i++) {
        bench->sample.tasks[i].class_id = 5;
        bench->sample.tasks[i].policy_id = 5;
    }
    bench->sample.attempt.fence = 78;
    bench->sample.tasks[0].fence = 78;
    bench->sample.limits[0].capacity = 7;
    bench_submit(bench); /* nothing of it is in the way */
    bench_expect_dump(bench, "limit 0 licence 7", true);
}

/* --- Edits of many operations --- */

static void put_bulk_hold(struct bench *bench, int64_t id)
{
    static struct hold_record record;
    record = (struct hold_record){ .id = id,
                                   .constellation_id = bench->sample.constellation.id,
                                   .scope = HOLD_ALL,
                                   .origin = HOLD_BULK,
                                   .on_expiry = HOLD_EXPIRY_RELEASE };
    struct effect *effect = effects_add(bench_effects(bench), EFFECT_ADD_HOLD);
    effect->hold.record = &record;
    effect->hold.owner = STR("ada");
    effect->hold.reason = STR("an edit");
    world_apply(bench->world);
}

static void put_piece(struct bench *bench, int64_t id, uint32_t number, const char *text)
{
    struct reason reason = { "" };
    assert_int_equal(
        store_put_piece(bench->world->store, id, PIECE_PART, number, str_of(text), &reason),
        ERR_NONE);
}

static void expect_piece(struct bench *bench, int64_t id, uint32_t number, const char *text)
{
    struct str body;
    assert_int_equal(
        store_read_piece(bench->world->store, id, PIECE_PART, number, &bench->arena, &body),
        ERR_NONE);
    assert_true(str_is(body, text));
}

static void an_edit_in_parts_is_kept_from_its_admission_to_its_end(void **state)
{
    struct bench *bench = *state;
    bench_submit(bench);
    int64_t first = bench->world->start.next_task_id + 100;
    put_bulk_hold(bench, 70);
    put_piece(bench, 70, 0, "one");
    put_piece(bench, 70, 1, "two");
    struct bulk_record bulk = { .id = 70,
                                .constellation_id = bench->sample.constellation.id,
                                .first_task_id = first,
                                .tasks_added = 5,
                                .parts = 2,
                                .reopens = true };
    effects_add(bench_effects(bench), EFFECT_PUT_BULK)->bulk = bulk;
    world_commit(bench->world);
    char line[96];
    snprintf(line, sizeof line, "bulk 70 tasks %lld+5 part 0 of 2 reopens\n", (long long)first);
    bench_expect_dump(bench, line, true);
    assert_int_equal(bench->world->start.next_task_id, first + 5);
    expect_piece(bench, 70, 0, "one");
    expect_piece(bench, 70, 1, "two");
    bulk.next = 1;
    bulk.renews = bulk.is_renewing = true;
    effects_add(bench_effects(bench), EFFECT_PUT_BULK)->bulk = bulk;
    world_commit(bench->world);
    bench_expect_dump(bench, "part 1 of 2 renews now reopens\n", true);
    effects_add(bench_effects(bench), EFFECT_REMOVE_BULK)->id = 70;
    effects_add(bench_effects(bench), EFFECT_REMOVE_HOLD)->id = 70;
    world_commit(bench->world);
    bench_expect_dump(bench, "bulk 70", false);
}

static void an_edit_that_was_not_admitted_leaves_nothing_but_its_number(void **state)
{
    struct bench *bench = *state;
    struct reason reason = { "" };
    bench_submit(bench);
    world_apply(bench->world);
    put_piece(bench, 80, 0, "one"); /* of one that has ended: it has no hold */
    put_piece(bench, 81, 0, "two");
    assert_int_equal(store_drop_pieces(bench->world->store, 81, &reason), ERR_NONE);
    world_commit(bench->world);
    bench_expect_dump(bench, "bulk", false);
    assert_true(bench->world->start.next_hold_id > 81);
    /* While its number stands for what is to go, another of this number would go with it. */
    world_apply(bench->world);
    assert_int_equal(store_drop_pieces(bench->world->store, 90, &reason), ERR_NONE);
    world_commit(bench->world);
    bench_expect_dump(bench, "bulk", false);
    assert_true(bench->world->start.next_hold_id > 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_BOTH(what_an_edit_adds_is_found_beyond_the_ids_of_another_constellation),
        BENCH_BOTH(what_an_edit_removes_is_gone_and_its_ids_are_not_given_again),
        BENCH_BOTH(what_an_edit_did_is_lost_with_its_turn),
        BENCH_BOTH(a_hold_does_not_name_a_task_that_was_removed),
        BENCH_BOTH(a_constellation_that_is_final_comes_back_whole),
        BENCH_BOTH(a_half_loaded_constellation_leaves_no_hold_and_no_limit),
        BENCH_BOTH(an_edit_in_parts_is_kept_from_its_admission_to_its_end),
        BENCH_BOTH(an_edit_that_was_not_admitted_leaves_nothing_but_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
