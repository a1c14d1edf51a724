/* What a process has used, from /proc. */
#ifndef TESTS_BENCH_USAGE_H
#define TESTS_BENCH_USAGE_H

#include <sys/types.h>

double usage_private_bytes(pid_t pid); /* memory that is its own alone, resident */
double usage_cpu_s(pid_t pid);         /* of all its threads so far */

#endif
