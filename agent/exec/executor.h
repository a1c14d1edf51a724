/* Running what tasks ask for. An executor is one file exporting one constant into the table of
   executor.c; the agent's loop drives them through exec_start and exec_stop and hears of what
   happens through the callbacks. All in the loop's thread.

   Floor 3: sees libevent and the operating system, knows nothing of the protocol's session. */
#ifndef AGENT_EXEC_EXECUTOR_H
#define AGENT_EXEC_EXECUTOR_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "proto/msg/msg.h"

struct event_base;
struct exec;

/* Where one attempt's output stands: bytes kept in the spool, by stream. */
struct exec_output {
    uint64_t stdout_bytes;
    uint64_t stderr_bytes;
    bool truncated; /* something was dropped at the cap */
};

/* How an attempt ended. The pointers live for the call. */
struct exec_end {
    enum outcome outcome;
    int32_t exit_code;
    int32_t signal;
    struct str reason;
    int64_t started_wall_ms;
    int64_t duration_ms;
    struct exec_output output;
    struct str result; /* JSON, checked, at most MSG_RESULT_BYTES_MAX; or empty */
};

struct exec_callbacks {
    void *context;
    /* The process exists. Not called for an attempt that ends at once (noop, a failed start). */
    void (*started)(void *context, uint64_t fence, int64_t wall_ms);
    /* The spool has grown. */
    void (*output)(void *context, uint64_t fence, struct exec_output output);
    /* Nothing of it runs any more: its whole process group and every descendant that could be found
       is dead, and its output is complete in the spool. Called once for each exec_start, never
       from inside it: always from the loop. */
    void (*ended)(void *context, uint64_t fence, const struct exec_end *end);
};

struct exec_config {
    const char *work_dir;  /* attempts live below, as place.h says */
    const char *helper;    /* path of the asterism-exec program; NULL: beside this program */
    unsigned spares;       /* work directories that are made while nothing runs yet: at most 64 */
    bool keep_environment; /* never in production; false: the plain environment */
};

/* Starts the resident helper (and kills processes that an earlier agent on the same work_dir left).
   ERR_IO if it cannot; exec_forget_others must follow: it takes up the output that earlier agents left
   in work_dir, and removes the rest. One exec a work_dir at a time. Two descriptors an attempt that runs are needed,
   and two more while it is handed over: the caller sees to RLIMIT_NOFILE. */
enum err exec_new(struct event_base *base, const struct exec_config *config,
                  const struct exec_callbacks *callbacks, struct exec **ret_exec,
                  struct reason *reason);
/* Kills everything that runs, waits until it is dead, frees. Tells nothing. Not from inside a
   callback. NULL is fine. */
void exec_free(struct exec *exec);

/* Begins an attempt. Whatever goes wrong is reported by `ended` with OUTCOME_START_FAILED. */
void exec_start(struct exec *exec, uint64_t fence, uint32_t attempt, struct str task_name,
                const struct msg_body *body);

/* SIGTERM to the whole group, SIGKILL after grace_ms; `outcome` is what the end will say unless the
   process completed by itself first. A second call can only shorten the grace. No such fence: nothing. */
void exec_stop(struct exec *exec, uint64_t fence, enum outcome outcome, int64_t grace_ms,
               const char *why);

/* Reads at most `bytes` of what the spool holds from `offset`. Also for attempts of earlier agent
   processes, whose spool survived. ERR_NOT_FOUND if the spool is gone; an attempt that wrote
   nothing at all need not have one. */
enum err exec_read(struct exec *exec, uint64_t fence, enum stream stream, uint64_t offset,
                   size_t bytes, struct buf *into);

/* Removes spool and work directory of an attempt that is not running: large ones bit by bit, from
   the loop. */
void exec_forget(struct exec *exec, uint64_t fence);
/* Removes all that stands in work_dir but the `count` attempts named: at the agent's start. */
void exec_forget_others(struct exec *exec, const uint64_t *fences, size_t count);

/* The helper is gone although nobody ended it. What ran has been killed, and is told by nothing: nobody knows
   its end. Nothing starts any more; the agent should end itself so that it is restarted whole, when
   exec_has_ends() says no. */
bool exec_is_broken(const struct exec *exec);
bool exec_has_ends(const struct exec *exec); /* that the loop has still to tell */

#endif
