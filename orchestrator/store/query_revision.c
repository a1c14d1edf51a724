/* See query_revision.h. */
#include "orchestrator/store/query_revision.h"

#include "common/base/buf.h"
#include "orchestrator/store/query_step.h"
#include "orchestrator/store/store.h"
#include "orchestrator/store/store_ops.h"

#define COLUMNS "id & 4294967295, base, wall_ms, author_kind, author, reason, bytes, bulk_id"

/* Of one that was made in parts. */
static enum err read_pieces(struct store *store, int64_t bulk_id, enum piece_kind kind,
                            struct arena *arena, struct str *ret_text, struct reason *reason)
{
    struct buf text = { 0 };
    struct arena piece = { 0 };
    enum err err = ERR_NONE;
    for (uint32_t number = 0; err == ERR_NONE; number++) {
        struct str body;
        err = store_read_piece(store, bulk_id, kind, number, &piece, &body);
        if (err == ERR_NONE) {
            buf_append(&text, body.data, body.length);
        }
        arena_clear(&piece);
    }
    if (err == ERR_NOT_FOUND) {
        *ret_text = arena_str(arena, (struct str){ (const char *)text.data, text.length });
        err = ERR_NONE;
    } else {
        reason_set(reason, err, "the text of a revision cannot be read");
    }
    arena_done(&piece);
    buf_done(&text);
    return err;
}

static enum err read_row(struct store *store, sqlite3_stmt *row, int64_t constellation_id,
                         bool with_text, struct arena *arena, struct revision_record *to,
                         struct reason *reason)
{
    *to = (struct revision_record){
        .constellation_id = constellation_id,
        .number = (uint32_t)sqlite3_column_int64(row, 0),
        .base = (uint32_t)sqlite3_column_int64(row, 1),
        .wall_ms = sqlite3_column_int64(row, 2),
        .author_kind = (enum author_kind)sqlite3_column_int(row, 3),
        .author = sqlite_column_copy(row, 4, arena),
        .reason = sqlite_column_copy(row, 5, arena),
        .bulk_id = sqlite3_column_int64(row, 7),
    };
    if (!with_text) {
        return ERR_NONE;
    }
    to->operations = sqlite_column_copy(row, 8, arena);
    to->inverse = sqlite_column_copy(row, 9, arena);
    enum err err = ERR_NONE;
    if (to->bulk_id != 0) {
        err = read_pieces(store, to->bulk_id, PIECE_OPERATIONS, arena, &to->operations, reason);
    }
    if (err == ERR_NONE && to->bulk_id != 0) {
        err = read_pieces(store, to->bulk_id, PIECE_INVERSE, arena, &to->inverse, reason);
    }
    return err;
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
                            ", operations, inverse FROM revision WHERE id BETWEEN ?1 AND ?2"
                            " ORDER BY id DESC"
                          : "SELECT " COLUMNS " FROM revision WHERE id BETWEEN ?1 AND ?2"
                            " ORDER BY id DESC",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, revision_id(constellation_id, wanted->first));
    sqlite3_bind_int64(row, 2, revision_id(constellation_id, wanted->last));
    struct query_revisions list = {
        .list = arena_array(arena, wanted->limit, sizeof(struct revision_record)),
    };
    size_t bytes = 0;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && query_step(store, row, &err, reason)) {
        bytes += wanted->with_text ? (size_t)sqlite3_column_int64(row, 6) : 0;
        bool too_much = wanted->bytes_max != 0 && list.count > 0 && bytes > wanted->bytes_max;
        if (list.count == wanted->limit || too_much) {
            list.next = (uint32_t)sqlite3_column_int64(row, 0);
            break;
        }
        err = read_row(store, row, constellation_id, wanted->with_text, arena,
                       &list.list[list.count++], reason);
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_list = list;
    }
    return err;
}

static enum err ask(struct store *store, const char *sql, int64_t constellation_id, uint32_t number,
                    bool *ret_is, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(store, sql, reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, revision_id(constellation_id, number));
    enum err err = ERR_NONE;
    *ret_is = query_step(store, row, &err, reason) && sqlite3_column_int(row, 0) != 0;
    sqlite3_reset(row);
    return err;
}

enum err query_revision_is_empty(struct store *store, int64_t constellation_id, uint32_t number,
                                 bool *ret_empty, struct reason *reason)
{
    return ask(store, "SELECT inverse = '[]' FROM revision WHERE id = ?", constellation_id, number,
               ret_empty, reason);
}

enum err query_revision_is_in_pieces(struct store *store, int64_t constellation_id, uint32_t number,
                                     bool *ret_in_pieces, struct reason *reason)
{
    return ask(store, "SELECT bulk_id <> 0 FROM revision WHERE id = ?", constellation_id, number,
               ret_in_pieces, reason);
}
