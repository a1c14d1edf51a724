/* A connection that goes on after a body, and what comes behind a body before its answer: no spinning,
   and no answer lost. */
#include <event2/event.h>
#include <linux/sockios.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uv.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/nest.h"
#include "tests/unit/net_house.h"

#define POST "POST /known HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nhello"
#define GET  "GET /known HTTP/1.1\r\n" LOCAL "\r\n"

enum { PASSES = 12, FLOOD_BYTES = 4 << 20 };

static char unix_path[256];

/* It listens on a Unix socket too: what is sent there has come when it has been sent. */
static int setup(void **state)
{
    house_set_up(state);
    struct house *house = *state;
    snprintf(unix_path, sizeof unix_path, "%s", house_path(house, "admin.sock"));
    house->config.unix_path = unix_path;
    return 0;
}

/* The loop has nothing to do until somebody sends. */
static void expect_rest(struct house *house)
{
    struct uv_loop_s *uv = nest_uv(house->nest);
    struct pollfd ready = { .fd = uv_backend_fd(uv), .events = POLLIN };
    assert_int_equal(poll(&ready, 1, 0), 0);
    assert_int_not_equal(uv_backend_timeout(uv), 0);
}

/* As many passes as anything here needs. */
static void settle(struct house *house)
{
    for (int i = 0; i < PASSES; i++) {
        nest_run_once(house->nest, false);
    }
    expect_rest(house);
}

static unsigned count_answers(struct raw *raw)
{
    unsigned count = 0;
    for (const char *at = raw_text(raw); (at = strstr(at, "\r\n\r\nanswer")) != NULL; at++) {
        count++;
    }
    return count;
}

/* Until what was sent has come: TCP has acknowledged it, or it has been read from the Unix socket. That wakes
   nobody here. */
static void until_come(struct raw *raw)
{
    int bytes = 1;
    while (bytes > 0) {
        nest_run_once(raw->house->nest, false);
        assert_int_equal(ioctl(raw->fd, SIOCOUTQ, &bytes), 0);
    }
}

static void answer(struct house *house)
{
    net_reply(house->net, house->request_id, 200, "text/plain", NULL, 0, STR("answer"));
}

static void a_connection_takes_request_after_request_with_a_body(void **state)
{
    struct house *house = *state;
    house_open(house);
    struct raw raws[2];
    raw_open(&raws[0], house);
    raw_open_unix(&raws[1], house, unix_path);
    static const char *const requests[] = { POST, GET, POST, POST };
    enum { COUNT = sizeof requests / sizeof requests[0] };
    for (unsigned i = 0; i < COUNT; i++) {
        for (unsigned k = 0; k < 2; k++) {
            buf_clear(&raws[k].got);
            raw_send(&raws[k], requests[i]);
            raw_until_text(&raws[k], "\r\n\r\nanswer");
            assert_non_null(strstr(raw_text(&raws[k]), "Connection: keep-alive\r\n"));
            assert_int_equal(house->body.length, requests[i] == requests[1] ? 0 : 5);
        }
    }
    settle(house);
    assert_int_equal(house->requests, 2 * COUNT);
    assert_int_equal(net_stats(house->net).connections, 2);
    raw_close(&raws[0]);
    raw_close(&raws[1]);
}

static void a_loop_at_rest_is_looked_at_once(void **state)
{
    struct house *house = *state;
    house_open(house);
    settle(house);
    uint64_t before = nest_passes(house->nest);
    nest_run_once(house->nest, false);
    assert_int_equal(nest_passes(house->nest) - before, 1);
}

/* The socket takes it: nobody has to ask the system first, or to look again for what comes next. */
static void an_answer_is_out_and_done_with_at_once(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    struct raw raw;
    raw_open_unix(&raw, house, unix_path);
    for (unsigned i = 1; i <= 3; i++) {
        raw_send(&raw, POST);
        house_until_count(house, &house->requests, i);
        settle(house);
        answer(house);
        nest_run_once(house->nest, false);
        expect_rest(house);
        raw_until_text(&raw, "\r\n\r\nanswer");
        buf_clear(&raw.got);
    }
    raw_close(&raw);
}

struct cut {
    struct raw raw;
    unsigned answers; /* 2, or 1 and the end */
};

