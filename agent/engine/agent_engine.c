/* The agent's engine: making it, and giving each event to the part that it is for. */
#include "agent/engine/agent_engine.h"

#include <stdio.h>
#include <string.h>

#include "agent/engine/agent_state.h"
#include "common/base/mem.h"

struct agent_engine *agent_engine_new(const struct agent_engine_config *config)
{
    const struct msg_hello *hello = &config->hello;
    CHECK(hello->profile.slots >= 1 && hello->profile.slots <= AGENT_SLOTS_MAX);
    CHECK(hello->receipt.start_id.length <= MSG_ID_BYTES_MAX);
    CHECK(hello->receipt.hmac.length <= MSG_ID_BYTES_MAX);
    struct agent_engine *engine = mem_alloc(sizeof *engine);
    engine->hello = *hello;
    engine->hello.held = NULL;
    engine->hello.held_count = 0;
    if (hello->receipt.start_id.length > 0) {
        memcpy(engine->start_id, hello->receipt.start_id.data, hello->receipt.start_id.length);
    }
    if (hello->receipt.hmac.length > 0) {
        memcpy(engine->hmac, hello->receipt.hmac.data, hello->receipt.hmac.length);
    }
    engine->hello.receipt.start_id.data = engine->start_id;
    engine->hello.receipt.hmac.data = engine->hmac;
    engine->link.dial_at_ms = INT64_MIN; /* the first dial is at once */
    rng_init(&engine->rng, config->seed);
    return engine;
}

void agent_engine_free(struct agent_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    agent_attempt_free_all(engine);
    mem_free(engine);
}

enum err agent_engine_load(struct agent_engine *engine, const struct agent_record *record,
                           struct reason *reason)
{
    if (record->fence == 0 || agent_attempt_find(engine, record->fence) != NULL) {
        return reason_set(reason, ERR_CORRUPT,
                          "the journal holds an attempt twice, or without fence");
    }
    if (engine->attempts.count >= MSG_HELD_MAX) {
        return reason_set(reason, ERR_CORRUPT, "the journal holds more than %d attempts",
                          MSG_HELD_MAX);
    }
    if (record->state != HELD_ACCEPTED && record->state != HELD_RUNNING &&
        record->state != HELD_FINISHED && record->state != HELD_DIED) {
        return reason_set(reason, ERR_CORRUPT, "the journal holds an attempt in state %d",
                          (int)record->state);
    }
    struct agent_attempt *attempt = agent_attempt_new(engine, record->fence);
    attempt->record.attempt = record->attempt;
    attempt->record.on_disconnect = record->on_disconnect;
    attempt->record.kill_grace_ms = record->kill_grace_ms;
    attempt->record.once = record->once;
    attempt->spooled = true;
    switch (record->state) {
    case HELD_ACCEPTED:
        /* Not queued: only the daemon knows whether it is still wanted. */
        agent_attempt_set_task(attempt, record->name, record->body);
        agent_attempt_move(engine, attempt, HELD_ACCEPTED, NULL);
        break;
    case HELD_RUNNING:
    case HELD_DIED:
        agent_attempt_move(engine, attempt, HELD_DIED, NULL);
        break;
    case HELD_FINISHED:
        agent_attempt_finish(engine, attempt, &record->result, NULL);
        break;
    }
    return ERR_NONE;
}

static bool kind_is_for_agents(enum msg_kind kind)
{
    return kind == MSG_WELCOME || kind == MSG_PONG || kind == MSG_ASSIGN || kind == MSG_ACK ||
           kind == MSG_CANCEL || kind == MSG_ERROR;
}

static void message(struct agent_engine *engine, const struct agent_event *event,
                    struct agent_effects *effects)
{
    const struct msg *msg = event->message.msg;
    enum agent_link_state state = engine->link.state;
    if (msg->kind == MSG_NONE || (state != AGENT_LINK_GREETED && state != AGENT_LINK_READY)) {
        return; /* of a later version; or still under way when the connection was given up */
    }
    bool in_order =
        msg->kind == MSG_ERROR ||
        (msg->kind == MSG_WELCOME ? state == AGENT_LINK_GREETED : state == AGENT_LINK_READY);
    if (!kind_is_for_agents(msg->kind) || !in_order) {
        char reason[96];
        snprintf(reason, sizeof reason, "%s is not allowed %s", msg_kind_name(msg->kind),
                 state == AGENT_LINK_READY ? "in a session" : "before the session");
        agent_link_refuse(engine, event->now_ms, MSG_ERROR_PROTOCOL, reason, effects);
        return;
    }
    switch (msg->kind) {
    case MSG_WELCOME:
        agent_link_welcome(engine, event->now_ms, &msg->welcome, effects);
        break;
    case MSG_PONG:
        agent_link_pong(engine, &msg->pong);
        break;
    case MSG_ASSIGN:
        agent_work_assign(engine, event, effects);
        break;
    case MSG_ACK:
        agent_work_ack(engine, event->now_ms, &msg->ack, effects);
        break;
    case MSG_CANCEL:
        agent_work_cancel(engine, &msg->cancel, effects);
        break;
    case MSG_ERROR:
        agent_link_error(engine, event->now_ms, &msg->error, effects);
        break;
    case MSG_NONE:
    case MSG_HELLO:
    case MSG_READY:
    case MSG_PING:
    case MSG_STARTED:
    case MSG_OUTPUT:
    case MSG_FINISHED:
    case MSG_GOODBYE:
        break;
    }
}

