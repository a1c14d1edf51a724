/* The contract of the store, run unchanged over both implementations: SQLite in a directory of its own,
   and the twin over its disk. What only a database on a disk can show is in test_store_sqlite.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/engine/model.h"
#include "tests/unit/store_world.h"

/* --- By hand --- */

static void what_was_committed_is_loaded_again(void **state)
{
    struct store_world *world = *state;
    struct buf before = { 0 };
    struct buf after = { 0 };
    world_add_sample(world);
    world_commit(world);
    world_dump(world, &before);
    world_reopen(world);
    world_dump(world, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    assert_non_null(strstr(buf_text(&after), "constellation 1 running"));
    assert_non_null(strstr(buf_text(&after), "task 2"));
    assert_non_null(strstr(buf_text(&after), "edge 1"));
    assert_non_null(strstr(buf_text(&after), "attempt 77"));
    assert_non_null(strstr(buf_text(&after), "a\"quote\\=line\nbreak"));
    assert_non_null(strstr(buf_text(&after), "role in (desktop)"));
    buf_done(&before);
    buf_done(&after);
}

static void what_was_not_committed_is_gone(void **state)
{
    struct store_world *world = *state;
    struct buf empty = { 0 };
    struct buf after = { 0 };
    world_dump(world, &empty);
    world_add_sample(world);
    world_reopen(world);
    world_dump(world, &after);
    assert_string_equal(buf_text(&empty), buf_text(&after));
    assert_int_equal(world->start.next_task_id, 1);
    assert_int_equal(world->start.last_seq, 0);
    buf_done(&empty);
    buf_done(&after);
}

/* Of attempts that have succeeded; by the name of their task, which is what learn.c knows it by. */
static void what_tasks_took_is_known_after_a_start(void **state)
{
    static const struct {
        int32_t exit_code;
        int64_t started_wall_ms;
        uint32_t expected_ms;
    } cases[] = { { 0, 1000, 8000 }, { 1, 1000, 1 }, { 0, 0, 1 } };
    struct store_world *world = *state;
    struct reason reason = { "" };
    world_add_sample(world);
    world_commit(world);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world->attempt.state = ATTEMPT_ENDED;
        world->attempt.outcome = OUTCOME_EXITED;
        world->attempt.exit_code = cases[i].exit_code;
        world->attempt.started_wall_ms = cases[i].started_wall_ms;
        world->attempt.ended_wall_ms = 9000;
        effects_add(&world->effects, EFFECT_SAVE_ATTEMPT)->attempt = &world->attempt;
        world_commit(world);
        world_reopen(world);
        struct engine_config config = { .epoch = 2 };
        struct engine *engine = engine_new(&config);
        const struct task task = { .record = world->task };
        assert_int_equal(store_load(world->store, engine, &reason), ERR_NONE);
        assert_int_equal(learn_expected(engine, &task), cases[i].expected_ms);
        engine_free(engine);
    }
}

