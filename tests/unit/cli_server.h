/* A daemon of a few lines for tests of the command line: it answers one connection after the other as a
   script says, and keeps what it was asked. */
#ifndef TESTS_UNIT_CLI_SERVER_H
#define TESTS_UNIT_CLI_SERVER_H

#include <pthread.h>
#include <stddef.h>

#include "common/base/buf.h"

enum { STEPS_MAX = 8 };

struct server {
    int fd;
    pthread_t thread;
    const char *const *answers; /* one a connection; "" cuts it */
    size_t answers_count;
    struct buf requests[STEPS_MAX];
    char url[64];
};

void server_start(struct server *server, const char *const *answers, size_t count);
void server_stop(struct server *server);

#endif
