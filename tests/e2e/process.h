/* The real programs as children of a test: started with their output in files, waited for with a
   bound, killed by pid only. A child dies with the test, however that ends. */
#ifndef TESTS_E2E_PROCESS_H
#define TESTS_E2E_PROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;          /* 0: not running */
    int status;         /* of waitpid, once it has ended */
    char out[PATH_MAX]; /* its stdout; "": as err */
    char err[PATH_MAX];
};

/* argv ends with NULL; argv[0] is a path. `setting` is NAME=VALUE for its environment, or NULL. The
   files are appended to. */
void process_start(struct process *process, const char *const *argv, const char *setting);
/* True if it has ended by now; reaps it. */
bool process_has_ended(struct process *process);
bool process_wait(struct process *process, int64_t limit_ms);
/* Signals it and waits for its end, at most so long; false if it goes on. */
bool process_end(struct process *process, int signal, int64_t limit_ms);
/* SIGKILL, reaped. Nothing if it is not running. */
void process_kill(struct process *process);
/* The exit code, or 256 + the signal that ended it. */
int process_code(const struct process *process);

bool pid_is_alive(pid_t pid); /* a zombie is not */

int64_t now_ms(void);
/* Between two looks at a condition that another process makes true. */
void look_again(void);

/* Waits until `condition` is true; fails the test at the line if that takes longer. Whatever is tried
   is tried often, and the limit is never reached when all is well. */
#define EVENTUALLY(limit_ms, condition)                                                            \
    do {                                                                                           \
        int64_t eventually_end = now_ms() + (limit_ms);                                            \
        while (!(condition)) {                                                                     \
            if (now_ms() > eventually_end) {                                                       \
                fail_msg("not within %lld ms: %s", (long long)(limit_ms), #condition);             \
            }                                                                                      \
            look_again();                                                                          \
        }                                                                                          \
    } while (0)

#endif
