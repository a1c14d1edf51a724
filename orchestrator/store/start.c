/* A start's mark in the database. */
#include "orchestrator/store/start.h"

#include <inttypes.h>
#include <string.h>

#include "orchestrator/store/late.h"
#include "orchestrator/store/sqlite_db.h"
#include "orchestrator/store/store_sqlite.h"

static enum err refuse(sqlite3 *db, struct reason *reason)
{
    enum err err = sqlite_err(sqlite3_errcode(db));
    return reason_set(reason, err == ERR_NONE ? ERR_CORRUPT : err,
                      "the database cannot be read or written: %s", sqlite3_errmsg(db));
}

static enum err run_sql(sqlite3 *db, const char *sql, struct reason *reason)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_NONE : refuse(db, reason);
}

/* The number that a query gives; 0 without a row. */
static enum err read_number(sqlite3 *db, const char *sql, const char *key, int64_t *ret_value,
                            struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK && key != NULL) {
        rc = sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        enum err err = refuse(db, reason);
        sqlite3_finalize(statement);
        return err;
    }
    *ret_value = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return ERR_NONE;
}

enum err meta_read(sqlite3 *db, const char *key, int64_t *ret_value, struct reason *reason)
{
    return read_number(db, "SELECT value FROM meta WHERE key = ?", key, ret_value, reason);
}

static enum err meta_write(sqlite3 *db, const char *key, int64_t value, struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db,
                                "INSERT INTO meta(key, value) VALUES(?1, ?2)"
                                " ON CONFLICT(key) DO UPDATE SET value = ?2",
                                -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, value);
        rc = sqlite3_step(statement);
    }
    enum err err = rc == SQLITE_DONE ? ERR_NONE : refuse(db, reason);
    sqlite3_finalize(statement);
    return err;
}

static enum err spend(sqlite3 *db, const char *key, int64_t id, struct reason *reason)
{
    int64_t spent = 0;
    enum err err = meta_read(db, key, &spent, reason);
    if (err == ERR_NONE && id > spent) {
        err = meta_write(db, key, id, reason);
    }
    return err;
}

enum err meta_spend_ids(sqlite3 *db, const struct spent_ids *ids, struct reason *reason)
{
    enum err err = spend(db, "spent_constellation_id", ids->constellation_id, reason);
    if (err == ERR_NONE) {
        err = spend(db, "spent_task_id", ids->task_id, reason);
    }
    if (err == ERR_NONE) {
        err = spend(db, "spent_edge_id", ids->edge_id, reason);
    }
    if (err == ERR_NONE) {
        err = spend(db, "spent_hold_id", ids->hold_id, reason);
    }
    return err;
}

enum err meta_save_fence(sqlite3 *db, int64_t fence, struct reason *reason)
{
    return meta_write(db, "fence", fence, reason);
}

/* The random bytes that make this database itself. `fresh`: they are kept unless there are none. */
static enum err identity(sqlite3 *db, const char *key, const uint8_t *fresh, int bytes,
                         uint8_t *ret_value, struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO meta(key, value) VALUES(?1, ?2)", -1,
                                &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_blob(statement, 2, fresh, bytes, SQLITE_STATIC);
        rc = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    if (rc != SQLITE_DONE) {
        return refuse(db, reason);
    }
    rc = sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = ?1", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        rc = sqlite3_step(statement);
    }
    enum err err = rc == SQLITE_ROW ? ERR_NONE : refuse(db, reason);
    const void *value = err == ERR_NONE ? sqlite3_column_blob(statement, 0) : NULL;
    if (err == ERR_NONE && (value == NULL || sqlite3_column_bytes(statement, 0) != bytes)) {
        err = reason_set(reason, ERR_CORRUPT, "the database's %s is damaged", key);
    } else if (err == ERR_NONE) {
        memcpy(ret_value, value, (size_t)bytes);
    }
    sqlite3_finalize(statement);
    return err;
}

#define HALF "(SELECT id FROM constellation_row WHERE state = 1)"
#define HALF_TASKS                                                                                 \
    "FROM constellation_row c CROSS JOIN task_row t ON t.id BETWEEN c.first_task_id AND"           \
    " c.last_task_id AND t.constellation_id = c.id WHERE c.state = 1"
