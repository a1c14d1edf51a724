/* What the files of this folder share: a connection is an HTTP exchange at a time, or an agent's
   channel after the upgrade. */
#ifndef ORCHESTRATOR_NET_NET_PRIVATE_H
#define ORCHESTRATOR_NET_NET_PRIVATE_H

#include <libwebsockets.h>

#include "common/base/buf.h"
#include "common/base/map.h"
#include "common/net/inbox.h"
#include "common/net/outbox.h"
#include "common/net/sending.h"
#include "orchestrator/net/deadline.h"
#include "orchestrator/net/net.h"

enum {
    NET_CLOSE_BYTES_MAX = 120,     /* of the reason in a close frame (RFC 6455 allows 123) */
    NET_CLOSE_LIMIT_S = 5,         /* for a peer that does not take its close frame */
    NET_LINGER_MS = 2000,          /* how long a refused sender may go on before it is cut */
    NET_HEADER_BYTES_MAX = 8192,   /* all request headers together */
    NET_UNIX_CONNECTIONS_MAX = 64, /* beside connections_max, so that the admin gets in */
    NET_STATIC_FILE_BYTES_MAX = 16 << 20,
};

struct event;
struct exchange;

struct listener {
    struct net *net;
    int fd; /* -1: closed */
    bool is_unix;
    struct event *ready;
};

struct net {
    struct nest *nest;
    struct net_config config; /* our copies; see net.c */
    char **hosts;             /* allowed in Host, lower case, NULL-terminated */
    struct net_handlers handlers;
    bool tls;
    bool freeing; /* no more calls of handlers */
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct listener tcp;
    struct listener admin;
    unsigned port;
    struct event *accept_again; /* after the system ran out of descriptors */
    struct deadlines request_deadlines;
    struct deadlines frame_deadlines;
    struct deadlines linger_deadlines;
    struct buf_pool pool;
    struct map conns; /* number → struct conn */
    uintptr_t last_number;
    unsigned tcp_count;
    unsigned admin_count;
    uint64_t last_id;
    struct map exchanges; /* id → struct exchange that may still be answered */
    struct map channels;  /* id → struct conn */
    struct net_stats stats;
    uint64_t bodies_bytes; /* announced by the requests under way */
};

struct channel {
    uint64_t id;
    struct inbox in;
    struct outbox out;
    bool asked;   /* a WRITEABLE is under way */
    bool closing; /* sends what is queued, then the close frame; takes nothing in */
    bool leaving; /* the agent has sent its close frame: libwebsockets answers it */
    bool parting; /* the close frame is libwebsockets' to send, and its answer to await */
    int code;
    char why[NET_CLOSE_BYTES_MAX + 1];
};

struct conn {
    struct net *net;
    struct lws *wsi;
    uintptr_t number; /* what libwebsockets knows it by */
    bool over_unix;
    bool allowed;   /* the upgrade has passed every check */
    bool lingering; /* refused and answered; what still comes is thrown away */
    unsigned uid;   /* over_unix: who it is */
    char peer[64];
    struct net_identity identity;
    struct deadline deadline;
    struct sending sending;
    struct exchange *exchange; /* NULL between requests */
    struct channel *channel;   /* NULL before the upgrade */
};

/* listen.c */
enum err listen_tcp(struct net *net, const char *address, struct reason *reason);
enum err listen_unix(struct net *net, const char *path, struct reason *reason);
void listener_close(struct listener *listener);
void accept_again(int fd, short what, void *context);

/* conn.c */
struct conn *conn_new(struct net *net, bool over_unix);
void conn_ended(struct conn *conn, const char *why); /* tells the handlers, once */
void conn_free(struct conn *conn);
void conn_kill(struct conn *conn);       /* soon, from the loop */
void conn_write_soon(struct conn *conn); /* a WRITEABLE comes, when the socket takes it */
void conn_expired(struct deadline *deadline);

/* http.c: the request side. They return what the libwebsockets callback returns. */
int http_request(struct conn *conn);
int http_body(struct conn *conn, struct str piece);
int http_body_complete(struct conn *conn);
/* behind.c: bytes have come behind a body that is not answered yet. */
int http_behind(struct conn *conn);
/* The identity of whoever sent these headers, from the token and the socket. */
void http_identify(struct conn *conn, struct net_identity *ret_identity);

/* reply.c: the answer side. */
int http_writable(struct conn *conn);
/* Answers with a problem document and closes; a sender in the middle of a body may first finish. */
int http_refuse(struct conn *conn, int status, const char *code, const char *detail, bool has_body);
void exchange_reply(struct exchange *exchange, int status, const char *content_type,
                    const struct net_header *headers, size_t headers_count, struct str body,
                    bool is_page);
void exchange_free(struct exchange *exchange);

/* origin_check.c: 0, or the status of the refusal with its code and words. */
int origin_check(struct conn *conn, const char **ret_code, const char **ret_detail);

/* static_file.c: true if there is such a file; then the exchange has its answer. */
bool static_file_serve(struct exchange *exchange, struct str path, struct str if_none_match);

/* channel.c */
int channel_upgrade(struct conn *conn, const char *protocol);
int channel_open(struct conn *conn);
int channel_receive(struct conn *conn, struct str piece);
int channel_writable(struct conn *conn);
void channel_peer_closes(struct conn *conn, struct str reason);
/* Ends it with a code; what is queued is dropped. */
void channel_abort(struct conn *conn, int code, const char *why);
void channel_free(struct conn *conn);

#endif
