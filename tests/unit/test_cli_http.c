/* The command line against a daemon that cuts connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/end.h"
#include "cli/follow.h"
#include "cli/http.h"
#include "cli/submit.h"
#include "cli/tail.h"
#include "common/base/buf.h"
#include "tests/unit/cli_server.h"

static void cli_start(struct cli *cli, const char *url)
{
    struct reason reason;
    *cli = (struct cli){ .json = false };
    assert_int_equal(http_new(url, NULL, NULL, &cli->http, &reason), ERR_NONE);
}

/* The value of a header, into `to`. */
static void header_of(struct buf *request, const char *name, char to[128])
{
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strcasestr(buf_text(request), line);
    assert_non_null(at);
    at += strlen(line);
    snprintf(to, 128, "%.*s", (int)strcspn(at, "\r"), at);
}

#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 15\r\n\r\n{\"id\":\"a-7k2m\"}"

static void a_submission_cut_off_is_repeated_under_its_key(void **state)
{
    (void)state;
    static const char *const answers[] = { "",
                                           "HTTP/1.1 201 Created\r\nContent-Length: 15\r\n\r\n{",
                                           CREATED };
    struct server server;
    struct cli cli;
    server_start(&server, answers, 3);
    cli_start(&cli, server.url);
    json_t *constellation = NULL;
    assert_int_equal(
        submit_text(&cli, "x.yaml", "application/yaml", STR("name: x\n"), &constellation), CLI_OK);
    assert_string_equal(json_text(constellation, "id"), "a-7k2m");
    char first[128] = "";
    for (size_t i = 0; i < 3; i++) {
        char key[128];
        header_of(&server.requests[i], "Idempotency-Key", key);
        assert_true(strlen(key) >= 16);
        if (i == 0) {
            memcpy(first, key, sizeof first);
        }
        assert_string_equal(key, first);
        assert_non_null(strstr(buf_text(&server.requests[i]), "\r\n\r\nname: x\n"));
        assert_null(strcasestr(buf_text(&server.requests[i]), "\r\nexpect:"));
    }
    json_decref(constellation);
    http_free(cli.http);
    server_stop(&server);
}

static void two_submissions_have_two_keys(void **state)
{
    (void)state;
    static const char *const answers[] = { CREATED, CREATED };
    struct server server;
    struct cli cli;
    server_start(&server, answers, 2);
    cli_start(&cli, server.url);
    for (int i = 0; i < 2; i++) {
        json_t *constellation = NULL;
        assert_int_equal(submit_text(&cli, "x", "application/json", STR("{}"), &constellation),
                         CLI_OK);
        json_decref(constellation);
    }
    char one[128];
    char two[128];
    header_of(&server.requests[0], "Idempotency-Key", one);
    header_of(&server.requests[1], "Idempotency-Key", two);
    assert_string_not_equal(one, two);
    http_free(cli.http);
    server_stop(&server);
}

static void a_daemon_that_is_not_there_is_unreachable_at_once(void **state)
{
    (void)state;
    /* A port that nobody listens at: one that was just given back. */
    struct server server;
    struct cli cli;
    server_start(&server, NULL, 0);
    server_stop(&server);
    cli_start(&cli, server.url);
    json_t *constellation = NULL;
    assert_int_equal(submit_text(&cli, "x", "application/json", STR("{}"), &constellation),
                     CLI_UNREACHABLE);
    assert_null(constellation);
    http_free(cli.http);
}

static void what_does_not_answer_as_a_daemon_is_told(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 404 No\r\nContent-Length: 26\r\n\r\n{\"detail\":\"no such thing\"}",
    };
    static const int codes[] = { CLI_UNREACHABLE, CLI_REFUSED, CLI_UNREACHABLE, CLI_REFUSED };
    struct server server;
    struct cli cli;
    server_start(&server, answers, 4);
    cli_start(&cli, server.url);
    for (size_t i = 0; i < 4; i++) {
        json_t *json = NULL;
        assert_int_equal(http_get(cli.http, "/api/v1/devices", &json), codes[i]);
        assert_null(json);
    }
    http_free(cli.http);
    server_stop(&server);
}

