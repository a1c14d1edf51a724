/* Agents' WebSockets: who may open one, messages in, coalesced frames out, and every way it ends.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "orchestrator/net/net_private.h"
#include "proto/wire.h"

enum { PROTOCOLS_TEXT_MAX = 256, CLOSE_TRY_AGAIN_LATER = 1013 };

/* Is our subprotocol one of the client's list? */
static bool speaks_ours(struct lws *wsi)
{
    char list[PROTOCOLS_TEXT_MAX];
    if (lws_hdr_copy(wsi, list, sizeof list, WSI_TOKEN_PROTOCOL) <= 0) {
        return false;
    }
    char *rest = NULL;
    for (char *name = strtok_r(list, ", ", &rest); name != NULL;
         name = strtok_r(NULL, ", ", &rest)) {
        if (strcmp(name, WIRE_SUBPROTOCOL) == 0) {
            return true;
        }
    }
    return false;
}

int channel_upgrade(struct conn *conn, const char *protocol)
{
    if (conn->exchange != NULL || conn->lingering) {
        return -1;
    }
    const char *code = NULL;
    const char *detail = NULL;
    int status = origin_check(conn, &code, &detail);
    if (status != 0) {
        return http_refuse(conn, status, code, detail, false);
    }
    char *uri = NULL;
    int uri_length = 0;
    int method = lws_http_get_uri_and_method(conn->wsi, &uri, &uri_length);
    if (strcasecmp(protocol, "websocket") != 0 || method != LWSHUMETH_GET) {
        return http_refuse(conn, 400, "bad_request", "the only upgrade is to a WebSocket, by GET",
                           false);
    }
    if (!str_is((struct str){ uri, (size_t)uri_length }, "/aip")) {
        return http_refuse(conn, 404, "not_found", "WebSockets are served at /aip only", false);
    }
    if (!speaks_ours(conn->wsi)) {
        return http_refuse(conn, 400, "unsupported_protocol",
                           "this daemon speaks the subprotocol " WIRE_SUBPROTOCOL, false);
    }
    http_identify(conn, &conn->identity);
    if (conn->identity.role == NET_ROLE_NONE) {
        return http_refuse(conn, 401, "unauthorized",
                           "a valid token is needed: Authorization: Bearer TOKEN", false);
    }
    bool open_house = conn->identity.role == NET_ROLE_ADMIN && conn->identity.token_id == 0;
    if (conn->identity.role != NET_ROLE_AGENT && !open_house) {
        return http_refuse(conn, 403, "forbidden", "this token is not an agent's", false);
    }
    conn->allowed = true;
    return 0;
}

/* When it ends, libwebsockets decides what may still be sent. */
static bool write_now(struct sending *sending)
{
    struct conn *conn = (struct conn *)(void *)((char *)sending - offsetof(struct conn, sending));
    const struct channel *channel = conn->channel;
    return channel != NULL && !channel->closing && !channel->leaving && channel_writable(conn) == 0;
}

int channel_open(struct conn *conn)
{
    struct net *net = conn->net;
    struct channel *channel = mem_alloc(sizeof *channel);
    channel->id = ++net->last_id;
    conn->channel = channel;
    conn->sending.write = write_now;
    map_put(&net->channels, channel->id, conn);
    deadline_stop(&conn->deadline);
    net->handlers.channel_opened(net->handlers.context, channel->id, &conn->identity, conn->peer);
    return 0;
}

void channel_free(struct conn *conn)
{
    struct net *net = conn->net;
    struct channel *channel = conn->channel;
    map_remove(&net->channels, channel->id);
    inbox_done(&channel->in, &net->pool);
    outbox_done(&channel->out, &net->pool);
    mem_free(channel);
    conn->channel = NULL;
}

static void ask_writable(struct conn *conn)
{
    if (!conn->channel->asked) {
        conn->channel->asked = true;
        conn_write_soon(conn);
    }
}

/* The first end counts. A peer that does not take the close frame is cut off a little later. */
static void begin_close(struct conn *conn, int code, const char *why)
{
    struct channel *channel = conn->channel;
    if (channel->closing) {
        return;
    }
    channel->closing = true;
    channel->code = code;
    snprintf(channel->why, sizeof channel->why, "%s", why);
    size_t length = strlen(channel->why);
    while (length > 0 && !str_is_utf8((struct str){ channel->why, length })) {
        length--; /* the cut went through a character, which the peer would call an error */
    }
    channel->why[length] = 0;
    inbox_done(&channel->in, &conn->net->pool);
    deadline_stop(&conn->deadline);
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, NET_CLOSE_LIMIT_S);
    lws_cancel_service(conn->net->lws); /* or the timeout runs from its next event on */
    ask_writable(conn);
}

