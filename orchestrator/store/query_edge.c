/* See query_plan.h: dependencies. */
#include "orchestrator/store/query_plan.h"

#include "common/base/mem.h"
#include "orchestrator/store/query_step.h"
#include "orchestrator/store/record_row.h"

/* A list that grows, then moves into the arena: how many there are is known at the end. */
struct collector {
    struct query_plan_need *list;
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
    struct edge_record record;
    enum err err = edge_row_read(row, 0, &record);
    if (err != ERR_NONE) {
        return err;
    }
    collector->list[collector->count++] = (struct query_plan_need){
        .edge_id = record.id,
        .from_id = record.from_id,
        .from = sqlite_column_copy(row, EDGE_COLUMNS_COUNT, arena),
        .when = record.when,
        .named = record.named,
        .required = record.required,
        .condition = sqlite_column_copy(row, EDGE_COLUMNS_COUNT + 1, arena),
        .arguments = sqlite_column_copy(row, EDGE_COLUMNS_COUNT + 2, arena),
    };
    return ERR_NONE;
}

enum err query_plan_needs(struct store *store, int64_t task_id, struct arena *arena,
                          struct query_plan_needs *ret_needs, struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(
        store,
        "SELECT " EDGE_COLUMNS ", f.key, w.condition, w.arguments FROM edge_row e"
        " CROSS JOIN task_text f ON f.id = e.from_id LEFT JOIN edge_text w ON w.id = e.id"
        " WHERE e.to_id = ?1 ORDER BY e.id",
        reason);
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
        ret_needs->list = arena_array(arena, collector.count, sizeof ret_needs->list[0]);
        ret_needs->count = collector.count;
        for (size_t i = 0; i < collector.count; i++) {
            ret_needs->list[i] = collector.list[i];
        }
    }
    mem_free(collector.list);
    return err;
}
