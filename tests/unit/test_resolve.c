/* Placeholders: their grammar, and the values that are put in for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "orchestrator/spec/placeholder.h"
#include "orchestrator/spec/resolve.h"
#include "orchestrator/spec/spec_json.h"
#include "orchestrator/spec/spec_text.h"

static struct arena arena;
static struct reason reason;
static struct msg_body resolved;

/* A store of two tasks: "scan", which a test sets up, and "hash", which cannot be read. */
struct world {
    struct resolve_task scan;
    unsigned asked;
};

static enum err world_task(void *context, struct str key, struct arena *to,
                           struct resolve_task *ret_task)
{
    (void)to;
    struct world *world = context;
    world->asked++;
    if (str_is(key, "hash")) {
        return ERR_CORRUPT;
    }
    if (!str_is(key, "scan")) {
        return ERR_NOT_FOUND;
    }
    *ret_task = world->scan;
    return ERR_NONE;
}

static struct world world;

static int begin(void **state)
{
    (void)state;
    world = (struct world){ .scan = { .state = STR("succeeded"),
                                      .has_run = true,
                                      .has_exit_code = true,
                                      .device = STR("box") } };
    return 0;
}

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void set_stdout(struct str data)
{
    world.scan.stdout_data = data;
    world.scan.stdout_bytes = data.length;
}

static enum err resolve(const struct msg_body *body)
{
    const struct resolve_source source = { &world, world_task };
    reason.text[0] = 0;
    resolved = (struct msg_body){ .executor = 0 };
    return resolve_body(body, &source, &arena, &resolved, &reason);
}

static enum err resolve_argument(const char *text)
{
    const struct str argv[] = { STR("echo"), str_of(text) };
    const struct msg_body body = { .executor = EXECUTOR_RUN, .argv = argv, .argv_count = 2 };
    return resolve(&body);
}

static void assert_argument(const char *text, const char *expected)
{
    assert_int_equal(resolve_argument(text), ERR_NONE);
    if (!str_is(resolved.argv[1], expected)) {
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(resolved.argv[1]), expected);
    }
}

static void assert_refused(const char *text, const char *words)
{
    assert_int_equal(resolve_argument(text), ERR_INVALID);
    if (strstr(reason.text, words) == NULL) {
        fail_msg("\"%s\" instead of \"%s\"", reason.text, words);
    }
    assert_int_equal(resolved.argv_count, 0);
}

static void every_field_has_its_value(void **state)
{
    (void)state;
    set_stdout(STR("12\n"));
    world.scan.stderr_data = STR("oh");
    world.scan.stderr_bytes = 2;
    world.scan.exit_code = -3;
    world.scan.result = STR("{\"rows\": [1, 2.5, {\"a\": null}], \"t\": \"x\\ny\", \"0\": true}");
    assert_argument("${{ tasks.scan.stdout }}", "12");
    assert_argument("${{tasks.scan.stderr}}", "oh");
    assert_argument("${{ tasks.scan.exit_code }}", "-3");
    assert_argument("${{ tasks.scan.state }}", "succeeded");
    assert_argument("${{ tasks.scan.device }}", "box");
    assert_argument("${{ tasks.scan.output.t }}", "x\ny");
    assert_argument("${{ tasks.scan.output.rows }}", "[1,2.5,{\"a\":null}]");
    assert_argument("${{ tasks.scan.output.rows[2] }}", "{\"a\":null}");
    assert_argument("${{ tasks.scan.output.rows.2.a }}", "null");
    assert_argument("${{ tasks.scan.output.0 }}", "true");
    assert_argument("a ${{ tasks.scan.stdout }}-${{ tasks.scan.device }} b", "a 12-box b");
    assert_argument("none", "none");
}

static void an_output_that_is_no_object_has_its_text(void **state)
{
    (void)state;
    world.scan.result = STR("\"plain\"");
    assert_argument("${{ tasks.scan.output }}", "plain");
    world.scan.result = STR("[[7]]");
    assert_argument("${{ tasks.scan.output[0][0] }}", "7");
}

