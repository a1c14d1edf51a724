/* What the API reads of the event table, in slices. As in query.h. */
#ifndef ORCHESTRATOR_STORE_QUERY_EVENT_H
#define ORCHESTRATOR_STORE_QUERY_EVENT_H

#include "orchestrator/store/query.h"

struct query_events {
    struct history *list; /* with their text, in the arena */
    size_t count;
    int64_t scanned_seq; /* go on behind this one */
};

/* Looks at no more than `limit` rows behind `after`; of one constellation, or of all (0). */
enum err query_events(struct store *store, int64_t after, int64_t constellation_id, size_t limit,
                      struct arena *arena, struct query_events *ret_events, struct reason *reason);
/* The oldest that retention has left and the newest; both 0 while there is none. */
enum err query_event_range(struct store *store, int64_t *ret_oldest, int64_t *ret_newest,
                           struct reason *reason);

#endif