struct heard {
    struct buf text;
};

static void hear(void *context, const char *name, struct str data)
{
    struct heard *heard = context;
    buf_printf(&heard->text, "<%s|%.*s>", name, STR_ARG(data));
}

static void a_followed_stream_goes_on_after_a_cut_from_the_last_event(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\n\r\nid: L-1\ndata: one\n\nid: L-2\nda",
        "",
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nid: L-2\ndata: two\n\n",
        "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    };
    struct server server;
    struct cli cli;
    struct heard heard = { { 0 } };
    struct follow follow;
    server_start(&server, answers, 5);
    cli_start(&cli, server.url);
    follow_init(&follow, cli.http, "/api/v1/events", hear, &heard);
    while (follow.refused == 0) {
        follow_step(&follow);
        http_poll(cli.http, follow_wait_ms(&follow, 1000));
    }
    assert_int_equal(follow.refused, CLI_REFUSED);
    assert_string_equal(buf_text(&heard.text), "<message|one><message|two>");
    char id[128];
    header_of(&server.requests[1], "Last-Event-ID", id);
    assert_string_equal(id, "L-1");
    header_of(&server.requests[3], "Last-Event-ID", id);
    assert_string_equal(id, "L-1");
    header_of(&server.requests[4], "Last-Event-ID", id);
    assert_string_equal(id, "L-2");
    follow_done(&follow);
    http_free(cli.http);
    server_stop(&server);
    buf_done(&heard.text);
}

#define ENDING(text) "HTTP/1.1 200 OK\r\n\r\n" text

/* However many tasks it has, nobody tells it of them. */
static void who_waits_for_an_end_is_told_of_nothing_else(void **state)
{
    (void)state;
    static const char *const answers[] = {
        ENDING("{\"id\": \"a-7k2m\", \"state\": \"running\"}"),
        "",
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        ENDING("{\"id\": \"a-7k2m\", \"state\": \"failed\"}"),
    };
    struct server server;
    struct cli cli;
    server_start(&server, answers, 4);
    cli_start(&cli, server.url);
    json_t *end = NULL;
    assert_int_equal(end_wait(&cli, "a-7k2m", 0, &end), CLI_FAILED);
    assert_string_equal(json_text(end, "state"), "failed");
    for (size_t i = 0; i < 4; i++) {
        static const char asked[] = "GET /api/v1/constellations/a-7k2m?wait=55000ms HTTP/1.1\r\n";
        assert_memory_equal(server.requests[i].data, asked, sizeof asked - 1);
    }
    json_decref(end);
    http_free(cli.http);
    server_stop(&server);
}

static void a_wait_ends_with_its_time_or_when_what_it_waits_for_is_deleted(void **state)
{
    (void)state;
    static const char *const answers[] = {
        ENDING("{\"id\": \"a-7k2m\", \"state\": \"running\"}"),
        ENDING("{\"tasks\": []}"), /* of those that it has to wait for */
        ENDING("{\"status\": 404, \"detail\": \"it has been deleted\"}"),
    };
    struct server server;
    struct cli cli;
    server_start(&server, answers, 3);
    cli_start(&cli, server.url);
    json_t *end = NULL;
    /* Over already: it asks how it is, and does not wait. */
    assert_int_equal(end_wait(&cli, "a-7k2m", 1, &end), CLI_TIMED_OUT);
    assert_string_equal(json_text(end, "state"), "running");
    json_decref(end);
    static const char asked[] = "GET /api/v1/constellations/a-7k2m HTTP/1.1\r\n";
    assert_memory_equal(server.requests[0].data, asked, sizeof asked - 1);
    assert_int_equal(end_wait(&cli, "a-7k2m", 0, NULL), CLI_REFUSED);
    http_free(cli.http);
    server_stop(&server);
}

static void sink(void *context, struct tail *tail, struct str bytes)
{
    (void)tail;
    buf_append(context, bytes.data, bytes.length);
}