static void exactly_one_newline_is_cut(void **state)
{
    (void)state;
    set_stdout(STR("a\n\n"));
    assert_argument("${{ tasks.scan.stdout }}", "a\n");
    set_stdout(STR(""));
    assert_argument("<${{ tasks.scan.stdout }}>", "<>");
    set_stdout(STR("\n"));
    assert_argument("<${{ tasks.scan.stdout }}>", "<>");
}

static void a_value_is_not_looked_at_again(void **state)
{
    (void)state;
    set_stdout(STR("${{ tasks.scan.device }}"));
    assert_argument("${{ tasks.scan.stdout }}", "${{ tasks.scan.device }}");
}

static void a_missing_value_is_named(void **state)
{
    (void)state;
    assert_refused("${{ tasks.scan.output.x }}", "task scan has no output value");
    world.scan.result = STR("{\"rows\": [1, 2], \"n\": 5}");
    assert_refused("${{ tasks.scan.output.cols }}", "output of task scan has no \"cols\"");
    assert_refused("${{ tasks.scan.output.rows[2] }}",
                   "output.rows of task scan has 2 items, so no number 2");
    assert_refused("${{ tasks.scan.output.rows.x }}", "output.rows of task scan is a list");
    assert_refused("${{ tasks.scan.output.n.x }}", "output.n of task scan is a plain value");
    assert_refused("${{ tasks.scan.output[0] }}", "output of task scan is an object");
    assert_refused("${{ tasks.nobody.stdout }}", "there is no task nobody");
    world.scan.result = STR("{nonsense");
    assert_refused("${{ tasks.scan.output.x }}", "is not JSON");
}

static void a_source_that_fails_is_passed_on(void **state)
{
    (void)state;
    assert_int_equal(resolve_argument("${{ tasks.hash.stdout }}"), ERR_CORRUPT);
}

static void a_stream_over_the_limit_is_refused_in_words(void **state)
{
    (void)state;
    static char full[RESOLVE_STREAM_BYTES_MAX];
    memset(full, 'x', sizeof full);
    set_stdout((struct str){ full, sizeof full });
    assert_int_equal(resolve_argument("${{ tasks.scan.stdout }}"), ERR_NONE);
    assert_int_equal(resolved.argv[1].length, RESOLVE_STREAM_BYTES_MAX);
    world.scan.stdout_bytes = 80 * 1024;
    world.scan.stdout_data = STR("");
    assert_refused("${{ tasks.scan.stdout }}",
                   "stdout of task scan is 80 KiB; at most 64 KiB can be passed on");
    world.scan.stderr_bytes = 64 * 1024 + 1;
    assert_refused("${{ tasks.scan.stderr }}", "stderr of task scan is 65 KiB");
}

static void all_inputs_together_have_a_limit(void **state)
{
    (void)state;
    static char full[RESOLVE_STREAM_BYTES_MAX];
    memset(full, 'x', sizeof full);
    set_stdout((struct str){ full, sizeof full });
    struct msg_pair env[9];
    struct msg_body body = { .executor = EXECUTOR_NOOP, .env = env, .env_count = 8 };
    for (size_t i = 0; i < 9; i++) {
        env[i] = (struct msg_pair){ STR("A"), STR("${{ tasks.scan.stdout }}") };
    }
    assert_int_equal(resolve(&body), ERR_NONE);
    assert_int_equal(resolved.env[7].value.length, RESOLVE_STREAM_BYTES_MAX);
    body.env_count = 9;
    assert_int_equal(resolve(&body), ERR_INVALID);
    assert_non_null(strstr(reason.text, "more than 512 KiB together"));
}

