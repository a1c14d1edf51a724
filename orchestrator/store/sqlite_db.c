/* Statements and results: the plumbing between the store's files and SQLite. */
#include "orchestrator/store/sqlite_db.h"

#include <string.h>

#include "common/base/check.h"
#include "orchestrator/store/store_sqlite.h"

enum err sqlite_err(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_NONE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH: /* a STRICT column of another type than ours */
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_INTERRUPT: /* of a reader: see reader.h */
        return ERR_TIMEOUT;
    case SQLITE_CONSTRAINT:
        return ERR_EXISTS;
    default:
        return ERR_IO;
    }
}

static struct store_sqlite *checked(struct store *store)
{
    CHECK(store->ops == &store_sqlite_ops);
    return sqlite_of(store);
}

sqlite3 *store_sqlite_handle(struct store *store)
{
    return checked(store)->db;
}

const char *store_sqlite_data_dir(const struct store *store)
{
    CHECK(store->ops == &store_sqlite_ops);
    return ((const struct store_sqlite *)(const void *)store)->data_dir;
}

/* Where a text may be found by its address, which costs less than its hash: most are constants. */
static struct recent_statement *recent_of(struct store_sqlite *self, const char *sql)
{
    return &self->recent[hash_uint64((uint64_t)(uintptr_t)sql) % STORE_RECENT_STATEMENTS];
}

sqlite3_stmt *store_sqlite_statement(struct store *store, const char *sql, struct reason *reason)
{
    struct store_sqlite *self = checked(store);
    struct recent_statement *recent = recent_of(self, sql);
    sqlite3_stmt *statement = recent->statement;
    if (recent->sql != sql || strcmp(sqlite3_sql(statement), sql) != 0) {
        statement = strmap_get(&self->statements, str_of(sql));
        *recent = (struct recent_statement){ statement == NULL ? NULL : sql, statement };
    }
    if (statement != NULL) {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        return statement;
    }
    int rc = sqlite3_prepare_v3(self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (rc != SQLITE_OK) {
        reason_set(reason, sqlite_err(rc), "the database cannot be read: %s",
                   sqlite3_errmsg(self->db));
        return NULL;
    }
    strmap_put(&self->statements, str_of(sql), statement);
    return statement;
}

int64_t store_sqlite_steps(struct store *store)
{
    int64_t steps = 0;
    sqlite3 *db = checked(store)->db;
    for (sqlite3_stmt *statement = sqlite3_next_stmt(db, NULL); statement != NULL;
         statement = sqlite3_next_stmt(db, statement)) {
        steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
    }
    return steps;
}

enum err store_sqlite_write(struct store *store, struct reason *reason)
{
    struct store_sqlite *self = checked(store);
    CHECK(store->in_turn);
    if (self->began) {
        return ERR_NONE;
    }
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *statement = store_sqlite_statement(store, "BEGIN IMMEDIATE", reason);
    if (statement == NULL) {
        store->dead = true;
        return ERR_IO;
    }
    err = store_sqlite_run(store, statement, reason);
    self->began = err == ERR_NONE;
    return err;
}

enum err store_sqlite_run(struct store *store, sqlite3_stmt *statement, struct reason *reason)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(statement);
        return ERR_NONE;
    }
    store->dead = true;
    struct store_sqlite *self = checked(store);
    enum err err = sqlite_err(rc);
    err = err == ERR_NONE ? ERR_CORRUPT : err; /* rows, where none are expected */
    reason_set(reason, err, "the database cannot be written: %s (%s)", sqlite3_errmsg(self->db),
               sqlite3_sql(statement));
    sqlite3_reset(statement);
    return err;
}

void sqlite_bind_text(sqlite3_stmt *statement, int at, struct str text)
{
    sqlite3_bind_text64(statement, at, text.length == 0 ? "" : text.data, text.length,
                        SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_bind_words(sqlite3_stmt *statement, int at, struct str text)
{
    if (text.length == 0) {
        sqlite3_bind_null(statement, at);
    } else {
        sqlite_bind_text(statement, at, text);
    }
}

void sqlite_bind_blob(sqlite3_stmt *statement, int at, struct str bytes)
{
    sqlite3_bind_blob64(statement, at, bytes.length == 0 ? "" : bytes.data, bytes.length,
                        SQLITE_STATIC);
}

struct str sqlite_column_str(sqlite3_stmt *statement, int at)
{
    const void *data = sqlite3_column_type(statement, at) == SQLITE_BLOB
                           ? sqlite3_column_blob(statement, at)
                           : (const void *)sqlite3_column_text(statement, at);
    int length = sqlite3_column_bytes(statement, at);
    return (struct str){ data, data == NULL ? 0 : (size_t)length };
}

struct str sqlite_column_copy(sqlite3_stmt *statement, int at, struct arena *arena)
{
    return arena_str(arena, sqlite_column_str(statement, at));
}
