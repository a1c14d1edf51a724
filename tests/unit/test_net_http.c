/* The HTTP side of the daemon: over real sockets, what is served and what is refused. */
#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/nest.h"
#include "tests/unit/net_house.h"

#define LOCAL "Host: localhost\r\n"

static int setup(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    house_init(house);
    *state = house;
    return 0;
}

static int teardown(void **state)
{
    struct house *house = *state;
    house_close(house);
    free(house);
    return 0;
}

static void expect(const char *answer, const char *part)
{
    if (strstr(answer, part) == NULL) {
        fail_msg("expected '%s' in: %s", part, answer);
    }
}

static void several_requests_on_one_connection_are_answered(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    for (int i = 0; i < 5; i++) {
        raw_send(&raw, "GET /known HTTP/1.1\r\n" LOCAL "Idempotency-Key: k1\r\n\r\n");
        raw_until_text(&raw, "answer");
        expect(raw_text(&raw), "HTTP/1.1 200 OK\r\n");
        expect(raw_text(&raw), "X-Key: k1\r\n");
        expect(raw_text(&raw), "Connection: keep-alive\r\n");
        expect(raw_text(&raw), "X-Content-Type-Options: nosniff\r\n");
        expect(raw_text(&raw), "Cache-Control: no-store\r\n");
        expect(raw_text(&raw), "Referrer-Policy: no-referrer\r\n");
        expect(raw_text(&raw), "Content-Security-Policy: default-src 'none'");
        buf_clear(&raw.got);
    }
    raw_close(&raw);
    assert_int_equal(house->requests, 5);
    assert_int_equal(net_stats(house->net).connections, 1);
}

enum { ANSWER_BYTES = 3 * 1024 * 1024, QUICK_REQUESTS = 50, QUICK_ANSWER_BYTES = 20000 };

/* Numbers, so that nothing can be left out or come twice; it ends with "end". */
static struct buf large_answer(size_t bytes)
{
    struct buf body = { NULL, 0, 0 };
    while (body.length < bytes) {
        buf_printf(&body, "%zu ", body.length);
    }
    buf_append_text(&body, "end");
    return body;
}

static void a_large_answer_that_is_given_away_arrives_whole(void **state)
{
    struct house *house = *state;
    struct raw raw;
    house->holds = true;
    house_open(house);
    raw_open(&raw, house);
    raw_send(&raw, "GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    house_until_count(house, &house->requests, 1);
    struct buf expected = large_answer(ANSWER_BYTES);
    struct buf body = large_answer(ANSWER_BYTES);
    net_reply_take(house->net, house->request_id, 200, "text/plain", &body);
    assert_null(body.data);
    raw_until_text(&raw, " end");
    const char *got = strstr(raw_text(&raw), "\r\n\r\n");
    assert_non_null(got);
    assert_string_equal(got + 4, buf_text(&expected));
    buf_done(&expected);
    struct buf lost = large_answer(10);
    net_reply_take(house->net, house->request_id, 200, "text/plain", &lost); /* it is gone */
    assert_null(lost.data);
    raw_close(&raw);
}

static atomic_uint quick_answered; /* when the client has ended */

/* Asks again the moment that an answer is whole, before the daemon has seen that it is out. */
static void *ask_quickly(void *context)
{
    const struct house *house = context;
    static const char request[] = "GET /api/x HTTP/1.1\r\n" LOCAL "\r\n";
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)net_port(house->net)) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned answered = 0;
    bool is_open = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    while (is_open && answered < QUICK_REQUESTS) {
        static char got[4 * QUICK_ANSWER_BYTES];
        size_t length = 0;
        is_open = write(fd, request, sizeof request - 1) == sizeof request - 1;
        while (is_open && (length < 4 || memcmp(got + length - 4, " end", 4) != 0)) {
            ssize_t bytes = read(fd, got + length, sizeof got - length);
            is_open = bytes > 0;
            length += is_open ? (size_t)bytes : 0;
        }
        answered += is_open;
    }
    close(fd);
    atomic_store(&quick_answered, is_open ? answered : QUICK_REQUESTS + 1);
    return NULL;
}

