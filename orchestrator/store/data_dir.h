/* The data directory: made, and held by one process at a time. What lies in it: asterism.db (and its
   -wal and -shm), output/, lock, backup.lock. */
#ifndef ORCHESTRATOR_STORE_DATA_DIR_H
#define ORCHESTRATOR_STORE_DATA_DIR_H

#include <stdbool.h>

#include "common/base/err.h"

enum err data_dir_make(const char *data_dir, struct reason *reason); /* 0700, with its parents */
/* ERR_BUSY names the process that holds it. The lock lasts until *ret_fd is closed. */
enum err data_dir_lock(const char *data_dir, int *ret_fd, struct reason *reason);
/* True also for one that is not there. */
enum err data_dir_is_empty(const char *path, bool *ret_is_empty, struct reason *reason);
/* A file's bytes, or a directory's entries: on the disk afterwards. */
enum err data_dir_sync(const char *path, struct reason *reason);

/* A backup holds this one, shared; the retention takes it before it removes what the copy needs. */
enum err data_dir_lock_backup(const char *data_dir, bool exclusive, int *ret_fd,
                              struct reason *reason);

#endif
