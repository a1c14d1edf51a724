/* Time limits: a queue and one timer of the loop. */
#include "orchestrator/net/deadline.h"

#include <event2/event.h>
#include <stddef.h>
#include <time.h>

#include "common/base/check.h"

static int64_t now_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void arm(struct deadlines *list, int64_t now)
{
    int64_t left_ms = list->first->at_ms - now;
    if (left_ms < 1) {
        left_ms = 1;
    }
    struct timeval timeout = { left_ms / 1000, (left_ms % 1000) * 1000 };
    event_add(list->timer, &timeout);
}

static void ring(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct deadlines *list = context;
    int64_t now = now_ms();
    while (list->first != NULL && list->first->at_ms <= now) {
        struct deadline *deadline = list->first;
        deadline_stop(deadline);
        list->expired(deadline);
    }
    if (list->first != NULL) {
        arm(list, now);
    }
}

void deadlines_init(struct deadlines *list, struct event_base *base, int64_t length_ms,
                    void (*expired)(struct deadline *deadline))
{
    *list = (struct deadlines){ .length_ms = length_ms, .expired = expired };
    list->timer = event_new(base, -1, 0, ring, list);
    CHECK(list->timer != NULL);
}

void deadlines_done(struct deadlines *list)
{
    if (list->timer != NULL) {
        CHECK(list->first == NULL);
        event_free(list->timer);
        list->timer = NULL;
    }
}

void deadline_start(struct deadline *deadline, struct deadlines *list)
{
    deadline_stop(deadline);
    int64_t now = now_ms();
    deadline->list = list;
    deadline->at_ms = now + list->length_ms;
    deadline->previous = list->last;
    deadline->next = NULL;
    if (list->last != NULL) {
        list->last->next = deadline;
        list->last = deadline;
        return; /* the timer is set for an earlier one */
    }
    list->first = deadline;
    list->last = deadline;
    arm(list, now);
}

/* Leaves the timer alone: if it rings for nothing, it finds the next one. */
void deadline_stop(struct deadline *deadline)
{
    struct deadlines *list = deadline->list;
    if (list == NULL) {
        return;
    }
    if (deadline->previous == NULL) {
        list->first = deadline->next;
    } else {
        deadline->previous->next = deadline->next;
    }
    if (deadline->next == NULL) {
        list->last = deadline->previous;
    } else {
        deadline->next->previous = deadline->previous;
    }
    deadline->list = NULL;
    deadline->next = NULL;
    deadline->previous = NULL;
}
