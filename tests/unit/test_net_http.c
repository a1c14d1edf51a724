/* Requests over HTTP: over real sockets, what is heard of them and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/net/nest.h"
#include "tests/unit/net_house.h"

static void several_requests_on_one_connection_are_answered(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    for (int i = 0; i < 5; i++) {
        raw_send(&raw, "GET /known HTTP/1.1\r\n" LOCAL "Idempotency-Key: k1\r\n\r\n");
        raw_until_text(&raw, "answer");
        expect_part(raw_text(&raw), "HTTP/1.1 200 OK\r\n");
        expect_part(raw_text(&raw), "X-Key: k1\r\n");
        expect_part(raw_text(&raw), "Connection: keep-alive\r\n");
        expect_part(raw_text(&raw), "X-Content-Type-Options: nosniff\r\n");
        expect_part(raw_text(&raw), "Cache-Control: no-store\r\n");
        expect_part(raw_text(&raw), "Referrer-Policy: no-referrer\r\n");
        expect_part(raw_text(&raw), "Content-Security-Policy: default-src 'none'");
        buf_clear(&raw.got);
    }
    raw_close(&raw);
    assert_int_equal(house->requests, 5);
    assert_int_equal(net_stats(house->net).connections, 1);
}

static void a_large_body_of_one_who_may_not_submit_is_refused(void **state)
{
    struct house *house = *state;
    house->wants_token = true;
    house_open(house);
    expect_part(raw_ask(house, "POST /x HTTP/1.1\r\n" LOCAL "Authorization: Bearer viewer-token\r\n"
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
    expect_part(seen, "GET /p q/\xc3\xa4?");
    expect_part(seen, "?a=1%2B2&b=x%20y&c=%26%3D&d ");
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
    expect_part(raw_ask(house, "POST /known HTTP/1.1\r\n" LOCAL
                               "Content-Length: 99999999999999999999\r\n\r\n"),
                " 400 ");
    expect_part(raw_ask(house, "POST /known HTTP/1.1\r\n" LOCAL
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
    expect_part(raw_ask(house, "POST /known HTTP/1.1\r\n" LOCAL
                               "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
                " 411 ");
    assert_int_equal(house->requests, 0);
}

static void a_post_without_a_length_has_an_empty_body(void **state)
{
    struct house *house = *state;
    house_open(house);
    expect_part(raw_ask(house, "POST /known HTTP/1.1\r\n" LOCAL "\r\n"), "Connection: close");
    expect_part(buf_text(&house->seen), "POST /known? body=0");
}

static void what_is_no_plain_http_is_refused(void **state)
{
    struct house *house = *state;
    house_open(house);
    expect_part(raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL
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
    expect_part(raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "\r\n"), "answer");
    assert_int_equal(house->requests, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_requests_on_one_connection_are_answered),
        TEST(a_large_body_of_one_who_may_not_submit_is_refused),
        TEST(a_query_reaches_the_handler_as_it_was_meant),
        TEST(a_body_over_the_limit_is_refused_before_it_is_read),
        TEST(a_large_body_comes_in_within_few_passes),
        TEST(a_chunked_body_is_refused_with_411),
        TEST(a_post_without_a_length_has_an_empty_body),
        TEST(what_is_no_plain_http_is_refused),
        TEST(a_second_request_before_the_answer_closes_the_connection),
        TEST(a_client_that_leaves_before_the_answer_is_noticed),
        TEST(an_incomplete_request_is_closed_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
