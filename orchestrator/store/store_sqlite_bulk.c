/* Edits of many operations: their rows, their parts, the text of their revisions. */
#include "orchestrator/store/bulk_answer.h"

#include <string.h>

#include "orchestrator/store/store_sqlite.h"

static enum err run_numbers(struct store_sqlite *self, const char *sql, const int64_t *numbers,
                            int count, struct reason *reason)
{
    sqlite3_stmt *statement = store_sqlite_statement(&self->store, sql, reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    for (int i = 0; i < count; i++) {
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
    }
    return store_sqlite_run(&self->store, statement, reason);
}

static enum err put(struct store_sqlite *self, const struct bulk_record *bulk,
                    struct reason *reason)
{
    const int64_t numbers[] = {
        bulk->id,   bulk->constellation_id, bulk->first_task_id, bulk->tasks_added, bulk->parts,
        bulk->next, bulk->renews,           bulk->is_renewing,   bulk->reopens
    };
    return run_numbers(self,
                       "INSERT INTO bulk(id, constellation_id, first_task_id, tasks_added, parts,"
                       " next, renews, is_renewing, reopens) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)"
                       " ON CONFLICT(id) DO UPDATE SET next=?6, renews=?7, is_renewing=?8",
                       numbers, 9, reason);
}

/* Both ends of a range of pieces. */
static enum err doom(struct store_sqlite *self, int64_t first, int64_t last, struct reason *reason)
{
    const int64_t numbers[] = { first, last };
    return run_numbers(self, "INSERT OR REPLACE INTO piece_doomed(first, last) VALUES(?,?)",
                       numbers, 2, reason);
}

/* What was promised to whoever asks again is there from this commit on. */
static enum err finish(struct store_sqlite *self, int64_t id, struct reason *reason)
{
    enum err err = run_numbers(self,
                               "INSERT OR REPLACE INTO idempotency(scope, key, body_hash, status,"
                               " response, created_wall_ms) SELECT scope, key, body_hash, status,"
                               " response, created_wall_ms FROM bulk_answer WHERE id = ?",
                               &id, 1, reason);
    if (err == ERR_NONE) {
        err = run_numbers(self, "DELETE FROM bulk_answer WHERE id = ?", &id, 1, reason);
    }
    if (err == ERR_NONE) {
        err = run_numbers(self, "DELETE FROM bulk WHERE id = ?", &id, 1, reason);
    }
    if (err == ERR_NONE) {
        err =
            doom(self, piece_id(id, PIECE_PART, 0), piece_id(id, PIECE_OPERATIONS, 0) - 1, reason);
    }
    return err;
}

enum err bulk_apply(struct store_sqlite *self, const struct effect *effect, struct reason *reason)
{
    return effect->kind == EFFECT_PUT_BULK ? put(self, &effect->bulk, reason)
                                           : finish(self, effect->id, reason);
}

enum err bulk_put_piece(struct store *store, int64_t id, struct str body, struct reason *reason)
{
    enum err err = store_sqlite_write(store, reason);
    sqlite3_stmt *statement =
        err != ERR_NONE
            ? NULL
            : store_sqlite_statement(store, "INSERT INTO piece(id, body) VALUES(?,?)", reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, id);
    sqlite_bind_blob(statement, 2, body);
    return store_sqlite_run(store, statement, reason);
}

enum err bulk_read_piece(struct store *store, int64_t id, struct arena *arena, struct str *ret_body)
{
    sqlite3_stmt *row = store_sqlite_statement(store, "SELECT body FROM piece WHERE id = ?", NULL);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        *ret_body = sqlite_column_copy(row, 0, arena);
    }
    sqlite3_reset(row);
    return rc == SQLITE_ROW ? ERR_NONE : rc == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_err(rc);
}

