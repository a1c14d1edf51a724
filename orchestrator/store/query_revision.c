/* See query_revision.h. */
#include "orchestrator/store/query_revision.h"

#include "orchestrator/store/query_step.h"

#define COLUMNS "number, base, wall_ms, author_kind, author, reason, bytes"

static void read_row(sqlite3_stmt *row, int64_t constellation_id, bool with_text,
                     struct arena *arena, struct revision_record *to)
{
    *to = (struct revision_record){
        .constellation_id = constellation_id,
        .number = (uint32_t)sqlite3_column_int64(row, 0),
        .base = (uint32_t)sqlite3_column_int64(row, 1),
        .wall_ms = sqlite3_column_int64(row, 2),
        .author_kind = (enum author_kind)sqlite3_column_int(row, 3),
        .author = sqlite_column_copy(row, 4, arena),
        .reason = sqlite_column_copy(row, 5, arena),
    };
    if (with_text) {
        to->operations = sqlite_column_copy(row, 7, arena);
        to->inverse = sqlite_column_copy(row, 8, arena);
    }
}

enum err query_revision(struct store *store, int64_t constellation_id, uint32_t number,
                        struct arena *arena, struct revision_record *ret_revision,
                        struct reason *reason)
{
    const struct query_revision_list wanted = {
        .first = number, .last = number, .with_text = true, .limit = 1
    };
    struct query_revisions found;
    enum err err = query_revision_list(store, constellation_id, &wanted, arena, &found, reason);
    if (err == ERR_NONE && found.count == 0) {
        err = reason_set(reason, ERR_NOT_FOUND, "no such revision is kept");
    }
    if (err == ERR_NONE) {
        *ret_revision = found.list[0];
    }
    return err;
}

enum err query_revision_list(struct store *store, int64_t constellation_id,
                             const struct query_revision_list *wanted, struct arena *arena,
                             struct query_revisions *ret_list, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        wanted->with_text ? "SELECT " COLUMNS
                            ", operations, inverse FROM revision WHERE constellation_id = ?1"
                            " AND number BETWEEN ?2 AND ?3 ORDER BY number DESC"
                          : "SELECT " COLUMNS " FROM revision WHERE constellation_id = ?1"
                            " AND number BETWEEN ?2 AND ?3 ORDER BY number DESC",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, constellation_id);
    sqlite3_bind_int64(row, 2, wanted->first);
    sqlite3_bind_int64(row, 3, wanted->last);
    struct query_revisions list = {
        .list = arena_array(arena, wanted->limit, sizeof(struct revision_record)),
    };
    size_t bytes = 0;
    enum err err = ERR_NONE;
    while (query_step(store, row, &err, reason)) {
        bytes += wanted->with_text ? (size_t)sqlite3_column_int64(row, 6) : 0;
        bool too_much = wanted->bytes_max != 0 && list.count > 0 && bytes > wanted->bytes_max;
        if (list.count == wanted->limit || too_much) {
            list.next = (uint32_t)sqlite3_column_int64(row, 0);
            break;
        }
        read_row(row, constellation_id, wanted->with_text, arena, &list.list[list.count++]);
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_list = list;
    }
    return err;
}
