/* The addresses of a name, looked up without blocking the loop (libwebsockets itself would block).
 */
#ifndef COMMON_NET_LOOKUP_H
#define COMMON_NET_LOOKUP_H

struct lookup;
struct nest;

enum { LOOKUP_ADDRESSES_MAX = 8, LOOKUP_ADDRESS_BYTES = 48 };

struct lookup_result {
    unsigned count; /* 0: the reason is in `error` */
    char addresses[LOOKUP_ADDRESSES_MAX][LOOKUP_ADDRESS_BYTES];
    const char *error;
};

/* Calls back once from inside the loop, unless it is cancelled. The result is borrowed. */
struct lookup *lookup_start(struct nest *nest, const char *host,
                            void (*done)(void *context, const struct lookup_result *result),
                            void *context);
void lookup_cancel(struct lookup *lookup); /* NULL is fine; no callback follows */

#endif
