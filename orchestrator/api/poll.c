#include "orchestrator/api/poll.h"

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/event_json.h"
#include "orchestrator/api/view.h"
#include "orchestrator/store/query_event.h"

enum { POLL_EVENT_ROWS = 500, POLL_CHANGE_ROWS = 100 };

enum poll_for { POLL_END, POLL_EVENTS, POLL_CHANGES };

struct poll {
    struct api_stream stream;
    int64_t constellation_id; /* 0: all */
    int64_t until_ms;         /* boot time */
    int64_t at;               /* events: the last one that is not wanted */
    enum poll_for waits_for;
};

static void poll_free(struct api_stream *stream)
{
    mem_free(stream);
}

/* True: this is the answer. */
static bool write_end(struct api *api, const struct poll *poll, bool is_over, struct buf *body)
{
    struct query_constellation constellation;
    struct reason reason;
    struct json_out out = { .buf = body };
    if (query_constellation(api->config.store, poll->constellation_id, &api->arena, &constellation,
                            &reason) != ERR_NONE) {
        /* It has been deleted meanwhile: the status is out already, so the words are all there is. */
        problem_write(body, PROBLEM_NOT_FOUND, STR("it has been deleted"), NULL, 0);
        return true;
    }
    if (!is_over && !constellation_state_is_final(constellation.record.state)) {
        return false;
    }
    view_constellation(api, &out, NULL, &constellation);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
    return true;
}

static void write_list(struct api *api, const struct query_events *slice, struct json_out *out)
{
    json_out_int(out, "seq", api->seq);
    json_out_array(out, "events");
    for (size_t i = 0; i < slice->count; i++) {
        event_write_json(api, &slice->list[i], out);
    }
    json_out_array_end(out);
}

static bool write_events(struct api *api, struct poll *poll, bool is_over, struct buf *body)
{
    struct query_events slice;
    struct reason reason;
    bool is_changes = poll->waits_for == POLL_CHANGES;
    if (query_events(api->config.store, poll->at, poll->constellation_id,
                     is_changes ? POLL_CHANGE_ROWS : POLL_EVENT_ROWS, &api->arena, &slice,
                     &reason) != ERR_NONE) {
        problem_write(body, PROBLEM_INTERNAL, str_of(reason.text), NULL, 0);
        return true;
    }
    poll->at = slice.scanned_seq;
    if (slice.count == 0 && !is_over) {
        return false;
    }
    struct json_out out = { .buf = body };
    json_out_object(&out, NULL);
    if (is_changes) {
        changes_write_since(api, &slice, poll->constellation_id, &out);
    } else {
        write_list(api, &slice, &out);
    }
    json_out_int(&out, "next", poll->at);
    json_out_object_end(&out);
    return true;
}

static void poll_pump(struct api *api, struct api_stream *stream)
{
    struct poll *poll = (struct poll *)stream;
    int64_t now_ms = api_now(api).boot_ms;
    bool is_over = now_ms >= poll->until_ms;
    struct buf body = { NULL, 0, 0 };
    bool is_end = poll->waits_for == POLL_END;
    bool is_answer =
        is_end ? write_end(api, poll, is_over, &body) : write_events(api, poll, is_over, &body);
    if (is_answer) {
        if (stream_write(api, stream, (struct str){ (const char *)body.data, body.length })) {
            stream_end(api, stream);
        }
    } else {
        /* Of many events a slice at a time is looked through. */
        bool more = !is_end && poll->at < api->seq;
        stream_due(api, stream, more ? now_ms : poll->until_ms);
    }
    buf_done(&body);
}

static const struct stream_kind poll_kind = {
    .index = STREAM_POLLS,
    .has_heartbeat = false,
    .pump = poll_pump,
    .free = poll_free,
};

bool poll_wanted(struct api *api, const struct api_call *call, int64_t *ret_wait_ms)
{
    struct str text;
    *ret_wait_ms = 0;
    if (!args_get(&call->args, "wait", &text)) {
        return true;
    }
    if (!str_to_duration_ms(text, ret_wait_ms) || *ret_wait_ms <= 0 ||
        *ret_wait_ms > POLL_WAIT_MS_MAX) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST,
                      "wait must be a span of time of at most %d s, as 55s",
                      POLL_WAIT_MS_MAX / 1000);
        return false;
    }
    return true;
}

static void begin(struct api *api, const struct api_call *call, const struct poll *from,
                  int64_t wait_ms)
{
    if (!stream_may_begin(api, call->request->id)) {
        return;
    }
    struct poll *poll = mem_alloc(sizeof(*poll));
    *poll = *from;
    poll->until_ms = api_now(api).boot_ms + wait_ms;
    stream_begin_take(api, &poll->stream, &poll_kind, call->request, REPLY_JSON);
    stream_pump(api, &poll->stream);
}

void poll_end(struct api *api, const struct api_call *call, int64_t constellation_id,
              int64_t wait_ms)
{
    begin(api, call, &(struct poll){ .constellation_id = constellation_id }, wait_ms);
}

void poll_events(struct api *api, const struct api_call *call, int64_t constellation_id, int64_t at,
                 int64_t wait_ms)
{
    struct poll poll = { .constellation_id = constellation_id, .at = at, .waits_for = POLL_EVENTS };
    begin(api, call, &poll, wait_ms);
}

void poll_changes(struct api *api, const struct api_call *call, int64_t constellation_id,
                  int64_t at, int64_t wait_ms)
{
    struct poll poll = { .constellation_id = constellation_id,
                         .at = at,
                         .waits_for = POLL_CHANGES };
    begin(api, call, &poll, wait_ms);
}

static bool concerns(const struct poll *poll, const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_HISTORY &&
            (poll->constellation_id == 0 ||
             effect->history.constellation_id == poll->constellation_id) &&
            (poll->waits_for != POLL_END ||
             effect->history.kind == HISTORY_CONSTELLATION_FINISHED ||
             effect->history.kind == HISTORY_CONSTELLATION_DELETED)) {
            return true;
        }
    }
    return false;
}

void polls_committed(struct api *api, const struct effects *effects)
{
    struct streams *streams = &api->streams;
    if (streams->open[STREAM_POLLS] == 0) {
        return;
    }
    for (size_t i = 0; i < streams->count; i++) {
        struct api_stream *stream = streams->list[i];
        if (stream->kind == &poll_kind && !stream->is_gone &&
            concerns((const struct poll *)stream, effects)) {
            stream_pump(api, stream);
        }
    }
}
