/* Reading in a thread of its own: what a snapshot shows, that it shows it no longer than it may, and that
   it writes nothing. What it does to the log stands in test_checkpoint.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "orchestrator/store/idempotency.h"
#include "orchestrator/store/query_step.h"
#include "orchestrator/store/reader.h"
#include "tests/unit/store_world.h"

static void commit_row(struct store_world *world, const char *key)
{
    struct idempotency_record record = {
        .scope = STR("scope"), .key = str_of(key), .response = STR("{}"), .created_wall_ms = 1
    };
    assert_int_equal(store_begin(world->store, NULL), ERR_NONE);
    assert_int_equal(idempotency_put(world->store, &record, NULL), ERR_NONE);
    assert_int_equal(store_commit(world->store, NULL), ERR_NONE);
}

static int64_t rows(struct store *store)
{
    struct reason reason = { "" };
    enum err err = ERR_NONE;
    sqlite3_stmt *row = store_sqlite_statement(store, "SELECT count(*) FROM idempotency", &reason);
    assert_non_null(row);
    assert_true(query_step(store, row, &err, &reason));
    int64_t count = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    return count;
}

static struct store *begin(struct reader *reader)
{
    struct store *snapshot = NULL;
    struct reason reason = { "" };
    if (reader_begin(reader, &snapshot, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    return snapshot;
}

static void a_snapshot_has_all_that_was_committed_before_and_nothing_later(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    commit_row(world, "a");
    struct store *snapshot = begin(reader);
    commit_row(world, "b");
    assert_int_equal(rows(snapshot), 1);
    assert_int_equal(rows(world->store), 2);
    reader_end(reader);
    assert_int_equal(rows(begin(reader)), 2);
    reader_end(reader);
    reader_free(reader);
    world_free(world);
}

static void a_snapshot_does_not_show_what_a_turn_has_not_committed(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    struct idempotency_record record = { .scope = STR("scope"), .key = STR("a") };
    assert_int_equal(store_begin(world->store, NULL), ERR_NONE);
    assert_int_equal(idempotency_put(world->store, &record, NULL), ERR_NONE);
    assert_int_equal(rows(begin(reader)), 0);
    assert_int_equal(store_commit(world->store, NULL), ERR_NONE);
    reader_end(reader);
    reader_free(reader);
    world_free(world);
}

static void nothing_can_be_written_to_a_snapshot(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    struct store *snapshot = begin(reader);
    struct idempotency_record record = { .scope = STR("scope"), .key = STR("a") };
    struct reason reason = { "" };
    assert_int_not_equal(idempotency_put(snapshot, &record, &reason), ERR_NONE);
    assert_non_null(strstr(reason.text, "readonly"));
    reader_end(reader);
    assert_int_equal(rows(begin(reader)), 0);
    reader_end(reader);
    reader_free(reader);
    world_free(world);
}

/* Gives its only row after some minutes. */
static enum err read_for_ever(struct store *store, struct reason *reason)
{
    enum err err = ERR_NONE;
    sqlite3_stmt *row =
        store_sqlite_statement(store,
                               "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i"
                               " WHERE n < 1000000000) SELECT count(*) FROM i",
                               reason);
    assert_non_null(row);
    assert_false(query_step(store, row, &err, reason));
    return err;
}

static void a_read_that_takes_too_long_is_interrupted_and_the_next_one_is_not(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    struct reason reason = { "" };
    reader_set_snapshot_ms(reader, 0);
    assert_int_equal(read_for_ever(begin(reader), &reason), ERR_TIMEOUT);
    reader_end(reader);
    reader_set_snapshot_ms(reader, READER_SNAPSHOT_MS_MAX);
    assert_int_equal(rows(begin(reader)), 0);
    reader_end(reader);
    reader_free(reader);
    world_free(world);
}

static int fail_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at)
{
    (void)file;
    (void)bytes;
    (void)count;
    (void)at;
    return SQLITE_IOERR_READ;
}