#define HALF_EDGES                                                                                 \
    "FROM constellation_row c CROSS JOIN edge_row e ON e.id BETWEEN c.first_edge_id AND"           \
    " c.last_edge_id AND e.constellation_id = c.id WHERE c.state = 1"

/* Constellations whose rows were not all in when the last start ended were never acknowledged. */
static enum err drop_half_loaded(sqlite3 *db, struct reason *reason)
{
    static const char *const highest[] = {
        "SELECT max(id) FROM constellation_row WHERE state = 1",
        "SELECT max(last_task_id) FROM constellation_row WHERE state = 1",
        "SELECT max(last_edge_id) FROM constellation_row WHERE state = 1",
        ("SELECT max(h.id) FROM constellation_row c JOIN hold h ON h.constellation_id = c.id"
         " WHERE c.state = 1"),
    };
    struct spent_ids ids = { 0 };
    int64_t *const found[] = { &ids.constellation_id, &ids.task_id, &ids.edge_id, &ids.hold_id };
    enum err err = ERR_NONE;
    for (size_t i = 0; err == ERR_NONE && i < sizeof found / sizeof found[0]; i++) {
        err = read_number(db, highest[i], NULL, found[i], reason);
    }
    if (err != ERR_NONE || ids.constellation_id == 0) {
        return err;
    }
    err = meta_spend_ids(db, &ids, reason);
    if (err != ERR_NONE) {
        return err;
    }
    return run_sql(db,
                   "DELETE FROM task_text WHERE id IN (SELECT t.id " HALF_TASKS ");"
                   "DELETE FROM task_row WHERE id IN (SELECT t.id " HALF_TASKS ");"
                   "DELETE FROM edge_text WHERE id IN (SELECT e.id " HALF_EDGES ");"
                   "DELETE FROM edge_row WHERE id IN (SELECT e.id " HALF_EDGES ");"
                   "DELETE FROM hold_task WHERE hold_id IN (SELECT h.id FROM constellation_row c"
                   " JOIN hold h ON h.constellation_id = c.id WHERE c.state = 1);"
                   "DELETE FROM hold WHERE constellation_id IN " HALF ";"
                   "DELETE FROM constellation_limit WHERE constellation_id IN " HALF ";"
                   "DELETE FROM constellation_text WHERE id IN " HALF ";"
                   "DELETE FROM constellation_row WHERE state = 1",
                   reason);
}

/* What live tasks refer to by a column: in their range, late, or only since an attempt has them. */
#define LIVE(column)                                                                               \
    "SELECT t." column " FROM constellation_row c CROSS JOIN task_row t ON t.id BETWEEN"           \
    " c.first_task_id AND c.last_task_id AND t.constellation_id = c.id WHERE c.state IN (2, 3)"    \
    " UNION ALL SELECT t." column " FROM constellation_row c CROSS JOIN " LATE_ROWS(               \
        "late_task", "task_row", "t",                                                              \
        "0") " AND b.constellation_id = c.id WHERE c.state IN (2, 3)"                              \
             " UNION ALL SELECT " column " FROM task_live"
#define RETIRE(table, column)                                                                      \
    "CREATE TEMP TABLE used AS SELECT DISTINCT * FROM (" LIVE(                                     \
        column) ");"                                                                               \
                "UPDATE " table " SET retired = 0 WHERE retired <> 0 AND id IN used;"              \
                "UPDATE " table                                                                    \
                " SET retired = (SELECT coalesce(max(id), 0) + 1 FROM constellation_row)"          \
                " WHERE retired = 0 AND id < (SELECT max(id) FROM " table ") AND id NOT IN used;"  \
                "DROP TABLE used;"

/* The engine hears only of classes and policies that live tasks refer to, so that those it holds do not
   grow for ever; and of the newest of each, from which it goes on numbering. A constellation that was
   reopened may have brought back some that were out of use. */
static enum err retire_unused(sqlite3 *db, struct reason *reason)
{
    return run_sql(db, RETIRE("class", "class_id") RETIRE("policy", "policy_id"), reason);
}

static enum err next_id(sqlite3 *db, const char *sql, const char *spent_key, int64_t *ret_id,
                        struct reason *reason)
{
    int64_t last = 0;
    int64_t spent = 0;
    enum err err = read_number(db, sql, NULL, &last, reason);
    if (err == ERR_NONE) {
        err = meta_read(db, spent_key, &spent, reason);
    }
    if (err == ERR_NONE) {
        *ret_id = (last > spent ? last : spent) + 1;
    }
    return err;
}