static void a_tail_gives_each_byte_once_over_cuts_and_parts(void **state)
{
    (void)state;
    static const char *const answers[] = {
        /* Followed, and cut in the middle of what there is. */
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n01234",
        /* Followed again from the beginning; the end proves nothing. */
        "HTTP/1.1 200 OK\r\n\r\n0123456789",
        /* The rest comes in two parts, then there is no more. */
        "HTTP/1.1 206 Partial\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nde",
        "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n",
    };
    struct server server;
    struct cli cli;
    struct tail tail;
    struct buf got = { 0 };
    struct tasks_name name = { .id = "a-7k2m", .key = "scan" };
    server_start(&server, answers, 5);
    cli_start(&cli, server.url);
    tail_init(&tail, cli.http, &name, "stdout");
    tail.sink = sink;
    tail.context = &got;
    tail_step(&tail, 0, false);
    assert_false(tail.open);
    while (!tail.ended && tail.refused == 0) {
        tail_step(&tail, 1, got.length >= 10);
        http_poll(cli.http, 20);
    }
    assert_true(tail.ended);
    assert_string_equal(buf_text(&got), "0123456789abcde");
    char range[128];
    header_of(&server.requests[2], "Range", range);
    assert_string_equal(range, "bytes=10-");
    header_of(&server.requests[4], "Range", range);
    assert_string_equal(range, "bytes=15-");
    assert_non_null(strstr(buf_text(&server.requests[0]),
                           "GET /api/v1/constellations/a-7k2m/tasks/scan/output?stream=stdout&"
                           "attempt=1&follow=1 HTTP/1.1"));
    tail_done(&tail);
    http_free(cli.http);
    server_stop(&server);
    buf_done(&got);
}

static void a_task_that_never_ran_has_no_output_to_wait_for(void **state)
{
    (void)state;
    struct cli cli;
    struct tail tail;
    struct tasks_name name = { .id = "a-7k2m", .key = "scan" };
    cli_start(&cli, "http://127.0.0.1:1");
    tail_init(&tail, cli.http, &name, "stdout");
    tail_step(&tail, 0, true);
    assert_true(tail.ended);
    tail_done(&tail);
    http_free(cli.http);
}

static void a_token_is_not_sent_in_the_clear_to_another_machine(void **state)
{
    (void)state;
    char path[] = "/tmp/asterism-token.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "ast_secret\n", 11), 11);
    close(fd);
    struct http *http = NULL;
    struct reason reason;
    assert_int_equal(http_new("http://example.com", path, NULL, &http, &reason), ERR_DENIED);
    assert_null(http);
    static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" };
    struct server server;
    server_start(&server, answers, 1);
    assert_int_equal(http_new(server.url, path, NULL, &http, &reason), ERR_NONE);
    json_t *json = NULL;
    assert_int_equal(http_get(http, "/api/v1/devices", &json), CLI_OK);
    char header[128];
    header_of(&server.requests[0], "Authorization", header);
    assert_string_equal(header, "Bearer ast_secret");
    json_decref(json);
    http_free(http);
    server_stop(&server);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_cut_off_is_repeated_under_its_key),
        cmocka_unit_test(two_submissions_have_two_keys),
        cmocka_unit_test(a_daemon_that_is_not_there_is_unreachable_at_once),
        cmocka_unit_test(what_does_not_answer_as_a_daemon_is_told),
        cmocka_unit_test(a_followed_stream_goes_on_after_a_cut_from_the_last_event),
        cmocka_unit_test(who_waits_for_an_end_is_told_of_nothing_else),
        cmocka_unit_test(a_wait_ends_with_its_time_or_when_what_it_waits_for_is_deleted),
        cmocka_unit_test(a_tail_gives_each_byte_once_over_cuts_and_parts),
        cmocka_unit_test(a_task_that_never_ran_has_no_output_to_wait_for),
        cmocka_unit_test(a_token_is_not_sent_in_the_clear_to_another_machine),
    };
    return cmocka_run_group_tests_name("cli_http", tests, NULL, NULL);
}
