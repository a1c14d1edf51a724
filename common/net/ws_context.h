/* What all outgoing WebSockets of a nest share: one libwebsockets context, and in it one vhost for
   each set of trusted certificates. */
#ifndef COMMON_NET_WS_CONTEXT_H
#define COMMON_NET_WS_CONTEXT_H

#include <libwebsockets.h>

#include "common/base/err.h"
#include "common/net/outbox.h"

struct nest;

struct ws_context {
    struct nest *nest;
    struct lws_context *lws;
    struct ws_trust *trusts;
    struct buf_pool pool;
};

/* Makes it at the first call; the nest ends it. */
enum err ws_context_get(struct nest *nest, struct ws_context **ret_context, struct reason *reason);
/* The vhost that trusts the certificates in this PEM file; NULL: those of the system. */
enum err ws_context_vhost(struct ws_context *context, const char *ca_file,
                          struct lws_vhost **ret_vhost, struct reason *reason);
void ws_context_free(struct ws_context *context);

/* In ws_client.c: what libwebsockets calls. */
int ws_client_callback(struct lws *wsi, enum lws_callback_reasons what, void *user, void *in,
                       size_t bytes);

#endif
