/* An agent inside the bench, without journal and executors: it speaks the protocol over a plain socket
   and waits in its calls, as the floor of a round trip does, so that what the daemon alone does can be
   timed at the socket. */
#ifndef TESTS_BENCH_FAKE_H
#define TESTS_BENCH_FAKE_H

#include <stddef.h>
#include <stdint.h>

struct fake;

/* Connects and speaks until Ready has been sent; NULL if nobody listens or the connection ends before.
   url: http://ADDRESS:PORT of an IPv4 address. */
struct fake *fake_dial(const char *url, const char *device, uint32_t slots);
void fake_free(struct fake *fake); /* closes */
/* Waits for the next Assign: the fence of its first task. Returns now_s() as its bytes had come. */
double fake_wait_assigned(struct fake *fake, uint64_t *ret_fence);
/* Says that it ended well, a noop's way: without Started. Returns now_s() as its bytes went out. */
double fake_finish(struct fake *fake, uint64_t fence);

#endif
