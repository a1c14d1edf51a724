/* An outgoing WebSocket: its queue, its messages, its end. The dialling is in ws_dial.c. */
#include "common/net/ws_client.h"

#include <event2/event.h>
#include <libwebsockets.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/nest.h"
#include "common/net/ws_client_private.h"

enum { CLOSE_LIMIT_S = 5, TOKEN_BYTES_MAX = 1024 };

static bool token_fits(const char *token)
{
    size_t length = strlen(token);
    if (length == 0 || length > TOKEN_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            return false;
        }
    }
    return true;
}

enum err ws_client_new(struct nest *nest, const struct ws_client_config *config,
                       const struct ws_client_callbacks *callbacks, struct ws_client **ret_client,
                       struct reason *reason)
{
    struct ws_url url;
    enum err err = ws_url_parse(config->url, &url, reason);
    if (err != ERR_NONE) {
        return err;
    }
    if (config->token != NULL && !token_fits(config->token)) {
        /* It would otherwise be able to add headers of its own. */
        return reason_set(reason, ERR_INVALID,
                          "the token is empty, too long, or has blanks or control characters");
    }
    struct ws_context *shared;
    err = ws_context_get(nest, &shared, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct lws_vhost *vhost;
    err = ws_context_vhost(shared, config->ca_file, &vhost, reason);
    if (err != ERR_NONE) {
        return err;
    }

    struct ws_client *client = mem_alloc(sizeof *client);
    client->nest = nest;
    client->shared = shared;
    client->vhost = vhost;
    client->url = url;
    client->path = mem_copy_text(config->path);
    client->subprotocol = mem_copy_text(config->subprotocol);
    client->token = config->token == NULL ? NULL : mem_copy_text(config->token);
    client->frame_bytes_max = config->frame_bytes_max;
    client->queue_bytes_max = config->queue_bytes_max;
    client->callbacks = *callbacks;
    client->next_try = event_new(nest_base(nest), -1, 0, ws_dial_try, client);
    CHECK(client->next_try != NULL);
    *ret_client = client;
    return ERR_NONE;
}

/* From here on libwebsockets does not know the client any more. */
static void let_go(struct ws_client *client)
{
    if (client->wsi != NULL) {
        sending_forget(&client->sending);
        lws_set_opaque_user_data(client->wsi, NULL);
        client->wsi = NULL;
    }
    event_del(client->next_try);
    lookup_cancel(client->lookup);
    client->lookup = NULL;
    inbox_done(&client->in, &client->shared->pool);
    outbox_done(&client->out, &client->shared->pool);
    client->state = WS_CLIENT_IDLE;
}

void ws_client_kill(struct ws_context *shared, struct lws *wsi)
{
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    /* Set from outside its callbacks, a timeout of libwebsockets runs from its next event on. */
    lws_cancel_service(shared->lws);
}

void ws_client_free(struct ws_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->freed != NULL) {
        *client->freed = true;
    }
    struct lws *wsi = client->wsi;
    let_go(client);
    if (wsi != NULL) {
        ws_client_kill(client->shared, wsi);
    }
    event_free(client->next_try);
    mem_free(client->path);
    mem_free(client->subprotocol);
    if (client->token != NULL) {
        explicit_bzero(client->token, strlen(client->token));
        mem_free(client->token);
    }
    mem_free(client);
}

void ws_client_ended(struct ws_client *client, int code, const char *why)
{
    char words[WS_CLOSE_REASON_BYTES];
    snprintf(words, sizeof words, "%s", why);
    let_go(client);
    client->callbacks.closed(client->callbacks.context, code, words);
}

static int on_writable(struct ws_client *client, struct lws *wsi);

/* When it ends, libwebsockets decides what may still be sent. */
static bool write_now(struct sending *sending)
{
    struct ws_client *client =
        (struct ws_client *)(void *)((char *)sending - offsetof(struct ws_client, sending));
    return client->state == WS_CLIENT_OPEN && !client->leaving &&
           on_writable(client, client->wsi) == 0;
}

static void write_soon(struct ws_client *client)
{
    if (lws_partial_buffered(client->wsi)) {
        lws_callback_on_writable(client->wsi);
    } else {
        client->sending.write = write_now;
        sending_soon(client->nest, &client->sending, client->wsi);
    }
}

enum err ws_client_send(struct ws_client *client, struct str envelopes)
{
    if (client->state != WS_CLIENT_OPEN) {
        return ERR_CLOSED;
    }
    size_t queued = outbox_queued(&client->out);
    if (queued > client->queue_bytes_max || envelopes.length > client->queue_bytes_max - queued) {
        client->was_full = true;
        return ERR_LIMIT;
    }
    outbox_append(&client->out, &client->shared->pool, envelopes);
    if (queued + envelopes.length > client->queue_bytes_max / 2) {
        client->was_full = true;
    }
    if (!client->asked) {
        client->asked = true;
        write_soon(client);
    }
    return ERR_NONE;
}

size_t ws_client_queued(const struct ws_client *client)
{
    return outbox_queued(&client->out);
}

static void set_ending(struct ws_client *client, int code, const char *why)
{
    if (client->close_code == 0) {
        client->close_code = code;
        snprintf(client->close_why, sizeof client->close_why, "%s", why);
    }
}

