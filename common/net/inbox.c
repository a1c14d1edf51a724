/* Putting a message together. A message that comes whole, as small ones do, is passed on without a
   copy. */
#include "common/net/inbox.h"

#include <libwebsockets.h>

#include "common/net/outbox.h"

enum inbox_state inbox_add(struct inbox *box, struct buf_pool *pool, struct lws *wsi,
                           struct str piece, size_t bytes_max, struct str *ret_message)
{
    if (!lws_frame_is_binary(wsi)) {
        return INBOX_TEXT;
    }
    /* What the frame announces counts too: refuse before it is sent. */
    size_t remaining = lws_remaining_packet_payload(wsi);
    size_t room = bytes_max > box->bytes.length ? bytes_max - box->bytes.length : 0;
    if (piece.length > room || remaining > room - piece.length) {
        return INBOX_TOO_LONG;
    }
    bool whole = lws_is_final_fragment(wsi) && remaining == 0;
    if (whole && box->bytes.length == 0) {
        *ret_message = piece;
        return INBOX_WHOLE;
    }
    if (box->bytes.data == NULL) {
        box->bytes = buf_pool_take(pool);
    }
    buf_append(&box->bytes, piece.data, piece.length);
    if (!whole) {
        return INBOX_PART;
    }
    *ret_message = (struct str){ (const char *)box->bytes.data, box->bytes.length };
    return INBOX_WHOLE;
}

void inbox_done(struct inbox *box, struct buf_pool *pool)
{
    if (box->bytes.data != NULL) {
        buf_pool_give(pool, &box->bytes);
    }
    box->bytes = (struct buf){ 0 };
}
