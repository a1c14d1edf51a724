/* The connection to the daemon: dialling with backoff, Hello and Welcome, pings and the lease.

       offline → dialling → greeted (Hello) → ready (Welcome, journalled, Ready) → closing → offline

   The lease runs from when the last answered Ping was sent, and goes on over a cut: it is the time for
   which the daemon is sure to wait for a task with on_disconnect: stop. */
#include "agent/engine/agent_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FAILURES_MAX = 6, /* 0.5 s doubled six times passes the cap */
    PING_LEAST_MS = 10,
};

/* The codes of a close, RFC 6455. */
enum { CLOSE_NORMAL = 1000, CLOSE_PROTOCOL = 1002, CLOSE_POLICY = 1008, CLOSE_RETRY = 1013 };

const char *agent_link_state_name(enum agent_link_state state)
{
    static const char *const names[] = {
        [AGENT_LINK_OFFLINE] = "offline", [AGENT_LINK_DIALLING] = "dialling",
        [AGENT_LINK_GREETED] = "greeted", [AGENT_LINK_READY] = "ready",
        [AGENT_LINK_CLOSING] = "closing",
    };
    return names[state];
}

bool agent_link_is_ready(const struct agent_engine *engine)
{
    return engine->link.state == AGENT_LINK_READY;
}

static int64_t backoff_ceiling(unsigned failures)
{
    int64_t ceiling = (int64_t)AGENT_BACKOFF_BASE_MS << failures;
    return ceiling < AGENT_BACKOFF_MAX_MS ? ceiling : AGENT_BACKOFF_MAX_MS;
}

/* Full jitter, so that a fleet does not come back as one. */
static int64_t backoff_next(struct agent_engine *engine)
{
    struct agent_link *link = &engine->link;
    if (link->unwanted) {
        link->failures = FAILURES_MAX;
        return AGENT_BACKOFF_MAX_MS / 2 +
               (int64_t)rng_below(&engine->rng, AGENT_BACKOFF_MAX_MS / 2 + 1);
    }
    int64_t ceiling = backoff_ceiling(link->failures);
    if (link->failures < FAILURES_MAX) {
        link->failures++;
    }
    return (int64_t)rng_below(&engine->rng, (uint64_t)ceiling + 1);
}

/* Nothing more goes into this connection; the next session offers everything again. */
static void outputs_drop(struct agent_engine *engine)
{
    while (engine->outputs.head != NULL) {
        agent_attempt_queue(engine, engine->outputs.head, AGENT_QUEUE_NONE);
    }
}

void agent_link_close(struct agent_engine *engine, int64_t now_ms, int code, const char *reason,
                      struct agent_effects *effects)
{
    struct agent_link *link = &engine->link;
    CHECK(link->state != AGENT_LINK_OFFLINE && link->state != AGENT_LINK_CLOSING);
    struct agent_effect *effect = agent_effects_add(effects, AGENT_EFFECT_CLOSE);
    effect->close.code = code;
    effect->close.hard = link->state == AGENT_LINK_DIALLING;
    effect->close.reason = arena_copy(&effects->arena, reason, strlen(reason));
    link->closed_hard = effect->close.hard;
    if (agent_link_is_ready(engine) &&
        now_ms - link->ready_at_ms >= backoff_ceiling(link->failures)) {
        link->failures = 0;
    }
    outputs_drop(engine);
    link->state = AGENT_LINK_CLOSING;
    link->limit_at_ms = now_ms + AGENT_CLOSE_LIMIT_MS;
}

void agent_link_refuse(struct agent_engine *engine, int64_t now_ms, enum msg_error_code code,
                       const char *reason, struct agent_effects *effects)
{
    struct msg_error *error = &agent_effects_send(effects, MSG_ERROR)->error;
    error->code = code;
    error->reason = arena_str(&effects->arena, str_of(reason));
    agent_link_close(engine, now_ms, code == MSG_ERROR_LIMIT ? CLOSE_POLICY : CLOSE_PROTOCOL,
                     reason, effects);
}

static enum held_state held_state_told(const struct agent_attempt *attempt)
{
    /* Until the executor has said so, a Started is still to come. */
    bool starting = attempt->record.state == HELD_RUNNING && !attempt->process_seen;
    return starting ? HELD_ACCEPTED : attempt->record.state;
}

void agent_link_connected(struct agent_engine *engine, int64_t now_ms,
                          struct agent_effects *effects)
{
    struct agent_link *link = &engine->link;
    if (link->state != AGENT_LINK_DIALLING) {
        return; /* it opened in the moment in which it was given up */
    }
    struct msg_hello *hello = &agent_effects_send(effects, MSG_HELLO)->hello;
    *hello = engine->hello;
    size_t count = engine->attempts.count - engine->dropped;
    CHECK(count <= MSG_HELD_MAX);
    struct msg_held *held = arena_array(&effects->arena, count, sizeof *held);
    size_t at = 0;
    for (struct agent_attempt *attempt = engine->all.head; attempt != NULL;
         attempt = attempt->next[AGENT_IN_ALL]) {
        if (attempt->dropped) {
            continue;
        }
        held[at].fence = attempt->record.fence;
        held[at].state = held_state_told(attempt);
        attempt->started_told = held[at].state == HELD_RUNNING;
        attempt->offered = true;
        attempt->finished_sent = false;
        at++;
    }
    CHECK(at == count);
    hello->held = held;
    hello->held_count = count;
    link->hello_at_ms = now_ms;
    link->state = AGENT_LINK_GREETED;
    link->limit_at_ms = now_ms + AGENT_WELCOME_LIMIT_MS;
}

