/* A TCP proxy between agents and the daemon, in a thread of the test, which cuts connections as bad
   networks do. */
#ifndef TESTS_E2E_PROXY_H
#define TESTS_E2E_PROXY_H

#include <stdint.h>

enum proxy_cut {
    PROXY_RESET, /* RST to both sides, whatever is under way is lost */
    PROXY_FIN,   /* an orderly end */
    PROXY_STALL, /* open, but nothing goes through any more in either direction */
    PROXY_PART,  /* some bytes of what comes next, in the middle of a frame, then RST */
    PROXY_CUTS,
};

struct proxy;

/* Listens on a free port of 127.0.0.1 and passes connections on to `port` there. */
struct proxy *proxy_new(unsigned port);
void proxy_free(struct proxy *proxy); /* NULL is fine */
unsigned proxy_port(const struct proxy *proxy);
/* All connections that are open, each with this fate; which of them `random` chooses (bit by bit). */
void proxy_cut(struct proxy *proxy, enum proxy_cut how, uint64_t random);
/* Connections that were cut so far. */
unsigned proxy_cuts(struct proxy *proxy);
/* The port to which new connections go. */
void proxy_retarget(struct proxy *proxy, unsigned port);

#endif
