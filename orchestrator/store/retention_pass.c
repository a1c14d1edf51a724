/* See retention_pass.h. */
#include "orchestrator/store/retention_pass.h"

enum err pass_run(struct pass *pass, const char *sql, int64_t first, int64_t second)
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

enum err pass_read_row(struct pass *pass, const char *sql, int64_t first, int64_t second,
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

enum err pass_drop_hold_row(struct pass *pass, int64_t hold_id, const char *drop)
{
    enum err err = pass_run(pass,
                            "DELETE FROM hold_task WHERE hold_id = ?1 AND task_id IN"
                            " (SELECT task_id FROM hold_task WHERE hold_id = ?1 LIMIT ?2)",
                            hold_id, pass->budget);
    pass->budget -= err == ERR_NONE ? sqlite3_changes(pass->self->db) : 0;
    if (err == ERR_NONE && pass->budget > 0) {
        err = pass_run(pass, drop, hold_id, 0);
        pass->budget--;
    }
    return err;
}

#define REVISIONS_OF(id) "BETWEEN (" id " << 32) AND (" id " << 32) + 4294967295"

/* One that was made in parts has its text in pieces: see piece_id(). What the last of a constellation
   says of its plan goes to its row. */
static enum err drop_revision_row(struct pass *pass, int64_t row_id, int64_t bytes, int64_t bulk_id)
{
    pass->budget -= 1 + bytes / TEXT_BYTES_A_ROW;
    enum err err =
        pass_run(pass,
                 "UPDATE constellation_row SET revision = v.id & 4294967295, tasks = v.tasks,"
                 " edges = v.edges FROM revision v WHERE v.id = ?1"
                 " AND constellation_row.id = ?1 >> 32"
                 " AND constellation_row.revision < (?1 & 4294967295) AND NOT EXISTS"
                 " (SELECT 1 FROM revision WHERE id > ?1 AND id <= (?1 | 4294967295))",
                 row_id, 0);
    if (err == ERR_NONE && bulk_id != 0) {
        err = pass_run(pass,
                       "INSERT OR REPLACE INTO piece_doomed(first, last)"
                       " VALUES((?1 << 26) + (1 << 24), ((?1 + 1) << 26) - 1)",
                       bulk_id, 0);
    }
    return err != ERR_NONE ? err : pass_run(pass, "DELETE FROM revision WHERE id = ?", row_id, 0);
}

/* Says which is the oldest that is left. */
static enum err settle_edited(struct pass *pass, int64_t constellation_id)
{
    enum err err =
        pass_run(pass,
                 "UPDATE edited SET oldest_wall_ms = r.wall_ms FROM (SELECT wall_ms FROM revision"
                 " WHERE id " REVISIONS_OF("?1") " ORDER BY id LIMIT 1) r WHERE edited.id = ?1",
                 constellation_id, 0);
    pass->budget--;
    if (err == ERR_NONE && sqlite3_changes(pass->self->db) == 0) {
        err = pass_run(pass, "DELETE FROM edited WHERE id = ?", constellation_id, 0);
    }
    return err;
}

enum err pass_drop_revisions(struct pass *pass, int64_t constellation_id, int64_t keep_after_ms,
                             int64_t keep_from)
{
    _Static_assert(REVISION_NUMBER_BITS == 32, "see the SQL");
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pass->budget > 0) {
        int64_t row[4] = { 0 };
        err =
            pass_read_row(pass,
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