void agent_link_disconnected(struct agent_engine *engine, const struct agent_event *event)
{
    struct agent_link *link = &engine->link;
    if (link->state == AGENT_LINK_OFFLINE) {
        return;
    }
    /* A session that outlasted the wait for it was worth the wait: start anew. */
    if (agent_link_is_ready(engine) &&
        event->now_ms - link->ready_at_ms >= backoff_ceiling(link->failures)) {
        link->failures = 0;
    }
    link->unwanted = link->unwanted || event->disconnected.refused;
    link->state = AGENT_LINK_OFFLINE;
    link->dial_at_ms = event->now_ms + backoff_next(engine);
    link->ping_asked = false;
    memset(link->pings, 0, sizeof link->pings);
    outputs_drop(engine);
    for (struct agent_attempt *attempt = engine->all.head; attempt != NULL;
         attempt = attempt->next[AGENT_IN_ALL]) {
        attempt->offered = false;
        attempt->finished_sent = false;
    }
}

/* Keeps a copy of its own: what the message points to ends with the step. */
static void receipt_keep(struct agent_engine *engine, const struct msg_receipt *receipt)
{
    CHECK(receipt->start_id.length <= sizeof engine->start_id);
    CHECK(receipt->hmac.length <= sizeof engine->hmac);
    if (receipt->start_id.length > 0) {
        memcpy(engine->start_id, receipt->start_id.data, receipt->start_id.length);
    }
    if (receipt->hmac.length > 0) {
        memcpy(engine->hmac, receipt->hmac.data, receipt->hmac.length);
    }
    engine->hello.receipt = *receipt;
    engine->hello.receipt.start_id.data = engine->start_id;
    engine->hello.receipt.hmac.data = engine->hmac;
}

/* NULL: it can be carried out. Nothing has changed otherwise, but for the offers. */
static const char *welcome_wrong(struct agent_engine *engine, const struct msg_welcome *welcome)
{
    if (welcome->session <= engine->hello.session) {
        return "the session of the Welcome does not rise";
    }
    if (welcome->lease_ms <= 0 || welcome->ping_ms <= 0) {
        return "the Welcome has no lease or no ping interval";
    }
    size_t offered = engine->attempts.count - engine->dropped;
    for (size_t i = 0; i < welcome->verdicts_count; i++) {
        struct agent_attempt *attempt = agent_attempt_find(engine, welcome->verdicts[i].fence);
        if (attempt == NULL || !attempt->offered) {
            return "the Welcome judges an attempt that was not offered, or one twice";
        }
        attempt->offered = false;
        offered--;
    }
    return offered == 0 ? NULL : "the Welcome leaves out an attempt that is held";
}

static void ping_send(struct agent_engine *engine, int64_t now_ms, struct agent_effects *effects)
{
    struct agent_link *link = &engine->link;
    uint64_t id = ++link->ping_id;
    link->pings[id % AGENT_PINGS_KEPT].id = id;
    link->pings[id % AGENT_PINGS_KEPT].sent_ms = now_ms;
    link->ping_at_ms = now_ms + link->ping_ms;
    link->ping_asked = false;
    agent_effects_send(effects, MSG_PING)->ping.id = id;
}

void agent_link_welcome(struct agent_engine *engine, int64_t now_ms,
                        const struct msg_welcome *welcome, struct agent_effects *effects)
{
    struct agent_link *link = &engine->link;
    const char *wrong = welcome_wrong(engine, welcome);
    if (wrong != NULL) {
        agent_link_refuse(engine, now_ms, MSG_ERROR_PROTOCOL, wrong, effects);
        return;
    }
    engine->hello.session = welcome->session;
    receipt_keep(engine, &welcome->receipt);
    struct agent_effect *save = agent_effects_add(effects, AGENT_EFFECT_SAVE_SESSION);
    save->session.session = welcome->session;
    save->session.receipt = engine->hello.receipt;
    agent_effects_send(effects, MSG_READY)->ready.session = welcome->session;

    link->state = AGENT_LINK_READY;
    link->ready_at_ms = now_ms;
    link->unwanted = false;
    link->lease_ms = welcome->lease_ms;
    /* Two pings a lease at the least: one that is lost must not end it. */
    link->ping_ms =
        welcome->ping_ms < welcome->lease_ms / 2 ? welcome->ping_ms : welcome->lease_ms / 2;
    link->ping_ms = link->ping_ms < PING_LEAST_MS ? PING_LEAST_MS : link->ping_ms;
    if (!link->leased) {
        /* Only pings renew a lease that runs; a new one begins with the Hello, which was answered. */
        link->leased = true;
        link->lease_end_ms = link->hello_at_ms + link->lease_ms;
    }
    ping_send(engine, now_ms, effects);
    for (size_t i = 0; i < welcome->verdicts_count; i++) {
        const struct msg_verdict *verdict = &welcome->verdicts[i];
        agent_work_verdict(engine, agent_attempt_find(engine, verdict->fence), verdict, effects);
    }
}

