/* asterism-exec, the resident helper: a small process that forks, sets up and execs once a task,
   because a small process forks cheaply and a subreaper that outlives the agent by a moment can
   kill all that the agent's tasks left. It keeps nothing on disk and takes no decision but one:
   when the agent's end of the socket closes, everything below it dies. */
#ifndef AGENT_EXEC_HELPER_H
#define AGENT_EXEC_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/exec/helper_pipe.h"
#include "agent/exec/protocol.h"
#include "common/base/buf.h"
#include "common/base/map.h"
#include "common/base/str.h"

enum {
    HELPER_GIVE_UP_MS = 5000, /* how long an end waits for what cannot be killed */
    HELPER_FLUSH_MS = 20,     /* reports wait so long for company while there is work */
    HELPER_STARTED_MS = 5,    /* the start of a process waits so long for its end */
    HELPER_LOOK_MS = 2,       /* while there are starts to make we look up so often */
    /* A process is young for so long; the ends of many are known later, so while there is work, longer. */
    HELPER_YOUNG_MS = 8,
    HELPER_YOUNG_BUSY_MS = 40,
    HELPER_FAREWELL_MS = 10000, /* how long the last killing may take */
};

/* One that runs, or is dead while its descendants are being killed. */
struct task {
    uint64_t fence;
    pid_t pid; /* and its process group and session */
    int64_t started_boot_ms;
    int64_t started_wall_ms;
    int64_t duration_ms;
    int64_t give_up_ms; /* boot time; only while dead */
    int status;
    bool signalled; /* by us, before it ended */
    struct pipes pipes;
    struct task *next_dead;
    struct task *next_young;
    struct task **young_at; /* what points at us among the young; NULL: we are not */
};

/* A start that was asked for and not yet made. */
struct pending {
    struct request request;
    int stdin_fd; /* -1: /dev/null */
    char *command;
    struct pending *next;
};

/* A child that we did not make: its parent died, and a subreaper inherits. */
struct orphan {
    pid_t pid;
    uint64_t fence;   /* whose it is; 0: cannot be told */
    int64_t start_ms; /* boot time */
    bool doomed;      /* killed; we wait for it to go */
};

struct helper {
    int socket_fd;
    int signal_fd;
    int null_fd;
    int stderr_fd; /* ours, while number 2 is lent to a process that is being made */
    int children_fd;
    struct lanes lanes;
    char *lanes_path;
    pid_t pid;
    pid_t agent_pid;
    const char *root;    /* the agent's work directory, with a slash behind it */
    bool is_at_root;     /* we stand there */
    struct map by_fence; /* struct task, running */
    struct map by_pid;   /* struct task, running */
    struct map orphans;  /* struct orphan by pid */
    struct task *dead;   /* main process gone, descendants perhaps not */
    struct task *young;  /* with pipes that are ours yet, the oldest first */
    struct task **young_tail;
    struct pending *pending;
    struct pending **pending_tail;
    size_t pending_count;
    size_t reports_ended; /* of those that wait to be sent: each frees a slot */
    struct buf reports;
    struct buf report_fds; /* that go with them: int, in their order */
    int64_t reports_since_ms;
    struct buf children;
    struct buf scratch;
    char **pointers; /* argv and envp of the start being made */
    size_t pointers_max;
};

/* helper_report.c */
void helper_report(struct helper *helper, const struct report *report, struct str text);
void helper_report_started(struct helper *helper, struct task *task);
/* The rest of the report of its end is here. */
void helper_report_ended(struct helper *helper, struct report report, struct task *task);
/* How long nothing is to be sent; -1: there is nothing. */
int64_t helper_report_wait_ms(const struct helper *helper, int64_t now);
/* False: the agent is gone. Blocks if the agent is slow to read: it never waits for us. */
bool helper_report_send(struct helper *helper, int64_t now);

/* helper_request.c */
bool helper_receive(struct helper *helper); /* one packet; false: the agent is gone */
/* Takes the first of the starts that wait: there must be one. */
struct pending *helper_next(struct helper *helper);
void pending_free(struct pending *pending);

/* helper_spawn.c: makes the process and reports it started or failed. Takes `pending`. */
void helper_spawn(struct helper *helper, struct pending *pending);

/* helper_reap.c */
void helper_reap(struct helper *helper); /* after SIGCHLD, or when an end is overdue */
void helper_signal(struct helper *helper, uint64_t fence, int signal);
void helper_kill_all(struct helper *helper); /* the agent is gone */

#endif
