/* Deleting in slices. */
#include "orchestrator/store/retention.h"

#include <unistd.h>

#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/late.h"
#include "orchestrator/store/start.h"
#include "orchestrator/store/store_sqlite.h"

enum { DOOM_MAX = 64 }; /* constellations that one call makes invisible, by each rule */

/* A pass over what may go, with what is left of its slice. */
struct pass {
    struct store *store;
    struct store_sqlite *self;
    int64_t budget;
    struct reason *reason;
};

/* Runs a statement that writes, with up to two numbers. */
static enum err run(struct pass *pass, const char *sql, int64_t first, int64_t second)
{
    sqlite3_stmt *statement = store_sqlite_statement(pass->store, sql, pass->reason);
    enum err err = statement == NULL ? ERR_IO : store_sqlite_write(pass->store, pass->reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_bind_int64(statement, 1, first);
    if (sqlite3_bind_parameter_count(statement) > 1) {
        sqlite3_bind_int64(statement, 2, second);
    }
    return store_sqlite_run(pass->store, statement, pass->reason);
}

/* The first row of a query with up to two numbers: its columns as numbers. ERR_NOT_FOUND: none. */
static enum err read_row(struct pass *pass, const char *sql, int64_t first, int64_t second,
                         int64_t *ret_columns, int columns)
{
    sqlite3_stmt *statement = store_sqlite_statement(pass->store, sql, pass->reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    if (sqlite3_bind_parameter_count(statement) > 0) {
        sqlite3_bind_int64(statement, 1, first);
    }
    if (sqlite3_bind_parameter_count(statement) > 1) {
        sqlite3_bind_int64(statement, 2, second);
    }
    int rc = sqlite3_step(statement);
    for (int i = 0; rc == SQLITE_ROW && i < columns; i++) {
        ret_columns[i] = sqlite3_column_int64(statement, i);
    }
    sqlite3_reset(statement);
    if (rc == SQLITE_ROW) {
        return ERR_NONE;
    }
    if (rc == SQLITE_DONE) {
        return ERR_NOT_FOUND;
    }
    return reason_set(pass->reason, sqlite_err(rc), "the database cannot be read: %s",
                      sqlite3_errmsg(pass->self->db));
}

static enum err doom(struct pass *pass, int64_t id)
{
    enum err err = run(pass,
                       "INSERT OR IGNORE INTO doomed SELECT id, first_task_id, last_task_id,"
                       " first_edge_id, last_edge_id FROM constellation_row WHERE id = ?",
                       id, 0);
    if (err == ERR_NONE) {
        err = run(pass, "DELETE FROM constellation_row WHERE id = ?", id, 0);
    }
    if (err == ERR_NONE) {
        pass->self->doomed = true;
    }
    return err;
}

enum err store_delete_constellation(struct store *store, int64_t id, struct reason *reason)
{
    struct pass pass = { .store = store, .self = sqlite_of(store), .reason = reason };
    int64_t columns[4];
    enum err err =
        read_row(&pass,
                 "SELECT state, max(last_task_id, coalesce((SELECT max(first_id) + 31"
                 " FROM late_task WHERE constellation_id = ?1), 0)), max(last_edge_id,"
                 " coalesce((SELECT max(first_id) + 31 FROM late_edge"
                 " WHERE constellation_id = ?1), 0)), coalesce((SELECT max(id) FROM hold"
                 " WHERE constellation_id = ?1), 0) FROM constellation_row WHERE id = ?1",
                 id, 0, columns, 4);
    if (err == ERR_NOT_FOUND || (err == ERR_NONE && columns[0] == CONSTELLATION_LOADING)) {
        return reason_set(reason, ERR_NOT_FOUND, "there is no such constellation");
    }
    if (err != ERR_NONE) {
        return err;
    }
    if (!constellation_state_is_final((enum constellation_state)columns[0])) {
        return reason_set(reason, ERR_CONFLICT, "it is not final yet: cancel it first");
    }
    err = store_sqlite_write(store, reason);
    if (err == ERR_NONE) {
        const struct spent_ids ids = { id, columns[1], columns[2], columns[3] };
        err = meta_spend_ids(store_sqlite_handle(store), &ids, reason);
    }
    if (err == ERR_NONE) {
        err = doom(&pass, id);
    }
    store->dead = store->dead || err != ERR_NONE;
    return err;
}

/* What an attempt has decided. ERR_NONE with budget left: all of it is gone. */
static enum err drop_decisions(struct pass *pass, int64_t fence)
{
    int dropped = 1;
    while (dropped > 0 && pass->budget > 0) {
        enum err err = run(pass,
                           "DELETE FROM edge_decided WHERE fence = ?1 AND edge_id IN"
                           " (SELECT edge_id FROM edge_decided WHERE fence = ?1 LIMIT ?2)",
                           fence, pass->budget);
        if (err != ERR_NONE) {
            return err;
        }
        dropped = sqlite3_changes(pass->self->db);
        pass->budget -= dropped;
    }
    return ERR_NONE;
}

/* A task's attempts from the latest back. `save` writes where to go on in the next slice to the row
   that named the latest. */
static enum err drop_attempts(struct pass *pass, int64_t task_id, int64_t fence, const char *save)
{
    while (fence != 0 && pass->budget > 0) {
        int64_t columns[3] = { 0 };
        enum err err = drop_decisions(pass, fence);
        if (err != ERR_NONE) {
            return err;
        }
        if (pass->budget <= 0) {
            break;
        }
        err = read_row(pass,
                       "SELECT previous, stdout_bytes, stderr_bytes FROM attempt WHERE fence = ?",
                       fence, 0, columns, 3);
        if (err != ERR_NONE && err != ERR_NOT_FOUND) {
            return err;
        }
        if (columns[1] > STORE_OUTPUT_INLINE_MAX || columns[2] > STORE_OUTPUT_INLINE_MAX) {
            /* Before the commit, so that none is left behind: nobody can see it any more, and should
               the transaction be lost it is removed again. */
            output_file_remove(pass->self->data_dir, (uint64_t)fence);
        }
        err = run(pass, "DELETE FROM output WHERE fence = ?", fence, 0);
        if (err == ERR_NONE && (uint64_t)fence == pass->self->fence) {
            err = meta_save_fence(pass->self->db, fence, pass->reason);
        }
        if (err == ERR_NONE) {
            err = run(pass, "DELETE FROM attempt WHERE fence = ?", fence, 0);
        }
        if (err != ERR_NONE) {
            return err;
        }
        pass->budget -= 2;
        fence = columns[0];
    }
    return fence == 0 ? ERR_NONE : run(pass, save, task_id, fence);
}

static enum err drop_task(struct pass *pass, int64_t task_id, int64_t fence)
{
    enum err err =
        drop_attempts(pass, task_id, fence, "UPDATE task_row SET fence = ?2 WHERE id = ?1");
    if (err != ERR_NONE || pass->budget <= 0) {
        return err;
    }
    err = run(pass, "DELETE FROM task_text WHERE id = ?", task_id, 0);
    if (err == ERR_NONE) {
        err = run(pass, "DELETE FROM task_stamp WHERE id = ?", task_id, 0);
    }
    if (err == ERR_NONE) {
        err = run(pass, "DELETE FROM task_row WHERE id = ?", task_id, 0);
    }
    pass->budget -= 2;
    return err;
}

static enum err drop_removed_task(struct pass *pass, int64_t task_id, int64_t fence)
{
    enum err err =
        drop_attempts(pass, task_id, fence, "UPDATE task_removed SET fence = ?2 WHERE id = ?1");
    if (err != ERR_NONE || pass->budget <= 0) {
        return err;
    }
    pass->budget--;
    return run(pass, "DELETE FROM task_removed WHERE id = ?", task_id, 0);
}

static enum err drop_edge(struct pass *pass, int64_t edge_id, int64_t unused)
{
    (void)unused;
    pass->budget--;
    enum err err = run(pass, "DELETE FROM edge_text WHERE id = ?", edge_id, 0);
    if (err == ERR_NONE) {
        err = run(pass, "DELETE FROM edge_row WHERE id = ?", edge_id, 0);
    }
    return err;
}

static enum err drop_hold_row(struct pass *pass, int64_t hold_id, const char *drop)
{
    enum err err = run(pass,
                       "DELETE FROM hold_task WHERE hold_id = ?1 AND task_id IN"
                       " (SELECT task_id FROM hold_task WHERE hold_id = ?1 LIMIT ?2)",
                       hold_id, pass->budget);
    pass->budget -= err == ERR_NONE ? sqlite3_changes(pass->self->db) : 0;
    if (err == ERR_NONE && pass->budget > 0) {
        err = run(pass, drop, hold_id, 0);
        pass->budget--;
    }
    return err;
}

static enum err drop_hold(struct pass *pass, int64_t hold_id, int64_t unused)
{
    (void)unused;
    return drop_hold_row(pass, hold_id, "DELETE FROM hold WHERE id = ?");
}

/* What it costs to give back the pages of a long text. */
enum { TEXT_BYTES_A_ROW = 16 * 1024 };

#define REVISIONS_OF(id) "BETWEEN (" id " << 32) AND (" id " << 32) + 4294967295"

/* One that was made in parts has its text in pieces: see piece_id(). What the last of a constellation
   says of its plan goes to its row. */
static enum err drop_revision_row(struct pass *pass, int64_t row_id, int64_t bytes, int64_t bulk_id)
{
    pass->budget -= 1 + bytes / TEXT_BYTES_A_ROW;
    enum err err = run(pass,
                       "UPDATE constellation_row SET revision = v.id & 4294967295, tasks = v.tasks,"
                       " edges = v.edges FROM revision v WHERE v.id = ?1"
                       " AND constellation_row.id = ?1 >> 32"
                       " AND constellation_row.revision < (?1 & 4294967295) AND NOT EXISTS"
                       " (SELECT 1 FROM revision WHERE id > ?1 AND id <= (?1 | 4294967295))",
                       row_id, 0);
    if (err == ERR_NONE && bulk_id != 0) {
        err = run(pass,
                  "INSERT OR REPLACE INTO piece_doomed(first, last)"
                  " VALUES((?1 << 26) + (1 << 24), ((?1 + 1) << 26) - 1)",
                  bulk_id, 0);
    }
    return err != ERR_NONE ? err : run(pass, "DELETE FROM revision WHERE id = ?", row_id, 0);
}

/* Says which is the oldest that is left. */
static enum err settle_edited(struct pass *pass, int64_t constellation_id)
{
    enum err err =
        run(pass,
            "UPDATE edited SET oldest_wall_ms = r.wall_ms FROM (SELECT wall_ms FROM revision"
            " WHERE id " REVISIONS_OF("?1") " ORDER BY id LIMIT 1) r WHERE edited.id = ?1",
            constellation_id, 0);
    pass->budget--;
    if (err == ERR_NONE && sqlite3_changes(pass->self->db) == 0) {
        err = run(pass, "DELETE FROM edited WHERE id = ?", constellation_id, 0);
    }
    return err;
}

/* The oldest revisions of a constellation, up to the first that is neither too old nor too many. */
static enum err drop_revisions_of(struct pass *pass, int64_t constellation_id,
                                  int64_t keep_after_ms, int64_t keep_from)
{
    _Static_assert(REVISION_NUMBER_BITS == 32, "see the SQL");
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pass->budget > 0) {
        int64_t row[4] = { 0 };
        err = read_row(pass,
                       "SELECT id, wall_ms, bytes, bulk_id FROM revision WHERE id " REVISIONS_OF(
                           "?1") " ORDER BY id LIMIT 1",
                       constellation_id, 0, row, 4);
        if (err != ERR_NONE || (row[1] >= keep_after_ms && (uint32_t)row[0] >= keep_from)) {
            break;
        }
        err = drop_revision_row(pass, row[0], row[2], row[3]);
    }
    return err == ERR_NONE || err == ERR_NOT_FOUND ? settle_edited(pass, constellation_id) : err;
}

static enum err drop_edited(struct pass *pass, int64_t constellation_id, int64_t unused)
{
    (void)unused;
    return drop_revisions_of(pass, constellation_id, INT64_MAX, INT64_MAX);
}

static enum err drop_text(struct pass *pass, int64_t id, int64_t bytes)
{
    pass->budget -= 1 + bytes / TEXT_BYTES_A_ROW;
    return run(pass, "DELETE FROM constellation_text WHERE id = ?", id, 0);
}

/* Rows of a constellation that has been deleted, in a range of ids. */
struct ranged {
    const char *first; /* the first row of a range: id, a number that `drop` takes, constellation */
    enum err (*drop)(struct pass *pass, int64_t id, int64_t number);
    const char *go_on; /* writes where the next slice goes on in the range of its submission */
    const char *first_block; /* of those that edits have added: see late.h */
    const char *drop_block;
};

/* ERR_NOT_FOUND: all of them are gone. Else *ret_from is where the next slice goes on. */
static enum err drop_rows(struct pass *pass, const struct ranged *rows, int64_t constellation_id,
                          int64_t from, int64_t to, int64_t *ret_from)
{
    while (pass->budget > 0) {
        int64_t columns[3] = { 0 };
        enum err err = read_row(pass, rows->first, from, to, columns, 3);
        if (err != ERR_NONE) {
            return err;
        }
        *ret_from = columns[0];
        if (columns[2] == constellation_id) {
            err = rows->drop(pass, columns[0], columns[1]);
            if (err != ERR_NONE || pass->budget <= 0) {
                return err;
            }
        } else {
            pass->budget--; /* a neighbour that was submitted at the same time */
        }
        from = columns[0] + 1;
        *ret_from = from;
    }
    return ERR_NONE;
}

static enum err drop_range(struct pass *pass, const struct ranged *rows, int64_t constellation_id,
                           int64_t from, int64_t to)
{
    int64_t next = from;
    enum err err = drop_rows(pass, rows, constellation_id, from, to, &next);
    return err == ERR_NONE && next > from ? run(pass, rows->go_on, constellation_id, next) : err;
}

static enum err drop_late(struct pass *pass, const struct ranged *rows, int64_t constellation_id)
{
    _Static_assert(LATE_BLOCK == 32, "see the SQL");
    while (pass->budget > 0) {
        int64_t first = 0;
        int64_t next = 0;
        enum err err = read_row(pass, rows->first_block, constellation_id, 0, &first, 1);
        if (err == ERR_NONE) {
            err = drop_rows(pass, rows, constellation_id, first, first + LATE_BLOCK - 1, &next);
            if (err == ERR_NOT_FOUND) {
                err = run(pass, rows->drop_block, constellation_id, first);
                pass->budget--;
            }
        }
        if (err != ERR_NONE) {
            return err; /* ERR_NOT_FOUND: all of them are gone */
        }
    }
    return ERR_NONE;
}

/* What an index finds: the first row's id, and a number that `drop` takes. */
struct listed {
    const char *first;
    enum err (*drop)(struct pass *pass, int64_t id, int64_t number);
};

static enum err drop_listed(struct pass *pass, const struct listed *rows, int64_t constellation_id)
{
    while (pass->budget > 0) {
        int64_t columns[2] = { 0 };
        enum err err = read_row(pass, rows->first, constellation_id, 0, columns, 2);
        if (err != ERR_NONE) {
            return err;
        }
        err = rows->drop(pass, columns[0], columns[1]);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}

static const struct ranged task_range = {
    "SELECT id, fence, constellation_id FROM task_row WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1",
    drop_task, "UPDATE doomed SET first_task_id = ?2 WHERE id = ?1",
    "SELECT first_id FROM late_task WHERE constellation_id = ? ORDER BY first_id LIMIT 1",
    "DELETE FROM late_task WHERE constellation_id = ? AND first_id = ?"
};
static const struct ranged edge_range = {
    "SELECT id, 0, constellation_id FROM edge_row WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1",
    drop_edge, "UPDATE doomed SET first_edge_id = ?2 WHERE id = ?1",
    "SELECT first_id FROM late_edge WHERE constellation_id = ? ORDER BY first_id LIMIT 1",
    "DELETE FROM late_edge WHERE constellation_id = ? AND first_id = ?"
};
static const struct listed lists[] = {
    { "SELECT id, fence FROM task_removed WHERE constellation_id = ? LIMIT 1", drop_removed_task },
    { "SELECT id, 0 FROM hold WHERE constellation_id = ? LIMIT 1", drop_hold },
    { "SELECT id, 0 FROM edited WHERE id = ? LIMIT 1", drop_edited },
    { "SELECT id, length(source) FROM constellation_text WHERE id = ? LIMIT 1", drop_text },
};

/* ERR_NOT_FOUND: nothing is doomed. */
static enum err drop_doomed(struct pass *pass)
{
    int64_t row[5] = { 0 };
    enum err err = read_row(pass,
                            "SELECT id, first_task_id, last_task_id, first_edge_id, last_edge_id"
                            " FROM doomed ORDER BY id LIMIT 1",
                            0, 0, row, 5);
    if (err != ERR_NONE) {
        return err;
    }
    err = drop_range(pass, &task_range, row[0], row[1], row[2]);
    if (err == ERR_NOT_FOUND) {
        err = drop_range(pass, &edge_range, row[0], row[3], row[4]);
    }
    if (err == ERR_NOT_FOUND) {
        err = drop_late(pass, &task_range, row[0]);
    }
    if (err == ERR_NOT_FOUND) {
        err = drop_late(pass, &edge_range, row[0]);
    }
    for (size_t i = 0; err == ERR_NOT_FOUND && i < sizeof lists / sizeof lists[0]; i++) {
        err = drop_listed(pass, &lists[i], row[0]);
    }
    if (err == ERR_NOT_FOUND) {
        pass->budget--;
        err = run(pass, "DELETE FROM constellation_limit WHERE constellation_id = ?", row[0], 0);
        if (err == ERR_NONE) {
            err = run(pass, "DELETE FROM doomed WHERE id = ?", row[0], 0);
        }
    }
    return err;
}

/* Classes and policies are kept for the display of those that used them. */
static enum err drop_retired(struct pass *pass)
{
    static const char *const drops[] = {
        "DELETE FROM class WHERE id IN (SELECT id FROM class WHERE retired BETWEEN ?1 AND"
        " (SELECT coalesce(min(id), 9e18) FROM constellation_row) LIMIT ?2)",
        "DELETE FROM policy WHERE id IN (SELECT id FROM policy WHERE retired BETWEEN ?1 AND"
        " (SELECT coalesce(min(id), 9e18) FROM constellation_row) LIMIT ?2)",
    };
    enum err err = ERR_NONE;
    for (size_t i = 0; i < sizeof drops / sizeof drops[0]; i++) {
        if (err == ERR_NONE && pass->budget > 0) {
            err = run(pass, drops[i], 1, pass->budget);
            pass->budget -= err == ERR_NONE ? sqlite3_changes(pass->self->db) : 0;
        }
    }
    return err;
}

/* At most DOOM_MAX of those that a query names. */
static enum err doom_all(struct pass *pass, const char *sql, int64_t limit)
{
    int64_t ids[DOOM_MAX];
    size_t count = 0;
    sqlite3_stmt *statement = store_sqlite_statement(pass->store, sql, pass->reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, limit);
    sqlite3_bind_int64(statement, 2, DOOM_MAX);
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && count < DOOM_MAX) {
        ids[count++] = sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    enum err err = sqlite_err(rc);
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        err = store_delete_constellation(pass->store, ids[i], pass->reason);
    }
    return err;
}

static enum err doom_finished(struct pass *pass, int64_t now_wall_ms,
                              const struct retention_policy *policy)
{
    enum err err = ERR_NONE;
    if (policy->finished_keep_ms > 0) {
        err = doom_all(pass,
                       "SELECT id FROM constellation_row WHERE state > 3 AND finished_wall_ms < ?1"
                       " LIMIT ?2",
                       now_wall_ms - policy->finished_keep_ms);
    }
    if (err == ERR_NONE && policy->finished_max > 0) {
        err = doom_all(pass,
                       "SELECT id FROM constellation_row WHERE state > 3"
                       " ORDER BY finished_wall_ms DESC, id DESC LIMIT ?2 OFFSET ?1",
                       policy->finished_max);
    }
    return err;
}

/* Removed tasks that never ran: no event names them once that of their removal, which is about to go, has
   gone. */
static enum err drop_forgotten(struct pass *pass, int64_t constellation_id, int64_t seq)
{
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pass->budget > 0) {
        int64_t row[1] = { 0 };
        err = read_row(pass,
                       "SELECT id FROM task_removed WHERE constellation_id = ? AND fence = 0"
                       " AND seq < ? LIMIT 1",
                       constellation_id, seq, row, 1);
        if (err == ERR_NONE) {
            err = run(pass, "DELETE FROM task_removed WHERE id = ?", row[0], 0);
            pass->budget--;
        }
    }
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err drop_events(struct pass *pass, int64_t now_wall_ms,
                            const struct retention_policy *policy)
{
    const int64_t keep_after_ms =
        policy->events_keep_ms > 0 ? now_wall_ms - policy->events_keep_ms : INT64_MIN;
    const int64_t keep_from =
        policy->events_max > 0 ? pass->self->seq - policy->events_max + 1 : INT64_MIN;
    while (pass->budget > 0) {
        int64_t row[4] = { 0 };
        /* The newest stays whatever its age: the numbering goes on from it. */
        enum err err = read_row(pass,
                                "SELECT seq, wall_ms, kind, constellation_id FROM event"
                                " WHERE seq < (SELECT max(seq) FROM event) ORDER BY seq LIMIT 1",
                                0, 0, row, 4);
        if (err != ERR_NONE) {
            return err == ERR_NOT_FOUND ? ERR_NONE : err;
        }
        if (row[1] >= keep_after_ms && row[0] >= keep_from) {
            return ERR_NONE;
        }
        if (row[2] == HISTORY_CONSTELLATION_EDITED) {
            err = drop_forgotten(pass, row[3], row[0]);
        }
        if (err == ERR_NONE && pass->budget > 0) {
            err = run(pass, "DELETE FROM event WHERE seq = ?", row[0], 0);
            pass->budget--;
        }
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}

/* The plan stays whatever of its revisions goes. */
static enum err drop_revisions(struct pass *pass, int64_t now_wall_ms,
                               const struct retention_policy *policy)
{
    _Static_assert(REVISION_BLOCK == 128, "see the SQL");
    static const char too_old[] = "SELECT id FROM edited WHERE oldest_wall_ms < ?1"
                                  " ORDER BY oldest_wall_ms LIMIT 1";
    static const char too_many[] = "SELECT e.id, c.revision - ?1 + 1 FROM edited e"
                                   " CROSS JOIN constellation c ON c.id = e.id AND c.revision > ?1"
                                   " WHERE e.blocks >= ?1 / 128 AND EXISTS (SELECT 1 FROM revision"
                                   " WHERE id BETWEEN (e.id << 32)"
                                   " AND (e.id << 32) + c.revision - ?1) LIMIT 1";
    const int64_t keep_after_ms =
        policy->revisions_keep_ms > 0 ? now_wall_ms - policy->revisions_keep_ms : INT64_MIN;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pass->budget > 0) {
        int64_t row[2] = { 0 };
        err = read_row(pass, too_old, keep_after_ms, 0, row, 1);
        if (err == ERR_NOT_FOUND && policy->revisions_max > 0) {
            err = read_row(pass, too_many, policy->revisions_max, 0, row, 2);
        }
        if (err == ERR_NONE) {
            err = drop_revisions_of(pass, row[0], keep_after_ms, row[1]);
        }
    }
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

/* Pieces that nobody needs any more. */
static enum err drop_pieces(struct pass *pass)
{
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pass->budget > 0) {
        int64_t range[2] = { 0 };
        int64_t piece[2] = { 0 };
        err = read_row(pass, "SELECT first, last FROM piece_doomed LIMIT 1", 0, 0, range, 2);
        if (err != ERR_NONE) {
            break;
        }
        err = read_row(pass,
                       "SELECT id, length(body) FROM piece WHERE id BETWEEN ? AND ? ORDER BY id"
                       " LIMIT 1",
                       range[0], range[1], piece, 2);
        if (err == ERR_NONE) {
            err = run(pass, "DELETE FROM piece WHERE id = ?", piece[0], 0);
            pass->budget -= 1 + piece[1] / TEXT_BYTES_A_ROW;
        } else if (err == ERR_NOT_FOUND) {
            err = run(pass, "DELETE FROM piece_doomed WHERE first = ?", range[0], 0);
            pass->budget--;
        }
    }
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

/* What holds named that have ended. */
static enum err drop_named(struct pass *pass)
{
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pass->budget > 0) {
        int64_t row[1] = { 0 };
        err = read_row(pass, "SELECT id FROM hold_doomed LIMIT 1", 0, 0, row, 1);
        if (err == ERR_NONE) {
            err = drop_hold_row(pass, row[0], "DELETE FROM hold_doomed WHERE id = ?");
        }
    }
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

/* What was answered long ago to whoever might ask the same again: the oldest first. */
static enum err drop_answers(struct pass *pass, int64_t keep_after_ms)
{
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pass->budget > 0) {
        int64_t row[2] = { 0 };
        err =
            read_row(pass, "SELECT rowid, created_wall_ms FROM idempotency ORDER BY rowid LIMIT 1",
                     0, 0, row, 2);
        if (err == ERR_NONE && row[1] >= keep_after_ms) {
            break;
        }
        if (err == ERR_NONE) {
            err = run(pass, "DELETE FROM idempotency WHERE rowid = ?", row[0], 0);
            pass->budget--;
        }
    }
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err retain(struct pass *pass, int64_t now_wall_ms,
                       const struct retention_policy *policy)
{
    enum err err = ERR_NONE;
    /* What was doomed in this very turn may yet be rolled back: its files must stay. */
    while (err == ERR_NONE && pass->budget > 0 && !pass->self->doomed) {
        err = drop_doomed(pass);
        pass->self->retired_due = pass->self->retired_due || err == ERR_NONE;
    }
    err = err == ERR_NOT_FOUND ? ERR_NONE : err;
    if (err == ERR_NONE && pass->self->retired_due && pass->budget > 0) {
        err = drop_retired(pass);
        pass->self->retired_due = pass->budget <= 0;
    }
    if (err == ERR_NONE && pass->budget > 0) {
        err = doom_finished(pass, now_wall_ms, policy);
    }
    if (err == ERR_NONE) {
        err = drop_events(pass, now_wall_ms, policy);
    }
    if (err == ERR_NONE) {
        err = drop_revisions(pass, now_wall_ms, policy);
    }
    if (err == ERR_NONE && pass->budget > 0) {
        err = drop_pieces(pass);
    }
    if (err == ERR_NONE && pass->budget > 0) {
        err = drop_named(pass);
    }
    if (err == ERR_NONE && policy->idempotency_keep_ms > 0) {
        err = drop_answers(pass, now_wall_ms - policy->idempotency_keep_ms);
    }
    return err;
}

enum err store_retain(struct store *store, int64_t now_wall_ms,
                      const struct retention_policy *policy, bool *ret_more, struct reason *reason)
{
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    int backup_fd = -1;
    err = data_dir_lock_backup(store_sqlite_data_dir(store), true, &backup_fd, reason);
    if (err == ERR_BUSY) {
        *ret_more = false;
        return ERR_NONE;
    }
    if (err != ERR_NONE) {
        return err;
    }
    struct pass pass = {
        .store = store, .self = sqlite_of(store), .budget = RETENTION_SLICE, .reason = reason
    };
    err = retain(&pass, now_wall_ms, policy);
    close(backup_fd);
    if (err != ERR_NONE) {
        store->dead = true;
        return err;
    }
    *ret_more = pass.budget <= 0 || pass.self->doomed;
    return ERR_NONE;
}
