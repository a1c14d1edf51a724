/* What a client sends behind a body before it has the answer. libwebsockets 4.1.6 cannot take it: it would
   stay in its buffer and in the socket, which wakes the loop without end, and a head that is read
   from that buffer would be taken for its own body, in a loop that never comes back. So it is read and thrown
   away here, and the connection ends with the answer; an unread socket would also be closed by a reset,
   which can overtake the answer. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "orchestrator/net/exchange.h"

enum { DISCARDED_BYTES_MAX = 16 * 1024 };

/* Once a callback: the loop comes again while there is more. False: the client has left. */
static bool discard(struct lws *wsi)
{
    char bytes[DISCARDED_BYTES_MAX];
    SSL *ssl = lws_get_ssl(wsi);
    if (ssl == NULL) {
        ssize_t got = recv(lws_get_socket_fd(wsi), bytes, sizeof bytes, MSG_DONTWAIT);
        return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
    }
    int got = SSL_read(ssl, bytes, sizeof bytes);
    int why = got > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, got);
    ERR_clear_error();
    return why == SSL_ERROR_NONE || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

int http_behind(struct conn *conn)
{
    conn->exchange->keep_alive = false;
    return discard(conn->wsi) ? 0 : -1;
}
