/* Constellations that are deleted: gone for every reader at once, and then slice by slice. */
#include "orchestrator/store/late.h"
#include "orchestrator/store/retention.h"
#include "orchestrator/store/retention_pass.h"
#include "orchestrator/store/start.h"

static enum err doom(struct pass *pass, int64_t id)
{
    enum err err = pass_run(pass,
                            "INSERT OR IGNORE INTO doomed SELECT id, first_task_id, last_task_id,"
                            " first_edge_id, last_edge_id FROM constellation_row WHERE id = ?",
                            id, 0);
    if (err == ERR_NONE) {
        err = pass_run(pass, "DELETE FROM constellation_row WHERE id = ?", id, 0);
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
        pass_read_row(&pass,
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
        enum err err = pass_run(pass,
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
        err = pass_read_row(
            pass, "SELECT previous, stdout_bytes, stderr_bytes FROM attempt WHERE fence = ?", fence,
            0, columns, 3);
        if (err != ERR_NONE && err != ERR_NOT_FOUND) {
            return err;
        }
        if (columns[1] > STORE_OUTPUT_INLINE_MAX || columns[2] > STORE_OUTPUT_INLINE_MAX) {
            /* Before the commit, so that none is left behind: nobody can see it any more, and should
               the transaction be lost it is removed again. */
            output_file_remove(pass->self->data_dir, (uint64_t)fence);
        }
        err = pass_run(pass, "DELETE FROM output WHERE fence = ?", fence, 0);
        if (err == ERR_NONE && (uint64_t)fence == pass->self->fence) {
            err = meta_save_fence(pass->self->db, fence, pass->reason);
        }
        if (err == ERR_NONE) {
            err = pass_run(pass, "DELETE FROM attempt WHERE fence = ?", fence, 0);
        }
        if (err != ERR_NONE) {
            return err;
        }
        pass->budget -= 2;
        fence = columns[0];
    }
    return fence == 0 ? ERR_NONE : pass_run(pass, save, task_id, fence);
}

static enum err drop_task(struct pass *pass, int64_t task_id, int64_t fence)
{
    enum err err =
        drop_attempts(pass, task_id, fence, "UPDATE task_row SET fence = ?2 WHERE id = ?1");
    if (err != ERR_NONE || pass->budget <= 0) {
        return err;
    }
    err = pass_run(pass, "DELETE FROM task_text WHERE id = ?", task_id, 0);
    if (err == ERR_NONE) {
        err = pass_run(pass, "DELETE FROM task_stamp WHERE id = ?", task_id, 0);
    }
    if (err == ERR_NONE) {
        err = pass_run(pass, "DELETE FROM task_row WHERE id = ?", task_id, 0);
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
    return pass_run(pass, "DELETE FROM task_removed WHERE id = ?", task_id, 0);
}

static enum err drop_edge(struct pass *pass, int64_t edge_id, int64_t unused)
{
    (void)unused;
    pass->budget--;
    enum err err = pass_run(pass, "DELETE FROM edge_text WHERE id = ?", edge_id, 0);
    if (err == ERR_NONE) {
        err = pass_run(pass, "DELETE FROM edge_row WHERE id = ?", edge_id, 0);
    }
    return err;
}

static enum err drop_hold(struct pass *pass, int64_t hold_id, int64_t unused)
{
    (void)unused;
    return pass_drop_hold_row(pass, hold_id, "DELETE FROM hold WHERE id = ?");
}

static enum err drop_edited(struct pass *pass, int64_t constellation_id, int64_t unused)
{
    (void)unused;
    return pass_drop_revisions(pass, constellation_id, INT64_MAX, INT64_MAX);
}

static enum err drop_text(struct pass *pass, int64_t id, int64_t bytes)
{
    pass->budget -= 1 + bytes / TEXT_BYTES_A_ROW;
    return pass_run(pass, "DELETE FROM constellation_text WHERE id = ?", id, 0);
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
        enum err err = pass_read_row(pass, rows->first, from, to, columns, 3);
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
    return err == ERR_NONE && next > from ? pass_run(pass, rows->go_on, constellation_id, next)
                                          : err;
}

static enum err drop_late(struct pass *pass, const struct ranged *rows, int64_t constellation_id)
{
    _Static_assert(LATE_BLOCK == 32, "see the SQL");
    while (pass->budget > 0) {
        int64_t first = 0;
        int64_t next = 0;
        enum err err = pass_read_row(pass, rows->first_block, constellation_id, 0, &first, 1);
        if (err == ERR_NONE) {
            err = drop_rows(pass, rows, constellation_id, first, first + LATE_BLOCK - 1, &next);
            if (err == ERR_NOT_FOUND) {
                err = pass_run(pass, rows->drop_block, constellation_id, first);
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
        enum err err = pass_read_row(pass, rows->first, constellation_id, 0, columns, 2);
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

enum err pass_drop_doomed(struct pass *pass)
{
    int64_t row[5] = { 0 };
    enum err err =
        pass_read_row(pass,
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
        err =
            pass_run(pass, "DELETE FROM constellation_limit WHERE constellation_id = ?", row[0], 0);
        if (err == ERR_NONE) {
            err = pass_run(pass, "DELETE FROM doomed WHERE id = ?", row[0], 0);
        }
    }
    return err;
}
