/* One WebSocket message being put together: libwebsockets hands it over in pieces of any size. */
#ifndef COMMON_NET_INBOX_H
#define COMMON_NET_INBOX_H

#include "common/base/buf.h"
#include "common/base/str.h"

struct buf_pool;
struct lws;

enum inbox_state {
    INBOX_PART,     /* more has to come */
    INBOX_WHOLE,    /* *ret_message is complete; valid until inbox_done */
    INBOX_TOO_LONG, /* past the limit: close with 1009 */
    INBOX_TEXT,     /* not a binary message: close with 1003 */
};

/* Zero-initialised is empty and ready. */
struct inbox {
    struct buf bytes;
};

/* Called from inside the receive callback. */
enum inbox_state inbox_add(struct inbox *box, struct buf_pool *pool, struct lws *wsi,
                           struct str piece, size_t bytes_max, struct str *ret_message);
/* Gives the memory back; empty again. */
void inbox_done(struct inbox *box, struct buf_pool *pool);

#endif