static void a_body_that_grows_too_large_is_refused(void **state)
{
    (void)state;
    static char text[MSG_BODY_BYTES_MAX - 1024];
    static char full[RESOLVE_STREAM_BYTES_MAX];
    memset(text, 'y', sizeof text);
    memset(full, 'x', sizeof full);
    set_stdout((struct str){ full, sizeof full });
    const struct msg_pair env = { STR("A"), STR("${{ tasks.scan.stdout }}") };
    const struct msg_body body = {
        .executor = EXECUTOR_NOOP,
        .has_stdin = true,
        .stdin_data = { text, sizeof text },
        .env = &env,
        .env_count = 1,
    };
    assert_int_equal(resolve(&body), ERR_INVALID);
    assert_non_null(strstr(reason.text, "at most 768 KiB"));
}

static void bytes_go_into_stdin_but_into_nothing_else(void **state)
{
    (void)state;
    const struct str bad[] = { STR("a\0b"), STR("\xff\xfe") };
    static const char *const words[] = { "NUL", "not UTF-8" };
    const struct str reference = STR("${{ tasks.scan.stdout }}");
    const struct msg_pair pair = { STR("A"), reference };
    for (size_t i = 0; i < 2; i++) {
        set_stdout(bad[i]);
        struct msg_body body = { .executor = EXECUTOR_NOOP,
                                 .has_stdin = true,
                                 .stdin_data = reference };
        assert_int_equal(resolve(&body), ERR_NONE);
        assert_true(str_equal(resolved.stdin_data, bad[i]));
        assert_refused("${{ tasks.scan.stdout }}", words[i]);
        body = (struct msg_body){ .executor = EXECUTOR_NOOP, .env = &pair, .env_count = 1 };
        assert_int_equal(resolve(&body), ERR_INVALID);
        assert_non_null(strstr(reason.text, "into env"));
        body = (struct msg_body){ .executor = EXECUTOR_NOOP, .has_cwd = true, .cwd = reference };
        assert_int_equal(resolve(&body), ERR_INVALID);
        assert_non_null(strstr(reason.text, "into cwd"));
    }
}

static void a_directory_must_still_be_absolute(void **state)
{
    (void)state;
    const struct msg_body body = { .executor = EXECUTOR_NOOP,
                                   .has_cwd = true,
                                   .cwd = STR("${{ tasks.scan.stdout }}") };
    set_stdout(STR("/srv\n"));
    assert_int_equal(resolve(&body), ERR_NONE);
    assert_true(str_is(resolved.cwd, "/srv"));
    set_stdout(STR("srv"));
    assert_int_equal(resolve(&body), ERR_INVALID);
    assert_non_null(strstr(reason.text, "cwd would be \"srv\""));
}

static void a_program_without_a_name_is_refused(void **state)
{
    (void)state;
    const struct str argv[] = { STR("${{ tasks.scan.stdout }}") };
    const struct msg_body body = { .executor = EXECUTOR_RUN, .argv = argv, .argv_count = 1 };
    assert_int_equal(resolve(&body), ERR_INVALID);
    assert_non_null(strstr(reason.text, "program is empty"));
}

static void a_task_is_asked_for_once(void **state)
{
    (void)state;
    world.scan.result = STR("{\"a\": 1}");
    assert_argument("${{ tasks.scan.output.a }}${{ tasks.scan.output.a }}${{ tasks.scan.state }}",
                    "11succeeded");
    assert_int_equal(world.asked, 1);
}

static void the_rest_of_the_body_stays(void **state)
{
    (void)state;
    const struct msg_body body = {
        .executor = EXECUTOR_SHELL,
        .shell = STR("echo \"$A\""),
        .run_timeout_ms = 7,
        .kill_grace_ms = 8,
        .output_bytes_max = 9,
        .output_json = true,
        .on_disconnect = ON_DISCONNECT_STOP,
    };
    assert_int_equal(resolve(&body), ERR_NONE);
    assert_true(str_is(resolved.shell, "echo \"$A\""));
    assert_ptr_not_equal(resolved.shell.data, body.shell.data);
    assert_int_equal(resolved.run_timeout_ms, 7);
    assert_int_equal(resolved.kill_grace_ms, 8);
    assert_int_equal(resolved.output_bytes_max, 9);
    assert_true(resolved.output_json);
    assert_int_equal(resolved.on_disconnect, ON_DISCONNECT_STOP);
}

