/* Who may do what: the tokens in memory, kept in step with their rows. */
#ifndef ORCHESTRATOR_API_IDENTITY_H
#define ORCHESTRATOR_API_IDENTITY_H

#include "common/base/map.h"
#include "orchestrator/net/net.h"
#include "orchestrator/store/token.h"

#define IDENTITY_TOKEN_PREFIX "ast_"

enum {
    IDENTITY_SECRET_BYTES = 32,
    IDENTITY_TOKEN_BYTES_MAX = 80, /* the text of a token, with its NUL */
};

/* Zero-initialised is empty. */
struct identities {
    struct token_record **list; /* oldest first; a record and its text are one piece of memory */
    size_t count;
    size_t capacity;
    struct strmap by_hash; /* the SHA-256 as bytes */
    struct strmap by_name;
    struct map by_id;
};

enum err identities_load(struct identities *identities, struct store *store, struct reason *reason);
void identities_done(struct identities *identities);
/* Copies the record. */
void identities_add(struct identities *identities, const struct token_record *record);
struct token_record *identities_by_name(const struct identities *identities, struct str name);
struct token_record *identities_by_id(const struct identities *identities, int64_t id);

bool identity_role_of(struct str name, enum net_role *ret_role);
void identity_hash(struct str token, uint8_t ret_hash[TOKEN_HASH_BYTES]);
/* 256 random bits as text. */
void identity_make_token(char to[IDENTITY_TOKEN_BYTES_MAX]);

#endif
