/* A thread of its own for work that a loop must not wait for. */
#ifndef COMMON_SYS_THREAD_H
#define COMMON_SYS_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* All signals are blocked in it: they are the loop's. False: the system has no thread for us now. */
bool thread_start(pthread_t *ret_thread, void *(*run)(void *context), void *context);

#endif
