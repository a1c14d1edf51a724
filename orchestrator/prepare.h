/* The evaluator's part of a turn: fills in the placeholders of a task from what its predecessors put
   out, once, into the transaction that is open. */
#ifndef ORCHESTRATOR_PREPARE_H
#define ORCHESTRATOR_PREPARE_H

#include "common/base/arena.h"
#include "orchestrator/store/store.h"

/* ERR_NONE: the inputs are stored; *ret_body_bytes is what the body weighs with them. ERR_INVALID: the
   task cannot have them, the reason says why. Any other error is the store's, and the turn has failed.
   *work grows by the bytes that were read and written. */
enum err prepare_task(struct store *store, int64_t constellation_id, int64_t task_id,
                      struct arena *arena, size_t *work, uint32_t *ret_body_bytes,
                      struct reason *reason);

#endif
