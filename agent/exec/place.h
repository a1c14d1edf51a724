/* Where attempts live on disk: FENCE/{work,stdout,stderr,output} below one directory. Only numbers
   make paths, and no path that a task could have put a link into is ever followed.

   Making and removing two directories costs a third of what a small process costs, so the place of
   an attempt that left nothing in it becomes the place of a later one by renaming. */
#ifndef AGENT_EXEC_PLACE_H
#define AGENT_EXEC_PLACE_H

#include "common/base/err.h"
#include "proto/msg/msg.h"

enum { PLACE_SPARES_MAX = 64 };

struct place {
    int root_fd;
    char *root;                        /* absolute, without links, a slash behind it */
    uint64_t spares[PLACE_SPARES_MAX]; /* names of empty places that belong to nobody */
    size_t spares_count;
};

/* Makes `directory` if it is missing (not its parents). */
enum err place_open(struct place *place, const char *directory, struct reason *reason);
void place_close(struct place *place);

/* FENCE and FENCE/work, empty. */
enum err place_make(struct place *place, uint64_t fence, struct reason *reason);
/* The attempt has ended and wrote neither output nor a value: keep its place for another if it is
   as it was made. True: nothing stands there any more. */
bool place_recycle(struct place *place, uint64_t fence);

/* The file to append a stream to, made anew. -1: errno says why. */
int place_create_spool(const struct place *place, uint64_t fence, enum stream stream);
/* -1 with errno. Only ever a regular file: ENXIO if it is something else. */
int place_open_spool(const struct place *place, uint64_t fence, enum stream stream);
int place_open_output(const struct place *place, uint64_t fence);
bool place_exists(const struct place *place, uint64_t fence);

void place_remove(struct place *place, uint64_t fence);
/* Removes every entry for which `is_kept` says false. It is asked about numbers only. */
void place_remove_others(struct place *place, bool (*is_kept)(void *context, uint64_t fence),
                         void *context);

#endif
