/* What takes long runs beside the loop: a thread, and the work that waits for it. Work touches what it has
   itself, and the database by a snapshot; never the API, the engine or the store of the turns. There
   are two such threads, so that no submission waits for a long read: the parser, and the reader. */
#ifndef ORCHESTRATOR_API_WORKER_H
#define ORCHESTRATOR_API_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "orchestrator/store/reader.h"

struct api;

/* A part of what it works for. */
struct work {
    /* In the thread. reader: NULL in the parser. A snapshot that it leaves open is ended for it. */
    void (*run)(struct work *work, struct reader *reader);
    /* In the loop again, between two turns: it has the work from here on. */
    void (*done)(struct api *api, struct work *work);
    /* Instead of done: the worker is freed, or the client has gone. Frees what it works for. */
    void (*drop)(struct api *api, struct work *work);
    void *owner;      /* what it works for */
    uint64_t request; /* ends with it, even half-way; 0: goes on whatever becomes of who asked */
    bool is_gone;     /* the worker's */
};

struct worker;

/* jobs_max: in it at one time, at most API_WORKER_JOBS_MAX. It frees the reader, which may be NULL. */
enum err worker_new(struct api *api, size_t jobs_max, struct reader *reader,
                    struct worker **ret_worker, struct reason *reason);
/* Waits for what runs, which is interrupted if it reads; drops what it still has. */
void worker_free(struct worker *worker);
/* False: it has enough to do. Otherwise it has the work from its run() to its done() or drop(). */
bool worker_take(struct worker *worker, struct work *work);
/* The same beyond that number, for what only gives back: refused, the loop would have to do it. */
bool worker_take_scrap(struct worker *worker, struct work *work);
size_t worker_count(const struct worker *worker);    /* work that it has */
struct reader *worker_reader(struct worker *worker); /* for tests; NULL: it has none */
/* The client of this request has gone. */
void worker_gone(struct worker *worker, uint64_t request);

#endif
