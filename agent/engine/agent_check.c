/* The invariants of the agent's engine, numbered, and its state as text. */
#include <inttypes.h>

#include "agent/engine/agent_state.h"

struct tally {
    size_t all;
    size_t slots;
    size_t running;
    size_t finished;
    size_t dropped;
    size_t starts;
    size_t outputs;
};

static const char *stream_broken(const struct agent_stream *stream)
{
    return stream->acked <= stream->sent && stream->sent <= stream->total
               ? NULL
               : "A3: a stream is acknowledged or sent beyond its end";
}

static const char *queue_broken(const struct agent_attempt *attempt)
{
    enum held_state state = attempt->record.state;
    switch (attempt->queue) {
    case AGENT_QUEUE_NONE:
        return NULL;
    case AGENT_QUEUE_START:
        return state == HELD_ACCEPTED ? NULL : "A5: what waits to start is not accepted";
    case AGENT_QUEUE_OUTPUT:
        return (state == HELD_RUNNING || state == HELD_FINISHED) && !attempt->dropped
                   ? NULL
                   : "A5: what waits to be sent neither runs nor has finished";
    }
    return "A5: no such queue";
}

static const char *attempt_broken(const struct agent_engine *engine,
                                  const struct agent_attempt *attempt)
{
    const struct agent_stream *out = &attempt->stdout_stream;
    const struct agent_stream *err = &attempt->stderr_stream;
    enum held_state state = attempt->record.state;
    if (agent_attempt_find(engine, attempt->record.fence) != attempt || attempt->gone) {
        return "A1: the list and the map of attempts differ";
    }
    if (stream_broken(out) != NULL || stream_broken(err) != NULL) {
        return stream_broken(out) != NULL ? stream_broken(out) : stream_broken(err);
    }
    if (out->sent - out->acked + (err->sent - err->acked) > MSG_OUTPUT_WINDOW_BYTES) {
        return "A4: more than a window of output is unacknowledged";
    }
    if (queue_broken(attempt) != NULL) {
        return queue_broken(attempt);
    }
    if (attempt->finished_sent && (state != HELD_FINISHED || !agent_output_is_sent(attempt))) {
        return "A6: Finished was sent before all output";
    }
    bool must_be_stored = !attempt->dropped && (!attempt->instant || state == HELD_FINISHED);
    if (attempt->journalled != must_be_stored) {
        return "A7: a row of the journal is missing, or should be gone";
    }
    if (attempt->dropped && state != HELD_RUNNING) {
        return "A8: a dropped attempt is kept although nothing runs";
    }
    if (attempt->save_asked || attempt->touched) {
        return "A9: the turn has not ended";
    }
    if (state != HELD_ACCEPTED && attempt->record.body.data != NULL) {
        return "A10: a body is kept that nothing needs any more";
    }
    return NULL;
}

static void tally_add(struct tally *tally, const struct agent_attempt *attempt)
{
    enum held_state state = attempt->record.state;
    tally->all++;
    tally->slots += state == HELD_ACCEPTED || state == HELD_RUNNING;
    tally->running += state == HELD_RUNNING;
    tally->finished += state == HELD_FINISHED;
    tally->dropped += attempt->dropped;
    tally->starts += attempt->queue == AGENT_QUEUE_START;
    tally->outputs += attempt->queue == AGENT_QUEUE_OUTPUT;
}

static size_t list_length(const struct agent_list *list)
{
    size_t length = 0;
    for (const struct agent_attempt *attempt = list->head; attempt != NULL;
         attempt = attempt->next[AGENT_IN_QUEUE]) {
        length++;
    }
    return length;
}

static const char *link_broken(const struct agent_engine *engine)
{
    const struct agent_link *link = &engine->link;
    if (link->state != AGENT_LINK_READY && engine->outputs.head != NULL) {
        return "A11: output waits to be sent without a session";
    }
    if (link->state == AGENT_LINK_READY && (!link->leased || engine->hello.session == 0)) {
        return "A12: a session without a number or a lease";
    }
    return NULL;
}

enum err agent_engine_check(const struct agent_engine *engine, struct reason *reason)
{
    struct tally tally = { 0 };
    for (const struct agent_attempt *attempt = engine->all.head; attempt != NULL;
         attempt = attempt->next[AGENT_IN_ALL]) {
        const char *broken = attempt_broken(engine, attempt);
        if (broken != NULL) {
            return reason_set(reason, ERR_CORRUPT, "%s (fence %" PRIu64 ")", broken,
                              attempt->record.fence);
        }
        tally_add(&tally, attempt);
    }
    if (tally.all != engine->attempts.count || tally.all > MSG_HELD_MAX) {
        return reason_set(reason, ERR_CORRUPT, "A1: the list and the map of attempts differ");
    }
    if (tally.slots != engine->slots_used || tally.running != engine->running ||
        tally.finished != engine->finished || tally.dropped != engine->dropped) {
        return reason_set(reason, ERR_CORRUPT, "A2: the counts differ from what is counted");
    }
    if (tally.starts != list_length(&engine->starts) ||
        tally.outputs != list_length(&engine->outputs)) {
        return reason_set(reason, ERR_CORRUPT, "A5: a queue holds what does not know of it");
    }
    if (engine->touched != NULL || engine->gone != NULL) {
        return reason_set(reason, ERR_CORRUPT, "A9: the turn has not ended");
    }
    const char *broken = link_broken(engine);
    return broken == NULL ? ERR_NONE : reason_set(reason, ERR_CORRUPT, "%s", broken);
}

static void dump_stream(const char *name, const struct agent_stream *stream, struct buf *text)
{
    if (stream->total > 0) {
        buf_printf(text, " %s=%" PRIu64 "/%" PRIu64 "/%" PRIu64, name, stream->acked, stream->sent,
                   stream->total);
    }
}

void agent_engine_dump(const struct agent_engine *engine, struct buf *text)
{
    const struct agent_link *link = &engine->link;
    buf_printf(text, "link %s session=%" PRIu64 " failures=%u", agent_link_state_name(link->state),
               engine->hello.session, link->failures);
    if (link->leased) {
        buf_printf(text, " lease_end=%" PRId64, link->lease_end_ms);
    }
    buf_append_text(text, "\n");
    for (const struct agent_attempt *attempt = engine->all.head; attempt != NULL;
         attempt = attempt->next[AGENT_IN_ALL]) {
        buf_printf(text, "attempt %" PRIu64 " %s", attempt->record.fence,
                   held_state_name(attempt->record.state));
        dump_stream("stdout", &attempt->stdout_stream, text);
        dump_stream("stderr", &attempt->stderr_stream, text);
        if (attempt->record.state == HELD_FINISHED) {
            buf_printf(text, " %s", outcome_name(attempt->record.result.outcome));
        }
        buf_printf(text, "%s%s%s%s\n", attempt->stopping ? " stopping" : "",
                   attempt->dropped ? " dropped" : "",
                   attempt->queue == AGENT_QUEUE_START ? " to_start" : "",
                   attempt->finished_sent ? " told" : "");
    }
}