static void a_change_that_was_lost_leaves_the_row_as_it_was(void **state)
{
    struct store_world *world = *state;
    struct buf before = { 0 };
    struct buf after = { 0 };
    world_add_sample(world);
    world_commit(world);
    world_dump(world, &before);
    world->task.state = TASK_FAILED;
    world->task.tries = 3;
    effects_add(&world->effects, EFFECT_SAVE_TASK)->task.record = &world->task;
    world_apply(world);
    world_reopen(world);
    world_dump(world, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    buf_done(&before);
    buf_done(&after);
}

static void reads_see_the_rows_of_their_own_transaction(void **state)
{
    struct store_world *world = *state;
    struct arena arena = { 0 };
    struct str name;
    struct str body;
    struct store_outcome outcome;
    world_add_sample(world);
    assert_int_equal(store_task_body(world->store, 1, &arena, &name, &body), ERR_NONE);
    assert_true(str_is(name, "sample-abcd/first"));
    assert_int_equal(body.length, 5);
    assert_memory_equal(body.data,
                        "a\0b\xff"
                        "c",
                        5);
    assert_int_equal(store_task_outcome(world->store, 1, STR("first"), 100, &arena, &outcome),
                     ERR_NONE);
    assert_int_equal(outcome.state, TASK_RUNNING);
    assert_true(outcome.has_run && !outcome.has_exit_code);
    assert_true(str_is(outcome.device, "desk"));
    assert_int_equal(store_task_outcome(world->store, 1, STR("third"), 100, &arena, &outcome),
                     ERR_NOT_FOUND);
    assert_int_equal(store_task_body(world->store, 99, &arena, &name, &body), ERR_NOT_FOUND);
    world_commit(world);
    arena_done(&arena);
}

static void inputs_stand_in_for_the_body_once_they_are_filled_in(void **state)
{
    struct store_world *world = *state;
    struct arena arena = { 0 };
    struct str name;
    struct str body;
    world_add_sample(world);
    assert_int_equal(store_put_inputs(world->store, 2, STR("filled"), NULL), ERR_NONE);
    assert_int_equal(store_task_body(world->store, 2, &arena, &name, &body), ERR_NONE);
    assert_true(str_is(body, "filled"));
    world_commit(world);
    world_reopen(world);
    assert_int_equal(store_task_body(world->store, 2, &arena, &name, &body), ERR_NONE);
    assert_true(str_is(body, "filled"));
    assert_true(str_is(name, "sample-abcd/second"));
    arena_done(&arena);
}

static void a_task_without_an_attempt_has_an_outcome_without_output(void **state)
{
    struct store_world *world = *state;
    struct arena arena = { 0 };
    struct store_outcome outcome;
    world_add_sample(world);
    world_commit(world);
    assert_int_equal(store_task_outcome(world->store, 1, STR("second"), 100, &arena, &outcome),
                     ERR_NONE);
    assert_int_equal(outcome.state, TASK_WAITING);
    assert_false(outcome.has_run || outcome.has_exit_code);
    assert_int_equal(outcome.device.length, 0);
    assert_int_equal(outcome.stdout_bytes, 0);
    assert_int_equal(outcome.result.length, 0);
    arena_done(&arena);
}

static void a_result_keeps_its_words_and_its_value(void **state)
{
    struct store_world *world = *state;
    struct arena arena = { 0 };
    struct store_outcome outcome;
    world_add_sample(world);
    world->attempt.state = ATTEMPT_ENDED;
    world->attempt.outcome = OUTCOME_EXITED;
    world->attempt.exit_code = -3;
    effects_add(&world->effects, EFFECT_SAVE_ATTEMPT)->attempt = &world->attempt;
    struct effect *effect = effects_add(&world->effects, EFFECT_RESULT);
    effect->result.fence = 77;
    effect->result.reason = STR("exit code -3");
    effect->result.result = STR("{\"rows\":7}");
    world_commit(world);
    world_reopen(world);
    assert_int_equal(store_task_outcome(world->store, 1, STR("first"), 100, &arena, &outcome),
                     ERR_NONE);
    assert_true(outcome.has_run && outcome.has_exit_code);
    assert_int_equal(outcome.exit_code, -3);
    assert_true(str_is(outcome.result, "{\"rows\":7}"));
    arena_done(&arena);
}

static void expect_loaded(struct store_world *world, const char *line)
{
    struct buf text = { 0 };
    world_commit(world);
    world_reopen(world);
    world_dump(world, &text);
    if (strstr(buf_text(&text), line) == NULL) {
        fail_msg("%s is not in\n%s", line, buf_text(&text));
    }
    buf_done(&text);
}

static void save_task(struct store_world *world, enum task_state state)
{
    world->task.state = (uint8_t)state;
    effects_add(&world->effects, EFFECT_SAVE_TASK)->task.record = &world->task;
}

static void end_attempt(struct store_world *world)
{
    world->attempt.state = ATTEMPT_ENDED;
    world->attempt.outcome = OUTCOME_EXITED;
    effects_add(&world->effects, EFFECT_SAVE_ATTEMPT)->attempt = &world->attempt;
}

static void assign_again(struct store_world *world)
{
    world->attempt.previous = world->attempt.fence++;
    world->attempt.number++;
    world->attempt.state = ATTEMPT_SENT;
    world->attempt.outcome = 0;
    world->attempt.stop_wanted = false;
    effects_add(&world->effects, EFFECT_ADD_ATTEMPT)->attempt = &world->attempt;
    world->task.fence = world->attempt.fence;
    world->task.attempts++;
}

static void write_edge(struct store_world *world, enum effect_kind kind,
                       enum edge_decision decision, uint64_t fence)
{
    struct effect *effect = effects_add(&world->effects, kind);
    effect->edge.record = (struct edge_record){ .id = 1,
                                                .from_id = 1,
                                                .to_id = 2,
                                                .when = EDGE_WHEN_SUCCESS,
                                                .named = true,
                                                .decision = decision,
                                                .fence = fence };
    effect->edge.constellation_id = 1;
}

static void save_edge(struct store_world *world, enum edge_decision decision, uint64_t fence)
{
    write_edge(world, EFFECT_SAVE_EDGE, decision, fence);
}

static void a_task_is_loaded_as_it_last_was_with_and_without_an_attempt(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    save_task(world, TASK_RUNNING);
    expect_loaded(world, "task 1 running class 2 policy 3 fence 77 ");
    end_attempt(world);
    world->task.tries = 1;
    world->task.wake_wall_ms = 4000;
    world->task.wake_length_ms = 500;
    save_task(world, TASK_BACKOFF);
    expect_loaded(world, "task 1 backoff class 2 policy 3 fence 77 ");
    expect_loaded(world, "fence 77 wake 4000+500 priority -7 attempts 0-1 tries 1 lost 0");
    assign_again(world);
    world->task.wake_wall_ms = 0;
    world->task.wake_length_ms = 0;
    save_task(world, TASK_ASSIGNED);
    expect_loaded(world, "task 1 assigned class 2 policy 3 fence 78 ");
    expect_loaded(world, "fence 78 wake 0+0 priority -7 attempts 0-2 tries 1 lost 0");
    /* Within one turn: lost with its agent, and assigned to another. */
    world->attempt.state = ATTEMPT_LOST;
    effects_add(&world->effects, EFFECT_SAVE_ATTEMPT)->attempt = &world->attempt;
    world_commit(world);
    assign_again(world);
    world->task.lost = 1;
    save_task(world, TASK_ASSIGNED);
    expect_loaded(world, "task 1 assigned class 2 policy 3 fence 79 ");
    expect_loaded(world, "attempts 0-3 tries 1 lost 1");
    end_attempt(world);
    save_task(world, TASK_SUCCEEDED);
    expect_loaded(world, "task 1 succeeded class 2 policy 3 fence 79 ");
}

static void a_lost_attempt_is_loaded_until_it_is_given_up(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    world->attempt.state = ATTEMPT_LOST;
    effects_add(&world->effects, EFFECT_SAVE_ATTEMPT)->attempt = &world->attempt;
    save_task(world, TASK_UNKNOWN);
    expect_loaded(world, "attempt 77 after 0 lost");
    world->attempt.given_up = true;
    effects_add(&world->effects, EFFECT_SAVE_ATTEMPT)->attempt = &world->attempt;
    struct buf text = { 0 };
    world_commit(world);
    world_reopen(world);
    world_dump(world, &text);
    assert_non_null(strstr(buf_text(&text), "task 1 unknown"));
    assert_null(strstr(buf_text(&text), "attempt 77"));
    buf_done(&text);
}

/* The second attempt keeps what the first has decided once more: it stands by itself already. */
static void a_decision_that_is_kept_outlives_the_attempts_that_follow(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    expect_loaded(world, "edge 1 1-2 when 1 decision 0");
    end_attempt(world);
    save_task(world, TASK_SUCCEEDED);
    save_edge(world, EDGE_OPEN, 77);
    expect_loaded(world, "edge 1 1-2 when 1 decision 1");
    for (uint64_t fence = 77; fence <= 79; fence++) {
        save_task(world, TASK_WAITING);
        write_edge(world, EFFECT_KEEP_EDGE, EDGE_OPEN, fence);
        expect_loaded(world, "edge 1 1-2 when 1 decision 1");
        assign_again(world);
        save_task(world, TASK_ASSIGNED);
        expect_loaded(world, "edge 1 1-2 when 1 decision 1");
        end_attempt(world);
        save_task(world, TASK_SUCCEEDED);
        world_commit(world);
    }
    save_edge(world, EDGE_CLOSED, 80);
    expect_loaded(world, "edge 1 1-2 when 1 decision 2");
    write_edge(world, EFFECT_KEEP_EDGE, EDGE_CLOSED, 80);
    save_edge(world, EDGE_UNDECIDED, 0);
    expect_loaded(world, "edge 1 1-2 when 1 decision 0");
}

static void a_decision_that_is_taken_back_is_gone(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    end_attempt(world);
    save_task(world, TASK_FAILED);
    save_edge(world, EDGE_CLOSED, 77);
    expect_loaded(world, "edge 1 1-2 when 1 decision 2");
    save_edge(world, EDGE_UNDECIDED, 0);
    expect_loaded(world, "edge 1 1-2 when 1 decision 0");
    save_edge(world, EDGE_CLOSED, 0); /* skipped, say: no attempt has made it */
    expect_loaded(world, "edge 1 1-2 when 1 decision 2");
}

static void history_is_numbered_without_a_gap(void **state)
{
    struct store_world *world = *state;
    for (int64_t expected = 1; expected <= 6;) {
        struct effect *first = effects_add(&world->effects, EFFECT_HISTORY);
        first->history.kind = HISTORY_DEVICE_CONNECTED;
        effects_add(&world->effects, EFFECT_HISTORY)->history.kind = HISTORY_TASK_STARTED;
        world_apply(world);
        assert_int_equal(world->effects.list[0].history.seq, expected++);
        assert_int_equal(world->effects.list[1].history.seq, expected++);
        world_commit(world);
    }
    effects_add(&world->effects, EFFECT_HISTORY)->history.kind = HISTORY_TASK_STARTED;
    world_apply(world); /* and lost */
    world_reopen(world);
    assert_int_equal(world->start.last_seq, 6);
    effects_add(&world->effects, EFFECT_HISTORY)->history.kind = HISTORY_TASK_STARTED;
    world_apply(world);
    assert_int_equal(world->effects.list[0].history.seq, 7);
    world_commit(world);
}

static void a_half_loaded_constellation_is_removed_at_the_next_start(void **state)
{
    struct store_world *world = *state;
    struct arena arena = { 0 };
    struct buf after = { 0 };
    struct str name;
    struct str body;
    world->constellation.state = CONSTELLATION_LOADING;
    world_add_sample(world);
    world_commit(world);
    world_reopen(world);
    world_dump(world, &after);
    assert_null(strstr(buf_text(&after), "constellation"));
    assert_int_equal(store_task_body(world->store, 1, &arena, &name, &body), ERR_NOT_FOUND);
    /* What its ids named may stand in logs and events: they are not given again. */
    assert_int_equal(world->start.next_constellation_id, 2);
    assert_int_equal(world->start.next_task_id, 3);
    assert_int_equal(world->start.next_edge_id, 2);
    world_reopen(world);
    assert_int_equal(world->start.next_task_id, 3);
    arena_done(&arena);
    buf_done(&after);
}

static void a_final_constellation_is_not_loaded_but_can_be_read(void **state)
{
    struct store_world *world = *state;
    struct arena arena = { 0 };
    struct buf after = { 0 };
    struct str name;
    struct str body;
    world_add_sample(world);
    world->constellation.state = CONSTELLATION_FAILED;
    effects_add(&world->effects, EFFECT_SAVE_CONSTELLATION)->constellation.record =
        &world->constellation;
    world_commit(world);
    world_reopen(world);
    world_dump(world, &after);
    assert_null(strstr(buf_text(&after), "task"));
    assert_non_null(strstr(buf_text(&after), "device 4 desk"));
    assert_int_equal(store_task_body(world->store, 1, &arena, &name, &body), ERR_NONE);
    arena_done(&arena);
    buf_done(&after);
}

static void a_start_raises_the_epoch_and_keeps_the_identity(void **state)
{
    struct store_world *world = *state;
    struct store_start first = world->start;
    assert_int_equal(first.epoch, 1);
    world_reopen(world);
    assert_int_equal(world->start.epoch, 2);
    assert_memory_equal(world->start.lineage, first.lineage, sizeof first.lineage);
    assert_memory_equal(world->start.secret, first.secret, sizeof first.secret);
    assert_memory_not_equal(world->start.start_id, first.start_id, sizeof first.start_id);
    assert_int_equal(world->start.ahead_epoch, 0);
}

static void a_receipt_of_an_unknown_start_or_a_higher_fence_is_ahead(void **state)
{
    struct store_world *world = *state;
    struct store_start first = world->start;
    world_add_sample(world); /* fence 77 */
    world_commit(world);
    assert_false(world_is_ahead(world, 1, first.start_id, 77));
    world_reopen(world);
    assert_false(world_is_ahead(world, 1, first.start_id, 77));
    assert_false(world_is_ahead(world, 2, world->start.start_id, 77));
    /* What a Welcome promises before the start's first assignment. */
    assert_false(world_is_ahead(world, 2, world->start.start_id, UINT64_C(2) << 40));
    assert_false(world_is_ahead(world, 1, first.start_id, UINT64_C(1) << 40));
    assert_int_equal(world->start.ahead_epoch, 0);
    assert_true(world_is_ahead(world, 1, first.start_id, (UINT64_C(1) << 40) + 1));
    assert_true(world_is_ahead(world, 2, first.start_id, 1));
    assert_true(world_is_ahead(world, 9, first.start_id, 1));
    world_reopen(world);
    assert_int_equal(world->start.ahead_epoch, 9);
}

/* --- With the engine --- */

static void a_row_that_is_missing_makes_the_store_refuse_all_that_follows(void **state)
{
    struct store_world *world = *state;
    struct reason reason = { { 0 } };
    world->task.id = 12;
    effects_add(&world->effects, EFFECT_SAVE_TASK)->task.record = &world->task;
    assert_int_equal(store_begin(world->store, NULL), ERR_NONE);
    assert_int_equal(store_apply(world->store, &world->effects, &reason), ERR_CORRUPT);
    assert_int_not_equal(reason.text[0], '\0');
    assert_int_equal(store_commit(world->store, &reason), ERR_CLOSED);
    assert_int_equal(store_begin(world->store, &reason), ERR_CLOSED);
    world->in_turn = false;
}

static void memory_is_the_database_after_every_turn(void **state)
{
    struct store_world *world = *state;
    world_run_constellation(world, 40);
    assert_true(world->turns > 10);
    assert_int_equal(world->finished, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_BOTH(what_was_committed_is_loaded_again),
        WORLD_BOTH(what_was_not_committed_is_gone),
        WORLD_BOTH(what_tasks_took_is_known_after_a_start),
        WORLD_BOTH(a_change_that_was_lost_leaves_the_row_as_it_was),
        WORLD_BOTH(reads_see_the_rows_of_their_own_transaction),
        WORLD_BOTH(inputs_stand_in_for_the_body_once_they_are_filled_in),
        WORLD_BOTH(a_task_without_an_attempt_has_an_outcome_without_output),
        WORLD_BOTH(a_result_keeps_its_words_and_its_value),
        WORLD_BOTH(a_task_is_loaded_as_it_last_was_with_and_without_an_attempt),
        WORLD_BOTH(a_lost_attempt_is_loaded_until_it_is_given_up),
        WORLD_BOTH(a_decision_that_is_kept_outlives_the_attempts_that_follow),
        WORLD_BOTH(a_decision_that_is_taken_back_is_gone),
        WORLD_BOTH(history_is_numbered_without_a_gap),
        WORLD_BOTH(a_half_loaded_constellation_is_removed_at_the_next_start),
        WORLD_BOTH(a_final_constellation_is_not_loaded_but_can_be_read),
        WORLD_BOTH(a_start_raises_the_epoch_and_keeps_the_identity),
        WORLD_BOTH(a_receipt_of_an_unknown_start_or_a_higher_fence_is_ahead),
        WORLD_BOTH(a_row_that_is_missing_makes_the_store_refuse_all_that_follows),
        WORLD_BOTH(memory_is_the_database_after_every_turn),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
