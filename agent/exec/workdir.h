/* The work directories of attempts: NUMBER and NUMBER/work, below one directory. One that an attempt
   has left exactly as it found it is given to a later one, because making and removing two
   directories costs a third of what a small process costs. What "exactly" means:

   Whatever is done to a directory (an entry, its mode, owner, attributes, its name) gives it a new
   time of change. So one whose imprint still holds is as it was, if that time lay in the past when it
   was handed out: the clock of a file system ticks every few milliseconds, and what was done in the
   same tick would not show. Where the clock may be another machine's, after a change, and where the
   tick is the same, the directory itself is looked at.

   One that comes back is listened to as well (watch.h), so that it need not be looked at again when it is
   taken, nor NUMBER when the attempt ends; NUMBER/work always is, for what cannot be heard. */
#ifndef AGENT_EXEC_WORKDIR_H
#define AGENT_EXEC_WORKDIR_H

#include <stddef.h>

#include "agent/exec/trash.h"
#include "agent/exec/watch.h"
#include "common/base/map.h"

enum {
    WORKDIR_IDLE_MAX = 256,
    WORKDIR_NAME_BYTES = 32,
};

/* A directory at a moment when it was known to be empty, and ours. */
struct imprint {
    uint64_t inode;
    uint64_t device;
    uint64_t mount; /* 0 where the kernel does not say */
    uint64_t bytes; /* one that held many entries stays large */
    int64_t changed_s;
    uint32_t changed_ns;
    uint32_t mode;
    uint32_t user;
    uint32_t group;
    /* Looked at only where the rest proves nothing. */
    int flags;             /* those that users may set, such as "immutable" */
    long attributes_bytes; /* of the names of its extended attributes; -1: it cannot have any */
};

struct workdir {
    uint64_t number;
    char outer_name[WORKDIR_NAME_BYTES]; /* NUMBER */
    char inner_name[WORKDIR_NAME_BYTES]; /* NUMBER/work */
    struct imprint outer;                /* of NUMBER */
    struct imprint inner;                /* of NUMBER/work */
    struct watch outer_watch;
    struct watch inner_watch;
    bool is_provable; /* any change since it was handed out, or kept, shows in its time of change */
    struct workdir *next_idle;
};

struct workdirs {
    int root_fd; /* borrowed */
    bool has_local_clock;
    struct watches watches;
    uint64_t next_number;
    struct map by_number; /* struct workdir, all of them */
    struct workdir *idle;
    size_t idle_count;
    bool
        has_lost; /* an idle one was not where it was made: perhaps somebody moved it to beside that */
};

void workdirs_init(struct workdirs *dirs, int root_fd);
/* Removes the idle ones. */
void workdirs_done(struct workdirs *dirs, struct trash *trash);

/* Makes one for those to come: the first attempts of an agent need not wait for it. False with errno; with 0
   if there are as many idle ones as may be. */
bool workdir_add(struct workdirs *dirs, struct trash *trash);
/* An empty one of its own: of one that is idle nothing was heard, or it is looked at once more, as something
   that an attempt has left running may have come back to it. NULL with errno. */
struct workdir *workdir_take(struct workdirs *dirs, struct trash *trash);
/* NUMBER itself, to go on from; never what a link that stands in its place leads to. -1 with errno:
   ENOTDIR if it is no directory any more. */
int workdir_open(const struct workdirs *dirs, const struct workdir *dir);
/* Nothing was put into or done to it: proven, and cheap. False: perhaps something was. */
bool workdir_is_untouched(struct workdirs *dirs, const struct workdir *dir);
/* Takes it for another attempt, if it is as new (or the caller has just seen that it is untouched).
   False: it is the caller's yet. */
bool workdir_keep_if_clean(struct workdirs *dirs, struct workdir *dir, bool is_untouched);
/* False: it or its work is not what was made; perhaps somebody moved it to beside where it stood. */
bool workdir_remove_take(struct workdirs *dirs, struct workdir *dir, struct trash *trash);

#endif
