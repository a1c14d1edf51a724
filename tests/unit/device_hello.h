/* What a device says first, in tests of the engine: its own words are whatever the test does not care about. */
#ifndef TESTS_UNIT_DEVICE_HELLO_H
#define TESTS_UNIT_DEVICE_HELLO_H

#include "proto/msg/msg.h"

/* Of a device that runs "noop"; its journal has its name. The name is borrowed. */
struct msg device_hello(const char *name, uint32_t slots);

#endif