static void placeholders_are_found_in_order(void **state)
{
    (void)state;
    const struct str text = STR("a${{ tasks.x-1.stdout }}${{\ttasks.y_2.output.a[0].b }}$");
    struct placeholder found;
    enum err err = ERR_NONE;
    size_t at = 0;
    assert_true(placeholder_next(text, &at, &found, &err, &reason));
    assert_int_equal(found.from, 1);
    assert_int_equal(found.to, 24);
    assert_true(str_is(found.name, "x-1"));
    assert_true(str_is(found.field, "stdout"));
    assert_true(placeholder_next(text, &at, &found, &err, &reason));
    assert_int_equal(found.from, 24);
    assert_true(str_is(found.name, "y_2"));
    assert_true(str_is(found.field, "output.a[0].b"));
    assert_int_equal(found.to, text.length - 1);
    assert_false(placeholder_next(text, &at, &found, &err, &reason));
    assert_int_equal(err, ERR_NONE);
}

static void a_placeholder_that_does_not_parse_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "${{",
        "${{}}",
        "${{ }}",
        "${{ tasks }}",
        "${{ tasks. }}",
        "${{ tasks.a }}",
        "${{ tasks.a. }}",
        "${{ tasks.a.stdout",
        "${{ tasks.a.stdout }",
        "${{ tasks.a.nothing }}",
        "${{ tasks.a.stdout.b }}",
        "${{ tasks.a.stdout x }}",
        "${{ tasks.a.output. }}",
        "${{ tasks.a.output[] }}",
        "${{ tasks.a.output[x] }}",
        "${{ tasks.a.output[1 }}",
        "${{ tasks.a.output[9999999999] }}",
        "${{ tasks.a.output..b }}",
        "${{ tasks.a b.stdout }}",
        "${{ tasks.a.output || }}",
        "${{ tasks.a.output || x }}",
        "${{ tasks.a.output || 'x }}",
        "${{ tasks.a.output || 'x' y }}",
        "${{ tasks.a.output || [1] }}",
        "${{ tasks.a.output || \"x }}",
        "${{ tasks.a.output || 1 || 2 }}",
        "${{ || 1 }}",
        "${{ params }}",
        "${{ params.a.b }}",
        "${{ params.a || 1 }}",
        "${{ each. }}",
        "${{ each.a || 'x' }}",
        "${{ tasks.a@.stdout }}",
        "${{ tasks.@x.stdout }}",
        "${{ tasks.a@x@y.stdout }}",
        "${{ ${{ tasks.a.state }}",
        "${{ tasks.a.output.1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17 }}",
        ("${{ tasks.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.stdout }}"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct placeholder found;
        enum err err = ERR_NONE;
        size_t at = 0;
        if (placeholder_next(str_of(texts[i]), &at, &found, &err, &reason) || err != ERR_INVALID) {
            fail_msg("%s was taken", texts[i]);
        }
        assert_true(strlen(reason.text) > 0);
    }
}

static void a_key_ends_where_a_field_begins(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
        const char *field;
    } cases[] = {
        { "${{ tasks.a@x.stdout }}", "a@x", "stdout" },
        { "${{ tasks.a@1.2.3.output.x }}", "a@1.2.3", "output.x" },
        { "${{ tasks.a@stdout.stdout }}", "a@stdout", "stdout" },
        { "${{ tasks.a@v-1.output.state }}", "a@v-1", "output.state" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct placeholder found;
        enum err err = ERR_NONE;
        size_t at = 0;
        assert_true(placeholder_next(str_of(cases[i].text), &at, &found, &err, &reason));
        assert_true(str_is(found.name, cases[i].name));
        assert_true(str_is(found.field, cases[i].field));
    }
}