/* A restored copy goes its own way from here: it gives other events the numbers that the lost database
   may have given already, so it must not be taken for that one. Its "restored" is the epoch after which
   it goes on. */
static enum err leave_old_lineage(sqlite3 *db, int64_t *ret_epoch, struct reason *reason)
{
    enum err err = meta_read(db, "restored", ret_epoch, reason);
    if (err != ERR_NONE || *ret_epoch == 0) {
        return err;
    }
    return run_sql(db,
                   "INSERT OR REPLACE INTO meta(key, value)"
                   " SELECT 'restored_from', value FROM meta WHERE key = 'lineage';"
                   "DELETE FROM meta WHERE key IN ('lineage', 'restored')",
                   reason);
}

/* Of any attempt that was ever there: see meta_save_fence(). */
static enum err highest_fence(sqlite3 *db, int64_t *ret_fence, struct reason *reason)
{
    int64_t there = 0;
    int64_t gone = 0;
    enum err err = read_number(db, "SELECT max(fence) FROM attempt", NULL, &there, reason);
    if (err == ERR_NONE) {
        err = meta_read(db, "fence", &gone, reason);
    }
    if (err == ERR_NONE) {
        *ret_fence = there > gone ? there : gone;
    }
    return err;
}

static enum err add_start(sqlite3 *db, const struct store_seed *seed, int64_t epoch_floor,
                          struct store_start *start, uint64_t *ret_fence, struct reason *reason)
{
    int64_t fence = 0;
    int64_t last = 0;
    int64_t ahead = 0;
    int64_t accepted = 0;
    enum err err = highest_fence(db, &fence, reason);
    if (err == ERR_NONE) {
        err = read_number(db, "SELECT max(epoch) FROM start", NULL, &last, reason);
    }
    if (err == ERR_NONE) {
        err = meta_read(db, "ahead_epoch", &ahead, reason);
    }
    if (err == ERR_NONE) {
        err = meta_read(db, "accepted_epoch", &accepted, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    int64_t epoch = last > accepted ? last : accepted;
    epoch = (epoch > epoch_floor ? epoch : epoch_floor) + 1;
    if (epoch > FENCE_EPOCH_MAX) {
        return reason_set(reason, ERR_LIMIT,
                          "the database has been started %d times, as often as it can be: start "
                          "with an empty data directory",
                          FENCE_EPOCH_MAX);
    }
    sqlite3_stmt *statement = NULL;
    char sql[160];
    sqlite3_snprintf(sizeof sql, sql, "UPDATE start SET last_fence = %lld WHERE epoch = %lld",
                     (long long)fence, (long long)last);
    err = run_sql(db, sql, reason);
    int rc = sqlite3_prepare_v2(
        db, "INSERT INTO start(epoch, start_id, wall_ms) VALUES(?1, ?2, ?3)", -1, &statement, NULL);
    if (err == ERR_NONE && rc == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, epoch);
        sqlite3_bind_blob(statement, 2, seed->random, sizeof start->start_id, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, seed->wall_ms);
        err = sqlite3_step(statement) == SQLITE_DONE ? ERR_NONE : refuse(db, reason);
    } else if (err == ERR_NONE) {
        err = refuse(db, reason);
    }
    sqlite3_finalize(statement);
    start->epoch = (uint64_t)epoch;
    start->ahead_epoch = ahead > accepted ? (uint64_t)ahead : 0;
    memcpy(start->start_id, seed->random, sizeof start->start_id);
    *ret_fence = (uint64_t)fence;
    return err;
}

static enum err fill(sqlite3 *db, const struct store_seed *seed, struct store_start *start,
                     uint64_t *ret_fence, struct reason *reason)
{
    const uint8_t *random = seed->random + sizeof start->start_id;
    int64_t epoch_floor = 0;
    enum err err = leave_old_lineage(db, &epoch_floor, reason);
    if (err == ERR_NONE) {
        err = identity(db, "lineage", random, sizeof start->lineage, start->lineage, reason);
    }
    if (err == ERR_NONE) {
        err = identity(db, "secret", random + sizeof start->lineage, sizeof start->secret,
                       start->secret, reason);
    }
    if (err == ERR_NONE) {
        err = add_start(db, seed, epoch_floor, start, ret_fence, reason);
    }
    if (err == ERR_NONE) {
        err = drop_half_loaded(db, reason);
    }
    if (err == ERR_NONE) {
        err = bulk_doom_orphans(db, reason);
    }
    if (err == ERR_NONE) {
        err = retire_unused(db, reason);
    }
    if (err == ERR_NONE) {
        err = next_id(db, "SELECT max(id) FROM constellation_row", "spent_constellation_id",
                      &start->next_constellation_id, reason);
    }
    if (err == ERR_NONE) {
        err = next_id(db,
                      "SELECT max(coalesce((SELECT max(id) FROM task_row), 0), coalesce("
                      "(SELECT max(first_task_id + tasks_added - 1) FROM bulk), 0))",
                      "spent_task_id", &start->next_task_id, reason);
    }
    if (err == ERR_NONE) {
        err = next_id(db, "SELECT max(id) FROM edge_row", "spent_edge_id", &start->next_edge_id,
                      reason);
    }
    if (err == ERR_NONE) {
        /* What is to go is known by its range alone: pieces of another with that number would go too. */
        err = next_id(db,
                      "SELECT max(coalesce((SELECT max(id) FROM hold), 0),"
                      " coalesce((SELECT max(id) >> 26 FROM piece), 0),"
                      " coalesce((SELECT max(first) >> 26 FROM piece_doomed), 0))",
                      "spent_hold_id", &start->next_hold_id, reason);
    }
    if (err == ERR_NONE) {
        err = read_number(db, "SELECT max(seq) FROM event", NULL, &start->last_seq, reason);
    }
    return err;
}

enum err start_record(sqlite3 *db, const struct store_seed *seed, struct store_start *ret_start,
                      uint64_t *ret_fence, struct reason *reason)
{
    _Static_assert(sizeof seed->random == sizeof ret_start->start_id + sizeof ret_start->lineage +
                                              sizeof ret_start->secret + 8,
                   "the seed feeds all that is random");
    struct store_start start = { 0 };
    uint64_t fence = 0;
    enum err err = run_sql(db, "BEGIN IMMEDIATE", reason);
    if (err != ERR_NONE) {
        return err;
    }
    err = fill(db, seed, &start, &fence, reason);
    if (err == ERR_NONE) {
        err = run_sql(db, "COMMIT", reason);
    }
    if (err != ERR_NONE) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return err;
    }
    *ret_start = start;
    *ret_fence = fence;
    return ERR_NONE;
}

