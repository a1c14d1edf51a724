/* See cli_server.h. */
#include "tests/unit/cli_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The head and as much of a body as its length says. */
static void read_request(int fd, struct buf *to)
{
    for (;;) {
        ssize_t got = read(fd, buf_reserve(to, 4096), 4096);
        if (got <= 0) {
            return;
        }
        to->length += (size_t)got;
        const char *end = strstr(buf_text(to), "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        const char *length = strcasestr(buf_text(to), "\r\ncontent-length:");
        size_t body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
        size_t head = (size_t)(end - (const char *)to->data) + 4;
        if (to->length >= head + body) {
            return;
        }
    }
}

static void *serve(void *context)
{
    struct server *server = context;
    for (size_t i = 0; i < server->answers_count; i++) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        read_request(fd, &server->requests[i]);
        const char *answer = server->answers[i];
        ssize_t sent = send(fd, answer, strlen(answer), MSG_NOSIGNAL);
        (void)sent;
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
    return NULL;
}

void server_start(struct server *server, const char *const *answers, size_t count)
{
    *server = (struct server){ .answers = answers, .answers_count = count };
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    assert_int_equal(bind(server->fd, (struct sockaddr *)(void *)&address, length), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)(void *)&address, &length), 0);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

void server_stop(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    for (size_t i = 0; i < STEPS_MAX; i++) {
        buf_done(&server->requests[i]);
    }
}
