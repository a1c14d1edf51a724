/* See reader.h. */
#include "orchestrator/store/reader.h"

#include <stdatomic.h>
#include <stdio.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/sys/clock.h"
#include "orchestrator/store/store_sqlite.h"

enum {
    CACHE_KIB = 8192,
    STEPS_BETWEEN_LOOKS = 1000, /* of SQLite's machine: some ten microseconds */
};

struct reader {
    struct checkpointer *checkpointer; /* the writer's */
    char *data_dir;
    struct store_sqlite *snapshot; /* the thread's; NULL: there is no connection yet */
    bool is_open;
    int64_t snapshot_ms_max;
    int64_t until_boot_ms;
    atomic_bool interrupted;
};

struct reader *reader_new(struct store *writer)
{
    struct store_sqlite *of = sqlite_of(writer);
    CHECK(writer->ops == &store_sqlite_ops && of->checkpointer != NULL);
    struct reader *self = mem_alloc(sizeof *self);
    self->checkpointer = of->checkpointer;
    self->data_dir = mem_copy_text(of->data_dir);
    self->snapshot_ms_max = READER_SNAPSHOT_MS_MAX;
    atomic_init(&self->interrupted, false);
    return self;
}

void reader_free(struct reader *self)
{
    if (self == NULL) {
        return;
    }
    reader_end(self);
    if (self->snapshot != NULL) {
        sqlite_store_free(&self->snapshot->store);
    }
    mem_free(self->data_dir);
    mem_free(self);
}

void reader_interrupt(struct reader *self, bool interrupt)
{
    atomic_store(&self->interrupted, interrupt);
}

void reader_set_snapshot_ms(struct reader *self, int64_t snapshot_ms_max)
{
    self->snapshot_ms_max = snapshot_ms_max;
}

bool reader_is_over(const struct reader *self)
{
    return atomic_load(&self->interrupted) || clock_boot_ms() >= self->until_boot_ms;
}

/* Called by SQLite while it works: not 0 ends the statement with SQLITE_INTERRUPT. */
static int look(void *context)
{
    return reader_is_over(context);
}

/* query_only: a write is refused, while the log can still be moved. */
static enum err open_connection(struct reader *self, struct reason *reason)
{
    struct store_sqlite *snapshot = mem_alloc(sizeof *snapshot);
    snapshot->store.ops = &store_sqlite_ops;
    snapshot->data_dir = mem_copy_text(self->data_dir);
    snapshot->lock_fd = -1;
    snapshot->is_snapshot = true;
    char *path = mem_format("%s/asterism.db", self->data_dir);
    char pragmas[256];
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA query_only=ON; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
             "PRAGMA automatic_index=OFF; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;"
             "PRAGMA cache_size=-%d; PRAGMA user_version",
             CACHE_KIB);
    int rc = sqlite3_open_v2(path, &snapshot->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                                 SQLITE_OPEN_NOFOLLOW,
                             NULL);
    mem_free(path);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(snapshot->db, 2000);
        sqlite3_db_config(snapshot->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
        rc = sqlite3_exec(snapshot->db, pragmas, NULL, NULL, NULL);
    }
    if (rc != SQLITE_OK) { /* peers can take all descriptors: that passes */
        reason_set(reason, ERR_BUSY, "the database cannot be opened a second time: %s",
                   sqlite3_errmsg(snapshot->db));
        sqlite_store_free(&snapshot->store);
        return ERR_BUSY;
    }
    self->snapshot = snapshot;
    return ERR_NONE;
}

static enum err run(struct store_sqlite *snapshot, const char *sql, struct reason *reason)
{
    int rc = sqlite3_exec(snapshot->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_NONE
                           : reason_set(reason, sqlite_err(rc), "the database cannot be read: %s",
                                        sqlite3_errmsg(snapshot->db));
}

enum err reader_begin(struct reader *self, struct store **ret_snapshot, struct reason *reason)
{
    CHECK(!self->is_open);
    if (atomic_load(&self->interrupted)) {
        return reason_set(reason, ERR_TIMEOUT, "nobody waits for it any more");
    }
    enum err err = self->snapshot == NULL ? open_connection(self, reason) : ERR_NONE;
    if (err != ERR_NONE) {
        return err;
    }
    struct store_sqlite *snapshot = self->snapshot;
    if (!checkpointer_make_room(self->checkpointer, snapshot->db, &self->interrupted)) {
        return reason_set(reason, ERR_BUSY, "the database's log is being moved");
    }
    /* The instant is that of the first read, not of the BEGIN. A commit can be seen as soon as its part of
       the log has been synced, and not before: what is read here is on the disk (P5). */
    err = run(snapshot, "BEGIN; SELECT count(*) FROM meta", reason);
    if (err != ERR_NONE) {
        if (sqlite3_get_autocommit(snapshot->db) == 0) {
            sqlite3_exec(snapshot->db, "ROLLBACK", NULL, NULL, NULL);
        }
        return err;
    }
    self->is_open = true;
    self->until_boot_ms = clock_boot_ms() + self->snapshot_ms_max;
    sqlite3_progress_handler(snapshot->db, STEPS_BETWEEN_LOOKS, look, self);
    /* Its transaction is open, so what a turn begins is not begun again. */
    snapshot->store.in_turn = true;
    snapshot->store.dead = false;
    snapshot->began = true;
    *ret_snapshot = &snapshot->store;
    return ERR_NONE;
}

void reader_end(struct reader *self)
{
    if (!self->is_open) {
        return;
    }
    struct store_sqlite *snapshot = self->snapshot;
    self->is_open = false;
    snapshot->store.in_turn = false;
    snapshot->began = false;
    sqlite3_progress_handler(snapshot->db, 0, NULL, NULL);
    sqlite3_stmt *statement = NULL;
    while ((statement = sqlite3_next_stmt(snapshot->db, statement)) != NULL) {
        sqlite3_reset(statement); /* one that was left half-way would hold the log */
    }
    /* Where memory or the disk has failed a statement, SQLite has ended the transaction itself. */
    if (sqlite3_get_autocommit(snapshot->db) == 0) {
        int rc = sqlite3_exec(snapshot->db, "ROLLBACK", NULL, NULL, NULL);
        CHECK(rc == SQLITE_OK);
    }
    CHECK(sqlite3_get_autocommit(snapshot->db) != 0);
    checkpointer_read_ended(self->checkpointer, snapshot->db);
}
