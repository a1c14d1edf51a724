/* What `run -- COMMAND` passes on of its own standard input. */
#ifndef CLI_STDIN_H
#define CLI_STDIN_H

#include <stdint.h>

#include "common/base/buf.h"

enum {
    STDIN_BYTES_MAX = 512 * 1024,
    STDIN_WAIT_MS = 1000, /* for the first byte of a pipe that nobody may ever write to */
};

enum stdin_mode {
    STDIN_IF_GIVEN = 0, /* a file, or a pipe that has something to say */
    STDIN_WHOLE,        /* whatever it is, to its end */
    STDIN_NEVER,
};

/* Appends it; nothing if there is none. CLI_OK, or the exit code after the words. deadline_ms is boot
   time, 0: none. */
int stdin_read(int fd, enum stdin_mode mode, int64_t deadline_ms, struct buf *to);

#endif
