/* The log and the thread that empties it: how long it may become, who waits for whom, and what is said
   of a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "orchestrator/store/checkpoint.h"
#include "orchestrator/store/idempotency.h"
#include "orchestrator/store/log_room.h"
#include "orchestrator/store/sqlite_db.h"
#include "tests/unit/sqlite_number.h"
#include "tests/unit/store_world.h"
#include "tests/unit/watched_vfs.h"

enum {
    PAGE_BYTES = 1024, /* all is counted in frames: small ones are written faster */
    ROWS = 2000,       /* a page each, and more than the writer may move in its turn */
    COMMIT_ROWS = 100,
    COMMIT_FRAMES_MAX = COMMIT_ROWS + 10,
    FRAME_BYTES = PAGE_BYTES + 24,
    COMMITS_TO_HARD = CHECKPOINT_HARD_FRAMES / COMMIT_ROWS + 2,
};

/* A database of rows that fill a page, and its checkpointer. */
struct rig {
    char directory[64];
    char path[80];
    sqlite3 *db;
    struct checkpointer *checkpointer;
    sqlite3_stmt *update;
    int64_t commits;
};

static sqlite3 *connect(const struct rig *rig)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    assert_int_equal(sqlite3_open_v2(rig->path, &db, flags, NULL), SQLITE_OK);
    return db;
}

static int open_rig(void **state)
{
    watched_vfs_start();
    struct rig *rig = mem_alloc(sizeof *rig);
    const char *base = getenv("TMPDIR");
    snprintf(rig->directory, sizeof rig->directory, "%s/asterism-log-XXXXXX",
             base == NULL || strlen(base) > 30 ? "/tmp" : base);
    assert_non_null(mkdtemp(rig->directory));
    snprintf(rig->path, sizeof rig->path, "%s/t.db", rig->directory);
    rig->db = connect(rig);
    char fill[400]; /* the writer does not sync: nothing here asks what a cut of power leaves */
    snprintf(fill, sizeof fill,
             "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
             "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, fill BLOB NOT NULL);"
             "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %d)"
             "INSERT INTO t SELECT n, 0, zeroblob(%d) FROM i;"
             "PRAGMA wal_checkpoint(TRUNCATE)",
             PAGE_BYTES, ROWS, PAGE_BYTES * 3 / 4);
    sqlite_run(rig->db, fill);
    assert_int_equal(sqlite_number(rig->db, "SELECT count(*) FROM t"), ROWS);
    const char *sql = "UPDATE t SET n = ?2 WHERE id = ?1";
    assert_int_equal(sqlite3_prepare_v2(rig->db, sql, -1, &rig->update, NULL), SQLITE_OK);
    rig->checkpointer = checkpointer_new(rig->db, rig->path);
    watched_vfs_own();
    *state = rig;
    return 0;
}

static void shut(struct rig *rig)
{
    sqlite3_finalize(rig->update);
    rig->update = NULL;
    checkpointer_free(rig->checkpointer);
    rig->checkpointer = NULL;
    assert_int_equal(sqlite3_close(rig->db), SQLITE_OK);
    rig->db = NULL;
}

static int close_rig(void **state)
{
    struct rig *rig = *state;
    watched_vfs_hold(false);
    shut(rig);
    unlink(rig->path);
    rmdir(rig->directory);
    mem_free(rig);
    watched_vfs_stop();
    return 0;
}

/* COMMIT_ROWS rows in as many pages. */
static enum err commit(struct rig *rig, struct reason *reason)
{
    rig->commits++;
    sqlite_run(rig->db, "BEGIN IMMEDIATE");
    for (int64_t i = 0; i < COMMIT_ROWS; i++) {
        sqlite3_bind_int64(rig->update, 1, (rig->commits * COMMIT_ROWS + i) % ROWS + 1);
        sqlite3_bind_int64(rig->update, 2, rig->commits);
        assert_int_equal(sqlite3_step(rig->update), SQLITE_DONE);
        sqlite3_reset(rig->update);
    }
    sqlite_run(rig->db, "COMMIT");
    return checkpointer_committed(rig->checkpointer, reason);
}

static void commit_times(struct rig *rig, int times)
{
    for (int i = 0; i < times; i++) {
        struct reason reason = { "" };
        if (commit(rig, &reason) != ERR_NONE) {
            fail_msg("%s", reason.text);
        }
    }
}

