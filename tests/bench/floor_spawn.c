/* The floor of processes: how fast one or two processes can start /bin/true, one after the other. */
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "tests/bench/floors.h"

enum { PROCESSES_MAX = 16 };

static void do_spawn(size_t starts)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char name[] = "true";
    char *argv[] = { name, NULL };
    char path[] = "PATH=/usr/bin:/bin";
    char *environment[] = { path, NULL };
    for (size_t i = 0; i < starts; i++) {
        pid_t child = 0;
        if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environment) != 0) {
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
    _exit(0);
}

double floor_spawn(size_t processes, size_t starts)
{
    pid_t workers[PROCESSES_MAX];
    CHECK(processes > 0 && processes <= PROCESSES_MAX);
    size_t starts_each = starts / processes;
    double began = now_s();
    for (size_t i = 0; i < processes; i++) {
        workers[i] = fork();
        if (workers[i] == 0) {
            do_spawn(starts_each);
        }
    }
    for (size_t i = 0; i < processes; i++) {
        int status = 0;
        if (workers[i] < 0 || waitpid(workers[i], &status, 0) < 0 || status != 0) {
            bench_die("/bin/true cannot be started");
        }
    }
    return (double)(starts_each * processes) / (now_s() - began);
}
