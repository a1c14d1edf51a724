/* Server-sent events out of a stream of bytes that comes in any pieces (WHATWG HTML, 9.2). */
#ifndef CLI_SSE_H
#define CLI_SSE_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/str.h"

enum { SSE_EVENT_BYTES_MAX = 256 * 1024 * 1024, SSE_NAME_BYTES_MAX = 64, SSE_ID_BYTES_MAX = 128 };

/* Zero-initialised but for the first two. */
struct sse {
    void (*event)(void *context, const char *name, struct str data);
    void *context;
    struct buf line;
    struct buf data;
    bool has_data;
    bool after_return; /* the last byte was a CR: a LF that follows belongs to it */
    bool started;      /* beyond a byte order mark */
    bool too_large;    /* the stream is to be dropped */
    char name[SSE_NAME_BYTES_MAX];
    char id[SSE_ID_BYTES_MAX];      /* of the last event that had one, for Last-Event-ID */
    char next_id[SSE_ID_BYTES_MAX]; /* of the event that is being read */
};

void sse_add(struct sse *sse, struct str bytes);
/* A new connection: what was half read is dropped, the id stays. */
void sse_restart(struct sse *sse);
void sse_done(struct sse *sse);

#endif
