/* See sending.h. */
#include "common/net/sending.h"

#include <libwebsockets.h>

#include "common/net/nest_private.h"

enum {
    /* The second is for what libwebsockets wants to hear once more: of a connection that goes on after an
       answer, that it can be written to. */
    ROUNDS = 2,
};

static void push(struct sendings *list, struct sending *sending)
{
    sending->list = list;
    sending->next = NULL;
    sending->previous = list->last;
    if (list->last == NULL) {
        list->first = sending;
    } else {
        list->last->next = sending;
    }
    list->last = sending;
    list->count++;
}

void sending_forget(struct sending *sending)
{
    struct sendings *list = sending->list;
    if (list == NULL) {
        return;
    }
    if (sending->previous == NULL) {
        list->first = sending->next;
    } else {
        sending->previous->next = sending->next;
    }
    if (sending->next == NULL) {
        list->last = sending->previous;
    } else {
        sending->next->previous = sending->previous;
    }
    list->count--;
    sending->list = NULL;
}

void sending_soon(struct nest *nest, struct sending *sending, struct lws *wsi)
{
    if (sending->list == NULL) {
        sending->wsi = wsi;
        push(&nest->sendings, sending);
    }
}

static bool write_at_once(struct sending *sending)
{
    return sending->write != NULL && !lws_partial_buffered(sending->wsi) && sending->write(sending);
}

/* As if the system had said that the socket takes bytes. Where it does not, libwebsockets keeps what is left,
   and waits for the socket itself. */
static void serve(struct sending *sending)
{
    struct lws *wsi = sending->wsi;
    if (write_at_once(sending)) {
        return;
    }
    struct lws_context *context = lws_get_context(wsi);
    struct lws_pollfd ready = {
        .fd = lws_get_socket_fd(wsi),
        .events = LWS_POLLOUT,
        .revents = LWS_POLLOUT,
    };
    lws_service_fd(context, &ready);
    if (lws_service_adjust_timeout(context, 1, 0) == 0) {
        lws_cancel_service(context); /* it has read ahead: that is looked at after its next event */
    }
}

void sendings_serve(struct sendings *list)
{
    for (int round = 0; round < ROUNDS; round++) {
        /* What is asked for meanwhile is for the next round, or pass: somebody's stream must not keep
           the loop. */
        for (size_t left = list->count; left > 0 && list->first != NULL; left--) {
            struct sending *sending = list->first;
            sending_forget(sending);
            serve(sending);
        }
    }
}

void sendings_write(struct sendings *list)
{
    struct sending *sending = list->first;
    for (size_t left = list->count; left > 0 && sending != NULL; left--) {
        struct sending *next = sending->next;
        sending_forget(sending);
        if (!write_at_once(sending) && sending->list == NULL) {
            push(list, sending);
        }
        sending = next;
    }
}
