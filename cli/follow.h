/* One event stream, followed for ever: a cut connection, a restarted daemon or a 503 is waited out
   and said once. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/http.h"
#include "cli/sse.h"

struct follow {
    struct http *http;
    char path[HTTP_URL_BYTES_MAX];
    struct sse sse;
    struct http_exchange exchange;
    bool open;      /* an exchange was begun and its end was not yet looked at */
    bool connected; /* bytes came over it */
    bool lost_said; /* on stderr, since the last time that it stood */
    int64_t next_try_ms;
    int64_t pause_ms;
    int refused; /* an exit code: the daemon said no for good, and stderr why */
};

void follow_init(struct follow *follow, struct http *http, const char *path,
                 void (*event)(void *context, const char *name, struct str data), void *context);
/* Connects when it is time to, and looks whether the stream has ended. Call it after each
   http_poll(). */
void follow_step(struct follow *follow);
/* How long http_poll() may wait at most, given that it wants to wait no longer than `longest_ms`. */
int follow_wait_ms(const struct follow *follow, int longest_ms);
void follow_done(struct follow *follow);

/* On stderr, of an exchange that was answered by nobody, or by a daemon that does not serve now. */
void follow_say_lost(const struct http *http, const struct http_exchange *exchange);
/* The next pause after a failure: doubles up to 5 s, less a part by chance. */
int64_t follow_pause(int64_t *pause_ms);

#endif
