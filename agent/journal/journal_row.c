/* The journal's prepared statements: one row written, removed or read. */

#include "agent/journal/journal_private.h"
#include "common/base/check.h"

static const char *const sources[JOURNAL_STATEMENTS] = {
    [JOURNAL_BEGIN] = "BEGIN IMMEDIATE",
    [JOURNAL_COMMIT] = "COMMIT",
    [JOURNAL_SAVE] = "INSERT OR REPLACE INTO attempt VALUES"
                     " (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
    [JOURNAL_REMOVE] = "DELETE FROM attempt WHERE fence = ?1",
    [JOURNAL_SAVE_SESSION] = "UPDATE agent SET session = ?1, receipt_epoch = ?2,"
                             " receipt_start_id = ?3, receipt_fence = ?4, receipt_hmac = ?5",
    [JOURNAL_SELECT] = "SELECT fence, attempt, state, on_disconnect, kill_grace_ms, name, body,"
                       " outcome, exit_code, signal, reason, started_wall_ms, duration_ms,"
                       " stdout_bytes, stderr_bytes, output_truncated, result, once"
                       " FROM attempt ORDER BY fence",
};

enum err journal_row_prepare(struct journal *journal, struct reason *reason)
{
    for (int i = 0; i < JOURNAL_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(journal->db, sources[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &journal->statements[i], NULL) != SQLITE_OK) {
            return journal_failed(journal, "preparing", reason);
        }
    }
    return ERR_NONE;
}

void journal_row_done(struct journal *journal)
{
    for (int i = 0; i < JOURNAL_STATEMENTS; i++) {
        sqlite3_finalize(journal->statements[i]);
        journal->statements[i] = NULL;
    }
}

enum err journal_row_run(struct journal *journal, enum journal_statement statement,
                         struct reason *reason)
{
    int rc = sqlite3_step(journal->statements[statement]);
    enum err err =
        rc == SQLITE_DONE ? ERR_NONE : journal_failed(journal, sources[statement], reason);
    sqlite3_reset(journal->statements[statement]);
    return err;
}

/* The bytes outlive the step; an empty one must not become NULL. */
static void bind_blob(sqlite3_stmt *statement, int at, struct str bytes)
{
    sqlite3_bind_blob(statement, at, bytes.length == 0 ? "" : bytes.data, (int)bytes.length,
                      SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *statement, int at, struct str text)
{
    sqlite3_bind_text(statement, at, text.length == 0 ? "" : text.data, (int)text.length,
                      SQLITE_STATIC);
}

enum err journal_row_save(struct journal *journal, const struct agent_record *record,
                          struct reason *reason)
{
    sqlite3_stmt *statement = journal->statements[JOURNAL_SAVE];
    const struct msg_finished *result = &record->result;
    /* What was started is never started again: its body would only take room. */
    bool startable = record->state == HELD_ACCEPTED;
    CHECK(record->body.length <= MSG_BODY_BYTES_MAX);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)record->fence);
    sqlite3_bind_int64(statement, 2, record->attempt);
    sqlite3_bind_int(statement, 3, (int)record->state);
    sqlite3_bind_int(statement, 4, (int)record->on_disconnect);
    sqlite3_bind_int64(statement, 5, record->kill_grace_ms);
    bind_text(statement, 6, startable ? record->name : STR(""));
    bind_blob(statement, 7, startable ? record->body : STR(""));
    sqlite3_bind_int(statement, 8, (int)result->outcome);
    sqlite3_bind_int(statement, 9, result->exit_code);
    sqlite3_bind_int(statement, 10, result->signal);
    bind_text(statement, 11, result->reason);
    sqlite3_bind_int64(statement, 12, result->started_wall_ms);
    sqlite3_bind_int64(statement, 13, result->duration_ms);
    sqlite3_bind_int64(statement, 14, (sqlite3_int64)result->stdout_bytes);
    sqlite3_bind_int64(statement, 15, (sqlite3_int64)result->stderr_bytes);
    sqlite3_bind_int(statement, 16, result->output_truncated);
    bind_text(statement, 17, result->result);
    sqlite3_bind_int(statement, 18, record->once);
    return journal_row_run(journal, JOURNAL_SAVE, reason);
}

enum err journal_row_remove(struct journal *journal, uint64_t fence, struct reason *reason)
{
    sqlite3_bind_int64(journal->statements[JOURNAL_REMOVE], 1, (sqlite3_int64)fence);
    return journal_row_run(journal, JOURNAL_REMOVE, reason);
}

enum err journal_row_session(struct journal *journal, uint64_t session,
                             const struct msg_receipt *receipt, struct reason *reason)
{
    sqlite3_stmt *statement = journal->statements[JOURNAL_SAVE_SESSION];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)session);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)receipt->epoch);
    bind_blob(statement, 3, receipt->start_id);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)receipt->fence);
    bind_blob(statement, 5, receipt->hmac);
    return journal_row_run(journal, JOURNAL_SAVE_SESSION, reason);
}

static struct str column(sqlite3_stmt *statement, int at)
{
    const char *data = sqlite3_column_blob(statement, at);
    return (struct str){ data, (size_t)sqlite3_column_bytes(statement, at) };
}

static void row_read(sqlite3_stmt *row, struct agent_record *to)
{
    to->fence = (uint64_t)sqlite3_column_int64(row, 0);
    to->attempt = (uint32_t)sqlite3_column_int64(row, 1);
    to->state = (enum held_state)sqlite3_column_int(row, 2);
    to->on_disconnect = (enum on_disconnect)sqlite3_column_int(row, 3);
    to->kill_grace_ms = sqlite3_column_int64(row, 4);
    to->name = column(row, 5);
    to->body = column(row, 6);
    to->result.fence = to->fence;
    to->result.outcome = (enum outcome)sqlite3_column_int(row, 7);
    to->result.exit_code = sqlite3_column_int(row, 8);
    to->result.signal = sqlite3_column_int(row, 9);
    to->result.reason = column(row, 10);
    to->result.started_wall_ms = sqlite3_column_int64(row, 11);
    to->result.duration_ms = sqlite3_column_int64(row, 12);
    to->result.stdout_bytes = (uint64_t)sqlite3_column_int64(row, 13);
    to->result.stderr_bytes = (uint64_t)sqlite3_column_int64(row, 14);
    to->result.output_truncated = sqlite3_column_int(row, 15) != 0;
    to->result.result = column(row, 16);
    to->once = sqlite3_column_int(row, 17) != 0;
}

enum err journal_each(struct journal *journal,
                      enum err (*each)(void *context, const struct agent_record *record,
                                       struct reason *reason),
                      void *context, struct reason *reason)
{
    sqlite3_stmt *row = journal->statements[JOURNAL_SELECT];
    enum err err = ERR_NONE;
    int rc = SQLITE_DONE;
    while (err == ERR_NONE && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct agent_record record = { 0 };
        row_read(row, &record);
        err = each(context, &record, reason);
    }
    if (err == ERR_NONE && rc != SQLITE_DONE) {
        err = journal_failed(journal, "reading it", reason);
    }
    sqlite3_reset(row);
    return err;
}
