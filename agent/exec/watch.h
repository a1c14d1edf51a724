/* Hearing of what is done to directories, by inotify: to ask whether anything was done to any of many costs
   less than a look at one. Each is heard of once: that something was done, not what; so a task that does much
   in its directory is no burden.

   Not heard of: what is mounted over one, its flags (chattr), and what another machine does. */
#ifndef AGENT_EXEC_WATCH_H
#define AGENT_EXEC_WATCH_H

#include <stdbool.h>

#include "common/base/map.h"

/* Of one directory. It must stay where it is while it is set. */
struct watch {
    int number; /* 0: not set, or something was done */
};

struct watches {
    int fd;               /* -1: the system has none for us */
    struct map by_number; /* struct watch */
};

void watches_init(struct watches *watches);
/* Those that are set are not any more. Also of one whose fd is -1. */
void watches_done(struct watches *watches);

/* From now on it is heard of what is done to the entries, the rights, the attributes and the name of the
   directory NAME below root_fd. False if it is not, and no other from then on: the system has its limits. */
bool watch_set(struct watches *watches, struct watch *watch, int root_fd, const char *name);
void watch_unset(struct watches *watches, struct watch *watch); /* also twice */

/* Something was done until now: those are not set any more. */
void watches_hear(struct watches *watches);
/* It is set, and nothing was done until the last watches_hear. */
static inline bool watch_is_silent(const struct watch *watch)
{
    return watch->number != 0;
}

#endif
