/* Effects of what runs to rows: attempts and what they put out, devices, and what happened. */
#include "common/base/check.h"
#include "orchestrator/store/device_json.h"
#include "orchestrator/store/store_sqlite_row.h"

static enum err add_attempt(struct store_sqlite *self, const struct attempt_record *record,
                            struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_ADD_ATTEMPT], (int64_t)record->fence, record->state,
                 record->outcome, record->exit_code, record->signal, record->output_truncated,
                 record->stop_wanted, record->started_wall_ms, record->ended_wall_ms,
                 (int64_t)record->stdout_bytes, (int64_t)record->stderr_bytes,
                 (int64_t)record->previous, record->constellation_id, record->task_id,
                 record->device_id, (int64_t)record->session, record->number,
                 record->assigned_wall_ms, record->given_up);
    self->fence = record->fence > self->fence ? record->fence : self->fence;
    return row_run(self, ROW_ADD_ATTEMPT, reason);
}

static enum err save_attempt(struct store_sqlite *self, const struct attempt_record *record,
                             struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_SAVE_ATTEMPT], (int64_t)record->fence, record->state,
                 record->outcome, record->exit_code, record->signal, record->output_truncated,
                 record->stop_wanted, record->started_wall_ms, record->ended_wall_ms,
                 (int64_t)record->stdout_bytes, (int64_t)record->stderr_bytes, record->given_up);
    return row_run_on(self, ROW_SAVE_ATTEMPT, reason);
}

static enum err save_device(struct store_sqlite *self, const struct device_record *record,
                            struct reason *reason)
{
    const struct msg_profile *profile = &record->profile;
    sqlite3_stmt *statement = self->rows[ROW_SAVE_DEVICE];
    BIND_NUMBERS(statement, record->id, (int64_t)record->process_id, (int64_t)record->session,
                 (int64_t)record->fence, record->connected_wall_ms, profile->cpus,
                 (int64_t)profile->memory_bytes, profile->slots);
    const struct str words[] = { record->name,          record->journal_id, record->boot_id,
                                 record->agent_version, profile->os,        profile->arch,
                                 profile->hostname };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        sqlite_bind_text(statement, 9 + (int)i, words[i]);
    }
    struct buf *json = &self->scratch;
    buf_clear(json);
    device_json_list(json, profile->executors, profile->executors_count);
    size_t executors = json->length;
    device_json_list(json, profile->tools, profile->tools_count);
    size_t tools = json->length;
    device_json_labels(json, profile->labels, profile->labels_count);
    size_t labels = json->length;
    device_json_resources(json, profile->resources, profile->resources_count);
    const char *text = buf_text(json);
    sqlite_bind_text(statement, 16, (struct str){ text, executors });
    sqlite_bind_text(statement, 17, (struct str){ text + executors, tools - executors });
    sqlite_bind_text(statement, 18, (struct str){ text + tools, labels - tools });
    sqlite3_bind_int64(statement, 19, record->draining);
    sqlite_bind_text(statement, 20, (struct str){ text + labels, json->length - labels });
    return row_run(self, ROW_SAVE_DEVICE, reason);
}

static enum err task_reason(struct store_sqlite *self, int64_t task_id, struct str text,
                            struct reason *reason)
{
    BIND_NUMBERS(self->rows[ROW_TASK_REASON], task_id);
    sqlite_bind_text(self->rows[ROW_TASK_REASON], 2, text);
    return row_run_on(self, ROW_TASK_REASON, reason);
}

static enum err output(struct store_sqlite *self, const struct effect *effect,
                       struct reason *reason)
{
    uint64_t fence = effect->output.fence;
    uint64_t offset = effect->output.offset;
    struct str data = effect->output.data;
    if (offset < STORE_OUTPUT_INLINE_MAX) {
        size_t room = (size_t)(STORE_OUTPUT_INLINE_MAX - offset);
        struct str head = { data.data, data.length < room ? data.length : room };
        enum row row = effect->output.stream == STREAM_STDERR ? ROW_STDERR : ROW_STDOUT;
        BIND_NUMBERS(self->rows[row], (int64_t)fence, (int64_t)offset);
        sqlite_bind_blob(self->rows[row], 3, head);
        enum err err = row_run(self, row, reason);
        if (err != ERR_NONE) {
            return err;
        }
        output_files_note(self->files, fence, effect->output.stream, offset + head.length);
        data = (struct str){ data.data + head.length, data.length - head.length };
        offset += head.length;
    }
    if (data.length == 0) {
        return ERR_NONE;
    }
    return output_files_write(self->files, fence, effect->output.stream, offset, data, reason);
}

static enum err result(struct store_sqlite *self, const struct effect *effect,
                       struct reason *reason)
{
    enum err err = output_files_finish(self->files, effect->result.fence, reason);
    if (err != ERR_NONE || effect->result.reason.length + effect->result.result.length == 0) {
        return err;
    }
    sqlite3_stmt *statement = self->rows[ROW_RESULT];
    BIND_NUMBERS(statement, (int64_t)effect->result.fence);
    sqlite_bind_text(statement, 2, effect->result.reason);
    sqlite_bind_text(statement, 3, effect->result.result);
    if (effect->result.result.length == 0) {
        sqlite3_bind_null(statement, 3);
    }
    return row_run_on(self, ROW_RESULT, reason);
}

static enum err history(struct store_sqlite *self, struct history *history, struct reason *reason)
{
    history->seq = ++self->seq;
    sqlite3_stmt *statement = self->rows[ROW_HISTORY];
    BIND_NUMBERS(statement, history->seq, history->wall_ms, history->kind,
                 history->constellation_id, history->task_id, history->device_id,
                 (int64_t)history->fence, history->state, history->outcome, history->number);
    if (history->text.length == 0) {
        sqlite3_bind_null(statement, 11);
    } else {
        sqlite_bind_text(statement, 11, history->text);
    }
    enum err err = row_run(self, ROW_HISTORY, reason);
    if (err != ERR_NONE || history->kind != HISTORY_CONSTELLATION_SUBMITTED) {
        return err;
    }
    /* Kept with the constellation as well, which outlives its events. */
    BIND_NUMBERS(self->rows[ROW_SUBMITTED], history->constellation_id, history->seq);
    err = row_run_on(self, ROW_SUBMITTED, reason);
    if (err != ERR_NONE) {
        return err;
    }
    BIND_NUMBERS(self->rows[ROW_SUBMITTED_BY], history->constellation_id);
    sqlite_bind_text(self->rows[ROW_SUBMITTED_BY], 2, history->text);
    return row_run_on(self, ROW_SUBMITTED_BY, reason);
}

enum err attempt_apply(struct store_sqlite *self, struct effect *effect, struct reason *reason)
{
    switch ((int)effect->kind) {
    case EFFECT_ADD_ATTEMPT:
        return add_attempt(self, effect->attempt, reason);
    case EFFECT_SAVE_ATTEMPT:
        return save_attempt(self, effect->attempt, reason);
    case EFFECT_SAVE_DEVICE:
        return save_device(self, effect->device, reason);
    case EFFECT_TASK_REASON:
        return task_reason(self, effect->reason.task_id, effect->reason.text, reason);
    case EFFECT_OUTPUT:
        return output(self, effect, reason);
    case EFFECT_RESULT:
        return result(self, effect, reason);
    default:
        CHECK(effect->kind == EFFECT_HISTORY);
        return history(self, &effect->history, reason);
    }
}
