/* Who is let in to the daemon over HTTP, by host, token and number, and what it listens on. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/net_house.h"

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
        expect_part(raw_ask(house, text), rows[i].status);
    }
    assert_int_equal(house->requests, 7);
}

static void a_request_without_a_valid_token_is_refused(void **state)
{
    struct house *house = *state;
    house->wants_token = true;
    house_open(house);
    const char *answer = raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "\r\n");
    expect_part(answer, "HTTP/1.1 401 Unauthorized\r\n");
    expect_part(answer, "WWW-Authenticate: Bearer");
    expect_part(answer, "Content-Type: application/problem+json");
    expect_part(answer, "\"code\":\"unauthorized\"");
    expect_part(
        raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "Authorization: Bearer nope\r\n\r\n"),
        " 401 ");
    expect_part(raw_ask(house, "GET /known?token=viewer-token HTTP/1.1\r\n" LOCAL "\r\n"), " 401 ");
    assert_int_equal(house->requests, 0);
    expect_part(raw_ask(house, "GET /known HTTP/1.0\r\n" LOCAL
                               "Authorization: Bearer viewer-token\r\n\r\n"),
                " 200 ");
    assert_int_equal(house->identity.role, NET_ROLE_VIEWER);
    house->wants_token = false;
    expect_part(raw_ask(house, "GET /known HTTP/1.1\r\n" LOCAL "Authorization: Basic eDp5\r\n\r\n"),
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
    expect_part(raw_ask(house, "GET /known HTTP/1.0\r\n" LOCAL "\r\n"), " 200 ");
    assert_int_equal(house->identity.role, NET_ROLE_NONE);
    expect_part(raw_ask(house, "GET /known/more HTTP/1.0\r\n" LOCAL "\r\n"), " 401 ");
    expect_part(raw_ask(house, "POST /known HTTP/1.0\r\n" LOCAL "Content-Length: 1\r\n\r\nx"),
                " 401 ");
    expect_part(raw_ask(house, "GET /known HTTP/1.0\r\nHost: evil.example\r\n\r\n"), " 421 ");
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
    expect_part(raw_text(&third), "503");
    raw_close(&third);
    /* The admin still gets in, and so does the next one when one has left. */
    raw_open_unix(&third, house, path);
    raw_send(&third, "GET /known HTTP/1.1\r\n\r\n");
    raw_until_text(&third, "answer");
    raw_close(&third);
    raw_close(&first);
    raw_send(&second, "GET /known HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n");
    raw_until_end(&second);
    expect_part(raw_text(&second), "answer");
    raw_close(&second);
    expect_part(raw_ask(house, "GET /known HTTP/1.0\r\n" LOCAL "\r\n"), "answer");
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
    expect_part(raw_text(&raws[8]), "503");
    for (size_t i = 0; i < 8; i++) {
        raw_send(&raws[i], "GET /known HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n");
        raw_until_end(&raws[i]);
        expect_part(raw_text(&raws[i]), "answer");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_foreign_host_or_origin_is_refused),
        TEST(a_request_without_a_valid_token_is_refused),
        TEST(an_open_path_needs_no_token),
        TEST(the_admin_socket_is_the_owner_s_alone),
        TEST(a_connection_too_many_is_turned_away),
        TEST(connections_leave_the_rest_of_the_process_its_descriptors),
        TEST(an_address_that_cannot_be_listened_on_is_explained),
        TEST(ending_it_with_requests_open_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
