/* What the agent and its resident helper say to each other over one SOCK_SEQPACKET pair. Both are
   built together and started one by the other, so the records are plain structs; the version in
   REPORT_READY only catches a helper left behind by a half-done upgrade.

   A packet is a run of records, each padded to 8 bytes, so that one system call carries many. */
#ifndef AGENT_EXEC_PROTOCOL_H
#define AGENT_EXEC_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/str.h"

/* The helper's own directory in that of the agent. */
#define PROTOCOL_PIPES_NAME "pipes"

enum {
    PROTOCOL_VERSION = 3,
    PROTOCOL_FD = 3, /* the helper finds its end of the pair here */
    PROTOCOL_PACKET_BYTES_MAX = 64 * 1024,
    PROTOCOL_PACKET_FDS_MAX = 96,          /* either way; the kernel allows 253 */
    PROTOCOL_INLINE_BYTES_MAX = 16 * 1024, /* a larger command travels in a memfd */
    PROTOCOL_COMMAND_BYTES_MAX = 4096 * 1024,
    PROTOCOL_LAST_BYTES_MAX = 4096, /* of each stream, that travel with the end of a process */
};

enum request_kind {
    REQUEST_START = 1,
    REQUEST_SIGNAL = 2, /* to the whole group */
};

enum {
    REQUEST_HAS_STDIN = 1,
    REQUEST_COMMAND_IN_FD = 2,
};

/* Agent to helper. With a REQUEST_START travel the descriptors, in this order: what stdin reads (if
   REQUEST_HAS_STDIN), the command (if REQUEST_COMMAND_IN_FD). The command is a run of NUL-terminated
   strings: the directory to run in, the search path, the arguments, the environment. It follows the
   struct, unless it has a descriptor. */
struct request {
    uint32_t kind;
    uint32_t bytes; /* of this record, padding included */
    uint64_t fence;
    int32_t signal;
    uint32_t flags;
    uint32_t args_count;
    uint32_t env_count;
    uint32_t command_bytes;
    uint32_t reserved;
};

enum report_kind {
    REPORT_READY = 1,   /* once; status is PROTOCOL_VERSION */
    REPORT_STARTED = 2, /* pid, wall_ms */
    REPORT_FAILED = 3,  /* nothing ran; the text says why */
    REPORT_ENDED = 4,   /* it is dead, and what it left behind; status as waitpid gives it */
    REPORT_PIPES = 5,   /* what it puts out is the agent's to read from now on */
};

enum {
    REPORT_WAS_SIGNALLED = 1, /* a signal of ours reached it before it ended */
    REPORT_HAS_SURVIVORS = 2, /* a descendant could not be killed, or may be a running task's */
    REPORT_HAS_STDOUT = 4,    /* the pipe's reading end travels along */
    REPORT_HAS_STDERR = 8,
};

/* Helper to agent; text_bytes of text follow. The pipes of a process are made by the helper and handed over
   when it is not young any more: most small ones are gone by then, and what they put out, if anything,
   is the text of their end: that of stdout, then that of stderr. It stands before what a pipe that
   travels along holds. */
struct report {
    uint32_t kind;
    uint32_t bytes;
    uint64_t fence;
    int64_t wall_ms; /* when it started; 0: it did not */
    int64_t duration_ms;
    int32_t pid;
    int32_t status;
    uint32_t flags;
    uint32_t text_bytes;
    uint32_t stdout_bytes; /* of the text of an end */
    uint32_t reserved;
};

/* One packet, and a copy of each descriptor with it. `flags` as for send(). False with errno. */
bool protocol_send(int socket_fd, struct str data, const int *fds, size_t fds_count, int flags);

static inline uint32_t protocol_padded(uint32_t bytes)
{
    return (bytes + 7U) & ~7U;
}

#endif
