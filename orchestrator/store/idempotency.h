/* Answers that a client may ask for again: a mutation's answer is stored under its Idempotency-Key in
   the transaction of the mutation, for 7 days (retention removes it). Floor 2. */
#ifndef ORCHESTRATOR_STORE_IDEMPOTENCY_H
#define ORCHESTRATOR_STORE_IDEMPOTENCY_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct store;

enum { IDEMPOTENCY_HASH_BYTES = 32, IDEMPOTENCY_DAYS = 7 };

struct idempotency_record {
    struct str scope; /* whose key it is, and of which route */
    struct str key;
    uint8_t body_hash[IDEMPOTENCY_HASH_BYTES];
    int status;
    struct str response;
    int64_t created_wall_ms;
};

/* ERR_NOT_FOUND: never seen, or too long ago. */
enum err idempotency_find(struct store *store, struct str scope, struct str key,
                          int64_t now_wall_ms, struct arena *arena,
                          struct idempotency_record *ret_record, struct reason *reason);
/* Within a turn's transaction. Replaces one that is too old. */
enum err idempotency_put(struct store *store, const struct idempotency_record *record,
                         struct reason *reason);

#endif
