/* The log's room: that a log which grows finds it made, that nothing of it is ever taken for a commit,
   however it was cut or filled, and what a disk that refuses it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/sys/file.h"
#include "orchestrator/store/checkpoint.h"
#include "orchestrator/store/log_room.h"
#include "tests/unit/sqlite_number.h"

enum {
    PAGE_BYTES = 4096,
    FRAME_BYTES = PAGE_BYTES + 24,
    ROWS = 64,           /* a page each */
    COMMIT_FRAMES = 2,   /* a row's page, and that of the counter */
    PIECE_BYTES = 65536, /* as it is written */
};

/* A counter that each commit raises, and a database of rows that fill a page. */
struct rig {
    char directory[64];
    char path[96];
    char log[96];
    sqlite3 *db;
    struct checkpointer *checkpointer;
    int64_t commits;
};

static sqlite3 *connect(const char *path)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    assert_int_equal(sqlite3_open_v2(path, &db, flags, NULL), SQLITE_OK);
    return db;
}

static void open_database(struct rig *rig)
{
    rig->db = connect(rig->path);
    sqlite_run(
        rig->db,
        "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" /* a kill takes nothing of the system */
        "CREATE TABLE IF NOT EXISTS count(n INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, n INTEGER NOT NULL,"
        " fill BLOB NOT NULL)");
    if (sqlite_number(rig->db, "SELECT count(*) FROM count") == 0) {
        char fill[200];
        snprintf(fill, sizeof fill,
                 "INSERT INTO count VALUES(0);"
                 "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %d)"
                 "INSERT INTO t SELECT n, 0, zeroblob(3000) FROM i",
                 ROWS);
        sqlite_run(rig->db, fill);
    }
    sqlite_run(rig->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    rig->commits = sqlite_number(rig->db, "SELECT n FROM count");
    rig->checkpointer = checkpointer_new(rig->db, rig->path);
}

static void close_database(struct rig *rig)
{
    checkpointer_free(rig->checkpointer);
    rig->checkpointer = NULL;
    assert_int_equal(sqlite3_close(rig->db), SQLITE_OK);
    rig->db = NULL;
}

static int open_rig(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    const char *base = getenv("TMPDIR");
    snprintf(rig->directory, sizeof rig->directory, "%s/asterism-room-XXXXXX",
             base == NULL || strlen(base) > 30 ? "/tmp" : base);
    assert_non_null(mkdtemp(rig->directory));
    snprintf(rig->path, sizeof rig->path, "%s/t.db", rig->directory);
    snprintf(rig->log, sizeof rig->log, "%s/t.db-wal", rig->directory);
    open_database(rig);
    *state = rig;
    return 0;
}

static int close_rig(void **state)
{
    struct rig *rig = *state;
    close_database(rig);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->directory), 0);
    mem_free(rig);
    return 0;
}

static void write_commit(struct rig *rig)
{
    char sql[160];
    rig->commits++;
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE; UPDATE count SET n = %lld;"
             "UPDATE t SET n = %lld WHERE id = %lld; COMMIT",
             (long long)rig->commits, (long long)rig->commits, (long long)rig->commits % ROWS + 1);
    sqlite_run(rig->db, sql);
}

static enum err commit(struct rig *rig, struct reason *reason)
{
    write_commit(rig);
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

static int64_t file_bytes(const char *path)
{
    struct stat status = { 0 };
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* What the commits since the log was empty have written. */
static int64_t used_bytes(int64_t commits)
{
    return 32 + commits * COMMIT_FRAMES * FRAME_BYTES;
}

static sqlite3_file *log_file(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file),
                     SQLITE_OK);
    return file;
}

/* --- When there is room --- */

static void a_short_log_has_no_room(void **state)
{
    struct rig *rig = *state;
    commit_times(rig, LOG_ROOM_FRAMES_MIN / COMMIT_FRAMES - 1);
    assert_int_equal(file_bytes(rig->log), used_bytes(rig->commits));
}