static bool has_answered(void *context)
{
    (void)context;
    return atomic_load(&quick_answered) != 0;
}

static void a_connection_takes_the_next_request_right_after_a_large_answer(void **state)
{
    struct house *house = *state;
    pthread_t client;
    house->holds = true;
    house_open(house);
    assert_int_equal(pthread_create(&client, NULL, ask_quickly, house), 0);
    for (unsigned i = 1; i <= QUICK_REQUESTS; i++) {
        house_until_count(house, &house->requests, i);
        struct buf body = large_answer(QUICK_ANSWER_BYTES);
        net_reply(house->net, house->request_id, 200, "text/plain", NULL, 0,
                  (struct str){ (const char *)body.data, body.length });
        buf_done(&body);
    }
    house_until(house, has_answered, NULL);
    pthread_join(client, NULL);
    assert_int_equal(quick_answered, QUICK_REQUESTS);
}

static void a_large_body_of_one_who_may_not_submit_is_refused(void **state)
{
    struct house *house = *state;
    house->wants_token = true;
    house_open(house);
    expect(raw_ask(house, "POST /x HTTP/1.1\r\n" LOCAL "Authorization: Bearer viewer-token\r\n"
                          "Content-Length: 65537\r\n\r\n"),
           " 413 ");
    assert_int_equal(house->requests, 0);
}

static void a_query_reaches_the_handler_as_it_was_meant(void **state)
{
    struct house *house = *state;
    house_open(house);
    raw_ask(house, "GET /p%20q/%C3%A4?a=1%2B2&b=x+y&c=%26%3D&d HTTP/1.0\r\n" LOCAL "\r\n");
    const char *seen = buf_text(&house->seen);
    expect(seen, "GET /p q/\xc3\xa4?");
    expect(seen, "?a=1%2B2&b=x%20y&c=%26%3D&d ");
}

static void a_foreign_host_or_origin_is_refused(void **state)
{
    struct house *house = *state;
    const char *const hosts[] = { "daemon.example", NULL };
    house->config.hosts = hosts;
    house_open(house);
    static const struct {
        const char *headers;
        const char *status;
    } rows[] = {
        { "Host: localhost\r\n", "200 OK" },
        { "Host: LOCALHOST:7350\r\n", "200 OK" },
        { "Host: 127.0.0.1:1\r\n", "200 OK" },
        { "Host: [::1]:7350\r\n", "200 OK" },
        { "Host: daemon.example\r\n", "200 OK" },
        { "Host: evil.example\r\n", "421" },
        { "Host: localhost.evil.example\r\n", "421" },
        { "Host: localhost:7350:1\r\n", "421" },
        { "Host: localhost@evil\r\n", "421" },
        { "Host: localhost\r\nHost: evil.example\r\n", "421" },
        { "", "421" },
        { "Host: localhost:7350\r\nOrigin: http://localhost:7350\r\n", "200 OK" },
        { "Host: localhost\r\nOrigin: http://localhost:80\r\n", "200 OK" },
        { "Host: localhost:7350\r\nOrigin: http://localhost:9000\r\n", "403" },
        { "Host: localhost:7350\r\nOrigin: http://evil.example\r\n", "403" },
        { "Host: localhost:7350\r\nOrigin: null\r\n", "403" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "GET /known HTTP/1.1\r\n%sConnection: close\r\n\r\n",
                 rows[i].headers);
        expect(raw_ask(house, text), rows[i].status);
    }
    assert_int_equal(house->requests, 7);
}

