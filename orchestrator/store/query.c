/* See query.h. */
#include "orchestrator/store/query.h"

#include <string.h>

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/record_row.h"
#include "orchestrator/store/sqlite_db.h"

#define COLUMNS                                                                                    \
    "SELECT " CONSTELLATION_COLUMNS ", c.uid, c.name, c.first_task_id, c.last_task_id,"            \
    " c.first_seq, (SELECT x.description FROM constellation_text x WHERE x.id = c.id)"             \
    " FROM constellation c "

/* State 1 is CONSTELLATION_LOADING: rows are still going in, nobody has been told of it. */
#define VISIBLE "c.state <> 1"

static void read_row(sqlite3_stmt *row, struct arena *arena, enum err *err,
                     struct query_constellation *to)
{
    int at = CONSTELLATION_COLUMNS_COUNT;
    *err = constellation_row_read(row, 0, &to->record);
    to->uid = sqlite_column_copy(row, at, arena);
    to->name = sqlite_column_copy(row, at + 1, arena);
    to->first_task_id = sqlite3_column_int64(row, at + 2);
    to->last_task_id = sqlite3_column_int64(row, at + 3);
    to->first_seq = sqlite3_column_int64(row, at + 4);
    to->description = sqlite_column_copy(row, at + 5, arena);
}

/* The one row of a statement that is bound already. */
static enum err read_one(struct store *store, sqlite3_stmt *row, struct arena *arena,
                         struct query_constellation *ret_constellation, struct reason *reason)
{
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return err != ERR_NONE ? err : reason_set(reason, ERR_NOT_FOUND, "no such constellation");
    }
    read_row(row, arena, &err, ret_constellation);
    sqlite3_reset(row);
    return err;
}

enum err query_constellation(struct store *store, int64_t id, struct arena *arena,
                             struct query_constellation *ret_constellation, struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, COLUMNS "WHERE c.id = ?1 AND " VISIBLE, reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    return read_one(store, row, arena, ret_constellation, reason);
}

static enum err find_last(struct store *store, struct arena *arena,
                          struct query_constellation *ret_constellation, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, COLUMNS "WHERE " VISIBLE " ORDER BY c.id DESC LIMIT 1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    return read_one(store, row, arena, ret_constellation, reason);
}

static enum err find_exact(struct store *store, struct str uid, struct arena *arena,
                           struct query_constellation *ret_constellation, struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, COLUMNS "WHERE c.uid = ?1 AND " VISIBLE, reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite_bind_text(row, 1, uid);
    return read_one(store, row, arena, ret_constellation, reason);
}

static enum err find_prefix(struct store *store, struct str prefix, struct arena *arena,
                            struct query_constellation *ret_constellation,
                            struct query_candidates *ret_candidates, struct reason *reason)
{
    /* A uid is ASCII, so DEL ends the range of those that start so. */
    char end[QUERY_ID_BYTES_MAX + 1];
    memcpy(end, prefix.data, prefix.length);
    end[prefix.length] = 0x7f;
    sqlite3_stmt *row = store_sqlite_statement(
        store, COLUMNS "WHERE c.uid >= ?1 AND c.uid < ?2 AND " VISIBLE " ORDER BY c.uid LIMIT 5",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite_bind_text(row, 1, prefix);
    sqlite_bind_text(row, 2, (struct str){ end, prefix.length + 1 });
    struct query_constellation found = { .first_seq = 0 };
    struct query_candidates candidates = { .count = 0 };
    enum err err = ERR_NONE;
    while (err == ERR_NONE && candidates.count < QUERY_CANDIDATES_MAX &&
           query_step(store, row, &err, reason)) {
        read_row(row, arena, &err, &found);
        candidates.uids[candidates.count++] = found.uid;
    }
    sqlite3_reset(row);
    if (err != ERR_NONE) {
        return err;
    }
    if (candidates.count == 0) {
        return reason_set(reason, ERR_NOT_FOUND, "no constellation \"%.*s\"", STR_ARG(prefix));
    }
    if (candidates.count > 1) {
        *ret_candidates = candidates;
        return reason_set(reason, ERR_CONFLICT, "several constellations start with \"%.*s\"",
                          STR_ARG(prefix));
    }
    *ret_constellation = found;
    return ERR_NONE;
}

enum err query_constellation_find(struct store *store, struct str text, struct arena *arena,
                                  struct query_constellation *ret_constellation,
                                  struct query_candidates *ret_candidates, struct reason *reason)
{
    if (text.length == 0 || text.length > QUERY_ID_BYTES_MAX) {
        return reason_set(reason, ERR_NOT_FOUND, "no constellation has such an id");
    }
    if (str_is(text, "@last")) {
        return find_last(store, arena, ret_constellation, reason);
    }
    enum err err = find_exact(store, text, arena, ret_constellation, reason);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    return find_prefix(store, text, arena, ret_constellation, ret_candidates, reason);
}

enum err query_constellation_uid(struct store *store, int64_t id, struct arena *arena,
                                 struct str *ret_uid, struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, "SELECT uid FROM constellation_row WHERE id = ?1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, id);
    enum err err = ERR_NONE;
    if (!query_step(store, row, &err, reason)) {
        return err != ERR_NONE ? err : reason_set(reason, ERR_NOT_FOUND, "no such constellation");
    }
    *ret_uid = sqlite_column_copy(row, 0, arena);
    sqlite3_reset(row);
    return ERR_NONE;
}

enum err query_newest_uids(struct store *store, size_t limit, struct arena *arena, struct str *uids,
                           size_t *ret_count, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, "SELECT c.uid FROM constellation_row c WHERE " VISIBLE " ORDER BY c.id DESC",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    enum err err = ERR_NONE;
    size_t count = 0;
    while (count < limit && query_step(store, row, &err, reason)) {
        uids[count++] = sqlite_column_copy(row, 0, arena);
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_count = count;
    }
    return err;
}

enum err query_uid_taken(struct store *store, struct str uid, bool *ret_taken,
                         struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, "SELECT 1 FROM constellation_row WHERE uid = ?1", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite_bind_text(row, 1, uid);
    enum err err = ERR_NONE;
    bool taken = query_step(store, row, &err, reason);
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_taken = taken;
    }
    return err;
}

enum err query_constellation_list(struct store *store, const struct query_list *wanted,
                                  struct arena *arena, struct query_constellations *ret_list,
                                  struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, COLUMNS "WHERE c.id < ?1 AND " VISIBLE " ORDER BY c.id DESC", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, wanted->before_id == 0 ? INT64_MAX : wanted->before_id);
    struct query_constellations list = {
        .list = arena_array(arena, wanted->limit, sizeof(struct query_constellation)),
    };
    enum err err = ERR_NONE;
    int64_t last_id = 0;
    for (size_t scanned = 0; err == ERR_NONE && query_step(store, row, &err, reason); scanned++) {
        uint32_t bit = UINT32_C(1) << ((uint32_t)sqlite3_column_int(row, 1) & 31);
        bool fits = wanted->states == 0 || (wanted->states & bit) != 0;
        /* There is more, or it was too far to look: the client goes on from here. */
        if ((fits && list.count == wanted->limit) || scanned == QUERY_SCAN_MAX) {
            list.next_id = last_id;
            break;
        }
        if (fits) {
            read_row(row, arena, &err, &list.list[list.count++]);
        }
        last_id = sqlite3_column_int64(row, 0);
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_list = list;
    }
    return err;
}