static void a_default_stands_in_for_a_value_that_is_not_there(void **state)
{
    (void)state;
    world.scan = (struct resolve_task){ .state = STR("skipped") };
    assert_argument("<${{ tasks.scan.stdout || 'it''s }} fine' }}>", "<it's }} fine>");
    assert_argument("${{ tasks.scan.exit_code || 3 }}", "3");
    assert_argument("${{ tasks.scan.device || \"a\\nb\" }}", "a\nb");
    assert_argument("${{ tasks.scan.output.x || null }}", "null");
    assert_argument("${{ tasks.scan.stderr||'' }}", "");
    assert_argument("${{ tasks.scan.state || 'none' }}", "skipped");
    assert_refused("${{ tasks.scan.stdout }}", "has not run (it is skipped), so it has no stdout");
    assert_refused("${{ tasks.nobody.stdout || 1 }}", "there is no task nobody");
}

static void a_default_is_for_what_was_not_put_out_and_nothing_else(void **state)
{
    (void)state;
    assert_argument("${{ tasks.scan.output || 'none' }}", "none");
    world.scan.result = STR("{\"rows\": [1]}");
    assert_argument("${{ tasks.scan.output.rows[0] || 2 }}", "1");
    assert_argument("${{ tasks.scan.output.rows[1] || 2 }}", "2");
    assert_argument("${{ tasks.scan.output.cols || true }}", "true");
    world.scan.result = STR("{");
    assert_argument("${{ tasks.scan.output.cols || 'no JSON' }}", "no JSON");
    set_stdout(STR(""));
    assert_argument("<${{ tasks.scan.stdout || 'x' }}>", "<>");
    assert_argument("${{ tasks.scan.exit_code || 9 }}", "0");
    world.scan.has_exit_code = false;
    assert_argument("${{ tasks.scan.exit_code || 9 }}", "9");
    assert_refused("${{ tasks.scan.exit_code }}", "did not end by itself");
    world.scan.stdout_bytes = RESOLVE_STREAM_BYTES_MAX + 1;
    assert_refused("${{ tasks.scan.stdout || 'x' }}", "at most 64 KiB can be passed on");
}

/* What a hostile task could put out, in each place that takes it: it arrives as it is, or is refused
   with a reason; it is never looked at again, and never becomes more than one argument. */
static void nothing_that_a_task_puts_out_is_more_than_data(void **state)
{
    (void)state;
    static const struct str hostile[] = {
        { "$(reboot) `reboot` ; rm -rf / & | > <", 37 },
        { "${{ tasks.scan.device }}", 24 },
        { "}} || 'x' ${{ tasks.hash.stdout", 31 },
        { "a\nb\r\n\tc", 8 },
        { "\"'\\\"' '", 8 },
        { "A=B\nLD_PRELOAD=/x", 17 },
        { "a\0b", 3 },
        { "\xff\xfe", 2 },
    };
    static const char *const places[] = { "stdout",   "stderr", "output",
                                          "output.k", "device", "state" };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct buf json = { 0 };
        bool is_json = str_is_utf8(hostile[i]);
        buf_append_text(&json, "{\"k\": ");
        spec_json_text(&json, hostile[i]);
        buf_append_text(&json, "}");
        struct buf alone = { 0 };
        spec_json_text(&alone, hostile[i]);
        for (size_t place = 0; place < sizeof places / sizeof places[0]; place++) {
            bool is_output = place == 2 || place == 3;
            if (is_output && !is_json) {
                continue; /* the agent takes only JSON as an output value */
            }
            struct buf text = { 0 };
            struct str value = { (const char *)alone.data, alone.length };
            if (place == 3) {
                value = (struct str){ (const char *)json.data, json.length };
            }
            world.scan = (struct resolve_task){
                .state = place == 5 ? hostile[i] : STR("succeeded"),
                .device = place == 4 ? hostile[i] : STR("box"),
                .has_run = true,
                .stdout_data = hostile[i],
                .stdout_bytes = hostile[i].length,
                .stderr_data = hostile[i],
                .stderr_bytes = hostile[i].length,
                .result = value,
            };
            buf_printf(&text, "<${{ tasks.scan.%s }}>", places[place]);
            struct str in_text = { buf_text(&text), text.length };
            const struct str argv[] = { STR("echo"), in_text };
            const struct msg_pair env[] = { { STR("A"), in_text } };
            const struct msg_body body = {
                .executor = EXECUTOR_RUN, .argv = argv, .argv_count = 2, .env = env, .env_count = 1
            };
            const struct msg_body input = { .executor = EXECUTOR_NOOP,
                                            .has_stdin = true,
                                            .stdin_data = in_text };
            struct buf expected = { 0 };
            buf_printf(&expected, "<");
            buf_append(&expected, hostile[i].data, hostile[i].length);
            buf_printf(&expected, ">");
            struct str whole = { (const char *)expected.data, expected.length };
            enum err err = resolve(&body);
            assert_int_equal(err, str_is_utf8(hostile[i]) ? ERR_NONE : ERR_INVALID);
            if (err == ERR_NONE) {
                assert_int_equal(resolved.argv_count, 2);
                assert_true(str_equal(resolved.argv[1], whole));
                assert_int_equal(resolved.env_count, 1);
                assert_true(str_is(resolved.env[0].key, "A"));
                assert_true(str_equal(resolved.env[0].value, whole));
            }
            assert_int_equal(resolve(&input), ERR_NONE);
            assert_true(str_equal(resolved.stdin_data, whole));
            buf_done(&expected);
            buf_done(&text);
        }
        buf_done(&alone);
        buf_done(&json);
    }
}

