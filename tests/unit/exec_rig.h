/* The bench on which the executors are tested: a loop, a directory of its own, real processes, and
   a record of what the callbacks were told. */
#ifndef TESTS_UNIT_EXEC_RIG_H
#define TESTS_UNIT_EXEC_RIG_H

#include <sys/types.h>

#include "agent/exec/executor.h"

struct event_base;

enum { RIG_ENDS_MAX = 32, RIG_WAIT_MS = 30000 };

struct rig_end {
    uint64_t fence;
    enum outcome outcome;
    int32_t exit_code;
    int32_t signal;
    int64_t started_wall_ms;
    int64_t duration_ms;
    struct exec_output output;
    char reason[MSG_TEXT_BYTES_MAX + 1];
    char *result;
};

struct rig {
    struct event_base *base;
    struct exec *exec;
    char directory[64];
    uint64_t next_fence;
    struct msg_body body; /* what the next start does: rig_new fills in sane values */
    unsigned started;
    unsigned told; /* ends */
    struct rig_end ends[RIG_ENDS_MAX];
    struct buf text; /* what rig_output read */
};

struct rig *rig_new(void);
void rig_free(struct rig *rig); /* and everything below its directory */

/* Starts and returns the fence. */
uint64_t rig_start(struct rig *rig);
uint64_t rig_start_argv(struct rig *rig, size_t count, const struct str *argv);
uint64_t rig_start_shell(struct rig *rig, const char *text);
/* Runs the loop until that attempt has ended; fails the test if it does not. */
const struct rig_end *rig_wait(struct rig *rig, uint64_t fence);
const struct rig_end *rig_shell(struct rig *rig, const char *text); /* both */
/* Runs the loop until `done` says so; fails the test if it never does. */
void rig_until(struct rig *rig, bool (*done)(struct rig *rig, void *context), void *context);
/* Waits until the attempt has written `bytes` to its stdout. */
void rig_wait_output(struct rig *rig, uint64_t fence, uint64_t bytes);
/* The whole of a stream, NUL behind it, until the next call. */
const char *rig_output(struct rig *rig, uint64_t fence, enum stream stream);

bool rig_process_lives(pid_t pid); /* a zombie does not */
/* Fails the test if it lives on for long. */
void rig_wait_death(pid_t pid);
/* The number in a file; 0 until it is there. */
long rig_number_in(const char *path);
size_t rig_entries(const char *directory);

#endif
