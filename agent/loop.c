#include "agent/loop.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/profile.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/sys/clock.h"
#include "common/sys/log.h"
#include "common/sys/random.h"
#include "proto/wire.h"

enum {
    DECODED_BYTES_MAX = 16 * 1024 * 1024, /* what one frame's messages may expand to */
    KILL_GRACE_MS = 10 * 1000,            /* of a body that cannot be read; never used to run one */
};

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

static void on_closed(void *context, int code, const char *why)
{
    struct agent *agent = context;
    /* An HTTP status of the 400s: the daemon is there and does not want us as we are. */
    bool refused = code >= 400 && code < 500;
    if (agent->was_ready || refused) {
        log_warn("connection.closed", "code=%d reason=%s", code, log_quote(why));
    } else {
        log_info("connection.failed", "code=%d reason=%s", code, log_quote(why));
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
    struct agent_terms *terms =
        arena_array(&agent->body_arena, assign->tasks_count, sizeof *terms);
    for (size_t i = 0; i < assign->tasks_count; i++) {
        struct msg_body body;
        terms[i].kill_grace_ms = KILL_GRACE_MS;
        if (wire_decode_body(assign->tasks[i].body, &agent->body_arena, &body, NULL) == ERR_NONE) {
            terms[i].readable = true;
            terms[i].instant = body.executor == EXECUTOR_NOOP;
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

static void on_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)what;
    struct agent *agent = context;
    log_info("agent.stop", "signal=%d", (int)signal_number);
    step(agent, &(struct agent_event){ .kind = AGENT_EVENT_SHUTDOWN });
}

static void on_timer(void *context)
{
    (void)context; /* the pass that it ends is followed by a turn */
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
    return err;
}

/* Without its helper the agent can start nothing and must not take more. The ends of what ran are
   journalled first, so that the next process can report them. */
static enum err end_broken(struct agent *agent, struct reason *reason)
{
    enum err err = ERR_NONE;
    for (int i = 0; i < 100 && err == ERR_NONE && agent_engine_stats(agent->engine).running > 0; i++) {
        nest_run_once(agent->nest, false);
        err = turn(agent, reason);
    }
    return err == ERR_NONE ? reason_set(reason, ERR_IO, "the helper asterism-exec has died") : err;
}

static enum err run(struct agent *agent, struct reason *reason)
{
    enum err err = turn(agent, reason);
    while (err == ERR_NONE && !agent_engine_is_done(agent->engine)) {
        if (exec_is_broken(agent->exec)) {
            return end_broken(agent, reason);
        }
        int64_t deadline = agent_engine_next_deadline(agent->engine);
        bool leftovers = agent->closed_due || agent->shorts_count > 0;
        bool due = leftovers || deadline <= clock_boot_ms();
        nest_timer_arm(agent->timer, due ? INT64_MAX : deadline);
        nest_run_once(agent->nest, !due);
        err = turn(agent, reason);
    }
    return err;
}

/* --- Making it --- */

enum err agent_client_new(struct agent *agent, struct reason *reason)
{
    struct ws_client_config config = {
        .url = agent->settings->server,
        .path = "/aip",
        .subprotocol = WIRE_SUBPROTOCOL,
        .token = agent->token[0] == '\0' ? NULL : agent->token,
        .ca_file = agent->settings->ca_file,
        .frame_bytes_max = MSG_FRAME_BYTES_MAX,
        .queue_bytes_max = AGENT_QUEUE_BYTES_MAX,
    };
    struct ws_client_callbacks callbacks = {
        .context = agent, .opened = on_opened, .frame = on_frame, .closed = on_closed
    };
    callbacks.writable = on_timer; /* every pass ends in a turn, which looks at the queue */
    return ws_client_new(agent->nest, &config, &callbacks, &agent->client, reason);
}

static enum err token_read(struct agent *agent, struct reason *reason)
{
    if (agent->settings->token_file == NULL) {
        return ERR_NONE;
    }
    bool exposed = false;
    enum err err =
        file_read_secret(agent->settings->token_file, agent->token, &exposed, reason);
    if (err == ERR_NONE && exposed) {
        log_warn("token.exposed", "file=%s", log_quote(agent->settings->token_file));
    }
    return err;
}

struct loading {
    struct agent *agent;
    uint64_t fences[MSG_HELD_MAX];
    size_t count;
};

static enum err load_one(void *context, const struct agent_record *record, struct reason *reason)
{
    struct loading *loading = context;
    enum err err = agent_engine_load(loading->agent->engine, record, reason);
    if (err == ERR_NONE) {
        loading->fences[loading->count++] = record->fence;
    }
    return err;
}

/* The journal first: its lock is what keeps a second agent from our work directories. */
static enum err engine_make(struct agent *agent, struct loading *loading, struct reason *reason)
{
    struct agent_engine_config config = { .seed = random_uint64() };
    struct msg_hello *hello = &config.hello;
    enum err err = agent_boot_id_read(&agent->arena, &hello->boot_id, reason);
    if (err == ERR_NONE) {
        err = journal_open(agent->settings->data_dir, hello->boot_id.data, &agent->journal, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    struct journal_identity identity = journal_identity(agent->journal);
    hello->device = str_of(agent->settings->device);
    hello->agent_version = STR(ASTERISM_VERSION);
    do {
        hello->process_id = random_uint64();
    } while (hello->process_id == 0);
    hello->journal_id = identity.journal_id;
    hello->session = identity.session;
    hello->receipt = identity.receipt;
    agent_profile_read(agent->settings, &agent->arena, &hello->profile);
    agent->engine = agent_engine_new(&config);
    loading->agent = agent;
    err = journal_each(agent->journal, load_one, loading, reason);
    agent_engine_turn_end(agent->engine);
    return err;
}

static enum err exec_make(struct agent *agent, const struct loading *loading,
                          struct reason *reason)
{
    char *work_dir = mem_format("%s/work", agent->settings->data_dir);
    enum err err = file_make_directories(work_dir, 0700, reason);
    struct exec_config config = { .work_dir = work_dir };
    struct exec_callbacks callbacks = {
        .context = agent, .started = on_started, .output = on_output, .ended = on_ended
    };
    if (err == ERR_NONE) {
        err = exec_new(nest_base(agent->nest), &config, &callbacks, &agent->exec, reason);
    }
    if (err == ERR_NONE) {
        exec_forget_others(agent->exec, loading->fences, loading->count);
    }
    mem_free(work_dir);
    return err;
}

static enum err wiring_make(struct agent *agent, struct reason *reason)
{
    static const int numbers[] = { SIGTERM, SIGINT };
    agent->frame_arena.bytes_max = DECODED_BYTES_MAX;
    agent->timer = nest_timer_new(agent->nest, on_timer, agent);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        agent->signals[i] = evsignal_new(nest_base(agent->nest), numbers[i], on_signal, agent);
        if (agent->signals[i] == NULL || event_add(agent->signals[i], NULL) != 0) {
            return reason_set(reason, ERR_IO, "cannot watch for signals");
        }
    }
    return agent_client_new(agent, reason);
}

static void agent_done(struct agent *agent)
{
    exec_free(agent->exec);
    ws_client_free(agent->client);
    for (size_t i = 0; i < sizeof agent->signals / sizeof agent->signals[0]; i++) {
        if (agent->signals[i] != NULL) {
            event_free(agent->signals[i]);
        }
    }
    if (agent->timer != NULL) {
        nest_timer_free(agent->timer);
    }
    if (agent->nest != NULL) {
        nest_free(agent->nest);
    }
    agent_engine_free(agent->engine);
    journal_close(agent->journal);
    agent_effects_done(&agent->effects);
    arena_done(&agent->frame_arena);
    arena_done(&agent->body_arena);
    arena_done(&agent->arena);
    buf_done(&agent->out);
    buf_done(&agent->spool);
    explicit_bzero(agent->token, sizeof agent->token);
    mem_free(agent);
}

enum err agent_run(const struct agent_settings *settings, struct reason *reason)
{
    struct agent *agent = mem_alloc(sizeof *agent);
    struct loading *loading = mem_alloc(sizeof *loading);
    agent->settings = settings;
    enum err err = token_read(agent, reason);
    if (err == ERR_NONE) {
        err = engine_make(agent, loading, reason);
    }
    if (err == ERR_NONE) {
        err = nest_new(&agent->nest, reason);
    }
    if (err == ERR_NONE) {
        err = wiring_make(agent, reason);
    }
    if (err == ERR_NONE) {
        err = exec_make(agent, loading, reason);
    }
    size_t held = loading->count;
    mem_free(loading);
    if (err == ERR_NONE) {
        log_info("agent.start", "device=%s server=%s data_dir=%s slots=%" PRId64 " held=%zu",
                 log_quote(settings->device), log_quote(settings->server),
                 log_quote(settings->data_dir), settings->slots, held);
        err = run(agent, reason);
    }
    agent_done(agent);
    return err;
}
