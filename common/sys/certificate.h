/* What a program must know of its own certificate. */
#ifndef COMMON_SYS_CERTIFICATE_H
#define COMMON_SYS_CERTIFICATE_H

#include <stdint.h>

#include "common/base/err.h"

/* When the first certificate of a PEM file expires, which is the one that is shown. ERR_INVALID: there is
   none in it, or its date makes no sense. */
enum err certificate_expires(const char *path, int64_t *ret_wall_ms, struct reason *reason);

#endif
