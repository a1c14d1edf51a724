/* What is kept and for how long. Deleting is cut into slices that fit in a turn: a deleted
   constellation is invisible at once, its rows and files go slice by slice, over restarts too. Only for
   the SQLite store. */
#ifndef ORCHESTRATOR_STORE_RETENTION_H
#define ORCHESTRATOR_STORE_RETENTION_H

#include "orchestrator/store/store.h"

enum { RETENTION_SLICE = 1000 }; /* rows deleted in one call: about 6 ms of a turn */

struct retention_policy {
    int64_t finished_keep_ms;    /* final constellations, since their end; 0: for ever */
    int64_t finished_max;        /* so many of them, the last that ended; 0: no limit */
    int64_t events_keep_ms;      /* 0: for ever */
    int64_t events_max;          /* the newest; 0: no limit */
    int64_t revisions_keep_ms;   /* 0: for ever */
    int64_t revisions_max;       /* of a constellation, the newest; 0: no limit */
    int64_t idempotency_keep_ms; /* 0: for ever */
};

/* Within a turn. *ret_more: there is more to delete, call again in a later turn. While a backup is
   being taken nothing is deleted and *ret_more is false. */
enum err store_retain(struct store *store, int64_t now_wall_ms,
                      const struct retention_policy *policy, bool *ret_more, struct reason *reason);

/* Within a turn: the constellation is gone for every reader; store_retain() then removes what it had.
   ERR_NOT_FOUND; ERR_CONFLICT: it is not final. Neither leaves the store dead. */
enum err store_delete_constellation(struct store *store, int64_t id, struct reason *reason);

#endif
