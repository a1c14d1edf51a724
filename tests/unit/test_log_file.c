/* The log's file: that a commit is one write, that what is held is never missed by whoever reads, by another
   connection or after a kill, and that a disk which refuses it fails the commit and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "orchestrator/store/log_file.h"
#include "tests/unit/sqlite_number.h"

enum { ROWS = 300 }; /* a page each */

/* Below the file under test: SQLite's own, with a count of what reaches the log. */
static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    sqlite3_io_methods methods;
    int (*real_write)(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at);
    int writes;
    int longest;
    bool is_full;
} disk;

struct rig {
    char directory[64];
    char path[96];
    sqlite3 *db;
};

static int disk_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
    disk.writes++;
    disk.longest = bytes > disk.longest ? bytes : disk.longest;
    return disk.is_full ? SQLITE_FULL : disk.real_write(file, data, bytes, at);
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    (void)vfs;
    int rc = disk.real->xOpen(disk.real, name, file, flags, ret_flags);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        disk.methods = *file->pMethods;
        disk.real_write = disk.methods.xWrite;
        disk.methods.xWrite = disk_write;
        file->pMethods = &disk.methods;
    }
    return rc;
}

static int start_disk(void **state)
{
    (void)state;
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "counted";
    disk.vfs.xOpen = disk_open;
    return sqlite3_vfs_register(&disk.vfs, 1);
}

static sqlite3 *connect(const char *path, const char *vfs)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    assert_int_equal(sqlite3_open_v2(path, &db, flags, vfs), SQLITE_OK);
    sqlite_run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
    return db;
}

static int open_rig(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    const char *base = getenv("TMPDIR");
    snprintf(rig->directory, sizeof rig->directory, "%s/asterism-log-XXXXXX",
             base == NULL || strlen(base) > 30 ? "/tmp" : base);
    assert_non_null(mkdtemp(rig->directory));
    snprintf(rig->path, sizeof rig->path, "%s/t.db", rig->directory);
    rig->db = connect(rig->path, log_file_vfs());
    char fill[240];
    snprintf(fill, sizeof fill,
             "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, fill BLOB NOT NULL);"
             "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %d)"
             "INSERT INTO t SELECT n, 0, zeroblob(3000) FROM i",
             ROWS);
    sqlite_run(rig->db, fill);
    disk.writes = 0;
    disk.longest = 0;
    disk.is_full = false;
    *state = rig;
    return 0;
}

static int close_rig(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(sqlite3_close(rig->db), SQLITE_OK);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->directory), 0);
    mem_free(rig);
    return 0;
}

static void expect_sound(sqlite3 *db, int64_t sum)
{
    assert_int_equal(sqlite_number(db, "SELECT sum(n) FROM t"), sum);
    assert_int_equal(sqlite_number(db, "SELECT count(*) FROM pragma_integrity_check"
                                       " WHERE integrity_check = 'ok'"),
                     1);
}

static void a_commit_is_one_write(void **state)
{
    struct rig *rig = *state;
    sqlite_run(rig->db, "UPDATE t SET n = 1 WHERE id <= 10");
    assert_int_equal(disk.writes, 1);
    assert_int_equal(disk.longest, 10 * (24 + 4096));
    sqlite_run(rig->db, "UPDATE t SET n = 2 WHERE id = 1");
    assert_int_equal(disk.writes, 2);
}

static void a_long_commit_is_written_in_pieces_that_the_system_takes(void **state)
{
    struct rig *rig = *state;
    sqlite_run(rig->db, "UPDATE t SET n = 1");
    int64_t bytes = ROWS * (24 + 4096);
    assert_in_range(disk.writes, bytes / LOG_FILE_BYTES_HELD, bytes / LOG_FILE_BYTES_HELD * 9 / 8);
    assert_in_range(disk.longest, LOG_FILE_BYTES_HELD - 4096, LOG_FILE_BYTES_HELD);
    expect_sound(rig->db, ROWS);
}

static void another_connection_sees_each_commit_and_nothing_before_it(void **state)
{
    struct rig *rig = *state;
    sqlite3 *other = connect(rig->path, NULL);
    for (int i = 1; i <= 20; i++) {
        sqlite_run(rig->db, "BEGIN IMMEDIATE; UPDATE t SET n = n + 1 WHERE id <= 12");
        assert_int_equal(sqlite_number(other, "SELECT sum(n) FROM t"), 12 * (i - 1));
        sqlite_run(rig->db, "COMMIT");
        assert_int_equal(sqlite_number(other, "SELECT sum(n) FROM t"), 12 * i);
        if (i % 7 == 0) {
            sqlite_run(other, "PRAGMA wal_checkpoint(RESTART)");
        }
    }
    sqlite3_close(other);
    expect_sound(rig->db, 240);
}

