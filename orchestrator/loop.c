/* The wiring: sockets to events, signals, the one timer, beginning and end. */
#include "orchestrator/loop.h"

#include <event2/event.h>
#include <signal.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/sys/clock.h"
#include "common/sys/log.h"
#include "common/sys/random.h"
#include "orchestrator/receipt.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/token.h"
#include "proto/wire.h"

enum {
    CHANNEL_QUEUE_BYTES_MAX = 16 * 1024 * 1024,
    STREAM_QUEUE_BYTES_MAX = 4 * 1024 * 1024,
    OTHER_DESCRIPTORS =
        256, /* the database, listeners, admins, what a request opens for a moment */
    CODE_NORMAL = 1000,
    CODE_PROTOCOL = 1002,
    CODE_POLICY = 1008,
};
static const int64_t REQUEST_TIMEOUT_MS = 30000;
static const int64_t FRAME_TIMEOUT_MS = 30000;
static const int64_t CLOSE_DOWN_MS = 3000;

struct moment loop_now(void)
{
    return (struct moment){ clock_boot_ms(), clock_wall_ms() };
}

static void loop_post(struct loop *loop, const struct event *event)
{
    if (loop->in_turn) {
        engine_step(loop->engine, event, &loop->effects);
        return;
    }
    if (loop->events_count == loop->events_capacity) {
        loop->events_capacity = loop->events_capacity == 0 ? 256 : loop->events_capacity * 2;
        loop->events = mem_resize(loop->events, loop->events_capacity * sizeof loop->events[0]);
    }
    loop->events[loop->events_count++] = *event;
}

static void identify(void *context, struct str token, bool over_unix, unsigned uid,
                     struct net_identity *ret_identity)
{
    api_identify(((struct loop *)context)->api, token, over_unix, uid, ret_identity);
}

static void channel_opened(void *context, uint64_t channel, const struct net_identity *identity,
                           const char *peer)
{
    struct loop *loop = context;
    peer_open(&loop->peers, channel, identity, clock_boot_ms());
    log_debug("channel.opened", "channel=%llu peer=%s actor=%s", (unsigned long long)channel,
              log_quote(peer), log_quote(identity->actor));
}

static void refuse_frame(struct loop *loop, struct peer *peer, enum err err,
                         const struct reason *reason)
{
    log_warn("channel.bad_frame", "device=%s error=%s reason=%s", log_quote(peer->device),
             err_name(err), log_quote(reason->text));
    struct event event = { .kind = EVENT_CHANNEL_CLOSED, .now = loop_now() };
    event.channel_closed.channel = peer->channel;
    event.channel_closed.reason = arena_str(&loop->arena, str_of(reason->text));
    loop_post(loop, &event);
    struct msg msg = { .kind = MSG_ERROR };
    msg.error.code = err == ERR_LIMIT ? MSG_ERROR_LIMIT : MSG_ERROR_PROTOCOL;
    msg.error.reason = str_of(reason->text);
    buf_clear(&loop->wire);
    if (wire_encode(&msg, &loop->wire, NULL) == ERR_NONE) {
        net_channel_send(loop->net, peer->channel,
                         (struct str){ (const char *)loop->wire.data, loop->wire.length });
    }
    net_channel_close(loop->net, peer->channel, CODE_PROTOCOL, reason->text);
    peer->closing = true;
}

static void take_message(struct loop *loop, struct peer *peer, const struct msg *msg)
{
    struct event event = { .kind = EVENT_MESSAGE, .now = loop_now() };
    event.message.channel = peer->channel;
    event.message.msg = msg;
    if (msg->kind == MSG_HELLO) {
        const struct msg_receipt *receipt = &msg->hello.receipt;
        event.message.bound_device = arena_str(&loop->arena, str_of(peer->identity.device));
        if (loop->failed == ERR_NONE && receipt_is_ours(&loop->start, msg->hello.device, receipt)) {
            loop->failed = store_receipt_is_ahead(
                loop->store, receipt->epoch, (const uint8_t *)receipt->start_id.data,
                receipt->fence, &event.message.receipt_is_ahead, &loop->failure);
        }
        peer_greeted(&loop->peers, peer, msg->hello.device);
    }
    loop_post(loop, &event);
    if (msg->kind == MSG_GOODBYE) {
        net_channel_close(loop->net, peer->channel, CODE_NORMAL, "goodbye");
        peer->closing = true;
    }
}

