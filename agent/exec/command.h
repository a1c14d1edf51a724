/* What a process is given: where it runs, its arguments, its environment; written down as the
   helper reads it (protocol.h). */
#ifndef AGENT_EXEC_COMMAND_H
#define AGENT_EXEC_COMMAND_H

#include "agent/exec/attempt.h"

struct command {
    struct buf text;
    uint32_t args_count;
    uint32_t env_count;
};

/* ERR_INVALID with words if the body cannot be run as it is. */
enum err command_build(struct command *command, const struct exec *exec,
                       const struct exec_order *order, struct reason *reason);

#endif
