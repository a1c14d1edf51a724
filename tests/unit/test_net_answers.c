/* What the daemon answers over HTTP: large answers, streams, and the files of its folder. */
#include <arpa/inet.h>
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

#include "tests/unit/net_house.h"

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
    expect_part(raw_text(&raw), "Content-Type: text/event-stream\r\n");
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
    expect_part(answer, "INDEX");
    expect_part(answer, "Content-Type: text/html; charset=utf-8");
    expect_part(answer, "script-src 'self'");
    expect_part(answer, "X-Content-Type-Options: nosniff");
    answer = raw_ask(house, "GET /app.js HTTP/1.0\r\n" LOCAL "\r\n");
    expect_part(answer, "text/javascript");
    char again[512];
    char tag[80];
    assert_int_equal(sscanf(strstr(answer, "ETag: "), "ETag: %79s", tag), 1);
    snprintf(again, sizeof again, "GET /app.js HTTP/1.0\r\n" LOCAL "If-None-Match: %s\r\n\r\n",
             tag);
    expect_part(raw_ask(house, again), " 304 ");
    answer = raw_ask(house, "HEAD /app.js HTTP/1.0\r\n" LOCAL "\r\n");
    expect_part(answer, "Content-Length: 3\r\n");
    assert_null(strstr(answer, "APP"));
    expect_part(raw_ask(house, "GET /app.js HTTP/1.0\r\nHost: evil\r\n\r\n"), " 421 ");

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_large_answer_that_is_given_away_arrives_whole),
        TEST(a_connection_takes_the_next_request_right_after_a_large_answer),
        TEST(an_answer_of_megabytes_arrives_whole),
        TEST(a_stream_arrives_in_pieces_and_ends),
        TEST(a_stream_whose_reader_is_too_slow_is_dropped),
        TEST(a_stream_s_reader_that_leaves_is_noticed),
        TEST(only_files_below_the_folder_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
