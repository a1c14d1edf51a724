/* The checkpointer: moves what SQLite's log (asterism.db-wal) holds into the database, in a thread and on
   a connection of its own, so that the turns need not wait for it. Of a checkpoint only the end is the
   writer's: a thread never catches up with a writer that does not pause, and the log begins anew only
   when nothing is left of it. */
#ifndef ORCHESTRATOR_STORE_CHECKPOINT_H
#define ORCHESTRATOR_STORE_CHECKPOINT_H

#include <sqlite3.h>

#include "common/base/err.h"

enum {
    CHECKPOINT_SOFT_FRAMES = 8000, /* the log is this much longer: the thread is asked */
    CHECKPOINT_REST_FRAMES = 256,  /* at most this is left: the writer ends it within its turn */
    /* The thread does not keep up: the writer waits for it and does all that is left. */
    CHECKPOINT_HARD_FRAMES = 2 * CHECKPOINT_SOFT_FRAMES,
};

struct checkpointer;

/* For the database at `path`, which `writer` has open in WAL mode and goes on to own; its automatic
   checkpoints end here. The thread is started when it is first needed. */
struct checkpointer *checkpointer_new(sqlite3 *writer, const char *path);

/* Waits for a checkpoint that runs. To be called before the writer's connection is closed. */
void checkpointer_free(struct checkpointer *self);

/* After each commit of the writer. Fails when a checkpoint has failed since the last call: the disk cannot
   be trusted any more. */
enum err checkpointer_committed(struct checkpointer *self, struct reason *reason);

#endif
