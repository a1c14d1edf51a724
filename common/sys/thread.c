#include "common/sys/thread.h"

#include <signal.h>

bool thread_start(pthread_t *ret_thread, void *(*run)(void *context), void *context)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool has_begun = pthread_create(&thread, NULL, run, context) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (has_begun) {
        *ret_thread = thread;
    }
    return has_begun;
}
