/* The twin's rows of a plan that changes while it runs, and of holds. */
#ifndef ORCHESTRATOR_STORE_TWIN_CHANGE_H
#define ORCHESTRATOR_STORE_TWIN_CHANGE_H

#include "orchestrator/store/twin_disk.h"

/* EFFECT_ADD_LIMIT … EFFECT_ADD_REVISION. A row that should be there and is not is ERR_CORRUPT. */
enum err twin_change_apply(struct store_disk *disk, const struct effect *effect,
                           struct reason *reason);
void twin_put_text(struct store_disk *disk, enum twin_table table, uint64_t key, int64_t owner_id,
                   struct str a, struct str b);
void twin_put_edge_text(struct store_disk *disk, int64_t edge_id, const struct plan_edge *plan);
/* Hands the hold of this key to the engine with its tasks. */
void twin_load_hold(const struct store_disk *disk, uint64_t key, struct engine *engine);

#endif
