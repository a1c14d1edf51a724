/* The codec: what is sent is what is received. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire.h"
#include "tests/unit/msg_equal.h"
#include "tests/unit/wire_samples.h"

static struct str frame_str(const struct buf *frame)
{
    return (struct str){ (const char *)frame->data, frame->length };
}

static void every_message_arrives_with_all_its_fields(void **state)
{
    (void)state;
    for (int kind = 1; kind <= SAMPLE_KINDS; kind++) {
        struct msg sent = sample_msg((enum msg_kind)kind);
        struct buf frame = { 0 };
        struct arena arena = { 0 };
        struct reason reason = { "" };
        assert_int_equal(wire_encode(&sent, &frame, &reason), ERR_NONE);
        struct msg received;
        size_t at = 0;
        assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, &reason), ERR_NONE);
        assert_int_equal(at, frame.length);
        memset(frame.data, 0xaa, frame.length); /* nothing may point into the frame */
        assert_true(msg_equal(&sent, &received));
        buf_done(&frame);
        arena_done(&arena);
    }
}

/* What the sample's comparison is worth: a message with one thing changed is another message. */
static void comparison_sees_a_changed_field(void **state)
{
    (void)state;
    struct msg a = sample_msg(MSG_FINISHED);
    struct msg b = a;
    b.finished.stderr_bytes++;
    assert_true(msg_equal(&a, &a));
    assert_false(msg_equal(&a, &b));
    struct msg_body c = sample_body();
    struct msg_body d = c;
    d.has_stdin = false;
    assert_false(msg_body_equal(&c, &d));
}

static void an_empty_hello_needs_little(void **state)
{
    (void)state;
    struct msg sent = { .kind = MSG_HELLO,
                        .hello = { .device = STR("d"),
                                   .boot_id = STR("b"),
                                   .process_id = 1,
                                   .journal_id = STR("j"),
                                   .profile = { .slots = 1 } } };
    struct buf frame = { 0 };
    struct arena arena = { 0 };
    struct msg received;
    size_t at = 0;
    assert_int_equal(wire_encode(&sent, &frame, NULL), ERR_NONE);
    assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, NULL), ERR_NONE);
    assert_true(msg_equal(&sent, &received));
    buf_done(&frame);
    arena_done(&arena);
}

static void a_frame_carries_many_envelopes_in_order(void **state)
{
    (void)state;
    enum { ROUNDS = 100 };
    struct buf frame = { 0 };
    struct arena arena = { 0 };
    for (int i = 0; i < ROUNDS * SAMPLE_KINDS; i++) {
        struct msg sent = sample_msg((enum msg_kind)(1 + i % SAMPLE_KINDS));
        assert_int_equal(wire_encode(&sent, &frame, NULL), ERR_NONE);
    }
    size_t at = 0;
    int count = 0;
    while (at < frame.length) {
        struct msg expected = sample_msg((enum msg_kind)(1 + count % SAMPLE_KINDS));
        struct msg received;
        assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, NULL), ERR_NONE);
        assert_true(msg_equal(&expected, &received));
        count++;
    }
    assert_int_equal(count, ROUNDS * SAMPLE_KINDS);
    buf_done(&frame);
    arena_done(&arena);
}

static void assert_body_round_trip(const struct msg_body *sent)
{
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    struct msg_body received;
    assert_int_equal(wire_encode_body(sent, &bytes, NULL), ERR_NONE);
    assert_int_equal(wire_decode_body(frame_str(&bytes), &arena, &received, NULL), ERR_NONE);
    memset(bytes.data, 0xaa, bytes.length);
    assert_true(msg_body_equal(sent, &received));
    buf_done(&bytes);
    arena_done(&arena);
}

static void a_body_arrives_with_all_its_fields(void **state)
{
    (void)state;
    struct msg_body body = sample_body();
    assert_body_round_trip(&body);
    struct msg_body noop = { .executor = EXECUTOR_NOOP };
    assert_body_round_trip(&noop);
}

static void an_empty_stdin_is_not_the_same_as_none(void **state)
{
    (void)state;
    struct msg_body body = sample_body();
    body.stdin_data = STR("");
    body.cwd = STR("");
    assert_body_round_trip(&body);
    body.has_stdin = false;
    body.has_cwd = false;
    assert_body_round_trip(&body);
}

static void messages_are_appended_behind_what_the_frame_holds(void **state)
{
    (void)state;
    struct buf frame = { 0 };
    struct arena arena = { 0 };
    struct msg ping = sample_msg(MSG_PING);
    buf_append_text(&frame, "head");
    assert_int_equal(wire_encode(&ping, &frame, NULL), ERR_NONE);
    assert_memory_equal(frame.data, "head", 4);
    size_t at = 4;
    struct msg received;
    assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, NULL), ERR_NONE);
    assert_true(msg_equal(&ping, &received));
    buf_done(&frame);
    arena_done(&arena);
}

/* The bytes that version 1 of the protocol puts on the wire: another number for a field or another
   encoding would no longer be understood by agents in the field. */
static void the_bytes_of_version_1_stay_as_they_are(void **state)
{
    (void)state;
    struct buf frame = { 0 };
    struct msg started = { .kind = MSG_STARTED, .started = { 0x0102030405060708, 300 } };
    struct msg output = { .kind = MSG_OUTPUT, .output = { 5, STREAM_STDOUT, 1, STR("ab") } };
    const uint8_t expected[] = {
        0x0e, 0x3a, 0x0c, 0x09, 8, 7, 6, 5, 4, 3, 2, 1, 0x10, 0xac, 0x02, /* Started */
        0x13, 0x42, 0x11, 0x09, 5, 0, 0, 0, 0, 0, 0, 0, 0x10, 1,    0x18, 1, 0x22, 2, 'a', 'b',
    };
    assert_int_equal(wire_encode(&started, &frame, NULL), ERR_NONE);
    assert_int_equal(wire_encode(&output, &frame, NULL), ERR_NONE);
    assert_int_equal(frame.length, sizeof expected);
    assert_memory_equal(frame.data, expected, sizeof expected);
    buf_done(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_with_all_its_fields),
        cmocka_unit_test(comparison_sees_a_changed_field),
        cmocka_unit_test(an_empty_hello_needs_little),
        cmocka_unit_test(a_frame_carries_many_envelopes_in_order),
        cmocka_unit_test(a_body_arrives_with_all_its_fields),
        cmocka_unit_test(an_empty_stdin_is_not_the_same_as_none),
        cmocka_unit_test(messages_are_appended_behind_what_the_frame_holds),
        cmocka_unit_test(the_bytes_of_version_1_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
