/* The verbs of a living graph: what each asks the daemon for, and what it tells of the answer. */
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
#include "cli/http.h"
#include "cli/output.h"
#include "cli/show.h"
#include "common/sys/file.h"
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

static void a_watch_of_everything_ends_with_its_time(void **state)
{
    (void)state;
    static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                           "\r\n: still here\n\n" };
    static const char *const words[] = { "watch", "--timeout", "1ms", NULL };
    static const char *const wrong[] = { "watch", "--timeout", "soon", NULL };
    struct server server;
    server_start(&server, answers, 1);
    assert_int_equal(perform(&server, wrong), CLI_USAGE);
    assert_int_equal(perform(&server, words), CLI_TIMED_OUT);
    server_stop(&server);
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

/* What the verb writes to stdout for this answer. */
static char *said(const char *const *words, const char *answer)
{
    const char *const answers[] = { answer };
    struct server server;
    char path[] = "/tmp/asterism-cli-XXXXXX";
    int file = mkstemp(path);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    assert_true(file >= 0 && kept >= 0 && dup2(file, STDOUT_FILENO) >= 0);
    server_start(&server, answers, 1);
    int code = perform(&server, words);
    server_stop(&server);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(file);
    assert_int_equal(code, CLI_OK);
    static struct buf text;
    struct reason reason;
    buf_clear(&text);
    assert_int_equal(file_read(path, 1 << 16, &text, &reason), ERR_NONE);
    unlink(path);
    return (char *)(uintptr_t)buf_text(&text);
}

static void what_a_task_waits_for_is_told_for_each_device(void **state)
{
    (void)state;
    const char *const words[] = { "explain", "a-1/x", NULL };
    const char *text = said(
        words, ANSWER("{\"key\":\"x\",\"state\":\"ready\",\"waiting_for\":\"no device matches\","
                      "\"needs\":[{\"task\":\"p\",\"when\":\"failure\",\"if\":\"exit_code < 3\","
                      "\"decision\":\"open\"}],\"devices\":[{\"device\":\"nas\",\"fits\":false,"
                      "\"why\":\"it has no tool ffmpeg\"},{\"device\":\"pi\",\"fits\":true,"
                      "\"free\":true,\"why\":null}]}"));
    assert_non_null(strstr(text, "why          no device matches\n"));
    assert_non_null(strstr(text, "needs        p on failure if exit_code < 3 (open)\n"));
    assert_non_null(strstr(text, "nas     no                it has no tool ffmpeg\n"));
    assert_non_null(strstr(text, "pi      yes, and is free  "));
}

static void what_needs_a_person_is_told_with_its_advice(void **state)
{
    (void)state;
    const char *const words[] = { "attention", NULL };
    const char *text =
        said(words, ANSWER("{\"items\":[{\"reason\":\"unknown\",\"count\":3,"
                           "\"since\":\"2026-01-01T00:00:00.000Z\",\"summary\":\"3 tasks\","
                           "\"advice\":\"find out\",\"refs\":[{\"constellation\":\"a-1\","
                           "\"task\":\"x\"}]}]}"));
    assert_string_equal(text, "3 tasks\n  since 2026-01-01T00:00:00.000Z\n  a-1/x, …\n"
                              "  find out\n");
}

static void a_plan_is_told_with_its_longest_path(void **state)
{
    (void)state;
    const char *const words[] = { "plan", "a-1", NULL };
    const char *text =
        said(words, ANSWER("{\"constellation\":\"a-1\",\"tasks\":3,\"longest_path\":{\"length\":2,"
                           "\"tasks\":[\"a\",\"b\"]},\"widths\":[2,1],\"width_max\":2,"
                           "\"widest_level\":1,\"parallelism\":1.5,\"time\":null,"
                           "\"realised\":null,\"expected_end\":null,"
                           "\"expected_end_why\":\"it is paused\"}"));
    assert_non_null(strstr(text, "no forecast  it is paused\n"));
    assert_non_null(strstr(text, "longest      2 tasks: a → b\n"));
    assert_non_null(strstr(text, "widest       2 tasks, at level 1\n"));
    assert_non_null(strstr(text, "parallelism  1.5\n"));
    assert_non_null(strstr(text, "    2      1  ####################\n"));
}

