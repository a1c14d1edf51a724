/* The verbs that change something: what each asks the daemon for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "tests/unit/cli_server.h"

#define ANSWER(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body

struct row {
    const char *words[8]; /* the verb first */
    const char *asks;     /* the request's first line */
    const char *body;     /* its end */
};

static int perform(struct server *server, const char *const *words)
{
    static struct cli cli;
    cli = (struct cli){ .json = false };
    struct reason reason = { "" };
    int count = 0;
    while (words[count] != NULL) {
        count++;
    }
    cli.verb = verb_find(words[0]);
    assert_non_null(cli.verb);
    if (options_parse(&cli.options, cli.verb->options, global_options, count - 1, words + 1, false,
                      NULL, &reason) != ERR_NONE) {
        fail_msg("%s: %s", words[0], reason.text);
    }
    assert_true(cli.options.arguments_count >= cli.verb->arguments_min);
    assert_int_equal(http_new(server->url, NULL, NULL, &cli.http, &reason), ERR_NONE);
    int code = cli.verb->run(&cli);
    http_free(cli.http);
    return code;
}

static void expect_asked(struct buf *request, const struct row *row)
{
    const char *text = buf_text(request);
    size_t length = strlen(row->asks);
    const char *end = strstr(text, "\r\n\r\n");
    if (strncmp(text, row->asks, length) != 0 || end == NULL || strcmp(end + 4, row->body) != 0) {
        fail_msg("%s: asked %s", row->words[0], text);
    }
    assert_non_null(strcasestr(text, "\r\nIdempotency-Key: "));
}

static void each_verb_asks_for_its_change(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { { "pause", "a-1" }, "POST /api/v1/constellations/a-1/pause HTTP", "{}" },
        { { "pause", "a-1", "--for", "5m", "--reason", "x" },
          "POST /api/v1/constellations/a-1/pause HTTP",
          "{\"reason\":\"x\",\"for\":\"5m\"}" },
        { { "resume", "a-1" }, "POST /api/v1/constellations/a-1/resume HTTP", "" },
        { { "hold", "a-1" }, "POST /api/v1/constellations/a-1/holds HTTP", "{}" },
        { { "hold", "a-1", "b", "c", "b" },
          "POST /api/v1/constellations/a-1/holds HTTP",
          "{\"tasks\":[\"b\",\"c\"]}" },
        { { "hold", "a-1/b", "--descendants", "--for", "1h", "--on-expiry", "fail" },
          "POST /api/v1/constellations/a-1/holds HTTP",
          "{\"tasks\":[\"b\"],\"scope\":\"descendants\",\"for\":\"1h\",\"on_expiry\":\"fail\"}" },
        { { "release", "a-1", "7" }, "DELETE /api/v1/constellations/a-1/holds/7?deny=0 HTTP", "" },
        { { "retry", "a-1" }, "POST /api/v1/constellations/a-1/retry HTTP", "{}" },
        { { "retry", "a-1/b", "--keep-skipped" },
          "POST /api/v1/constellations/a-1/retry HTTP",
          "{\"tasks\":[\"b\"],\"keep_skipped\":true}" },
        { { "rerun", "a-1", "b" },
          "POST /api/v1/constellations/a-1/rerun HTTP",
          "{\"tasks\":[\"b\"]}" },
        { { "resolve", "a-1/b", "retry" },
          "POST /api/v1/constellations/a-1/tasks/b/resolve HTTP",
          "{\"as\":\"retry\"}" },
        { { "drain", "desk top" }, "POST /api/v1/devices/desk%20top/drain HTTP", "" },
        { { "undrain", "desktop" }, "POST /api/v1/devices/desktop/undrain HTTP", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const answers[] = { ANSWER("{\"id\":1}") };
        struct server server;
        server_start(&server, answers, 1);
        assert_int_equal(perform(&server, rows[i].words), CLI_OK);
        expect_asked(&server.requests[0], &rows[i]);
        server_stop(&server);
    }
}

#define HOLDS                                                                                      \
    ANSWER("{\"holds\":[{\"id\":4,\"origin\":\"request\",\"task\":\"go\"},"                        \
           "{\"id\":9,\"origin\":\"approval\",\"task\":\"go\"}]}")

static void an_approval_is_found_by_its_task(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { { "approve", "a-1/go" }, "DELETE /api/v1/constellations/a-1/holds/9?deny=0 HTTP", "" },
        { { "deny", "a-1/go", "--reason", "no, no" },
          "DELETE /api/v1/constellations/a-1/holds/9?deny=1&reason=no%2C%20no HTTP",
          "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const answers[] = { HOLDS, ANSWER("{}") };
        struct server server;
        server_start(&server, answers, 2);
        assert_int_equal(perform(&server, rows[i].words), CLI_OK);
        expect_asked(&server.requests[1], &rows[i]);
        server_stop(&server);
    }
}

static void a_task_that_waits_for_no_approval_is_refused(void **state)
{
    (void)state;
    static const char *const answers[] = { HOLDS };
    struct server server;
    server_start(&server, answers, 1);
    assert_int_equal(perform(&server, (const char *const[]){ "approve", "a-1/other", NULL }),
                     CLI_REFUSED);
    server_stop(&server);
}

static void what_names_nothing_is_refused_before_the_daemon_is_asked(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        { "rerun", "a-1" },
        { "approve", "a-1" },
        { "resolve", "a-1", "retry" },
        { "resolve", "a-1/b", "maybe" },
        { "hold", "a-1/b", "a-2/c" },
        { "pause", "a-1/b" },
    };
    struct server server;
    server_start(&server, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(perform(&server, cases[i]), CLI_USAGE);
    }
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verb_asks_for_its_change),
        cmocka_unit_test(an_approval_is_found_by_its_task),
        cmocka_unit_test(a_task_that_waits_for_no_approval_is_refused),
        cmocka_unit_test(what_names_nothing_is_refused_before_the_daemon_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
