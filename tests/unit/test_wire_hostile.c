/* The codec against bytes that no sender of ours makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "proto/wire.h"
#include "tests/unit/msg_equal.h"
#include "tests/unit/wire_raw.h"
#include "tests/unit/wire_samples.h"

static struct str frame_str(const struct buf *frame)
{
    return (struct str){ (const char *)frame->data, frame->length };
}

/* Decodes the frame's first envelope, checks that a refusal changes nothing and has its words. */
static enum err decode(const struct buf *frame, enum msg_kind *ret_kind)
{
    struct arena arena = { 0 };
    struct reason reason = { "" };
    struct msg msg = { .kind = MSG_PING, .ping = { 77 } };
    size_t at = 0;
    enum err err = wire_decode(frame_str(frame), &at, &arena, &msg, &reason);
    if (err != ERR_NONE) {
        assert_int_equal(at, 0);
        assert_int_equal(msg.kind, MSG_PING);
        assert_int_equal(msg.ping.id, 77);
        assert_true(reason.text[0] != '\0');
    }
    *ret_kind = msg.kind;
    arena_done(&arena);
    return err;
}

/* The sample of that kind with further fields behind its own. */
static enum err decode_sample_with(enum msg_kind kind, struct buf *fields)
{
    struct buf frame = { 0 };
    enum msg_kind decoded = MSG_NONE;
    raw_sample_with(&frame, kind, fields);
    enum err err = decode(&frame, &decoded);
    buf_done(&frame);
    buf_done(fields);
    return err;
}

static enum err decode_number(enum msg_kind kind, unsigned field, uint64_t value)
{
    struct buf fields = { 0 };
    raw_number(&fields, field, value);
    return decode_sample_with(kind, &fields);
}

static enum err decode_fixed64(enum msg_kind kind, unsigned field, uint64_t value)
{
    struct buf fields = { 0 };
    raw_fixed64(&fields, field, value);
    return decode_sample_with(kind, &fields);
}

static enum err decode_text(enum msg_kind kind, unsigned field, struct str text)
{
    struct buf fields = { 0 };
    raw_bytes(&fields, field, text.data, text.length);
    return decode_sample_with(kind, &fields);
}

/* The field is a message in the message. protobuf-c 1.4 takes lists and texts together when it meets one
   again, but not plain numbers: a profile brings its slots along. */
static enum err decode_inner_text(enum msg_kind kind, unsigned field, unsigned inner,
                                  struct str text)
{
    struct buf bytes = { 0 };
    raw_bytes(&bytes, inner, text.data, text.length);
    if (kind == MSG_HELLO && field == 8) {
        raw_number(&bytes, 6, 1);
    }
    enum err err = decode_text(kind, field, frame_str(&bytes));
    buf_done(&bytes);
    return err;
}

