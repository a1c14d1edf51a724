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

/* Runs a query of SELECT_EDGES with up to three numbers. */
static enum err collect(struct store *store, const char *sql, const int64_t *numbers,
                        size_t numbers_count, struct collector *collector, struct arena *arena,
                        struct reason *reason)
{
    sqlite3_stmt *row = store_sqlite_statement(store, sql, reason);
    if (row == NULL) {
        return ERR_IO;
    }
    for (size_t i = 0; i < numbers_count; i++) {
        sqlite3_bind_int64(row, (int)i + 1, numbers[i]);
    }
    enum err err = ERR_NONE;
    while (err == ERR_NONE && query_step(store, row, &err, reason)) {
        err = collect_row(collector, row, arena);
        if (err != ERR_NONE) {
            reason_set(reason, err, "the row of a dependency is damaged");
        }
    }
    sqlite3_reset(row);
    return err;
}

/* Takes the list over, or drops it after a failure. */
static enum err finish(struct collector *collector, enum err err, struct arena *arena,
                       struct query_edges *ret_edges)
{
    if (err == ERR_NONE) {
        ret_edges->list = arena_array(arena, collector->count, sizeof ret_edges->list[0]);
        ret_edges->count = collector->count;
        for (size_t i = 0; i < collector->count; i++) {
            ret_edges->list[i] = collector->list[i];
        }
    }
    mem_free(collector->list);
    return err;
}

enum err query_plan_needs(struct store *store, int64_t task_id, size_t limit, struct arena *arena,
                          struct query_edges *ret_edges, struct reason *reason)
{
    struct collector collector = { 0 };
    const int64_t numbers[] = { task_id, limit == 0 ? -1 : (int64_t)limit };
    enum err err = collect(store, SELECT_EDGES "WHERE e.to_id = ?1 ORDER BY e.id LIMIT ?2", numbers,
                           2, &collector, arena, reason);
    return finish(&collector, err, arena, ret_edges);
}

enum err query_plan_between(struct store *store, int64_t from_id, int64_t to_id,
                            struct arena *arena, struct query_edges *ret_edges,
                            struct reason *reason)
{
    struct collector collector = { 0 };
    const int64_t numbers[] = { to_id, from_id };
    enum err err =
        collect(store, SELECT_EDGES "WHERE e.to_id = ?1 AND e.from_id = ?2 ORDER BY e.id", numbers,
                2, &collector, arena, reason);
    if (err == ERR_NONE && collector.count == 0) {
        err = reason_set(reason, ERR_NOT_FOUND, "no such dependency");
    }
    return finish(&collector, err, arena, ret_edges);
}

enum err query_plan_edge(struct store *store, int64_t edge_id, struct arena *arena,
                         struct query_edge *ret_edge, struct reason *reason)
{
    struct collector collector = { 0 };
    enum err err =
        collect(store, SELECT_EDGES "WHERE e.id = ?1", &edge_id, 1, &collector, arena, reason);
    if (err == ERR_NONE && collector.count == 0) {
        err = reason_set(reason, ERR_NOT_FOUND, "no such dependency");
    }
    if (err == ERR_NONE) {
        *ret_edge = collector.list[0];
    }
    mem_free(collector.list);
    return err;
}

enum err query_plan_edges(struct store *store, int64_t constellation_id, int64_t after,
                          size_t limit, struct arena *arena, struct query_edges *ret_edges,
                          struct reason *reason)
{
    struct collector collector = { 0 };
    int64_t numbers[] = { constellation_id, after, (int64_t)limit };
    enum err err =
        collect(store,
                SELECT_EDGES "WHERE e.id BETWEEN max(?2 + 1,"
                             " (SELECT first_edge_id FROM constellation WHERE id = ?1))"
                             " AND (SELECT last_edge_id FROM constellation WHERE id = ?1)"
                             " AND +e.constellation_id = ?1 AND e.late = 0 ORDER BY e.id LIMIT ?3",
                numbers, 3, &collector, arena, reason);
    if (err == ERR_NONE && collector.count < limit) {
        numbers[2] = (int64_t)(limit - collector.count);
        err = collect(store,
                      SELECT_EDGES "WHERE e.constellation_id = ?1 AND e.late = 1 AND e.id > ?2"
                                   " ORDER BY e.id LIMIT ?3",
                      numbers, 3, &collector, arena, reason);
    }
    return finish(&collector, err, arena, ret_edges);
}