static void channel_frame(void *context, uint64_t channel, struct str frame)
{
    struct loop *loop = context;
    struct peer *peer = peer_find(&loop->peers, channel);
    size_t at = 0;
    for (size_t envelopes = 0; peer != NULL && !peer->closing && at < frame.length; envelopes++) {
        struct msg *msg = arena_alloc(&loop->arena, sizeof *msg);
        struct reason reason = { "" };
        enum err err = envelopes < MSG_FRAME_ENVELOPES_MAX
                           ? wire_decode(frame, &at, &loop->arena, msg, &reason)
                           : reason_set(&reason, ERR_LIMIT, "too many envelopes in a frame");
        if (err == ERR_NONE && !peer->greeted && msg->kind != MSG_HELLO) {
            err = reason_set(&reason, ERR_BAD_FRAME, "%s before Hello", msg_kind_name(msg->kind));
        }
        if (err != ERR_NONE) {
            refuse_frame(loop, peer, err, &reason);
            return;
        }
        take_message(loop, peer, msg);
    }
}

static void channel_closed(void *context, uint64_t channel, const char *why)
{
    struct loop *loop = context;
    struct peer *peer = peer_find(&loop->peers, channel);
    if (peer == NULL) {
        return;
    }
    log_info("channel.closed", "device=%s reason=%s", log_quote(peer->device), log_quote(why));
    struct event event = { .kind = EVENT_CHANNEL_CLOSED, .now = loop_now() };
    event.channel_closed.channel = channel;
    event.channel_closed.reason = arena_str(&loop->arena, str_of(why));
    loop_post(loop, &event);
    peer_close(&loop->peers, peer);
}

static void request(void *context, const struct net_request *request)
{
    api_request(((struct loop *)context)->api, request);
}

static void request_gone(void *context, uint64_t id)
{
    api_request_gone(((struct loop *)context)->api, id);
}

static void stream_drained(void *context, uint64_t id)
{
    api_stream_drained(((struct loop *)context)->api, id);
}

static void host_post(void *context, const struct event *event)
{
    loop_post(context, event);
}

static void host_wake(void *context)
{
    ((struct loop *)context)->woken = true;
}

static struct moment host_now(void *context)
{
    (void)context;
    return loop_now();
}

static void host_tokens_changed(void *context)
{
    struct loop *loop = context;
    size_t at = 0;
    uint64_t channel = 0;
    void *value = NULL;
    while (map_each(&loop->peers.by_channel, &at, &channel, &value)) {
        const struct peer *peer = value;
        if (!api_identity_holds(loop->api, &peer->identity)) {
            net_channel_close(loop->net, channel, CODE_POLICY,
                              "the token of this connection is not good any more");
        }
    }
}

static void host_metrics(void *context, struct api_metrics *ret_metrics)
{
    *ret_metrics = ((struct loop *)context)->metrics;
}

static bool host_ready(void *context, struct reason *why)
{
    struct loop *loop = context;
    if (engine_is_blocked(loop->engine)) {
        reason_set(why, ERR_CONFLICT,
                   "agents hold receipts that are ahead of this database: see asterismd restore "
                   "--accept");
        return false;
    }
    return true;
}

static void close_unheard(struct loop *loop)
{
    int64_t now = clock_boot_ms();
    struct peer *peer = loop->peers.waiting_first;
    while (peer != NULL && peer->opened_boot_ms + PEER_HELLO_MS <= now) {
        struct peer *next = peer->next;
        net_channel_close(loop->net, peer->channel, CODE_POLICY, "no Hello within 10 seconds");
        peer->closing = true;
        peer_greeted(&loop->peers, peer, STR("")); /* not looked at again while it closes */
        peer = next;
    }
}

static void on_timer(void *context)
{
    ((struct loop *)context)->woken = true;
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)what;
    log_info("daemon.stopping", "signal=%d", (int)number);
    ((struct loop *)context)->stopping = true;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(const struct loop *loop)
{
    int64_t at = least(engine_next_deadline(loop->engine), api_next_deadline(loop->api));
    at = least(at, store_sync_deadline(loop->store));
    at = least(at, loop->retain_boot_ms);
    at = least(at, loop->expiry.next_boot_ms);
    if (loop->peers.waiting_first != NULL) {
        at = least(at, loop->peers.waiting_first->opened_boot_ms + PEER_HELLO_MS);
    }
    return at;
}

