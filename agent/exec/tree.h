/* Looking at and removing directories that a task had in its hands: links are not followed, read-only
   directories are opened up, and depth costs neither stack nor descriptors. */
#ifndef AGENT_EXEC_TREE_H
#define AGENT_EXEC_TREE_H

#include <stdbool.h>

/* Removes NAME, whatever it is. What cannot be removed (a mount, another user's) stays. */
void tree_remove(int parent_fd, const char *name);

/* NAME is a directory of ours with mode 0700 that holds just the one entry (NULL: nothing). */
bool tree_holds_only(int parent_fd, const char *name, const char *entry);

#endif
