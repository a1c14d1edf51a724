/* Where a test may kill the daemon: the named points of a turn. Set by ASTERISMD_FAULT=POINT:N: at the
   N-th passing of POINT the process gets SIGKILL. Without the variable nothing happens. */
#ifndef ORCHESTRATOR_FAULT_H
#define ORCHESTRATOR_FAULT_H

enum fault_point {
    FAULT_AFTER_EVENT,   /* stepped, nothing written */
    FAULT_BEFORE_COMMIT, /* written, not committed */
    FAULT_AFTER_COMMIT,  /* committed, nothing sent */
    FAULT_AFTER_SEND,    /* handed to the sockets */
    FAULT_POINTS_END,
};

void fault_read(const char *setting); /* NULL: none */
void fault_pass(enum fault_point point);

#endif
