/* The command line's own parts: options, the table of verbs, URLs, names. */
#include <fcntl.h>
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
#include "cli/stdin.h"
#include "cli/submit.h"
#include "cli/tasks.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/sys/clock.h"
#include "common/sys/file.h"

static const struct option own[] = {
    { .name = "follow", .letter = 'f', .help = "" },
    { .name = "timeout", .letter = 't', .operand = "DURATION", .help = "" },
    { .name = "role", .operand = "ROLE", .help = "", .words = "viewer admin" },
    { .name = NULL },
};

enum { DOCUMENT_BYTES_MAX = 1 << 20 };

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static enum err parse(struct options *to, struct reason *reason, const char *const *words)
{
    int count = 0;
    while (words[count] != NULL) {
        count++;
    }
    *to = (struct options){ 0 };
    return options_parse(to, own, global_options, count, words, false, NULL, reason);
}

static void options_stand_anywhere_and_the_last_value_counts(void **state)
{
    (void)state;
    struct options got;
    struct reason reason;
    assert_int_equal(parse(&got, &reason, WORDS("a", "-f", "--timeout=1s", "b", "-t", "2s", "-")),
                     ERR_NONE);
    assert_true(options_has(&got, "follow"));
    assert_string_equal(options_get(&got, "timeout"), "2s");
    assert_string_equal(options_get_nth(&got, "timeout", 0), "1s");
    assert_null(options_get_nth(&got, "timeout", 2));
    assert_int_equal(got.arguments_count, 3);
    assert_string_equal(got.arguments[2], "-");
    assert_int_equal(parse(&got, &reason, WORDS("-ft3s", "-ojson")), ERR_NONE);
    assert_true(options_has(&got, "follow"));
    assert_string_equal(options_get(&got, "timeout"), "3s");
    assert_string_equal(options_get(&got, "output"), "json");
}

static void an_option_may_take_several_words(void **state)
{
    (void)state;
    static const struct option listed[] = {
        { .name = "state", .operand = "STATES", .help = "", .words = "a b", .is_list = true },
        { .name = NULL },
    };
    static struct options options;
    struct reason reason;
    static const struct {
        const char *value;
        enum err err;
    } cases[] = { { "a", ERR_NONE },     { "b,a", ERR_NONE },    { "", ERR_INVALID },
                  { "a,", ERR_INVALID }, { "a,c", ERR_INVALID }, { "a b", ERR_INVALID } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        options = (struct options){ 0 };
        const char *const words[] = { "--state", cases[i].value };
        assert_int_equal(
            options_parse(&options, listed, global_options, 2, words, false, NULL, &reason),
            cases[i].err);
    }
}

static void a_guess_is_near_what_was_meant(void **state)
{
    (void)state;
    assert_string_equal(verb_nearest("lsit"), "list");
    assert_string_equal(verb_nearest("cancle"), "cancel");
    assert_string_equal(verb_nearest("device"), "devices");
    assert_null(verb_nearest("bogus"));
    assert_null(verb_nearest("x"));
}

static void a_command_behind_two_dashes_is_left_alone(void **state)
{
    (void)state;
    struct options got;
    struct reason reason;
    assert_int_equal(parse(&got, &reason, WORDS("-f", "--", "ls", "--follow", "--", "-x")),
                     ERR_NONE);
    assert_int_equal(got.command_count, 4);
    assert_string_equal(got.command[0], "ls");
    assert_string_equal(got.command[2], "--");
    assert_int_equal(got.given_count, 1);
}

static void a_wrong_option_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *words[3];
        const char *says;
    } cases[] = {
        { { "--folow" }, "--folow is unknown; did you mean --follow?" },
        { { "--ulr", "x" }, "did you mean --url?" },
        { { "--wonderful" }, "--wonderful is unknown" },
        { { "-x" }, "-x is unknown" },
        { { "--timeout" }, "--timeout needs DURATION" },
        { { "-t" }, "-t needs DURATION" },
        { { "--follow=yes" }, "--follow takes no value" },
        { { "--role", "king" }, "--role takes one of: viewer admin" },
        { { "--role", "" }, "--role takes one of" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options got;
        struct reason reason = { "" };
        assert_int_equal(parse(&got, &reason, cases[i].words), ERR_INVALID);
        assert_non_null(strstr(reason.text, cases[i].says));
    }
}

