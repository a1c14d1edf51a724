/* Effects to rows of the twin. */
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/store/store_memory.h"
#include "orchestrator/store/twin_change.h"

/* A SAVE without the row is a bug that the real store finds as well. */
static enum err put_record(struct store_disk *disk, enum twin_table table, int64_t id, bool is_new,
                           const void *record, size_t bytes, struct reason *reason)
{
    if ((twin_get(disk, table, (uint64_t)id) == NULL) != is_new) {
        return reason_set(reason, is_new ? ERR_EXISTS : ERR_CORRUPT, "row %lld of table %d is %s",
                          (long long)id, (int)table, is_new ? "there already" : "missing");
    }
    twin_put_take(disk, table, (uint64_t)id, mem_copy(record, bytes));
    return ERR_NONE;
}

static enum err put_task(struct store_disk *disk, const struct effect *effect, bool is_new,
                         struct reason *reason)
{
    struct twin_task row;
    memset(&row, 0, sizeof row);
    row.record = *effect->task.record;
    row.constellation_id = effect->task.constellation_id;
    const struct twin_task *old = twin_get(disk, TWIN_TASK, (uint64_t)row.record.id);
    if (old != NULL) {
        row.constellation_id = old->constellation_id;
    }
    if (old != NULL && effect->task.is_stamp) {
        row.record = old->record;
        row.record.revision = effect->task.record->revision;
    }
    enum err err = put_record(disk, TWIN_TASK, row.record.id, is_new, &row, sizeof row, reason);
    if (err == ERR_NONE && is_new) {
        twin_put_text(disk, TWIN_TASK_TEXT, (uint64_t)row.record.id, row.constellation_id,
                      effect->task.plan->key, effect->task.plan->body);
    }
    return err;
}

static enum err put_edge(struct store_disk *disk, const struct effect *effect, bool is_new,
                         struct reason *reason)
{
    struct twin_edge row = { effect->edge.record, effect->edge.constellation_id };
    const struct twin_edge *old = twin_get(disk, TWIN_EDGE, (uint64_t)row.record.id);
    if (old != NULL) {
        row = *old; /* a decision leaves the rest alone */
        row.record.decision = effect->edge.record.decision;
        row.record.fence = effect->edge.record.fence;
    }
    enum err err = put_record(disk, TWIN_EDGE, row.record.id, is_new, &row, sizeof row, reason);
    if (err != ERR_NONE) {
        return err;
    }
    if (is_new && row.record.conditional) {
        twin_put_edge_text(disk, row.record.id, effect->edge.plan);
    } else if (!is_new && row.record.decision == EDGE_UNDECIDED) {
        twin_remove(disk, TWIN_EDGE_REASON, (uint64_t)row.record.id);
    }
    return ERR_NONE;
}

static enum err result(struct store_memory *self, const struct effect *effect,
                       struct reason *reason)
{
    uint64_t fence = effect->result.fence;
    twin_output_ended(self, fence);
    if (twin_get(self->disk, TWIN_ATTEMPT, fence) == NULL) {
        return reason_set(reason, ERR_CORRUPT, "a result without an attempt");
    }
    twin_put_text(self->disk, TWIN_RESULT, fence, 0, effect->result.reason, effect->result.result);
    return ERR_NONE;
}

void twin_drop_pieces(struct store_disk *disk, int64_t first, int64_t last)
{
    size_t count = 0;
    uint64_t *keys = twin_keys(disk, TWIN_PIECE, &count);
    for (size_t i = 0; i < count; i++) {
        if ((int64_t)keys[i] >= first && (int64_t)keys[i] <= last) {
            twin_remove(disk, TWIN_PIECE, keys[i]);
        }
    }
    mem_free(keys);
}

