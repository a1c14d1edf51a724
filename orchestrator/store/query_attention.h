/* What the API reads of what went wrong; the rest of what needs a person the engine knows. As in
   query.h. */
#ifndef ORCHESTRATOR_STORE_QUERY_ATTENTION_H
#define ORCHESTRATOR_STORE_QUERY_ATTENTION_H

#include "orchestrator/store/query.h"

enum { QUERY_EDGE_ERRORS_MAX = 200 };

/* A condition that could not be evaluated, and has closed. */
struct query_edge_error {
    int64_t constellation_id;
    int64_t task_id; /* that it leads to */
    enum constellation_state state;
    int64_t finished_wall_ms; /* 0: it has not ended */
    struct str reason;
};
/* The newest dependency first. */
enum err query_edge_errors(struct store *store, struct arena *arena, struct query_edge_error *list,
                           size_t limit, size_t *ret_count, struct reason *reason);

#endif