static void a_log_that_grows_finds_its_room_made(void **state)
{
    struct rig *rig = *state;
    commit_times(rig, LOG_ROOM_FRAMES_MIN / COMMIT_FRAMES);
    int64_t bytes = file_bytes(rig->log);
    int lengthened = 0;
    while (used_bytes(rig->commits) < 16 * 1024 * 1024) {
        assert_true(bytes > used_bytes(rig->commits));
        assert_in_range(bytes - used_bytes(rig->commits), 0,
                        LOG_ROOM_STEP_BYTES_MAX + 2 * COMMIT_FRAMES * FRAME_BYTES);
        assert_true(bytes <= 2 * used_bytes(rig->commits) + 2 * COMMIT_FRAMES * FRAME_BYTES);
        commit_times(rig, 1);
        lengthened += file_bytes(rig->log) != bytes;
        bytes = file_bytes(rig->log);
    }
    /* A slow disk gets less at once. */
    assert_in_range(lengthened, 4, 16 * 1024 * 1024 / LOG_ROOM_STEP_BYTES_MIN);
}

static void a_log_has_no_room_beyond_its_mark(void **state)
{
    struct rig *rig = *state;
    struct log_room room;
    struct reason reason = { "" };
    int mark = 3 * LOG_ROOM_FRAMES_MIN / 2;
    checkpointer_free(rig->checkpointer); /* its own mark is farther away */
    rig->checkpointer = NULL;
    log_room_init(&room, rig->db, mark);
    for (int frames = COMMIT_FRAMES; frames <= mark + 10; frames += COMMIT_FRAMES) {
        write_commit(rig);
        assert_int_equal(log_room_keep(&room, frames, COMMIT_FRAMES, &reason), ERR_NONE);
        if (frames >= LOG_ROOM_FRAMES_MIN && frames <= mark) {
            assert_int_equal(file_bytes(rig->log), 32 + mark * FRAME_BYTES);
        }
    }
    assert_int_equal(file_bytes(rig->log), used_bytes(rig->commits));
}

static void a_step_follows_what_the_last_one_took(void **state)
{
    (void)state;
    assert_int_equal(log_room_next_step(1 << 20, LOG_ROOM_AIM_US + 1), 1 << 19);
    assert_int_equal(log_room_next_step(1 << 20, LOG_ROOM_AIM_US), 1 << 20);
    assert_int_equal(log_room_next_step(1 << 20, LOG_ROOM_AIM_US / 4), 1 << 20);
    assert_int_equal(log_room_next_step(1 << 20, LOG_ROOM_AIM_US / 4 - 1), 1 << 21);
    assert_int_equal(log_room_next_step(LOG_ROOM_STEP_BYTES_MIN, 1000000), LOG_ROOM_STEP_BYTES_MIN);
    assert_int_equal(log_room_next_step(LOG_ROOM_STEP_BYTES_MAX, 0), LOG_ROOM_STEP_BYTES_MAX);
}

/* --- What a kill leaves --- */

static void put(const char *path, const void *data, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, bytes), bytes);
    close(fd);
}

/* Opens a copy whose log is `bytes` long, and compares. Its own next commits must be found again, too. */
static void expect_all_of_a_copy(const struct rig *rig, const struct buf *database,
                                 const struct buf *log, int64_t bytes)
{
    struct rig copy = { 0 };
    snprintf(copy.path, sizeof copy.path, "%s/c.db", rig->directory);
    snprintf(copy.log, sizeof copy.log, "%s/c.db-wal", rig->directory);
    put(copy.path, database->data, database->length);
    put(copy.log, log->data, (size_t)bytes);
    copy.db = connect(copy.path);
    assert_int_equal(sqlite_number(copy.db, "SELECT n FROM count"), rig->commits);
    assert_int_equal(sqlite_number(copy.db, "SELECT max(n) FROM t"), rig->commits);
    assert_int_equal(sqlite_number(copy.db, "SELECT count(*) FROM pragma_integrity_check"
                                            " WHERE integrity_check = 'ok'"),
                     1);
    sqlite3_close(copy.db);
    unlink(copy.path);
}

static void a_log_whose_room_is_cut_or_half_made_gives_what_was_committed(void **state)
{
    struct rig *rig = *state;
    struct buf database = { 0 };
    struct buf log = { 0 };
    commit_times(rig, 2 * LOG_ROOM_FRAMES_MIN / COMMIT_FRAMES);
    assert_int_equal(file_read(rig->path, 1 << 26, &database, NULL), ERR_NONE);
    assert_int_equal(file_read(rig->log, 1 << 26, &log, NULL), ERR_NONE);
    int64_t used = used_bytes(rig->commits);
    int64_t whole = (int64_t)log.length;
    assert_true(whole > used + 2 * PIECE_BYTES);
    const int64_t lengths[] = {
        used,
        used + 1,
        used + FRAME_BYTES - 1,
        used + FRAME_BYTES,
        (used / PIECE_BYTES + 1) * PIECE_BYTES,
        whole - PIECE_BYTES,
        whole - 1,
        whole,
    };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        expect_all_of_a_copy(rig, &database, &log, lengths[i]);
    }
    /* A frame that was torn, with zeros where its end should be. */
    memset(log.data + used, 0x5a, FRAME_BYTES / 2);
    expect_all_of_a_copy(rig, &database, &log, whole);
    buf_done(&database);
    buf_done(&log);
}

