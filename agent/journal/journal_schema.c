/* The journal's tables, by numbered version, and opening them. To change the format: raise
   SCHEMA_VERSION, add the statements that bring an older file there, and a test that opens one. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "agent/journal/journal_private.h"

enum {
    SCHEMA_VERSION = 1,
    APPLICATION_ID = 0x41535441, /* "ASTA" */
};

static const char schema[] =
    "CREATE TABLE agent (id INTEGER PRIMARY KEY CHECK (id = 1), journal_id BLOB NOT NULL,"
    " boot_id TEXT NOT NULL, session INTEGER NOT NULL, receipt_epoch INTEGER NOT NULL,"
    " receipt_start_id BLOB NOT NULL, receipt_fence INTEGER NOT NULL, receipt_hmac BLOB NOT NULL)"
    " STRICT;"
    "CREATE TABLE attempt (fence INTEGER PRIMARY KEY, attempt INTEGER NOT NULL,"
    " state INTEGER NOT NULL, on_disconnect INTEGER NOT NULL, kill_grace_ms INTEGER NOT NULL,"
    " name TEXT NOT NULL, body BLOB NOT NULL, outcome INTEGER NOT NULL,"
    " exit_code INTEGER NOT NULL, signal INTEGER NOT NULL, reason TEXT NOT NULL,"
    " started_wall_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL,"
    " stdout_bytes INTEGER NOT NULL, stderr_bytes INTEGER NOT NULL,"
    " output_truncated INTEGER NOT NULL, result TEXT NOT NULL,"
    " once INTEGER NOT NULL) STRICT;";

enum err journal_failed(const struct journal *journal, const char *doing, struct reason *reason)
{
    int code = sqlite3_errcode(journal->db) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_MISMATCH) {
        return reason_set(
            reason, ERR_CORRUPT,
            "the journal %s is damaged (%s: %s); move the data directory away and start "
            "again: what it held is then given up and run again",
            journal->path, doing, sqlite3_errmsg(journal->db));
    }
    return reason_set(reason, ERR_IO, "the journal %s: %s: %s", journal->path, doing,
                      sqlite3_errmsg(journal->db));
}

