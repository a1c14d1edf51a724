/* See cores.h. */
#include "tests/bench/cores.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"

static const cpu_set_t *all(void)
{
    static cpu_set_t set;
    static bool is_known;
    if (!is_known && sched_getaffinity(0, sizeof set, &set) != 0) {
        bench_die("this process does not know its cores");
    }
    is_known = true;
    return &set;
}

size_t cores_list(int *ret_cores, size_t max)
{
    size_t count = 0;
    for (int core = 0; core < CPU_SETSIZE && count < max; core++) {
        if (CPU_ISSET((size_t)core, all())) {
            ret_cores[count++] = core;
        }
    }
    return count;
}

void cores_let_go(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL) {
        bench_die("cannot read %s", path);
    }
    for (const struct dirent *thread = readdir(threads); thread != NULL;
         thread = readdir(threads)) {
        long id = strtol(thread->d_name, NULL, 10);
        if (id > 0) {
            sched_setaffinity((pid_t)id, sizeof *all(), all()); /* it may have ended */
        }
    }
    closedir(threads);
}

void cores_put(pid_t pid, int core)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)core, &one);
    cores_let_go(pid);
    if (sched_setaffinity(pid, sizeof one, &one) != 0) {
        bench_die("process %d cannot be put on core %d", (int)pid, core);
    }
}
