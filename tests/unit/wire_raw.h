/* Protobuf bytes by hand, for what our own encoder refuses to make. */
#ifndef TESTS_UNIT_WIRE_RAW_H
#define TESTS_UNIT_WIRE_RAW_H

#include "common/base/buf.h"
#include "proto/msg/msg.h"

void raw_number(struct buf *to, unsigned field, uint64_t value); /* varint */
void raw_fixed64(struct buf *to, unsigned field, uint64_t value);
void raw_bytes(struct buf *to, unsigned field, const void *data, size_t bytes);

/* A frame of one envelope: the sample of that kind with `fields` behind its own. By protobuf's rules a
   later value of a plain field wins, and repeated ones are added to. */
void raw_sample_with(struct buf *frame, enum msg_kind kind, const struct buf *fields);
/* A frame of one envelope that holds just these bytes. */
void raw_envelope(struct buf *frame, const struct buf *envelope);

#endif
