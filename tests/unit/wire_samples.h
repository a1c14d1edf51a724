/* One message of each kind with every field set to something of its own, and a body likewise. */
#ifndef TESTS_UNIT_WIRE_SAMPLES_H
#define TESTS_UNIT_WIRE_SAMPLES_H

#include "proto/msg/msg.h"

enum { SAMPLE_KINDS = MSG_GOODBYE }; /* the kinds are 1 … SAMPLE_KINDS */

/* A copy: change its fields at will, not what they point to. */
struct msg sample_msg(enum msg_kind kind);
struct msg_body sample_body(void);

#endif