static bool is_answered(void *context)
{
    struct cut *cut = context;
    return count_answers(&cut->raw) == cut->answers && cut->raw.ended == (cut->answers == 1);
}

/* Two requests with bodies, cut anywhere. The second one, if it was seen before the first one's answer went
   out, has no answer, and the connection has ended. */
static void two_bodies_cut_at_any_byte_do_not_stop_the_daemon(void **state)
{
    struct house *house = *state;
    static const char two[] = POST POST;
    house_open(house);
    for (size_t at = 1; at < 2 * (sizeof two - 1); at++) {
        size_t first = at / 2 + 1;
        struct cut cut = { .answers = first == sizeof POST - 1 ? 2 : 1 };
        unsigned before = house->requests;
        if (at % 2 == 0) {
            raw_open_unix(&cut.raw, house, unix_path);
        } else {
            raw_open(&cut.raw, house);
        }
        raw_send_bytes(&cut.raw, two, first);
        if (first >= sizeof POST - 1) {
            raw_until_text(&cut.raw, "answer");
        }
        settle(house);
        raw_send_bytes(&cut.raw, two + first, sizeof two - 1 - first);
        house_until(house, is_answered, &cut);
        settle(house);
        assert_int_equal(house->requests - before, cut.answers);
        raw_close(&cut.raw);
    }
    assert_int_equal(house->gone, 0);
}

/* The same while the answer is pending: it comes, in full, and then the end. */
static void what_comes_before_the_answer_to_a_body_takes_no_answer_away(void **state)
{
    struct house *house = *state;
    static const char two[] = POST POST GET;
    house->holds = true;
    house_open(house);
    for (size_t at = 1; at < sizeof two - 1; at++) {
        struct raw raw;
        unsigned before = house->requests;
        raw_open_unix(&raw, house, unix_path);
        raw_send_bytes(&raw, two, at);
        settle(house);
        raw_send_bytes(&raw, two + at, sizeof two - 1 - at);
        settle(house);
        raw_send(&raw, at % 2 == 0 ? GET : "x");
        settle(house);
        assert_int_equal(house->requests, before + 1);
        assert_false(raw.ended);
        answer(house);
        raw_until_end(&raw);
        assert_int_equal(count_answers(&raw), 1);
        assert_non_null(strstr(raw_text(&raw), "Connection: close\r\n"));
        assert_int_equal(house->requests, before + 1);
        raw_close(&raw);
    }
    assert_int_equal(house->gone, 0);
}

static void a_flood_behind_a_body_is_thrown_away(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    struct raw raw;
    raw_open_unix(&raw, house, unix_path);
    raw_send(&raw, POST);
    house_until_count(house, &house->requests, 1);
    char *flood = mem_alloc(FLOOD_BYTES);
    memset(flood, 'x', FLOOD_BYTES);
    raw_send_bytes(&raw, flood, FLOOD_BYTES); /* ends only if somebody reads it */
    mem_free(flood);
    until_come(&raw);
    settle(house);
    answer(house);
    raw_until_end(&raw);
    assert_int_equal(count_answers(&raw), 1);
    raw_close(&raw);
}

static void who_leaves_after_sending_more_than_a_body_is_noticed(void **state)
{
    struct house *house = *state;
    house->holds = true;
    house_open(house);
    struct raw raw;
    raw_open_unix(&raw, house, unix_path);
    raw_send(&raw, POST POST);
    house_until_count(house, &house->requests, 1);
    settle(house);
    raw_close(&raw);
    house_until_count(house, &house->gone, 1);
    settle(house);
    answer(house);
    assert_int_equal(net_stats(house->net).connections, 0);
}

static void a_refused_body_ends_the_connection_when_it_has_come(void **state)
{
    struct house *house = *state;
    house->wants_token = true;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, "POST /known HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n\r\nhe");
    raw_until_text(&raw, " 401 ");
    settle(house);
    assert_false(raw.ended);
    raw_send(&raw, "llo" POST);
    raw_until_end(&raw);
    raw_close(&raw);
    assert_int_equal(house->requests, 0);
}

