/* What is told of an attempt, and in which order: Started at once; output in chunks, a turn each round
   all attempts that have some, at most a window unacknowledged; Finished behind its last byte. Short
   messages go at once, past the bulk of others; bulk goes as far as the connection takes it. */
#include "agent/engine/agent_state.h"

enum { FINISHED_OVERHEAD_BYTES = 256 };

static uint64_t unsent(const struct agent_attempt *attempt)
{
    return attempt->stdout_stream.total - attempt->stdout_stream.sent +
           (attempt->stderr_stream.total - attempt->stderr_stream.sent);
}

static uint64_t unacked(const struct agent_attempt *attempt)
{
    return attempt->stdout_stream.sent - attempt->stdout_stream.acked +
           (attempt->stderr_stream.sent - attempt->stderr_stream.acked);
}

bool agent_output_is_sent(const struct agent_attempt *attempt)
{
    return unsent(attempt) == 0;
}

static bool finished_is_due(const struct agent_attempt *attempt)
{
    return attempt->record.state == HELD_FINISHED && !attempt->finished_sent &&
           unsent(attempt) == 0;
}

static size_t finished_bytes(const struct agent_attempt *attempt)
{
    const struct msg_finished *result = &attempt->record.result;
    return FINISHED_OVERHEAD_BYTES + result->reason.length + result->result.length;
}

static void finished_send(struct agent_attempt *attempt, struct agent_effects *effects)
{
    agent_effects_send(effects, MSG_FINISHED)->finished = attempt->record.result;
    attempt->finished_sent = true;
}

static void started_send(struct agent_attempt *attempt, struct agent_effects *effects)
{
    struct msg_started *started = &agent_effects_send(effects, MSG_STARTED)->started;
    started->fence = attempt->record.fence;
    started->wall_ms = attempt->started_wall_ms;
    attempt->started_told = true;
}

void agent_output_offer(struct agent_engine *engine, struct agent_attempt *attempt,
                        struct agent_effects *effects)
{
    if (!agent_link_is_ready(engine) || attempt->dropped) {
        return;
    }
    if (attempt->record.state == HELD_RUNNING && attempt->process_seen && !attempt->started_told) {
        started_send(attempt, effects);
    }
    if (finished_is_due(attempt) && finished_bytes(attempt) <= AGENT_SMALL_BYTES) {
        finished_send(attempt, effects);
        agent_attempt_queue(engine, attempt, AGENT_QUEUE_NONE);
        return;
    }
    bool window_open = unsent(attempt) > 0 && unacked(attempt) < MSG_OUTPUT_WINDOW_BYTES;
    if (attempt->queue == AGENT_QUEUE_NONE && (window_open || finished_is_due(attempt))) {
        agent_attempt_queue(engine, attempt, AGENT_QUEUE_OUTPUT);
    }
}

void agent_output_grown(struct agent_engine *engine, const struct agent_event *event,
                        struct agent_effects *effects)
{
    struct agent_attempt *attempt = agent_attempt_find(engine, event->output.fence);
    if (attempt == NULL || attempt->record.state != HELD_RUNNING || attempt->dropped) {
        return;
    }
    struct agent_stream *out = &attempt->stdout_stream;
    struct agent_stream *err = &attempt->stderr_stream;
    out->total = event->output.stdout_bytes > out->total ? event->output.stdout_bytes : out->total;
    err->total = event->output.stderr_bytes > err->total ? event->output.stderr_bytes : err->total;
    agent_output_offer(engine, attempt, effects);
}

static void stream_cut(struct agent_stream *stream, uint64_t bytes)
{
    if (stream->total > bytes) {
        stream->total = bytes;
    }
    if (stream->sent > stream->total) {
        stream->sent = stream->total;
    }
    if (stream->acked > stream->sent) {
        stream->acked = stream->sent;
    }
}

