/* The limits and rules of a task's body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "proto/wire.h"
#include "tests/unit/msg_equal.h"
#include "tests/unit/wire_samples.h"

static char letters[MSG_ENVELOPE_BYTES_MAX];
static struct str args[MSG_ARGS_MAX + 1];
static struct msg_pair pairs[MSG_ENV_MAX + 1];

static int arrays_fill(void **state)
{
    (void)state;
    memset(letters, 'a', sizeof letters);
    for (size_t i = 0; i <= MSG_ENV_MAX; i++) {
        pairs[i] = (struct msg_pair){ STR("K"), STR("") };
    }
    return 0;
}

static struct str letters_of(size_t length)
{
    return (struct str){ letters, length };
}

static void assert_accepted(const struct msg_body *sent)
{
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    struct msg_body received;
    assert_int_equal(wire_encode_body(sent, &bytes, NULL), ERR_NONE);
    struct str text = { (const char *)bytes.data, bytes.length };
    assert_int_equal(wire_decode_body(text, &arena, &received, NULL), ERR_NONE);
    assert_true(msg_body_equal(sent, &received));
    buf_done(&bytes);
    arena_done(&arena);
}

static void assert_refused(const struct msg_body *sent, enum err expected, const char *field)
{
    struct buf bytes = { 0 };
    struct reason reason = { "" };
    assert_int_equal(wire_encode_body(sent, &bytes, &reason), expected);
    assert_non_null(strstr(reason.text, field));
    assert_int_equal(bytes.length, 0);
    buf_done(&bytes);
}

#define ACCEPTED(change)                                                                           \
    do {                                                                                           \
        struct msg_body b = sample_body();                                                         \
        change;                                                                                    \
        assert_accepted(&b);                                                                       \
    } while (0)
#define REFUSED(err, field, change)                                                                \
    do {                                                                                           \
        struct msg_body b = sample_body();                                                         \
        change;                                                                                    \
        assert_refused(&b, err, field);                                                            \
    } while (0)

static void a_body_does_something(void **state)
{
    (void)state;
    REFUSED(ERR_INVALID, "executor", b.executor = (enum executor)0);
    REFUSED(ERR_INVALID, "executor", b.executor = (enum executor)(EXECUTOR_SLEEP + 1));
    REFUSED(ERR_INVALID, "argv", b.argv_count = 0);
    REFUSED(ERR_INVALID, "shell", (b.executor = EXECUTOR_SHELL, b.shell = STR("")));
    ACCEPTED((b.executor = EXECUTOR_SHELL, b.argv_count = 0));
    ACCEPTED((b.executor = EXECUTOR_SLEEP, b.sleep_ms = 0));
}

static void arguments_and_environment_are_bounded_text(void **state)
{
    (void)state;
    ACCEPTED((b.argv = args, b.argv_count = MSG_ARGS_MAX));
    REFUSED(ERR_LIMIT, "argv", (b.argv = args, b.argv_count = MSG_ARGS_MAX + 1));
    ACCEPTED((b.env = pairs, b.env_count = MSG_ENV_MAX));
    REFUSED(ERR_LIMIT, "env", (b.env = pairs, b.env_count = MSG_ENV_MAX + 1));
    static struct str arg;
    arg = STR("a\x00z");
    REFUSED(ERR_INVALID, "argv", (b.argv = &arg, b.argv_count = 1));
    arg = STR("\xff");
    REFUSED(ERR_INVALID, "argv", (b.argv = &arg, b.argv_count = 1));
    REFUSED(ERR_INVALID, "shell", b.shell = STR("\xed\xa0\x80"));
    static struct msg_pair pair;
    const struct {
        struct str key;
        struct str value;
        enum err err;
    } bad[] = {
        { STR(""), STR("v"), ERR_INVALID },
        { STR("A=B"), STR("v"), ERR_INVALID },
        { STR("A\x00"), STR("v"), ERR_INVALID },
        { STR("A"), STR("\x00"), ERR_INVALID },
        { letters_of(MSG_TEXT_BYTES_MAX + 1), STR("v"), ERR_LIMIT },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pair = (struct msg_pair){ bad[i].key, bad[i].value };
        REFUSED(bad[i].err, "env", (b.env = &pair, b.env_count = 1));
    }
}

static void a_body_keeps_its_limits(void **state)
{
    (void)state;
    ACCEPTED(b.cwd = letters_of(MSG_PATH_BYTES_MAX));
    REFUSED(ERR_LIMIT, "cwd", b.cwd = letters_of(MSG_PATH_BYTES_MAX + 1));
    REFUSED(ERR_INVALID, "cwd", b.cwd = STR("/a\x00z"));
    ACCEPTED(b.stdin_data = letters_of(MSG_BODY_BYTES_MAX - 4096));
    REFUSED(ERR_LIMIT, "stdin_data", b.stdin_data = letters_of(MSG_BODY_BYTES_MAX + 1));
    REFUSED(ERR_LIMIT, "TaskBody has", b.stdin_data = letters_of(MSG_BODY_BYTES_MAX));
    REFUSED(ERR_INVALID, "sleep_ms", b.sleep_ms = -1);
    REFUSED(ERR_INVALID, "sleep_ms", b.sleep_ms = MSG_DURATION_MS_MAX + 1);
    ACCEPTED(b.run_timeout_ms = MSG_DURATION_MS_MAX);
    REFUSED(ERR_INVALID, "run_timeout_ms", b.run_timeout_ms = -1);
    REFUSED(ERR_INVALID, "run_timeout_ms", b.run_timeout_ms = MSG_DURATION_MS_MAX + 1);
    REFUSED(ERR_INVALID, "kill_grace_ms", b.kill_grace_ms = -1);
    REFUSED(ERR_INVALID, "kill_grace_ms", b.kill_grace_ms = MSG_DURATION_MS_MAX + 1);
    ACCEPTED(b.silence_timeout_ms = MSG_DURATION_MS_MAX);
    REFUSED(ERR_INVALID, "silence_timeout_ms", b.silence_timeout_ms = -1);
    REFUSED(ERR_INVALID, "silence_timeout_ms", b.silence_timeout_ms = MSG_DURATION_MS_MAX + 1);
    ACCEPTED(b.output_bytes_max = MSG_NUMBER_MAX);
    REFUSED(ERR_INVALID, "output_bytes_max", b.output_bytes_max = MSG_NUMBER_MAX + 1);
    REFUSED(ERR_INVALID, "on_disconnect", b.on_disconnect = (enum on_disconnect)2);
}

static void a_body_too_large_is_not_even_read(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct msg_body body;
    assert_int_equal(wire_decode_body(letters_of(MSG_BODY_BYTES_MAX + 1), &arena, &body, NULL),
                     ERR_LIMIT);
    assert_int_equal(arena.bytes, 0);
    arena_done(&arena);
}

static void bytes_that_are_no_body_are_refused(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct msg_body body;
    struct reason reason;
    assert_int_equal(wire_decode_body(STR(""), &arena, &body, &reason), ERR_BAD_FRAME);
    assert_int_equal(wire_decode_body(STR("\xff\xff"), &arena, &body, &reason), ERR_BAD_FRAME);
    /* Every beginning of a body: refused or read, never more than its bytes. */
    struct msg_body sample = sample_body();
    struct buf bytes = { 0 };
    assert_int_equal(wire_encode_body(&sample, &bytes, NULL), ERR_NONE);
    for (size_t length = 0; length < bytes.length; length++) {
        char *part = mem_copy(bytes.data, length); /* its own block: the sanitizer sees its end */
        (void)wire_decode_body((struct str){ part, length }, &arena, &body, &reason);
        mem_free(part);
        arena_clear(&arena);
    }
    buf_done(&bytes);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_does_something),
        cmocka_unit_test(arguments_and_environment_are_bounded_text),
        cmocka_unit_test(a_body_keeps_its_limits),
        cmocka_unit_test(a_body_too_large_is_not_even_read),
        cmocka_unit_test(bytes_that_are_no_body_are_refused),
    };
    return cmocka_run_group_tests(tests, arrays_fill, NULL);
}
