/* What a start of the daemon finds and leaves in the database: its epoch, its identity, the free ids,
   and the receipts that tell a restored database from the one that was lost. */
#ifndef ORCHESTRATOR_STORE_START_H
#define ORCHESTRATOR_STORE_START_H

#include <sqlite3.h>

#include "orchestrator/store/store.h"

/* Fills *ret_start, raises the epoch, drops what a start drops (half-loaded constellations, classes and
   policies out of use). Commits. ERR_LIMIT: no epoch is left. */
enum err start_record(sqlite3 *db, const struct store_seed *seed, struct store_start *ret_start,
                      uint64_t *ret_fence, struct reason *reason);

/* Single values of the meta table. A missing one is 0. */
enum err meta_read(sqlite3 *db, const char *key, int64_t *ret_value, struct reason *reason);
/* Sees to it that ids up to these are never given again, though their rows go. */
struct spent_ids {
    int64_t constellation_id;
    int64_t task_id;
    int64_t edge_id;
    int64_t hold_id;
};
enum err meta_spend_ids(sqlite3 *db, const struct spent_ids *ids, struct reason *reason);
/* The highest fence outlives its attempt, which is about to be deleted; until then that says it. */
enum err meta_save_fence(sqlite3 *db, int64_t fence, struct reason *reason);

#endif
