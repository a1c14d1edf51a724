/* See api_house.h: clients, and what they are answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/base/mem.h"
#include "common/net/nest.h"
#include "common/sys/clock.h"
#include "tests/unit/api_house.h"

enum { WAIT_MS_MAX = 20000, POLL_MS = 2 };

static int dial(struct house *house, bool over_unix)
{
    int fd = -1;
    int rc = -1;
    if (over_unix) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        strncpy(address.sun_path, house->unix_path, sizeof(address.sun_path) - 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rc = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    } else {
        struct sockaddr_in address = { .sin_family = AF_INET };
        address.sin_port = htons((uint16_t)net_port(house->net));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rc = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    }
    assert_int_equal(rc, 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void receive(struct client *client)
{
    for (;;) {
        uint8_t *to = buf_reserve(&client->in, 65536);
        ssize_t got = recv(client->fd, to, 65536, 0);
        if (got <= 0) {
            client->is_at_end = got == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
        client->in.length += (size_t)got;
    }
}

static void is_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* Then it sleeps until the house or the client has something: what a thread works on is not asked for
   again and again meanwhile. */
static void run_a_little(struct house *house, struct client *client)
{
    const struct timeval limit = { .tv_usec = POLL_MS * 1000L };
    size_t before = client->in.length;
    house_pass(house);
    receive(client);
    if (client->is_at_end || client->in.length > before || house_is_due(house)) {
        return;
    }
    struct event *answered =
        event_new(nest_base(house->nest), client->fd, EV_READ, is_readable, NULL);
    assert_non_null(answered);
    assert_int_equal(event_add(answered, &limit), 0);
    nest_run_once(house->nest, true);
    event_free(answered);
    receive(client);
}

static void send_request(struct house *house, struct client *client, const struct request *request,
                         const char *connection)
{
    struct buf out = { NULL, 0, 0 };
    buf_printf(&out, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n%s", request->method,
               request->path, connection, request->headers == NULL ? "" : request->headers);
    if (request->body.data != NULL) {
        buf_printf(&out, "Content-Length: %zu\r\n", request->body.length);
    }
    buf_append_text(&out, "\r\n");
    buf_append(&out, request->body.data, request->body.length);
    int64_t until_ms = clock_boot_ms() + WAIT_MS_MAX;
    while (out.length > 0) {
        ssize_t sent = send(client->fd, out.data, out.length, MSG_NOSIGNAL);
        if (sent > 0) {
            buf_consume(&out, (size_t)sent);
        } else {
            assert_true(errno == EAGAIN && clock_boot_ms() < until_ms);
        }
        house_pass(house);
    }
    buf_done(&out);
}

void client_open(struct house *house, struct client *client, const struct request *request)
{
    *client = (struct client){ .fd = dial(house, request->over_unix) };
    send_request(house, client, request, "close");
}

void client_begin(struct house *house, struct client *client, const struct request *request)
{
    uint64_t before = house->requests;
    house->is_held = true;
    client_open(house, client, request);
    while (house->requests == before) {
        house_pass(house);
    }
}

bool client_has(struct client *client, const char *text)
{
    return client->in.length > 0 &&
           memmem(client->in.data, client->in.length, text, strlen(text)) != NULL;
}

void client_wait(struct house *house, struct client *client, const char *text)
{
    int64_t until_ms = clock_boot_ms() + WAIT_MS_MAX;
    while (!client_has(client, text)) {
        if (client->is_at_end || clock_boot_ms() > until_ms) {
            fail_msg("\"%s\" did not come; there is: %s", text, buf_text(&client->in));
        }
        run_a_little(house, client);
    }
}

void client_wait_end(struct house *house, struct client *client)
{
    int64_t until_ms = clock_boot_ms() + WAIT_MS_MAX;
    while (!client->is_at_end) {
        if (clock_boot_ms() > until_ms) {
            fail_msg("no end; there is: %s", buf_text(&client->in));
        }
        run_a_little(house, client);
    }
}

void client_close(struct client *client)
{
    close(client->fd);
    buf_done(&client->in);
}

