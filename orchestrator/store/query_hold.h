/* What the API reads of holds. As in query.h. */
#ifndef ORCHESTRATOR_STORE_QUERY_HOLD_H
#define ORCHESTRATOR_STORE_QUERY_HOLD_H

#include "orchestrator/store/query.h"

enum { QUERY_HOLD_TASKS_MAX = 100 }; /* named; all are counted */

/* Its words alone: of one that is live the engine knows the rest. ERR_NOT_FOUND: it has ended, or never
   was. */
struct query_hold {
    struct str owner;
    struct str reason; /* empty: none was given */
};
enum err query_hold(struct store *store, int64_t id, struct arena *arena,
                    struct query_hold *ret_hold, struct reason *reason);

struct query_hold_whole {
    struct hold_record record;
    struct query_hold words;
    struct str root;  /* a key; empty: it has none */
    struct str *keys; /* the first tasks that it names, without those that have been removed */
    size_t keys_count;
    size_t tasks; /* all of them */
};

struct query_holds {
    struct query_hold_whole *list; /* in the order in which they were placed */
    size_t count;
    int64_t next_id; /* go on behind this one; 0: there are no more */
};
enum err query_hold_list(struct store *store, int64_t constellation_id, int64_t after, size_t limit,
                         struct arena *arena, struct query_holds *ret_list, struct reason *reason);

#endif
