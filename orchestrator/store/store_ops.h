/* What an implementation of the store gives: one function an operation of store.h, whose words hold
   for these. The dispatch (store.c) keeps the rules of the turn and remembers a failure. */
#ifndef ORCHESTRATOR_STORE_STORE_OPS_H
#define ORCHESTRATOR_STORE_STORE_OPS_H

#include "orchestrator/store/store.h"

struct store_ops {
    void (*free)(struct store *store);
    enum err (*load)(struct store *store, struct engine *engine, struct reason *reason);
    enum err (*wake)(struct store *store, struct engine *engine, struct store_wake *wake,
                     size_t *budget, struct reason *reason); /* until has_all_rows */
    enum err (*apply)(struct store *store, struct effect *effect, struct reason *reason);
    enum err (*applied)(struct store *store, struct reason *reason); /* after the last of a call */
    enum err (*commit)(struct store *store, struct reason *reason);
    enum err (*task_body)(struct store *store, int64_t task_id, struct arena *arena,
                          struct str *ret_name, struct str *ret_body);
    enum err (*put_inputs)(struct store *store, int64_t task_id, struct str body,
                           struct reason *reason);
    enum err (*put_description)(struct store *store, int64_t constellation_id,
                                struct str description, struct reason *reason);
    enum err (*put_piece)(struct store *store, int64_t piece_id, struct str body,
                          struct reason *reason);
    enum err (*read_piece)(struct store *store, int64_t piece_id, struct arena *arena,
                           struct str *ret_body);
    enum err (*drop_pieces)(struct store *store, int64_t bulk_id, struct reason *reason);
    enum err (*outcome)(struct store *store, int64_t task_id, size_t stream_bytes_max,
                        struct arena *arena, struct store_outcome *ret_outcome);
    enum err (*edge_condition)(struct store *store, int64_t edge_id, struct arena *arena,
                               struct str *ret_condition, struct str *ret_arguments);
    enum err (*task_outcome)(struct store *store, int64_t constellation_id, struct str key,
                             size_t stream_bytes_max, struct arena *arena,
                             struct store_outcome *ret_outcome);
    enum err (*sync_output)(struct store *store, int64_t boot_ms, bool all,
                            store_output_durable *durable, void *context, struct reason *reason);
    int64_t (*sync_deadline)(const struct store *store);
    enum err (*read_output)(struct store *store, uint64_t fence, enum stream stream,
                            uint64_t offset, size_t bytes, struct buf *into);
    enum err (*receipt_is_ahead)(struct store *store, uint64_t epoch, const uint8_t start_id[16],
                                 uint64_t fence, bool *ret_ahead, struct reason *reason);
};

enum { PIECE_NUMBER_BITS = 24, PIECE_KIND_BITS = 2 };

/* Those of an edit stand together, by their kind, in their order. */
/* The row of a revision: those of a constellation stand together, in their order. Enough for 2^31
   constellations. */
enum { REVISION_NUMBER_BITS = 32, REVISION_BLOCK = 128 };

static inline int64_t revision_id(int64_t constellation_id, uint32_t number)
{
    return (constellation_id << REVISION_NUMBER_BITS) | number;
}

static inline int64_t piece_id(int64_t bulk_id, enum piece_kind kind, uint32_t number)
{
    return (bulk_id << PIECE_KIND_BITS | (int64_t)kind) << PIECE_NUMBER_BITS | (int64_t)number;
}

/* The first member of each implementation's own struct. */
struct store {
    const struct store_ops *ops;
    bool in_turn; /* between begin and commit */
    bool dead;    /* a write has failed: memory and disk may differ */
};

/* -1: it has not started, or not ended. The clock may have been set back in between. */
static inline int64_t store_duration_ms(int64_t started_wall_ms, int64_t ended_wall_ms)
{
    if (started_wall_ms == 0 || ended_wall_ms == 0) {
        return -1;
    }
    return ended_wall_ms > started_wall_ms ? ended_wall_ms - started_wall_ms : 0;
}

enum err store_refuse_dead(const struct store *store, struct reason *reason);
/* Of the row that a wake has found, or of none (NULL): whether it may come back. */
enum err store_wake_admit(const struct constellation_record *record, struct reason *reason);

#endif
