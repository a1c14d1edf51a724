/* What was promised to whoever sends a large edit a second time: it becomes a row of idempotency with the
   edit's end, also after a restart. */
#ifndef ORCHESTRATOR_STORE_BULK_ANSWER_H
#define ORCHESTRATOR_STORE_BULK_ANSWER_H

#include "orchestrator/store/idempotency.h"

/* Within the turn that admits it. */
enum err bulk_answer_put(struct store *store, int64_t bulk_id,
                         const struct idempotency_record *answer, struct reason *reason);

/* Of one that is being made: what to compare with. ERR_NOT_FOUND: none of this key is. */
enum err bulk_answer_find(struct store *store, struct str scope, struct str key,
                          uint8_t ret_body_hash[IDEMPOTENCY_HASH_BYTES], struct reason *reason);

#endif
