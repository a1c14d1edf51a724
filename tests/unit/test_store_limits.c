/* Limits of the store that a client or a fleet can come to: how far one filtered list looks, how many
   constellations are named that a prefix may mean, how many files of output are open, how many are synced in one call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/mem.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/query.h"
#include "tests/unit/store_world.h"

static int open_world(void **state)
{
    *state = world_new(true);
    return 0;
}

static int close_world(void **state)
{
    world_free(*state);
    return 0;
}

/* All have failed but the oldest, which runs. */
static void add_constellations(struct store_world *world, size_t count)
{
    static const struct plan plan = { .name = { "name", 4 } };
    struct constellation_record *records = mem_array(count, sizeof *records);
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct constellation_record){
            .id = (int64_t)i + 1,
            .state = i == 0 ? CONSTELLATION_RUNNING : CONSTELLATION_FAILED,
            .created_wall_ms = 5,
        };
        char uid[32];
        int length = snprintf(uid, sizeof uid, "name-%zu", i + 1);
        struct effect *effect = effects_add(&world->effects, EFFECT_ADD_CONSTELLATION);
        effect->constellation.record = &records[i];
        effect->constellation.uid =
            arena_str(&world->effects.arena, (struct str){ uid, (size_t)length });
        effect->constellation.plan = &plan;
    }
    world_commit(world);
    mem_free(records);
}

static void a_filtered_list_looks_only_so_far_and_says_where_to_go_on(void **state)
{
    struct store_world *world = *state;
    add_constellations(world, QUERY_SCAN_MAX + 1);
    struct query_list wanted = { .states = 1U << CONSTELLATION_RUNNING, .limit = 10 };
    struct query_constellations list;
    struct arena arena = { 0 };
    struct reason reason;
    assert_int_equal(query_constellation_list(world->store, &wanted, &arena, &list, &reason),
                     ERR_NONE);
    assert_int_equal(list.count, 0); /* the one is behind those that were looked at */
    assert_int_equal(list.next_id, 2);
    wanted.before_id = list.next_id;
    assert_int_equal(query_constellation_list(world->store, &wanted, &arena, &list, &reason),
                     ERR_NONE);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.list[0].record.id, 1);
    assert_int_equal(list.next_id, 0);
    /* One less and it is within reach at once. */
    wanted.before_id = QUERY_SCAN_MAX + 1;
    assert_int_equal(query_constellation_list(world->store, &wanted, &arena, &list, &reason),
                     ERR_NONE);
    assert_int_equal(list.count, 1);
    arena_done(&arena);
}

