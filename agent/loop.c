/* The loop: what comes in steps the engine; a turn commits and releases what the engine wished for. */
#include "agent/loop.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/agent.h"
#include "common/base/check.h"
#include "common/sys/clock.h"
#include "common/sys/log.h"
#include "proto/wire.h"

enum { KILL_GRACE_MS = 10 * 1000 }; /* of a body that cannot be read; never used to run one */

/* --- Events into the engine --- */

static int64_t pass_now(struct agent *agent)
{
    if (agent->now_ms == 0) {
        agent->now_ms = clock_boot_ms();
    }
    return agent->now_ms;
}

static void step(struct agent *agent, struct agent_event *event)
{
    CHECK(!agent->releasing);
    event->now_ms = pass_now(agent);
    agent_engine_step(agent->engine, event, &agent->effects);
}

static void on_opened(void *context)
{
    struct agent *agent = context;
    log_debug("connection.open", "server=%s", log_quote(agent->settings->server));
    step(agent, &(struct agent_event){ .kind = AGENT_EVENT_CONNECTED });
}

/* What to do about an HTTP status that the upgrade was refused with, or NULL. */
static const char *refusal_hint(const struct agent *agent, int code)
{
    switch (code) {
    case 401:
        return agent->settings->token_file == NULL ? "give this device's token by --token-file"
                                                   : "the token of --token-file is not valid";
    case 403:
        return "the token of --token-file is not one of role agent";
    case 421:
        return "the daemon does not go by the name in --server; start it with --host and that name";
    default:
        return NULL;
    }
}

static void on_closed(void *context, int code, const char *why)
{
    struct agent *agent = context;
    /* An HTTP status of the 400s: the daemon is there and does not want us as we are. */
    bool refused = code >= 400 && code < 500;
    char hinted[512];
    const char *hint = refusal_hint(agent, code);
    if (hint != NULL) {
        snprintf(hinted, sizeof hinted, "%s; %s", why, hint);
        why = hinted;
    }
    if ((agent->was_ready && code != 1000) || refused) {
        log_warn("connection.closed", "code=%d reason=%s", code, log_quote(why));
    } else {
        log_info(agent->was_ready ? "connection.closed" : "connection.failed", "code=%d reason=%s",
                 code, log_quote(why));
    }
    agent->was_ready = false;
    if (agent->releasing) {
        agent->closed_due = true;
        agent->closed_refused = refused;
        return;
    }
    step(agent, &(struct agent_event){ .kind = AGENT_EVENT_DISCONNECTED,
                                       .disconnected.refused = refused });
}

static const struct agent_terms *terms_read(struct agent *agent, const struct msg_assign *assign)
{
    struct agent_terms *terms = arena_array(&agent->body_arena, assign->tasks_count, sizeof *terms);
    for (size_t i = 0; i < assign->tasks_count; i++) {
        struct msg_body body;
        terms[i].kill_grace_ms = KILL_GRACE_MS;
        if (wire_decode_body(assign->tasks[i].body, &agent->body_arena, &body, NULL) == ERR_NONE) {
            terms[i].readable = true;
            terms[i].instant = body.executor == EXECUTOR_NOOP;
            terms[i].once = body.once;
            terms[i].on_disconnect = body.on_disconnect;
            terms[i].kill_grace_ms = body.kill_grace_ms;
        }
    }
    return terms;
}

static void message(struct agent *agent, const struct msg *msg)
{
    struct agent_event event = { .kind = AGENT_EVENT_MESSAGE };
    event.message.msg = msg;
    if (msg->kind == MSG_ASSIGN) {
        event.message.terms = terms_read(agent, &msg->assign);
    } else if (msg->kind == MSG_ERROR) {
        char reason[MSG_TEXT_BYTES_MAX + 1];
        snprintf(reason, sizeof reason, "%.*s", STR_ARG(msg->error.reason));
        log_error("daemon.error", "code=%s reason=%s", msg_error_name(msg->error.code),
                  log_quote(reason));
    }
    step(agent, &event);
    arena_clear(&agent->body_arena);
}

static void on_frame(void *context, struct str frame)
{
    struct agent *agent = context;
    size_t at = 0;
    for (size_t envelopes = 0; at < frame.length; envelopes++) {
        struct msg msg;
        struct reason reason = { "too many envelopes in a frame" };
        enum err err = ERR_LIMIT;
        if (envelopes < MSG_FRAME_ENVELOPES_MAX) {
            arena_clear(&agent->frame_arena);
            err = wire_decode(frame, &at, &agent->frame_arena, &msg, &reason);
        }
        if (err != ERR_NONE) {
            log_error("frame.refused", "reason=%s", log_quote(reason.text));
            struct agent_event event = { .kind = AGENT_EVENT_MALFORMED };
            event.malformed.code = err == ERR_LIMIT ? MSG_ERROR_LIMIT : MSG_ERROR_PROTOCOL;
            event.malformed.reason = reason.text;
            step(agent, &event);
            return;
        }
        message(agent, &msg);
    }
}

static void on_started(void *context, uint64_t fence, int64_t wall_ms)
{
    struct agent_event event = { .kind = AGENT_EVENT_STARTED };
    event.started.fence = fence;
    event.started.wall_ms = wall_ms;
    step(context, &event);
}

