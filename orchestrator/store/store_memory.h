/* The inside of the twin, shared by its own files only:
       store_memory.c        its operations: opening, commit, texts
       store_memory_start.c  what a start does with what the last one left
       store_memory_row.c    effects to rows
       twin_change.c         those of a plan that changes, and of holds
       store_memory_load.c   rows to the engine
       store_memory_read.c   what the evaluator, the assignment and the API read
       store_memory_output.c what is owed of output
       twin_disk.c           tables, and the log of the open transaction */
#ifndef ORCHESTRATOR_STORE_STORE_MEMORY_H
#define ORCHESTRATOR_STORE_STORE_MEMORY_H

#include "orchestrator/store/store_ops.h"
#include "orchestrator/store/twin_disk.h"

/* Output that somebody must be told of, or whose file was synced less than a second ago. */
struct owed {
    uint64_t fence;
    enum stream stream;
    uint64_t end;
    bool told;
    bool dirty;
    int64_t synced_ms;
};

struct store_memory {
    struct store store;
    struct store_disk *disk;
    uint64_t epoch;
    uint64_t fence;
    int64_t seq;
    struct owed *owed;
    size_t owed_count;
    size_t owed_capacity;
};

static inline struct store_memory *memory_of(struct store *store)
{
    return (struct store_memory *)(void *)store;
}

/* At a start: the numbers of what is there are spent, then what is half there goes. Committed. */
void twin_begin(struct store_disk *disk, struct store_start *start);

void twin_output(struct store_memory *self, const struct effect *effect);
void twin_output_ended(struct store_memory *self, uint64_t fence); /* its result syncs it */
void twin_drop_pieces(struct store_disk *disk, int64_t first, int64_t last);

/* The operations, for the table in store_memory.c. */
enum err twin_apply(struct store *store, struct effect *effect, struct reason *reason);
enum err twin_load(struct store *store, struct engine *engine, struct reason *reason);
enum err twin_wake(struct store *store, struct engine *engine, struct store_wake *wake,
                   size_t *budget, struct reason *reason);
enum err twin_task_body(struct store *store, int64_t task_id, struct arena *arena,
                        struct str *ret_name, struct str *ret_body);
enum err twin_outcome(struct store *store, int64_t task_id, size_t stream_bytes_max,
                      struct arena *arena, struct store_outcome *ret_outcome);
enum err twin_task_outcome(struct store *store, int64_t constellation_id, struct str key,
                           size_t stream_bytes_max, struct arena *arena,
                           struct store_outcome *ret_outcome);
enum err twin_edge_condition(struct store *store, int64_t edge_id, struct arena *arena,
                             struct str *ret_condition, struct str *ret_arguments);
enum err twin_read_piece(struct store *store, int64_t id, struct arena *arena,
                         struct str *ret_body);
enum err twin_read_output(struct store *store, uint64_t fence, enum stream stream, uint64_t offset,
                          size_t bytes, struct buf *into);
enum err twin_sync_output(struct store *store, int64_t boot_ms, bool all,
                          store_output_durable *durable, void *context, struct reason *reason);
int64_t twin_sync_deadline(const struct store *store);

#endif
