/* What a turn lets out after its commit: messages, assignments in batches, closes. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/sys/log.h"
#include "orchestrator/loop.h"
#include "orchestrator/receipt.h"
#include "proto/wire.h"

/* An Assign goes out when its bodies have grown to this. */
enum { BATCH_BYTES = 48 * 1024 };

/* WebSocket codes (RFC 6455, 7.4.1). */
enum {
    CODE_POLICY = 1008,
    CODE_TOO_BIG = 1009,
    CODE_TRY_LATER = 1013,
    CODE_GOING = 1001,
    CODE_PROTOCOL = 1002
};

static int close_code(enum msg_error_code code)
{
    switch (code) {
    case MSG_ERROR_PROTOCOL:
        return CODE_PROTOCOL;
    case MSG_ERROR_LIMIT:
        return CODE_TOO_BIG;
    case MSG_ERROR_OVERLOAD:
        return CODE_TRY_LATER;
    case MSG_ERROR_SHUTDOWN:
        return CODE_GOING;
    case MSG_ERROR_IDENTITY:
    case MSG_ERROR_DUPLICATE:
    case MSG_ERROR_VERSION:
    case MSG_ERROR_LEASE:
    case MSG_ERROR_DISPLACED:
    case MSG_ERROR_RECEIPT:
        return CODE_POLICY;
    }
    return CODE_POLICY;
}

static void send_msg(struct loop *loop, uint64_t channel, const struct msg *msg)
{
    struct reason reason;
    buf_clear(&loop->wire);
    if (wire_encode(msg, &loop->wire, &reason) != ERR_NONE) {
        log_error("channel.unsendable", "message=%s reason=%s", msg_kind_name(msg->kind),
                  log_quote(reason.text));
        net_channel_close(loop->net, channel, CODE_PROTOCOL, "a message of ours broke a limit");
        return;
    }
    net_channel_send(loop->net, channel,
                     (struct str){ (const char *)loop->wire.data, loop->wire.length });
}

static void send_welcome(struct loop *loop, uint64_t channel, const struct msg *msg)
{
    const struct peer *peer = peer_find(&loop->peers, channel);
    if (peer == NULL) {
        return; /* gone since */
    }
    struct msg signed_msg = *msg;
    signed_msg.welcome.daemon_version = STR(ASTERISM_VERSION);
    receipt_sign(&loop->start, str_of(peer->device), &loop->arena, &signed_msg.welcome.receipt);
    send_msg(loop, channel, &signed_msg);
}

static void close_peer(struct loop *loop, const struct effect *effect)
{
    struct peer *peer = peer_find(&loop->peers, effect->close.channel);
    if (peer != NULL) {
        peer->closing = true;
    }
    struct str why = effect->close.reason;
    log_warn("channel.closing", "device=%s error=%s reason=%.*s",
             peer == NULL ? "?" : log_quote(peer->device), msg_error_name(effect->close.code),
             STR_ARG(why));
    struct msg msg = { .kind = MSG_ERROR, .error = { effect->close.code, why } };
    send_msg(loop, effect->close.channel, &msg);
    char text[128];
    snprintf(text, sizeof text, "%.*s", STR_ARG(why));
    net_channel_close(loop->net, effect->close.channel, close_code(effect->close.code), text);
}

/* The tasks for one device in this turn, in the order in which they were assigned. */
struct batch {
    uint64_t channel;
    struct msg_task *tasks;
    size_t count;
    size_t capacity;
    size_t bytes;
    struct batch *next;
};

static void flush_batch(struct loop *loop, struct batch *batch)
{
    if (batch->count > 0) {
        struct msg msg = { .kind = MSG_ASSIGN, .assign = { batch->tasks, batch->count } };
        send_msg(loop, batch->channel, &msg);
    }
    batch->count = 0;
    batch->bytes = 0;
}

static struct batch *find_batch(struct loop *loop, struct batch **first, uint64_t channel)
{
    struct batch **at = first;
    while (*at != NULL && (*at)->channel != channel) {
        at = &(*at)->next;
    }
    struct batch *batch = *at;
    if (batch == NULL) {
        batch = arena_alloc(&loop->arena, sizeof *batch);
        batch->channel = channel;
    } else {
        *at = batch->next; /* to the front: the next one is likely for the same few devices */
    }
    batch->next = *first;
    *first = batch;
    return batch;
}

static void add_to_batch(struct loop *loop, struct batch *batch, const struct effect *effect,
                         const struct release_body *body)
{
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
        struct msg_task *tasks = arena_array(&loop->arena, capacity, sizeof *tasks);
        for (size_t i = 0; i < batch->count; i++) {
            tasks[i] = batch->tasks[i];
        }
        batch->tasks = tasks;
        batch->capacity = capacity;
    }
    batch->tasks[batch->count++] = (struct msg_task){
        .fence = effect->assign.fence,
        .attempt = effect->assign.attempt,
        .name = body->name,
        .body = body->body,
    };
    batch->bytes += body->body.length + body->name.length;
    if (batch->bytes >= BATCH_BYTES || batch->count == MSG_BATCH_MAX) {
        flush_batch(loop, batch);
    }
}

void release_effects(struct loop *loop, const struct release_body *bodies)
{
    struct batch *batches = NULL;
    size_t assigned = 0;
    for (size_t i = 0; i < loop->effects.count; i++) {
        const struct effect *effect = &loop->effects.list[i];
        if (effect->kind == EFFECT_ASSIGN) {
            add_to_batch(loop, find_batch(loop, &batches, effect->assign.channel), effect,
                         &bodies[assigned++]);
        } else if (effect->kind == EFFECT_SEND && effect->send.msg->kind == MSG_WELCOME) {
            send_welcome(loop, effect->send.channel, effect->send.msg);
        } else if (effect->kind == EFFECT_SEND) {
            send_msg(loop, effect->send.channel, effect->send.msg);
        } else if (effect->kind == EFFECT_CLOSE) {
            close_peer(loop, effect);
        }
    }
    for (; batches != NULL; batches = batches->next) {
        flush_batch(loop, batches);
    }
    nest_write_now(loop->nest); /* before the turn puts its own things in order: somebody waits */
}

static void ack_output(void *context, uint64_t fence, enum stream stream, uint64_t offset)
{
    struct loop *loop = context;
    uint64_t channel = engine_attempt_channel(loop->engine, fence);
    if (channel != 0) {
        struct msg_ack_output ack = { fence, stream, offset };
        struct msg msg = { .kind = MSG_ACK, .ack = { .outputs = &ack, .outputs_count = 1 } };
        send_msg(loop, channel, &msg);
    }
}

enum err release_output_acks(struct loop *loop, struct reason *reason)
{
    return store_sync_output(loop->store, loop_now().boot_ms, false, ack_output, loop, reason);
}
