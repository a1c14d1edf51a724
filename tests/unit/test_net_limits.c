/* The limits of the daemon's outside, each reached: connections of the admin's socket, request headers,
   bodies under way, files. Whatever is refused, the next one is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/net/net_private.h"
#include "tests/unit/net_house.h"

#define KNOWN "GET /known HTTP/1.1\r\n" LOCAL "Connection: close\r\n\r\n"

static bool has_left(void *context)
{
    struct house *house = context;
    return net_stats(house->net).connections < NET_UNIX_CONNECTIONS_MAX;
}

static bool has_no_connection(void *context)
{
    struct house *house = context;
    return net_stats(house->net).connections == 0;
}

static void one_connection_more_than_the_admin_s_socket_takes_is_turned_away(void **state)
{
    struct house *house = *state;
    char path[256];
    snprintf(path, sizeof path, "%s", house_path(house, "admin.sock"));
    house->config.unix_path = path;
    house_open(house);
    static struct raw raws[NET_UNIX_CONNECTIONS_MAX];
    for (size_t i = 0; i < NET_UNIX_CONNECTIONS_MAX; i++) {
        raw_open_unix(&raws[i], house, path);
        raw_send(&raws[i], "GET /known HTTP/1.1\r\n" LOCAL "\r\n");
        raw_until_text(&raws[i], "answer");
    }
    struct raw more;
    raw_open_unix(&more, house, path);
    raw_until_end(&more);
    expect_part(raw_text(&more), "HTTP/1.1 503 ");
    expect_part(raw_text(&more), "\"code\":\"connections\"");
    raw_close(&more);
    /* It is counted by itself, those that are open go on, and one that leaves makes room. */
    expect_part(raw_ask(house, KNOWN), "answer");
    buf_clear(&raws[1].got);
    raw_send(&raws[1], KNOWN);
    raw_until_text(&raws[1], "answer");
    raw_close(&raws[0]);
    house_until(house, has_left, house);
    raw_open_unix(&more, house, path);
    raw_send(&more, KNOWN);
    raw_until_text(&more, "answer");
    raw_close(&more);
    for (size_t i = 1; i < NET_UNIX_CONNECTIONS_MAX; i++) {
        raw_close(&raws[i]);
    }
}

/* A request with so many bytes in the value of a header. */
static char *with_header(const char *name, size_t bytes)
{
    char *value = mem_alloc(bytes + 1);
    memset(value, 'x', bytes);
    char *text = mem_format("GET /known HTTP/1.1\r\n" LOCAL "Connection: close\r\n%s: %s\r\n\r\n",
                            name, value);
    mem_free(value);
    return text;
}

/* libwebsockets 4.1.6 gives up on them before any callback of ours could answer 431. */
static void headers_over_the_limit_close_the_connection(void **state)
{
    struct house *house = *state;
    house_open(house);
    static const char *const names[] = { "Accept", "X-Unknown", "Cookie" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsigned before = house->requests;
        char *fits = with_header(names[i], NET_HEADER_BYTES_MAX - 512);
        expect_part(raw_ask(house, fits), "answer");
        char *over = with_header(names[i], NET_HEADER_BYTES_MAX);
        assert_string_equal(raw_ask(house, over), "");
        mem_free(fits);
        mem_free(over);
        assert_int_equal(house->requests, before + 1);
    }
    char *many = mem_format("GET /known HTTP/1.1\r\n" LOCAL);
    for (int i = 0; i < 1000; i++) {
        char *more = mem_format("%sX-%d: y\r\n", many, i);
        mem_free(many);
        many = more;
    }
    assert_string_equal(raw_ask(house, many), "");
    mem_free(many);
    expect_part(raw_ask(house, KNOWN), "answer");
    house_until(house, has_no_connection, house);
}

static void announce(struct raw *raw, struct house *house, size_t bytes)
{
    char *head = mem_format("POST /known HTTP/1.1\r\n" LOCAL "Content-Length: %zu\r\n\r\n", bytes);
    raw_open(raw, house);
    raw_send(raw, head);
    mem_free(head);
}

/* By what they announce: nothing of it need be sent. */
static void bodies_that_do_not_fit_into_memory_together_are_refused(void **state)
{
    struct house *house = *state;
    house->config.body_bytes_max = NET_BODIES_BYTES_MAX;
    house_open(house);
    struct raw large;
    announce(&large, house, NET_BODIES_BYTES_MAX - 4);
    expect_part(raw_ask(house, KNOWN), "answer");
    struct raw more;
    announce(&more, house, 5);
    raw_until_text(&more, "\"code\":\"too_many\"");
    expect_part(raw_text(&more), "HTTP/1.1 503 ");
    raw_close(&more);
    announce(&more, house, 4);
    raw_send(&more, "four");
    raw_until_text(&more, "answer");
    raw_close(&more);
    raw_close(&large);
    house_until(house, has_no_connection, house);
    announce(&more, house, 5);
    raw_send(&more, "fives");
    raw_until_text(&more, "answer");
    raw_close(&more);
}

static void write_blanks(struct house *house, const char *name, off_t bytes)
{
    house_write(house, name, "");
    assert_int_equal(truncate(house_path(house, name), bytes), 0);
}

static void a_file_over_the_limit_is_not_served(void **state)
{
    struct house *house = *state;
    char dir[256];
    snprintf(dir, sizeof dir, "%s", house_path(house, "www"));
    assert_int_equal(mkdir(dir, 0700), 0);
    write_blanks(house, "www/fits.js", NET_STATIC_FILE_BYTES_MAX);
    write_blanks(house, "www/over.js", NET_STATIC_FILE_BYTES_MAX + 1);
    house->config.static_dir = dir;
    house_open(house);
    expect_part(raw_ask(house, "GET /fits.js HTTP/1.0\r\n" LOCAL "\r\n"),
                "Content-Length: 16777216\r\n");
    assert_int_equal(house->requests, 0);
    /* It is asked of the handler, as if it were not there. */
    expect_part(raw_ask(house, "GET /over.js HTTP/1.0\r\n" LOCAL "\r\n"), "HTTP/1.1 ");
    assert_int_equal(house->requests, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, house_set_up, house_tear_down)
        IN_A_HOUSE(one_connection_more_than_the_admin_s_socket_takes_is_turned_away),
        IN_A_HOUSE(headers_over_the_limit_close_the_connection),
        IN_A_HOUSE(bodies_that_do_not_fit_into_memory_together_are_refused),
        IN_A_HOUSE(a_file_over_the_limit_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
