/* SQLite's own file system, with a watch on the writes into databases (not their logs): in WAL mode those
   are the checkpoints. Tells the thread that called watched_vfs_start() from all others. */
#ifndef TESTS_UNIT_WATCHED_VFS_H
#define TESTS_UNIT_WATCHED_VFS_H

#include <stdbool.h>
#include <stddef.h>

void watched_vfs_start(
    void); /* the default for what is opened from now on; nothing is counted yet */
void watched_vfs_stop(void);

/* For the writes of other threads. */
void watched_vfs_fail(bool fail);       /* as a broken disk does */
void watched_vfs_hold(bool hold);       /* they wait, until nobody holds them any more */
void watched_vfs_wait_for_others(void); /* until there is one, or one is held */
void watched_vfs_wait_for_held(void);   /* until one is */
void watched_vfs_let_one_pass(
    void); /* to the next sync of the database; from there on they wait again */

size_t watched_vfs_opened(void); /* databases */
size_t watched_vfs_own(void);    /* pages written by the thread that started; from 0 at each call */

#endif
