/* /events: the audit. From where the client left off it is replayed out of the table, a slice at a time;
   then each commit's events are written as they come, encoded once for all. A reader that does not
   keep up falls back to the table, so nothing is lost to it and nothing is queued for it. */
#include <inttypes.h>
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/event_json.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/poll.h"
#include "orchestrator/store/query_event.h"

enum { REPLAY_ROWS = 500, REPLAY_WRITE_BYTES = 32 * 1024 };

struct events_stream {
    struct api_stream stream;
    int64_t constellation_id; /* 0: all */
    int64_t at;               /* the last event that it has, or does not want */
    bool is_live;             /* `at` is the newest: the next commit is its next news */
};

static void events_free(struct api_stream *stream)
{
    mem_free(stream);
}

/* Writes what has been gathered; false: the reader has no room for more now, or is gone. */
static bool flush(struct api *api, struct events_stream *events, struct buf *text)
{
    bool written =
        stream_write(api, &events->stream, (struct str){ (const char *)text->data, text->length });
    buf_clear(text);
    return written && stream_has_room(api, &events->stream);
}

static void events_pump(struct api *api, struct api_stream *stream)
{
    struct events_stream *events = (struct events_stream *)stream;
    if (events->is_live || !stream_has_room(api, stream)) {
        return; /* nothing to do, or called again when there is room */
    }
    struct query_events slice;
    struct reason reason;
    if (query_events(api->config.store, events->at, events->constellation_id, REPLAY_ROWS,
                     &api->arena, &slice, &reason) != ERR_NONE) {
        stream_end(api, stream); /* the client comes back with its Last-Event-ID */
        return;
    }
    struct buf text = { NULL, 0, 0 };
    bool has_room = true;
    for (size_t i = 0; i < slice.count && has_room; i++) {
        event_write(api, &slice.list[i], &text);
        events->at = slice.list[i].seq;
        if (text.length >= REPLAY_WRITE_BYTES) {
            has_room = flush(api, events, &text);
        }
    }
    if (has_room) {
        events->at = slice.scanned_seq;
        flush(api, events, &text);
    }
    buf_done(&text);
    if (events->at >= api->seq) {
        events->is_live = true;
    } else if (has_room) {
        stream_due(api, stream, api_now(api).boot_ms);
    }
}

static const struct stream_kind events_kind = {
    .index = STREAM_EVENTS,
    .has_heartbeat = true,
    .pump = events_pump,
    .free = events_free,
};

/* A commit's events, encoded once: all of them, and where each begins. */
struct batch {
    struct buf text;
    size_t *ends;
    const struct history **list;
    size_t count;
};

static void batch_make(struct api *api, const struct effects *effects, struct batch *batch)
{
    batch->ends = arena_array(&api->arena, effects->count, sizeof(*batch->ends));
    batch->list = arena_array(&api->arena, effects->count, sizeof(*batch->list));
    for (size_t i = 0; i < effects->count; i++) {
        if (effects->list[i].kind == EFFECT_HISTORY) {
            event_write(api, &effects->list[i].history, &batch->text);
            batch->list[batch->count] = &effects->list[i].history;
            batch->ends[batch->count++] = batch->text.length;
        }
    }
}

static void batch_send(struct api *api, const struct batch *batch, struct events_stream *events)
{
    struct api_stream *stream = &events->stream;
    if (batch->text.length > STREAM_QUEUED_BYTES_HIGH || !stream_has_room(api, stream)) {
        events->is_live = false;
        stream_due(api, stream, api_now(api).boot_ms);
        return;
    }
    const char *text = (const char *)batch->text.data;
    events->at = api->seq;
    if (events->constellation_id == 0) {
        stream_write(api, stream, (struct str){ text, batch->text.length });
        return;
    }
    size_t from = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->list[i]->constellation_id == events->constellation_id &&
            !stream_write(api, stream, (struct str){ text + from, batch->ends[i] - from })) {
            return;
        }
        from = batch->ends[i];
    }
}

void events_committed(struct api *api, const struct effects *effects)
{
    struct streams *streams = &api->streams;
    if (streams->open[STREAM_EVENTS] == 0) {
        return;
    }
    struct batch batch = { .count = 0 };
    bool is_made = false;
    for (size_t i = 0; i < streams->count; i++) {
        struct api_stream *stream = streams->list[i];
        struct events_stream *events = (struct events_stream *)stream;
        if (stream->kind != &events_kind || stream->is_gone || !events->is_live) {
            continue;
        }
        if (!is_made) {
            batch_make(api, effects, &batch);
            is_made = true;
        }
        if (batch.count > 0) {
            batch_send(api, &batch, events);
        }
    }
    buf_done(&batch.text);
}

/* "LINEAGE8-SEQ" or "SEQ". False: another database's, or not an id at all. */
static bool read_id(const struct api *api, struct str text, int64_t *ret_seq)
{
    const char *dash = text.length == 0 ? NULL : memchr(text.data, '-', text.length);
    if (dash != NULL) {
        size_t length = (size_t)(dash - text.data);
        if (!str_is((struct str){ text.data, length }, api->lineage)) {
            return false;
        }
        text = (struct str){ dash + 1, text.length - length - 1 };
    }
    uint64_t seq = 0;
    if (!str_to_uint64(text, INT64_MAX, &seq)) {
        return false;
    }
    *ret_seq = (int64_t)seq;
    return true;
}

bool events_find_start(struct api *api, const struct api_call *call, int64_t first_seq,
                       int64_t *ret_at)
{
    uint64_t request = call->request->id;
    struct str text = call->request->last_event_id;
    int64_t at = api->seq;
    if (text.length == 0 && !args_get(&call->args, "since", &text)) {
        *ret_at = at;
        return true;
    }
    if (!read_id(api, text, &at) || at > api->seq) {
        reply_problem(api, request, PROBLEM_EVENT_GAP,
                      "this is not an event of this database: begin again without it");
        return false;
    }
    int64_t oldest = 0;
    int64_t newest = 0;
    struct reason reason;
    enum err err = query_event_range(api->config.store, &oldest, &newest, &reason);
    if (err != ERR_NONE) {
        reply_failed(api, request, err, &reason);
        return false;
    }
    if (first_seq > 0 && at < first_seq - 1) {
        at = first_seq - 1; /* nothing of this constellation came before */
    }
    if (oldest > 0 && at < oldest - 1) {
        reply_problem(api, request, PROBLEM_EVENT_GAP,
                      "the events behind %" PRId64 " are gone; the oldest that is left is %" PRId64,
                      at, oldest);
        return false;
    }
    *ret_at = at;
    return true;
}

void events_follow(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation = { .first_seq = 0 };
    struct str id;
    if (args_get(&call->args, "constellation", &id) &&
        !api_find_constellation(api, call, id, &constellation)) {
        return;
    }
    int64_t at = 0;
    int64_t wait_ms = 0;
    if (!poll_wanted(api, call, &wait_ms) ||
        !events_find_start(api, call, constellation.first_seq, &at)) {
        return;
    }
    if (wait_ms > 0) {
        poll_events(api, call, constellation.record.id, at, wait_ms);
        return;
    }
    if (!stream_may_begin(api, call->request->id)) {
        return;
    }
    struct events_stream *events = mem_alloc(sizeof(*events));
    events->constellation_id = constellation.record.id;
    events->at = at;
    stream_begin_take(api, &events->stream, &events_kind, call->request, STREAM_SSE);
    /* A first line, so that the client sees at once that it is connected. */
    stream_write(api, &events->stream, STR(": events\n\n"));
    stream_pump(api, &events->stream);
}
