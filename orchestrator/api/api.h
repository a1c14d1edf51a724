/* The HTTP API: requests to answers, streams, tokens. What it reads comes from the store and the engine
   between two turns; what it changes goes through the turn, and is answered after the commit. Floor 3.

   The turn (orchestrator/loop.c) calls, in this order:
       api_turn      at its beginning, inside the transaction
       api_reply     for each EFFECT_REPLY, inside the transaction
       api_committed after the commit, while the pointers in the effects are still good
       api_plan_done for each EFFECT_PLAN_DONE, at the very end of the turn
   Requests must come in between turns: a GET shows what the engine holds, and that must be on disk. */
#ifndef ORCHESTRATOR_API_API_H
#define ORCHESTRATOR_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "orchestrator/engine/effect.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/event.h"
#include "orchestrator/net/net.h"
#include "orchestrator/store/store.h"

struct api;
struct nest;

enum {
    API_INLINE_PARSE_BYTES_MAX = 128 * 1024, /* a larger body is parsed by a worker: 0.1 ms a KiB */
    API_WORKER_JOBS_MAX = 24,                /* of any worker (worker.h) */
    API_PARSES_MAX = 12,                     /* large bodies waiting or being parsed; 503 above */
    API_READS_MAX = 16,                      /* long reads waiting or being read; 503 above */
    API_CHECKS_MAX = 4,                      /* edits of many operations, likewise */
    API_BULKS_MAX = 8,                       /* with those that are being made; likewise */
    API_CHECK_MS_MAX = 60 * 1000,            /* that the check of one may take */
    API_SMALL_BODY_BYTES_MAX = 64 * 1024,    /* always taken, as far as their number allows */
    API_BODY_BYTES_MAX = 128 * 1024 * 1024,  /* of all changes under way; 503 above */
    API_SUBMISSIONS_MAX = 256,               /* not yet answered; 503 above */
    API_MUTATIONS_MAX = 1024,                /* other changes queued for the next turn; 503 above */
    API_STREAMS_MAX = 1024,                  /* open streams of all kinds; 503 above */
    API_PAGE_MAX = 1000,                     /* rows in one answer */
    API_PAGE_BYTES_MAX = 4 * 1024 * 1024,    /* a page of tasks ends early above this */
    API_HISTOGRAM_BUCKETS = 11,
    API_CERTIFICATE_WARN_MS = 14 * 24 * 60 * 60 * 1000, /* before it expires someone is told */
};

/* How long something took, for /metrics. Zero-initialised is empty. */
struct api_histogram {
    uint64_t buckets[API_HISTOGRAM_BUCKETS]; /* not cumulative; the last one has no bound */
    uint64_t count;
    uint64_t sum_us;
    uint64_t max_us;
};
void api_histogram_add(struct api_histogram *histogram, int64_t microseconds);

/* What only the loop knows. */
struct api_metrics {
    uint64_t turns_total;
    struct api_histogram turn;
    struct api_histogram commit;
    uint64_t turn_work_max_us; /* of a turn but for its commit */
    int64_t start_wall_ms;
    int64_t certificate_wall_ms; /* the daemon's own expires; 0: it speaks no TLS */
};

struct api_host {
    void *context;
    /* Queues the event (the struct is copied) for this turn if one is being run, else for the next.
       What it points to lives until api_reply() for cancels and api_plan_done() for submissions. */
    void (*post)(void *context, const struct event *event);
    /* Something waits for api_turn(): a turn must follow, even if nothing else has arrived. */
    void (*wake)(void *context);
    struct moment (*now)(void *context);
    /* After the commit that made the first token or revoked one: close the channels for which
       api_identity_holds() is false. Streams are closed by the API itself. */
    void (*tokens_changed)(void *context);
    void (*metrics)(void *context, struct api_metrics *ret_metrics);
    /* False with words while the daemon cannot do its work (for /readyz). NULL: always ready. */
    bool (*ready)(void *context, struct reason *why);
};

struct api_config {
    struct store *store; /* the SQLite one */
    struct engine *engine;
    struct net *net;
    struct nest *nest;
    struct store_start start;
    struct api_host host;
    /* Rows of constellations that have ended and come back, in one turn; 0: WAKE_SLICE. A test that takes
       less sees every turn that there can be in between. */
    size_t wake_slice;
    size_t body_bytes_max; /* 0: API_BODY_BYTES_MAX */
    size_t edit_bytes_max; /* 0: EDIT_BYTES_MAX */
};

/* ERR_IO or ERR_CORRUPT with the reason if the store cannot be read. Everything in the config is
   borrowed for the life of the API. */
enum err api_new(const struct api_config *config, struct api **ret_api, struct reason *reason);
/* Waits for the worker threads. After net_free(), which still tells of requests that are gone; before
   nest_free(), engine_free() and store_free(). */
void api_free(struct api *api);

/* Who is on the other end: a handler of net, as are the next three. */
void api_identify(struct api *api, struct str token, bool over_unix, unsigned uid,
                  struct net_identity *ret_identity);
/* Whether what api_identify() once said is still so. */
bool api_identity_holds(const struct api *api, const struct net_identity *identity);
void api_request(struct api *api, const struct net_request *request);
void api_request_gone(struct api *api, uint64_t id);
void api_stream_drained(struct api *api, uint64_t id);

/* Runs the changes that were queued: writes tokens and deletions, posts submissions and cancels. A
   failure is the store's: the turn has failed. */
enum err api_turn(struct api *api, struct effects *effects, struct reason *reason);
/* Keeps the answer for after the commit, and writes what an Idempotency-Key must find again into the
   transaction. `effect` is an EFFECT_REPLY. */
enum err api_reply(struct api *api, const struct effect *effect, struct reason *reason);
/* Sends the answers and feeds the streams. */
void api_committed(struct api *api, const struct effects *effects);
void api_plan_done(struct api *api, const struct plan *plan);

/* The boot time at which api_tick() is due; INT64_MAX: never. */
int64_t api_next_deadline(const struct api *api);
/* Heartbeats, coalesced changes, the next slice of a replay. Between turns. */
void api_tick(struct api *api, struct moment now);

/* One row of the table of routes, for the test that holds docs/openapi.yaml to it. */
struct api_route_view {
    const char *method;
    const char *path;      /* "/api/v1/constellations/{id}" */
    const char *operation; /* the operationId */
    const char *role;      /* the least one: "none", "viewer", "operator", "admin" */
    int status;            /* of its good answer */
    int other;             /* of another that is no problem; 0: none */
    uint32_t problems; /* a bit each of enum problem_code (reply.h); what any route may left out */
};
bool api_each_route(size_t *at, struct api_route_view *ret_view);

#endif
