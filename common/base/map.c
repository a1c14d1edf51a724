#include "common/base/map.h"

#include "common/base/check.h"
#include "common/base/mem.h"

/* The finaliser of MurmurHash3 (public domain constants): every input bit reaches every output
   bit, which linear probing over consecutive ids needs. */
uint64_t hash_uint64(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    value ^= value >> 33;
    return value;
}

/* FNV-1a, then the finaliser above. */
uint64_t hash_bytes(const void *data, size_t bytes)
{
    const uint8_t *at = data;
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ at[i]) * 0x100000001b3ULL;
    }
    return hash_uint64(hash);
}

static size_t map_find(const struct map *map, uint64_t key)
{
    size_t mask = map->capacity - 1;
    size_t i = (size_t)hash_uint64(key) & mask;
    while (map->slots[i].value != NULL && map->slots[i].key != key) {
        i = (i + 1) & mask;
    }
    return i;
}

static void map_grow(struct map *map)
{
    struct map bigger = { .capacity = map->capacity == 0 ? 16 : map->capacity * 2 };
    bigger.slots = mem_array(bigger.capacity, sizeof bigger.slots[0]);
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].value != NULL) {
            bigger.slots[map_find(&bigger, map->slots[i].key)] = map->slots[i];
        }
    }
    bigger.count = map->count;
    mem_free(map->slots);
    *map = bigger;
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->count == 0 ? NULL : map->slots[map_find(map, key)].value;
}

void map_put(struct map *map, uint64_t key, void *value)
{
    CHECK(value != NULL);
    if ((map->count + 1) * 4 > map->capacity * 3) {
        map_grow(map);
    }
    struct map_slot *slot = &map->slots[map_find(map, key)];
    map->count += slot->value == NULL;
    *slot = (struct map_slot){ key, value };
}

void *map_remove(struct map *map, uint64_t key)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t mask = map->capacity - 1;
    size_t hole = map_find(map, key);
    void *value = map->slots[hole].value;
    if (value == NULL) {
        return NULL;
    }
    for (size_t i = (hole + 1) & mask; map->slots[i].value != NULL; i = (i + 1) & mask) {
        size_t home = (size_t)hash_uint64(map->slots[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].value = NULL;
    map->count--;
    return value;
}

bool map_each(const struct map *map, size_t *at, uint64_t *ret_key, void **ret_value)
{
    for (; *at < map->capacity; (*at)++) {
        if (map->slots[*at].value != NULL) {
            *ret_key = map->slots[*at].key;
            *ret_value = map->slots[*at].value;
            (*at)++;
            return true;
        }
    }
    return false;
}

void map_done(struct map *map)
{
    mem_free(map->slots);
    *map = (struct map){ 0 };
}

static bool slot_is(const struct strmap_slot *slot, uint64_t hash, struct str key)
{
    return slot->hash == hash && str_equal((struct str){ slot->key, slot->key_length }, key);
}

static size_t strmap_find(const struct strmap *map, uint64_t hash, struct str key)
{
    size_t mask = map->capacity - 1;
    size_t i = (size_t)hash & mask;
    while (map->slots[i].value != NULL && !slot_is(&map->slots[i], hash, key)) {
        i = (i + 1) & mask;
    }
    return i;
}

static void strmap_grow(struct strmap *map)
{
    struct strmap bigger = { .capacity = map->capacity == 0 ? 16 : map->capacity * 2 };
    bigger.slots = mem_array(bigger.capacity, sizeof bigger.slots[0]);
    for (size_t i = 0; i < map->capacity; i++) {
        const struct strmap_slot *slot = &map->slots[i];
        if (slot->value != NULL) {
            struct str key = { slot->key, slot->key_length };
            bigger.slots[strmap_find(&bigger, slot->hash, key)] = *slot;
        }
    }
    bigger.count = map->count;
    mem_free(map->slots);
    *map = bigger;
}

void *strmap_get(const struct strmap *map, struct str key)
{
    if (map->count == 0) {
        return NULL;
    }
    return map->slots[strmap_find(map, hash_bytes(key.data, key.length), key)].value;
}

void strmap_put(struct strmap *map, struct str key, void *value)
{
    CHECK(value != NULL);
    if ((map->count + 1) * 4 > map->capacity * 3) {
        strmap_grow(map);
    }
    uint64_t hash = hash_bytes(key.data, key.length);
    struct strmap_slot *slot = &map->slots[strmap_find(map, hash, key)];
    if (slot->value == NULL) {
        map->count++;
        slot->hash = hash;
        slot->key = mem_copy(key.data, key.length);
        slot->key_length = key.length;
    }
    slot->value = value;
}

void *strmap_remove(struct strmap *map, struct str key)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t mask = map->capacity - 1;
    size_t hole = strmap_find(map, hash_bytes(key.data, key.length), key);
    void *value = map->slots[hole].value;
    if (value == NULL) {
        return NULL;
    }
    mem_free(map->slots[hole].key);
    for (size_t i = (hole + 1) & mask; map->slots[i].value != NULL; i = (i + 1) & mask) {
        size_t home = (size_t)map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct strmap_slot){ 0 };
    map->count--;
    return value;
}

bool strmap_each(const struct strmap *map, size_t *at, struct str *ret_key, void **ret_value)
{
    for (; *at < map->capacity; (*at)++) {
        const struct strmap_slot *slot = &map->slots[*at];
        if (slot->value != NULL) {
            *ret_key = (struct str){ slot->key, slot->key_length };
            *ret_value = slot->value;
            (*at)++;
            return true;
        }
    }
    return false;
}

void strmap_done(struct strmap *map)
{
    for (size_t i = 0; i < map->capacity; i++) {
        mem_free(map->slots[i].key);
    }
    mem_free(map->slots);
    *map = (struct strmap){ 0 };
}
