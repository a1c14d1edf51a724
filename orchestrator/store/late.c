/* See late.h. */
#include "orchestrator/store/late.h"

#include "orchestrator/store/sqlite_db.h"

_Static_assert(LATE_BLOCK == 32, "see the SQL");

/* Nothing of its constellation is in the block, but for ?1. */
#define IS_EMPTY(blocks, table)                                                                    \
    "NOT EXISTS (SELECT 1 FROM " table " r WHERE r.id BETWEEN " blocks ".first_id AND " blocks     \
    ".first_id + 31 AND +r.constellation_id = " blocks                                             \
    ".constellation_id AND r.late = 1 AND r.id <> ?1)"

/* ?1: the id, ?2: the constellation. */
struct texts {
    const char *add;
    const char *drop_last; /* the one that was the last until another was added */
    const char *drop;
};

#define TEXTS(blocks, table)                                                                       \
    {                                                                                              \
        .add = "INSERT OR IGNORE INTO " blocks "(constellation_id, first_id)"                      \
               " VALUES(?2, ?1 - ?1 % 32)",                                                        \
        .drop_last = "DELETE FROM " blocks " WHERE constellation_id = ?2 AND first_id ="           \
                     " (SELECT max(first_id) FROM " blocks " WHERE constellation_id = ?2"          \
                     " AND first_id < ?1 - ?1 % 32) AND " IS_EMPTY(blocks, table),                 \
        .drop = "DELETE FROM " blocks " WHERE constellation_id ="                                  \
                " (SELECT constellation_id FROM " table " WHERE id = ?1)"                          \
                " AND first_id = ?1 - ?1 % 32 AND EXISTS (SELECT 1 FROM " blocks                   \
                " n WHERE n.constellation_id = " blocks ".constellation_id AND n.first_id > ?1)"   \
                " AND " IS_EMPTY(blocks, table),                                                   \
    }

static const struct texts texts[] = {
    [LATE_TASK] = TEXTS("late_task", "task_row"),
    [LATE_EDGE] = TEXTS("late_edge", "edge_row"),
};

static enum err run(struct store *store, const char *sql, int64_t id, int64_t constellation_id,
                    struct reason *reason)
{
    sqlite3_stmt *statement = store_sqlite_statement(store, sql, reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, id);
    if (sqlite3_bind_parameter_count(statement) > 1) {
        sqlite3_bind_int64(statement, 2, constellation_id);
    }
    return store_sqlite_run(store, statement, reason);
}

enum err late_added(struct store *store, enum late_kind kind, int64_t constellation_id, int64_t id,
                    struct reason *reason)
{
    enum err err = run(store, texts[kind].add, id, constellation_id, reason);
    if (err == ERR_NONE && sqlite3_changes(store_sqlite_handle(store)) > 0) {
        err = run(store, texts[kind].drop_last, id, constellation_id, reason);
    }
    return err;
}

enum err late_goes(struct store *store, enum late_kind kind, int64_t id, struct reason *reason)
{
    return run(store, texts[kind].drop, id, 0, reason);
}
