/* The daemon's outside: agents' WebSockets at /aip, HTTP for the API, event streams, static files;
   over TCP (plain or TLS) and an admin Unix socket. Knows nothing of what the bytes mean. Floor 3.

   Handlers are called from inside the loop; they may queue and answer at once, and never block. */
#ifndef ORCHESTRATOR_NET_NET_H
#define ORCHESTRATOR_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct nest;
struct net;

enum {
    NET_SMALL_BODY_BYTES_MAX = 64 * 1024,     /* of a viewer or an agent */
    NET_BODIES_BYTES_MAX = 256 * 1024 * 1024, /* of all requests under way; 503 above */
};

/* Who is on the other end: decided once, when a request or an upgrade comes in, and pinned to it. */
enum net_role {
    NET_ROLE_NONE = 0, /* refused: 401 */
    NET_ROLE_VIEWER,
    NET_ROLE_OPERATOR,
    NET_ROLE_ADMIN,
    NET_ROLE_AGENT, /* may only open /aip, as `device` */
};

struct net_identity {
    enum net_role role;
    int64_t token_id; /* 0: no token (loopback before the first token, or the Unix socket) */
    char device[129]; /* agent: the device it is bound to; "": any (only before the first token) */
    char actor[160];  /* for the audit: "token:NAME", "unix:uid=0", "local" */
};

struct net_config {
    const char *listen;    /* "127.0.0.1:7350", "[::1]:0"; port 0 takes a free one */
    const char *unix_path; /* the admin socket; mode 0600 is enforced */
    const char *cert_file; /* TLS when both are given */
    const char *key_file;
    const char *const *hosts;       /* further names allowed in Host, NULL-terminated; what `listen`
                                       names, localhost, 127.0.0.1 and [::1] always are */
    const char *static_dir;         /* served at / ; NULL none */
    const char *const *open_paths;  /* requests without a body that need no identity: role NONE is
                                       passed on to the handler; NULL-terminated, or NULL; borrowed
                                       for the life of the net */
    size_t body_bytes_max;          /* 413 above */
    size_t frame_bytes_max;         /* 1009 above */
    size_t channel_queue_bytes_max; /* an agent that does not read: closed with 1013 above */
    size_t stream_queue_bytes_max;  /* a stream's reader likewise */
    unsigned connections_max;       /* 503 above */
    unsigned descriptors_kept;  /* for the rest of the process: where the system allows fewer than
                                       both together, there are fewer connections, but at least 8 */
    int64_t request_timeout_ms; /* headers and body must be complete by then */
    int64_t frame_timeout_ms;   /* a message must be complete this long after its first byte */
};

struct net_header {
    struct str name; /* lower case */
    struct str value;
};

/* One HTTP request, whole. Borrowed for the call, except `id`. */
struct net_request {
    uint64_t id; /* answer with this; never 0, never reused */
    const struct net_identity *identity;
    struct str method; /* "GET", … */
    struct str path;   /* percent-decoded, without the query; starts with '/' */
    struct str query;  /* as it came, still percent-encoded */
    struct str body;
    struct buf *whole; /* the body: a handler may take it away instead of copying it */
    struct str content_type;
    struct str idempotency_key;
    const uint8_t *body_sha256; /* with an Idempotency-Key: made as the body came in; else NULL */
    struct str last_event_id;
    struct str if_match;
    struct str range;
    struct str accept;
};

struct net_handlers {
    void *context;
    /* Fills in who this is. `token` is empty if none was sent. Role NONE refuses with 401. */
    void (*identify)(void *context, struct str token, bool over_unix, unsigned uid,
                     struct net_identity *ret_identity);
    /* An agent's WebSocket opened, sent one whole message, closed. `channel` is never reused. */
    void (*channel_opened)(void *context, uint64_t channel, const struct net_identity *identity,
                           const char *peer);
    void (*channel_frame)(void *context, uint64_t channel, struct str frame);
    void (*channel_closed)(void *context, uint64_t channel, const char *why);
    /* A request for anything but /aip and static files. Answer now or later. */
    void (*request)(void *context, const struct net_request *request);
    /* The client of an unanswered request or of an open stream went away: forget the id. */
    void (*request_gone)(void *context, uint64_t id);
    /* A stream's queue is empty again. */
    void (*stream_drained)(void *context, uint64_t id);
};

enum err net_new(struct nest *nest, const struct net_config *config,
                 const struct net_handlers *handlers, struct net **ret_net, struct reason *reason);
/* Closes listeners and connections, lets the loop run until lws is quiet. No handler is called any
   more: what is to be said goodbye to is closed before, and the nest drained. */
void net_free(struct net *net);
unsigned net_port(const struct net *net); /* where it really listens */
/* Stops taking connections; those that are open go on. */
void net_stop_listening(struct net *net);

/* Queues whole envelopes; sent coalesced in frames of up to 64 KiB when the socket takes them. A
   channel that is gone: nothing. */
void net_channel_send(struct net *net, uint64_t channel, struct str envelopes);
/* Sends what is queued, then closes with a WebSocket code and a reason (cut at 120 bytes). */
void net_channel_close(struct net *net, uint64_t channel, int code, const char *why);

/* The whole answer. Extra headers may be NULL. Security headers, Content-Length and Cache-Control
   are added here. An id that is gone: nothing. */
void net_reply(struct net *net, uint64_t id, int status, const char *content_type,
               const struct net_header *headers, size_t headers_count, struct str body);
/* The same of a body that may be large: it is not copied at once, which would take a while, but as it
   goes out. */
void net_reply_take(struct net *net, uint64_t id, int status, const char *content_type,
                    struct buf *body);
/* A body in pieces (server-sent events, followed output): begin, then any number of writes, then
   end. net_stream_write returns false when the id is gone or the reader was too slow and is dropped
   now; request_gone is not called for it any more. */
void net_stream_begin(struct net *net, uint64_t id, int status, const char *content_type);
bool net_stream_write(struct net *net, uint64_t id, struct str bytes);
size_t net_stream_queued(const struct net *net, uint64_t id);
void net_stream_end(struct net *net, uint64_t id);

struct net_stats {
    uint64_t connections;
    uint64_t channels;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t refused;
};
struct net_stats net_stats(const struct net *net);

#endif
