/* What a start of the twin does with what the last one left. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/store/store_memory.h"
#include "orchestrator/store/twin_change.h"

static void drop(struct store_disk *disk, enum twin_table table, uint64_t key)
{
    static const enum effect_kind removals[TWIN_TABLES] = {
        [TWIN_TASK] = EFFECT_REMOVE_TASK,
        [TWIN_EDGE] = EFFECT_REMOVE_EDGE,
        [TWIN_HOLD] = EFFECT_REMOVE_HOLD,
    };
    if (removals[table] != 0) {
        const struct effect effect = { .kind = removals[table], .id = (int64_t)key };
        enum err err = twin_change_apply(disk, &effect, NULL);
        CHECK(err == ERR_NONE);
        return;
    }
    twin_remove(disk, table, key);
    if (table == TWIN_CONSTELLATION) {
        twin_remove(disk, TWIN_UID, key);
    }
}

/* What a start drops: constellations whose rows were not all in. Their ids are spent. */
static void drop_half_loaded(struct store_disk *disk)
{
    static const enum twin_table tables[] = { TWIN_TASK, TWIN_EDGE, TWIN_HOLD, TWIN_LIMIT,
                                              TWIN_CONSTELLATION };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        size_t count = 0;
        uint64_t *keys = twin_keys(disk, tables[i], &count);
        for (size_t at = 0; at < count; at++) {
            int64_t owner_id = twin_owner(tables[i], twin_get(disk, tables[i], keys[at]));
            const struct constellation_record *owner =
                twin_get(disk, TWIN_CONSTELLATION, (uint64_t)owner_id);
            if (owner->state == CONSTELLATION_LOADING) {
                drop(disk, tables[i], keys[at]);
            }
        }
        mem_free(keys);
    }
    twin_commit(disk);
}

static int64_t spend(const struct store_disk *disk, enum twin_table table, int64_t *spent)
{
    size_t count = 0;
    uint64_t *keys = twin_keys(disk, table, &count);
    if (count > 0 && (int64_t)keys[count - 1] > *spent) {
        *spent = (int64_t)keys[count - 1];
    }
    mem_free(keys);
    return *spent + 1;
}

/* The ids of tasks that an edit is about to add are its own. */
static int64_t spend_bulks(const struct store_disk *disk, int64_t *spent)
{
    size_t count = 0;
    uint64_t *keys = twin_keys(disk, TWIN_BULK, &count);
    for (size_t i = 0; i < count; i++) {
        const struct bulk_record *bulk = twin_get(disk, TWIN_BULK, keys[i]);
        int64_t last = bulk->first_task_id + (int64_t)bulk->tasks_added - 1;
        *spent = last > *spent ? last : *spent;
    }
    mem_free(keys);
    return *spent + 1;
}

/* Pieces of edits that were never admitted. The twin keeps no text of revisions. */
static void drop_orphans(struct store_disk *disk)
{
    size_t count = 0;
    uint64_t *keys = twin_keys(disk, TWIN_PIECE, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t bulk_id = keys[i] >> (PIECE_NUMBER_BITS + PIECE_KIND_BITS);
        disk->spent_hold_id =
            (int64_t)bulk_id > disk->spent_hold_id ? (int64_t)bulk_id : disk->spent_hold_id;
        if (twin_get(disk, TWIN_BULK, bulk_id) == NULL) {
            twin_remove(disk, TWIN_PIECE, keys[i]);
        }
    }
    mem_free(keys);
    twin_commit(disk);
}

void twin_begin(struct store_disk *disk, struct store_start *start)
{
    start->next_constellation_id = spend(disk, TWIN_CONSTELLATION, &disk->spent_constellation_id);
    start->next_task_id = spend(disk, TWIN_TASK, &disk->spent_task_id);
    start->next_task_id = spend_bulks(disk, &disk->spent_task_id);
    start->next_edge_id = spend(disk, TWIN_EDGE, &disk->spent_edge_id);
    drop_orphans(disk);
    start->next_hold_id = spend(disk, TWIN_HOLD, &disk->spent_hold_id);
    drop_half_loaded(disk);
}
