/* The queue of one WebSocket. Frames are cut while appending: a frame is full when the next
   envelopes would take it past 64 KiB, so only full frames need a mark and a message costs one
   copy. */
#include "common/net/outbox.h"

#include <libwebsockets.h>
#include <string.h>

#include "common/base/check.h"

enum { POOLED_BYTES_MAX = 256 * 1024 };

struct buf buf_pool_take(struct buf_pool *pool)
{
    if (pool->count == 0) {
        return (struct buf){ 0 };
    }
    pool->count--;
    return pool->spare[pool->count];
}

void buf_pool_give(struct buf_pool *pool, struct buf *buf)
{
    if (pool->count < BUF_POOL_COUNT_MAX && buf->capacity > 0 &&
        buf->capacity <= POOLED_BYTES_MAX) {
        buf_clear(buf);
        pool->spare[pool->count] = *buf;
        pool->count++;
        *buf = (struct buf){ 0 };
        return;
    }
    buf_done(buf);
}

void buf_pool_done(struct buf_pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++) {
        buf_done(&pool->spare[i]);
    }
    pool->count = 0;
}

size_t outbox_queued(const struct outbox *box)
{
    return box->bytes.length - box->sent;
}

/* Moves what waits to the front when the sent half is the larger one: each byte moves at most once
   for a byte that was sent. */
static void compact(struct outbox *box)
{
    size_t queued = outbox_queued(box);
    if (box->sent - LWS_PRE < queued) {
        return;
    }
    memmove(box->bytes.data + LWS_PRE, box->bytes.data + box->sent, queued);
    box->sent = LWS_PRE;
    box->bytes.length = LWS_PRE + queued;
}

void outbox_append(struct outbox *box, struct buf_pool *pool, struct str envelopes)
{
    if (envelopes.length == 0) {
        return;
    }
    if (box->bytes.data == NULL) {
        box->bytes = buf_pool_take(pool);
        buf_reserve(&box->bytes, LWS_PRE);
        box->bytes.length = LWS_PRE;
        box->sent = LWS_PRE;
    }
    CHECK(envelopes.length <= UINT32_MAX);
    if (box->open_bytes > 0 && box->open_bytes + envelopes.length > OUTBOX_FRAME_BYTES_MAX) {
        uint32_t cut = (uint32_t)box->open_bytes;
        buf_append(&box->cuts, &cut, sizeof cut);
        box->open_bytes = 0;
    }
    if (box->bytes.length + envelopes.length > box->bytes.capacity) {
        compact(box);
    }
    buf_append(&box->bytes, envelopes.data, envelopes.length);
    box->open_bytes += envelopes.length;
}

bool outbox_next(struct outbox *box, uint8_t **ret_frame, size_t *ret_bytes)
{
    size_t bytes = box->open_bytes;
    if (box->cuts_sent < box->cuts.length) {
        uint32_t cut;
        memcpy(&cut, box->cuts.data + box->cuts_sent, sizeof cut);
        bytes = cut;
    }
    if (bytes == 0) {
        return false;
    }
    *ret_frame = box->bytes.data + box->sent;
    *ret_bytes = bytes;
    return true;
}

void outbox_advance(struct outbox *box, struct buf_pool *pool)
{
    if (box->cuts_sent < box->cuts.length) {
        uint32_t cut;
        memcpy(&cut, box->cuts.data + box->cuts_sent, sizeof cut);
        box->cuts_sent += sizeof cut;
        box->sent += cut;
    } else {
        box->sent += box->open_bytes;
        box->open_bytes = 0;
    }
    if (box->cuts_sent == box->cuts.length && box->cuts.length > 0) {
        buf_done(&box->cuts);
        box->cuts_sent = 0;
    }
    if (outbox_queued(box) == 0) {
        outbox_done(box, pool);
    }
}

void outbox_done(struct outbox *box, struct buf_pool *pool)
{
    if (box->bytes.data != NULL) {
        buf_pool_give(pool, &box->bytes);
    }
    buf_done(&box->cuts);
    *box = (struct outbox){ 0 };
}