static void shut_down(struct agent_engine *engine, struct agent_effects *effects)
{
    engine->shutdowns++;
    if (engine->shutdowns <= 2) {
        agent_work_stop_all(engine, engine->shutdowns == 2, effects);
    }
}

/* The last words: when all that ran has ended and its results are on their way. */
static void farewell(struct agent_engine *engine, int64_t now_ms, struct agent_effects *effects)
{
    enum agent_link_state state = engine->link.state;
    if (engine->shutdowns == 0 || engine->running > 0 || engine->farewell) {
        return;
    }
    engine->farewell = true;
    if (state == AGENT_LINK_READY) {
        agent_effects_send(effects, MSG_GOODBYE)->goodbye.reason = STR("the agent was shut down");
    }
    if (state != AGENT_LINK_OFFLINE && state != AGENT_LINK_CLOSING) {
        agent_link_close(engine, now_ms, 1000, "the agent was shut down", effects);
    }
}

static void tick(struct agent_engine *engine, const struct agent_event *event,
                 struct agent_effects *effects)
{
    agent_link_tick(engine, event->now_ms, effects);
    if (engine->shutdowns == 0) {
        agent_work_start_some(engine, effects);
    }
    agent_output_pump(engine, event->tick.send_room_bytes, effects);
    farewell(engine, event->now_ms, effects);
}

void agent_engine_step(struct agent_engine *engine, const struct agent_event *event,
                       struct agent_effects *effects)
{
    switch (event->kind) {
    case AGENT_EVENT_CONNECTED:
        agent_link_connected(engine, event->now_ms, effects);
        break;
    case AGENT_EVENT_DISCONNECTED:
        agent_link_disconnected(engine, event);
        break;
    case AGENT_EVENT_MESSAGE:
        message(engine, event, effects);
        break;
    case AGENT_EVENT_MALFORMED:
        if (engine->link.state == AGENT_LINK_GREETED || agent_link_is_ready(engine)) {
            agent_link_refuse(engine, event->now_ms, event->malformed.code, event->malformed.reason,
                              effects);
        }
        break;
    case AGENT_EVENT_STARTED:
        agent_work_started(engine, event->started.fence, event->started.wall_ms, effects);
        break;
    case AGENT_EVENT_OUTPUT:
        agent_output_grown(engine, event, effects);
        break;
    case AGENT_EVENT_ENDED:
        agent_work_ended(engine, event->ended, effects);
        break;
    case AGENT_EVENT_SPOOL_SHORT:
        agent_output_short(engine, event);
        break;
    case AGENT_EVENT_TICK:
        tick(engine, event, effects);
        break;
    case AGENT_EVENT_SHUTDOWN:
        shut_down(engine, effects);
        break;
    }
}

int64_t agent_engine_next_deadline(const struct agent_engine *engine)
{
    bool farewell_due = engine->shutdowns > 0 && engine->running == 0 && !engine->farewell;
    if (engine->starts.head != NULL || farewell_due) {
        return INT64_MIN;
    }
    return agent_link_deadline(engine);
}

void agent_engine_turn_end(struct agent_engine *engine)
{
    agent_attempt_turn_end(engine);
}

bool agent_engine_is_done(const struct agent_engine *engine)
{
    return engine->farewell && engine->running == 0 && engine->link.state == AGENT_LINK_OFFLINE;
}

struct agent_engine_stats agent_engine_stats(const struct agent_engine *engine)
{
    return (struct agent_engine_stats){
        .held = engine->attempts.count - engine->dropped,
        .running = engine->slots_used,
        .finished = engine->finished,
        .ready = agent_link_is_ready(engine),
        .session = engine->hello.session,
        .started_total = engine->started_total,
        .ended_total = engine->ended_total,
    };
}
