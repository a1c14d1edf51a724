/* The dispatch from the contract to an implementation, and what holds for all of them: the order of
   the turn, and that nothing follows a failure. */
#include "orchestrator/store/store.h"

#include "common/base/check.h"
#include "orchestrator/store/store_ops.h"

enum err store_refuse_dead(const struct store *store, struct reason *reason)
{
    if (store->dead) {
        return reason_set(reason, ERR_CLOSED,
                          "an earlier write failed: the database must be opened again");
    }
    return ERR_NONE;
}

/* A write has been tried: from its failure on the store is dead. */
static enum err judge(struct store *store, enum err err)
{
    if (err != ERR_NONE) {
        store->dead = true;
    }
    return err;
}

void store_free(struct store *store)
{
    if (store != NULL) {
        store->ops->free(store);
    }
}

enum err store_load(struct store *store, struct engine *engine, struct reason *reason)
{
    CHECK(!store->in_turn);
    return store->ops->load(store, engine, reason);
}

enum err store_wake_admit(const struct constellation_record *record, struct reason *reason)
{
    if (record == NULL || record->state == CONSTELLATION_LOADING) {
        return reason_set(reason, ERR_NOT_FOUND, "there is no such constellation");
    }
    if (!constellation_state_is_final(record->state)) {
        return reason_set(reason, ERR_CONFLICT, "it is not final");
    }
    return ERR_NONE;
}

enum err store_wake(struct store *store, struct engine *engine, struct store_wake *wake,
                    size_t *budget, struct reason *reason)
{
    CHECK(store->in_turn && !wake->is_whole);
    enum err err = store_refuse_dead(store, reason);
    if (err == ERR_NONE) {
        /* With all rows handed over too: it may have been deleted. */
        err = store->ops->wake(store, engine, wake, budget, reason);
    }
    if (err == ERR_NONE && wake->has_all_rows && *budget > 0) {
        *budget = engine_wake_order(engine, wake->constellation_id, *budget);
        wake->is_whole = *budget > 0;
    }
    if (err != ERR_NONE && wake->has_begun) {
        engine_wake_drop(engine, wake->constellation_id);
    }
    return err;
}

enum err store_begin(struct store *store, struct reason *reason)
{
    CHECK(!store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    store->in_turn = err == ERR_NONE;
    return err;
}

enum err store_apply(struct store *store, struct effects *effects, struct reason *reason)
{
    CHECK(store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    bool any = effects->applied < effects->count;
    while (err == ERR_NONE && effects->applied < effects->count) {
        err = store->ops->apply(store, &effects->list[effects->applied], reason);
        effects->applied++;
    }
    if (err == ERR_NONE && any) {
        err = store->ops->applied(store, reason);
    }
    return judge(store, err);
}

enum err store_commit(struct store *store, struct reason *reason)
{
    CHECK(store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    if (err == ERR_NONE) {
        err = judge(store, store->ops->commit(store, reason));
    }
    store->in_turn = false;
    return err;
}

enum err store_task_body(struct store *store, int64_t task_id, struct arena *arena,
                         struct str *ret_name, struct str *ret_body)
{
    return store->ops->task_body(store, task_id, arena, ret_name, ret_body);
}

enum err store_put_inputs(struct store *store, int64_t task_id, struct str body,
                          struct reason *reason)
{
    CHECK(store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    return judge(store, store->ops->put_inputs(store, task_id, body, reason));
}

enum err store_put_description(struct store *store, int64_t constellation_id,
                               struct str description, struct reason *reason)
{
    CHECK(store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    return judge(store, store->ops->put_description(store, constellation_id, description, reason));
}

enum err store_put_piece(struct store *store, int64_t bulk_id, enum piece_kind kind,
                         uint32_t number, struct str body, struct reason *reason)
{
    CHECK(store->in_turn && bulk_id > 0 && number < 1U << PIECE_NUMBER_BITS);
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    return judge(store,
                 store->ops->put_piece(store, piece_id(bulk_id, kind, number), body, reason));
}

enum err store_read_piece(struct store *store, int64_t bulk_id, enum piece_kind kind,
                          uint32_t number, struct arena *arena, struct str *ret_body)
{
    return store->ops->read_piece(store, piece_id(bulk_id, kind, number), arena, ret_body);
}

enum err store_drop_pieces(struct store *store, int64_t bulk_id, struct reason *reason)
{
    CHECK(store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    return judge(store, store->ops->drop_pieces(store, bulk_id, reason));
}

enum err store_outcome(struct store *store, int64_t task_id, size_t stream_bytes_max,
                       struct arena *arena, struct store_outcome *ret_outcome)
{
    return store->ops->outcome(store, task_id, stream_bytes_max, arena, ret_outcome);
}

enum err store_edge_condition(struct store *store, int64_t edge_id, struct arena *arena,
                              struct str *ret_condition, struct str *ret_arguments)
{
    return store->ops->edge_condition(store, edge_id, arena, ret_condition, ret_arguments);
}

enum err store_task_outcome(struct store *store, int64_t constellation_id, struct str key,
                            size_t stream_bytes_max, struct arena *arena,
                            struct store_outcome *ret_outcome)
{
    return store->ops->task_outcome(store, constellation_id, key, stream_bytes_max, arena,
                                    ret_outcome);
}

enum err store_sync_output(struct store *store, int64_t boot_ms, bool all,
                           store_output_durable *durable, void *context, struct reason *reason)
{
    CHECK(!store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    return judge(store, store->ops->sync_output(store, boot_ms, all, durable, context, reason));
}

int64_t store_sync_deadline(const struct store *store)
{
    return store->ops->sync_deadline(store);
}

enum err store_read_output(struct store *store, uint64_t fence, enum stream stream, uint64_t offset,
                           size_t bytes, struct buf *into)
{
    return store->ops->read_output(store, fence, stream, offset, bytes, into);
}

enum err store_receipt_is_ahead(struct store *store, uint64_t epoch, const uint8_t start_id[16],
                                uint64_t fence, bool *ret_ahead, struct reason *reason)
{
    CHECK(!store->in_turn);
    enum err err = store_refuse_dead(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    return judge(store,
                 store->ops->receipt_is_ahead(store, epoch, start_id, fence, ret_ahead, reason));
}