static void a_request_without_a_valid_token_is_refused(void **state)
{
    struct house *house = *state;
    house->wants_token = true;
    house_open(house);
    const char *answer = raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "\r\n");
    expect(answer, "HTTP/1.1 401 Unauthorized\r\n");
    expect(answer, "WWW-Authenticate: Bearer");
    expect(answer, "Content-Type: application/problem+json");
    expect(answer, "\"code\":\"unauthorized\"");
    expect(raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "Authorization: Bearer nope\r\n\r\n"),
           " 401 ");
    expect(raw_ask(house, "GET /known?token=viewer-token HTTP/1.1\r\n" LOCAL "\r\n"), " 401 ");
    assert_int_equal(house->requests, 0);
    expect(raw_ask(house,
                   "GET /known HTTP/1.0\r\n" LOCAL "Authorization: Bearer viewer-token\r\n\r\n"),
           " 200 ");
    assert_int_equal(house->identity.role, NET_ROLE_VIEWER);
    house->wants_token = false;
    expect(raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "Authorization: Basic eDp5\r\n\r\n"),
           " 401 ");
}

static void an_open_path_needs_no_token(void **state)
{
    struct house *house = *state;
    static const char *const open_paths[] = { "/known", NULL };
    house->config.open_paths = open_paths;
    house->config.request_timeout_ms = 200; /* ends the wait for what the refused still send */
    house->wants_token = true;
    house_open(house);
    expect(raw_ask(house, "GET /known HTTP/1.0\r\n" LOCAL "\r\n"), " 200 ");
    assert_int_equal(house->identity.role, NET_ROLE_NONE);
    expect(raw_ask(house, "GET /known/more HTTP/1.0\r\n" LOCAL "\r\n"), " 401 ");
    expect(raw_ask(house, "POST /known HTTP/1.0\r\n" LOCAL "Content-Length: 1\r\n\r\nx"), " 401 ");
    expect(raw_ask(house, "GET /known HTTP/1.0\r\nHost: evil.example\r\n\r\n"), " 421 ");
}

static void a_body_over_the_limit_is_refused_before_it_is_read(void **state)
{
    struct house *house = *state;
    house->config.body_bytes_max = 10000;
    house->config.request_timeout_ms = 200; /* ends the wait for what the refused still send */
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, "POST /known HTTP/1.1\r\n" LOCAL "Content-Length: 10001\r\n\r\n");
    raw_until_text(&raw, "413");
    raw_close(&raw);
    expect(raw_ask(house,
                   "POST /known HTTP/1.1\r\n" LOCAL "Content-Length: 99999999999999999999\r\n\r\n"),
           " 400 ");
    expect(raw_ask(house, "POST /known HTTP/1.1\r\n" LOCAL
                          "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
           " 400 ");
    assert_int_equal(house->requests, 0);

    char *body = malloc(10001);
    memset(body, 'b', 10000);
    body[10000] = 0;
    raw_open(&raw, house);
    raw_send(&raw, "POST /known HTTP/1.1\r\n" LOCAL "Content-Length: 10000\r\n\r\n");
    raw_send(&raw, body);
    raw_until_text(&raw, "answer");
    raw_close(&raw);
    assert_int_equal(house->body.length, 10000);
    assert_memory_equal(house->body.data, body, 10000);
    free(body);
}

