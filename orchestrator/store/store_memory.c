/* The twin of the SQLite store for scenarios and the simulator: the same words of store.h, over maps.
   Simple and obviously right; what a turn costs depends on what it changes only. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/store/store_ops.h"
#include "orchestrator/store/twin_change.h"

enum { SYNC_MS = 1000 };

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

static struct store_memory *memory_of(struct store *store)
{
    return (struct store_memory *)(void *)store;
}

static void twin_free(struct store *store)
{
    struct store_memory *self = memory_of(store);
    twin_rollback(self->disk);
    self->disk->in_use = false;
    mem_free(self->owed);
    mem_free(self);
}

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

static struct owed *owed_of(struct store_memory *self, uint64_t fence, enum stream stream)
{
    for (size_t i = 0; i < self->owed_count; i++) {
        if (self->owed[i].fence == fence && self->owed[i].stream == stream) {
            return &self->owed[i];
        }
    }
    return NULL;
}

static void output(struct store_memory *self, const struct effect *effect)
{
    uint64_t fence = effect->output.fence;
    enum stream stream = effect->output.stream;
    twin_append(self->disk, twin_output_key(fence, stream), effect->output.offset,
                effect->output.data);
    struct owed *owed = owed_of(self, fence, stream);
    if (owed == NULL) {
        if (self->owed_count == self->owed_capacity) {
            self->owed_capacity = self->owed_capacity == 0 ? 64 : self->owed_capacity * 2;
            self->owed = mem_resize(self->owed, self->owed_capacity * sizeof self->owed[0]);
        }
        owed = &self->owed[self->owed_count++];
        *owed = (struct owed){ .fence = fence, .stream = stream, .synced_ms = -SYNC_MS };
    }
    owed->end = effect->output.offset + effect->output.data.length;
    owed->told = false;
    owed->dirty = owed->dirty || owed->end > STORE_OUTPUT_INLINE_MAX;
}

static enum err result(struct store_memory *self, const struct effect *effect,
                       struct reason *reason)
{
    uint64_t fence = effect->result.fence;
    struct owed *out = owed_of(self, fence, STREAM_STDOUT);
    struct owed *error = owed_of(self, fence, STREAM_STDERR);
    if (out != NULL) {
        out->dirty = false;
    }
    if (error != NULL) {
        error->dirty = false;
    }
    if (twin_get(self->disk, TWIN_ATTEMPT, fence) == NULL) {
        return reason_set(reason, ERR_CORRUPT, "a result without an attempt");
    }
    twin_put_text(self->disk, TWIN_RESULT, fence, 0, effect->result.reason, effect->result.result);
    return ERR_NONE;
}

static void twin_drop_pieces(struct store_disk *disk, int64_t first, int64_t last)
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

static enum err twin_apply(struct store *store, struct effect *effect, struct reason *reason)
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
        output(self, effect);
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

static bool is_live(const struct store_disk *disk, int64_t constellation_id)
{
    const struct constellation_record *record =
        twin_get(disk, TWIN_CONSTELLATION, (uint64_t)constellation_id);
    return record != NULL && record->state != CONSTELLATION_LOADING &&
           !constellation_state_is_final(record->state);
}

/* What a load wants: constellations that are live, or one that is final (its id, not 0). */
static bool is_wanted(const struct store_disk *disk, int64_t constellation_id, int64_t final_id)
{
    return final_id == 0 ? is_live(disk, constellation_id) : constellation_id == final_id;
}

/* What a task of one that comes back refers to may have gone out of memory. */
static void load_referred(const struct store_disk *disk, const struct task_record *task,
                          struct engine *engine)
{
    engine_load_class(engine, twin_get(disk, TWIN_CLASS, (uint64_t)task->class_id));
    engine_load_policy(engine, twin_get(disk, TWIN_POLICY, (uint64_t)task->policy_id));
}

