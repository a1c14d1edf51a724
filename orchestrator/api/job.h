/* A change on its way: taken in by a handler, run in the next turn, answered after its commit. */
#ifndef ORCHESTRATOR_API_JOB_H
#define ORCHESTRATOR_API_JOB_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/map.h"
#include "orchestrator/api/api.h"
#include "orchestrator/api/identity.h"
#include "orchestrator/api/reply.h"
#include "orchestrator/api/route.h"
#include "orchestrator/spec/spec.h"

enum {
    JOB_WAITERS_MAX = 16, /* requests that share one submission by its Idempotency-Key */
    JOB_KEY_BYTES_MAX = 255,
    JOB_TURN_MAX = 256, /* run in one turn */
    JOB_HASH_BYTES = 32,
};

enum job_kind {
    JOB_SUBMIT,
    JOB_CANCEL,
    JOB_DELETE,
    JOB_TOKEN_CREATE,
    JOB_TOKEN_REVOKE,
};

/* What a submission is made from. The plan points into the text and the arena. */
struct job_submit {
    struct buf text;
    enum spec_format format;
    struct arena arena;
    struct spec spec;
    struct spec_problems problems;
    struct buf bodies;     /* the encoded bodies, one behind the other */
    struct reason refusal; /* why a body could not be encoded; empty: it could */
    bool is_valid;
    char uid[PLAN_NAME_BYTES_MAX + 8];
    struct str keyed; /* scope, a blank, Idempotency-Key; empty: none. In the arena. */
    struct str scope; /* the two parts of it */
    struct str key;
    uint8_t body_hash[JOB_HASH_BYTES];
};

struct job {
    enum job_kind kind;
    const struct api_route *route; /* says what it may be answered with */
    uint64_t id;
    struct job *next;
    uint64_t waiters[JOB_WAITERS_MAX]; /* requests to be answered */
    size_t waiters_count;
    char actor[sizeof(((struct net_identity *)0)->actor)];
    int64_t constellation_id; /* cancel, delete; submit: once it is known */
    int64_t token_id;         /* revoke */
    /* create */
    char token_name[MSG_NAME_BYTES_MAX + 1];
    char token_role[16];
    char token_device[MSG_NAME_BYTES_MAX + 1];
    struct job_submit submit;
    bool is_posted; /* with the engine: an EFFECT_REPLY and an EFFECT_PLAN_DONE follow */
    bool is_answered;
    bool plan_is_done;
    /* The answer. */
    int status;
    const char *content_type;
    struct buf body;
    char location[256]; /* empty: none */
};

/* Zero-initialised is empty. */
struct jobs {
    struct job *first; /* to be run in the next turn */
    struct job **last;
    size_t queued;
    struct job *answered; /* to be sent after the commit, in reverse */
    struct map posted;    /* by id */
    struct strmap keyed;  /* submissions under way, by scope and key */
    size_t submissions;
    uint64_t last_id;
    bool tokens_changed;
};

void jobs_init(struct jobs *jobs);
void jobs_done(struct jobs *jobs);

/* In the handler of its route. */
struct job *job_new(struct api *api, enum job_kind kind, const struct net_request *request);
void job_free(struct jobs *jobs, struct job *job);
/* Queues it for the next turn, and sees to it that there is one. */
void job_queue(struct api *api, struct job *job);
/* False: too many are queued; answered. */
bool job_may_start(struct api *api, uint64_t request);

/* The answer, sent after the commit. */
void job_answer_problem(struct api *api, struct job *job, enum problem_code code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
void job_answer(struct api *api, struct job *job); /* well, as its route says */

/* What a turn does with a job of each kind. A failure is the store's. */
enum err submit_run(struct api *api, struct job *job, struct reason *reason);
enum err cancel_run(struct api *api, struct job *job, struct reason *reason);
enum err delete_run(struct api *api, struct job *job, struct effects *effects,
                    struct reason *reason);
enum err token_create_run(struct api *api, struct job *job, struct effects *effects,
                          struct reason *reason);
enum err token_revoke_run(struct api *api, struct job *job, struct effects *effects,
                          struct reason *reason);
/* The engine's answer to what was posted; inside the transaction. */
enum err submit_answer(struct api *api, struct job *job, const struct effect *effect,
                       struct reason *reason);
void cancel_answer(struct api *api, struct job *job, const struct effect *effect);
/* After the commit, before it is sent: what is rendered from what is on disk now. */
void cancel_render(struct api *api, struct job *job);
/* After the commit: sends what was answered. */
void jobs_committed(struct api *api);

#endif