/* Between two passes there may be a turn. */
static void a_large_body_comes_in_within_few_passes(void **state)
{
    enum { BODY_BYTES = 4 * 1024 * 1024, PASSES_MAX = 200 };
    struct house *house = *state;
    house->config.body_bytes_max = BODY_BYTES;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    char head[160];
    snprintf(head, sizeof head, "POST /known HTTP/1.1\r\n" LOCAL "Content-Length: %d\r\n\r\n",
             BODY_BYTES);
    raw_send(&raw, head);
    char *body = malloc(BODY_BYTES);
    memset(body, 'b', BODY_BYTES);
    size_t sent = 0;
    int passes = 0;
    while (house->body.length < BODY_BYTES) {
        ssize_t n = send(raw.fd, body + sent, BODY_BYTES - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        nest_run_once(house->nest, false);
        passes++;
        assert_true(passes < PASSES_MAX);
    }
    free(body);
    raw_close(&raw);
}

static void a_chunked_body_is_refused_with_411(void **state)
{
    struct house *house = *state;
    house->config.request_timeout_ms = 200;
    house_open(house);
    expect(raw_ask(house, "POST /known HTTP/1.1\r\n" LOCAL
                          "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
           " 411 ");
    assert_int_equal(house->requests, 0);
}

static void a_post_without_a_length_has_an_empty_body(void **state)
{
    struct house *house = *state;
    house_open(house);
    expect(raw_ask(house, "POST /known HTTP/1.1\r\n" LOCAL "\r\n"), "Connection: close");
    expect(buf_text(&house->seen), "POST /known? body=0");
}

static void what_is_no_plain_http_is_refused(void **state)
{
    struct house *house = *state;
    house_open(house);
    expect(raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL
                          "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                          "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"),
           " 400 ");
    static const char *const others[] = {
        "CONNECT localhost:22 HTTP/1.1\r\n" LOCAL "\r\n",
        "BREW /known HTTP/1.1\r\n" LOCAL "\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_null(strstr(raw_ask(house, others[i]), " 200 "));
    }
    assert_int_equal(house->requests, 0);
}

static void a_second_request_before_the_answer_closes_the_connection(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    /* Behind it in the same bytes, and in later ones. */
    raw_ask(house, "GET /a HTTP/1.1\r\n" LOCAL "\r\nGET /b HTTP/1.1\r\n" LOCAL "\r\n");
    house_until_count(house, &house->gone, 1);
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, "GET /c HTTP/1.1\r\n" LOCAL "\r\n");
    house_until_count(house, &house->requests, 2);
    raw_send(&raw, "GET /d HTTP/1.1\r\n" LOCAL "\r\n");
    raw_until_end(&raw);
    raw_close(&raw);
    house_until_count(house, &house->gone, 2);
    assert_int_equal(house->requests, 2);
}

static void a_client_that_leaves_before_the_answer_is_noticed(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    static const char *const requests[] = {
        "GET /a HTTP/1.1\r\n" LOCAL "\r\n",
        "POST /a HTTP/1.1\r\n" LOCAL "Content-Length: 1\r\n\r\nx",
        "POST /a HTTP/1.1\r\n" LOCAL "\r\n",
        "PUT /a HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n",
    };
    for (unsigned i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct raw raw;
        raw_open(&raw, house);
        raw_send(&raw, requests[i]);
        house_until_count(house, &house->requests, i + 1);
        raw_close(&raw);
        house_until_count(house, &house->gone, i + 1);
        net_reply(house->net, house->request_id, 200, "text/plain", NULL, 0, STR("late"));
    }
}

static void an_incomplete_request_is_closed_in_time(void **state)
{
    struct house *house = *state;
    house->config.request_timeout_ms = 50;
    house_open(house);
    static const char *const parts[] = {
        "",
        "GET /known HT",
        "GET /known HTTP/1.1\r\nHost: loc",
        "POST /known HTTP/1.1\r\n" LOCAL "Content-Length: 100\r\n\r\nabc",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_string_equal(raw_ask(house, parts[i]), "");
    }
    /* So is one that is kept open for nothing. */
    expect(raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "\r\n"), "answer");
    assert_int_equal(house->requests, 1);
}

static void an_answer_of_megabytes_arrives_whole(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    size_t bytes = (size_t)9 << 20;
    char *body = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) {
        body[i] = (char)('a' + i % 23);
    }
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, "GET /known HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n");
    house_until_count(house, &house->requests, 1);
    net_reply(house->net, house->request_id, 200, "text/plain", NULL, 0,
              (struct str){ body, bytes });
    raw_until_end(&raw);
    size_t head = (size_t)(strstr(raw_text(&raw), "\r\n\r\n") - raw_text(&raw)) + 4;
    assert_int_equal(raw.got.length - head, bytes);
    assert_memory_equal(raw.got.data + head, body, bytes);
    raw_close(&raw);
    free(body);
}

