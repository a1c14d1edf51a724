/* The size of a body: so that one that is accepted can always be encoded. */
#ifndef ORCHESTRATOR_SPEC_BODY_BYTES_H
#define ORCHESTRATOR_SPEC_BODY_BYTES_H

#include "proto/msg/msg.h"

/* At least as many as the encoded body has. */
size_t body_bytes(const struct msg_body *body);

#endif