static void text_must_be_utf8_without_a_nul(void **state)
{
    (void)state;
    const struct str bad[] = {
        STR("\x80"),             /* a continuation alone */
        STR("a\xc3"),            /* cut short */
        STR("\xc0\xaf"),         /* overlong */
        STR("\xed\xa0\x80"),     /* a surrogate */
        STR("\xf4\x90\x80\x80"), /* above the last code point */
        STR("\xff"),
        STR("a\x00z"),
        STR("z\x00"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(decode_text(MSG_HELLO, 1, bad[i]), ERR_BAD_FRAME);  /* device */
        assert_int_equal(decode_text(MSG_HELLO, 2, bad[i]), ERR_BAD_FRAME);  /* agent_version */
        assert_int_equal(decode_text(MSG_HELLO, 3, bad[i]), ERR_BAD_FRAME);  /* boot_id */
        assert_int_equal(decode_text(MSG_HELLO, 10, bad[i]), ERR_BAD_FRAME); /* features */
        for (unsigned field = 1; field <= 3; field++) { /* os, arch, hostname */
            assert_int_equal(decode_inner_text(MSG_HELLO, 8, field, bad[i]), ERR_BAD_FRAME);
        }
        assert_int_equal(decode_inner_text(MSG_HELLO, 8, 7, bad[i]), ERR_BAD_FRAME); /* executors */
        assert_int_equal(decode_inner_text(MSG_HELLO, 8, 8, bad[i]), ERR_BAD_FRAME); /* tools */
        assert_int_equal(decode_text(MSG_WELCOME, 6, bad[i]), ERR_BAD_FRAME);
        assert_int_equal(decode_text(MSG_FINISHED, 5, bad[i]), ERR_BAD_FRAME);
        assert_int_equal(decode_text(MSG_FINISHED, 11, bad[i]), ERR_BAD_FRAME);
        assert_int_equal(decode_text(MSG_CANCEL, 2, bad[i]), ERR_BAD_FRAME);
        assert_int_equal(decode_text(MSG_ERROR, 2, bad[i]), ERR_BAD_FRAME);
        assert_int_equal(decode_text(MSG_GOODBYE, 1, bad[i]), ERR_BAD_FRAME);
        assert_int_equal(decode_text(MSG_OUTPUT, 4, bad[i]), ERR_NONE); /* output is bytes */
        assert_int_equal(decode_text(MSG_HELLO, 5, bad[i]), ERR_NONE);  /* so is a journal's id */
    }
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    const uint64_t minus_one = UINT64_MAX;
    const struct {
        enum msg_kind kind;
        unsigned field;
        uint64_t value;
    } rows[] = {
        { MSG_HELLO, 6, MSG_NUMBER_MAX + 1 },
        { MSG_WELCOME, 1, 0 },
        { MSG_WELCOME, 1, MSG_NUMBER_MAX + 1 },
        { MSG_WELCOME, 2, 0 },
        { MSG_WELCOME, 2, MSG_EPOCH_MAX + 1 },
        { MSG_WELCOME, 4, 0 },
        { MSG_WELCOME, 4, minus_one },
        { MSG_WELCOME, 5, 0 },
        { MSG_WELCOME, 5, 60000 },
        { MSG_READY, 1, 0 },
        { MSG_STARTED, 2, minus_one },
        { MSG_STARTED, 2, MSG_WALL_MS_MAX + 1 },
        { MSG_OUTPUT, 2, 0 },
        { MSG_OUTPUT, 2, 3 },
        { MSG_OUTPUT, 2, minus_one },
        { MSG_OUTPUT, 3, MSG_NUMBER_MAX },
        { MSG_FINISHED, 2, 0 },
        { MSG_FINISHED, 2, OUTCOME_DISCONNECTED + 1 },
        { MSG_FINISHED, 2, 0x80000001 },
        { MSG_FINISHED, 3, 256 },
        { MSG_FINISHED, 3, minus_one },
        { MSG_FINISHED, 4, 128 },
        { MSG_FINISHED, 6, minus_one },
        { MSG_FINISHED, 7, minus_one },
        { MSG_FINISHED, 7, MSG_DURATION_MS_MAX + 1 },
        { MSG_FINISHED, 8, MSG_NUMBER_MAX + 1 },
        { MSG_FINISHED, 9, MSG_NUMBER_MAX + 1 },
        { MSG_ERROR, 1, 0 },
        { MSG_ERROR, 1, MSG_ERROR_SHUTDOWN + 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(decode_number(rows[i].kind, rows[i].field, rows[i].value), ERR_BAD_FRAME);
    }
    const enum msg_kind fenced[] = { MSG_STARTED, MSG_OUTPUT, MSG_FINISHED };
    for (size_t i = 0; i < sizeof fenced / sizeof fenced[0]; i++) {
        assert_int_equal(decode_fixed64(fenced[i], 1, 0), ERR_BAD_FRAME);
        assert_int_equal(decode_fixed64(fenced[i], 1, MSG_NUMBER_MAX + 1), ERR_BAD_FRAME);
    }
    assert_int_equal(decode_fixed64(MSG_HELLO, 4, 0), ERR_BAD_FRAME); /* process_id */
}

static void entries_of_lists_keep_their_rules(void **state)
{
    (void)state;
    /* An empty entry has no fence, and a later one that names a fence again is the second. */
    assert_int_equal(decode_text(MSG_HELLO, 9, STR("")), ERR_BAD_FRAME);
    assert_int_equal(decode_text(MSG_WELCOME, 7, STR("")), ERR_BAD_FRAME);
    assert_int_equal(decode_text(MSG_ASSIGN, 1, STR("")), ERR_BAD_FRAME);
    assert_int_equal(decode_text(MSG_ACK, 2, STR("")), ERR_BAD_FRAME);
    assert_int_equal(decode_inner_text(MSG_HELLO, 8, 9, STR("")), ERR_BAD_FRAME); /* labels */
    assert_int_equal(decode_inner_text(MSG_HELLO, 8, 8, STR("vim")), ERR_NONE);   /* tools */
    const uint64_t known = UINT64_C(7) << 40 | 2;                                 /* the sample's */
    for (int again = 0; again <= 1; again++) {
        struct buf entry = { 0 };
        raw_fixed64(&entry, 1, again ? known : known + 1000);
        raw_number(&entry, 2, HELD_RUNNING);
        assert_int_equal(decode_text(MSG_HELLO, 9, frame_str(&entry)),
                         again ? ERR_BAD_FRAME : ERR_NONE);
        buf_done(&entry);
    }
}

/* `count` more entries of `size` zero bytes for a list field. */
static enum err decode_entries(enum msg_kind kind, unsigned field, size_t count, const void *entry,
                               size_t size)
{
    struct buf fields = { 0 };
    for (size_t i = 0; i < count; i++) {
        raw_bytes(&fields, field, entry, size);
    }
    return decode_sample_with(kind, &fields);
}

static void lists_and_texts_over_their_limit_are_refused(void **state)
{
    (void)state;
    static char letters[MSG_BODY_BYTES_MAX + 1];
    memset(letters, 'a', sizeof letters);
    struct str text = { letters, MSG_TEXT_BYTES_MAX + 1 };
    struct str name = { letters, MSG_NAME_BYTES_MAX + 1 };
    struct str id = { letters, MSG_ID_BYTES_MAX + 1 };
    assert_int_equal(decode_entries(MSG_HELLO, 9, MSG_HELD_MAX + 1, "", 0), ERR_LIMIT);
    assert_int_equal(decode_entries(MSG_HELLO, 10, MSG_FEATURES_MAX + 1, "f", 1), ERR_LIMIT);
    assert_int_equal(decode_entries(MSG_WELCOME, 7, MSG_HELD_MAX + 1, "", 0), ERR_LIMIT);
    assert_int_equal(decode_entries(MSG_WELCOME, 8, MSG_FEATURES_MAX + 1, "f", 1), ERR_LIMIT);
    assert_int_equal(decode_entries(MSG_ASSIGN, 1, MSG_BATCH_MAX + 1, "", 0), ERR_LIMIT);
    assert_int_equal(decode_entries(MSG_ACK, 1, MSG_BATCH_MAX + 1, "12345678", 8), ERR_LIMIT);
    assert_int_equal(decode_entries(MSG_ACK, 2, MSG_BATCH_MAX + 1, "", 0), ERR_LIMIT);
    assert_int_equal(decode_entries(MSG_CANCEL, 1, MSG_BATCH_MAX + 1, "12345678", 8), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_HELLO, 1, name), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_HELLO, 2, text), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_HELLO, 3, id), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_HELLO, 5, id), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_HELLO, 10, name), ERR_LIMIT);
    assert_int_equal(decode_inner_text(MSG_HELLO, 7, 2, id), ERR_LIMIT);
    assert_int_equal(decode_inner_text(MSG_HELLO, 7, 4, id), ERR_LIMIT);
    assert_int_equal(decode_inner_text(MSG_HELLO, 8, 3, text), ERR_LIMIT);
    assert_int_equal(decode_inner_text(MSG_HELLO, 8, 8, name), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_WELCOME, 6, text), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_FINISHED, 5, text), ERR_LIMIT);
    assert_int_equal(
        decode_text(MSG_FINISHED, 11, (struct str){ letters, MSG_RESULT_BYTES_MAX + 1 }),
        ERR_LIMIT);
    assert_int_equal(decode_text(MSG_OUTPUT, 4, (struct str){ letters, MSG_CHUNK_BYTES_MAX + 1 }),
                     ERR_LIMIT);
    assert_int_equal(decode_text(MSG_CANCEL, 2, text), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_ERROR, 2, text), ERR_LIMIT);
    assert_int_equal(decode_text(MSG_GOODBYE, 1, text), ERR_LIMIT);
    /* fence, attempt and name of a task as they should be, and a body one byte too long. */
    struct buf task = { 0 };
    raw_fixed64(&task, 1, 999);
    raw_number(&task, 2, 1);
    raw_bytes(&task, 3, "t", 1);
    raw_bytes(&task, 4, letters, MSG_BODY_BYTES_MAX + 1);
    assert_int_equal(decode_text(MSG_ASSIGN, 1, frame_str(&task)), ERR_LIMIT);
    buf_done(&task);
}

