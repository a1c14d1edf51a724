/* One stream of one task's output, followed over attempts, cut connections and restarts without a
   byte twice or missing. What the task does is told from outside (its change stream). */
#ifndef CLI_TAIL_H
#define CLI_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/http.h"
#include "cli/tasks.h"

struct tail {
    struct http *http;
    struct tasks_name name;
    const char *stream; /* "stdout" or "stderr" */
    void (*sink)(void *context, struct tail *tail, struct str bytes);
    /* Told before the bytes of a second or later attempt; NULL: nobody wants to know. */
    void (*next_attempt)(void *context, struct tail *tail);
    void *context;
    int64_t attempt;  /* whose output is read; 0: none has begun */
    int64_t received; /* bytes of it */
    int64_t to_skip;  /* bytes that this connection repeats */
    bool open;
    bool is_rest;      /* the exchange fetches what a followed stream may have left out */
    int64_t rest_from; /* received before the exchange */
    bool ended;        /* all there is has been given */
    int64_t next_try_ms;
    int64_t pause_ms;
    int refused; /* an exit code */
    struct buf path;
    struct http_exchange exchange;
};

void tail_init(struct tail *tail, struct http *http, const struct tasks_name *name,
               const char *stream);
/* latest_attempt and is_final are what is known of the task now. Call after each http_poll(). */
void tail_step(struct tail *tail, int64_t latest_attempt, bool is_final);
void tail_done(struct tail *tail);

#endif
