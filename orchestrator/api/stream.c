/* See stream.h. */
#include "orchestrator/api/stream.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"

void streams_init(struct streams *streams)
{
    *streams = (struct streams){ .deadline_ms = INT64_MAX };
}

void streams_done(struct streams *streams)
{
    for (size_t i = 0; i < streams->count; i++) {
        streams->list[i]->kind->free(streams->list[i]);
    }
    mem_free(streams->list);
    map_done(&streams->by_id);
    streams_init(streams);
}

void streams_enter(struct streams *streams)
{
    streams->depth++;
}

void streams_leave(struct streams *streams)
{
    CHECK(streams->depth > 0);
    if (--streams->depth > 0 || streams->gone == 0) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < streams->count; i++) {
        if (streams->list[i]->is_gone) {
            streams->list[i]->kind->free(streams->list[i]);
        } else {
            streams->list[kept++] = streams->list[i];
        }
    }
    streams->count = kept;
    streams->gone = 0;
}

bool stream_may_begin(struct api *api, uint64_t request)
{
    if (api->streams.count - api->streams.gone < API_STREAMS_MAX) {
        return true;
    }
    reply_problem(api, request, PROBLEM_TOO_MANY, "%d streams are open already", API_STREAMS_MAX);
    return false;
}

void stream_begin_take(struct api *api, struct api_stream *stream, const struct stream_kind *kind,
                       const struct net_request *request, const char *content_type)
{
    struct streams *streams = &api->streams;
    stream->kind = kind;
    stream->id = request->id;
    stream->identity = *request->identity;
    stream->due_ms = INT64_MAX;
    stream->heartbeat_ms =
        kind->has_heartbeat ? api_now(api).boot_ms + STREAM_HEARTBEAT_MS : INT64_MAX;
    if (streams->count == streams->capacity) {
        streams->capacity = streams->capacity == 0 ? 16 : streams->capacity * 2;
        streams->list = mem_resize(streams->list, streams->capacity * sizeof(struct api_stream *));
    }
    streams->list[streams->count++] = stream;
    streams->open[kind->index]++;
    map_put(&streams->by_id, stream->id, stream);
    if (stream->heartbeat_ms < streams->deadline_ms) {
        streams->deadline_ms = stream->heartbeat_ms;
    }
    net_stream_begin(api->config.net, stream->id, api->route->status, content_type);
}

static void set_gone(struct streams *streams, struct api_stream *stream)
{
    if (!stream->is_gone) {
        stream->is_gone = true;
        streams->gone++;
        streams->open[stream->kind->index]--;
        map_remove(&streams->by_id, stream->id);
    }
}

bool stream_write(struct api *api, struct api_stream *stream, struct str bytes)
{
    if (stream->is_gone) {
        return false;
    }
    if (bytes.length == 0) {
        return true;
    }
    if (!net_stream_write(api->config.net, stream->id, bytes)) {
        set_gone(&api->streams, stream);
        return false;
    }
    if (stream->kind->has_heartbeat) {
        stream->heartbeat_ms = api_now(api).boot_ms + STREAM_HEARTBEAT_MS;
    }
    return true;
}

bool stream_has_room(const struct api *api, const struct api_stream *stream)
{
    return net_stream_queued(api->config.net, stream->id) < STREAM_QUEUED_BYTES_HIGH;
}

void stream_end(struct api *api, struct api_stream *stream)
{
    if (!stream->is_gone) {
        set_gone(&api->streams, stream);
        net_stream_end(api->config.net, stream->id);
    }
}

void stream_due(struct api *api, struct api_stream *stream, int64_t boot_ms)
{
    stream->due_ms = boot_ms;
    if (boot_ms < api->streams.deadline_ms) {
        api->streams.deadline_ms = boot_ms;
    }
}

void stream_pump(struct api *api, struct api_stream *stream)
{
    /* A write may tell at once that the queue is empty again, from inside the pump. */
    if (!stream->is_gone && !stream->is_pumped) {
        stream->is_pumped = true;
        stream->kind->pump(api, stream);
        stream->is_pumped = false;
    }
}

void streams_recheck(struct api *api)
{
    for (size_t i = 0; i < api->streams.count; i++) {
        struct api_stream *stream = api->streams.list[i];
        if (!stream->is_gone && !api_identity_holds(api, &stream->identity)) {
            stream_end(api, stream);
        }
    }
}

void streams_gone(struct api *api, uint64_t id)
{
    struct api_stream *stream = map_get(&api->streams.by_id, id);
    if (stream != NULL) {
        set_gone(&api->streams, stream);
    }
}

void streams_drained(struct api *api, uint64_t id)
{
    struct api_stream *stream = map_get(&api->streams.by_id, id);
    if (stream != NULL) {
        stream_pump(api, stream);
    }
}

void streams_tick(struct api *api, int64_t boot_ms)
{
    struct streams *streams = &api->streams;
    if (boot_ms < streams->deadline_ms) {
        return;
    }
    streams->deadline_ms = INT64_MAX;
    size_t pumped = 0;
    size_t first = streams->count == 0 ? 0 : streams->next % streams->count;
    for (size_t k = 0; k < streams->count; k++) {
        size_t i = (first + k) % streams->count;
        struct api_stream *stream = streams->list[i];
        /* Each may have much to say: the others come in the next pass, which follows at once. */
        if (!stream->is_gone && stream->due_ms <= boot_ms && pumped < STREAM_PUMPS_MAX) {
            stream->due_ms = INT64_MAX;
            stream_pump(api, stream);
            pumped++;
            streams->next = i + 1;
        }
        if (!stream->is_gone && stream->heartbeat_ms <= boot_ms) {
            stream->heartbeat_ms = boot_ms + STREAM_HEARTBEAT_MS;
            if (!stream->is_mid_event) {
                stream_write(api, stream, STR(": still here\n\n"));
            }
        }
        if (stream->is_gone) {
            continue;
        }
        int64_t next_ms =
            stream->due_ms < stream->heartbeat_ms ? stream->due_ms : stream->heartbeat_ms;
        if (next_ms < streams->deadline_ms) {
            streams->deadline_ms = next_ms;
        }
    }
}

void stream_event(struct buf *text, struct str id, const char *name, struct str data)
{
    if (id.length != 0) {
        buf_append(text, "id: ", 4);
        buf_append(text, id.data, id.length);
        buf_append(text, "\n", 1);
    }
    buf_append(text, "event: ", 7);
    buf_append_text(text, name);
    buf_append(text, "\ndata: ", 7);
    buf_append(text, data.data, data.length); /* JSON of ours has no line break in it */
    buf_append(text, "\n\n", 2);
}
