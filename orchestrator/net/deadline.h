/* Time limits of one length for many connections: kept in the order of their start, so that
   starting, stopping and finding the next one cost the same for any number. */
#ifndef ORCHESTRATOR_NET_DEADLINE_H
#define ORCHESTRATOR_NET_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadlines;
struct event;
struct event_base;

/* Zero-initialised is stopped. */
struct deadline {
    struct deadlines *list; /* NULL: not running */
    struct deadline *next;
    struct deadline *previous;
    int64_t at_ms;
};

struct deadlines {
    int64_t length_ms;
    struct deadline *first;
    struct deadline *last;
    struct event *timer;
    void (*expired)(struct deadline *deadline); /* it has been stopped before the call */
};

void deadlines_init(struct deadlines *list, struct event_base *base, int64_t length_ms,
                    void (*expired)(struct deadline *deadline));
void deadlines_done(struct deadlines *list);
void deadline_start(struct deadline *deadline, struct deadlines *list); /* or start over */
void deadline_stop(struct deadline *deadline);

#endif
