#include "common/sys/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *to, size_t bytes)
{
    unsigned char *at = to;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            /* Going on with bytes that can be guessed would be worse than not going on. */
            fprintf(stderr, "no random bytes: %s\n", strerror(errno));
            abort();
        }
        at += got;
        bytes -= (size_t)got;
    }
}

uint64_t random_uint64(void)
{
    uint64_t value = 0;
    random_bytes(&value, sizeof value);
    return value;
}
