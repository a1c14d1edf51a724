/* The twin of the SQLite store for scenarios and the simulator: the same words of store.h, over maps.
   Simple and obviously right; what a turn costs depends on what it changes only. */
#include "orchestrator/store/store_memory.h"

#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/store/twin_change.h"

static void twin_free(struct store *store)
{
    struct store_memory *self = memory_of(store);
    twin_rollback(self->disk);
    self->disk->in_use = false;
    mem_free(self->owed);
    mem_free(self);
}

static enum err twin_applied(struct store *store, struct reason *reason)
{
    (void)store;
    (void)reason;
    return ERR_NONE;
}

static enum err turn_commit(struct store *store, struct reason *reason)
{
    (void)reason;
    struct store_memory *self = memory_of(store);
    twin_commit(self->disk);
    self->disk->fence = self->fence;
    self->disk->seq = self->seq;
    return ERR_NONE;
}

static enum err twin_put_inputs(struct store *store, int64_t task_id, struct str body,
                                struct reason *reason)
{
    struct store_disk *disk = memory_of(store)->disk;
    if (twin_get(disk, TWIN_TASK, (uint64_t)task_id) == NULL) {
        return reason_set(reason, ERR_CORRUPT, "inputs of a task that is not there");
    }
    twin_put_text(disk, TWIN_INPUTS, (uint64_t)task_id, 0, body, (struct str){ 0 });
    return ERR_NONE;
}

static enum err twin_put_description(struct store *store, int64_t constellation_id,
                                     struct str description, struct reason *reason)
{
    struct store_disk *disk = memory_of(store)->disk;
    if (twin_get(disk, TWIN_CONSTELLATION, (uint64_t)constellation_id) == NULL) {
        return reason_set(reason, ERR_CORRUPT, "a description of what is not there");
    }
    twin_put_text(disk, TWIN_DESCRIPTION, (uint64_t)constellation_id, 0, description,
                  (struct str){ 0 });
    return ERR_NONE;
}

static enum err twin_put_piece(struct store *store, int64_t id, struct str body,
                               struct reason *reason)
{
    struct store_disk *disk = memory_of(store)->disk;
    if (twin_get(disk, TWIN_PIECE, (uint64_t)id) != NULL) {
        return reason_set(reason, ERR_EXISTS, "there is such a piece already");
    }
    twin_put_text(disk, TWIN_PIECE, (uint64_t)id, 0, body, (struct str){ 0 });
    return ERR_NONE;
}

static enum err twin_drop_bulk(struct store *store, int64_t bulk_id, struct reason *reason)
{
    struct store_disk *disk = memory_of(store)->disk;
    (void)reason;
    disk->spent_hold_id = bulk_id > disk->spent_hold_id ? bulk_id : disk->spent_hold_id;
    twin_drop_pieces(disk, piece_id(bulk_id, PIECE_PART, 0),
                     piece_id(bulk_id + 1, PIECE_PART, 0) - 1);
    return ERR_NONE;
}

static enum err twin_receipt_is_ahead(struct store *store, uint64_t epoch,
                                      const uint8_t start_id[16], uint64_t fence, bool *ret_ahead,
                                      struct reason *reason)
{
    (void)reason;
    struct store_memory *self = memory_of(store);
    struct store_disk *disk = self->disk;
    bool ahead = true;
    for (size_t i = 0; i < disk->starts_count; i++) {
        const struct twin_start *start = &disk->starts[i];
        if (start->epoch == epoch && memcmp(start->start_id, start_id, 16) == 0) {
            /* A start that had assigned nothing yet promised the fence before its first. */
            uint64_t before_first = epoch << FENCE_COUNTER_BITS;
            uint64_t last = epoch == self->epoch ? self->fence : start->last_fence;
            ahead = fence > last && fence > before_first;
        }
    }
    if (ahead && epoch > disk->ahead_epoch) {
        disk->ahead_epoch = epoch;
    }
    *ret_ahead = ahead;
    return ERR_NONE;
}

static const struct store_ops store_memory_ops = {
    .free = twin_free,
    .load = twin_load,
    .wake = twin_wake,
    .apply = twin_apply,
    .applied = twin_applied,
    .commit = turn_commit,
    .task_body = twin_task_body,
    .put_inputs = twin_put_inputs,
    .put_description = twin_put_description,
    .put_piece = twin_put_piece,
    .read_piece = twin_read_piece,
    .drop_pieces = twin_drop_bulk,
    .task_outcome = twin_task_outcome,
    .outcome = twin_outcome,
    .edge_condition = twin_edge_condition,
    .sync_output = twin_sync_output,
    .sync_deadline = twin_sync_deadline,
    .read_output = twin_read_output,
    .receipt_is_ahead = twin_receipt_is_ahead,
};

enum err store_memory_open(struct store_disk *disk, const struct store_seed *seed,
                           struct store **ret_store, struct store_start *ret_start,
                           struct reason *reason)
{
    if (disk->in_use) {
        return reason_set(reason, ERR_BUSY, "another store uses this disk");
    }
    struct store_start start = { .last_seq = disk->seq, .ahead_epoch = disk->ahead_epoch };
    const uint8_t *random = seed->random + sizeof start.start_id;
    memcpy(start.start_id, seed->random, sizeof start.start_id);
    if (disk->starts_count == 0) {
        memcpy(disk->lineage, random, sizeof disk->lineage);
        memcpy(disk->secret, random + sizeof disk->lineage, sizeof disk->secret);
    } else {
        disk->starts[disk->starts_count - 1].last_fence = disk->fence;
    }
    memcpy(start.lineage, disk->lineage, sizeof start.lineage);
    memcpy(start.secret, disk->secret, sizeof start.secret);
    start.epoch = disk->starts_count + 1;
    if (start.epoch > FENCE_EPOCH_MAX) {
        return reason_set(reason, ERR_LIMIT, "the disk has been started too often");
    }
    disk->starts = mem_resize(disk->starts, (disk->starts_count + 1) * sizeof disk->starts[0]);
    struct twin_start *row = &disk->starts[disk->starts_count++];
    *row = (struct twin_start){ .epoch = start.epoch };
    memcpy(row->start_id, start.start_id, sizeof row->start_id);
    twin_begin(disk, &start);
    struct store_memory *self = mem_alloc(sizeof *self);
    self->store.ops = &store_memory_ops;
    self->disk = disk;
    self->epoch = start.epoch;
    self->fence = disk->fence;
    self->seq = disk->seq;
    disk->in_use = true;
    *ret_start = start;
    *ret_store = &self->store;
    return ERR_NONE;
}
