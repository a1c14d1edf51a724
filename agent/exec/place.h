/* Where attempts live on disk, below one directory: NUMBER/{work,output} belongs to the attempt that
   runs in it (workdir.h), FENCE.stdout and FENCE.stderr are its spools, trash is what is being
   removed (trash.h). Only numbers make paths, and no path that a task could have put a link into is
   ever followed. */
#ifndef AGENT_EXEC_PLACE_H
#define AGENT_EXEC_PLACE_H

#include "agent/exec/trash.h"
#include "agent/exec/workdir.h"
#include "common/base/err.h"
#include "common/base/map.h"
#include "proto/msg/msg.h"

struct place {
    int root_fd;
    char *root; /* absolute, without links, a slash behind it */
    struct workdirs workdirs;
    struct trash trash;
    struct map traces; /* struct trace by fence: what stands there of an attempt */
    size_t spares;     /* so many directories are to be there before attempts ask for them */
    bool has_strays;   /* a task moved its directory: it may stand where nobody looks */
};

/* Makes `directory` if it is missing (not its parents). */
enum err place_open(struct place *place, const char *directory, struct reason *reason);
/* What is in the trash is removed, as far as that can be done in a second. */
void place_close(struct place *place);

/* A work directory for the attempt, empty. */
enum err place_make(struct place *place, uint64_t fence, struct reason *reason);
/* Its number: NUMBER/work and NUMBER/output are the attempt's. */
uint64_t place_number(const struct place *place, uint64_t fence);
/* The attempt has ended. One that put out nothing and left its directory as it was gives it back at
   once; for any other it stands until place_remove. may_be_reused is false if a process of the
   attempt may live yet. */
void place_leave(struct place *place, uint64_t fence, bool may_be_reused);

/* The file to append a stream to, made anew. -1: errno says why. */
int place_create_spool(struct place *place, uint64_t fence, enum stream stream);
/* -1 with errno. Only ever a regular file: ENXIO if it is something else. */
int place_open_spool(const struct place *place, uint64_t fence, enum stream stream);
/* After its end. */
int place_open_output(struct place *place, uint64_t fence);
bool place_exists(const struct place *place, uint64_t fence);

void place_remove(struct place *place, uint64_t fence);
/* Removes all that belongs to no attempt for which `is_kept` says true. NULL: to none that is known;
   that is for what a task put beside its own directory. */
void place_remove_others(struct place *place, bool (*is_kept)(void *context, uint64_t fence),
                         void *context);
/* There is something to remove, or a directory to make ahead. place_tidy goes on with it, a bounded step. */
bool place_is_untidy(const struct place *place);
void place_tidy(struct place *place);
/* The disk is full. True: something was removed, it is worth trying again. */
bool place_make_room(struct place *place);

#endif
