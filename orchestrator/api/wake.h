/* Constellations that have ended, on their way back to the engine because somebody wants to change them:
   each comes a slice a turn, and all requests for it wait for the one load. When it is whole they are run
   in one turn, and it goes again with that turn if nothing has come of them. */
#ifndef ORCHESTRATOR_API_WAKE_H
#define ORCHESTRATOR_API_WAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    WAKES_MAX = 16,    /* constellations on their way at a time; 503 above */
    WAKE_SLICE = 1024, /* rows that one turn reads for all of them */
};

struct api;
struct job;
struct wake;

/* Zero-initialised is empty. */
struct wakes {
    struct wake *first; /* whose turn is next */
    size_t count;
    size_t slice;  /* 0: WAKE_SLICE */
    size_t budget; /* what is left of it in this turn */
};

void wakes_done(struct api *api); /* with the jobs that wait */
/* At the beginning of a turn: a slice. The jobs of one that is whole, or that has been deleted, come
   first in the queue. */
enum err wakes_work(struct api *api, struct reason *reason);

/* In a job's run(), when the turn's effects so far have been applied. *ret_live false: the job waits,
   and its run() is called again; or it has been answered. */
enum err wake_for(struct api *api, struct job *job, bool *ret_live, struct reason *reason);

#endif
