/* The output of tasks as it comes. */
#ifndef CLI_LOGS_H
#define CLI_LOGS_H

#include <stdint.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "cli/tasks.h"

enum logs_which {
    LOGS_STDOUT = 1,
    LOGS_STDERR = 2,
    LOGS_BOTH = 3, /* each to ours of that name */
};

/* What is stored of one stream of a task. `attempt` NULL: the latest. none_is_fine: also if it has not
   run. CLI_OK, or the exit code after the words. */
struct logs_wish {
    const struct tasks_name *name;
    const char *attempt;
    bool is_stderr;
    bool none_is_fine;
    void (*sink)(void *context, struct str bytes);
    void *context;
};
int logs_stored(struct http *http, const struct logs_wish *wish);

/* Follows tasks of a constellation (full id) until they end: one of them, or with `key` NULL all, a
   prefix before each line; with -o json objects (logs_json.h). ret_state (may be NULL) gets the constellation's state, a literal or "".
   deadline_ms: boot time, 0 none. */
int logs_follow(struct cli *cli, const char *id, const char *key, enum logs_which which,
                int64_t deadline_ms, char ret_state[32]);

#endif
