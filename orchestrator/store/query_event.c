/* See query_event.h. */
#include "orchestrator/store/query_event.h"

#include "orchestrator/store/query_step.h"
#include "orchestrator/store/sqlite_db.h"

enum err query_events(struct store *store, int64_t after, int64_t constellation_id, size_t limit,
                      struct arena *arena, struct query_events *ret_events, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT seq, wall_ms, kind, constellation_id, task_id, device_id, fence, state, outcome,"
        " number, text FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        reason);
    if (row == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(row, 1, after);
    sqlite3_bind_int64(row, 2, (int64_t)limit);
    struct query_events events = {
        .list = arena_array(arena, limit, sizeof(struct history)),
        .scanned_seq = after,
    };
    enum err err = ERR_NONE;
    while (query_step(store, row, &err, reason)) {
        events.scanned_seq = sqlite3_column_int64(row, 0);
        if (constellation_id != 0 && sqlite3_column_int64(row, 3) != constellation_id) {
            continue;
        }
        events.list[events.count++] = (struct history){
            .seq = events.scanned_seq,
            .wall_ms = sqlite3_column_int64(row, 1),
            .kind = (enum history_kind)sqlite3_column_int(row, 2),
            .constellation_id = sqlite3_column_int64(row, 3),
            .task_id = sqlite3_column_int64(row, 4),
            .device_id = sqlite3_column_int64(row, 5),
            .fence = (uint64_t)sqlite3_column_int64(row, 6),
            .state = (uint8_t)sqlite3_column_int(row, 7),
            .outcome = (uint8_t)sqlite3_column_int(row, 8),
            .number = sqlite3_column_int64(row, 9),
            .text = sqlite_column_copy(row, 10, arena),
        };
    }
    if (err == ERR_NONE) {
        *ret_events = events;
    }
    return err;
}

enum err query_event_range(struct store *store, int64_t *ret_oldest, int64_t *ret_newest,
                           struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store, "SELECT (SELECT min(seq) FROM event), (SELECT max(seq) FROM event)", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    enum err err = ERR_NONE;
    if (query_step(store, row, &err, reason)) {
        *ret_oldest = sqlite3_column_int64(row, 0);
        *ret_newest = sqlite3_column_int64(row, 1);
        sqlite3_reset(row);
    }
    return err;
}
