/* A long read: its rows are read by a worker, from a snapshot; what only the engine knows is added in the
   loop, which sends the answer. */
#ifndef ORCHESTRATOR_API_READ_H
#define ORCHESTRATOR_API_READ_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "orchestrator/api/api.h"
#include "orchestrator/api/route.h"
#include "orchestrator/api/worker.h"
#include "orchestrator/store/query.h"

struct read;

struct read_kind {
    /* In the thread: nothing of the API or the engine. ERR_INVALID, ERR_NOT_FOUND, ERR_CONFLICT: what the
       client is told; ERR_TIMEOUT: it took too long. The body that it has begun then goes. */
    enum err (*rows)(struct read *read, struct store *store, struct reason *reason);
    /* In the loop, after good rows; NULL: they are all there is. */
    enum err (*rest)(struct api *api, struct read *read, struct reason *reason);
    void (*done)(
        struct read *read);    /* frees what is neither in the arena nor in the body; may be NULL */
    const char *too_long;      /* what to do about a read that takes too long */
    enum problem_code invalid; /* what ERR_INVALID becomes; 0: PROBLEM_BAD_REQUEST */
    bool is_parse;             /* of what came with the request, by the parser: there is no store */
};

/* One that is under way. What stands in it is the thread's until rest() is called. */
struct read {
    struct work work;
    const struct read_kind *kind;
    const struct api_route *route;
    struct arena arena;
    struct query_constellation constellation; /* as the snapshot has it */
    int64_t seq;                              /* the newest event of the snapshot */
    int64_t now_wall_ms;
    struct reader *reader; /* whose snapshot it is, in rows() */
    void *data;            /* the kind's own */
    bool again;            /* rest() wants rows() called once more, by another snapshot */
    struct buf body;
    enum err err;
    struct reason reason;
};

/* In a handler. Data that the kind needs is to be put into read->arena. */
struct read *
read_new(struct api *api, const struct api_call *call, const struct read_kind *kind,
         const struct query_constellation *constellation); /* NULL: of none, or of many */
/* The same, of the constellation that the path names first. NULL: it has been answered that there is none. */
struct read *read_of(struct api *api, const struct api_call *call, const struct read_kind *kind);
/* Gives it away: it will be answered, or is now, when too many are waiting. */
void read_start(struct api *api, struct read *read);

#endif
