/* The pipes of processes, in the helper. Making a pipe and taking it apart again costs a twentieth of what
   a small process costs, so a pair of them that a process has left empty is given to another.

   Nobody may write into what is another's: a pair is used again only when both are at their end, which
   the kernel says when there is no writing end any more, in no process. A new writing end needs a name to
   open, so these pipes are FIFOs in a directory of ours. What the agent has to read itself is handed over
   and not used again; where the file system is not fit for it, or none is free, plain pipes do. A reading
   end that somebody has opened by the name would not be noticed; but whoever can do that, as our own
   user, can open that of any process that runs. */
#ifndef AGENT_EXEC_HELPER_PIPE_H
#define AGENT_EXEC_HELPER_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum {
    LANES_MAX = 8, /* more small processes are not there at once for long */
    LANE_COST = 8, /* one is made when so many processes would have done with it: files cost more */
    LANE_NAME_BYTES = 24,
};

/* A pair that can be used again. */
struct lane {
    bool is_there;
    char names[2][LANE_NAME_BYTES];
    int fds[2];   /* the reading ends, which keep the FIFOs alive; -1: handed over */
    int bytes[2]; /* what they hold, which a process may change */
    struct lane *next_idle;
};

struct lanes {
    const char *path; /* of the directory; NULL: no more of them can be made */
    int directory_fd; /* -1: not made yet */
    uint64_t next_name;
    struct lane all[LANES_MAX];
    struct lane *idle;
    unsigned wanted; /* processes that would have done with one more, since the last was made */
};

/* Our ends of the pipes that a process writes its stdout and its stderr to. */
struct pipes {
    int fds[2];        /* -1: handed over, or at its end */
    struct lane *lane; /* NULL: plain ones */
};

/* The directory is made when it is needed; whoever made what is around it removes it. The path is
   borrowed; NULL: no FIFOs. */
void lanes_init(struct lanes *lanes, const char *path);
void lanes_done(struct lanes *lanes); /* also of those that are lent: all is over */

/* Puts the writing ends where a process finds its stdout and stderr. False with errno, and then perhaps one
   of them is made. */
bool pipes_lend(struct lanes *lanes, struct pipes *ret_pipes);
/* After the end of the process, when the caller holds no writing end: the last words, up to
   PROTOCOL_LAST_BYTES_MAX of each, into `into`. Returns the bytes of stdout among them. What has an end yet
   (see fds) holds more, or is held open. */
size_t pipes_read_last(struct lanes *lanes, struct pipes *pipes, struct buf *into);
/* They will not be used again. Returns the reading end of one, which is the caller's now, or -1. */
int pipes_take(struct lanes *lanes, struct pipes *pipes, size_t index);
void pipes_close(struct lanes *lanes, struct pipes *pipes);

#endif