/* Steps it while the disk of its connection gives nothing. */
static int step_without_disk(sqlite3_stmt *row)
{
    static const int kinds[] = { SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER };
    sqlite3_file *files[2];
    const sqlite3_io_methods *methods[2];
    sqlite3_io_methods failing[2];
    for (int i = 0; i < 2; i++) {
        sqlite3_file_control(sqlite3_db_handle(row), "main", kinds[i], (void *)&files[i]);
        methods[i] = files[i]->pMethods;
        failing[i] = *methods[i];
        failing[i].xRead = fail_read;
        files[i]->pMethods = &failing[i];
    }
    int rc = sqlite3_step(row);
    for (int i = 0; i < 2; i++) {
        files[i]->pMethods = methods[i];
    }
    return rc;
}

/* SQLite has ended its transaction then. */
static void a_snapshot_that_the_disk_has_failed_leaves_its_reader_whole(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    struct reason reason = { "" };
    sqlite3_stmt *row =
        store_sqlite_statement(begin(reader), "SELECT count(*) FROM task_text", &reason);
    assert_non_null(row);
    assert_int_equal(step_without_disk(row), SQLITE_IOERR_READ);
    reader_end(reader);
    assert_int_equal(rows(begin(reader)), 0);
    reader_end(reader);
    reader_free(reader);
    world_free(world);
}

static void *interrupt(void *reader)
{
    reader_interrupt(reader, true);
    return NULL;
}

static void another_thread_can_interrupt_a_read(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    struct reason reason = { "" };
    pthread_t helper;
    reader_set_snapshot_ms(reader, INT64_C(1) << 40);
    struct store *snapshot = begin(reader);
    assert_int_equal(pthread_create(&helper, NULL, interrupt, reader), 0);
    assert_int_equal(read_for_ever(snapshot, &reason), ERR_TIMEOUT);
    pthread_join(helper, NULL);
    reader_end(reader);
    assert_int_equal(reader_begin(reader, &snapshot, &reason), ERR_TIMEOUT);
    reader_interrupt(reader, false);
    assert_int_equal(rows(begin(reader)), 0);
    reader_end(reader);
    reader_free(reader);
    world_free(world);
}

static void a_read_that_was_left_half_way_does_not_outlive_its_snapshot(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    commit_row(world, "a");
    commit_row(world, "b");
    struct store *snapshot = begin(reader);
    enum err err = ERR_NONE;
    sqlite3_stmt *row = store_sqlite_statement(snapshot, "SELECT key FROM idempotency", NULL);
    assert_true(query_step(snapshot, row, &err, NULL));
    reader_end(reader);
    commit_row(world, "c");
    assert_int_equal(rows(begin(reader)), 3);
    reader_free(reader); /* ends what is open */
    world_free(world);
}

/* Peers can take them all. */
static void without_a_descriptor_a_read_is_refused_until_there_is_one(void **state)
{
    (void)state;
    struct store_world *world = world_new(true);
    struct reader *reader = reader_new(world->store);
    struct store *snapshot = NULL;
    struct reason reason = { "" };
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = { 0, limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum err err = reader_begin(reader, &snapshot, &reason);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(err, ERR_BUSY);
    assert_int_equal(rows(begin(reader)), 0);
    reader_end(reader);
    reader_free(reader);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_has_all_that_was_committed_before_and_nothing_later),
        cmocka_unit_test(a_snapshot_does_not_show_what_a_turn_has_not_committed),
        cmocka_unit_test(nothing_can_be_written_to_a_snapshot),
        cmocka_unit_test(a_read_that_takes_too_long_is_interrupted_and_the_next_one_is_not),
        cmocka_unit_test(a_snapshot_that_the_disk_has_failed_leaves_its_reader_whole),
        cmocka_unit_test(another_thread_can_interrupt_a_read),
        cmocka_unit_test(a_read_that_was_left_half_way_does_not_outlive_its_snapshot),
        cmocka_unit_test(without_a_descriptor_a_read_is_refused_until_there_is_one),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
