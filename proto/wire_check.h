/* What every message must keep, whoever made it: asked by the sender before it encodes and by the
   receiver after it has decoded, so that the two cannot drift apart. */
#ifndef PROTO_WIRE_CHECK_H
#define PROTO_WIRE_CHECK_H

#include "common/base/err.h"
#include "proto/msg/msg.h"

/* ERR_LIMIT or ERR_BAD_FRAME with the first rule that is broken. The kind is one that has a number. */
enum err wire_check(const struct msg *msg, struct reason *reason);
enum err wire_check_body(const struct msg_body *body, struct reason *reason);

#endif
