/* The house that the network's tests run in. */
#include "tests/unit/net_house.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/nest.h"

static void identify(void *context, struct str token, bool over_unix, unsigned uid,
                     struct net_identity *ret_identity)
{
    struct house *house = context;
    if (over_unix) {
        ret_identity->role = NET_ROLE_ADMIN;
        snprintf(ret_identity->actor, sizeof ret_identity->actor, "unix:uid=%u", uid);
    } else if (!house->wants_token) {
        ret_identity->role = NET_ROLE_ADMIN;
        snprintf(ret_identity->actor, sizeof ret_identity->actor, "local");
    } else if (str_is(token, "agent-token")) {
        ret_identity->role = NET_ROLE_AGENT;
        ret_identity->token_id = 1;
        snprintf(ret_identity->device, sizeof ret_identity->device, "desk");
    } else if (str_is(token, "viewer-token")) {
        ret_identity->role = NET_ROLE_VIEWER;
        ret_identity->token_id = 2;
    } else if (str_is(token, "admin-token")) {
        ret_identity->role = NET_ROLE_ADMIN;
        ret_identity->token_id = 3;
    }
}

static void channel_opened(void *context, uint64_t channel, const struct net_identity *identity,
                           const char *peer)
{
    struct house *house = context;
    house->opened++;
    house->channel = channel;
    house->identity = *identity;
    snprintf(house->peer, sizeof house->peer, "%s", peer);
}

static void channel_frame(void *context, uint64_t channel, struct str frame)
{
    struct house *house = context;
    house->frames++;
    house->frame_bytes += frame.length;
    buf_clear(&house->frame);
    buf_append(&house->frame, frame.data, frame.length);
    if (house->echoes) {
        net_channel_send(house->net, channel, frame);
    }
}

static void channel_closed(void *context, uint64_t channel, const char *why)
{
    struct house *house = context;
    (void)channel;
    house->closed++;
    snprintf(house->closed_why, sizeof house->closed_why, "%s", why);
}

static void request(void *context, const struct net_request *r)
{
    struct house *house = context;
    house->requests++;
    house->request_id = r->id;
    house->identity = *r->identity;
    buf_printf(&house->seen, "%.*s %.*s?%.*s body=%zu\n", STR_ARG(r->method), STR_ARG(r->path),
               STR_ARG(r->query), r->body.length);
    buf_clear(&house->body);
    buf_append(&house->body, r->body.data, r->body.length);
    if (!house->holds) {
        struct net_header header = { STR("X-Key"), r->idempotency_key };
        net_reply(house->net, r->id, str_is(r->path, "/known") ? 200 : 404, "text/plain", &header,
                  1, STR("answer"));
    }
}

static void request_gone(void *context, uint64_t id)
{
    (void)id;
    ((struct house *)context)->gone++;
}

static void stream_drained(void *context, uint64_t id)
{
    (void)id;
    ((struct house *)context)->drained++;
}

void house_init(struct house *house)
{
    *house = (struct house){ 0 };
    house->config = (struct net_config){
        .listen = "127.0.0.1:0",
        .body_bytes_max = 1 << 20,
        .frame_bytes_max = 4 << 20,
        .channel_queue_bytes_max = 32 << 20,
        .stream_queue_bytes_max = 1 << 20,
        .connections_max = 100,
        .request_timeout_ms = 10000,
        .frame_timeout_ms = 10000,
    };
    const char *tmp = getenv("TMPDIR");
    snprintf(house->folder, sizeof house->folder, "%.30s/net-test-XXXXXX",
             tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(house->folder));
    assert_int_equal(nest_new(&house->nest, NULL), ERR_NONE);
}