static void a_stream_arrives_in_pieces_and_ends(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, "GET /events HTTP/1.1\r\n" LOCAL "Last-Event-ID: 7\r\n\r\n");
    house_until_count(house, &house->requests, 1);
    uint64_t id = house->request_id;
    net_stream_begin(house->net, id, 200, "text/event-stream");
    assert_true(net_stream_write(house->net, id, STR("data: 1\n\n")));
    raw_until_text(&raw, "9\r\ndata: 1\n\n\r\n");
    expect(raw_text(&raw), "Content-Type: text/event-stream\r\n");
    house_until_count(house, &house->drained, 1);
    assert_int_equal(net_stream_queued(house->net, id), 0);
    assert_true(net_stream_write(house->net, id, STR("data: 2\n\n")));
    net_stream_end(house->net, id);
    assert_false(net_stream_write(house->net, id, STR("data: 3\n\n")));
    raw_until_text(&raw, "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
    buf_clear(&raw.got);
    /* The connection goes on. */
    house->holds = false;
    raw_send(&raw, "GET /known HTTP/1.1\r\n" LOCAL "\r\n");
    raw_until_text(&raw, "answer");
    raw_close(&raw);
    assert_int_equal(house->gone, 0);
}

static void a_stream_whose_reader_is_too_slow_is_dropped(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, "GET /events HTTP/1.1\r\n" LOCAL "\r\n");
    house_until_count(house, &house->requests, 1);
    uint64_t id = house->request_id;
    net_stream_begin(house->net, id, 200, "text/event-stream");
    static char piece[100000];
    memset(piece, 'x', sizeof piece);
    unsigned written = 0;
    while (net_stream_write(house->net, id, (struct str){ piece, sizeof piece })) {
        written++;
        assert_true(written < 1000);
    }
    assert_int_equal(written, 10); /* of 1 MiB */
    raw_until_end(&raw);
    raw_close(&raw);
    assert_int_equal(house->gone, 0); /* the return value has said it */
}

static void a_stream_s_reader_that_leaves_is_noticed(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, "GET /events HTTP/1.1\r\n" LOCAL "\r\n");
    house_until_count(house, &house->requests, 1);
    net_stream_begin(house->net, house->request_id, 200, "text/event-stream");
    raw_until_text(&raw, "\r\n\r\n");
    raw_close(&raw);
    house_until_count(house, &house->gone, 1);
    assert_false(net_stream_write(house->net, house->request_id, STR("x")));
}

