/* Protobuf bytes by hand. */
#include "tests/unit/wire_raw.h"

#include "common/base/check.h"
#include "proto/wire.h"
#include "tests/unit/wire_samples.h"

enum { TYPE_VARINT = 0, TYPE_FIXED64 = 1, TYPE_BYTES = 2 };

static void raw_varint(struct buf *to, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        buf_append(to, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

void raw_number(struct buf *to, unsigned field, uint64_t value)
{
    raw_varint(to, field << 3 | TYPE_VARINT);
    raw_varint(to, value);
}

void raw_fixed64(struct buf *to, unsigned field, uint64_t value)
{
    raw_varint(to, field << 3 | TYPE_FIXED64);
    for (int i = 0; i < 8; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        buf_append(to, &byte, 1);
    }
}

void raw_bytes(struct buf *to, unsigned field, const void *data, size_t bytes)
{
    raw_varint(to, field << 3 | TYPE_BYTES);
    raw_varint(to, bytes);
    buf_append(to, data, bytes);
}

void raw_envelope(struct buf *frame, const struct buf *envelope)
{
    raw_varint(frame, envelope->length);
    buf_append(frame, envelope->data, envelope->length);
}

static uint64_t varint_read(const struct buf *from, size_t *at)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < from->length; shift += 7) {
        uint8_t byte = from->data[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            break;
        }
    }
    return value;
}

void raw_sample_with(struct buf *frame, enum msg_kind kind, const struct buf *fields)
{
    struct msg sample = sample_msg(kind);
    struct buf whole = { 0 };
    struct buf message = { 0 };
    struct buf envelope = { 0 };
    CHECK(wire_encode(&sample, &whole, NULL) == ERR_NONE);
    size_t at = 0;
    (void)varint_read(&whole, &at); /* the envelope's length */
    (void)varint_read(&whole, &at); /* its field */
    (void)varint_read(&whole, &at); /* the message's length */
    buf_append(&message, whole.data + at, whole.length - at);
    buf_append(&message, fields->data, fields->length);
    raw_bytes(&envelope, (unsigned)kind, message.data, message.length);
    raw_envelope(frame, &envelope);
    buf_done(&whole);
    buf_done(&message);
    buf_done(&envelope);
}
