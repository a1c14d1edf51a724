/* The one connection of the SQLite store, for those who keep rows of their own beside it (queries,
   tokens, idempotency). Everything here is for a store made by store_sqlite_open(). */
#ifndef ORCHESTRATOR_STORE_SQLITE_DB_H
#define ORCHESTRATOR_STORE_SQLITE_DB_H

#include <sqlite3.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct store;

sqlite3 *store_sqlite_handle(struct store *store);
const char *store_sqlite_data_dir(const struct store *store);

/* The statement of this text: compiled at its first use, kept by the store, given out reset and with
   nothing bound. Reset it when you are done with its rows: an open read holds back checkpoints. NULL
   with the reason: the text does not compile, or the database cannot be read. Few different texts:
   they are never dropped. */
sqlite3_stmt *store_sqlite_statement(struct store *store, const char *sql, struct reason *reason);

/* The steps that SQLite's machine has made for its statements so far: for tests that count work. */
int64_t store_sqlite_steps(struct store *store);

/* To be called before any write, between store_begin() and store_commit(): the turn's transaction is
   opened at its first write. */
enum err store_sqlite_write(struct store *store, struct reason *reason);

/* Steps a statement that gives no rows, and resets it. A failure makes the store dead. */
enum err store_sqlite_run(struct store *store, sqlite3_stmt *statement, struct reason *reason);

/* Bytes and text are bound without a copy: they must live until the statement has been reset. An
   empty str is empty text, not NULL. */
void sqlite_bind_text(sqlite3_stmt *statement, int at, struct str text);
void sqlite_bind_words(sqlite3_stmt *statement, int at, struct str text); /* empty: NULL */
void sqlite_bind_blob(sqlite3_stmt *statement, int at, struct str bytes);
struct str sqlite_column_str(sqlite3_stmt *statement, int at); /* good until the next step */
struct str sqlite_column_copy(sqlite3_stmt *statement, int at, struct arena *arena);

/* What an SQLite result code means to us. */
enum err sqlite_err(int rc);

#endif