/* The spool was lost in part, by a power cut or by somebody's hand. What there is counts. */
void agent_output_short(struct agent_engine *engine, const struct agent_event *event)
{
    struct agent_attempt *attempt = agent_attempt_find(engine, event->spool_short.fence);
    if (attempt == NULL || attempt->dropped) {
        return;
    }
    bool of_stdout = event->spool_short.stream == STREAM_STDOUT;
    stream_cut(of_stdout ? &attempt->stdout_stream : &attempt->stderr_stream,
               event->spool_short.bytes);
    if (attempt->record.state == HELD_FINISHED) {
        attempt->record.result.stdout_bytes = attempt->stdout_stream.total;
        attempt->record.result.stderr_bytes = attempt->stderr_stream.total;
        attempt->record.result.output_truncated = true;
        attempt->finished_sent = false; /* the shell has held it back */
    }
    /* Not at once: its other stream may be short too, and a Finished must know of both. */
    bool window_open = unsent(attempt) > 0 && unacked(attempt) < MSG_OUTPUT_WINDOW_BYTES;
    if (agent_link_is_ready(engine) && attempt->queue == AGENT_QUEUE_NONE &&
        (window_open || finished_is_due(attempt))) {
        agent_attempt_queue(engine, attempt, AGENT_QUEUE_OUTPUT);
    }
}

static void stream_acked(struct agent_stream *stream, uint64_t offset)
{
    /* More than was sent is the daemon's copy of a spool that was cut: there is no more to send. */
    uint64_t acked = offset < stream->sent ? offset : stream->sent;
    if (acked > stream->acked) {
        stream->acked = acked;
    }
}

void agent_output_acked(struct agent_engine *engine, const struct msg_ack_output *ack,
                        struct agent_effects *effects)
{
    struct agent_attempt *attempt = agent_attempt_find(engine, ack->fence);
    if (attempt == NULL || attempt->dropped) {
        return;
    }
    stream_acked(ack->stream == STREAM_STDOUT ? &attempt->stdout_stream : &attempt->stderr_stream,
                 ack->offset);
    agent_output_offer(engine, attempt, effects);
}

static void stream_rewind(struct agent_stream *stream, uint64_t offset)
{
    stream->sent = offset < stream->total ? offset : stream->total;
    stream->acked = stream->sent;
}

void agent_output_rewind(struct agent_attempt *attempt, uint64_t stdout_offset,
                         uint64_t stderr_offset)
{
    stream_rewind(&attempt->stdout_stream, stdout_offset);
    stream_rewind(&attempt->stderr_stream, stderr_offset);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One chunk, of the stream that has waited longer for its bytes: stdout before stderr, until it is out.
   Returns how many bytes. */
static size_t chunk_send(struct agent_attempt *attempt, size_t room, struct agent_effects *effects)
{
    bool of_stdout = attempt->stdout_stream.sent < attempt->stdout_stream.total;
    struct agent_stream *stream = of_stdout ? &attempt->stdout_stream : &attempt->stderr_stream;
    uint64_t window = MSG_OUTPUT_WINDOW_BYTES - unacked(attempt);
    size_t bytes = (size_t)least(least(stream->total - stream->sent, window),
                                 least(room, MSG_CHUNK_BYTES_MAX));
    struct agent_effect *effect = agent_effects_add(effects, AGENT_EFFECT_SEND_OUTPUT);
    effect->output.fence = attempt->record.fence;
    effect->output.stream = of_stdout ? STREAM_STDOUT : STREAM_STDERR;
    effect->output.offset = stream->sent;
    effect->output.bytes = bytes;
    stream->sent += bytes;
    return bytes;
}

void agent_output_pump(struct agent_engine *engine, size_t room, struct agent_effects *effects)
{
    while (agent_link_is_ready(engine) && room > 0 && engine->outputs.head != NULL) {
        struct agent_attempt *attempt = engine->outputs.head;
        agent_attempt_queue(engine, attempt, AGENT_QUEUE_NONE);
        size_t bytes = 0;
        if (unsent(attempt) > 0 && unacked(attempt) < MSG_OUTPUT_WINDOW_BYTES) {
            bytes = chunk_send(attempt, room, effects);
        } else if (finished_is_due(attempt)) {
            bytes = finished_bytes(attempt);
            finished_send(attempt, effects);
        }
        room -= least(bytes, room);
        agent_output_offer(engine, attempt, effects); /* to the end of the ring, if there is more */
    }
}