void channel_abort(struct conn *conn, int code, const char *why)
{
    conn->net->stats.refused++;
    outbox_done(&conn->channel->out, &conn->net->pool);
    begin_close(conn, code, why);
}

static void set_close_frame(struct conn *conn)
{
    struct channel *channel = conn->channel;
    channel->parting = true;
    lws_close_reason(conn->wsi, (enum lws_close_status)channel->code, (unsigned char *)channel->why,
                     strlen(channel->why));
}

int channel_writable(struct conn *conn)
{
    struct channel *channel = conn->channel;
    if (channel == NULL) {
        return -1;
    }
    channel->asked = false;
    if (channel->parting) {
        return 0;
    }
    uint8_t *frame;
    size_t bytes;
    if (outbox_next(&channel->out, &frame, &bytes)) {
        if (lws_write(conn->wsi, frame, bytes, LWS_WRITE_BINARY) < (int)bytes) {
            return -1;
        }
        conn->net->stats.bytes_out += bytes;
        outbox_advance(&channel->out, &conn->net->pool);
    }
    if (outbox_queued(&channel->out) > 0 || lws_partial_buffered(conn->wsi)) {
        ask_writable(conn);
        return 0;
    }
    if (channel->closing) {
        /* Only this way of closing sends the frame from here: -1 would mean that writing failed. It
           does not free the connection, since the closing handshake comes first. */
        set_close_frame(conn);
        lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    }
    return 0;
}

int channel_receive(struct conn *conn, struct str piece)
{
    struct net *net = conn->net;
    struct channel *channel = conn->channel;
    if (channel == NULL) {
        return -1;
    }
    if (channel->closing) {
        return 0;
    }
    net->stats.bytes_in += piece.length;
    struct str message;
    switch (inbox_add(&channel->in, &net->pool, conn->wsi, piece, net->config.frame_bytes_max,
                      &message)) {
    case INBOX_PART:
        if (conn->deadline.list == NULL) {
            deadline_start(&conn->deadline, &net->frame_deadlines);
        }
        return 0;
    case INBOX_TOO_LONG:
        channel_abort(conn, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "the message is too long");
        set_close_frame(conn);
        return -1;
    case INBOX_TEXT:
        channel_abort(conn, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, "only binary messages");
        set_close_frame(conn);
        return -1;
    case INBOX_WHOLE:
        break;
    }
    deadline_stop(&conn->deadline);
    /* The handler may close the channel, which gives its memory back. */
    struct inbox taken = channel->in;
    channel->in = (struct inbox){ 0 };
    net->handlers.channel_frame(net->handlers.context, channel->id, message);
    inbox_done(&taken, &net->pool);
    return 0;
}

void channel_peer_closes(struct conn *conn, struct str reason)
{
    struct channel *channel = conn->channel;
    if (channel == NULL) {
        return;
    }
    channel->leaving = true;
    if (channel->closing || reason.length < 2) {
        return;
    }
    unsigned code = (unsigned)((uint8_t)reason.data[0] << 8 | (uint8_t)reason.data[1]);
    struct str words = { reason.data + 2, reason.length - 2 };
    if (words.length > NET_CLOSE_BYTES_MAX - 32 || !str_is_utf8(words)) {
        words.length = 0;
    }
    snprintf(channel->why, sizeof channel->why, "the agent closed it: %u %.*s", code,
             STR_ARG(words));
}

void net_channel_send(struct net *net, uint64_t id, struct str envelopes)
{
    struct conn *conn = map_get(&net->channels, id);
    if (conn == NULL || conn->channel->closing) {
        return;
    }
    struct channel *channel = conn->channel;
    size_t queued = outbox_queued(&channel->out);
    size_t limit = net->config.channel_queue_bytes_max;
    if (queued > limit || envelopes.length > limit - queued) {
        channel_abort(conn, CLOSE_TRY_AGAIN_LATER, "the agent does not read fast enough");
        return;
    }
    outbox_append(&channel->out, &net->pool, envelopes);
    ask_writable(conn);
}

void net_channel_close(struct net *net, uint64_t id, int code, const char *why)
{
    struct conn *conn = map_get(&net->channels, id);
    if (conn != NULL) {
        begin_close(conn, code, why);
    }
}
