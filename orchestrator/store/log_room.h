/* The log's room: zeros that stand in SQLite's log (asterism.db-wal) beyond its last frame before they are
   needed. A commit that makes the file longer costs the file system a write of its own at each sync; one
   that writes over what is there does not. SQLite ignores them: a frame of zeros is none. */
#ifndef ORCHESTRATOR_STORE_LOG_ROOM_H
#define ORCHESTRATOR_STORE_LOG_ROOM_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    LOG_ROOM_FRAMES_MIN =
        128, /* a shorter log has none: most databases of a test, an idle daemon */
    /* At most so much at once, and never more than the log is long. A step is a sync more: with less than the
       least of them that would cost as much as it saves. */
    LOG_ROOM_STEP_BYTES_MAX = 4 * 1024 * 1024,
    LOG_ROOM_STEP_BYTES_MIN = 512 * 1024,
    LOG_ROOM_AIM_US = 8000, /* what a step may take: it is a part of a turn */
};

struct log_room {
    sqlite3 *writer;
    int64_t page_bytes;
    int64_t frames_max; /* no room beyond */
    int64_t end_bytes;  /* the file was this long when it was last looked at */
    int64_t step_bytes;
    bool is_refused; /* the disk is full: none until the log begins anew */
};

/* Of the database that `writer` has open in WAL mode. */
void log_room_init(struct log_room *room, sqlite3 *writer, int64_t frames_max);

/* By the writer, between two transactions: the log has `frames` frames, of which the last commit has
   written `added`. Without room for two such commits more is made. A disk without space for it is no
   failure; one that does not sync is. */
enum err log_room_keep(struct log_room *room, int frames, int added, struct reason *reason);

/* The log has begun anew. */
void log_room_again(struct log_room *room);

/* What the next step may write, after one of `step_bytes` took `took_us`. */
int64_t log_room_next_step(int64_t step_bytes, int64_t took_us);

#endif