/* False: it is not wanted. */
static bool load_row(const struct store_disk *disk, enum twin_table table, uint64_t key,
                     int64_t final_id, struct engine *engine)
{
    const void *row = twin_get(disk, table, key);
    const struct twin_task *task = row;
    const struct twin_edge *edge = row;
    if (table == TWIN_CLASS) {
        engine_load_class(engine, row);
    } else if (table == TWIN_POLICY) {
        engine_load_policy(engine, row);
    } else if (table == TWIN_DEVICE) {
        engine_load_device(engine, row);
    } else if (table == TWIN_CONSTELLATION && is_wanted(disk, (int64_t)key, final_id)) {
        engine_load_constellation(engine, row);
    } else if (table == TWIN_TASK && is_wanted(disk, task->constellation_id, final_id)) {
        load_referred(disk, &task->record, engine);
        engine_load_task(engine, task->constellation_id, &task->record);
    } else if (table == TWIN_EDGE && is_wanted(disk, edge->constellation_id, final_id)) {
        engine_load_edge(engine, edge->constellation_id, &edge->record);
    } else if (table == TWIN_ATTEMPT) {
        const struct attempt_record *attempt = row;
        task = twin_get(disk, TWIN_TASK, (uint64_t)attempt->task_id);
        if (task == NULL || task->record.fence != attempt->fence ||
            !is_wanted(disk, task->constellation_id, final_id)) {
            return false;
        }
        engine_load_attempt(engine, attempt);
    } else if (table == TWIN_LIMIT &&
               is_wanted(disk, ((const struct limit_record *)row)->constellation_id, final_id)) {
        engine_load_limit(engine, row);
    } else if (table == TWIN_HOLD &&
               is_wanted(disk, ((const struct hold_record *)row)->constellation_id, final_id)) {
        twin_load_hold(disk, key, engine);
    } else if (table == TWIN_BULK) {
        engine_load_bulk(engine, row);
    } else {
        return false;
    }
    return true;
}

static void load_tables(const struct store_disk *disk, const enum twin_table *tables,
                        size_t tables_count, int64_t final_id, struct engine *engine)
{
    for (size_t i = 0; i < tables_count; i++) {
        size_t count = 0;
        uint64_t *keys = twin_keys(disk, tables[i], &count);
        for (size_t at = 0; at < count; at++) {
            load_row(disk, tables[i], keys[at], final_id, engine);
        }
        mem_free(keys);
    }
}

static enum err twin_load(struct store *store, struct engine *engine, struct reason *reason)
{
    (void)reason;
    static const enum twin_table order[] = { TWIN_CLASS,         TWIN_POLICY, TWIN_DEVICE,
                                             TWIN_CONSTELLATION, TWIN_TASK,   TWIN_EDGE,
                                             TWIN_ATTEMPT,       TWIN_LIMIT,  TWIN_HOLD,
                                             TWIN_BULK };
    load_tables(memory_of(store)->disk, order, sizeof order / sizeof order[0], 0, engine);
    return ERR_NONE;
}

static enum err twin_wake(struct store *store, struct engine *engine, struct store_wake *wake,
                          size_t *budget, struct reason *reason)
{
    static const enum twin_table order[] = { TWIN_TASK, TWIN_EDGE, TWIN_ATTEMPT, TWIN_LIMIT,
                                             TWIN_HOLD };
    const int64_t id = wake->constellation_id;
    const struct store_disk *disk = memory_of(store)->disk;
    const struct constellation_record *record = twin_get(disk, TWIN_CONSTELLATION, (uint64_t)id);
    enum err err = store_wake_admit(record, reason);
    if (err == ERR_NONE && !wake->has_begun) {
        err = engine_wake(engine, record, reason);
        wake->has_begun = err == ERR_NONE;
    }
    while (err == ERR_NONE && *budget > 0 && wake->step < sizeof order / sizeof order[0]) {
        size_t count = 0;
        uint64_t *keys = twin_keys(disk, order[wake->step], &count);
        size_t at = 0;
        while (at < count && keys[at] <= (uint64_t)wake->after_id) {
            at++;
        }
        for (; at<count && * budget> 0; at++) {
            *budget -= load_row(disk, order[wake->step], keys[at], id, engine);
            wake->after_id = (int64_t)keys[at];
        }
        mem_free(keys);
        if (at == count) {
            wake->step++;
            wake->after_id = 0;
        }
    }
    wake->has_all_rows = err == ERR_NONE && wake->step == sizeof order / sizeof order[0];
    return err;
}