static enum err run(struct journal *journal, const char *sql, const char *doing,
                    struct reason *reason)
{
    return sqlite3_exec(journal->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? ERR_NONE
               : journal_failed(journal, doing, reason);
}

/* The one number that a pragma or a count gives. */
static enum err number(struct journal *journal, const char *sql, int64_t *ret_value,
                       struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    enum err err = ERR_NONE;
    if (sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        err = journal_failed(journal, sql, reason);
    } else {
        *ret_value = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return err;
}

static enum err quick_check(struct journal *journal, struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    enum err err = ERR_NONE;
    if (sqlite3_prepare_v2(journal->db, "PRAGMA quick_check(1)", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        err = journal_failed(journal, "checking it", reason);
    } else {
        const char *words = (const char *)sqlite3_column_text(statement, 0);
        if (words == NULL || strcmp(words, "ok") != 0) {
            err = reason_set(reason, ERR_CORRUPT,
                             "the journal %s is damaged (%s); move the data directory away and "
                             "start again: what it held is then given up and run again",
                             journal->path, words == NULL ? "unreadable" : words);
        }
    }
    sqlite3_finalize(statement);
    return err;
}

static enum err create(struct journal *journal, struct reason *reason)
{
    uint8_t id[JOURNAL_ID_BYTES];
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id) {
        return reason_set(reason, ERR_IO, "no random bytes: %s", strerror(errno));
    }
    char hex[2 * JOURNAL_ID_BYTES + 1];
    for (size_t i = 0; i < JOURNAL_ID_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[id[i] >> 4];
        hex[2 * i + 1] = digits[id[i] & 15];
    }
    hex[sizeof hex - 1] = '\0';
    struct buf sql = { 0 };
    buf_printf(&sql,
               "BEGIN IMMEDIATE;%s"
               "INSERT INTO agent VALUES (1, x'%s', '', 0, 0, x'', 0, x'');"
               "PRAGMA application_id=%d;PRAGMA user_version=%d;COMMIT",
               schema, hex, APPLICATION_ID, SCHEMA_VERSION);
    enum err err = run(journal, buf_text(&sql), "making its tables", reason);
    buf_done(&sql);
    return err;
}

/* The first read: garbage in the file shows here. */
static enum err version_check(struct journal *journal, bool *ret_fresh, struct reason *reason)
{
    int64_t tables = 0;
    int64_t version = 0;
    int64_t application = 0;
    enum err err = number(journal, "SELECT count(*) FROM sqlite_schema", &tables, reason);
    if (err == ERR_NONE) {
        err = number(journal, "PRAGMA user_version", &version, reason);
    }
    if (err == ERR_NONE) {
        err = number(journal, "PRAGMA application_id", &application, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    *ret_fresh = tables == 0 && version == 0;
    if (*ret_fresh) {
        return ERR_NONE;
    }
    if (application != APPLICATION_ID || version < 1) {
        return reason_set(
            reason, ERR_CORRUPT,
            "%s is a database, but not the journal of an agent; give another --data-dir",
            journal->path);
    }
    if (version > SCHEMA_VERSION) {
        return reason_set(reason, ERR_VERSION,
                          "the journal %s has format %" PRId64 ", this agent knows up to %d: start "
                          "the newer agent again, or move the data directory away",
                          journal->path, version, SCHEMA_VERSION);
    }
    return quick_check(journal, reason);
}

static void column_to(sqlite3_stmt *statement, int column, struct buf *to)
{
    buf_append(to, sqlite3_column_blob(statement, column),
               (size_t)sqlite3_column_bytes(statement, column));
}

static enum err identity_read(struct journal *journal, const char *boot_id, struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    enum err err = ERR_NONE;
    const char *sql = "SELECT journal_id, boot_id, session, receipt_epoch, receipt_start_id,"
                      " receipt_fence, receipt_hmac FROM agent WHERE id = 1";
    if (sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW ||
        sqlite3_column_bytes(statement, 0) != JOURNAL_ID_BYTES ||
        sqlite3_column_bytes(statement, 4) > MSG_ID_BYTES_MAX ||
        sqlite3_column_bytes(statement, 6) > MSG_ID_BYTES_MAX) {
        err =
            reason_set(reason, ERR_CORRUPT,
                       "the journal %s does not say whose it is; move the data directory away and "
                       "start again",
                       journal->path);
    } else {
        memcpy(journal->journal_id, sqlite3_column_blob(statement, 0), JOURNAL_ID_BYTES);
        const char *last_boot = (const char *)sqlite3_column_text(statement, 1);
        journal->rebooted = last_boot == NULL || strcmp(last_boot, boot_id) != 0;
        journal->session = (uint64_t)sqlite3_column_int64(statement, 2);
        journal->receipt_epoch = (uint64_t)sqlite3_column_int64(statement, 3);
        column_to(statement, 4, &journal->start_id);
        journal->receipt_fence = (uint64_t)sqlite3_column_int64(statement, 5);
        column_to(statement, 6, &journal->hmac);
    }
    sqlite3_finalize(statement);
    return err;
}

/* Spools are not synced: after a power cut their bytes may be wrong without being missing. */
static enum err reboot_note(struct journal *journal, const char *boot_id, struct reason *reason)
{
    char *sql = sqlite3_mprintf("BEGIN IMMEDIATE;"
                                "UPDATE attempt SET state = %d WHERE state = %d"
                                " AND stdout_bytes + stderr_bytes > 0;"
                                "UPDATE agent SET boot_id = %Q;COMMIT",
                                HELD_RUNNING, HELD_FINISHED, boot_id);
    enum err err = run(journal, sql == NULL ? "" : sql, "noting the reboot", reason);
    sqlite3_free(sql);
    return err;
}

enum err journal_schema_open(struct journal *journal, const char *boot_id, struct reason *reason)
{
    bool fresh = false;
    /* Exclusive: the lock file says so anyway, and SQLite then needs no shared memory beside it. */
    enum err err = run(journal,
                       "PRAGMA locking_mode=EXCLUSIVE;PRAGMA cache_size=-256;"
                       "PRAGMA temp_store=MEMORY",
                       "opening it", reason);
    if (err == ERR_NONE) {
        err = version_check(journal, &fresh, reason);
    }
    if (err == ERR_NONE) {
        err = run(journal,
                  "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
                  "PRAGMA wal_autocheckpoint=1000;PRAGMA journal_size_limit=8388608",
                  "setting it up", reason);
    }
    if (err == ERR_NONE && fresh) {
        err = create(journal, reason);
    }
    if (err == ERR_NONE) {
        err = identity_read(journal, boot_id, reason);
    }
    if (err == ERR_NONE && journal->rebooted) {
        err = reboot_note(journal, boot_id, reason);
    }
    journal->durable = true;
    return err;
}