void ws_client_close(struct ws_client *client, int code, const char *why)
{
    switch (client->state) {
    case WS_CLIENT_IDLE:
    case WS_CLIENT_CLOSING:
    case WS_CLIENT_PARTING:
        break;
    case WS_CLIENT_DIALING:
        set_ending(client, code, why);
        client->state = WS_CLIENT_CLOSING;
        event_active(client->next_try, EV_TIMEOUT, 0);
        break;
    case WS_CLIENT_OPEN:
        set_ending(client, code, why);
        client->state = WS_CLIENT_CLOSING;
        /* A server that does not read must not keep us: the queue has this long to drain. */
        lws_set_timeout(client->wsi, PENDING_TIMEOUT_USER_OK, CLOSE_LIMIT_S);
        lws_cancel_service(client->shared->lws);
        write_soon(client);
        break;
    }
}

/* Begins the closing handshake. Only this way of closing sends the frame from a writable callback:
   returning -1 there means that writing has failed. */
static void close_now(struct ws_client *client, struct lws *wsi)
{
    struct str why = { client->close_why, strnlen(client->close_why, WS_CLOSE_SENT_BYTES_MAX) };
    while (why.length > 0 && !str_is_utf8(why)) {
        why.length--; /* the cut went through a character */
    }
    client->state = WS_CLIENT_PARTING;
    lws_close_reason(wsi, (enum lws_close_status)client->close_code,
                     (unsigned char *)client->close_why, why.length);
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* The same from a receive callback, where -1 means just this. */
static int refuse_message(struct ws_client *client, struct lws *wsi, int code, const char *why)
{
    set_ending(client, code, why);
    client->state = WS_CLIENT_PARTING;
    lws_close_reason(wsi, (enum lws_close_status)client->close_code,
                     (unsigned char *)client->close_why, strlen(client->close_why));
    return -1;
}

static int on_writable(struct ws_client *client, struct lws *wsi)
{
    client->asked = false;
    if (client->state == WS_CLIENT_PARTING) {
        return 0;
    }
    uint8_t *frame;
    size_t bytes;
    if (outbox_next(&client->out, &frame, &bytes)) {
        if (lws_write(wsi, frame, bytes, LWS_WRITE_BINARY) < (int)bytes) {
            return -1;
        }
        outbox_advance(&client->out, &client->shared->pool);
    }
    size_t queued = outbox_queued(&client->out);
    if (queued > 0 || lws_partial_buffered(wsi)) {
        client->asked = true;
        write_soon(client);
    } else if (client->state == WS_CLIENT_CLOSING) {
        close_now(client, wsi);
        return 0;
    }
    if (client->was_full && client->state == WS_CLIENT_OPEN &&
        queued <= client->queue_bytes_max / 2) {
        client->was_full = false;
        client->callbacks.writable(client->callbacks.context);
    }
    return 0;
}

static int on_receive(struct ws_client *client, struct lws *wsi, struct str piece)
{
    if (client->state != WS_CLIENT_OPEN) {
        return 0;
    }
    struct buf_pool *pool = &client->shared->pool;
    struct str message;
    switch (inbox_add(&client->in, pool, wsi, piece, client->frame_bytes_max, &message)) {
    case INBOX_PART:
        return 0;
    case INBOX_TOO_LONG:
        return refuse_message(client, wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE,
                              "the server's message is too long");
    case INBOX_TEXT:
        return refuse_message(client, wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE,
                              "only binary messages");
    case INBOX_WHOLE:
        break;
    }
    /* The callback may free the client: the message's memory must not go with it. */
    struct inbox taken = client->in;
    client->in = (struct inbox){ 0 };
    client->callbacks.frame(client->callbacks.context, message);
    inbox_done(&taken, pool);
    return 0;
}

static void on_peer_close(struct ws_client *client, const uint8_t *in, size_t bytes)
{
    client->leaving = true;
    if (bytes < 2 || client->close_code != 0) {
        return;
    }
    client->close_code = in[0] << 8 | in[1];
    snprintf(client->close_why, sizeof client->close_why, "%.*s", (int)(bytes - 2),
             (const char *)in + 2);
}

/* A server that speaks TLS cuts off one that does not, without a word. */
static const char *cut_words(const struct ws_client *client)
{
    return client->state == WS_CLIENT_DIALING && !client->url.tls
               ? "the connection was cut before an answer came; wss:// if the server speaks TLS"
               : "the connection was cut";
}

int ws_client_callback(struct lws *wsi, enum lws_callback_reasons what, void *user, void *in,
                       size_t bytes)
{
    struct ws_client *client = wsi == NULL ? NULL : lws_get_opaque_user_data(wsi);
    if (what == LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION ||
        what == LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION) {
        /* Returning 0 would overrule OpenSSL and accept any certificate; `bytes` is its verdict. */
        return ws_dial_check_certificate(client, user, bytes != 0);
    }
    if (client == NULL) {
        return 0;
    }
    switch ((int)what) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return ws_dial_headers(client, wsi, in, bytes);
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
        return ws_dial_check_reply(client, wsi);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        if (client->state == WS_CLIENT_DIALING) { /* else it has been closed: ws_dial_try ends it */
            client->state = WS_CLIENT_OPEN;
            client->callbacks.opened(client->callbacks.context);
        }
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return on_writable(client, wsi);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return on_receive(client, wsi, (struct str){ in, bytes });
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        on_peer_close(client, in, bytes);
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        ws_dial_failed(client, wsi, in, bytes);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
        ws_client_ended(client, client->close_code,
                        client->close_code != 0 ? client->close_why : cut_words(client));
        return 0;
    default:
        return 0;
    }
}
