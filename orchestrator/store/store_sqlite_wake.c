/* A constellation that is final comes back into the engine, some rows a turn. Between two turns no read
   stays open: a step and the last id that was handed over say where the next slice goes on. Nothing of it
   changes meanwhile but that it may be deleted: its own row is looked for at each slice. */
#include "orchestrator/store/store_sqlite_load.h"

#include "orchestrator/store/late.h"
#include "orchestrator/store/record_row.h"

/* What a class costs, as a row, for so many devices that it is matched with. */
enum { DEVICES_A_ROW = 16 };

struct waking {
    struct loader loader;
    struct store_wake *wake;
    size_t budget;
    size_t class_cost;
    struct constellation_record record;
    int64_t first_task_id;
    int64_t last_task_id;
    int64_t first_edge_id;
    int64_t last_edge_id;
    struct reason *reason;
};

/* One kind of rows: column 0 is the constellation, column 1 the id by which they are in order. */
struct step {
    const char *sql; /* ?1 constellation, ?2 after this id, ?3 last id, ?4 at most so many */
    enum err (*row)(struct waking *waking, sqlite3_stmt *row);
    enum { ALL, TASK_RANGE, EDGE_RANGE } range; /* of ids: neighbours may stand in between */
};

static void spend(struct waking *waking, size_t cost)
{
    waking->budget -= cost < waking->budget ? cost : waking->budget;
}

