/* The output of tasks as it comes. */
#ifndef CLI_LOGS_H
#define CLI_LOGS_H

#include <stdint.h>

#include "cli/cli.h"

enum logs_which {
    LOGS_STDOUT = 1,
    LOGS_STDERR = 2,
    LOGS_BOTH = 3, /* each to ours of that name */
};

/* Follows tasks of a constellation (full id) until they end: one of them, or with `key` NULL all, a
   prefix before each line. ret_state (may be NULL) gets the constellation's state, a literal or "".
   deadline_ms: boot time, 0 none. */
int logs_follow(struct cli *cli, const char *id, const char *key, enum logs_which which,
                int64_t deadline_ms, char ret_state[32]);

#endif