void house_open(struct house *house)
{
    struct net_handlers handlers = { house,          identify, channel_opened, channel_frame,
                                     channel_closed, request,  request_gone,   stream_drained };
    struct reason reason = { "" };
    enum err err = net_new(house->nest, &house->config, &handlers, &house->net, &reason);
    if (err != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void house_close(struct house *house)
{
    net_free(house->net);
    nest_free(house->nest);
    buf_done(&house->frame);
    buf_done(&house->seen);
    buf_done(&house->body);
    nftw(house->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int house_set_up(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    house_init(house);
    *state = house;
    return 0;
}

int house_tear_down(void **state)
{
    struct house *house = *state;
    house_close(house);
    free(house);
    return 0;
}

void house_until(struct house *house, bool (*done)(void *context), void *context)
{
    nest_drain(house->nest, done, context, HOUSE_LIMIT_MS);
    assert_true(done(context));
}

struct count {
    const unsigned *counter;
    unsigned least;
};

static bool count_reached(void *context)
{
    const struct count *count = context;
    return *count->counter >= count->least;
}

void house_until_count(struct house *house, const unsigned *counter, unsigned least)
{
    struct count count = { counter, least };
    house_until(house, count_reached, &count);
}

const char *house_path(struct house *house, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", house->folder, name);
    return path;
}

void house_write(struct house *house, const char *name, const char *text)
{
    FILE *file = fopen(house_path(house, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void raw_read(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct raw *raw = context;
    for (;;) {
        uint8_t *to = buf_reserve(&raw->got, 65536);
        ssize_t n = recv(fd, to, 65536, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            raw->ended = true;
            event_del(raw->ready);
            return;
        }
        raw->got.length += (size_t)n;
    }
}

static void raw_watch(struct raw *raw, struct house *house, int fd)
{
    *raw = (struct raw){ .house = house, .fd = fd };
    evutil_make_socket_nonblocking(fd);
    raw->ready = event_new(nest_base(house->nest), fd, EV_READ | EV_PERSIST, raw_read, raw);
    event_add(raw->ready, NULL);
}

void raw_open(struct raw *raw, struct house *house)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET };
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is sent goes out */
    address.sin_port = htons((uint16_t)net_port(house->net));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    raw_watch(raw, house, fd);
}

void raw_open_unix(struct raw *raw, struct house *house, const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    raw_watch(raw, house, fd);
}

void raw_send_bytes(struct raw *raw, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t n = send(raw->fd, at, count, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            nest_run_once(raw->house->nest, false);
            continue;
        }
        if (n < 0) {
            return; /* closed by the other side: the test looks at what arrived */
        }
        at += n;
        count -= (size_t)n;
    }
}

void raw_send(struct raw *raw, const char *text)
{
    raw_send_bytes(raw, text, strlen(text));
}

const char *raw_text(struct raw *raw)
{
    return buf_text(&raw->got);
}

struct wanted {
    struct raw *raw;
    const char *text;
};

static bool has_text(void *context)
{
    struct wanted *wanted = context;
    return wanted->raw->ended || strstr(raw_text(wanted->raw), wanted->text) != NULL;
}

void raw_until_text(struct raw *raw, const char *text)
{
    struct wanted wanted = { raw, text };
    house_until(raw->house, has_text, &wanted);
    if (strstr(raw_text(raw), text) == NULL) {
        fail_msg("'%s' never came; got: %s", text, raw_text(raw));
    }
}

static bool has_ended(void *context)
{
    return ((struct raw *)context)->ended;
}

void raw_until_end(struct raw *raw)
{
    house_until(raw->house, has_ended, raw);
}

void raw_close(struct raw *raw)
{
    event_free(raw->ready);
    close(raw->fd);
    buf_done(&raw->got);
}

void expect_part(const char *answer, const char *part)
{
    if (strstr(answer, part) == NULL) {
        fail_msg("expected '%s' in: %s", part, answer);
    }
}

const char *raw_ask(struct house *house, const char *request_text)
{
    static char answer[65536];
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, request_text);
    raw_until_end(&raw);
    snprintf(answer, sizeof answer, "%s", raw_text(&raw));
    raw_close(&raw);
    return answer;
}

void raw_upgrade(struct raw *raw)
{
    raw_send(raw, "GET /aip HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: aip.v1\r\n\r\n");
    raw_until_text(raw, "\r\n\r\n");
    assert_non_null(strstr(raw_text(raw), "101"));
    buf_clear(&raw->got);
}

void raw_send_frame(struct raw *raw, unsigned first, size_t announced, const void *bytes,
                    size_t count)
{
    uint8_t head[14] = { (uint8_t)first };
    size_t length = 2;
    if (announced < 126) {
        head[1] = (uint8_t)(0x80 | announced);
    } else {
        head[1] = 0x80 | 127;
        for (unsigned i = 0; i < 8; i++) {
            head[2 + i] = (uint8_t)(announced >> (56 - 8 * i));
        }
        length = 10;
    }
    raw_send_bytes(raw, head, length + 4); /* a mask of zeros changes nothing */
    raw_send_bytes(raw, bytes, count);
}

unsigned raw_close_code(struct raw *raw)
{
    const uint8_t *at = raw->got.data;
    size_t left = raw->got.length;
    while (left >= 2) {
        size_t head = 2;
        size_t length = at[1] & 0x7fU;
        if (length == 126 && left >= 4) {
            length = (size_t)at[2] << 8 | at[3];
            head = 4;
        } else if (length == 127 && left >= 10) {
            length = 0;
            for (int i = 0; i < 8; i++) {
                length = length << 8 | at[2 + i];
            }
            head = 10;
        }
        if (length > left - head) {
            return 0;
        }
        if ((at[0] & 0x0fU) == 8) {
            return length < 2 ? 0 : (unsigned)at[head] << 8 | at[head + 1];
        }
        at += head + length;
        left -= head + length;
    }
    return 0;
}

static bool is_closing(void *context)
{
    struct raw *raw = context;
    return raw->ended || raw_close_code(raw) != 0;
}

unsigned raw_until_close(struct raw *raw)
{
    house_until(raw->house, is_closing, raw);
    return raw_close_code(raw);
}
