/* What waits to be sent on one WebSocket, packed into frames of whole envelopes as it comes in, and
   the buffers that such queues lend each other, so that an idle connection holds none and a busy
   one does not allocate. */
#ifndef COMMON_NET_OUTBOX_H
#define COMMON_NET_OUTBOX_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/str.h"

enum { OUTBOX_FRAME_BYTES_MAX = 64 * 1024, BUF_POOL_COUNT_MAX = 16 };

/* Empty buffers that keep their memory. Zero-initialised is ready. */
struct buf_pool {
    struct buf spare[BUF_POOL_COUNT_MAX];
    unsigned count;
};

struct buf buf_pool_take(struct buf_pool *pool);
void buf_pool_give(struct buf_pool *pool, struct buf *buf); /* `buf` is empty after it */
void buf_pool_done(struct buf_pool *pool);

/* Zero-initialised is empty and ready. */
struct outbox {
    struct buf bytes; /* room for the frame's header, then what waits */
    size_t sent;      /* where in `bytes` the first waiting byte stands */
    struct buf cuts;  /* the lengths of the frames that are full, as uint32_t */
    size_t cuts_sent;
    size_t open_bytes; /* the last frame, which still takes more */
};

/* Whole envelopes; they stay together in one frame. */
void outbox_append(struct outbox *box, struct buf_pool *pool, struct str envelopes);
size_t outbox_queued(const struct outbox *box);
/* The next frame, with writable room for its header before it; false if nothing waits. */
bool outbox_next(struct outbox *box, uint8_t **ret_frame, size_t *ret_bytes);
/* What outbox_next gave has been handed over. */
void outbox_advance(struct outbox *box, struct buf_pool *pool);
void outbox_done(struct outbox *box, struct buf_pool *pool);

#endif
