/* Rows of tokens: who may speak to the daemon. Only the SHA-256 of a token is stored. Floor 2. */
#ifndef ORCHESTRATOR_STORE_TOKEN_H
#define ORCHESTRATOR_STORE_TOKEN_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct store;

enum {
    TOKEN_HASH_BYTES = 32,
    TOKENS_MAX = 20000, /* revoked ones too: their names stay taken, for the audit */
};

struct token_record {
    int64_t id;
    struct str name;
    uint8_t hash[TOKEN_HASH_BYTES];
    struct str role;   /* "viewer", "operator", "admin", "agent" */
    struct str device; /* an agent's; else empty */
    int64_t created_wall_ms;
    int64_t revoked_wall_ms; /* 0: it is good */
};

struct token_list {
    struct token_record *list; /* oldest first */
    size_t count;
};

enum err token_load(struct store *store, struct arena *arena, struct token_list *ret_list,
                    struct reason *reason);
/* Within a turn's transaction. The caller has looked whether the name is free, and chosen the id. */
enum err token_add(struct store *store, const struct token_record *record, struct reason *reason);
enum err token_revoke(struct store *store, int64_t id, int64_t wall_ms, struct reason *reason);

#endif
