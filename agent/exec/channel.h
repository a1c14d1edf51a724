/* The agent's end of the resident helper: starts it, sends it requests in batches, hands out its
   reports, and notices when it is gone. */
#ifndef AGENT_EXEC_CHANNEL_H
#define AGENT_EXEC_CHANNEL_H

#include "agent/exec/protocol.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct event_base;
struct channel;

struct channel_callbacks {
    void *context;
    /* fds: of stdout and stderr, the callee's from now on; -1: none came along. */
    void (*report)(void *context, const struct report *report, struct str text, const int fds[2]);
    /* Once: the helper has gone although nobody closed the channel. It is reaped already. */
    void (*lost)(void *context);
};

/* What one start needs. */
struct channel_start {
    uint64_t fence;
    const struct buf *command; /* as protocol.h lays it out */
    uint32_t args_count;
    uint32_t env_count;
    int stdin_fd; /* -1: /dev/null */
};

/* Starts the helper and waits until it speaks. `root` is the work directory, with a slash behind
   it: by it the helper knows our tasks' processes. */
enum err channel_open(struct event_base *base, const char *helper_path, const char *root,
                      const struct channel_callbacks *callbacks, struct channel **ret_channel,
                      struct reason *reason);
/* The helper kills everything below it and exits; waits for that, for at most 15 s. NULL is fine. */
void channel_close(struct channel *channel);

/* Both go out with the loop's pass. channel_start takes the descriptor, also when it fails. */
enum err channel_start_take(struct channel *channel, const struct channel_start *start,
                            struct reason *reason);
void channel_signal(struct channel *channel, uint64_t fence, int signal);

#endif