/* One pass: what the sockets have, then a turn if there is anything for one to do. */
static enum err pass(struct loop *loop, struct reason *reason)
{
    int64_t deadline = next_deadline(loop);
    int64_t now = clock_boot_ms();
    bool due = loop->woken || loop->events_count > 0 || deadline <= now;
    if (!due && deadline != loop->armed_boot_ms) {
        nest_timer_arm(loop->timer, deadline);
        loop->armed_boot_ms = deadline;
    }
    nest_run_once(loop->nest, !due);
    now = clock_boot_ms();
    close_unheard(loop);
    expiry_look(&loop->expiry);
    if (loop->failed != ERR_NONE) {
        *reason = loop->failure;
        return loop->failed;
    }
    enum err err = ERR_NONE;
    if (loop->woken || loop->events_count > 0 || engine_next_deadline(loop->engine) <= now ||
        loop->retain_boot_ms <= now) {
        err = turn_run(loop, reason);
    }
    if (err == ERR_NONE && store_sync_deadline(loop->store) <= now) {
        err = release_output_acks(loop, reason);
    }
    if (err == ERR_NONE && api_next_deadline(loop->api) <= now) {
        api_tick(loop->api, loop_now());
    }
    return err;
}

static enum err open_state(struct loop *loop, struct reason *reason)
{
    struct store_seed seed = { .wall_ms = clock_wall_ms() };
    random_bytes(seed.random, sizeof seed.random);
    enum err err =
        store_sqlite_open(loop->config->data_dir, &seed, &loop->store, &loop->start, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct engine_config config = {
        .epoch = loop->start.epoch,
        .seed = random_uint64(),
        .lease_ms = loop->config->lease_ms,
        .ping_ms = loop->config->ping_ms,
        .lost_after_ms = loop->config->lost_after_ms,
        .blocked = loop->start.ahead_epoch != 0,
        .next_constellation_id = loop->start.next_constellation_id,
        .next_task_id = loop->start.next_task_id,
        .next_edge_id = loop->start.next_edge_id,
        .next_hold_id = loop->start.next_hold_id,
    };
    loop->engine = engine_new(&config);
    err = store_load(loop->store, loop->engine, reason);
    return err != ERR_NONE ? err : engine_load_end(loop->engine, loop_now(), reason);
}

static enum err open_net(struct loop *loop, struct reason *reason)
{
    const struct daemon_config *config = loop->config;
    static const char *const open_paths[] = { "/healthz", "/readyz", NULL };
    struct net_config net_config = {
        .open_paths = open_paths,
        .listen = config->listen,
        .unix_path = config->unix_socket,
        .cert_file = config->tls_cert,
        .key_file = config->tls_key,
        .hosts = config->hosts.items,
        .body_bytes_max = 64 * 1024 * 1024,
        .frame_bytes_max = MSG_FRAME_BYTES_MAX,
        .channel_queue_bytes_max = CHANNEL_QUEUE_BYTES_MAX,
        .stream_queue_bytes_max = STREAM_QUEUE_BYTES_MAX,
        .connections_max = (unsigned)config->connections_max,
        .descriptors_kept = OUTPUT_OPEN_FILES_MAX + OTHER_DESCRIPTORS,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
        .frame_timeout_ms = FRAME_TIMEOUT_MS,
    };
    struct net_handlers handlers = {
        .context = loop,
        .identify = identify,
        .channel_opened = channel_opened,
        .channel_frame = channel_frame,
        .channel_closed = channel_closed,
        .request = request,
        .request_gone = request_gone,
        .stream_drained = stream_drained,
    };
    return net_new(loop->nest, &net_config, &handlers, &loop->net, reason);
}

static enum err open_api(struct loop *loop, struct reason *reason)
{
    struct api_config config = {
        .store = loop->store,
        .engine = loop->engine,
        .net = loop->net,
        .nest = loop->nest,
        .start = loop->start,
        .host = { .context = loop,
                  .post = host_post,
                  .wake = host_wake,
                  .now = host_now,
                  .tokens_changed = host_tokens_changed,
                  .metrics = host_metrics,
                  .ready = host_ready },
    };
    return api_new(&config, &loop->api, reason);
}

static enum err check_exposure(struct loop *loop, struct reason *reason)
{
    struct token_list tokens;
    enum err err = token_load(loop->store, &loop->arena, &tokens, reason);
    bool any = err == ERR_NONE && tokens.count > 0;
    arena_clear(&loop->arena);
    if (err != ERR_NONE) {
        return err;
    }
    if (!any && !daemon_config_is_loopback(loop->config->listen)) {
        return reason_set(reason, ERR_DENIED,
                          "--listen %s can be reached from other machines, and no token has been "
                          "made yet: start on 127.0.0.1, run `asterism --url unix:%s token create "
                          "--role admin --name me`, then start again",
                          loop->config->listen, loop->config->unix_socket);
    }
    if (!any) {
        log_warn("security.open",
                 "every local user is admin until the first token is made: asterism --url unix:%s "
                 "token create --role admin --name me",
                 loop->config->unix_socket);
    }
    return ERR_NONE;
}

static void note_start(struct loop *loop)
{
    struct effect *effect = effects_add(&loop->effects, EFFECT_HISTORY);
    effect->history.kind = HISTORY_DAEMON_STARTED;
    effect->history.wall_ms = clock_wall_ms();
    effect->history.number = (int64_t)loop->start.epoch;
    loop->woken = true;
}

static enum err open_all(struct loop *loop, struct reason *reason)
{
    enum err err = nest_new(&loop->nest, reason);
    err = err != ERR_NONE ? err : open_state(loop, reason);
    err = err != ERR_NONE ? err : check_exposure(loop, reason);
    if (err == ERR_NONE) {
        loop->conditions = condition_engine_new(reason);
        err = loop->conditions == NULL ? ERR_UNSUPPORTED : ERR_NONE;
    }
    err = err != ERR_NONE ? err : open_net(loop, reason);
    err = err != ERR_NONE ? err : open_api(loop, reason);
    if (err == ERR_NONE) {
        loop->timer = nest_timer_new(loop->nest, on_timer, loop);
        loop->armed_boot_ms = INT64_MAX;
        loop->metrics.start_wall_ms = clock_wall_ms();
        expiry_begin(&loop->expiry, loop->config->tls_cert);
        loop->metrics.certificate_wall_ms = loop->expiry.wall_ms;
        note_start(loop);
    }
    return err;
}

static bool nobody_left(void *context)
{
    const struct loop *loop = context;
    return loop->peers.by_channel.count == 0;
}

static void say_goodbye(struct loop *loop)
{
    net_stop_listening(loop->net);
    struct msg msg = { .kind = MSG_ERROR,
                       .error = { MSG_ERROR_SHUTDOWN, STR("the daemon stops") } };
    buf_clear(&loop->wire);
    if (wire_encode(&msg, &loop->wire, NULL) != ERR_NONE) {
        return;
    }
    size_t at = 0;
    uint64_t channel = 0;
    void *value = NULL;
    while (map_each(&loop->peers.by_channel, &at, &channel, &value)) {
        net_channel_send(loop->net, channel,
                         (struct str){ (const char *)loop->wire.data, loop->wire.length });
        net_channel_close(loop->net, channel, 1001, "the daemon stops");
    }
    nest_drain(loop->nest, nobody_left, loop, CLOSE_DOWN_MS);
}

static void close_all(struct loop *loop)
{
    if (loop->net != NULL && loop->api != NULL) {
        say_goodbye(loop);
    }
    net_free(loop->net); /* tells the API of requests that end with it */
    api_free(loop->api);
    nest_timer_free(loop->timer);
    engine_free(loop->engine);
    condition_engine_free(loop->conditions);
    store_free(loop->store);
    nest_free(loop->nest);
    peers_done(&loop->peers);
    mem_free(loop->events);
    arena_done(&loop->arena);
    effects_done(&loop->effects);
    buf_done(&loop->wire);
}

static enum err run(struct loop *loop, struct reason *reason)
{
    struct event *terminate = evsignal_new(nest_base(loop->nest), SIGTERM, on_signal, loop);
    struct event *interrupt = evsignal_new(nest_base(loop->nest), SIGINT, on_signal, loop);
    CHECK(terminate != NULL && interrupt != NULL);
    evsignal_add(terminate, NULL);
    evsignal_add(interrupt, NULL);
    log_info("daemon.started", "version=%s port=%u unix=%s data_dir=%s epoch=%llu",
             ASTERISM_VERSION, net_port(loop->net), log_quote(loop->config->unix_socket),
             log_quote(loop->config->data_dir), (unsigned long long)loop->start.epoch);
    if (engine_is_blocked(loop->engine)) {
        log_warn("restore.blocked",
                 "agents hold receipts that are ahead of this database; nothing "
                 "is assigned until: asterismd restore --accept --data-dir %s",
                 log_quote(loop->config->data_dir));
    }
    enum err err = ERR_NONE;
    while (err == ERR_NONE && !loop->stopping) {
        err = pass(loop, reason);
    }
    event_free(terminate);
    event_free(interrupt);
    return err;
}

enum err loop_run(const struct daemon_config *config, bool *ret_ran, struct reason *reason)
{
    struct loop loop = { .config = config, .slice = TURN_SLICE_FIRST };
    enum err err = open_all(&loop, reason);
    if (err != ERR_NONE) {
        close_all(&loop);
        return err;
    }
    *ret_ran = true;
    err = run(&loop, reason);
    if (err != ERR_NONE) {
        return err; /* memory is ahead of the disk: nothing is sent or freed any more */
    }
    close_all(&loop);
    return ERR_NONE;
}
