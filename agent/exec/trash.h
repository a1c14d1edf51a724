/* What is to be removed: moved aside by one rename, and removed a few entries at a time, so that a
   task that leaves 400,000 files behind does not keep the agent out of its loop. What stands in the
   trash directory is all there is to know: after a kill the next start goes on with it. Links are
   not followed, mounts are not entered, read-only directories are opened up, and depth costs neither
   stack nor descriptors, because a directory that is not empty is moved up before it is emptied. */
#ifndef AGENT_EXEC_TRASH_H
#define AGENT_EXEC_TRASH_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct trash {
    int parent_fd;      /* borrowed */
    const char *place;  /* its name there; borrowed */
    int fd;             /* the directory; its names are numbers */
    DIR *top;           /* the pass over it that is under way; NULL: none */
    DIR *branch;        /* the one of its directories that is being emptied; NULL: none */
    char name[256];     /* of that one */
    uint64_t next_name; /* names may be taken: then the next is tried */
    bool has_removed;   /* something, in this pass */
    bool is_done;       /* the last pass removed nothing: empty, or nothing but what has to stay */
};

/* NAME below parent_fd is made if it is missing, also later. ERR_IO with errno. */
enum err trash_open(struct trash *trash, int parent_fd, const char *name);
/* What is still in it stays for the next time. Also of a zeroed one. */
void trash_close(struct trash *trash);

/* Removes NAME, whatever it is: at once if that is one step, else by moving it into the trash.
   False: it stands there yet (a mount, another user's). */
bool trash_add(struct trash *trash, int parent_fd, const char *name);

/* Looks at and removes at most `steps` entries. True: there is more to do. */
bool trash_remove(struct trash *trash, unsigned steps);

#endif