static void sixteen_steps_are_the_deepest_path(void **state)
{
    (void)state;
    struct placeholder found;
    enum err err = ERR_NONE;
    size_t at = 0;
    assert_true(
        placeholder_next(STR("${{ tasks.a.output.1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16 }}"), &at,
                         &found, &err, &reason));
    assert_int_equal(err, ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_field_has_its_value, begin, forget),
        cmocka_unit_test_setup_teardown(an_output_that_is_no_object_has_its_text, begin, forget),
        cmocka_unit_test_setup_teardown(exactly_one_newline_is_cut, begin, forget),
        cmocka_unit_test_setup_teardown(a_value_is_not_looked_at_again, begin, forget),
        cmocka_unit_test_setup_teardown(a_missing_value_is_named, begin, forget),
        cmocka_unit_test_setup_teardown(a_source_that_fails_is_passed_on, begin, forget),
        cmocka_unit_test_setup_teardown(a_stream_over_the_limit_is_refused_in_words, begin, forget),
        cmocka_unit_test_setup_teardown(all_inputs_together_have_a_limit, begin, forget),
        cmocka_unit_test_setup_teardown(a_body_that_grows_too_large_is_refused, begin, forget),
        cmocka_unit_test_setup_teardown(bytes_go_into_stdin_but_into_nothing_else, begin, forget),
        cmocka_unit_test_setup_teardown(a_directory_must_still_be_absolute, begin, forget),
        cmocka_unit_test_setup_teardown(a_program_without_a_name_is_refused, begin, forget),
        cmocka_unit_test_setup_teardown(a_task_is_asked_for_once, begin, forget),
        cmocka_unit_test_setup_teardown(the_rest_of_the_body_stays, begin, forget),
        cmocka_unit_test_setup_teardown(placeholders_are_found_in_order, begin, forget),
        cmocka_unit_test_setup_teardown(a_placeholder_that_does_not_parse_is_refused, begin,
                                        forget),
        cmocka_unit_test_setup_teardown(a_key_ends_where_a_field_begins, begin, forget),
        cmocka_unit_test_setup_teardown(a_default_stands_in_for_a_value_that_is_not_there, begin,
                                        forget),
        cmocka_unit_test_setup_teardown(a_default_is_for_what_was_not_put_out_and_nothing_else,
                                        begin, forget),
        cmocka_unit_test_setup_teardown(nothing_that_a_task_puts_out_is_more_than_data, begin,
                                        forget),
        cmocka_unit_test_setup_teardown(sixteen_steps_are_the_deepest_path, begin, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
