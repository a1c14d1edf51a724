/* Whether two messages say the same, field by field: for tests of what carries them. */
#ifndef TESTS_UNIT_MSG_EQUAL_H
#define TESTS_UNIT_MSG_EQUAL_H

#include <stdbool.h>

#include "proto/msg/msg.h"

bool msg_equal(const struct msg *a, const struct msg *b);
bool msg_body_equal(const struct msg_body *a, const struct msg_body *b);

#endif