static void options_and_arguments_have_a_limit(void **state)
{
    (void)state;
    static const char *words[OPTIONS_ARGUMENTS_MAX + 2];
    struct options got;
    struct reason reason;
    for (size_t i = 0; i <= OPTIONS_ARGUMENTS_MAX; i++) {
        words[i] = "a";
    }
    assert_int_equal(parse(&got, &reason, words), ERR_LIMIT);
    words[OPTIONS_ARGUMENTS_MAX] = NULL;
    assert_int_equal(parse(&got, &reason, words), ERR_NONE);
    for (size_t i = 0; i <= OPTIONS_GIVEN_MAX; i++) {
        words[i] = "-f";
    }
    words[OPTIONS_GIVEN_MAX + 1] = NULL;
    assert_int_equal(parse(&got, &reason, words), ERR_LIMIT);
}

static void every_verb_has_its_words_and_names_stand_once(void **state)
{
    (void)state;
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        assert_non_null((*verb)->run);
        assert_true(strlen((*verb)->summary) > 0);
        assert_non_null((*verb)->example);
        assert_int_equal((*verb)->example[strlen((*verb)->example) - 1], '\n');
        assert_non_null(strstr((*verb)->example, "asterism "));
        assert_ptr_equal(verb_find((*verb)->name), *verb);
        for (const struct option *row = (*verb)->options; row != NULL && row->name != NULL; row++) {
            assert_true(strlen(row->help) > 0);
        }
    }
    assert_null(verb_find("nothing"));
    assert_string_equal(verb_nearest("shwo"), "show");
    assert_null(verb_nearest("constellations"));
}

/* What `print` writes to stdout, into `to`. */
static void capture(void (*print)(void), struct buf *to)
{
    char path[] = "/tmp/asterism-cli.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    print();
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(fd);
    assert_int_equal(file_read(path, DOCUMENT_BYTES_MAX, to, NULL), ERR_NONE);
    unlink(path);
}

static void the_document_says_what_the_table_says(void **state)
{
    (void)state;
    struct buf made = { 0 };
    struct buf written = { 0 };
    capture(verbs_markdown, &made);
    assert_int_equal(file_read("docs/cli.md", DOCUMENT_BYTES_MAX, &written, NULL), ERR_NONE);
    assert_string_equal(buf_text(&made), buf_text(&written));
    buf_done(&made);
    buf_done(&written);
}

static void print_completion(void)
{
    static struct cli cli;
    cli.options.arguments[0] = "bash";
    cli.options.arguments_count = 1;
    assert_int_equal(verb_find("completion")->run(&cli), CLI_OK);
}

static void the_completion_script_is_good_bash(void **state)
{
    (void)state;
    struct buf script = { 0 };
    capture(print_completion, &script);
    FILE *bash = popen("bash -n", "w");
    assert_non_null(bash);
    assert_int_equal(fwrite(script.data, 1, script.length, bash), script.length);
    assert_int_equal(pclose(bash), 0);
    buf_done(&script);
}

static void print_help(void)
{
    verbs_help(false);
}

static void print_help_as_json(void)
{
    verbs_help(true);
}

static void the_help_names_every_verb_that_is_not_hidden(void **state)
{
    (void)state;
    struct buf help = { 0 };
    capture(print_help, &help);
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %s ", (*verb)->name);
        assert_int_equal(strstr(buf_text(&help), line) == NULL, (*verb)->hidden);
    }
    buf_done(&help);
}

