/* Messages to bytes and back (protobuf, aip.proto). A frame is one or more envelopes, each behind
   its length as a varint. Decoding checks everything that the protocol promises (limits, UTF-8 of
   text, enums, ranges, required fields), so that what passes is a fact for the engines. */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "proto/msg/msg.h"

#define WIRE_SUBPROTOCOL "aip.v1"

/* Appends one length-delimited envelope to `frame`. ERR_LIMIT if the message breaks a limit of the
   protocol, ERR_INVALID if it breaks another rule; `frame` is then unchanged. A message that keeps the
   rules of its fields can still be too large for an envelope: an Assign takes at most WIRE_TASK_BYTES
   and its name and body for each task, WIRE_ENVELOPE_BYTES for the rest. Nothing else comes near. */
enum err wire_encode(const struct msg *msg, struct buf *frame, struct reason *reason);

enum {
    WIRE_TASK_BYTES = 32,
    WIRE_ENVELOPE_BYTES = 16,
};

/* Reads the envelope at *at of the frame and moves *at behind it. The message points into `arena`
   (copied: the frame may go away), whose bytes_max is also the limit on what a hostile envelope can
   expand to; without one it is WIRE_EXPANSION_BYTES_MAX. An envelope of a kind that is not known
   gives MSG_NONE: skip it. ERR_BAD_FRAME or ERR_LIMIT with the reason otherwise. Not to be called at
   the end of the frame. */
enum err wire_decode(struct str frame, size_t *at, struct arena *arena, struct msg *ret_msg,
                     struct reason *reason);

/* Whatever the arena allows: the largest envelope that keeps all other limits needs less than half. */
enum { WIRE_EXPANSION_BYTES_MAX = 8 * MSG_ENVELOPE_BYTES_MAX };

/* A TaskBody alone, as it is stored and as Assign carries it; errors as above. */
enum err wire_encode_body(const struct msg_body *body, struct buf *bytes, struct reason *reason);
enum err wire_decode_body(struct str bytes, struct arena *arena, struct msg_body *ret_body,
                          struct reason *reason);

#endif