static void a_level_of_few_tasks_beside_many_is_seen(void **state)
{
    (void)state;
    const char *const words[] = { "plan", "a-1", NULL };
    const char *text =
        said(words, ANSWER("{\"constellation\":\"a-1\",\"tasks\":1001,\"longest_path\":{"
                           "\"length\":2,\"tasks\":[\"a\",\"b\"]},\"widths\":[1,1000],"
                           "\"width_max\":1000,\"widest_level\":2,\"parallelism\":500.5,"
                           "\"time\":null,\"realised\":null,\"expected_end\":null,"
                           "\"expected_end_why\":\"it has ended\"}"));
    assert_non_null(strstr(text, "no forecast  it has ended\n"));
    assert_non_null(strstr(text, "    1      1  #\n"));
}

static void an_edit_that_adds_nothing_does_not_seem_to_change_nothing(void **state)
{
    (void)state;
    const char *const words[] = { "edit", "a-1k2m", "set", "limits={\"disk\":null}", NULL };
    const char *text =
        said(words, ANSWER("{\"constellation\":\"a-1k2m\",\"revision\":2,\"dry_run\":false,"
                           "\"tasks\":{\"added\":0,\"removed\":0,\"changed\":0},"
                           "\"dependencies\":{\"added\":0,\"removed\":0}}"));
    assert_string_equal(text, "a-1k2m is at revision 2: nothing added or removed; see  asterism "
                              "diff a-1k2m\n");
}

static void many_of_a_group_are_one_line(void **state)
{
    (void)state;
    json_t *tasks = json_array();
    for (int i = 0; i < 9; i++) {
        char key[16];
        snprintf(key, sizeof key, "x@%d", i);
        json_array_append_new(tasks, json_pack("{s:s, s:s, s:s, s:s}", "key", key, "group", "x",
                                               "state", i == 4 ? "failed" : "succeeded", "reason",
                                               i == 4 ? "exit 1" : ""));
    }
    json_array_append_new(tasks, json_pack("{s:s, s:s}", "key", "y", "state", "waiting"));
    assert_int_equal(show_group_size(tasks, 0), 9);
    assert_int_equal(show_group_size(tasks, 9), 1);
    struct table table = { 0 };
    struct buf text = { 0 };
    table_row(&table, 6, (const char *const[]){ "K", "S", "D", "A", "T", "W" });
    show_group(&table, tasks, 0, 9);
    table_render(&table, false, SIZE_MAX, &text);
    assert_non_null(strstr(buf_text(&text), "x@… (9)  mixed"));
    assert_non_null(strstr(buf_text(&text), "8 succeeded, 1 failed; x@4: exit 1"));
    buf_done(&text);
    table_done(&table);
    json_decref(tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_of_everything_ends_with_its_time),
        cmocka_unit_test(each_verb_asks_for_its_change),
        cmocka_unit_test(an_approval_is_found_by_its_task),
        cmocka_unit_test(a_task_that_waits_for_no_approval_is_refused),
        cmocka_unit_test(what_names_nothing_is_refused_before_the_daemon_is_asked),
        cmocka_unit_test(what_a_task_waits_for_is_told_for_each_device),
        cmocka_unit_test(what_needs_a_person_is_told_with_its_advice),
        cmocka_unit_test(a_plan_is_told_with_its_longest_path),
        cmocka_unit_test(a_level_of_few_tasks_beside_many_is_seen),
        cmocka_unit_test(an_edit_that_adds_nothing_does_not_seem_to_change_nothing),
        cmocka_unit_test(many_of_a_group_are_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
