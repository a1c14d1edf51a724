/* Filling in placeholders: ${{ tasks.KEY.FIELD }} with FIELD one of stdout, stderr, exit_code, state,
   device, output or output.PATH, and `|| DEFAULT` behind it. The answer is stored by the caller and
   never computed again. Floor 2. */
#ifndef ORCHESTRATOR_SPEC_RESOLVE_H
#define ORCHESTRATOR_SPEC_RESOLVE_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "proto/msg/msg.h"

/* What the predecessor put out. The shell answers from the store. */
struct resolve_task {
    struct str state; /* "succeeded", … */
    bool has_run;     /* else there is nothing but its state */
    bool has_exit_code;
    struct str device;
    int32_t exit_code;
    uint64_t stdout_bytes; /* all that was kept; `stdout_data` is empty if it is over the limit */
    uint64_t stderr_bytes;
    struct str stdout_data;
    struct str stderr_data;
    struct str result; /* JSON, or empty */
};

enum { RESOLVE_STREAM_BYTES_MAX = 64 * 1024 };

struct resolve_source {
    void *context;
    /* ERR_NOT_FOUND if there is no such task. */
    enum err (*task)(void *context, struct str key, struct arena *arena,
                     struct resolve_task *ret_task);
};

/* A body without placeholders, in `arena`. ERR_INVALID with the reason in words if a value is missing
   (the task has not run, or has not put it out) and the placeholder has no default, if it is too large (a stream over 64 KiB, all inputs together over MSG_INPUT_BYTES_MAX) or holds a NUL
   where the system takes none (argv, env, cwd). Values are data: nothing in them is looked at again. */
enum err resolve_body(const struct msg_body *body, const struct resolve_source *source,
                      struct arena *arena, struct msg_body *ret_body, struct reason *reason);

#endif
