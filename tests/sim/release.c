/* What a turn of the daemon lets out after its commit, in frames of any length; it may die between. */
#include "common/base/mem.h"
#include "orchestrator/receipt.h"
#include "proto/wire.h"
#include "tests/sim/world.h"

enum { BATCH_MAX = 16 };

struct release {
    size_t left; /* messages until the daemon dies */
};

static void flush(struct world *world, struct link *link)
{
    net_send(world, link->id, SIDE_DAEMON,
             (struct str){ (const char *)link->pending.data, link->pending.length });
    buf_clear(&link->pending);
}

/* False: it dies before this one. */
static bool say(struct world *world, struct release *release, uint64_t channel,
                const struct msg *msg)
{
    struct link *link = net_link(world, channel);
    struct reason reason = { "" };
    if (release->left == 0) {
        return false;
    }
    release->left--;
    if (msg->kind == MSG_ACK && msg->ack.finished_count > 0 &&
        world->options.sabotage == SABOTAGE_DROP_ACK) {
        return true;
    }
    promise_saying(world, link, msg);
    if (!link->is_pending) {
        link->is_pending = true;
        link->pending_next = world->net.pending;
        world->net.pending = link;
    }
    if (wire_encode(msg, &link->pending, &reason) != ERR_NONE) {
        promise_broken(world, "P8", "the daemon cannot say %s: %s", msg_kind_name(msg->kind),
                       reason.text);
    }
    if (percent(world, 40)) {
        flush(world, link);
    }
    return true;
}

static bool say_welcome(struct world *world, struct release *release, const struct effect *effect)
{
    struct daemon *daemon = &world->daemon;
    struct msg msg = *effect->send.msg;
    msg.welcome.daemon_version = STR("sim");
    const struct link *link = net_link(world, effect->send.channel);
    receipt_sign(&daemon->start, str_of(link->host->device), &daemon->arena, &msg.welcome.receipt);
    return say(world, release, link->id, &msg);
}

static bool close_link(struct world *world, struct release *release, const struct effect *effect)
{
    struct link *link = net_link(world, effect->close.channel);
    struct msg msg = { .kind = MSG_ERROR, .error = { effect->close.code, effect->close.reason } };
    TRACE(world, "the daemon closes connection %: $", link->id,
          TRACE_TEXT(msg_error_name(effect->close.code)));
    promise_closing(world, link, effect->close.code, effect->close.reason);
    link->refused = true;
    if (!say(world, release, link->id, &msg)) {
        return false;
    }
    flush(world, link);
    net_close(world, link->id, SIDE_DAEMON);
    return true;
}

struct batch {
    uint64_t channel;
    struct msg_task tasks[BATCH_MAX];
    size_t count;
};

static bool flush_batch(struct world *world, struct release *release, struct batch *batch)
{
    if (batch->count == 0) {
        return true;
    }
    struct msg msg = { .kind = MSG_ASSIGN, .assign = { batch->tasks, batch->count } };
    batch->count = 0;
    return say(world, release, batch->channel, &msg);
}

static bool assign(struct world *world, struct release *release, struct batch *batch,
                   const struct effect *effect, const struct release_body *body)
{
    if ((batch->channel != effect->assign.channel || batch->count == BATCH_MAX) &&
        !flush_batch(world, release, batch)) {
        return false;
    }
    batch->channel = effect->assign.channel;
    batch->tasks[batch->count++] = (struct msg_task){
        .fence = effect->assign.fence,
        .attempt = effect->assign.attempt,
        .name = body->name,
        .body = body->body,
    };
    return true;
}

static bool reply(struct world *world, struct release *release, const struct effect *effect)
{
    if (release->left == 0) {
        return false;
    }
    release->left--;
    promise_replied(world, effect);
    return true;
}

static bool release_all(struct world *world, struct release *release,
                        const struct release_body *bodies)
{
    const struct effects *effects = &world->daemon.effects;
    struct batch batch = { 0 };
    size_t assigned = 0;
    bool alive = true;
    for (size_t i = 0; i < effects->count && alive; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ASSIGN) {
            alive = assign(world, release, &batch, effect, &bodies[assigned++]);
        } else if (effect->kind == EFFECT_SEND && effect->send.msg->kind == MSG_WELCOME) {
            alive = say_welcome(world, release, effect);
        } else if (effect->kind == EFFECT_SEND) {
            alive = say(world, release, effect->send.channel, effect->send.msg);
        } else if (effect->kind == EFFECT_CLOSE) {
            alive = close_link(world, release, effect);
        } else if (effect->kind == EFFECT_REPLY) {
            alive = reply(world, release, effect);
        }
    }
    return alive && flush_batch(world, release, &batch);
}

static void flush_all(struct world *world)
{
    while (world->net.pending != NULL) {
        struct link *link = world->net.pending;
        world->net.pending = link->pending_next;
        link->is_pending = false;
        flush(world, link);
    }
}

bool daemon_release(struct world *world, const struct release_body *bodies)
{
    struct release release = { .left = SIZE_MAX };
    size_t count = world->daemon.effects.count;
    if (count > 0 && fault_strikes(world, FAULT_BETWEEN_SENDS)) {
        release.left = chance(world, count);
    }
    bool alive = release_all(world, &release, bodies);
    flush_all(world);
    if (!alive) {
        daemon_kill(world, false, between(world, 0, 2000));
    }
    return alive;
}

static void ack_output(void *context, uint64_t fence, enum stream stream, uint64_t offset)
{
    struct world *world = context;
    uint64_t channel = engine_attempt_channel(world->daemon.engine, fence);
    if (channel != 0) {
        struct release release = { .left = SIZE_MAX };
        struct msg_ack_output ack = { fence, stream, offset };
        struct msg msg = { .kind = MSG_ACK, .ack = { .outputs = &ack, .outputs_count = 1 } };
        say(world, &release, channel, &msg);
    }
}

void daemon_release_output_acks(struct world *world)
{
    struct reason reason = { "" };
    if (store_sync_output(world->daemon.store, daemon_now(world).boot_ms, false, ack_output, world,
                          &reason) != ERR_NONE) {
        promise_broken(world, "P5", "output cannot be synced: %s", reason.text);
    }
    flush_all(world);
}