/* Of such an answer the client could have all before we know. */
static void a_long_answer_to_a_body_is_the_last_of_its_connection(void **state)
{
    struct house *house = *state;
    size_t bytes = 100000;
    house->holds = true;
    house_open(house);
    struct raw raw;
    raw_open(&raw, house);
    raw_send(&raw, POST);
    house_until_count(house, &house->requests, 1);
    char *body = mem_alloc(bytes);
    memset(body, 'a', bytes);
    net_reply(house->net, house->request_id, 200, "text/plain", NULL, 0,
              (struct str){ body, bytes });
    mem_free(body);
    raw_until_end(&raw);
    assert_non_null(strstr(raw_text(&raw), "Connection: close\r\n"));
    assert_int_equal(raw.got.length,
                     strstr(raw_text(&raw), "\r\n\r\n") + 4 + bytes - raw_text(&raw));
    raw_close(&raw);
}

/* --- Over TLS --- */

struct secure {
    struct raw raw; /* only its socket: the bytes are read here */
    SSL *ssl;
    struct buf got;
    bool ended;
};

static void secure_read(struct secure *secure)
{
    int got = 1;
    while (got > 0) {
        got = SSL_read(secure->ssl, buf_reserve(&secure->got, 4096), 4096);
        secure->got.length += got > 0 ? (size_t)got : 0;
    }
    int why = SSL_get_error(secure->ssl, got);
    secure->ended = why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
}

static bool is_secure_over(struct secure *secure)
{
    secure_read(secure);
    return secure->ended;
}

static bool is_answered_securely(struct secure *secure)
{
    secure_read(secure);
    assert_false(secure->ended);
    return strstr(buf_text(&secure->got), "\r\n\r\nanswer") != NULL;
}

static void secure_send(struct secure *secure, const char *text)
{
    assert_int_equal(SSL_write(secure->ssl, text, (int)strlen(text)), (int)strlen(text));
}

static void over_tls_what_comes_behind_a_body_is_thrown_away_too(void **state)
{
    struct house *house = *state;
    char cert[256];
    char key[256];
    house_certificate(house, "server", "IP:127.0.0.1");
    snprintf(cert, sizeof cert, "%s", house_path(house, "server.pem"));
    snprintf(key, sizeof key, "%s", house_path(house, "server.key"));
    house->config.cert_file = cert;
    house->config.key_file = key;
    house->holds = true;
    house_open(house);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct secure secure = { .ssl = SSL_new(context) };
    raw_open(&secure.raw, house);
    event_del(secure.raw.ready);
    SSL_set_fd(secure.ssl, secure.raw.fd);
    while (SSL_connect(secure.ssl) != 1) {
        nest_run_once(house->nest, false);
    }
    secure_send(&secure, POST);
    house_until_count(house, &house->requests, 1);
    answer(house);
    while (!is_answered_securely(&secure)) {
        nest_run_once(house->nest, false);
    }
    secure_send(&secure, POST POST); /* on the same connection */
    house_until_count(house, &house->requests, 2);
    secure_send(&secure, POST);
    until_come(&secure.raw);
    settle(house);
    secure_send(&secure, GET);
    until_come(&secure.raw);
    settle(house);
    answer(house);
    while (!is_secure_over(&secure)) {
        nest_run_once(house->nest, false);
    }
    const char *second = strstr(buf_text(&secure.got), "answer");
    assert_non_null(second);
    assert_non_null(strstr(second, "Connection: close\r\n"));
    assert_non_null(strstr(second + 1, "\r\n\r\nanswer"));
    assert_int_equal(house->requests, 2);
    SSL_free(secure.ssl);
    SSL_CTX_free(context);
    raw_close(&secure.raw);
    buf_done(&secure.got);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_takes_request_after_request_with_a_body),
        TEST(a_loop_at_rest_is_looked_at_once),
        TEST(an_answer_is_out_and_done_with_at_once),
        TEST(two_bodies_cut_at_any_byte_do_not_stop_the_daemon),
        TEST(what_comes_before_the_answer_to_a_body_takes_no_answer_away),
        TEST(a_flood_behind_a_body_is_thrown_away),
        TEST(who_leaves_after_sending_more_than_a_body_is_noticed),
        TEST(a_refused_body_ends_the_connection_when_it_has_come),
        TEST(a_long_answer_to_a_body_is_the_last_of_its_connection),
        TEST(over_tls_what_comes_behind_a_body_is_thrown_away_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
