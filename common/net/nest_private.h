/* What the files of this folder share of the nest. */
#ifndef COMMON_NET_NEST_PRIVATE_H
#define COMMON_NET_NEST_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/net/sending.h"

struct event;
struct event_base;
struct ws_context;

/* Those that wait, the first to come first. */
struct sendings {
    struct sending *first;
    struct sending *last;
    size_t count;
};
void sendings_serve(struct sendings *list);
/* Only those that need no more than a write; libwebsockets hears nothing, and nobody is called back. */
void sendings_write(struct sendings *list);

struct nest {
    struct event_base *base;
    struct uv_loop_s uv;
    uint64_t passes;
    bool is_uv_ready;                /* libevent has seen that it is */
    struct uv_prepare_s before_poll; /* of the uv loop, behind what libwebsockets does of itself */
    struct sendings sendings;
    struct event *uv_ready;        /* libevent watches the uv loop's epoll descriptor */
    struct event *uv_timeout;      /* when the uv loop wants to run next */
    struct ws_context *ws_context; /* shared by all ws_clients of this nest; NULL until the first */
};

#endif
