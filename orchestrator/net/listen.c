/* Listening and accepting. The sockets are ours rather than libwebsockets', because the number of
   connections, the mode of the socket file and who connects to it are ours to decide. */
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/net/nest.h"
#include "orchestrator/net/address.h"
#include "orchestrator/net/net_private.h"

enum { BACKLOG = 1024, ACCEPTS_PER_WAKE = 64, ACCEPT_PAUSE_MS = 100 };

static const char too_many[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Type: application/problem+json\r\n"
                               "Content-Length: 97\r\n"
                               "Retry-After: 5\r\n"
                               "Cache-Control: no-store\r\n"
                               "Connection: close\r\n\r\n"
                               "{\"title\":\"Service Unavailable\",\"status\":503,"
                               "\"code\":\"connections\",\"detail\":\"too many connections\"}";

static void name_peer(struct conn *conn, int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t length = sizeof address;
    char host[48];
    char port[8];
    if (conn->over_unix) {
        struct ucred peer = { 0, (uid_t)-1, (gid_t)-1 };
        length = sizeof peer;
        /* If the system does not say, it is nobody: (uid_t)-1 is never a user. */
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
        conn->uid = peer.uid;
        snprintf(conn->peer, sizeof conn->peer, "unix:uid=%u", conn->uid);
    } else if (getpeername(fd, (struct sockaddr *)&address, &length) == 0 &&
               getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port,
                           sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        snprintf(conn->peer, sizeof conn->peer, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
                 host, port);
    }
}

static void adopt(struct net *net, int fd, bool is_unix)
{
    int on = 1;
    if (!is_unix) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    struct conn *conn = conn_new(net, is_unix);
    name_peer(conn, fd);
    uintptr_t number = conn->number;
    lws_adopt_desc_t how = { .vh = net->vhost, .opaque = (void *)number };
    how.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP;
    if (net->tls && !is_unix) {
        how.type |= LWS_ADOPT_ALLOW_SSL;
    }
    how.fd.sockfd = fd;
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&how);
    conn = map_get(&net->conns, number); /* it may have ended meanwhile */
    if (wsi == NULL && conn != NULL) {   /* libwebsockets closes the descriptor */
        net->stats.refused++;
        conn_free(conn);
    } else if (conn != NULL) {
        conn->wsi = wsi;
    }
}

static void refuse(struct net *net, int fd, bool is_unix)
{
    net->stats.refused++;
    if (!net->tls || is_unix) {
        /* Whether it arrives is luck: the request stays unread. It costs nothing to try. */
        (void)!send(fd, too_many, sizeof too_many - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(fd, SHUT_WR);
    }
    close(fd);
}

static void accept_some(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct listener *listener = context;
    struct net *net = listener->net;
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0 &&
            (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            /* The backlog keeps them; without a pause the loop would spin on this. */
            struct timeval pause = { 0, ACCEPT_PAUSE_MS * 1000L };
            event_del(listener->ready);
            event_add(net->accept_again, &pause);
            return;
        }
        if (accepted < 0 && errno == EAGAIN) {
            return;
        }
        if (accepted < 0) {
            continue; /* that one went away before it was accepted */
        }
        bool full = listener->is_unix ? net->admin_count >= NET_UNIX_CONNECTIONS_MAX
                                      : net->tcp_count >= net->config.connections_max;
        if (full) {
            refuse(net, accepted, listener->is_unix);
        } else {
            adopt(net, accepted, listener->is_unix);
        }
    }
}

void accept_again(int fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct net *net = context;
    if (net->tcp.fd >= 0) {
        event_add(net->tcp.ready, NULL);
    }
    if (net->admin.fd >= 0) {
        event_add(net->admin.ready, NULL);
    }
}

static void listener_start(struct listener *listener, int fd)
{
    listener->fd = fd;
    listener->ready =
        event_new(nest_base(listener->net->nest), fd, EV_READ | EV_PERSIST, accept_some, listener);
    CHECK(listener->ready != NULL && event_add(listener->ready, NULL) == 0);
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0) {
        return;
    }
    event_free(listener->ready);
    close(listener->fd);
    listener->fd = -1;
    if (listener->is_unix) {
        unlink(listener->net->config.unix_path);
    }
}

/* A listening socket at this address, or -1 with errno set. */
static int bind_address(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

enum err listen_tcp(struct net *net, const char *address, struct reason *reason)
{
    struct net_address parts;
    enum err err = net_address_parse(address, &parts, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct addrinfo hints = { 0 };
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(parts.host, parts.port, &hints, &found);
    if (rc != 0) {
        return reason_set(reason, ERR_INVALID, "listen: %s: %s", parts.host, gai_strerror(rc));
    }
    int fd = -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = bind_address(at);
    }
    int why = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        return reason_set(reason, why == EADDRINUSE ? ERR_BUSY : ERR_IO, "listen: %s: %s", address,
                          strerror(why));
    }
    struct sockaddr_storage bound;
    memset(&bound, 0, sizeof bound);
    socklen_t length = sizeof bound;
    CHECK(getsockname(fd, (struct sockaddr *)&bound, &length) == 0);
    net->port = bound.ss_family == AF_INET6
                    ? ntohs(((struct sockaddr_in6 *)(void *)&bound)->sin6_port)
                    : ntohs(((struct sockaddr_in *)(void *)&bound)->sin_port);
    listener_start(&net->tcp, fd);
    return ERR_NONE;
}

/* A socket file that nobody listens on is what a killed daemon left. */
static enum err remove_stale(const struct sockaddr_un *address, struct reason *reason)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) {
        return ERR_NONE;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return reason_set(reason, ERR_EXISTS, "admin socket: %s is there and is no socket",
                          address->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool live = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                            errno == EAGAIN);
    if (fd >= 0) {
        close(fd);
    }
    if (live) {
        return reason_set(reason, ERR_BUSY, "admin socket: another daemon listens on %s",
                          address->sun_path);
    }
    unlink(address->sun_path);
    return ERR_NONE;
}

enum err listen_unix(struct net *net, const char *path, struct reason *reason)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (path[0] == 0 || strlen(path) >= sizeof address.sun_path) {
        return reason_set(reason, ERR_INVALID, "admin socket: the path must be 1 to %zu bytes: %s",
                          sizeof address.sun_path - 1, path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    enum err err = remove_stale(&address, reason);
    if (err != ERR_NONE) {
        return err;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The mask holds from the first instant; chmod makes the mode exact whatever it was. */
    mode_t old = umask(0177);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    int why = errno;
    umask(old);
    if (good && (chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0)) {
        why = errno;
        unlink(path);
        good = false;
    }
    if (!good) {
        if (fd >= 0) {
            close(fd);
        }
        return reason_set(reason, ERR_IO, "admin socket: %s: %s", path, strerror(why));
    }
    net->config.unix_path = mem_copy_text(path);
    listener_start(&net->admin, fd);
    return ERR_NONE;
}
