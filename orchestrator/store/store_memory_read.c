/* What the evaluator, the assignment and the API read of the twin. */
#include "orchestrator/store/store_memory.h"

enum err twin_task_body(struct store *store, int64_t task_id, struct arena *arena,
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

enum err twin_read_output(struct store *store, uint64_t fence, enum stream stream, uint64_t offset,
                          size_t bytes, struct buf *into)
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

enum err twin_outcome(struct store *store, int64_t task_id, size_t stream_bytes_max,
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

enum err twin_task_outcome(struct store *store, int64_t constellation_id, struct str key,
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

enum err twin_edge_condition(struct store *store, int64_t edge_id, struct arena *arena,
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

enum err twin_read_piece(struct store *store, int64_t id, struct arena *arena, struct str *ret_body)
{
    const struct twin_text *text = twin_get(memory_of(store)->disk, TWIN_PIECE, (uint64_t)id);
    if (text == NULL) {
        return ERR_NOT_FOUND;
    }
    *ret_body = arena_str(arena, text->a);
    return ERR_NONE;
}
