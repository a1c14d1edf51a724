#include "agent/exec/watch.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static const uint32_t changes =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

void watches_init(struct watches *watches)
{
    *watches = (struct watches){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC) };
}

static void give_up(struct watches *watches)
{
    size_t at = 0;
    uint64_t number;
    void *watch;
    while (map_each(&watches->by_number, &at, &number, &watch)) {
        ((struct watch *)watch)->number = 0;
    }
    map_done(&watches->by_number);
    if (watches->fd >= 0) {
        close(watches->fd);
    }
    *watches = (struct watches){ .fd = -1 };
}

void watches_done(struct watches *watches)
{
    give_up(watches);
}

bool watch_set(struct watches *watches, struct watch *watch, int root_fd, const char *name)
{
    if (watches->fd < 0) {
        return false;
    }
    watch_unset(watches, watch);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", root_fd, name);
    int number =
        inotify_add_watch(watches->fd, path, changes | IN_ONESHOT | IN_ONLYDIR | IN_DONT_FOLLOW);
    if (number <= 0 || map_get(&watches->by_number, (uint64_t)number) != NULL) {
        give_up(watches);
        return false;
    }
    watch->number = number;
    map_put(&watches->by_number, (uint64_t)number, watch);
    return true;
}

void watch_unset(struct watches *watches, struct watch *watch)
{
    if (watch->number != 0) {
        map_remove(&watches->by_number, (uint64_t)watch->number);
        (void)inotify_rm_watch(watches->fd, watch->number);
    }
    watch->number = 0;
}

static void fire(struct watches *watches, int number)
{
    struct watch *watch = map_remove(&watches->by_number, (uint64_t)number);
    if (watch != NULL) {
        watch->number = 0;
    }
}

void watches_hear(struct watches *watches)
{
    char data[4096];
    ssize_t length;
    while (watches->fd >= 0 && (length = read(watches->fd, data, sizeof data)) > 0) {
        for (size_t at = 0; at < (size_t)length;) {
            struct inotify_event event;
            memcpy(&event, data + at, sizeof event);
            at += sizeof event + event.len;
            if ((event.mask & IN_Q_OVERFLOW) != 0) {
                give_up(watches); /* some was lost: nothing is known of any */
                return;
            }
            fire(watches, event.wd);
        }
    }
}
