/* What the evaluator, the assignment and the API read of tasks and their output. */
#include "orchestrator/store/store_sqlite.h"

enum err read_task_body(struct store *store, int64_t task_id, struct arena *arena,
                        struct str *ret_name, struct str *ret_body)
{
    sqlite3_stmt *statement = store_sqlite_statement(
        store,
        "SELECT c.uid || '/' || t.key, coalesce(t.inputs, t.body)"
        " FROM task_text t JOIN constellation_row c ON c.id = t.constellation_id WHERE t.id = ?",
        NULL);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, task_id);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_name = sqlite_column_copy(statement, 0, arena);
        *ret_body = sqlite_column_copy(statement, 1, arena);
    }
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_err(rc);
}

/* Where one stream of an attempt stands: its length, and its first bytes in the database. */
static enum err read_head(struct store *store, uint64_t fence, enum stream stream,
                          sqlite3_stmt **ret_row)
{
    sqlite3_stmt *statement = store_sqlite_statement(
        store,
        stream == STREAM_STDERR
            ? "SELECT a.stderr_bytes, o.stderr FROM attempt a LEFT JOIN output o"
              " ON o.fence = a.fence WHERE a.fence = ?"
            : "SELECT a.stdout_bytes, o.stdout FROM attempt a LEFT JOIN output o"
              " ON o.fence = a.fence WHERE a.fence = ?",
        NULL);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 1, (int64_t)fence);
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW) {
        sqlite3_reset(statement);
        return rc == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_err(rc);
    }
    *ret_row = statement;
    return ERR_NONE;
}

enum err read_output(struct store *store, uint64_t fence, enum stream stream, uint64_t offset,
                     size_t bytes, struct buf *into)
{
    sqlite3_stmt *row = NULL;
    enum err err = read_head(store, fence, stream, &row);
    if (err != ERR_NONE) {
        return err;
    }
    uint64_t length = (uint64_t)sqlite3_column_int64(row, 0);
    uint64_t end =
        offset >= length ? offset : offset + (bytes < length - offset ? bytes : length - offset);
    struct str head = sqlite_column_str(row, 1);
    if (offset < head.length && offset < end) {
        uint64_t stop = end < head.length ? end : head.length;
        buf_append(into, head.data + offset, (size_t)(stop - offset));
        offset = stop;
    }
    sqlite3_reset(row);
    if (offset >= end || offset < STORE_OUTPUT_INLINE_MAX) {
        return ERR_NONE;
    }
    return output_file_read(store_sqlite_data_dir(store), fence, stream, offset,
                            (size_t)(end - offset), into);
}

static enum err read_stream(struct store *store, uint64_t fence, enum stream stream,
                            uint64_t length, size_t bytes_max, struct arena *arena,
                            struct str *ret_data)
{
    if (length == 0 || length > bytes_max) {
        *ret_data = (struct str){ 0 };
        return ERR_NONE;
    }
    struct buf bytes = { 0 };
    enum err err = read_output(store, fence, stream, 0, (size_t)length, &bytes);
    if (err == ERR_NONE && bytes.length != length) {
        err = ERR_CORRUPT;
    }
    if (err == ERR_NONE) {
        *ret_data = arena_str(arena, (struct str){ (const char *)bytes.data, bytes.length });
    }
    buf_done(&bytes);
    return err;
}

enum err read_outcome(struct store *store, int64_t task_id, size_t stream_bytes_max,
                      struct arena *arena, struct store_outcome *ret_outcome)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT t.state, t.attempts > t.first_attempt, a.fence, a.number, a.started_wall_ms,"
        " a.ended_wall_ms, a.exit_code, a.stdout_bytes, a.stderr_bytes, a.result,"
        " (SELECT d.name FROM device d WHERE d.id = a.device_id), a.outcome"
        " FROM task t LEFT JOIN attempt a ON a.fence = t.fence WHERE t.id = ?",
        NULL);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, task_id);
    int rc = sqlite3_step(row);
    if (rc != SQLITE_ROW) {
        sqlite3_reset(row);
        return rc == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_err(rc);
    }
    struct store_outcome outcome = { .state = (enum task_state)sqlite3_column_int(row, 0),
                                     .duration_ms = -1 };
    outcome.has_run = sqlite3_column_int(row, 1) != 0 && sqlite3_column_type(row, 2) != SQLITE_NULL;
    if (!outcome.has_run) {
        sqlite3_reset(row);
        *ret_outcome = outcome;
        return ERR_NONE;
    }
    uint64_t fence = (uint64_t)sqlite3_column_int64(row, 2);
    int64_t started_wall_ms = sqlite3_column_int64(row, 4);
    int64_t ended_wall_ms = sqlite3_column_int64(row, 5);
    outcome.attempt = (uint32_t)sqlite3_column_int64(row, 3);
    outcome.duration_ms = store_duration_ms(started_wall_ms, ended_wall_ms);
    outcome.exit_code = sqlite3_column_int(row, 6);
    outcome.stdout_bytes = (uint64_t)sqlite3_column_int64(row, 7);
    outcome.stderr_bytes = (uint64_t)sqlite3_column_int64(row, 8);
    outcome.result = sqlite_column_copy(row, 9, arena);
    outcome.device = sqlite_column_copy(row, 10, arena);
    outcome.has_exit_code = sqlite3_column_int(row, 11) == OUTCOME_EXITED;
    sqlite3_reset(row);
    enum err err = read_stream(store, fence, STREAM_STDOUT, outcome.stdout_bytes, stream_bytes_max,
                               arena, &outcome.stdout_data);
    if (err == ERR_NONE) {
        err = read_stream(store, fence, STREAM_STDERR, outcome.stderr_bytes, stream_bytes_max,
                          arena, &outcome.stderr_data);
    }
    if (err == ERR_NONE) {
        *ret_outcome = outcome;
    }
    return err;
}

enum err read_task_outcome(struct store *store, int64_t constellation_id, struct str key,
                           size_t stream_bytes_max, struct arena *arena,
                           struct store_outcome *ret_outcome)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, "SELECT id FROM task_text WHERE constellation_id = ? AND key = ?", NULL);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, constellation_id);
    sqlite_bind_text(row, 2, key);
    int rc = sqlite3_step(row);
    int64_t task_id = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_err(rc);
    }
    return read_outcome(store, task_id, stream_bytes_max, arena, ret_outcome);
}

enum err read_edge_condition(struct store *store, int64_t edge_id, struct arena *arena,
                             struct str *ret_condition, struct str *ret_arguments)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, "SELECT condition, arguments FROM edge_text WHERE id = ? AND condition <> ''", NULL);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, edge_id);
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        *ret_condition = sqlite_column_copy(row, 0, arena);
        *ret_arguments = sqlite_column_copy(row, 1, arena);
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_err(rc);
}