static void of_many_that_a_prefix_may_mean_the_first_are_named(void **state)
{
    struct store_world *world = *state;
    add_constellations(world, QUERY_CANDIDATES_MAX + 1);
    struct query_constellation found;
    struct query_candidates candidates = { .count = 0 };
    struct arena arena = { 0 };
    struct reason reason;
    assert_int_equal(
        query_constellation_find(world->store, STR("name-"), &arena, &found, &candidates, &reason),
        ERR_CONFLICT);
    assert_int_equal(candidates.count, QUERY_CANDIDATES_MAX);
    assert_true(str_is(candidates.uids[0], "name-1"));
    /* One that is as long as an id may be, and longer. */
    char text[QUERY_ID_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    for (size_t length = QUERY_ID_BYTES_MAX; length <= sizeof text; length++) {
        assert_int_equal(query_constellation_find(world->store, (struct str){ text, length },
                                                  &arena, &found, &candidates, &reason),
                         ERR_NOT_FOUND);
    }
    assert_int_equal(
        query_constellation_find(world->store, STR("name-6"), &arena, &found, &candidates, &reason),
        ERR_NONE);
    arena_done(&arena);
}

static size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

static void write_output(struct output_files *files, uint64_t fence, uint64_t at)
{
    struct reason reason = { "" };
    char text[32];
    int length = snprintf(text, sizeof text, "%012" PRIu64, fence + at);
    if (output_files_write(files, fence, STREAM_STDOUT, STORE_OUTPUT_INLINE_MAX + at,
                           (struct str){ text, (size_t)length }, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

static void expect_output(const char *data_dir, uint64_t fence, uint64_t at)
{
    struct buf got = { 0 };
    char text[32];
    snprintf(text, sizeof text, "%012" PRIu64, fence + at);
    assert_int_equal(
        output_file_read(data_dir, fence, STREAM_STDOUT, STORE_OUTPUT_INLINE_MAX + at, 12, &got),
        ERR_NONE);
    assert_string_equal(buf_text(&got), text);
    buf_done(&got);
}

static void count_told(void *context, uint64_t fence, enum stream stream, uint64_t offset)
{
    (void)fence;
    (void)stream;
    (void)offset;
    (*(size_t *)context)++;
}

static struct output_files *open_files(struct store_world *world)
{
    /* The daemon raises it at its start. */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return output_files_new(world->data_dir);
}

static void more_streams_than_files_may_be_open_are_written_all_the_same(void **state)
{
    struct store_world *world = *state;
    enum { STREAMS = OUTPUT_OPEN_FILES_MAX + 40 };
    struct output_files *files = open_files(world);
    size_t before = open_descriptors();
    for (uint64_t fence = 1; fence <= STREAMS; fence++) {
        write_output(files, fence, 0);
        assert_true(open_descriptors() <= before + OUTPUT_OPEN_FILES_MAX);
    }
    assert_int_equal(open_descriptors(), before + OUTPUT_OPEN_FILES_MAX);
    /* Those that were closed go on where they were. */
    for (uint64_t fence = 1; fence <= STREAMS - OUTPUT_OPEN_FILES_MAX; fence++) {
        write_output(files, fence, 12);
    }
    assert_int_equal(open_descriptors(), before + OUTPUT_OPEN_FILES_MAX);
    struct reason reason;
    size_t told = 0;
    /* Before any is due: what was closed last was synced for it, and can be told. */
    assert_int_equal(output_files_sync(files, -1, false, count_told, &told, &reason), ERR_NONE);
    assert_int_equal(told, STREAMS - OUTPUT_OPEN_FILES_MAX);
    for (uint64_t fence = 1; fence <= STREAMS; fence++) {
        expect_output(world->data_dir, fence, 0);
        if (fence <= STREAMS - OUTPUT_OPEN_FILES_MAX) {
            expect_output(world->data_dir, fence, 12);
        }
    }
    output_files_free(files);
    assert_int_equal(open_descriptors(), before);
}

static void more_files_than_one_call_syncs_follow_in_the_next(void **state)
{
    struct store_world *world = *state;
    enum { STREAMS = 2 * OUTPUT_SYNC_FILES_MAX + 1 };
    struct output_files *files = open_files(world);
    for (uint64_t fence = 1; fence <= STREAMS; fence++) {
        write_output(files, fence, 0);
    }
    struct reason reason;
    size_t told = 0;
    while (told < STREAMS) {
        size_t left = STREAMS - told;
        size_t before = told;
        assert_true(output_files_deadline(files) <= 5000);
        assert_int_equal(output_files_sync(files, 5000, false, count_told, &told, &reason),
                         ERR_NONE);
        assert_int_equal(told - before,
                         left < OUTPUT_SYNC_FILES_MAX ? left : OUTPUT_SYNC_FILES_MAX);
    }
    assert_true(output_files_deadline(files) == INT64_MAX);
    output_files_free(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
        IN_A_WORLD(a_filtered_list_looks_only_so_far_and_says_where_to_go_on),
        IN_A_WORLD(of_many_that_a_prefix_may_mean_the_first_are_named),
        IN_A_WORLD(more_streams_than_files_may_be_open_are_written_all_the_same),
        IN_A_WORLD(more_files_than_one_call_syncs_follow_in_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