static void only_files_below_the_folder_are_served(void **state)
{
    struct house *house = *state;
    char dir[256];
    snprintf(dir, sizeof dir, "%s", house_path(house, "www"));
    assert_int_equal(mkdir(dir, 0700), 0);
    house_write(house, "secret.txt", "SECRET");
    house_write(house, "www/index.html", "<p>INDEX</p>");
    house_write(house, "www/app.js", "APP");
    house_write(house, "www/.hidden", "SECRET");
    char link[256];
    snprintf(link, sizeof link, "%s", house_path(house, "www/link.txt"));
    assert_int_equal(symlink("../secret.txt", link), 0);
    house->config.static_dir = dir;
    house->wants_token = true; /* a page needs none: it asks for the token itself */
    house_open(house);
    const char *answer = raw_ask(house, "GET / HTTP/1.0\r\n" LOCAL "\r\n");
    expect(answer, "INDEX");
    expect(answer, "Content-Type: text/html; charset=utf-8");
    expect(answer, "script-src 'self'");
    expect(answer, "X-Content-Type-Options: nosniff");
    answer = raw_ask(house, "GET /app.js HTTP/1.0\r\n" LOCAL "\r\n");
    expect(answer, "text/javascript");
    char again[512];
    char tag[80];
    assert_int_equal(sscanf(strstr(answer, "ETag: "), "ETag: %79s", tag), 1);
    snprintf(again, sizeof again, "GET /app.js HTTP/1.0\r\n" LOCAL "If-None-Match: %s\r\n\r\n",
             tag);
    expect(raw_ask(house, again), " 304 ");
    answer = raw_ask(house, "HEAD /app.js HTTP/1.0\r\n" LOCAL "\r\n");
    expect(answer, "Content-Length: 3\r\n");
    assert_null(strstr(answer, "APP"));
    expect(raw_ask(house, "GET /app.js HTTP/1.0\r\nHost: evil\r\n\r\n"), " 421 ");

    static const char *const paths[] = {
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/.%2e/secret.txt",
        "/x/../../secret.txt",
        "//../secret.txt",
        "/link.txt",
        "/.hidden",
        "/www",
        "/nothing",
        "/..\\secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/index.html/",
        "/./../secret.txt",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.0\r\n" LOCAL "Authorization: Bearer admin-token\r\n\r\n", paths[i]);
        answer = raw_ask(house, text);
        assert_null(strstr(answer, "SECRET"));
        if (strstr(answer, " 200 ") != NULL) {
            fail_msg("%s was served: %s", paths[i], answer);
        }
    }
}

static void the_admin_socket_is_the_owner_s_alone(void **state)
{
    struct house *house = *state;
    char path[256];
    snprintf(path, sizeof path, "%s", house_path(house, "admin.sock"));
    house->config.unix_path = path;
    house->wants_token = true;
    house_open(house);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    struct raw raw;
    raw_open_unix(&raw, house, path);
    raw_send(&raw, "GET /known HTTP/1.1\r\nHost: anything\r\n\r\n");
    raw_until_text(&raw, "answer");
    raw_close(&raw);
    char actor[32];
    snprintf(actor, sizeof actor, "unix:uid=%u", (unsigned)getuid());
    assert_string_equal(house->identity.actor, actor);

    /* A second daemon is refused; what a dead one left is replaced; a file is not. */
    struct net *other = NULL;
    struct net_handlers none = { 0 };
    struct reason reason;
    struct net_config config = house->config;
    config.listen = NULL;
    assert_int_equal(net_new(house->nest, &config, &none, &other, &reason), ERR_BUSY);
    assert_int_equal(stat(path, &status), 0);
    net_stop_listening(house->net);
    assert_int_equal(stat(path, &status), -1);
    house_write(house, "admin.sock", "precious");
    assert_int_equal(net_new(house->nest, &config, &none, &other, &reason), ERR_EXISTS);
    assert_null(other);
}

static void a_connection_too_many_is_turned_away(void **state)
{
    struct house *house = *state;
    house->config.connections_max = 2;
    char path[256];
    snprintf(path, sizeof path, "%s", house_path(house, "admin.sock"));
    house->config.unix_path = path;
    house_open(house);
    struct raw first;
    struct raw second;
    struct raw third;
    raw_open(&first, house);
    raw_open(&second, house);
    raw_open(&third, house);
    raw_until_end(&third);
    expect(raw_text(&third), "503");
    raw_close(&third);
    /* The admin still gets in, and so does the next one when one has left. */
    raw_open_unix(&third, house, path);
    raw_send(&third, "GET /known HTTP/1.1\r\n\r\n");
    raw_until_text(&third, "answer");
    raw_close(&third);
    raw_close(&first);
    raw_send(&second, "GET /known HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n");
    raw_until_end(&second);
    expect(raw_text(&second), "answer");
    raw_close(&second);
    expect(raw_ask(house, "GET /known HTTP/1.0\r\n" LOCAL "\r\n"), "answer");
}

