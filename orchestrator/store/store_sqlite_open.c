/* The opening of the SQLite store: whatever is wrong with the directory or the database is found here
   and refused with what to do. */
#include "orchestrator/store/store_sqlite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/log_file.h"
#include "orchestrator/store/schema.h"
#include "orchestrator/store/start.h"

enum {
    /* A turn changes a few rows on pages that lie apart, and its commit waits for each of them to be on the
       disk, whole, in the log: half of SQLite's own size is half as much to wait for. */
    PAGE_BYTES = 2048,
    CHECK_BYTES_MAX = 8 * 1024 * 1024, /* a larger database is not checked whole at each start */
    CACHE_KIB = 16384,                 /* at most; only what is touched is held */
    LOG_BYTES_KEPT = 64 * 1024 * 1024, /* beyond that a log is cut when its long read is over */
};

static enum err damaged(const struct store_sqlite *self, const char *what, struct reason *reason)
{
    return reason_set(reason, ERR_CORRUPT,
                      "the database in %s is damaged (%s): move the directory away and restore a "
                      "backup with: asterismd restore BACKUP",
                      self->data_dir, what);
}

/* A refusal of SQLite's at the opening, in words that help. */
static enum err refuse(const struct store_sqlite *self, struct reason *reason)
{
    enum err err = sqlite_err(sqlite3_errcode(self->db));
    if (err == ERR_CORRUPT) {
        return damaged(self, sqlite3_errmsg(self->db), reason);
    }
    return reason_set(reason, err == ERR_NONE ? ERR_IO : err,
                      "the database in %s cannot be opened: %s", self->data_dir,
                      sqlite3_errmsg(self->db));
}

static enum err open_database(struct store_sqlite *self, struct reason *reason)
{
    /* SQLite's count of its memory costs a lock at each allocation. Refused, without harm, when SQLite is
       in use already. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    char *path = mem_format("%s/asterism.db", self->data_dir);
    int rc = sqlite3_open_v2(path, &self->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW,
                             log_file_vfs());
    mem_free(path);
    if (rc != SQLITE_OK) {
        return refuse(self, reason);
    }
    sqlite3_busy_timeout(self->db, 2000); /* a backup that is just opening its own connection */
    sqlite3_db_config(self->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(self->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    char pragmas[512];
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
             "PRAGMA foreign_keys=OFF;"
             "PRAGMA automatic_index=OFF; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; "
             "PRAGMA cache_size=-%d;"
             "PRAGMA journal_size_limit=%d",
             PAGE_BYTES, CACHE_KIB, LOG_BYTES_KEPT);
    if (sqlite3_exec(self->db, pragmas, NULL, NULL, NULL) != SQLITE_OK) {
        return refuse(self, reason);
    }
    return ERR_NONE;
}

/* The first column of the first row, as text for the eye or as a number. */
static enum err query_one(struct store_sqlite *self, const char *sql, int64_t *ret_number,
                          char *ret_text, size_t text_bytes, struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    if (rc != SQLITE_ROW) {
        enum err err = refuse(self, reason);
        sqlite3_finalize(statement);
        return err;
    }
    *ret_number = sqlite3_column_int64(statement, 0);
    if (ret_text != NULL) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        snprintf(ret_text, text_bytes, "%s", text == NULL ? "" : (const char *)text);
    }
    sqlite3_finalize(statement);
    return ERR_NONE;
}

/* The log of the last start goes into the file before anything is acknowledged, so the file's length
   can be compared with what its header says: a copy that was cut off is found here. A small database
   is checked whole; in a larger one damage is found when it is read. */