static void the_help_is_one_json_document_for_programs(void **state)
{
    (void)state;
    struct buf text = { 0 };
    capture(print_help_as_json, &text);
    json_t *help = json_loadb((const char *)text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(help);
    const json_t *list = json_object_get(help, "verbs");
    size_t at = 0;
    for (const struct verb *const *verb = verbs; *verb != NULL; verb++) {
        if ((*verb)->hidden) {
            continue;
        }
        const json_t *row = json_array_get(list, at++);
        assert_string_equal(json_string_value(json_object_get(row, "name")), (*verb)->name);
        assert_string_equal(json_string_value(json_object_get(row, "example")), (*verb)->example);
        size_t options = 0;
        while ((*verb)->options != NULL && (*verb)->options[options].name != NULL) {
            options++;
        }
        assert_int_equal(json_array_size(json_object_get(row, "options")), options);
    }
    assert_int_equal(json_array_size(list), at);
    const json_t *output = json_array_get(json_object_get(help, "options"), 3);
    assert_string_equal(json_string_value(json_object_get(output, "letter")), "o");
    assert_int_equal(json_array_size(json_object_get(output, "words")), 2);
    assert_non_null(json_object_get(json_object_get(help, "exit_codes"), "124"));
    json_decref(help);
    buf_done(&text);
}

static void a_url_names_a_daemon_or_is_refused(void **state)
{
    (void)state;
    struct http_target target;
    struct reason reason;
    assert_int_equal(http_target_of("http://127.0.0.1:7350/", &target, &reason), ERR_NONE);
    assert_string_equal(target.base, "http://127.0.0.1:7350");
    assert_true(target.is_loopback && !target.is_tls && *target.unix_path == 0);
    assert_int_equal(http_target_of("https://example.com", &target, &reason), ERR_NONE);
    assert_true(target.is_tls && !target.is_loopback);
    assert_int_equal(http_target_of("http://[::1]:9", &target, &reason), ERR_NONE);
    assert_true(target.is_loopback);
    assert_int_equal(http_target_of("localhost:7350", &target, &reason), ERR_NONE);
    assert_string_equal(target.base, "http://localhost:7350");
    assert_true(target.is_loopback && !target.is_tls);
    assert_int_equal(http_target_of("unix:/run/a.sock", &target, &reason), ERR_NONE);
    assert_string_equal(target.unix_path, "/run/a.sock");
    assert_true(target.is_loopback);
    static const char *const elsewhere[] = { "http://127.0.0.1.example.com", "http://127.example",
                                             "http://localhost.example:1", "http://10.0.0.1" };
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        assert_int_equal(http_target_of(elsewhere[i], &target, &reason), ERR_NONE);
        assert_false(target.is_loopback);
    }
    static const char *const bad[] = { "",          "127.0.0.1",  "ftp://x",
                                       "http://",   "http://a/b", ":7350",
                                       "host:port", "a:",         "ftp://x:80",
                                       "a:123456",  "http://a?b", "http://user:pw@a",
                                       "unix:",     "http://a b", "file:///etc/passwd" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(http_target_of(bad[i], &target, &reason), ERR_INVALID);
    }
    char path[300] = "unix:/";
    memset(path + 6, 'x', 200);
    assert_int_equal(http_target_of(path, &target, &reason), ERR_INVALID);
}

static void a_status_has_its_exit_code(void **state)
{
    (void)state;
    assert_int_equal(http_exit_of(0), CLI_UNREACHABLE);
    assert_int_equal(http_exit_of(503), CLI_UNREACHABLE);
    assert_int_equal(http_exit_of(422), CLI_USAGE);
    assert_int_equal(http_exit_of(413), CLI_USAGE);
    static const int refused[] = { 401, 403, 404, 409, 410 };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(http_exit_of(refused[i]), CLI_REFUSED);
    }
}

static void a_name_is_an_id_or_an_id_and_a_task(void **state)
{
    (void)state;
    struct tasks_name name;
    assert_int_equal(tasks_name_of("@last", &name), CLI_OK);
    assert_string_equal(name.id, "@last");
    assert_string_equal(name.key, "");
    assert_int_equal(tasks_name_of("a-7k2m/scan@eu", &name), CLI_OK);
    assert_string_equal(name.id, "a-7k2m");
    assert_string_equal(name.key, "scan@eu");
    struct buf path = { 0 };
    tasks_key_path(&path, &name, "/output");
    assert_string_equal(buf_text(&path), "/api/v1/constellations/a-7k2m/tasks/scan%40eu/output");
    buf_clear(&path);
    tasks_path(&path, "../?x=\n", "");
    assert_string_equal(buf_text(&path), "/api/v1/constellations/..%2F%3Fx%3D%0A");
    buf_done(&path);
    assert_int_equal(tasks_name_of("", &name), CLI_USAGE);
    assert_int_equal(tasks_name_of("/scan", &name), CLI_USAGE);
    assert_int_equal(tasks_name_of("a/", &name), CLI_USAGE);
    assert_int_equal(tasks_name_of("a/b/c", &name), CLI_USAGE);
    char big[400];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_int_equal(tasks_name_of(big, &name), CLI_USAGE);
}