/* Whether this database knows that start, and how far its fences went. A start that had assigned nothing
   yet promised the fence before its first. */
static enum err look_up(struct store_sqlite *self, uint64_t epoch, const uint8_t start_id[16],
                        uint64_t fence, bool *ret_ahead, struct reason *reason)
{
    sqlite3_stmt *statement = store_sqlite_statement(
        &self->store, "SELECT start_id, last_fence FROM start WHERE epoch = ?", reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, (int64_t)epoch);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        struct str known = sqlite_column_str(statement, 0);
        uint64_t last =
            epoch == self->epoch ? self->fence : (uint64_t)sqlite3_column_int64(statement, 1);
        uint64_t before_first = epoch << FENCE_COUNTER_BITS;
        last = last > before_first ? last : before_first;
        *ret_ahead = known.length != 16 || memcmp(known.data, start_id, 16) != 0 || fence > last;
    } else if (rc == SQLITE_DONE) {
        *ret_ahead = true;
    }
    enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_NONE : refuse(self->db, reason);
    sqlite3_reset(statement);
    return err;
}

enum err receipt_is_ahead(struct store *store, uint64_t epoch, const uint8_t start_id[16],
                          uint64_t fence, bool *ret_ahead, struct reason *reason)
{
    struct store_sqlite *self = sqlite_of(store);
    int64_t accepted = 0;
    bool ahead = false;
    enum err err = meta_read(self->db, "accepted_epoch", &accepted, reason);
    if (err == ERR_NONE && epoch <= INT64_MAX && (int64_t)epoch > accepted) {
        err = look_up(self, epoch, start_id, fence, &ahead, reason);
    }
    if (err == ERR_NONE && ahead && epoch > self->ahead_epoch) {
        err = meta_write(self->db, "ahead_epoch", (int64_t)epoch, reason);
        self->ahead_epoch = epoch;
    }
    if (err == ERR_NONE) {
        *ret_ahead = ahead;
    }
    return err;
}