_Noreturn static void commit_until_killed(struct rig *rig, int told_fd)
{
    open_database(rig);
    for (;;) {
        struct reason reason = { "" };
        if (commit(rig, &reason) != ERR_NONE ||
            write(told_fd, &rig->commits, sizeof rig->commits) != sizeof rig->commits) {
            _exit(1);
        }
    }
}

static void a_kill_anywhere_in_a_log_with_room_loses_nothing(void **state)
{
    struct rig *rig = *state;
    int64_t told = 0;
    close_database(rig);
    for (int kills = 1; kills <= 8; kills++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            commit_until_killed(rig, ends[1]);
        }
        close(ends[1]);
        int64_t until = told + kills * LOG_ROOM_FRAMES_MIN / 2;
        while (told < until) {
            assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
        }
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &told, sizeof told) == sizeof told) {
        }
        close(ends[0]);
        sqlite3 *db = connect(rig->path);
        assert_in_range(sqlite_number(db, "SELECT n FROM count"), told, told + 1);
        told = sqlite_number(db, "SELECT n FROM count");
        assert_int_equal(sqlite_number(db, "SELECT max(n) FROM t"), told);
        sqlite3_close(db);
    }
    open_database(rig);
    assert_int_equal(rig->commits, told);
}

/* --- A disk that refuses --- */

static void a_full_disk_gets_its_space_back_and_the_writer_goes_on(void **state)
{
    struct rig *rig = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    commit_times(rig, LOG_ROOM_FRAMES_MIN / COMMIT_FRAMES - 1);
    /* Space for some more commits, and for the first pieces of the room. */
    int64_t space = used_bytes(rig->commits) + 20 * COMMIT_FRAMES * FRAME_BYTES;
    struct rlimit limit = { (rlim_t)space, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 20; i++) {
        commit_times(rig, 1);
        assert_int_equal(file_bytes(rig->log), used_bytes(rig->commits));
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    /* It is tried again when the log begins anew. */
    sqlite_run(rig->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    int64_t commits = rig->commits;
    commit_times(rig, LOG_ROOM_FRAMES_MIN / COMMIT_FRAMES);
    assert_true(file_bytes(rig->log) > used_bytes(rig->commits - commits));
}

static int fail_to_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return SQLITE_IOERR_FSYNC;
}

static void room_that_cannot_be_synced_is_told(void **state)
{
    struct rig *rig = *state;
    struct log_room room;
    struct reason reason = { "" };
    commit_times(rig, LOG_ROOM_FRAMES_MIN / COMMIT_FRAMES);
    sqlite3_file *file = log_file(rig->db);
    const sqlite3_io_methods *methods = file->pMethods;
    sqlite3_io_methods failing = *methods;
    failing.xSync = fail_to_sync;
    file->pMethods = &failing;
    log_room_init(&room, rig->db, CHECKPOINT_HARD_FRAMES);
    enum err err = log_room_keep(&room, LOG_ROOM_FRAMES_MIN, CHECKPOINT_SOFT_FRAMES, &reason);
    file->pMethods = methods;
    assert_int_equal(err, ERR_IO);
    assert_non_null(strstr(reason.text, "synced"));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_short_log_has_no_room),
        ROW(a_log_that_grows_finds_its_room_made),
        ROW(a_log_has_no_room_beyond_its_mark),
        cmocka_unit_test(a_step_follows_what_the_last_one_took),
        ROW(a_log_whose_room_is_cut_or_half_made_gives_what_was_committed),
        ROW(a_kill_anywhere_in_a_log_with_room_loses_nothing),
        ROW(a_full_disk_gets_its_space_back_and_the_writer_goes_on),
        ROW(room_that_cannot_be_synced_is_told),
    };
    return cmocka_run_group_tests_name("log_room", tests, NULL, NULL);
}
