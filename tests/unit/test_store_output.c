/* The contract of the store for what tasks put out, over both implementations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/store_world.h"

static void output_up_to_the_inline_limit_is_durable_with_its_commit(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 10000);
    world_output(world, STREAM_STDOUT, STORE_OUTPUT_INLINE_MAX - 10000);
    world_commit(world);
    assert_int_equal(store_sync_deadline(world->store), 0);
    assert_int_equal(world_sync(world, 5000, false), 1);
    assert_int_equal(world->durable[0].offset, STORE_OUTPUT_INLINE_MAX);
    assert_int_equal(world->durable[0].stream, STREAM_STDOUT);
    assert_true(store_sync_deadline(world->store) == INT64_MAX);
    assert_int_equal(world_sync(world, 5000, false), 0);
    world_reopen(world);
    world_expect_output(world, STREAM_STDOUT, 0, STORE_OUTPUT_INLINE_MAX);
}

static void output_across_the_inline_limit_reads_as_it_was_written(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    world_output(world, STREAM_STDERR, 3);
    world_output(world, STREAM_STDERR, STORE_OUTPUT_INLINE_MAX - 4);
    world_output(world, STREAM_STDERR, 2); /* one on either side */
    world_output(world, STREAM_STDERR, 50000);
    world_commit(world);
    uint64_t length = STORE_OUTPUT_INLINE_MAX + 1 + 50000;
    for (int again = 0; again < 2; again++) {
        world_expect_output(world, STREAM_STDERR, 0, length);
        world_expect_output(world, STREAM_STDERR, STORE_OUTPUT_INLINE_MAX - 1, 2);
        world_expect_output(world, STREAM_STDERR, STORE_OUTPUT_INLINE_MAX, 1000);
        world_expect_output(world, STREAM_STDERR, length - 1, 1);
        struct buf bytes = { 0 };
        assert_int_equal(store_read_output(world->store, 77, STREAM_STDERR, length, 10, &bytes),
                         ERR_NONE);
        assert_int_equal(bytes.length, 0);
        assert_int_equal(store_read_output(world->store, 77, STREAM_STDOUT, 0, 10, &bytes),
                         ERR_NONE);
        assert_int_equal(bytes.length, 0);
        assert_int_equal(store_read_output(world->store, 78, STREAM_STDOUT, 0, 10, &bytes),
                         ERR_NOT_FOUND);
        buf_done(&bytes);
        world_reopen(world);
    }
}

static void a_file_is_synced_at_most_once_a_second(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 20000);
    world_commit(world);
    assert_int_equal(world_sync(world, 10000, false), 1);
    assert_int_equal(world->durable[0].offset, 20000);
    world_output(world, STREAM_STDOUT, 1000);
    world_commit(world);
    assert_int_equal(store_sync_deadline(world->store), 11000);
    assert_int_equal(world_sync(world, 10999, false), 0);
    assert_int_equal(store_sync_deadline(world->store), 11000);
    assert_int_equal(world_sync(world, 11000, false), 1);
    assert_int_equal(world->durable[0].offset, 21000);
    world_output(world, STREAM_STDOUT, 1000);
    world_commit(world);
    assert_int_equal(world_sync(world, 11001, true), 1);
    assert_int_equal(world->durable[0].offset, 22000);
}

static void a_result_makes_its_output_durable_at_once(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 20000);
    world_commit(world);
    assert_int_equal(world_sync(world, 10000, false), 1);
    world_output(world, STREAM_STDOUT, 20000);
    effects_add(&world->effects, EFFECT_RESULT)->result.fence = 77;
    world_commit(world);
    assert_int_equal(world_sync(world, 10001, false), 1);
    assert_int_equal(world->durable[0].offset, 40000);
}

static void output_of_a_lost_transaction_is_written_again(void **state)
{
    struct store_world *world = *state;
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 16000);
    world_commit(world);
    struct attempt_record kept = world->attempt;
    world_output(world, STREAM_STDOUT, 30000);
    world_apply(world);
    world_reopen(world);
    world->attempt = kept;
    world_expect_output(world, STREAM_STDOUT, 0, 16000);
    world_output(world, STREAM_STDOUT, 10000); /* less than what was lost */
    world_commit(world);
    world_expect_output(world, STREAM_STDOUT, 0, 26000);
    struct buf bytes = { 0 };
    assert_int_equal(store_read_output(world->store, 77, STREAM_STDOUT, 0, 90000, &bytes),
                     ERR_NONE);
    assert_int_equal(bytes.length, 26000);
    buf_done(&bytes);
}

static void a_stream_that_is_too_long_for_a_placeholder_comes_back_as_its_length(void **state)
{
    struct store_world *world = *state;
    struct arena arena = { 0 };
    struct store_outcome outcome;
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 20000);
    world_output(world, STREAM_STDERR, 10);
    world_commit(world);
    assert_int_equal(store_task_outcome(world->store, 1, STR("first"), 19999, &arena, &outcome),
                     ERR_NONE);
    assert_int_equal(outcome.stdout_bytes, 20000);
    assert_int_equal(outcome.stdout_data.length, 0);
    assert_int_equal(outcome.stderr_data.length, 10);
    assert_int_equal(store_task_outcome(world->store, 1, STR("first"), 20000, &arena, &outcome),
                     ERR_NONE);
    assert_int_equal(outcome.stdout_data.length, 20000);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_BOTH(output_up_to_the_inline_limit_is_durable_with_its_commit),
        WORLD_BOTH(output_across_the_inline_limit_reads_as_it_was_written),
        WORLD_BOTH(a_file_is_synced_at_most_once_a_second),
        WORLD_BOTH(a_result_makes_its_output_durable_at_once),
        WORLD_BOTH(output_of_a_lost_transaction_is_written_again),
        WORLD_BOTH(a_stream_that_is_too_long_for_a_placeholder_comes_back_as_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