static enum err twin_task_body(struct store *store, int64_t task_id, struct arena *arena,
                               struct str *ret_name, struct str *ret_body)
{
    const struct store_disk *disk = memory_of(store)->disk;
    const struct twin_text *text = twin_get(disk, TWIN_TASK_TEXT, (uint64_t)task_id);
    if (text == NULL) {
        return ERR_NOT_FOUND;
    }
    const struct twin_text *uid = twin_get(disk, TWIN_UID, (uint64_t)text->owner_id);
    const struct twin_text *inputs = twin_get(disk, TWIN_INPUTS, (uint64_t)task_id);
    struct buf name = { 0 };
    buf_printf(&name, "%.*s/%.*s", STR_ARG(uid->a), STR_ARG(text->a));
    *ret_name = arena_str(arena, (struct str){ (const char *)name.data, name.length });
    *ret_body = arena_str(arena, inputs != NULL ? inputs->a : text->b);
    buf_done(&name);
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

static enum err twin_read_output(struct store *store, uint64_t fence, enum stream stream,
                                 uint64_t offset, size_t bytes, struct buf *into)
{
    const struct store_disk *disk = memory_of(store)->disk;
    const struct attempt_record *attempt = twin_get(disk, TWIN_ATTEMPT, fence);
    if (attempt == NULL) {
        return ERR_NOT_FOUND;
    }
    const struct buf *output = map_get(&disk->outputs, twin_output_key(fence, stream));
    uint64_t length = stream == STREAM_STDERR ? attempt->stderr_bytes : attempt->stdout_bytes;
    if (output == NULL || offset >= length || offset >= output->length) {
        return ERR_NONE;
    }
    length = length < output->length ? length : output->length;
    uint64_t count = bytes < length - offset ? bytes : length - offset;
    buf_append(into, output->data + offset, (size_t)count);
    return ERR_NONE;
}

static struct str read_whole(struct store *store, uint64_t fence, enum stream stream,
                             uint64_t length, size_t bytes_max, struct arena *arena)
{
    struct buf bytes = { 0 };
    struct str data = { 0 };
    if (length > 0 && length <= bytes_max &&
        twin_read_output(store, fence, stream, 0, (size_t)length, &bytes) == ERR_NONE) {
        data = arena_str(arena, (struct str){ (const char *)bytes.data, bytes.length });
    }
    buf_done(&bytes);
    return data;
}

static enum err twin_outcome(struct store *store, int64_t task_id, size_t stream_bytes_max,
                             struct arena *arena, struct store_outcome *ret_outcome)
{
    const struct store_disk *disk = memory_of(store)->disk;
    const struct twin_task *task = twin_get(disk, TWIN_TASK, (uint64_t)task_id);
    if (task == NULL) {
        return ERR_NOT_FOUND;
    }
    struct store_outcome outcome = { .state = (enum task_state)task->record.state,
                                     .duration_ms = -1 };
    uint64_t fence = task->record.fence;
    const struct attempt_record *attempt = twin_get(disk, TWIN_ATTEMPT, fence);
    if (attempt != NULL && task->record.attempts > task->record.first_attempt) {
        const struct device_record *device =
            twin_get(disk, TWIN_DEVICE, (uint64_t)attempt->device_id);
        const struct twin_text *result_text = twin_get(disk, TWIN_RESULT, fence);
        outcome.has_run = true;
        outcome.has_exit_code = attempt->outcome == OUTCOME_EXITED;
        outcome.attempt = attempt->number;
        outcome.duration_ms = store_duration_ms(attempt->started_wall_ms, attempt->ended_wall_ms);
        outcome.exit_code = attempt->exit_code;
        outcome.stdout_bytes = attempt->stdout_bytes;
        outcome.stderr_bytes = attempt->stderr_bytes;
        outcome.device = arena_str(arena, device == NULL ? (struct str){ 0 } : device->name);
        outcome.result = arena_str(arena, result_text == NULL ? (struct str){ 0 } : result_text->b);
        outcome.stdout_data =
            read_whole(store, fence, STREAM_STDOUT, outcome.stdout_bytes, stream_bytes_max, arena);
        outcome.stderr_data =
            read_whole(store, fence, STREAM_STDERR, outcome.stderr_bytes, stream_bytes_max, arena);
    }
    *ret_outcome = outcome;
    return ERR_NONE;
}

static enum err twin_task_outcome(struct store *store, int64_t constellation_id, struct str key,
                                  size_t stream_bytes_max, struct arena *arena,
                                  struct store_outcome *ret_outcome)
{
    const struct store_disk *disk = memory_of(store)->disk;
    struct buf name = { 0 };
    const struct twin_text *text =
        strmap_get(&disk->task_ids, twin_task_name(constellation_id, key, &name));
    buf_done(&name);
    if (text == NULL) {
        return ERR_NOT_FOUND;
    }
    return twin_outcome(store, text->row_id, stream_bytes_max, arena, ret_outcome);
}

static enum err twin_edge_condition(struct store *store, int64_t edge_id, struct arena *arena,
                                    struct str *ret_condition, struct str *ret_arguments)
{
    const struct twin_text *text =
        twin_get(memory_of(store)->disk, TWIN_EDGE_TEXT, (uint64_t)edge_id);
    if (text == NULL) {
        return ERR_NOT_FOUND;
    }
    *ret_condition = arena_str(arena, text->a);
    *ret_arguments = arena_str(arena, text->b);
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

static enum err twin_read_piece(struct store *store, int64_t id, struct arena *arena,
                                struct str *ret_body)
{
    const struct twin_text *text = twin_get(memory_of(store)->disk, TWIN_PIECE, (uint64_t)id);
    if (text == NULL) {
        return ERR_NOT_FOUND;
    }
    *ret_body = arena_str(arena, text->a);
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

static enum err twin_sync_output(struct store *store, int64_t boot_ms, bool all,
                                 store_output_durable *durable, void *context,
                                 struct reason *reason)
{
    (void)reason;
    struct store_memory *self = memory_of(store);
    size_t kept = 0;
    for (size_t i = 0; i < self->owed_count; i++) {
        struct owed *owed = &self->owed[i];
        bool is_file = owed->end > STORE_OUTPUT_INLINE_MAX;
        if (owed->dirty && (all || boot_ms - owed->synced_ms >= SYNC_MS)) {
            owed->dirty = false;
            owed->synced_ms = boot_ms;
        }
        if (!owed->dirty && !owed->told) {
            owed->told = true;
            if (durable != NULL) {
                durable(context, owed->fence, owed->stream, owed->end);
            }
        }
        if (!owed->told || (is_file && boot_ms - owed->synced_ms < SYNC_MS)) {
            self->owed[kept++] = *owed;
        }
    }
    self->owed_count = kept;
    return ERR_NONE;
}

static int64_t twin_sync_deadline(const struct store *store)
{
    const struct store_memory *self = (const struct store_memory *)(const void *)store;
    int64_t deadline_ms = INT64_MAX;
    for (size_t i = 0; i < self->owed_count; i++) {
        const struct owed *owed = &self->owed[i];
        int64_t due_ms = owed->dirty ? owed->synced_ms + SYNC_MS : 0;
        if (!owed->told && due_ms < deadline_ms) {
            deadline_ms = due_ms;
        }
    }
    return deadline_ms;
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

/* What a start drops: constellations whose rows were not all in. Their ids are spent. */
static void drop_half_loaded(struct store_disk *disk)
{
    static const enum twin_table of_tasks[] = { TWIN_TASK, TWIN_TASK_TEXT, TWIN_INPUTS,
                                                TWIN_REASON };
    size_t count = 0;
    uint64_t *keys = twin_keys(disk, TWIN_TASK, &count);
    for (size_t i = 0; i < count; i++) {
        const struct twin_task *task = twin_get(disk, TWIN_TASK, keys[i]);
        const struct constellation_record *owner =
            twin_get(disk, TWIN_CONSTELLATION, (uint64_t)task->constellation_id);
        for (size_t at = 0; owner->state == CONSTELLATION_LOADING && at < 4; at++) {
            twin_remove(disk, of_tasks[at], keys[i]);
        }
    }
    mem_free(keys);
    keys = twin_keys(disk, TWIN_EDGE, &count);
    for (size_t i = 0; i < count; i++) {
        const struct twin_edge *edge = twin_get(disk, TWIN_EDGE, keys[i]);
        const struct constellation_record *owner =
            twin_get(disk, TWIN_CONSTELLATION, (uint64_t)edge->constellation_id);
        if (owner->state == CONSTELLATION_LOADING) {
            twin_remove(disk, TWIN_EDGE, keys[i]);
            twin_remove(disk, TWIN_EDGE_TEXT, keys[i]);
        }
    }
    mem_free(keys);
    keys = twin_keys(disk, TWIN_HOLD, &count);
    for (size_t i = 0; i < count; i++) {
        const struct hold_record *hold = twin_get(disk, TWIN_HOLD, keys[i]);
        const struct constellation_record *owner =
            twin_get(disk, TWIN_CONSTELLATION, (uint64_t)hold->constellation_id);
        if (owner->state == CONSTELLATION_LOADING) {
            const struct effect effect = { .kind = EFFECT_REMOVE_HOLD, .id = hold->id };
            twin_change_apply(disk, &effect, NULL);
        }
    }
    mem_free(keys);
    keys = twin_keys(disk, TWIN_LIMIT, &count);
    for (size_t i = 0; i < count; i++) {
        const struct limit_record *limit = twin_get(disk, TWIN_LIMIT, keys[i]);
        const struct constellation_record *owner =
            twin_get(disk, TWIN_CONSTELLATION, (uint64_t)limit->constellation_id);
        if (owner->state == CONSTELLATION_LOADING) {
            twin_remove(disk, TWIN_LIMIT, keys[i]);
        }
    }
    mem_free(keys);
    keys = twin_keys(disk, TWIN_CONSTELLATION, &count);
    for (size_t i = 0; i < count; i++) {
        const struct constellation_record *record = twin_get(disk, TWIN_CONSTELLATION, keys[i]);
        if (record->state == CONSTELLATION_LOADING) {
            twin_remove(disk, TWIN_CONSTELLATION, keys[i]);
            twin_remove(disk, TWIN_UID, keys[i]);
        }
    }
    mem_free(keys);
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
    start.next_constellation_id = spend(disk, TWIN_CONSTELLATION, &disk->spent_constellation_id);
    start.next_task_id = spend(disk, TWIN_TASK, &disk->spent_task_id);
    start.next_task_id = spend_bulks(disk, &disk->spent_task_id);
    start.next_edge_id = spend(disk, TWIN_EDGE, &disk->spent_edge_id);
    drop_orphans(disk);
    start.next_hold_id = spend(disk, TWIN_HOLD, &disk->spent_hold_id);
    drop_half_loaded(disk);
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
