/* What the executors share: an attempt that runs, and the way it ends. Private to agent/exec. */
#ifndef AGENT_EXEC_ATTEMPT_H
#define AGENT_EXEC_ATTEMPT_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "agent/exec/executor.h"
#include "agent/exec/place.h"
#include "common/base/map.h"

struct attempt;
struct channel;

/* What exec_start is given. */
struct exec_order {
    uint64_t fence;
    uint32_t attempt;
    struct str task_name;
    const struct msg_body *body;
};

/* One way to do a task: a constant in the file of that executor, a row in the table of
   executor.c. */
struct executor_kind {
    enum executor executor;
    /* Makes the attempt and either lets it run or calls attempt_end. */
    void (*start)(struct exec *exec, const struct exec_order *order);
    void (*stop)(struct attempt *attempt, enum outcome outcome, int64_t grace_ms, const char *why);
    /* Lets go of what it holds: after its end, or because all is given up. */
    void (*release)(struct attempt *attempt);
};

extern const struct executor_kind executor_run;
extern const struct executor_kind executor_shell;
extern const struct executor_kind executor_noop;
extern const struct executor_kind executor_sleep;

/* The common part: the first member of each executor's own struct. */
struct attempt {
    uint64_t fence;
    struct exec *exec;
    const struct executor_kind *kind;
    struct exec_end end; /* filled in on the way; reason and result are set by attempt_end */
    char *reason;        /* owned; NULL: none */
    char *result;        /* owned; NULL: none */
    struct attempt *next_ending;
};

struct exec {
    struct event_base *base;
    struct exec_callbacks callbacks;
    struct place place;
    struct channel *channel;
    struct map attempts; /* struct attempt by fence: what runs */
    /* Ended, and to be told from the loop: one event for all of them. */
    struct attempt *ending_first;
    struct attempt *ending_last;
    struct event ending;
    bool is_telling;
    /* Goes on with the removing of what ended attempts left, a step at a time. */
    struct event tidy;
    char *home;
    bool keep_environment;
    bool is_broken;
};

/* Zeroed, `bytes` large (the executor's own struct). */
struct attempt *attempt_new(struct exec *exec, const struct executor_kind *kind,
                            const struct exec_order *order, size_t bytes);
/* From now on exec_stop finds it. */
void attempt_runs(struct attempt *attempt);
/* Queues the end that stands in attempt->end. The attempt is freed once it has been told. */
void attempt_end(struct attempt *attempt, enum outcome outcome);
void attempt_set_reason(struct attempt *attempt, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "ran longer than 60s", of which `what` is all but the time. */
void attempt_describe_timeout(const char *what, int64_t timeout_ms, char *text, size_t text_bytes);

/* Arms a timer `ms` from now. The loop's clock stands still in suspend, and so do the processes. */
void attempt_arm(struct event *timer, int64_t ms);

/* exec_run.c: what the helper says, and that it says no more. */
struct report;
void run_on_report(void *context, const struct report *report, struct str text, const int fds[2]);
void run_on_lost(void *context);

#endif
