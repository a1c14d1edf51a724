/* Hash maps: from a 64-bit number and from text to a pointer. Open addressing, linear probes,
   deletion by moving back (no tombstones), so that a map that lives for months does not slow down.
   Zero-initialised is empty and ready. The values belong to the caller and are never NULL. */
#ifndef COMMON_BASE_MAP_H
#define COMMON_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/str.h"

struct map_slot {
    uint64_t key;
    void *value; /* NULL: the slot is empty */
};

struct map {
    struct map_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

void *map_get(const struct map *map, uint64_t key);       /* NULL: not there */
void map_put(struct map *map, uint64_t key, void *value); /* replaces */
void *map_remove(struct map *map, uint64_t key);          /* what was there, or NULL */
/* Walks in no particular order: start with *at = 0; false at the end. Not while it changes. */
bool map_each(const struct map *map, size_t *at, uint64_t *ret_key, void **ret_value);
void map_done(struct map *map);

struct strmap_slot {
    uint64_t hash;
    char *key; /* owned by the map */
    size_t key_length;
    void *value;
};

struct strmap {
    struct strmap_slot *slots;
    size_t capacity;
    size_t count;
};

void *strmap_get(const struct strmap *map, struct str key);
void strmap_put(struct strmap *map, struct str key, void *value); /* copies the key; replaces */
void *strmap_remove(struct strmap *map, struct str key);
bool strmap_each(const struct strmap *map, size_t *at, struct str *ret_key, void **ret_value);
void strmap_done(struct strmap *map);

uint64_t hash_uint64(uint64_t value);
uint64_t hash_bytes(const void *data, size_t bytes);

#endif