/* The file keeps its length when the log begins anew, and is made longer ahead of need. */
static int64_t file_frames(const struct rig *rig)
{
    char path[96];
    struct stat status = { 0 };
    snprintf(path, sizeof path, "%s-wal", rig->path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size / FRAME_BYTES;
}

/* The frames of this log: they have the salt of its header, and stand before all others. */
static int64_t log_frames(const struct rig *rig)
{
    char path[96];
    unsigned char salt[8];
    snprintf(path, sizeof path, "%s-wal", rig->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int64_t low = 0;
    int64_t high = pread(fd, salt, sizeof salt, 16) == sizeof salt ? file_frames(rig) : 0;
    while (low < high) {
        unsigned char own[8] = { 0 };
        int64_t middle = (low + high) / 2;
        assert_int_equal(pread(fd, own, sizeof own, 32 + middle * FRAME_BYTES + 8), sizeof own);
        if (memcmp(own, salt, sizeof own) == 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    close(fd);
    return low;
}

/* Rises each time that the log begins anew: the checkpoint sequence number of its header. */
static unsigned log_number(const struct rig *rig)
{
    char path[96];
    unsigned char header[16] = { 0 };
    snprintf(path, sizeof path, "%s-wal", rig->path);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(header, 1, sizeof header, file), sizeof header);
    fclose(file);
    return (unsigned)header[12] << 24 | (unsigned)header[13] << 16 | (unsigned)header[14] << 8 |
           header[15];
}

/* --- How long the log becomes --- */

static void the_log_of_a_writer_that_never_pauses_stays_bounded(void **state)
{
    struct rig *rig = *state;
    commit_times(rig, 5 * COMMITS_TO_HARD);
    assert_in_range(file_frames(rig), CHECKPOINT_SOFT_FRAMES,
                    CHECKPOINT_HARD_FRAMES + 2 * COMMIT_FRAMES_MAX);
    watched_vfs_wait_for_others();
}

static void what_comes_while_the_thread_ends_does_not_keep_the_log_from_beginning_anew(void **state)
{
    struct rig *rig = *state;
    watched_vfs_hold(true);
    do {
        commit_times(rig, 1);
    } while (log_frames(rig) < CHECKPOINT_SOFT_FRAMES);
    unsigned before = log_number(rig);
    watched_vfs_wait_for_others();
    commit_times(rig, CHECKPOINT_REST_FRAMES / COMMIT_FRAMES_MAX);
    watched_vfs_hold(false);
    checkpointer_wait(rig->checkpointer);
    /* As much as may be left is, for all that the thread knows: with this one it is more. */
    commit_times(rig, 2);
    assert_true(log_number(rig) > before);
    assert_in_range(watched_vfs_own(), 0, CHECKPOINT_REST_FRAMES + COMMIT_FRAMES_MAX);
}

static void a_writer_as_fast_as_the_thread_does_not_come_to_the_hard_mark(void **state)
{
    struct rig *rig = *state;
    int each = CHECKPOINT_REST_FRAMES / COMMIT_ROWS + 1; /* during a pass: too much for an end */
    watched_vfs_hold(true);
    do {
        commit_times(rig, 1);
    } while (log_frames(rig) < CHECKPOINT_SOFT_FRAMES);
    unsigned before = log_number(rig);
    for (int passes = 0; passes < 4; passes++) {
        watched_vfs_wait_for_held();
        commit_times(rig, each);
        watched_vfs_let_one_pass();
    }
    watched_vfs_hold(false);
    checkpointer_wait(rig->checkpointer);
    commit_times(rig, 2);
    assert_true(log_number(rig) > before);
    assert_in_range(watched_vfs_own(), 0, CHECKPOINT_REST_FRAMES + COMMIT_FRAMES_MAX);
}

static void *let_go(void *context)
{
    (void)context;
    watched_vfs_hold(false);
    return NULL;
}

static void a_thread_that_does_not_keep_up_is_waited_for(void **state)
{
    struct rig *rig = *state;
    pthread_t helper;
    watched_vfs_hold(true);
    while (log_frames(rig) < CHECKPOINT_HARD_FRAMES - 3 * COMMIT_FRAMES_MAX) {
        commit_times(rig, 1);
    }
    unsigned before = log_number(rig);
    assert_int_equal(pthread_create(&helper, NULL, let_go, NULL), 0);
    commit_times(rig, COMMITS_TO_HARD);
    pthread_join(helper, NULL);
    assert_true(log_number(rig) > before);
    assert_in_range(file_frames(rig), CHECKPOINT_HARD_FRAMES - 3 * COMMIT_FRAMES_MAX,
                    CHECKPOINT_HARD_FRAMES + 2 * COMMIT_FRAMES_MAX);
}

static void a_long_read_keeps_its_state_and_the_log_begins_anew_after_it(void **state)
{
    struct rig *rig = *state;
    commit_times(rig, 1);
    sqlite3 *reader = connect(rig);
    sqlite_run(reader, "BEGIN");
    int64_t seen = sqlite_number(reader, "SELECT sum(n) FROM t");
    unsigned before = log_number(rig);
    commit_times(rig, 2 * COMMITS_TO_HARD);
    assert_true(file_frames(rig) > 2 * CHECKPOINT_HARD_FRAMES);
    assert_int_equal(log_number(rig), before);
    assert_int_equal(sqlite_number(reader, "SELECT sum(n) FROM t"), seen);
    sqlite_run(reader, "COMMIT");
    sqlite3_close(reader);
    int64_t longest = file_frames(rig);
    commit_times(rig, 2 * COMMITS_TO_HARD);
    assert_true(log_number(rig) > before);
    assert_in_range(file_frames(rig), longest,
                    longest + CHECKPOINT_HARD_FRAMES + 2 * COMMIT_FRAMES_MAX);
}

/* A connection for long reads, as that of a reader. */
static sqlite3 *connect_reader(const struct rig *rig)
{
    sqlite3 *db = connect(rig);
    sqlite_run(db, "PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0; PRAGMA user_version");
    return db;
}

static void a_long_read_of_a_long_log_is_begun_when_it_does_not_hold_the_log(void **state)
{
    struct rig *rig = *state;
    sqlite3 *reader = connect_reader(rig);
    atomic_bool stop = false;
    assert_true(checkpointer_make_room(rig->checkpointer, reader, &stop));
    sqlite_run(reader, "BEGIN");
    int64_t seen = sqlite_number(reader, "SELECT sum(n) FROM t");
    commit_times(rig, COMMITS_TO_HARD);
    sqlite_run(reader, "COMMIT");
    checkpointer_read_ended(rig->checkpointer, reader);
    assert_true(file_frames(rig) > CHECKPOINT_READ_FRAMES);
    /* The writer is idle: it need not have ended the log. */
    assert_true(checkpointer_make_room(rig->checkpointer, reader, &stop));
    sqlite_run(reader, "BEGIN");
    assert_true(sqlite_number(reader, "SELECT sum(n) FROM t") > seen);
    unsigned before = log_number(rig);
    commit_times(rig, 1);
    assert_true(log_number(rig) > before);
    sqlite_run(reader, "COMMIT");
    sqlite3_close(reader);
}

static void no_long_read_is_begun_while_a_long_log_cannot_be_moved(void **state)
{
    struct rig *rig = *state;
    sqlite3 *other = connect(rig); /* of another process, say */
    sqlite3 *reader = connect_reader(rig);
    atomic_bool stop = true; /* so that it looks once */
    sqlite_run(other, "BEGIN");
    sqlite_number(other, "SELECT sum(n) FROM t");
    commit_times(rig, COMMITS_TO_HARD);
    assert_false(checkpointer_make_room(rig->checkpointer, reader, &stop));
    sqlite_run(other, "COMMIT");
    stop = false; /* the checkpointer's thread may be at it: then it looks again */
    assert_true(checkpointer_make_room(rig->checkpointer, reader, &stop));
    sqlite3_close(reader);
    sqlite3_close(other);
}

/* --- Who waits for whom --- */

static void the_writer_does_no_more_than_the_rest_within_its_turn(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < CHECKPOINT_HARD_FRAMES / COMMIT_FRAMES_MAX - 1; i++) {
        commit_times(rig, 1);
        assert_in_range(watched_vfs_own(), 0, CHECKPOINT_REST_FRAMES + COMMIT_FRAMES_MAX);
    }
    watched_vfs_wait_for_others();
}

static void a_close_waits_for_the_checkpoint_that_runs(void **state)
{
    struct rig *rig = *state;
    pthread_t helper;
    watched_vfs_hold(true);
    commit_times(rig, CHECKPOINT_SOFT_FRAMES / COMMIT_ROWS + 1);
    watched_vfs_wait_for_others();
    assert_int_equal(pthread_create(&helper, NULL, let_go, NULL), 0);
    shut(rig);
    pthread_join(helper, NULL);
    rig->db = connect(rig);
    assert_int_equal(sqlite_number(rig->db, "SELECT count(*) FROM t WHERE n > 0"),
                     rig->commits * COMMIT_ROWS < ROWS ? rig->commits * COMMIT_ROWS : ROWS);
    assert_int_equal(sqlite_number(rig->db, "SELECT count(*) FROM pragma_integrity_check"
                                            " WHERE integrity_check = 'ok'"),
                     1);
}

static void one_thread_is_started_and_none_for_a_short_log(void **state)
{
    struct rig *rig = *state;
    size_t before = watched_vfs_opened();
    commit_times(rig, 3);
    assert_int_equal(watched_vfs_opened(), before);
    commit_times(rig, 2 * COMMITS_TO_HARD);
    assert_int_equal(watched_vfs_opened(), before + 1);
}

/* --- Failures --- */

static void a_failure_of_the_thread_is_told_to_the_writer(void **state)
{
    struct rig *rig = *state;
    struct reason reason = { "" };
    enum err err = ERR_NONE;
    watched_vfs_fail(true);
    /* At the hard mark at the latest: there the writer waits for the thread. */
    for (int i = 0; err == ERR_NONE && i < COMMITS_TO_HARD; i++) {
        err = commit(rig, &reason);
    }
    assert_int_equal(err, ERR_IO);
    assert_non_null(strstr(reason.text, "disk I/O error"));
    assert_int_equal(commit(rig, &reason), ERR_IO);
}

/* Peers can take them all: that is no reason to distrust the disk. */
static void without_a_descriptor_for_the_thread_the_writer_does_it_all(void **state)
{
    struct rig *rig = *state;
    struct rlimit limit;
    commit_times(rig, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = { 0, limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct reason reason = { "" };
    enum err err = ERR_NONE;
    for (int i = 0; err == ERR_NONE && i < 3 * COMMITS_TO_HARD; i++) {
        err = commit(rig, &reason);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_string_equal(reason.text, "");
    assert_int_equal(err, ERR_NONE);
    assert_in_range(file_frames(rig), CHECKPOINT_SOFT_FRAMES,
                    CHECKPOINT_SOFT_FRAMES + 2 * COMMIT_FRAMES_MAX +
                        LOG_ROOM_STEP_BYTES_MAX / FRAME_BYTES);
    commit_times(rig, COMMITS_TO_HARD);
    watched_vfs_wait_for_others();
}

static void a_turn_after_a_failed_checkpoint_fails_and_nothing_committed_is_lost(void **state)
{
    (void)state;
    watched_vfs_start();
    struct store_world *world = world_new(true);
    struct reason reason = { "" };
    char *text = mem_array(200 * 1024, 1);
    char key[16];
    struct idempotency_record record = { .scope = STR("scope"),
                                         .response = { text, 200 * 1024 },
                                         .created_wall_ms = 1 };
    enum err err = ERR_NONE;
    int turns = 0;
    memset(text, 'x', 200 * 1024);
    watched_vfs_fail(true);
    for (; err == ERR_NONE && turns < CHECKPOINT_HARD_FRAMES / 50 + 2; turns++) {
        snprintf(key, sizeof key, "%d", turns);
        record.key = str_of(key);
        assert_int_equal(store_begin(world->store, NULL), ERR_NONE);
        assert_int_equal(idempotency_put(world->store, &record, NULL), ERR_NONE);
        err = store_commit(world->store, &reason);
    }
    assert_int_equal(err, ERR_IO);
    assert_int_equal(store_begin(world->store, NULL), ERR_CLOSED);
    watched_vfs_fail(false);
    world_reopen(world);
    sqlite3 *db = store_sqlite_handle(world->store);
    assert_int_equal(sqlite_number(db, "SELECT count(*) FROM idempotency"), turns);
    mem_free(text);
    world_free(world);
    watched_vfs_stop();
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(the_log_of_a_writer_that_never_pauses_stays_bounded),
        ROW(what_comes_while_the_thread_ends_does_not_keep_the_log_from_beginning_anew),
        ROW(a_writer_as_fast_as_the_thread_does_not_come_to_the_hard_mark),
        ROW(a_thread_that_does_not_keep_up_is_waited_for),
        ROW(a_long_read_keeps_its_state_and_the_log_begins_anew_after_it),
        ROW(a_long_read_of_a_long_log_is_begun_when_it_does_not_hold_the_log),
        ROW(no_long_read_is_begun_while_a_long_log_cannot_be_moved),
        ROW(the_writer_does_no_more_than_the_rest_within_its_turn),
        ROW(a_close_waits_for_the_checkpoint_that_runs),
        ROW(one_thread_is_started_and_none_for_a_short_log),
        ROW(a_failure_of_the_thread_is_told_to_the_writer),
        ROW(without_a_descriptor_for_the_thread_the_writer_does_it_all),
        cmocka_unit_test(a_turn_after_a_failed_checkpoint_fails_and_nothing_committed_is_lost),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
