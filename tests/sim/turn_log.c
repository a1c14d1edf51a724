#include "tests/sim/turn_log.h"

#include "common/base/mem.h"
#include "tests/sim/wish.h"

static const void *copy(struct arena *arena, const void *record, size_t bytes)
{
    return arena_copy(arena, record, bytes);
}

static void copy_record(struct effect *effect, struct arena *arena)
{
    switch ((int)effect->kind) {
    case EFFECT_ADD_CONSTELLATION:
    case EFFECT_SAVE_CONSTELLATION:
        effect->constellation.record =
            copy(arena, effect->constellation.record, sizeof *effect->constellation.record);
        break;
    case EFFECT_ADD_TASK:
    case EFFECT_SAVE_TASK:
    case EFFECT_TASK_TEXT:
        effect->task.record = copy(arena, effect->task.record, sizeof *effect->task.record);
        break;
    case EFFECT_ADD_ATTEMPT:
    case EFFECT_SAVE_ATTEMPT:
        effect->attempt = copy(arena, effect->attempt, sizeof *effect->attempt);
        break;
    case EFFECT_SAVE_DEVICE: {
        struct device_record record = *effect->device;
        record.name = arena_str(arena, record.name);
        record.journal_id = arena_str(arena, record.journal_id);
        effect->device = copy(arena, &record, sizeof record);
        break;
    }
    default:
        break;
    }
}

struct segment *turn_log_cut(struct turn_log *log, struct wish *wish, const struct effects *effects,
                             struct arena *arena)
{
    if (log->taken == effects->count) {
        return NULL;
    }
    if (log->count == log->capacity) {
        log->capacity = log->capacity == 0 ? 8 : log->capacity * 2;
        log->segments = mem_resize(log->segments, log->capacity * sizeof log->segments[0]);
    }
    struct segment *segment = &log->segments[log->count++];
    *segment = (struct segment){ .wish = wish, .count = effects->count - log->taken };
    segment->list = arena_array(arena, segment->count, sizeof segment->list[0]);
    for (size_t i = 0; i < segment->count; i++) {
        segment->list[i] = effects->list[log->taken + i];
        copy_record(&segment->list[i], arena);
    }
    log->taken = effects->count;
    return segment;
}

void turn_log_refused(struct turn_log *log, int64_t task_id)
{
    if (log->refused_count == log->refused_capacity) {
        log->refused_capacity = log->refused_capacity == 0 ? 8 : log->refused_capacity * 2;
        log->refused = mem_resize(log->refused, log->refused_capacity * sizeof log->refused[0]);
    }
    log->refused[log->refused_count++] = task_id;
}

void turn_log_evaluated(struct turn_log *log, const struct event *event)
{
    if (log->evaluated_count == log->evaluated_capacity) {
        log->evaluated_capacity = log->evaluated_capacity == 0 ? 8 : log->evaluated_capacity * 2;
        log->evaluated =
            mem_resize(log->evaluated, log->evaluated_capacity * sizeof log->evaluated[0]);
    }
    log->evaluated[log->evaluated_count++] =
        (struct evaluated){ .edge_id = event->evaluated.edge_id,
                            .opens = event->evaluated.opens,
                            .failed = event->evaluated.reason.length > 0 };
}

const struct evaluated *turn_log_answer(const struct turn_log *log, int64_t edge_id)
{
    for (size_t i = log->evaluated_count; i > 0; i--) {
        if (log->evaluated[i - 1].edge_id == edge_id) {
            return &log->evaluated[i - 1];
        }
    }
    return NULL;
}

void turn_log_clear(struct turn_log *log)
{
    log->count = 0;
    log->taken = 0;
    log->evaluated_count = 0;
    log->refused_count = 0;
}

void turn_log_done(struct turn_log *log)
{
    mem_free(log->segments);
    mem_free(log->evaluated);
    mem_free(log->refused);
    *log = (struct turn_log){ 0 };
}

const struct effect *segment_reply(const struct segment *segment)
{
    for (size_t i = 0; segment->wish != NULL && i < segment->count; i++) {
        if (segment->list[i].kind == EFFECT_REPLY &&
            segment->list[i].reply.request == WISH_REQUESTS + segment->wish->index) {
            return &segment->list[i];
        }
    }
    return NULL;
}

bool segment_has(const struct segment *segment, enum effect_kind kind)
{
    for (size_t i = 0; i < segment->count; i++) {
        if (segment->list[i].kind == kind) {
            return true;
        }
    }
    return false;
}

bool segment_is_done(const struct segment *segment)
{
    if (segment->step != BULK_STEP_NONE) {
        return segment->step == BULK_STEP_PART ||
               (segment->step == BULK_STEP_ADMIT && segment_has(segment, EFFECT_PUT_BULK));
    }
    const struct effect *reply = segment_reply(segment);
    return reply != NULL && reply->reply.err == ERR_NONE;
}
