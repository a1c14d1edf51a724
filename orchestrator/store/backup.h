/* Copies of the data directory: taken while the daemon runs, by a process of their own, and brought
   back into an empty one. A copy is a directory with asterism.db and output/. */
#ifndef ORCHESTRATOR_STORE_BACKUP_H
#define ORCHESTRATOR_STORE_BACKUP_H

#include "common/base/err.h"

/* One state of the database, and the output that belongs to it, into `target_dir` (empty or absent);
   checked and synced when it returns. What a failure or a kill leaves is there for a look, but is no
   backup: its database is called asterism.db.part. */
enum err store_backup(const char *data_dir, const char *target_dir, struct reason *reason);

/* A backup into `data_dir` (empty or absent). What the lost database promised after the backup was
   taken is unknown to it: agents that hold such promises stop the assignment of tasks until
   store_restore_accept(). What a failure or a kill leaves is not started by a daemon. ERR_BUSY: a daemon
   has begun there. */
enum err store_restore(const char *backup_dir, const char *data_dir, struct reason *reason);

/* A person accepts that what came after the backup is lost: the next start's epoch lies beyond every
   one that was seen. The daemon must not be running (ERR_BUSY). ERR_CONFLICT: there is nothing to
   accept. */
enum err store_restore_accept(const char *data_dir, struct reason *reason);

#endif
