/* Reading the database in a thread of its own, on a connection of its own: a snapshot is the database at
   one instant, however long it is read and whatever is committed meanwhile, and the writer does not wait
   for it. All that reads a store reads a snapshot too; nothing can be written to one.

   A snapshot holds SQLite's log: while it lives the log cannot begin anew. So its life is bounded, and
   while the log is long none is begun. Floor 2. */
#ifndef ORCHESTRATOR_STORE_READER_H
#define ORCHESTRATOR_STORE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum { READER_SNAPSHOT_MS_MAX = 5000 };

struct reader;
struct store;

/* For the database that `writer` writes, made by store_sqlite_open(). Nothing is opened yet. To be freed
   before the writer, when no thread reads any more. */
struct reader *reader_new(struct store *writer);
void reader_free(struct reader *self);

/* The next two are for the one thread that reads. What has been committed before the call is in the
   snapshot, and nothing later. ERR_BUSY: not now, try again. ERR_TIMEOUT: interrupted. From then on a read
   that takes too long, or is interrupted, ends with ERR_TIMEOUT. */
enum err reader_begin(struct reader *self, struct store **ret_snapshot, struct reason *reason);
/* Whether that is so by now. Who goes through much between two reads asks: nothing else ends it. */
bool reader_is_over(const struct reader *self);
/* As soon as the rows have been read: fine if there is no snapshot (any more). */
void reader_end(struct reader *self);

/* From any thread: what is being read ends with ERR_TIMEOUT, and so does what is begun until this is
   taken back. */
void reader_interrupt(struct reader *self, bool interrupt);

/* For tests that do not wait. */
void reader_set_snapshot_ms(struct reader *self, int64_t snapshot_ms_max);

#endif