enum err twin_apply(struct store *store, struct effect *effect, struct reason *reason)
{
    struct store_memory *self = memory_of(store);
    struct store_disk *disk = self->disk;
    enum err err = ERR_NONE;
    bool is_new = effect->kind == EFFECT_ADD_CONSTELLATION || effect->kind == EFFECT_ADD_TASK ||
                  effect->kind == EFFECT_ADD_EDGE || effect->kind == EFFECT_ADD_ATTEMPT;
    switch (effect->kind) {
    case EFFECT_ADD_CLASS:
        twin_put_take(disk, TWIN_CLASS, (uint64_t)effect->class->id, twin_class_row(effect->class));
        return ERR_NONE;
    case EFFECT_ADD_POLICY:
        return put_record(disk, TWIN_POLICY, effect->policy->id, true, effect->policy,
                          sizeof *effect->policy, reason);
    case EFFECT_ADD_CONSTELLATION:
    case EFFECT_SAVE_CONSTELLATION: {
        const struct constellation_record *record = effect->constellation.record;
        if (effect->constellation.is_stamp) {
            return ERR_NONE; /* its revision says it all */
        }
        err = put_record(disk, TWIN_CONSTELLATION, record->id, is_new, record, sizeof *record,
                         reason);
        if (err == ERR_NONE && is_new) {
            twin_put_text(disk, TWIN_UID, (uint64_t)record->id, 0, effect->constellation.uid,
                          effect->constellation.plan->source);
        }
        return err;
    }
    case EFFECT_ADD_TASK:
    case EFFECT_SAVE_TASK:
        return put_task(disk, effect, is_new, reason);
    case EFFECT_ADD_EDGE:
    case EFFECT_SAVE_EDGE:
        return put_edge(disk, effect, is_new, reason);
    case EFFECT_ADD_ATTEMPT:
    case EFFECT_SAVE_ATTEMPT:
        self->fence = effect->attempt->fence > self->fence ? effect->attempt->fence : self->fence;
        return put_record(disk, TWIN_ATTEMPT, (int64_t)effect->attempt->fence, is_new,
                          effect->attempt, sizeof *effect->attempt, reason);
    case EFFECT_SAVE_DEVICE:
        twin_put_take(disk, TWIN_DEVICE, (uint64_t)effect->device->id,
                      twin_device_row(effect->device));
        return ERR_NONE;
    case EFFECT_TASK_REASON:
        twin_put_text(disk, TWIN_REASON, (uint64_t)effect->reason.task_id, 0, effect->reason.text,
                      (struct str){ 0 });
        return ERR_NONE;
    case EFFECT_OUTPUT:
        twin_output(self, effect);
        return ERR_NONE;
    case EFFECT_RESULT:
        return result(self, effect, reason);
    case EFFECT_HISTORY:
        effect->history.seq = ++self->seq;
        return ERR_NONE;
    case EFFECT_ADD_LIMIT:
    case EFFECT_ADD_HOLD:
    case EFFECT_ADD_HOLD_TASK:
    case EFFECT_REMOVE_HOLD:
    case EFFECT_REMOVE_TASK:
    case EFFECT_REMOVE_EDGE:
    case EFFECT_TASK_TEXT:
    case EFFECT_DROP_INPUTS:
    case EFFECT_EDGE_TEXT:
    case EFFECT_EDGE_REASON:
    case EFFECT_ADD_REVISION:
        return twin_change_apply(disk, effect, reason);
    case EFFECT_PUT_BULK:
        twin_put_take(disk, TWIN_BULK, (uint64_t)effect->bulk.id,
                      mem_copy(&effect->bulk, sizeof effect->bulk));
        return ERR_NONE;
    case EFFECT_REMOVE_BULK:
        twin_remove(disk, TWIN_BULK, (uint64_t)effect->id);
        twin_drop_pieces(disk, piece_id(effect->id, PIECE_PART, 0),
                         piece_id(effect->id, PIECE_OPERATIONS, 0) - 1);
        return ERR_NONE;
    case EFFECT_KEEP_EDGE: /* decisions are with their edges here */
    case EFFECT_EVALUATE:
    case EFFECT_PREPARE:
    case EFFECT_SEND:
    case EFFECT_ASSIGN:
    case EFFECT_CLOSE:
    case EFFECT_REPLY:
    case EFFECT_PLAN_DONE:
        break;
    }
    return ERR_NONE;
}
