/* See query_attention.h. */
#include "orchestrator/store/query_attention.h"

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/sqlite_db.h"

enum err query_edge_errors(struct store *store, struct arena *arena, struct query_edge_error *list,
                           size_t limit, size_t *ret_count, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT e.constellation_id, e.to_id, x.reason, c.state, c.finished_wall_ms FROM edge_text x"
        " JOIN edge e ON e.id = x.id JOIN constellation_row c ON c.id = e.constellation_id"
        " WHERE x.reason IS NOT NULL AND e.decision = 2 ORDER BY x.id DESC LIMIT ?1",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, (int64_t)limit);
    enum err err = ERR_NONE;
    size_t count = 0;
    while (count < limit && query_step(store, row, &err, reason)) {
        list[count++] = (struct query_edge_error){
            .constellation_id = sqlite3_column_int64(row, 0),
            .task_id = sqlite3_column_int64(row, 1),
            .reason = sqlite_column_copy(row, 2, arena),
            .state = (enum constellation_state)sqlite3_column_int(row, 3),
            .finished_wall_ms = sqlite3_column_int64(row, 4),
        };
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        *ret_count = count;
    }
    return err;
}