enum err bulk_drop_pieces(struct store *store, int64_t bulk_id, struct reason *reason)
{
    enum err err = store_sqlite_write(store, reason);
    if (err == ERR_NONE) {
        err = run_numbers(sqlite_of(store), "DELETE FROM bulk_answer WHERE id = ?", &bulk_id, 1,
                          reason);
    }
    if (err == ERR_NONE) {
        err = doom(sqlite_of(store), piece_id(bulk_id, PIECE_PART, 0),
                   piece_id(bulk_id + 1, PIECE_PART, 0) - 1, reason);
    }
    return err;
}

/* 26, 24: the bits of piece_id(). SQL's shifts bind as loosely as its or. */
enum err bulk_doom_orphans(sqlite3 *db, struct reason *reason)
{
    _Static_assert(PIECE_NUMBER_BITS == 24 && PIECE_KIND_BITS == 2, "see the SQL");
    static const char sql[] =
        "CREATE TEMP TABLE bulks AS WITH RECURSIVE b(id) AS (SELECT min(id) >> 26 FROM piece"
        " UNION ALL SELECT (SELECT min(p.id) >> 26 FROM piece p WHERE p.id >= (b.id + 1) << 26)"
        " FROM b WHERE b.id IS NOT NULL)"
        " SELECT id FROM b WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM bulk);"
        "INSERT OR REPLACE INTO piece_doomed(first, last)"
        " SELECT id << 26, (id << 26) + (1 << 24) - 1 FROM bulks;"
        "INSERT OR REPLACE INTO piece_doomed(first, last)"
        " SELECT (id << 26) + (1 << 24), ((id + 1) << 26) - 1 FROM bulks WHERE NOT EXISTS"
        " (SELECT 1 FROM revision r WHERE r.bulk_id = bulks.id AND r.bulk_id <> 0);"
        "DROP TABLE bulks;"
        "DELETE FROM bulk_answer WHERE id NOT IN (SELECT id FROM bulk)";
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_NONE
                           : reason_set(reason, sqlite_err(rc), "the database cannot be read: %s",
                                        sqlite3_errmsg(db));
}

enum err bulk_answer_put(struct store *store, int64_t bulk_id,
                         const struct idempotency_record *answer, struct reason *reason)
{
    enum err err = store_sqlite_write(store, reason);
    sqlite3_stmt *statement =
        err != ERR_NONE
            ? NULL
            : store_sqlite_statement(store,
                                     "INSERT INTO bulk_answer(id, status, created_wall_ms, scope,"
                                     " key, response, body_hash) VALUES(?,?,?,?,?,?,?)",
                                     reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, bulk_id);
    sqlite3_bind_int64(statement, 2, answer->status);
    sqlite3_bind_int64(statement, 3, answer->created_wall_ms);
    sqlite_bind_text(statement, 4, answer->scope);
    sqlite_bind_text(statement, 5, answer->key);
    sqlite_bind_text(statement, 6, answer->response);
    sqlite_bind_blob(statement, 7,
                     (struct str){ (const char *)answer->body_hash, IDEMPOTENCY_HASH_BYTES });
    return store_sqlite_run(store, statement, reason);
}

enum err bulk_answer_find(struct store *store, struct str scope, struct str key,
                          uint8_t ret_body_hash[IDEMPOTENCY_HASH_BYTES], struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, "SELECT body_hash FROM bulk_answer WHERE scope = ? AND key = ?", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite_bind_text(row, 1, scope);
    sqlite_bind_text(row, 2, key);
    int rc = sqlite3_step(row);
    struct str hash = rc == SQLITE_ROW ? sqlite_column_str(row, 0) : (struct str){ NULL, 0 };
    enum err err = rc == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_err(rc);
    if (rc == SQLITE_ROW) {
        err = hash.length == IDEMPOTENCY_HASH_BYTES ? ERR_NONE : ERR_CORRUPT;
    }
    if (err == ERR_NONE) {
        memcpy(ret_body_hash, hash.data, IDEMPOTENCY_HASH_BYTES);
    }
    sqlite3_reset(row);
    return err;
}
