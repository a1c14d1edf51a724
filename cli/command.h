/* `run … -- COMMAND`: one command as a constellation of one task. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdint.h>

#include "cli/cli.h"

/* Submits what stands behind "--" and follows it to its end. deadline_ms: boot time, 0 none. */
int command_run(struct cli *cli, int64_t deadline_ms);

#endif
