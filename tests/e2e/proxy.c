#include "tests/e2e/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"

enum { LINKS_MAX = 32, PIECE_BYTES = 16384, POLL_MS = 10 };

struct link {
    bool open;
    bool stalled;
    bool part;        /* cut in the middle of the next piece */
    unsigned part_of; /* 256ths of it go through */
    int fds[2];       /* the agent's and the daemon's side */
};

struct proxy {
    pthread_t thread;
    pthread_mutex_t lock; /* over all below */
    bool stopping;
    int listener;
    unsigned port;
    unsigned target;
    unsigned cuts;
    struct link links[LINKS_MAX];
};

static struct sockaddr_in loopback(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    return address;
}

static void hang_up(struct link *link, bool reset)
{
    for (int i = 0; i < 2; i++) {
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        if (reset) {
            setsockopt(link->fds[i], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        }
        close(link->fds[i]);
    }
    *link = (struct link){ 0 };
}

static void take_connection(struct proxy *proxy)
{
    int near = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    struct link *link = NULL;
    for (size_t i = 0; i < LINKS_MAX && link == NULL; i++) {
        link = proxy->links[i].open ? NULL : &proxy->links[i];
    }
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(proxy->target);
    if (near < 0 || link == NULL || far < 0 ||
        connect(far, (struct sockaddr *)&address, sizeof address) != 0) {
        close(near);
        close(far);
        return;
    }
    int on = 1;
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *link = (struct link){ .open = true, .fds = { near, far } };
}

static bool send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void pass_on(struct proxy *proxy, struct link *link, int from)
{
    char piece[PIECE_BYTES];
    ssize_t got = recv(link->fds[from], piece, sizeof piece, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got > 0 && link->part) {
        send_all(link->fds[1 - from], piece, (size_t)got * link->part_of / 256);
        proxy->cuts++;
        hang_up(link, true);
        return;
    }
    if (got <= 0 || !send_all(link->fds[1 - from], piece, (size_t)got)) {
        hang_up(link, got < 0);
    }
}

/* One look at everything; the lock is held but while it sleeps. */
static void turn(struct proxy *proxy)
{
    struct pollfd fds[1 + 2 * LINKS_MAX];
    struct link *links[1 + 2 * LINKS_MAX];
    int sides[1 + 2 * LINKS_MAX];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){ .fd = proxy->listener, .events = POLLIN };
    for (size_t i = 0; i < LINKS_MAX; i++) {
        for (int side = 0; side < 2 && proxy->links[i].open && !proxy->links[i].stalled; side++) {
            links[count] = &proxy->links[i];
            sides[count] = side;
            fds[count] = (struct pollfd){ .fd = links[count]->fds[side], .events = POLLIN };
            count++;
        }
    }
    pthread_mutex_unlock(&proxy->lock);
    int ready = poll(fds, count, POLL_MS);
    pthread_mutex_lock(&proxy->lock);
    for (nfds_t i = 0; ready > 0 && i < count; i++) {
        if (fds[i].revents == 0) {
            continue;
        }
        if (i == 0) {
            take_connection(proxy);
        } else if (links[i]->open && !links[i]->stalled && links[i]->fds[sides[i]] == fds[i].fd) {
            pass_on(proxy, links[i], sides[i]);
        }
    }
}

static void *work(void *context)
{
    struct proxy *proxy = context;
    pthread_mutex_lock(&proxy->lock);
    while (!proxy->stopping) {
        turn(proxy);
    }
    pthread_mutex_unlock(&proxy->lock);
    return NULL;
}

struct proxy *proxy_new(unsigned port)
{
    struct proxy *proxy = mem_alloc(sizeof *proxy);
    proxy->target = port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(proxy->listener, 64), 0);
    getsockname(proxy->listener, (struct sockaddr *)&address, &length);
    proxy->port = ntohs(address.sin_port);
    pthread_mutex_init(&proxy->lock, NULL);
    assert_int_equal(pthread_create(&proxy->thread, NULL, work, proxy), 0);
    return proxy;
}

void proxy_free(struct proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    pthread_mutex_lock(&proxy->lock);
    proxy->stopping = true;
    pthread_mutex_unlock(&proxy->lock);
    pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < LINKS_MAX; i++) {
        if (proxy->links[i].open) {
            hang_up(&proxy->links[i], true);
        }
    }
    close(proxy->listener);
    pthread_mutex_destroy(&proxy->lock);
    mem_free(proxy);
}

unsigned proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

void proxy_cut(struct proxy *proxy, enum proxy_cut how, uint64_t random)
{
    pthread_mutex_lock(&proxy->lock);
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &proxy->links[i];
        if (!link->open || link->stalled || (random >> i & 1) == 0) {
            continue;
        }
        proxy->cuts += how != PROXY_PART;
        if (how == PROXY_STALL) {
            link->stalled = true;
        } else if (how == PROXY_PART) {
            link->part = true;
            link->part_of = (unsigned)(random >> 40 & 255);
        } else {
            hang_up(link, how == PROXY_RESET);
        }
    }
    pthread_mutex_unlock(&proxy->lock);
}

unsigned proxy_cuts(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    unsigned cuts = proxy->cuts;
    pthread_mutex_unlock(&proxy->lock);
    return cuts;
}

void proxy_retarget(struct proxy *proxy, unsigned port)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->target = port;
    pthread_mutex_unlock(&proxy->lock);
}
