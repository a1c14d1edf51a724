/* What the API reads of holds: their words; the rest the engine knows. As in query.h. */
#ifndef ORCHESTRATOR_STORE_QUERY_HOLD_H
#define ORCHESTRATOR_STORE_QUERY_HOLD_H

#include "orchestrator/store/query.h"

struct query_hold {
    struct str owner;
    struct str reason; /* empty: none was given */
};

enum err query_hold(struct store *store, int64_t id, struct arena *arena,
                    struct query_hold *ret_hold, struct reason *reason);

#endif
