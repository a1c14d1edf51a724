/* An agent inside the bench, without journal and executors: it speaks the protocol, so that what the
   daemon alone does can be timed at the socket. */
#ifndef TESTS_BENCH_FAKE_H
#define TESTS_BENCH_FAKE_H

#include "common/net/nest.h"
#include "proto/msg/msg.h"

struct fake;

struct fake_callbacks {
    void *context;
    void (*ready)(void *context, struct fake *fake); /* Ready has been sent */
    /* The tasks of one Assign. */
    void (*assigned)(void *context, struct fake *fake, const struct msg_assign *assign);
};

struct fake *fake_new(struct nest *nest, const char *url, const char *device, uint32_t slots,
                      const struct fake_callbacks *callbacks);
void fake_free(struct fake *fake); /* closes */
void fake_dial(struct fake *fake);
/* The last dial came to nothing, or the connection has been closed. */
bool fake_is_closed(const struct fake *fake);
/* Says that it ended well, a noop's way: without Started. */
void fake_finish(struct fake *fake, uint64_t fence);

#endif