static struct answer read_answer(struct buf text)
{
    struct answer answer = { .all = text };
    const char *from = buf_text(&answer.all);
    assert_int_equal(strncmp(from, "HTTP/1.1 ", 9), 0);
    answer.status = atoi(from + 9); // NOLINT(cert-err34-c)
    const char *end = strstr(from, "\r\n\r\n");
    assert_non_null(end);
    answer.body = end + 4;
    answer.body_bytes = answer.all.length - (size_t)(answer.body - from);
    answer.json = json_loadb(answer.body, answer.body_bytes, JSON_REJECT_DUPLICATES, NULL);
    return answer;
}

struct answer house_ask(struct house *house, const struct request *request)
{
    struct client client;
    client_open(house, &client, request);
    client_wait_end(house, &client);
    close(client.fd);
    return read_answer(client.in);
}

static bool is_whole(struct buf *text)
{
    const char *head = buf_text(text);
    const char *end = strstr(head, "\r\n\r\n");
    const char *length = strcasestr(head, "content-length: ");
    return end != NULL && length != NULL && length < end &&
           (size_t)(head + text->length - end - 4) >= strtoull(length + 16, NULL, 10);
}

struct answer client_ask(struct house *house, struct client *client, const struct request *request)
{
    int64_t until_ms = clock_boot_ms() + WAIT_MS_MAX;
    if (client->fd == 0) {
        *client = (struct client){ .fd = dial(house, false) };
    }
    send_request(house, client, request, "keep-alive");
    while (client->in.length == 0 || !is_whole(&client->in)) {
        if (client->is_at_end || clock_boot_ms() > until_ms) {
            fail_msg("%s %s: no answer", request->method, request->path);
        }
        run_a_little(house, client);
    }
    struct buf text = { NULL, 0, 0 };
    buf_append(&text, client->in.data, client->in.length);
    buf_clear(&client->in);
    struct answer answer = read_answer(text);
    if (answer_has_header(&answer, "connection: close")) {
        client_close(client);
        *client = (struct client){ .fd = 0 };
    }
    return answer;
}

struct answer house_get(struct house *house, const char *path)
{
    return house_ask(house, &(struct request){ .method = "GET", .path = path });
}

struct answer house_send(struct house *house, const char *method, const char *path,
                         const char *body)
{
    return house_ask(house, &(struct request){
                                .method = method,
                                .path = path,
                                .body = body == NULL ? (struct str){ NULL, 0 } : str_of(body),
                            });
}

void answer_done(struct answer *answer)
{
    json_decref(answer->json);
    buf_done(&answer->all);
}

void answer_must(const struct answer *answer, int status)
{
    if (answer->status != status) {
        fail_msg("%s", (const char *)answer->all.data);
    }
}

void house_expect(struct house *house, const char *method, const char *path, const char *body,
                  int status)
{
    struct answer answer = house_send(house, method, path, body);
    if (answer.status != status) {
        fail_msg("%s %s: %s", method, path, buf_text(&answer.all));
    }
    answer_done(&answer);
}

const char *answer_text(const struct answer *answer, const char *key)
{
    const char *text = json_string_value(json_object_get(answer->json, key));
    return text == NULL ? "(none)" : text;
}

int64_t answer_number(const struct answer *answer, const char *key)
{
    return json_integer_value(json_object_get(answer->json, key));
}

bool answer_has_header(const struct answer *answer, const char *line)
{
    size_t bytes = (size_t)(answer->body - (const char *)answer->all.data);
    char *head = mem_copy(answer->all.data, bytes);
    head[bytes - 1] = '\0';
    bool has = strcasestr(head, line) != NULL;
    mem_free(head);
    return has;
}

const char *house_path(const char *id, const char *rest)
{
    static char path[320];
    snprintf(path, sizeof(path), "/api/v1/constellations/%.160s%s", id, rest);
    return path;
}

void house_submit(struct house *house, const char *spec, char to[160])
{
    struct answer answer = house_send(house, "POST", "/api/v1/constellations", spec);
    if (answer.status != 201) {
        fail_msg("submit: %s", buf_text(&answer.all));
    }
    snprintf(to, 160, "%s", answer_text(&answer, "id"));
    answer_done(&answer);
}
