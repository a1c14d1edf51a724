/* Which core a program runs on, for figures that depend on it. */
#ifndef TESTS_BENCH_CORES_H
#define TESTS_BENCH_CORES_H

#include <stddef.h>
#include <sys/types.h>

/* Those that this process may use, at most `max` of them: how many. */
size_t cores_list(int *ret_cores, size_t max);
/* The first thread of the process stays on this core from now on, and what it begins; the other threads
   that it has go where they like. */
void cores_put(pid_t pid, int core);
/* All of it goes where it likes. */
void cores_let_go(pid_t pid);

#endif
