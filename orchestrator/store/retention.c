/* Deleting in slices: what is too old, or too many. */
#include "orchestrator/store/retention.h"

#include <unistd.h>

#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/retention_pass.h"

enum { DOOM_MAX = 64 }; /* constellations that one call makes invisible, by each rule */

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
            err = pass_run(pass, drops[i], 1, pass->budget);
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
        err = pass_read_row(pass,
                            "SELECT id FROM task_removed WHERE constellation_id = ? AND fence = 0"
                            " AND seq < ? LIMIT 1",
                            constellation_id, seq, row, 1);
        if (err == ERR_NONE) {
            err = pass_run(pass, "DELETE FROM task_removed WHERE id = ?", row[0], 0);
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
        enum err err =
            pass_read_row(pass,
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
            err = pass_run(pass, "DELETE FROM event WHERE seq = ?", row[0], 0);
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
        err = pass_read_row(pass, too_old, keep_after_ms, 0, row, 1);
        if (err == ERR_NOT_FOUND && policy->revisions_max > 0) {
            err = pass_read_row(pass, too_many, policy->revisions_max, 0, row, 2);
        }
        if (err == ERR_NONE) {
            err = pass_drop_revisions(pass, row[0], keep_after_ms, row[1]);
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
        err = pass_read_row(pass, "SELECT first, last FROM piece_doomed LIMIT 1", 0, 0, range, 2);
        if (err != ERR_NONE) {
            break;
        }
        err =
            pass_read_row(pass,
                          "SELECT id, length(body) FROM piece WHERE id BETWEEN ? AND ? ORDER BY id"
                          " LIMIT 1",
                          range[0], range[1], piece, 2);
        if (err == ERR_NONE) {
            err = pass_run(pass, "DELETE FROM piece WHERE id = ?", piece[0], 0);
            pass->budget -= 1 + piece[1] / TEXT_BYTES_A_ROW;
        } else if (err == ERR_NOT_FOUND) {
            err = pass_run(pass, "DELETE FROM piece_doomed WHERE first = ?", range[0], 0);
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
        err = pass_read_row(pass, "SELECT id FROM hold_doomed LIMIT 1", 0, 0, row, 1);
        if (err == ERR_NONE) {
            err = pass_drop_hold_row(pass, row[0], "DELETE FROM hold_doomed WHERE id = ?");
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
        err = pass_read_row(pass,
                            "SELECT rowid, created_wall_ms FROM idempotency ORDER BY rowid LIMIT 1",
                            0, 0, row, 2);
        if (err == ERR_NONE && row[1] >= keep_after_ms) {
            break;
        }
        if (err == ERR_NONE) {
            err = pass_run(pass, "DELETE FROM idempotency WHERE rowid = ?", row[0], 0);
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
        err = pass_drop_doomed(pass);
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