static void connections_leave_the_rest_of_the_process_its_descriptors(void **state)
{
    struct house *house = *state;
    struct raw raws[9];
    house->config.descriptors_kept = UINT_MAX;
    house_open(house);
    for (size_t i = 0; i < 9; i++) {
        raw_open(&raws[i], house);
    }
    raw_until_end(&raws[8]);
    expect(raw_text(&raws[8]), "503");
    for (size_t i = 0; i < 8; i++) {
        raw_send(&raws[i], "GET /known HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n");
        raw_until_end(&raws[i]);
        expect(raw_text(&raws[i]), "answer");
    }
    for (size_t i = 0; i < 9; i++) {
        raw_close(&raws[i]);
    }
}

static void an_address_that_cannot_be_listened_on_is_explained(void **state)
{
    struct house *house = *state;
    house_open(house);
    static const char *const bad[] = { "7350",
                                       "localhost",
                                       "::1:7350",
                                       ":80",
                                       "127.0.0.1:99999",
                                       "127.0.0.1:x",
                                       "no.such.host.invalid:1" };
    struct net_handlers none = { 0 };
    struct net_config config = house->config;
    struct net *other = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reason reason = { "" };
        config.listen = bad[i];
        assert_int_equal(net_new(house->nest, &config, &none, &other, &reason), ERR_INVALID);
        assert_true(strlen(reason.text) > 10);
    }
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", net_port(house->net));
    config.listen = taken;
    assert_int_equal(net_new(house->nest, &config, &none, &other, NULL), ERR_BUSY);
}

static void ending_it_with_requests_open_leaves_nothing(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    struct raw raws[3];
    for (int i = 0; i < 3; i++) {
        raw_open(&raws[i], house);
    }
    raw_send(&raws[1], "GET /a HTTP/1.1\r\n" LOCAL "\r\n");
    raw_send(&raws[2], "POST /a HTTP/1.1\r\n" LOCAL "Content-Length: 10\r\n\r\nabc");
    house_until_count(house, &house->requests, 1);
    net_free(house->net);
    house->net = NULL;
    assert_int_equal(house->gone, 0); /* nobody is called any more */
    for (int i = 0; i < 3; i++) {
        raw_close(&raws[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_requests_on_one_connection_are_answered),
        TEST(a_large_answer_that_is_given_away_arrives_whole),
        TEST(a_connection_takes_the_next_request_right_after_a_large_answer),
        TEST(a_large_body_of_one_who_may_not_submit_is_refused),
        TEST(a_query_reaches_the_handler_as_it_was_meant),
        TEST(a_foreign_host_or_origin_is_refused),
        TEST(a_request_without_a_valid_token_is_refused),
        TEST(an_open_path_needs_no_token),
        TEST(a_body_over_the_limit_is_refused_before_it_is_read),
        TEST(a_large_body_comes_in_within_few_passes),
        TEST(a_chunked_body_is_refused_with_411),
        TEST(a_post_without_a_length_has_an_empty_body),
        TEST(what_is_no_plain_http_is_refused),
        TEST(a_second_request_before_the_answer_closes_the_connection),
        TEST(a_client_that_leaves_before_the_answer_is_noticed),
        TEST(an_incomplete_request_is_closed_in_time),
        TEST(an_answer_of_megabytes_arrives_whole),
        TEST(a_stream_arrives_in_pieces_and_ends),
        TEST(a_stream_whose_reader_is_too_slow_is_dropped),
        TEST(a_stream_s_reader_that_leaves_is_noticed),
        TEST(only_files_below_the_folder_are_served),
        TEST(the_admin_socket_is_the_owner_s_alone),
        TEST(a_connection_too_many_is_turned_away),
        TEST(connections_leave_the_rest_of_the_process_its_descriptors),
        TEST(an_address_that_cannot_be_listened_on_is_explained),
        TEST(ending_it_with_requests_open_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