static void on_output(void *context, uint64_t fence, struct exec_output output)
{
    struct agent_event event = { .kind = AGENT_EVENT_OUTPUT };
    event.output.fence = fence;
    event.output.stdout_bytes = output.stdout_bytes;
    event.output.stderr_bytes = output.stderr_bytes;
    step(context, &event);
}

static void on_ended(void *context, uint64_t fence, const struct exec_end *end)
{
    struct msg_finished finished = { .fence = fence,
                                     .outcome = end->outcome,
                                     .exit_code = end->exit_code,
                                     .signal = end->signal,
                                     .reason = end->reason,
                                     .started_wall_ms = end->started_wall_ms,
                                     .duration_ms = end->duration_ms,
                                     .stdout_bytes = end->output.stdout_bytes,
                                     .stderr_bytes = end->output.stderr_bytes,
                                     .output_truncated = end->output.truncated,
                                     .result = end->result };
    step(context, &(struct agent_event){ .kind = AGENT_EVENT_ENDED, .ended = &finished });
}

void agent_on_signal(int signal_number, short what, void *context)
{
    (void)what;
    struct agent *agent = context;
    log_info("agent.stop", "signal=%d", signal_number);
    step(agent, &(struct agent_event){ .kind = AGENT_EVENT_SHUTDOWN });
}

void agent_on_wake(void *context)
{
    (void)context; /* the pass that it ends is followed by a turn */
}

struct ws_client_callbacks agent_ws_callbacks(struct agent *agent)
{
    return (struct ws_client_callbacks){ .context = agent,
                                         .opened = on_opened,
                                         .frame = on_frame,
                                         .writable = agent_on_wake,
                                         .closed = on_closed };
}

struct exec_callbacks agent_exec_callbacks(struct agent *agent)
{
    return (struct exec_callbacks){
        .context = agent, .started = on_started, .output = on_output, .ended = on_ended
    };
}

/* --- A turn --- */

/* What came up while the last turn's effects were carried out. */
static void step_leftovers(struct agent *agent)
{
    if (agent->closed_due) {
        agent->closed_due = false;
        step(agent, &(struct agent_event){ .kind = AGENT_EVENT_DISCONNECTED,
                                           .disconnected.refused = agent->closed_refused });
        agent->closed_refused = false;
    }
    for (size_t i = 0; i < agent->shorts_count; i++) {
        struct agent_event event = { .kind = AGENT_EVENT_SPOOL_SHORT };
        event.spool_short.fence = agent->shorts[i].fence;
        event.spool_short.stream = agent->shorts[i].stream;
        event.spool_short.bytes = agent->shorts[i].bytes;
        step(agent, &event);
    }
    agent->shorts_count = 0;
}

static void note_ready(struct agent *agent)
{
    struct agent_engine_stats stats = agent_engine_stats(agent->engine);
    if (stats.ready && !agent->was_ready) {
        agent->was_ready = true;
        log_info("session.ready", "session=%" PRIu64 " held=%zu", stats.session, stats.held);
    }
}

static enum err turn(struct agent *agent, struct reason *reason)
{
    step_leftovers(agent);
    size_t queued = ws_client_queued(agent->client);
    struct agent_event tick = { .kind = AGENT_EVENT_TICK };
    tick.tick.send_room_bytes = queued < AGENT_BULK_BYTES ? AGENT_BULK_BYTES - queued : 0;
    step(agent, &tick);
    enum err err = journal_commit(agent->journal, &agent->effects, reason);
    if (err == ERR_NONE) {
        err = agent_release(agent, reason);
    }
    agent_effects_clear(&agent->effects);
    agent_engine_turn_end(agent->engine);
    note_ready(agent);
    agent->now_ms = 0;
    /* Before anything else is heard: an end must not be told past a spool that was found short. */
    agent->has_leftovers = agent->closed_due || agent->shorts_count > 0;
    step_leftovers(agent);
    agent->now_ms = 0;
    return err;
}

/* Without its helper the agent can start nothing and must not take more. Ends that are known are journalled
   first; of what ran the journal says that it runs, and so the next process says that it died. */
static enum err end_broken(struct agent *agent, struct reason *reason)
{
    enum err err = ERR_NONE;
    while (err == ERR_NONE && exec_has_ends(agent->exec)) {
        nest_run_once(agent->nest, false);
        err = turn(agent, reason);
    }
    return err == ERR_NONE ? reason_set(reason, ERR_IO, "the helper asterism-exec has died") : err;
}

enum err agent_loop(struct agent *agent, struct reason *reason)
{
    enum err err = turn(agent, reason);
    while (err == ERR_NONE && !agent_engine_is_done(agent->engine)) {
        if (exec_is_broken(agent->exec)) {
            return end_broken(agent, reason);
        }
        int64_t deadline = agent_engine_next_deadline(agent->engine);
        bool due = agent->has_leftovers || deadline <= clock_boot_ms();
        nest_timer_arm(agent->timer, due ? INT64_MAX : deadline);
        nest_run_once(agent->nest, !due);
        err = turn(agent, reason);
    }
    return err;
}
