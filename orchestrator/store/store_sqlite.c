/* The SQLite store's turn. SQLite's transaction is opened at the first write, so that a turn which
   writes nothing costs nothing; one commit makes all of it durable. */
#include "orchestrator/store/store_sqlite.h"

#include <unistd.h>

#include "common/base/mem.h"

static enum err turn_commit(struct store *store, struct reason *reason)
{
    struct store_sqlite *self = sqlite_of(store);
    if (!self->began) {
        return ERR_NONE;
    }
    enum err err = change_spend_ids(self, reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *statement = store_sqlite_statement(store, "COMMIT", reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    err = store_sqlite_run(store, statement, reason);
    if (err != ERR_NONE) {
        return err;
    }
    self->began = false;
    self->doomed = false;
    return checkpointer_committed(self->checkpointer, reason);
}

static enum err turn_sync_output(struct store *store, int64_t boot_ms, bool all,
                                 store_output_durable *durable, void *context,
                                 struct reason *reason)
{
    return output_files_sync(sqlite_of(store)->files, boot_ms, all, durable, context, reason);
}

static int64_t turn_sync_deadline(const struct store *store)
{
    return output_files_deadline(((const struct store_sqlite *)(const void *)store)->files);
}

void sqlite_store_free(struct store *store)
{
    struct store_sqlite *self = sqlite_of(store);
    row_finalize(self);
    size_t at = 0;
    struct str sql;
    void *statement;
    while (strmap_each(&self->statements, &at, &sql, &statement)) {
        sqlite3_finalize(statement);
    }
    strmap_done(&self->statements);
    output_files_free(self->files);
    checkpointer_free(self->checkpointer);
    sqlite3_close(self->db); /* rolls back what is open */
    if (self->lock_fd >= 0) {
        close(self->lock_fd);
    }
    mem_free(self->ranges);
    buf_done(&self->scratch);
    mem_free(self->data_dir);
    mem_free(self);
}

const struct store_ops store_sqlite_ops = {
    .free = sqlite_store_free,
    .load = load_all,
    .wake = wake_constellation,
    .apply = row_apply,
    .applied = row_applied,
    .commit = turn_commit,
    .task_body = read_task_body,
    .put_inputs = row_put_inputs,
    .put_description = change_put_description,
    .put_piece = bulk_put_piece,
    .read_piece = bulk_read_piece,
    .drop_pieces = bulk_drop_pieces,
    .task_outcome = read_task_outcome,
    .outcome = read_outcome,
    .edge_condition = read_edge_condition,
    .sync_output = turn_sync_output,
    .sync_deadline = turn_sync_deadline,
    .read_output = read_output,
    .receipt_is_ahead = receipt_is_ahead,
};