void agent_link_pong(struct agent_engine *engine, const struct msg_pong *pong)
{
    struct agent_link *link = &engine->link;
    if (pong->probe) {
        link->ping_asked =
            true; /* sent by this turn's tick: one a turn, however often it is asked */
        return;
    }
    size_t place = (size_t)(pong->id % AGENT_PINGS_KEPT);
    if (pong->id == 0 || link->pings[place].id != pong->id) {
        return; /* an answer that comes very late says nothing of now */
    }
    int64_t end = link->pings[place].sent_ms + link->lease_ms;
    if (!link->leased || end > link->lease_end_ms) {
        link->lease_end_ms = end;
        link->leased = true;
    }
    link->pings[place].id = 0;
}

void agent_link_error(struct agent_engine *engine, int64_t now_ms, const struct msg_error *error,
                      struct agent_effects *effects)
{
    switch (error->code) {
    case MSG_ERROR_IDENTITY:
    case MSG_ERROR_DUPLICATE:
    case MSG_ERROR_VERSION:
    case MSG_ERROR_DISPLACED:
    case MSG_ERROR_RECEIPT:
        /* Only a person changes this, or another agent's end: come back, but slowly. */
        engine->link.unwanted = true;
        break;
    case MSG_ERROR_PROTOCOL:
    case MSG_ERROR_LIMIT:
    case MSG_ERROR_OVERLOAD:
    case MSG_ERROR_LEASE:
    case MSG_ERROR_SHUTDOWN:
        break;
    }
    char reason[64];
    snprintf(reason, sizeof reason, "the daemon says: %s", msg_error_name(error->code));
    agent_link_close(engine, now_ms, CLOSE_NORMAL, reason, effects);
}

static void limit_passed(struct agent_engine *engine, int64_t now_ms, struct agent_effects *effects)
{
    struct agent_link *link = &engine->link;
    if (link->state == AGENT_LINK_DIALLING) {
        agent_link_close(engine, now_ms, CLOSE_RETRY, "the dial took too long", effects);
    } else if (link->state == AGENT_LINK_GREETED) {
        agent_link_close(engine, now_ms, CLOSE_RETRY, "no Welcome in time", effects);
    } else if (!link->closed_hard) {
        link->closed_hard = true;
        struct agent_effect *effect = agent_effects_add(effects, AGENT_EFFECT_CLOSE);
        effect->close.code = CLOSE_RETRY;
        effect->close.hard = true;
        effect->close.reason = "the close took too long";
    }
}

static bool link_is_limited(const struct agent_link *link)
{
    return link->state == AGENT_LINK_DIALLING || link->state == AGENT_LINK_GREETED ||
           (link->state == AGENT_LINK_CLOSING && !link->closed_hard);
}

void agent_link_tick(struct agent_engine *engine, int64_t now_ms, struct agent_effects *effects)
{
    struct agent_link *link = &engine->link;
    if (link->leased && now_ms >= link->lease_end_ms) {
        link->leased = false;
        agent_work_lease_ended(engine, effects);
        if (link->state == AGENT_LINK_READY) {
            agent_link_close(engine, now_ms, CLOSE_POLICY, "the lease ended: no Pong in time",
                             effects);
        }
    }
    if (link_is_limited(link) && now_ms >= link->limit_at_ms) {
        limit_passed(engine, now_ms, effects);
    }
    if (link->state == AGENT_LINK_OFFLINE && engine->shutdowns == 0 && now_ms >= link->dial_at_ms) {
        link->state = AGENT_LINK_DIALLING;
        link->limit_at_ms = now_ms + AGENT_DIAL_LIMIT_MS;
        agent_effects_add(effects, AGENT_EFFECT_DIAL);
    }
    if (link->state == AGENT_LINK_READY && (link->ping_asked || now_ms >= link->ping_at_ms)) {
        ping_send(engine, now_ms, effects);
    }
}

int64_t agent_link_deadline(const struct agent_engine *engine)
{
    const struct agent_link *link = &engine->link;
    int64_t deadline = link->leased ? link->lease_end_ms : INT64_MAX;
    int64_t other = INT64_MAX;
    if (link_is_limited(link)) {
        other = link->limit_at_ms;
    } else if (link->state == AGENT_LINK_OFFLINE && engine->shutdowns == 0) {
        other = link->dial_at_ms;
    } else if (link->state == AGENT_LINK_READY) {
        other = link->ping_asked ? INT64_MIN : link->ping_at_ms;
    }
    return other < deadline ? other : deadline;
}
