/* One stream of a process: a pipe that the loop reads, spooled to a file up to a cap. Bytes, not
   text. The spool is for this machine and not synced: it survives our death, not the machine's. */
#ifndef AGENT_EXEC_STREAM_H
#define AGENT_EXEC_STREAM_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "agent/exec/place.h"

struct stream_reader {
    int pipe_fd;  /* read without blocking; -1: at its end, or not ours yet */
    int spool_fd; /* -1: nothing was written yet, or it cannot be */
    enum stream stream;
    uint64_t fence;
    struct place *place;
    uint64_t bytes; /* in the spool */
    uint64_t bytes_max;
    bool truncated;
    bool heard; /* set by every byte read, kept or not; the caller takes it back */
    struct event readable;
};

/* What was read of it elsewhere, before its pipe came here. True: as stream_read. */
bool stream_put(struct stream_reader *reader, struct str bytes);
/* Calls `callback` with `context` whenever there is something to read, if the pipe is open. */
void stream_watch(struct stream_reader *reader, struct event_base *base, event_callback_fn callback,
                  void *context);
/* Reads what is there, at most a bounded lot. True: the spool has grown, or something was dropped
   for the first time. At the end the pipe is closed: see pipe_fd. */
bool stream_read(struct stream_reader *reader);
/* As stream_read, until there is nothing to read, bounded by what a pipe can hold. */
bool stream_drain(struct stream_reader *reader);
void stream_close(struct stream_reader *reader); /* also twice */

#endif