static void unknown_fields_are_ignored(void **state)
{
    (void)state;
    for (int kind = 1; kind <= SAMPLE_KINDS; kind++) {
        struct buf fields = { 0 };
        struct buf frame = { 0 };
        struct arena arena = { 0 };
        struct msg expected = sample_msg((enum msg_kind)kind);
        struct msg received;
        size_t at = 0;
        raw_number(&fields, 1000, 5);
        raw_fixed64(&fields, 1001, 5);
        raw_bytes(&fields, 1002, "later", 5);
        raw_sample_with(&frame, (enum msg_kind)kind, &fields);
        assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, NULL), ERR_NONE);
        assert_true(msg_equal(&expected, &received));
        buf_done(&fields);
        buf_done(&frame);
        arena_done(&arena);
    }
}

static void an_envelope_of_an_unknown_kind_is_none_and_the_next_is_read(void **state)
{
    (void)state;
    const unsigned kinds[] = { 14, 15, 16, 17, 1000 };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct buf envelope = { 0 };
        struct buf frame = { 0 };
        struct arena arena = { 0 };
        struct msg ping = sample_msg(MSG_PING);
        struct msg received;
        size_t at = 0;
        raw_bytes(&envelope, kinds[i], "\x08\x01", 2);
        raw_envelope(&frame, &envelope);
        assert_int_equal(wire_encode(&ping, &frame, NULL), ERR_NONE);
        assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, NULL), ERR_NONE);
        assert_int_equal(received.kind, MSG_NONE);
        assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, NULL), ERR_NONE);
        assert_true(msg_equal(&ping, &received));
        buf_done(&envelope);
        buf_done(&frame);
        arena_done(&arena);
    }
}

