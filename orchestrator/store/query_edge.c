/* See query_plan.h: dependencies. */
#include "orchestrator/store/query_plan.h"

#include "common/base/mem.h"
#include "orchestrator/store/query_step.h"
#include "orchestrator/store/record_row.h"

#define SELECT_EDGES                                                                               \
    "SELECT " EDGE_COLUMNS ", f.key, x.key, w.condition, w.arguments, w.reason"                    \
    " FROM edge e CROSS JOIN task_text f ON f.id = e.from_id CROSS JOIN task_text x ON"            \
    " x.id = e.to_id LEFT JOIN edge_text w ON w.id = e.id "

/* A list that grows, then moves into the arena: how many there are is known at the end. */
struct collector {
    struct query_edge *list;
    size_t count;
    size_t capacity;
};

static enum err collect_row(struct collector *collector, sqlite3_stmt *row, struct arena *arena)
{
    if (collector->count == collector->capacity) {
        collector->capacity = collector->capacity == 0 ? 8 : collector->capacity * 2;
        collector->list =
            mem_resize(collector->list, collector->capacity * sizeof collector->list[0]);
    }
    struct query_edge *edge = &collector->list[collector->count++];
    edge->from = sqlite_column_copy(row, EDGE_COLUMNS_COUNT, arena);
    edge->to = sqlite_column_copy(row, EDGE_COLUMNS_COUNT + 1, arena);
    edge->condition = sqlite_column_copy(row, EDGE_COLUMNS_COUNT + 2, arena);
    edge->arguments = sqlite_column_copy(row, EDGE_COLUMNS_COUNT + 3, arena);
    edge->reason = sqlite_column_copy(row, EDGE_COLUMNS_COUNT + 4, arena);
    return edge_row_read(row, 0, &edge->record);
}

enum err query_plan_needs(struct store *store, int64_t task_id, struct arena *arena,
                          struct query_edges *ret_edges, struct reason *reason)
{
    sqlite3_stmt *row =
        store_sqlite_statement(store, SELECT_EDGES "WHERE e.to_id = ?1 ORDER BY e.id", reason);
    if (row == NULL) {
        return ERR_IO;
    }
    struct collector collector = { 0 };
    enum err err = ERR_NONE;
    sqlite3_bind_int64(row, 1, task_id);
    while (err == ERR_NONE && query_step(store, row, &err, reason)) {
        err = collect_row(&collector, row, arena);
        if (err != ERR_NONE) {
            reason_set(reason, err, "the row of a dependency is damaged");
        }
    }
    sqlite3_reset(row);
    if (err == ERR_NONE) {
        ret_edges->list = arena_array(arena, collector.count, sizeof ret_edges->list[0]);
        ret_edges->count = collector.count;
        for (size_t i = 0; i < collector.count; i++) {
            ret_edges->list[i] = collector.list[i];
        }
    }
    mem_free(collector.list);
    return err;
}
