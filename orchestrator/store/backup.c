/* Backup, restore, and the acceptance of what was lost between them. */
#include "orchestrator/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/sys/file.h"
#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/schema.h"
#include "orchestrator/store/sqlite_db.h"
#include "orchestrator/store/start.h"

enum {
    COPY_BYTES = 256 * 1024,
    /* A restored database goes on so many epochs later: the lost one may have had further starts, and
       their fences must not be given again before the agents that hold them are back. */
    EPOCH_GAP = 1024,
};

/* A copy has this name until it is whole: what a kill leaves is neither started nor restored. */
static const char PART[] = "asterism.db.part";

static enum err refuse(sqlite3 *db, const char *directory, struct reason *reason)
{
    enum err err = sqlite_err(sqlite3_errcode(db));
    return reason_set(reason, err == ERR_NONE ? ERR_IO : err, "the database in %s: %s", directory,
                      sqlite3_errmsg(db));
}

static enum err require_database(const char *directory, struct reason *reason)
{
    char *path = mem_format("%s/asterism.db", directory);
    enum err err = access(path, F_OK) == 0
                       ? ERR_NONE
                       : reason_set(reason, ERR_NOT_FOUND, "there is no %s", path);
    mem_free(path);
    return err;
}

/* A connection beside the daemon's. The database is there. */
static enum err open_beside(const char *directory, const char *name, sqlite3 **ret_db,
                            struct reason *reason)
{
    char *path = mem_format("%s/%s", directory, name);
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    mem_free(path);
    sqlite3_busy_timeout(db, 10000);
    enum err err = rc == SQLITE_OK ? schema_check(db, reason) : refuse(db, directory, reason);
    if (err != ERR_NONE) {
        sqlite3_close(db);
        return err;
    }
    *ret_db = db;
    return ERR_NONE;
}