static void of_several_messages_in_an_envelope_the_last_counts(void **state)
{
    (void)state;
    struct buf envelope = { 0 };
    struct buf frame = { 0 };
    struct arena arena = { 0 };
    struct msg received;
    size_t at = 0;
    raw_bytes(&envelope, MSG_GOODBYE, "\x0a\x01x", 3);
    raw_bytes(&envelope, MSG_PING, "\x08\x05", 2);
    raw_bytes(&envelope, MSG_READY, "\x08\x07", 2);
    raw_bytes(&envelope, MSG_READY, "\x08\x09", 2);
    raw_envelope(&frame, &envelope);
    assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, NULL), ERR_NONE);
    assert_int_equal(received.kind, MSG_READY);
    assert_int_equal(received.ready.session, 9);
    buf_done(&envelope);
    buf_done(&frame);
    arena_done(&arena);
}

static void a_frame_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (int kind = 1; kind <= SAMPLE_KINDS; kind++) {
        struct buf frame = { 0 };
        struct msg msg = sample_msg((enum msg_kind)kind);
        assert_int_equal(wire_encode(&msg, &frame, NULL), ERR_NONE);
        for (size_t length = 1; length < frame.length; length++) {
            /* A block of its own, so that the sanitizer sees its end. */
            struct buf part = { mem_copy(frame.data, length), length, length };
            enum msg_kind decoded = MSG_NONE;
            assert_int_equal(decode(&part, &decoded), ERR_BAD_FRAME);
            buf_done(&part);
        }
        buf_done(&frame);
    }
}

/* An envelope cut short whose length says so: some of these can be read, none may do harm. */
static void an_envelope_cut_anywhere_does_no_harm(void **state)
{
    (void)state;
    for (int kind = 1; kind <= SAMPLE_KINDS; kind++) {
        struct buf whole = { 0 };
        struct msg msg = sample_msg((enum msg_kind)kind);
        assert_int_equal(wire_encode(&msg, &whole, NULL), ERR_NONE);
        size_t head = whole.length > 128 ? 2 : 1;
        for (size_t length = 1; length < whole.length - head; length++) {
            struct buf part = { mem_copy(whole.data + head, length), length, length };
            struct buf frame = { 0 };
            raw_envelope(&frame, &part);
            enum msg_kind decoded = MSG_NONE;
            (void)decode(&frame, &decoded);
            buf_done(&part);
            buf_done(&frame);
        }
        buf_done(&whole);
    }
}

