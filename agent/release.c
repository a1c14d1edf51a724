/* Carrying out a turn's effects after its commit: messages into the connection, attempts to the
   executors. */
#include <inttypes.h>

#include "agent/agent.h"
#include "common/sys/log.h"
#include "proto/wire.h"

static void flush(struct agent *agent)
{
    if (agent->out.length == 0) {
        return;
    }
    struct str envelopes = { (const char *)agent->out.data, agent->out.length };
    enum err err = ws_client_send(agent->client, envelopes);
    /* Closed: what was unsaid is said in the next session. */
    agent->overfull = agent->overfull || err == ERR_LIMIT;
    buf_clear(&agent->out);
}

static void say(struct agent *agent, const struct msg *msg)
{
    struct reason reason = { "" };
    if (wire_encode(msg, &agent->out, &reason) != ERR_NONE) {
        log_error("message.unsent", "kind=%s reason=%s", msg_kind_name(msg->kind),
                  log_quote(reason.text));
    }
    if (agent->out.length >= AGENT_PIECE_BYTES / 2) {
        flush(agent);
    }
}

/* Of one stream; of any, if it is 0. */
static bool is_short(const struct agent *agent, uint64_t fence, enum stream stream)
{
    for (size_t i = 0; i < agent->shorts_count; i++) {
        if (agent->shorts[i].fence == fence && (stream == 0 || agent->shorts[i].stream == stream)) {
            return true;
        }
    }
    return false;
}

static void send(struct agent *agent, const struct msg *msg)
{
    /* A Finished must not come before the engine knows that less output is there. */
    if (msg->kind == MSG_FINISHED && is_short(agent, msg->finished.fence, 0)) {
        return;
    }
    say(agent, msg);
}

static void send_output(struct agent *agent, const struct agent_effect *effect)
{
    uint64_t fence = effect->output.fence;
    if (is_short(agent, fence, effect->output.stream)) {
        return;
    }
    buf_clear(&agent->spool);
    if (exec_read(agent->exec, fence, effect->output.stream, effect->output.offset,
                  effect->output.bytes, &agent->spool) != ERR_NONE) {
        buf_clear(&agent->spool);
    }
    if (agent->spool.length > 0) {
        struct msg msg = { .kind = MSG_OUTPUT };
        msg.output.fence = fence;
        msg.output.stream = effect->output.stream;
        msg.output.offset = effect->output.offset;
        msg.output.data = (struct str){ (const char *)agent->spool.data, agent->spool.length };
        say(agent, &msg);
    }
    if (agent->spool.length == effect->output.bytes) {
        return;
    }
    uint64_t bytes = effect->output.offset + agent->spool.length;
    log_warn("spool.short", "fence=%" PRIu64 " bytes=%" PRIu64, fence, bytes);
    if (agent->shorts_count < AGENT_SHORTS_MAX) {
        agent->shorts[agent->shorts_count++] =
            (struct agent_short){ fence, effect->output.stream, bytes };
    } else {
        agent->overfull = true; /* a new session offers everything again */
    }
}

static void start(struct agent *agent, const struct agent_record *record)
{
    struct msg_body body;
    struct reason reason = { "" };
    /* It was read once already, when it was assigned: the journal's copy is what may have changed. */
    if (wire_decode_body(record->body, &agent->frame_arena, &body, &reason) != ERR_NONE) {
        log_error("attempt.unreadable", "fence=%" PRIu64 " reason=%s", record->fence,
                  log_quote(reason.text));
        body = (struct msg_body){ 0 }; /* no such executor: refused as a failed start */
    }
    exec_start(agent->exec, record->fence, record->attempt, record->name, &body);
    arena_clear(&agent->frame_arena);
}

static enum err close_connection(struct agent *agent, const struct agent_effect *effect,
                                 struct reason *reason)
{
    flush(agent);
    log_info("connection.close", "code=%d reason=%s", effect->close.code,
             log_quote(effect->close.reason));
    if (!effect->close.hard) {
        ws_client_close(agent->client, effect->close.code, effect->close.reason);
        return ERR_NONE;
    }
    ws_client_free(agent->client);
    agent->client = NULL;
    agent->closed_due = true;
    return agent_client_new(agent, reason);
}

static void stop(struct agent *agent, const struct agent_effect *effect)
{
    log_debug("attempt.stop", "fence=%" PRIu64 " why=%s", effect->stop.fence,
              log_quote(effect->stop.why));
    exec_stop(agent->exec, effect->stop.fence, effect->stop.outcome, effect->stop.grace_ms,
              effect->stop.why);
}

static enum err carry_out(struct agent *agent, const struct agent_effect *effect,
                          struct reason *reason)
{
    switch (effect->kind) {
    case AGENT_EFFECT_SAVE_SESSION:
    case AGENT_EFFECT_SAVE:
    case AGENT_EFFECT_REMOVE:
        break; /* with the commit */
    case AGENT_EFFECT_DIAL:
        log_debug("connection.dial", "server=%s", log_quote(agent->settings->server));
        ws_client_dial(agent->client);
        break;
    case AGENT_EFFECT_SEND:
        send(agent, effect->msg);
        break;
    case AGENT_EFFECT_SEND_OUTPUT:
        send_output(agent, effect);
        break;
    case AGENT_EFFECT_CLOSE:
        return close_connection(agent, effect, reason);
    case AGENT_EFFECT_START:
        start(agent, effect->record);
        break;
    case AGENT_EFFECT_STOP:
        stop(agent, effect);
        break;
    case AGENT_EFFECT_FORGET:
        exec_forget(agent->exec, effect->fence);
        break;
    }
    return ERR_NONE;
}

enum err agent_release(struct agent *agent, struct reason *reason)
{
    agent->releasing = true;
    agent->overfull = false;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < agent->effects.count && err == ERR_NONE; i++) {
        err = carry_out(agent, &agent->effects.list[i], reason);
    }
    flush(agent);
    if (agent->overfull) {
        ws_client_close(agent->client, 1013, "the daemon takes what is sent too slowly");
    }
    agent->releasing = false;
    return err;
}
