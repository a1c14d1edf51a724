/* Connections that have something to send. Nearly every socket can take it at once: so each is served once
   before the loop asks the system what is ready. Asked of libwebsockets, a chance to write costs two more
   looks of each loop, and the system is told three times what is waited for. Nothing is sent before the
   loop goes on, or nest_write_now(): what a turn wants to say waits for its commit, and goes in one piece. */
#ifndef COMMON_NET_SENDING_H
#define COMMON_NET_SENDING_H

#include <stdbool.h>

struct lws;
struct nest;
struct sendings;

/* Zero-initialised, one a connection: it does not wait. */
struct sending {
    struct sending *next;
    struct sending *previous;
    struct sendings *list; /* that it waits in; NULL: none */
    struct lws *wsi;
    /* Writes what waits and is true, or leaves it to a WRITEABLE; NULL: always. By the latter the system is told
       twice what is waited for, which takes longer than all else of a short message. */
    bool (*write)(struct sending *sending);
};

/* Soon a WRITEABLE of libwebsockets comes: one, however often it is asked for. Not from inside one of a
   connection that libwebsockets still has bytes of: there lws_callback_on_writable() waits for the socket. */
void sending_soon(struct nest *nest, struct sending *sending, struct lws *wsi);
/* Before `wsi` goes. */
void sending_forget(struct sending *sending);

#endif