static enum err check_integrity(sqlite3 *db, const char *directory, struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    enum err err = ERR_NONE;
    if (rc != SQLITE_ROW) {
        err = refuse(db, directory, reason);
    } else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
        err = reason_set(reason, ERR_CORRUPT, "the database in %s is damaged: %s", directory,
                         (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return err;
}

static enum err vacuum_into(sqlite3 *db, const char *from_dir, const char *to_dir,
                            struct reason *reason)
{
    char *path = mem_format("%s/%s", to_dir, PART);
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "VACUUM INTO ?", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
        rc = sqlite3_step(statement);
    }
    enum err err = rc == SQLITE_DONE ? ERR_NONE : refuse(db, from_dir, reason);
    sqlite3_finalize(statement);
    if (err == ERR_NONE && chmod(path, 0600) != 0) {
        err = reason_set(reason, ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (err == ERR_NONE) {
        err = data_dir_sync(path, reason);
    }
    mem_free(path);
    return err;
}

/* The part of one stream that stands in a file, exactly as long as the copied database says. */
static enum err copy_stream(const char *from_dir, const char *to_dir, uint64_t fence,
                            enum stream stream, uint64_t length, struct reason *reason)
{
    if (length <= STORE_OUTPUT_INLINE_MAX) {
        return ERR_NONE;
    }
    char path[OUTPUT_PATH_BYTES_MAX];
    enum err err = output_file_directory(to_dir, fence, reason);
    if (err != ERR_NONE || !output_file_path(to_dir, fence, stream, path)) {
        return err == ERR_NONE ? reason_set(reason, ERR_IO, "a path is too long") : err;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return reason_set(reason, ERR_IO, "%s cannot be made: %s", path, strerror(errno));
    }
    struct buf bytes = { 0 };
    for (uint64_t at = STORE_OUTPUT_INLINE_MAX; err == ERR_NONE && at < length;) {
        size_t count = length - at < COPY_BYTES ? (size_t)(length - at) : COPY_BYTES;
        buf_clear(&bytes);
        err = output_file_read(from_dir, fence, stream, at, count, &bytes);
        if (err != ERR_NONE || bytes.length != count) {
            err = reason_set(reason, ERR_CORRUPT,
                             "the output of attempt %llu in %s is shorter than the database says",
                             (unsigned long long)fence, from_dir);
        } else {
            err =
                file_write_open(fd, (struct str){ (const char *)bytes.data, count }, path, reason);
        }
        at += count;
    }
    if (err == ERR_NONE && fsync(fd) != 0) {
        err = reason_set(reason, ERR_IO, "%s cannot be synced: %s", path, strerror(errno));
    }
    close(fd);
    buf_done(&bytes);
    return err;
}

static enum err sync_output_directories(const char *directory, struct reason *reason)
{
    char *output = mem_format("%s/output", directory);
    enum err err = access(output, F_OK) == 0 ? data_dir_sync(output, reason) : ERR_NONE;
    for (unsigned i = 0; err == ERR_NONE && i < 256; i++) {
        char *path = mem_format("%s/%02x", output, i);
        err = access(path, F_OK) == 0 ? data_dir_sync(path, reason) : ERR_NONE;
        mem_free(path);
    }
    mem_free(output);
    return err == ERR_NONE ? data_dir_sync(directory, reason) : err;
}

/* All files of output that the database in `to_dir` refers to. */
static enum err copy_output(sqlite3 *copy, const char *from_dir, const char *to_dir,
                            struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(copy,
                                "SELECT fence, stdout_bytes, stderr_bytes FROM attempt"
                                " WHERE max(stdout_bytes, stderr_bytes) > ?",
                                -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, STORE_OUTPUT_INLINE_MAX);
        rc = sqlite3_step(statement);
    }
    enum err err = ERR_NONE;
    for (; err == ERR_NONE && rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
        uint64_t fence = (uint64_t)sqlite3_column_int64(statement, 0);
        err = copy_stream(from_dir, to_dir, fence, STREAM_STDOUT,
                          (uint64_t)sqlite3_column_int64(statement, 1), reason);
        if (err == ERR_NONE) {
            err = copy_stream(from_dir, to_dir, fence, STREAM_STDERR,
                              (uint64_t)sqlite3_column_int64(statement, 2), reason);
        }
    }
    if (err == ERR_NONE && rc != SQLITE_DONE) {
        err = refuse(copy, to_dir, reason);
    }
    sqlite3_finalize(statement);
    return err == ERR_NONE ? sync_output_directories(to_dir, reason) : err;
}

static enum err require_empty(const char *directory, struct reason *reason)
{
    bool is_empty = false;
    enum err err = data_dir_is_empty(directory, &is_empty, reason);
    if (err == ERR_NONE && !is_empty) {
        err = reason_set(reason, ERR_EXISTS, "%s is not empty: name an empty or a new directory",
                         directory);
    }
    return err;
}

/* Both ways are the same: a consistent copy of the database, checked, then its output. */
static enum err copy_all(const char *from_dir, const char *to_dir, sqlite3 **ret_copy,
                         struct reason *reason)
{
    sqlite3 *from = NULL;
    sqlite3 *copy = NULL;
    enum err err = require_database(from_dir, reason);
    if (err == ERR_NONE) {
        err = open_beside(from_dir, "asterism.db", &from, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    err = data_dir_make(to_dir, reason);
    if (err == ERR_NONE) {
        err = vacuum_into(from, from_dir, to_dir, reason);
    }
    sqlite3_close(from);
    if (err == ERR_NONE) {
        err = open_beside(to_dir, PART, &copy, reason);
    }
    if (err == ERR_NONE) {
        err = check_integrity(copy, to_dir, reason);
    }
    if (err == ERR_NONE) {
        err = copy_output(copy, from_dir, to_dir, reason);
    }
    if (err != ERR_NONE) {
        sqlite3_close(copy);
        return err;
    }
    *ret_copy = copy;
    return ERR_NONE;
}

/* The last step: from here on the copy is one. It is closed, and what it holds is on the disk. */
static enum err put_in_place(const char *directory, struct reason *reason)
{
    char *part = mem_format("%s/%s", directory, PART);
    char *path = mem_format("%s/asterism.db", directory);
    enum err err = data_dir_sync(part, reason);
    if (err == ERR_NONE && access(path, F_OK) == 0) {
        err = reason_set(reason, ERR_EXISTS, "%s is there: somebody else has made it", path);
    }
    if (err == ERR_NONE && rename(part, path) != 0) {
        err = reason_set(reason, ERR_IO, "%s cannot be renamed: %s", part, strerror(errno));
    }
    if (err == ERR_NONE) {
        err = data_dir_sync(directory, reason);
    }
    mem_free(path);
    mem_free(part);
    return err;
}

enum err store_backup(const char *data_dir, const char *target_dir, struct reason *reason)
{
    sqlite3 *copy = NULL;
    int backup_fd = -1;
    enum err err = require_empty(target_dir, reason);
    if (err == ERR_NONE && access(data_dir, F_OK) != 0) {
        err = reason_set(reason, ERR_NOT_FOUND, "there is no data directory %s", data_dir);
    }
    if (err == ERR_NONE) {
        err = data_dir_lock_backup(data_dir, false, &backup_fd, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    err = copy_all(data_dir, target_dir, &copy, reason);
    if (err == ERR_NONE) {
        sqlite3_close(copy);
        err = put_in_place(target_dir, reason);
    }
    close(backup_fd);
    return err;
}

/* What the lost database may have promised beyond this one is not promised again. */
static enum err mark_restored(sqlite3 *copy, const char *data_dir, struct reason *reason)
{
    char sql[160];
    snprintf(sql, sizeof sql,
             "INSERT OR REPLACE INTO meta(key, value)"
             " SELECT 'restored', coalesce(max(epoch), 0) + %d FROM start",
             EPOCH_GAP);
    return sqlite3_exec(copy, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_NONE
                                                                  : refuse(copy, data_dir, reason);
}

enum err store_restore(const char *backup_dir, const char *data_dir, struct reason *reason)
{
    sqlite3 *copy = NULL;
    int lock_fd = -1;
    enum err err = require_empty(data_dir, reason);
    if (err == ERR_NONE) {
        err = require_database(backup_dir, reason);
    }
    if (err == ERR_NONE) {
        err = data_dir_make(data_dir, reason);
    }
    if (err == ERR_NONE) {
        err = data_dir_lock(data_dir, &lock_fd, reason); /* no daemon begins there meanwhile */
    }
    if (err != ERR_NONE) {
        return err;
    }
    err = copy_all(backup_dir, data_dir, &copy, reason);
    if (err == ERR_NONE) {
        err = mark_restored(copy, data_dir, reason);
        sqlite3_close(copy);
    }
    if (err == ERR_NONE) {
        err = put_in_place(data_dir, reason);
    }
    close(lock_fd);
    return err;
}

#define NOW   "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
#define DOUBT "the database was restored: it may have run in the time that was lost"

/* What must not run twice may have run in the time that is lost, whatever this database says of it: every
   unfinished once task waits for someone to decide. An attempt of one may still be reported; that its
   device does not hold it proves nothing, since the proof may have been given to the lost database:
   no session is as new as the one it is put into. 2 of p.effect: TASK_ONCE; states: record.h. */
static const char doubt_sql[] =
    "CREATE TEMP TABLE doubtful AS SELECT t.id, t.constellation_id, t.fence, t.state"
    " FROM task t JOIN policy p ON p.id = t.policy_id JOIN constellation_row c"
    " ON c.id = t.constellation_id"
    " WHERE c.state = 2 AND p.effect = 2 AND t.state IN (1, 2, 3, 4, 9);"
    "UPDATE attempt SET session = 9223372036854775807,"
    " ended_wall_ms = iif(state < 4, " NOW
    ", ended_wall_ms), state = max(state, iif(state < 4, 5, 0))"
    " WHERE fence IN (SELECT fence FROM doubtful WHERE fence <> 0) AND state <> 4;"
    "UPDATE task_row SET class_id = l.class_id, policy_id = l.policy_id, fence = l.fence,"
    " priority = l.priority, attempts = l.attempts, tries = l.tries, lost = l.lost,"
    " body_bytes = l.body_bytes, first_attempt = l.first_attempt, revision = l.revision,"
    " round = l.round, flags = l.flags, has_references = l.has_references, prepared = l.prepared"
    " FROM task_live l WHERE l.id = task_row.id AND l.id IN (SELECT id FROM doubtful);"
    "DELETE FROM task_live WHERE id IN (SELECT id FROM doubtful);"
    "UPDATE task_row SET state = 9, wake_wall_ms = 0, wake_length_ms = 0"
    " WHERE id IN (SELECT id FROM doubtful);"
    "UPDATE task_text SET reason = '" DOUBT "'"
    " WHERE id IN (SELECT id FROM doubtful WHERE state <> 9);"
    "INSERT INTO event(seq, wall_ms, kind, constellation_id, task_id, device_id, fence, state,"
    " outcome, number, text) SELECT (SELECT coalesce(max(seq), 0) FROM event)"
    " + row_number() OVER (ORDER BY d.id), " NOW ", 28, d.constellation_id, d.id,"
    " coalesce(a.device_id, 0), d.fence, 0, 0, 0, '" DOUBT "'"
    " FROM doubtful d LEFT JOIN attempt a ON a.fence = d.fence WHERE d.state <> 9;";

static enum err accept(sqlite3 *db, struct reason *reason)
{
    int64_t ahead = 0;
    int64_t accepted = 0;
    enum err err = meta_read(db, "ahead_epoch", &ahead, reason);
    if (err == ERR_NONE) {
        err = meta_read(db, "accepted_epoch", &accepted, reason);
    }
    if (err == ERR_NONE && ahead <= accepted) {
        return reason_set(reason, ERR_CONFLICT,
                          "nothing to accept: no agent has shown a newer state than this "
                          "database's");
    }
    /* Not only what was seen: other agents may hold receipts of this database's own last epochs that
       it does not remember either. */
    if (err == ERR_NONE && sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        err = reason_set(reason, ERR_IO, "the database cannot be written: %s", sqlite3_errmsg(db));
    }
    if (err == ERR_NONE && sqlite3_exec(db,
                                        "INSERT INTO meta(key, value) SELECT 'accepted_epoch',"
                                        " max((SELECT value FROM meta WHERE key = 'ahead_epoch'),"
                                        " (SELECT coalesce(max(epoch), 0) FROM start)) WHERE true"
                                        " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                                        NULL, NULL, NULL) != SQLITE_OK) {
        err = reason_set(reason, ERR_IO, "the database cannot be written: %s", sqlite3_errmsg(db));
    }
    if (err == ERR_NONE && (sqlite3_exec(db, doubt_sql, NULL, NULL, NULL) != SQLITE_OK ||
                            sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)) {
        err = reason_set(reason, ERR_IO, "the database cannot be written: %s", sqlite3_errmsg(db));
    }
    return err; /* what was begun goes with the connection */
}

enum err store_restore_accept(const char *data_dir, struct reason *reason)
{
    sqlite3 *db = NULL;
    int lock_fd = -1;
    if (access(data_dir, F_OK) != 0) {
        return reason_set(reason, ERR_NOT_FOUND, "there is no data directory %s", data_dir);
    }
    enum err err = data_dir_lock(data_dir, &lock_fd, reason);
    if (err != ERR_NONE) {
        return err;
    }
    err = require_database(data_dir, reason);
    if (err == ERR_NONE) {
        err = open_beside(data_dir, "asterism.db", &db, reason);
    }
    if (err == ERR_NONE) {
        sqlite3_exec(db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
        err = accept(db, reason);
        sqlite3_close(db);
    }
    close(lock_fd);
    return err;
}