/* What stdin_read() makes of a pipe that holds `bytes`, and that stays open if `is_open`. */
static int read_pipe(enum stdin_mode mode, size_t bytes, bool is_open, int64_t deadline_ms,
                     struct buf *to)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, STDIN_BYTES_MAX * 2) > 0);
    char *text = mem_alloc(bytes + 1);
    memset(text, 'x', bytes);
    assert_int_equal(write(ends[1], text, bytes), bytes);
    if (!is_open) {
        close(ends[1]);
    }
    buf_clear(to);
    int code = stdin_read(ends[0], mode, deadline_ms, to);
    close(ends[0]);
    if (is_open) {
        close(ends[1]);
    }
    mem_free(text);
    return code;
}

static void a_command_is_given_what_stands_in_a_pipe_and_waits_for_no_silent_one(void **state)
{
    (void)state;
    struct buf text = { 0 };
    assert_int_equal(read_pipe(STDIN_IF_GIVEN, 5, false, 0, &text), CLI_OK);
    assert_string_equal(buf_text(&text), "xxxxx");
    assert_int_equal(read_pipe(STDIN_IF_GIVEN, STDIN_BYTES_MAX, false, 0, &text), CLI_OK);
    assert_int_equal(text.length, STDIN_BYTES_MAX);
    assert_int_equal(read_pipe(STDIN_IF_GIVEN, STDIN_BYTES_MAX + 1, false, 0, &text), CLI_USAGE);
    assert_int_equal(read_pipe(STDIN_NEVER, 5, false, 0, &text), CLI_OK);
    assert_int_equal(text.length, 0);
    /* Open, and nobody writes: only who asks for all of it waits, to the deadline. */
    int64_t deadline_ms = clock_boot_ms() + 20;
    assert_int_equal(read_pipe(STDIN_IF_GIVEN, 0, true, deadline_ms, &text), CLI_OK);
    assert_int_equal(text.length, 0);
    assert_int_equal(read_pipe(STDIN_WHOLE, 0, true, deadline_ms, &text), CLI_TIMED_OUT);
    buf_done(&text);
}

static void a_refused_spec_is_told_line_by_line(void **state)
{
    (void)state;
    json_t *problem = json_loads(
        "{\"code\":\"invalid_spec\",\"detail\":\"3 problems\",\"errors\":["
        "{\"path\":\"/tasks/a/rum\",\"line\":2,\"column\":7,\"detail\":\"unknown key \\\"rum\\\": "
        "did you mean \\\"run\\\"?\",\"allowed\":\"run, shell\"},"
        "{\"path\":\"/tasks/a\",\"line\":0,\"detail\":\"does nothing\",\"allowed\":\"run, shell\"},"
        "{\"line\":0,\"detail\":\"is \\u001b[2J empty\"}]}",
        0, NULL);
    struct buf words = { 0 };
    submit_problems("a.yaml", problem, &words);
    assert_string_equal(buf_text(&words), "a.yaml:2:7: unknown key \"rum\": did you mean \"run\"?\n"
                                          "a.yaml: /tasks/a: does nothing (allowed: run, shell)\n"
                                          "a.yaml: is \\x1b[2J empty\n");
    buf_clear(&words);
    json_decref(problem);
    problem = json_loads("{\"detail\":\"too deep\"}", 0, NULL);
    submit_problems("a.yaml", problem, &words);
    assert_string_equal(buf_text(&words), "a.yaml: too deep\n");
    json_decref(problem);
    buf_done(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere_and_the_last_value_counts),
        cmocka_unit_test(an_option_may_take_several_words),
        cmocka_unit_test(a_guess_is_near_what_was_meant),
        cmocka_unit_test(a_command_behind_two_dashes_is_left_alone),
        cmocka_unit_test(a_wrong_option_is_refused_in_words),
        cmocka_unit_test(options_and_arguments_have_a_limit),
        cmocka_unit_test(every_verb_has_its_words_and_names_stand_once),
        cmocka_unit_test(the_document_says_what_the_table_says),
        cmocka_unit_test(the_completion_script_is_good_bash),
        cmocka_unit_test(the_help_names_every_verb_that_is_not_hidden),
        cmocka_unit_test(the_help_is_one_json_document_for_programs),
        cmocka_unit_test(a_url_names_a_daemon_or_is_refused),
        cmocka_unit_test(a_status_has_its_exit_code),
        cmocka_unit_test(a_name_is_an_id_or_an_id_and_a_task),
        cmocka_unit_test(a_command_is_given_what_stands_in_a_pipe_and_waits_for_no_silent_one),
        cmocka_unit_test(a_refused_spec_is_told_line_by_line),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
