#include "orchestrator/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[FAULT_POINTS_END] = {
    [FAULT_AFTER_EVENT] = "after_event",
    [FAULT_BEFORE_COMMIT] = "before_commit",
    [FAULT_AFTER_COMMIT] = "after_commit",
    [FAULT_AFTER_SEND] = "after_send",
};

static long left[FAULT_POINTS_END];

void fault_read(const char *setting)
{
    for (int point = 0; setting != NULL && point < FAULT_POINTS_END; point++) {
        size_t length = strlen(names[point]);
        if (strncmp(setting, names[point], length) == 0 && setting[length] == ':') {
            left[point] = strtol(setting + length + 1, NULL, 10);
        }
    }
}

void fault_pass(enum fault_point point)
{
    if (left[point] > 0 && --left[point] == 0) {
        kill(getpid(), SIGKILL);
    }
}
