/* The program's one timer: a timerfd on CLOCK_BOOTTIME. The loops' own timers stand still while the
   machine is suspended, so that a deadline would come late by the length of the sleep. */
#include "common/net/nest.h"

#include <event2/event.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mem.h"

struct nest_timer {
    int fd;
    struct event *event;
    void (*callback)(void *context);
    void *context;
};

static void expired(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct nest_timer *timer = context;
    uint64_t count;
    /* EAGAIN: it was armed anew between the wakeup and here; the new time has not come. */
    if (read(fd, &count, sizeof count) == (ssize_t)sizeof count) {
        timer->callback(timer->context);
    }
}

struct nest_timer *nest_timer_new(struct nest *nest, void (*callback)(void *context), void *context)
{
    struct nest_timer *timer = mem_alloc(sizeof *timer);
    timer->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(timer->fd >= 0);
    timer->callback = callback;
    timer->context = context;
    timer->event = event_new(nest_base(nest), timer->fd, EV_READ | EV_PERSIST, expired, timer);
    CHECK(timer->event != NULL && event_add(timer->event, NULL) == 0);
    return timer;
}

void nest_timer_arm(struct nest_timer *timer, int64_t boot_ms)
{
    struct itimerspec when = { { 0, 0 }, { 0, 0 } }; /* all zero disarms */
    if (boot_ms != INT64_MAX) {
        /* A time that has passed fires at once; zero itself would disarm. */
        int64_t at_ms = boot_ms > 0 ? boot_ms : 1;
        when.it_value.tv_sec = at_ms / 1000;
        when.it_value.tv_nsec = (at_ms % 1000) * 1000000;
    }
    CHECK(timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

void nest_timer_free(struct nest_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    event_free(timer->event);
    close(timer->fd);
    mem_free(timer);
}