/* With a cache of a few pages SQLite writes pages before their commit, reads them again, and writes them
   over. */
static void what_is_written_before_its_commit_is_read_again_and_can_be_taken_back(void **state)
{
    struct rig *rig = *state;
    sqlite_run(rig->db, "PRAGMA cache_size=10; BEGIN IMMEDIATE");
    for (int i = 1; i <= 3; i++) {
        sqlite_run(rig->db, "UPDATE t SET n = n + 1");
        assert_int_equal(sqlite_number(rig->db, "SELECT sum(n) FROM t"), (int64_t)i * ROWS);
    }
    sqlite_run(rig->db, "SAVEPOINT s; UPDATE t SET n = n + 1 WHERE id <= 50; ROLLBACK TO s");
    assert_int_equal(sqlite_number(rig->db, "SELECT sum(n) FROM t"), (int64_t)3 * ROWS);
    assert_true(disk.writes > 0);
    sqlite_run(rig->db, "ROLLBACK");
    expect_sound(rig->db, 0);
    sqlite_run(rig->db, "BEGIN IMMEDIATE; UPDATE t SET n = 1; UPDATE t SET n = 2; COMMIT");
    expect_sound(rig->db, (int64_t)2 * ROWS);
}

static void a_disk_that_refuses_fails_the_commit_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    sqlite_run(rig->db, "UPDATE t SET n = 1 WHERE id <= 10");
    disk.is_full = true;
    assert_int_equal(sqlite3_exec(rig->db, "UPDATE t SET n = 5 WHERE id <= 20", NULL, NULL, NULL),
                     SQLITE_FULL);
    expect_sound(rig->db, 10);
    assert_int_equal(sqlite3_exec(rig->db, "UPDATE t SET n = 6", NULL, NULL, NULL), SQLITE_FULL);
    disk.is_full = false;
    expect_sound(rig->db, 10);
    sqlite_run(rig->db, "UPDATE t SET n = 2 WHERE id <= 20");
    expect_sound(rig->db, 40);
    sqlite3 *other = connect(rig->path, NULL);
    expect_sound(other, 40);
    sqlite3_close(other);
}

_Noreturn static void commit_until_killed(const char *path, int told_fd)
{
    sqlite3 *db = connect(path, log_file_vfs());
    for (int64_t n = sqlite_number(db, "SELECT n FROM t WHERE id = 1") + 1;; n++) {
        char sql[160];
        snprintf(sql, sizeof sql, "UPDATE t SET n = %lld WHERE id = 1 OR id %% 16 = %lld",
                 (long long)n, (long long)n % 16);
        sqlite_run(db, sql);
        if (write(told_fd, &n, sizeof n) != sizeof n) {
            _exit(1);
        }
    }
}

static void a_kill_loses_no_commit_that_was_told(void **state)
{
    struct rig *rig = *state;
    int64_t told = 0;
    for (int kills = 1; kills <= 8; kills++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(sqlite3_close(rig->db), SQLITE_OK);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            commit_until_killed(rig->path, ends[1]);
        }
        close(ends[1]);
        int64_t until = told + (int64_t)kills * 5;
        while (told < until) {
            assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
        }
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &told, sizeof told) == sizeof told) {
        }
        close(ends[0]);
        rig->db = connect(rig->path, log_file_vfs());
        int64_t found = sqlite_number(rig->db, "SELECT n FROM t WHERE id = 1");
        assert_in_range(found, told, told + 1);
        told = found;
        assert_int_equal(sqlite_number(rig->db, "SELECT max(n) FROM t"), found);
        assert_int_equal(sqlite_number(rig->db, "SELECT min(n) FROM t WHERE id > 1 AND id % 16 ="
                                                " (SELECT n % 16 FROM t WHERE id = 1)"),
                         found);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_commit_is_one_write),
        ROW(a_long_commit_is_written_in_pieces_that_the_system_takes),
        ROW(another_connection_sees_each_commit_and_nothing_before_it),
        ROW(what_is_written_before_its_commit_is_read_again_and_can_be_taken_back),
        ROW(a_disk_that_refuses_fails_the_commit_and_nothing_else),
        ROW(a_kill_loses_no_commit_that_was_told),
    };
    return cmocka_run_group_tests_name("log_file", tests, start_disk, NULL);
}