static enum err check_database(struct store_sqlite *self, struct reason *reason)
{
    int64_t pages = 0;
    int64_t page_bytes = 0;
    int64_t ignored = 0;
    if (sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
            SQLITE_OK &&
        sqlite_err(sqlite3_errcode(self->db)) != ERR_BUSY) {
        return refuse(self, reason);
    }
    enum err err = query_one(self, "PRAGMA page_count", &pages, NULL, 0, reason);
    if (err == ERR_NONE) {
        err = query_one(self, "PRAGMA page_size", &page_bytes, NULL, 0, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    char *path = mem_format("%s/asterism.db", self->data_dir);
    struct stat status = { 0 };
    int rc = stat(path, &status);
    mem_free(path);
    if (rc != 0 || status.st_size < pages * page_bytes) {
        return damaged(self, "it has been cut off", reason);
    }
    if (pages * page_bytes > CHECK_BYTES_MAX) {
        return ERR_NONE;
    }
    char text[128];
    err = query_one(self, "PRAGMA quick_check(1)", &ignored, text, sizeof text, reason);
    if (err == ERR_NONE && strcmp(text, "ok") != 0) {
        err = damaged(self, text, reason);
    }
    return err;
}

static bool holds_something(const struct store_sqlite *self, const char *name)
{
    char *path = mem_format("%s/%s", self->data_dir, name);
    struct stat status;
    bool holds = lstat(path, &status) == 0 && (S_ISDIR(status.st_mode) || status.st_size > 0);
    mem_free(path);
    return holds;
}

/* SQLite makes a new database of a missing or empty file. Beside what an old one has left, or a restore
   that did not come to its end, that would be a silent loss. */
static enum err check_file(const struct store_sqlite *self, struct reason *reason)
{
    if (holds_something(self, "asterism.db")) {
        return ERR_NONE;
    }
    if (holds_something(self, "asterism.db.part")) {
        return damaged(self, "asterism.db.part: a restore did not come to its end", reason);
    }
    if (holds_something(self, "asterism.db-wal") || holds_something(self, "output")) {
        return damaged(self, "asterism.db is missing or empty", reason);
    }
    return ERR_NONE;
}

static enum err open_all(struct store_sqlite *self, const struct store_seed *seed,
                         struct store_start *ret_start, struct reason *reason)
{
    enum err err = data_dir_make(self->data_dir, reason);
    if (err == ERR_NONE) {
        err = data_dir_lock(self->data_dir, &self->lock_fd, reason);
    }
    if (err == ERR_NONE) {
        err = check_file(self, reason);
    }
    if (err == ERR_NONE) {
        err = open_database(self, reason);
    }
    if (err == ERR_NONE) {
        err = check_database(self, reason);
    }
    if (err == ERR_NONE) {
        err = schema_migrate(self->db, reason);
        if (err == ERR_CORRUPT) {
            char what[128];
            snprintf(what, sizeof what, "%s", sqlite3_errmsg(self->db));
            err = damaged(self,
                          sqlite3_errcode(self->db) == SQLITE_OK ? "not made by asterismd" : what,
                          reason);
        }
    }
    if (err == ERR_NONE) {
        err = data_dir_sync(self->data_dir, reason);
    }
    if (err == ERR_NONE) {
        err = row_prepare(self, reason);
    }
    if (err == ERR_NONE) {
        err = start_record(self->db, seed, ret_start, &self->fence, reason);
    }
    return err;
}

enum err store_sqlite_open(const char *data_dir, const struct store_seed *seed,
                           struct store **ret_store, struct store_start *ret_start,
                           struct reason *reason)
{
    struct store_sqlite *self = mem_alloc(sizeof *self);
    struct store_start start;
    self->store.ops = &store_sqlite_ops;
    self->data_dir = mem_copy_text(data_dir);
    self->lock_fd = -1;
    enum err err = open_all(self, seed, &start, reason);
    if (err != ERR_NONE) {
        sqlite_store_free(&self->store);
        return err;
    }
    char *path = mem_format("%s/asterism.db", data_dir);
    self->checkpointer = checkpointer_new(self->db, path);
    mem_free(path);
    self->files = output_files_new(data_dir);
    self->epoch = start.epoch;
    self->ahead_epoch = start.ahead_epoch;
    self->seq = start.last_seq;
    *ret_start = start;
    *ret_store = &self->store;
    return ERR_NONE;
}
