/* See identity.h and api.h. */
#include "orchestrator/api/identity.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/sys/digest.h"
#include "common/sys/random.h"
#include "orchestrator/api/api_inner.h"

bool identity_role_of(struct str name, enum net_role *ret_role)
{
    static const struct {
        const char *name;
        enum net_role role;
    } roles[] = {
        { "viewer", NET_ROLE_VIEWER },
        { "operator", NET_ROLE_OPERATOR },
        { "admin", NET_ROLE_ADMIN },
        { "agent", NET_ROLE_AGENT },
    };
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (str_is(name, roles[i].name)) {
            *ret_role = roles[i].role;
            return true;
        }
    }
    return false;
}

void identity_hash(struct str token, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    digest_sha256(token.data, token.length, ret_hash);
}

void identity_make_token(char to[IDENTITY_TOKEN_BYTES_MAX])
{
    uint8_t secret[IDENTITY_SECRET_BYTES];
    random_bytes(secret, sizeof(secret));
    memcpy(to, IDENTITY_TOKEN_PREFIX, sizeof(IDENTITY_TOKEN_PREFIX) - 1);
    digest_hex(secret, sizeof(secret), to + sizeof(IDENTITY_TOKEN_PREFIX) - 1);
}

void identities_add(struct identities *identities, const struct token_record *record)
{
    size_t text = record->name.length + record->role.length + record->device.length;
    struct token_record *copy = mem_alloc(sizeof(*copy) + text + 1);
    *copy = *record;
    char *to = (char *)(copy + 1);
    struct str *const parts[] = { &copy->name, &copy->role, &copy->device };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i]->length > 0) {
            memcpy(to, parts[i]->data, parts[i]->length);
        }
        parts[i]->data = to;
        to += parts[i]->length;
    }
    if (identities->count == identities->capacity) {
        identities->capacity = identities->capacity == 0 ? 16 : identities->capacity * 2;
        identities->list =
            mem_resize(identities->list, identities->capacity * sizeof(struct token_record *));
    }
    identities->list[identities->count++] = copy;
    strmap_put(&identities->by_hash, (struct str){ (const char *)copy->hash, TOKEN_HASH_BYTES },
               copy);
    strmap_put(&identities->by_name, copy->name, copy);
    map_put(&identities->by_id, (uint64_t)copy->id, copy);
}

enum err identities_load(struct identities *identities, struct store *store, struct reason *reason)
{
    struct arena arena = { .blocks = NULL };
    struct token_list list = { .list = NULL };
    enum err err = token_load(store, &arena, &list, reason);
    for (size_t i = 0; err == ERR_NONE && i < list.count; i++) {
        identities_add(identities, &list.list[i]);
    }
    arena_done(&arena);
    return err;
}

void identities_done(struct identities *identities)
{
    for (size_t i = 0; i < identities->count; i++) {
        mem_free(identities->list[i]);
    }
    mem_free(identities->list);
    strmap_done(&identities->by_hash);
    strmap_done(&identities->by_name);
    map_done(&identities->by_id);
    *identities = (struct identities){ .count = 0 };
}

struct token_record *identities_by_name(const struct identities *identities, struct str name)
{
    return strmap_get(&identities->by_name, name);
}

struct token_record *identities_by_id(const struct identities *identities, int64_t id)
{
    return map_get(&identities->by_id, (uint64_t)id);
}

static void identify_token(const struct identities *identities, struct str token,
                           struct net_identity *identity)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    identity_hash(token, hash);
    const struct token_record *record =
        strmap_get(&identities->by_hash, (struct str){ (const char *)hash, sizeof(hash) });
    if (record == NULL || record->revoked_wall_ms != 0 ||
        !identity_role_of(record->role, &identity->role)) {
        identity->role = NET_ROLE_NONE;
        return;
    }
    identity->token_id = record->id;
    snprintf(identity->actor, sizeof(identity->actor), "token:%.*s", STR_ARG(record->name));
    snprintf(identity->device, sizeof(identity->device), "%.*s", STR_ARG(record->device));
}

void api_identify(struct api *api, struct str token, bool over_unix, unsigned uid,
                  struct net_identity *ret_identity)
{
    struct net_identity identity = { .role = NET_ROLE_NONE };
    if (over_unix) {
        /* Whoever may open the socket file is the admin, whatever token is sent along. */
        identity.role = NET_ROLE_ADMIN;
        snprintf(identity.actor, sizeof(identity.actor), "unix:uid=%u", uid);
    } else if (api->identities.count == 0) {
        identity.role = NET_ROLE_ADMIN;
        snprintf(identity.actor, sizeof(identity.actor), "local");
    } else if (token.length != 0) {
        identify_token(&api->identities, token, &identity);
    }
    *ret_identity = identity;
}

bool api_identity_holds(const struct api *api, const struct net_identity *identity)
{
    if (identity->role == NET_ROLE_NONE) {
        return false;
    }
    if (identity->token_id != 0) {
        const struct token_record *record = identities_by_id(&api->identities, identity->token_id);
        return record != NULL && record->revoked_wall_ms == 0;
    }
    return api->identities.count == 0 || str_starts_with(str_of(identity->actor), STR("unix:"));
}