/* From now on others may share what it refers to: what was retired at a start is in use again. */
static enum err unretire(struct waking *waking, const char *sql, int64_t id)
{
    struct store *store = &waking->loader.self->store;
    enum err err = store_sqlite_write(store, waking->reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *statement = store_sqlite_statement(store, sql, waking->reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, id);
    return store_sqlite_run(store, statement, waking->reason);
}

/* What a task refers to may have been left out at the start. */
static enum err load_referred(struct waking *waking, const char *sql, const char *unretire_sql,
                              enum err (*load)(struct loader *loader, sqlite3_stmt *row),
                              int columns, int64_t id)
{
    sqlite3_stmt *row = store_sqlite_statement(&waking->loader.self->store, sql, waking->reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    enum err err = sqlite3_step(row) == SQLITE_ROW ? load(&waking->loader, row) : ERR_CORRUPT;
    bool is_retired = err == ERR_NONE && sqlite3_column_int64(row, columns) != 0;
    sqlite3_reset(row);
    /* Of a snapshot nothing is shared. */
    return is_retired && !waking->loader.self->is_snapshot ? unretire(waking, unretire_sql, id)
                                                           : err;
}

static enum err wake_task(struct waking *waking, sqlite3_stmt *row)
{
    struct task_record record;
    enum err err = task_row_read(row, 1, &record);
    if (err == ERR_NONE && !engine_has_class(waking->loader.engine, record.class_id)) {
        spend(waking, waking->class_cost);
        err =
            load_referred(waking, "SELECT " CLASS_COLUMNS ", k.retired FROM class k WHERE k.id = ?",
                          "UPDATE class SET retired = 0 WHERE id = ?", load_class_row,
                          CLASS_COLUMNS_COUNT, record.class_id);
    }
    if (err == ERR_NONE && !engine_has_policy(waking->loader.engine, record.policy_id)) {
        spend(waking, 1);
        err = load_referred(waking,
                            "SELECT " POLICY_COLUMNS ", p.retired FROM policy p WHERE p.id = ?",
                            "UPDATE policy SET retired = 0 WHERE id = ?", load_policy_row,
                            POLICY_COLUMNS_COUNT, record.policy_id);
    }
    if (err == ERR_NONE) {
        engine_load_task(waking->loader.engine, waking->record.id, &record);
    }
    return err;
}

static enum err wake_edge(struct waking *waking, sqlite3_stmt *row)
{
    return load_edge_row(&waking->loader, row);
}

/* Where its task was, in which others may have to follow it; it is over, so its output is left alone. */
static enum err wake_attempt(struct waking *waking, sqlite3_stmt *row)
{
    struct attempt_record record;
    if (sqlite3_column_type(row, 2) == SQLITE_NULL) {
        return ERR_NONE; /* no device has had it */
    }
    enum err err = attempt_row_read(row, 2, &record);
    if (err == ERR_NONE) {
        engine_load_attempt(waking->loader.engine, &record);
    }
    return err;
}

#define TASK_OF       "SELECT t.constellation_id, " TASK_COLUMNS " FROM "
#define EDGE_OF       "SELECT e.constellation_id, " EDGE_COLUMNS " FROM "
#define ATTEMPT_OF    "SELECT t.constellation_id, t.id, " ATTEMPT_COLUMNS " FROM "
#define THE_LATEST    " LEFT JOIN attempt a ON a.fence = t.fence"
#define IN_RANGE(row) " WHERE " row ".id > ?2 AND " row ".id <= ?3 ORDER BY " row ".id LIMIT ?4"
#define IS_LATE(row)  " WHERE b.constellation_id = ?1 ORDER BY b.first_id, " row ".id LIMIT ?4"

static const struct step steps[] = {
    { TASK_OF "task t" IN_RANGE("t"), wake_task, TASK_RANGE },
    { TASK_OF LATE_ROWS("late_task", "task", "t", "?2") IS_LATE("t"), wake_task, ALL },
    { EDGE_OF "edge_row e" IN_RANGE("e"), wake_edge, EDGE_RANGE },
    { EDGE_OF LATE_ROWS("late_edge", "edge_row", "e", "?2") IS_LATE("e"), wake_edge, ALL },
    { ATTEMPT_OF "task_row t" THE_LATEST IN_RANGE("t"), wake_attempt, TASK_RANGE },
    { ATTEMPT_OF LATE_ROWS("late_task", "task_row", "t", "?2") THE_LATEST IS_LATE("t"),
      wake_attempt, ALL },
};

enum { STEPS_COUNT = sizeof steps / sizeof steps[0] };

static void range_of(const struct waking *waking, const struct step *step, int64_t *ret_after,
                     int64_t *ret_last)
{
    int64_t first = step->range == TASK_RANGE   ? waking->first_task_id
                    : step->range == EDGE_RANGE ? waking->first_edge_id
                                                : 1;
    *ret_after = waking->wake->after_id >= first ? waking->wake->after_id : first - 1;
    *ret_last = step->range == TASK_RANGE   ? waking->last_task_id
                : step->range == EDGE_RANGE ? waking->last_edge_id
                                            : INT64_MAX;
}

static enum err run_step(struct waking *waking, const struct step *step)
{
    struct store_wake *wake = waking->wake;
    struct store_sqlite *self = waking->loader.self;
    sqlite3_stmt *statement = store_sqlite_statement(&self->store, step->sql, waking->reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    int64_t after = 0;
    int64_t last = 0;
    size_t limit = waking->budget < INT32_MAX ? waking->budget : INT32_MAX;
    range_of(waking, step, &after, &last);
    sqlite3_bind_int64(statement, 1, wake->constellation_id);
    sqlite3_bind_int64(statement, 2, after);
    sqlite3_bind_int64(statement, 3, last);
    sqlite3_bind_int64(statement, 4, (int64_t)limit);
    enum err err = ERR_NONE;
    size_t count = 0;
    int rc = SQLITE_ROW;
    while (err == ERR_NONE && waking->budget > 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        count++;
        spend(waking, 1);
        wake->after_id = sqlite3_column_int64(statement, 1);
        if (sqlite3_column_int64(statement, 0) == wake->constellation_id) {
            err = step->row(waking, statement);
            arena_clear(&waking->loader.arena);
        }
    }
    sqlite3_reset(statement);
    if (err != ERR_NONE || (rc != SQLITE_ROW && rc != SQLITE_DONE)) {
        return load_damaged(self, err, waking->reason);
    }
    if (rc == SQLITE_DONE && count < limit) {
        wake->step++;
        wake->after_id = 0;
    }
    return ERR_NONE;
}

/* What belongs to the whole of it, and is never much. */
static enum err load_rest(struct waking *waking)
{
    static const struct {
        const char *sql;
        enum err (*row)(struct loader *loader, sqlite3_stmt *row);
    } lists[] = {
        { "SELECT " LIMIT_COLUMNS " FROM constellation_limit l WHERE l.constellation_id = ?"
          " ORDER BY l.number",
          load_limit_row },
        { "SELECT " HOLD_COLUMNS " FROM hold h WHERE h.constellation_id = ? ORDER BY h.id",
          load_hold_row },
    };
    enum err err = ERR_NONE;
    for (size_t i = 0; err == ERR_NONE && i < sizeof lists / sizeof lists[0]; i++) {
        sqlite3_stmt *statement =
            store_sqlite_statement(&waking->loader.self->store, lists[i].sql, waking->reason);
        if (statement == NULL) {
            return ERR_IO;
        }
        sqlite3_bind_int64(statement, 1, waking->record.id);
        int rc = SQLITE_DONE;
        while (err == ERR_NONE && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
            err = lists[i].row(&waking->loader, statement);
            arena_clear(&waking->loader.arena);
            spend(waking, 1);
        }
        sqlite3_reset(statement);
        if (err != ERR_NONE || rc != SQLITE_DONE) {
            err = load_damaged(waking->loader.self, err == ERR_NONE ? ERR_NONE : ERR_CORRUPT,
                               waking->reason);
        }
    }
    waking->wake->has_all_rows = err == ERR_NONE;
    return err;
}

static enum err read_head(struct waking *waking)
{
    sqlite3_stmt *row = store_sqlite_statement(
        &waking->loader.self->store,
        "SELECT " CONSTELLATION_COLUMNS ", c.first_task_id, c.last_task_id, c.first_edge_id,"
        " c.last_edge_id FROM constellation c WHERE c.id = ?",
        waking->reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, waking->wake->constellation_id);
    int rc = sqlite3_step(row);
    enum err err = ERR_NONE;
    if (rc == SQLITE_ROW) {
        err = constellation_row_read(row, 0, &waking->record);
        waking->first_task_id = sqlite3_column_int64(row, CONSTELLATION_COLUMNS_COUNT);
        waking->last_task_id = sqlite3_column_int64(row, CONSTELLATION_COLUMNS_COUNT + 1);
        waking->first_edge_id = sqlite3_column_int64(row, CONSTELLATION_COLUMNS_COUNT + 2);
        waking->last_edge_id = sqlite3_column_int64(row, CONSTELLATION_COLUMNS_COUNT + 3);
    }
    sqlite3_reset(row);
    if (err != ERR_NONE || (rc != SQLITE_ROW && rc != SQLITE_DONE)) {
        return load_damaged(waking->loader.self, err, waking->reason);
    }
    return store_wake_admit(rc == SQLITE_ROW ? &waking->record : NULL, waking->reason);
}

enum err wake_constellation(struct store *store, struct engine *engine, struct store_wake *wake,
                            size_t *budget, struct reason *reason)
{
    struct waking waking = {
        .loader = { .self = sqlite_of(store), .engine = engine },
        .wake = wake,
        .budget = *budget,
        .class_cost = 1 + (size_t)engine_stats(engine).devices / DEVICES_A_ROW,
        .reason = reason,
    };
    enum err err = read_head(&waking);
    if (err == ERR_NONE && !wake->has_begun) {
        err = engine_wake(engine, &waking.record, reason);
        wake->has_begun = err == ERR_NONE;
    }
    while (err == ERR_NONE && waking.budget > 0 && wake->step < STEPS_COUNT) {
        err = run_step(&waking, &steps[wake->step]);
    }
    if (err == ERR_NONE && waking.budget > 0 && !wake->has_all_rows) {
        err = load_rest(&waking);
    }
    arena_done(&waking.loader.arena);
    *budget = waking.budget;
    return err;
}
