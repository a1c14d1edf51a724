/* What the files of the API share: the one struct behind api.h. */
#ifndef ORCHESTRATOR_API_API_INNER_H
#define ORCHESTRATOR_API_API_INNER_H

#include "common/base/arena.h"
#include "orchestrator/api/api.h"
#include "orchestrator/api/identity.h"
#include "orchestrator/api/job.h"
#include "orchestrator/api/plans.h"
#include "orchestrator/api/reply.h"
#include "orchestrator/api/route.h"
#include "orchestrator/api/stream.h"
#include "orchestrator/api/uids.h"
#include "orchestrator/api/wake.h"
#include "orchestrator/store/query.h"

struct worker;

struct api {
    struct api_config config;
    const struct api_route *route; /* of the handler that is being called; NULL: of none */
    struct arena arena;            /* of one call from outside; cleared at its end */
    int64_t seq;     /* the newest event that has been committed: what a GET is true at */
    char lineage[9]; /* of the database, as event ids carry it */
    struct identities identities;
    struct jobs jobs;
    struct streams streams;
    struct plans plans;
    struct wakes wakes;
    struct uids uids;
    struct worker *parser;  /* large bodies, to plans and edits */
    struct worker *reader;  /* what is read by a snapshot */
    struct worker *checker; /* edits of many operations, by another */
};

static inline struct moment api_now(const struct api *api)
{
    return api->config.host.now(api->config.host.context);
}

/* The end of a call from outside, which streams_enter() has begun: what it has put into the arena goes. */
void api_leave(struct api *api);

/* The constellation that the first parameter of the path means; false: it has been answered. */
bool api_find_constellation(struct api *api, const struct api_call *call, struct str id,
                            struct query_constellation *ret_constellation);
/* For what cannot be taken back: only a whole id, or @last. What a prefix means changes with what else
   there is. */
bool api_find_constellation_whole(struct api *api, const struct api_call *call, struct str id,
                                  struct query_constellation *ret_constellation);
/* The same for who needs its number alone: of one that is live without a look into the database. ret_uid may
   be NULL; it lives as long as the call. */
bool api_find_constellation_id(struct api *api, const struct api_call *call, struct str id,
                               int64_t *ret_id, struct str *ret_uid);

#endif
