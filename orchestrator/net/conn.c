/* One accepted connection: its beginning, its time limits, its end. */
#include <stddef.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "orchestrator/net/exchange.h"
#include "orchestrator/net/net_private.h"

struct conn *conn_new(struct net *net, bool over_unix)
{
    struct conn *conn = mem_alloc(sizeof *conn);
    conn->net = net;
    conn->over_unix = over_unix;
    conn->number = ++net->last_number;
    map_put(&net->conns, conn->number, conn);
    if (over_unix) {
        net->admin_count++;
    } else {
        net->tcp_count++;
    }
    deadline_start(&conn->deadline, &net->request_deadlines);
    return conn;
}

void conn_ended(struct conn *conn, const char *why)
{
    struct net *net = conn->net;
    deadline_stop(&conn->deadline);
    sending_forget(&conn->sending);
    if (conn->exchange != NULL) {
        uint64_t id = conn->exchange->id;
        bool was_open = map_get(&net->exchanges, id) == conn->exchange;
        exchange_free(conn->exchange);
        if (was_open && !net->freeing) {
            net->handlers.request_gone(net->handlers.context, id);
        }
    }
    if (conn->channel != NULL) {
        uint64_t id = conn->channel->id;
        char words[NET_CLOSE_BYTES_MAX + 1];
        snprintf(words, sizeof words, "%s", conn->channel->why[0] != 0 ? conn->channel->why : why);
        channel_free(conn);
        if (!net->freeing) {
            net->handlers.channel_closed(net->handlers.context, id, words);
        }
    }
}

void conn_free(struct conn *conn)
{
    struct net *net = conn->net;
    conn_ended(conn, "the daemon is stopping");
    map_remove(&net->conns, conn->number);
    if (conn->over_unix) {
        net->admin_count--;
    } else {
        net->tcp_count--;
    }
    mem_free(conn);
}

void conn_kill(struct conn *conn)
{
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    /* Set from outside its callbacks, a timeout of libwebsockets runs from its next event on. */
    lws_cancel_service(conn->net->lws);
}

void conn_write_soon(struct conn *conn)
{
    if (lws_partial_buffered(conn->wsi)) {
        lws_callback_on_writable(conn->wsi);
    } else {
        sending_soon(conn->net->nest, &conn->sending, conn->wsi);
    }
}

/* A request not complete, an answer not taken, a frame not finished, or a refused sender that goes
   on: only the frame has a way to be told. */
void conn_expired(struct deadline *deadline)
{
    struct conn *conn = (struct conn *)(void *)((char *)deadline - offsetof(struct conn, deadline));
    conn->net->stats.refused++;
    if (conn->channel != NULL) {
        channel_abort(conn, LWS_CLOSE_STATUS_POLICY_VIOLATION,
                      "a message was not complete in time");
        return;
    }
    conn_kill(conn);
}
