/* The checkpointer: moves what SQLite's log (asterism.db-wal) holds into the database, in a thread and on
   a connection of its own, so that the turns need not wait for it. Of a checkpoint only the end is the
   writer's: a thread never catches up with a writer that does not pause, and the log begins anew only
   when nothing is left of it. */
#ifndef ORCHESTRATOR_STORE_CHECKPOINT_H
#define ORCHESTRATOR_STORE_CHECKPOINT_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/err.h"

enum {
    CHECKPOINT_SOFT_FRAMES = 8000, /* the log is this much longer: the thread is asked */
    /* At most this is left, and what the last commit has added: the writer ends it within its turn. */
    CHECKPOINT_REST_FRAMES = 256,
    /* The thread does not keep up: the writer waits for it and does all that is left. */
    CHECKPOINT_HARD_FRAMES = 2 * CHECKPOINT_SOFT_FRAMES,
    /* No long read is begun beyond that (checkpointer_make_room()). */
    CHECKPOINT_READ_FRAMES = CHECKPOINT_HARD_FRAMES,
    CHECKPOINT_ROOM_MS_MAX = 3000,
};

struct checkpointer;

/* For the database at `path`, which `writer` has open in WAL mode and goes on to own; its automatic
   checkpoints end here. The thread is started when it is first needed. */
struct checkpointer *checkpointer_new(sqlite3 *writer, const char *path);

/* Waits for a checkpoint that runs. To be called before the writer's connection is closed. */
void checkpointer_free(struct checkpointer *self);

/* Until the thread has done what it was asked for. */
void checkpointer_wait(struct checkpointer *self);

/* After each commit of the writer. Fails when a checkpoint has failed since the last call: the disk cannot
   be trusted any more. */
enum err checkpointer_committed(struct checkpointer *self, struct reason *reason);

/* Before a long read, in its thread: `own` is its connection, without a transaction. A read holds the log
   where it is, and with one after the other it would never begin anew: so while it is long, this moves
   it, and waits for the writer to end it. False: not within CHECKPOINT_ROOM_MS_MAX, or `stop` has become true.
   With a writer that is idle it is true, since a read that finds all of the log moved does not hold it. */
bool checkpointer_make_room(struct checkpointer *self, sqlite3 *own, const atomic_bool *stop);
/* And after it: moves what it has held back, which would else be the writer's to wait for. */
void checkpointer_read_ended(struct checkpointer *self, sqlite3 *own);

#endif
