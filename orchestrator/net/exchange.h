/* One HTTP request and its answer. */
#ifndef ORCHESTRATOR_NET_EXCHANGE_H
#define ORCHESTRATOR_NET_EXCHANGE_H

#include "orchestrator/net/net_private.h"

/* The texts of a request, one after the other in `text`. */
enum request_text {
    TEXT_PATH,
    TEXT_QUERY,
    TEXT_CONTENT_TYPE,
    TEXT_IDEMPOTENCY_KEY,
    TEXT_LAST_EVENT_ID,
    TEXT_IF_MATCH,
    TEXT_IF_NONE_MATCH,
    TEXT_RANGE,
    TEXT_ACCEPT,
    TEXT_COUNT,
};

enum exchange_state {
    EXCHANGE_BODY,      /* the request's body is coming in */
    EXCHANGE_WAITING,   /* the handler has it */
    EXCHANGE_STREAMING, /* its answer goes out and grows */
    EXCHANGE_ENDING,    /* its answer is complete and goes out */
};

struct exchange {
    uint64_t id;
    struct conn *conn;
    enum exchange_state state;
    const char *method;
    bool is_http_1_1;
    bool keep_alive;
    struct buf text;
    size_t text_ends[TEXT_COUNT];
    struct buf body;
    size_t body_bytes; /* what Content-Length announced */
    struct digest
        *body_digest; /* of one with an Idempotency-Key: a long one takes longer than a turn may */
    uint64_t pass;    /* of the loop, in which the request was whole */
    struct outbox out;
    struct buf
        answer; /* given away whole: goes into `out` piece by piece, as the socket takes it */
    size_t answer_queued;
};

#endif
