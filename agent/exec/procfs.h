/* What /proc tells of other processes: whose child a process is, when it started, and what its
   environment says. Used by the helper for orphans, and by the agent for what a dead agent left. */
#ifndef AGENT_EXEC_PROCFS_H
#define AGENT_EXEC_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/buf.h"

/* Walks the process ids there are. `visit` returns false to stop. */
void procfs_each(bool (*visit)(void *context, pid_t pid), void *context);

/* Parent and start (ms since the machine started, rounded down). False: it has gone. */
bool procfs_stat(pid_t pid, pid_t *ret_parent, int64_t *ret_start_ms);

/* The process's environment, NUL-terminated strings, into `into` (cleared first). Empty if it is
   another user's, a zombie or gone. At most PROCFS_ENVIRON_BYTES_MAX are read. */
enum { PROCFS_ENVIRON_BYTES_MAX = 4096 * 1024 };
void procfs_environ(pid_t pid, struct buf *into);
/* The value of NAME= in such an environment; NULL if it is not there. */
const char *procfs_environ_find(const struct buf *environment, const char *name);

/* The children of the calling thread, as 32-bit ids appended to `into`. list_fd is the open
   /proc/thread-self/children, or -1 where the kernel does not have it: then all of /proc is read. */
int procfs_children_open(void);
void procfs_children(int list_fd, struct buf *into);

#endif
