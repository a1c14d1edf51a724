/* The two clocks that the helper and the executors read. */
#ifndef AGENT_EXEC_MOMENT_H
#define AGENT_EXEC_MOMENT_H

#include <stdint.h>
#include <time.h>

static inline int64_t moment_of(clockid_t clock)
{
    struct timespec now = { 0 };
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Since the machine started, suspend included: for spans. */
static inline int64_t moment_boot_ms(void)
{
    return moment_of(CLOCK_BOOTTIME);
}

/* Since 1970: for people. */
static inline int64_t moment_wall_ms(void)
{
    return moment_of(CLOCK_REALTIME);
}

#endif