static void lengths_that_are_none_are_refused(void **state)
{
    (void)state;
    const struct {
        struct str bytes;
        enum err err;
    } rows[] = {
        { STR("\x00"), ERR_BAD_FRAME },                                     /* empty */
        { STR("\x80"), ERR_BAD_FRAME },                                     /* cut */
        { STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), ERR_BAD_FRAME }, /* 64 bits */
        { STR("\x81\x80\x40"), ERR_LIMIT },                                 /* 1 MiB and one byte */
        { STR("\xff\xff\xff\xff\x0f"), ERR_LIMIT },                         /* 4 GiB */
        { STR("\x80\x80\x40"), ERR_BAD_FRAME }, /* 1 MiB that are not there */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf frame = { 0 };
        enum msg_kind kind = MSG_NONE;
        buf_append(&frame, rows[i].bytes.data, rows[i].bytes.length);
        assert_int_equal(decode(&frame, &kind), rows[i].err);
        buf_done(&frame);
    }
}

static void an_envelope_that_would_expand_is_refused_within_the_cap(void **state)
{
    (void)state;
    struct buf fields = { 0 };
    struct buf envelope = { 0 };
    struct buf frame = { 0 };
    while (fields.length < MSG_ENVELOPE_BYTES_MAX - 64) {
        raw_bytes(&fields, 10, "", 0); /* features of a Hello */
    }
    raw_bytes(&envelope, MSG_HELLO, fields.data, fields.length);
    raw_envelope(&frame, &envelope);
    const size_t caps[] = { 0, 65536, 67108864 };
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        struct arena arena = { .bytes_max = caps[i] };
        struct msg received;
        struct reason reason = { "" };
        size_t at = 0;
        assert_int_equal(wire_decode(frame_str(&frame), &at, &arena, &received, &reason),
                         ERR_LIMIT);
        assert_true(arena.bytes <= WIRE_EXPANSION_BYTES_MAX);
        assert_non_null(strstr(reason.text, "expands"));
        arena_done(&arena);
    }
    buf_done(&fields);
    buf_done(&envelope);
    buf_done(&frame);
}

/* Whatever the arena's limit cuts off, the answer is the limit, never half a message. */
static void an_arena_too_small_refuses_at_every_size(void **state)
{
    (void)state;
    for (int kind = 1; kind <= SAMPLE_KINDS; kind++) {
        struct buf frame = { 0 };
        struct msg sent = sample_msg((enum msg_kind)kind);
        assert_int_equal(wire_encode(&sent, &frame, NULL), ERR_NONE);
        for (size_t cap = 16;; cap += 16) {
            struct arena arena = { .bytes_max = cap };
            struct msg received;
            size_t at = 0;
            enum err err = wire_decode(frame_str(&frame), &at, &arena, &received, NULL);
            if (err == ERR_NONE) {
                assert_true(msg_equal(&sent, &received));
                arena_done(&arena);
                break;
            }
            assert_int_equal(err, ERR_LIMIT);
            assert_true(cap < 16384);
            arena_done(&arena);
        }
        buf_done(&frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_must_be_utf8_without_a_nul),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(entries_of_lists_keep_their_rules),
        cmocka_unit_test(lists_and_texts_over_their_limit_are_refused),
        cmocka_unit_test(unknown_fields_are_ignored),
        cmocka_unit_test(an_envelope_of_an_unknown_kind_is_none_and_the_next_is_read),
        cmocka_unit_test(of_several_messages_in_an_envelope_the_last_counts),
        cmocka_unit_test(a_frame_cut_anywhere_is_refused),
        cmocka_unit_test(an_envelope_cut_anywhere_does_no_harm),
        cmocka_unit_test(lengths_that_are_none_are_refused),
        cmocka_unit_test(an_envelope_that_would_expand_is_refused_within_the_cap),
        cmocka_unit_test(an_arena_too_small_refuses_at_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
