/* What ws_client.c and ws_dial.c share. */
#ifndef COMMON_NET_WS_CLIENT_PRIVATE_H
#define COMMON_NET_WS_CLIENT_PRIVATE_H

#include <libwebsockets.h>
#include <stdbool.h>

#include "common/net/inbox.h"
#include "common/net/lookup.h"
#include "common/net/outbox.h"
#include "common/net/sending.h"
#include "common/net/ws_client.h"
#include "common/net/ws_context.h"
#include "common/net/ws_url.h"

enum { WS_CLOSE_SENT_BYTES_MAX = 120, WS_CLOSE_REASON_BYTES = 256 };

enum ws_client_state {
    WS_CLIENT_IDLE,    /* no connection, none asked for */
    WS_CLIENT_DIALING, /* until the upgrade is answered */
    WS_CLIENT_OPEN,
    WS_CLIENT_CLOSING, /* what is queued is still sent */
    WS_CLIENT_PARTING, /* the close frame is libwebsockets' to send, and its answer to await */
};

struct ws_client {
    struct nest *nest;
    struct ws_context *shared;
    struct lws_vhost *vhost;
    struct ws_url url;
    char *path;
    char *subprotocol;
    char *token;
    size_t frame_bytes_max;
    size_t queue_bytes_max;
    struct ws_client_callbacks callbacks;

    enum ws_client_state state;
    struct lws *wsi;
    struct event *next_try; /* runs ws_dial_try from the loop, never from inside a caller */
    struct lookup *lookup;
    struct lookup_result found;
    unsigned tried; /* how many of `found` */
    bool *freed;    /* set while a call into libwebsockets may free the client by a callback */

    struct inbox in;
    struct outbox out;
    struct sending sending;
    bool asked;    /* a WRITEABLE is under way */
    bool leaving;  /* the server has sent its close frame */
    bool was_full; /* owes the caller a `writable` */
    int close_code;
    char close_why[WS_CLOSE_REASON_BYTES];
};

/* Reports the end of the dial. The callback may free the client: do not touch it after this. */
void ws_client_ended(struct ws_client *client, int code, const char *why);

/* Ends a connection soon, from the loop. */
void ws_client_kill(struct ws_context *shared, struct lws *wsi);

void ws_dial_try(int fd, short what, void *context);
int ws_dial_headers(struct ws_client *client, struct lws *wsi, void *in, size_t bytes);
int ws_dial_check_reply(struct ws_client *client, struct lws *wsi);
/* OpenSSL's verdict (an X509_STORE_CTX) on one certificate of the server's chain. Not 0: refused. */
int ws_dial_check_certificate(struct ws_client *client, void *verdict, bool good);
void ws_dial_failed(struct ws_client *client, struct lws *wsi, const char *in, size_t bytes);

#endif
