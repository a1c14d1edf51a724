#include "agent/exec/leftover.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/exec/moment.h"
#include "agent/exec/procfs.h"

enum { LEFTOVER_WAIT_MS = 2000 };

struct search {
    const char *root;
    struct buf environment;
    unsigned found;
};

static bool visit(void *context, pid_t pid)
{
    struct search *search = context;
    if (pid == getpid()) {
        return true;
    }
    procfs_environ(pid, &search->environment);
    const char *output = procfs_environ_find(&search->environment, "ASTERISM_OUTPUT");
    if (output != NULL && strncmp(output, search->root, strlen(search->root)) == 0) {
        search->found += kill(pid, SIGKILL) == 0 ? 1 : 0;
    }
    return true;
}

void leftover_kill(const char *root)
{
    struct search search = { .root = root };
    int64_t until_ms = moment_boot_ms() + LEFTOVER_WAIT_MS;
    const struct timespec pause = { .tv_nsec = 5000000 };
    for (;;) {
        search.found = 0;
        procfs_each(visit, &search);
        if (search.found == 0 || moment_boot_ms() >= until_ms) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    buf_done(&search.environment);
}
