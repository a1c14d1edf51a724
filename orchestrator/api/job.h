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
#include "orchestrator/api/worker.h"
#include "orchestrator/spec/spec.h"

enum {
    JOB_WAITERS_MAX = 16, /* requests that share one change by its Idempotency-Key */
    JOB_KEY_BYTES_MAX = 255,
    JOB_TURN_MAX = 256,   /* run in one turn */
    JOB_TURN_WORK = 1000, /* and none is begun after so many rows and operations */
    JOB_HASH_BYTES = 32,
};

struct job;

/* What a turn does with a job of one kind: a constant of the file that has its handler. Failures are the
   store's. */
struct job_type {
    /* Inside the transaction: answers it, posts an event whose request is the job's id, or waits for its
       constellation (wake.h) and is run again. */
    enum err (*run)(struct api *api, struct job *job, struct effects *effects,
                    struct reason *reason);
    /* The engine's reply to that event; inside the transaction, when all rows of the turn are in it.
       NULL: nothing is posted. */
    enum err (*answer)(struct api *api, struct job *job, const struct effect *effect,
                       struct reason *reason);
    /* After the commit, of one that was answered without a body: from what is on disk then. May be
       NULL. */
    void (*render)(struct api *api, struct job *job);
    /* Frees what job.data has beside the arena. May be NULL. */
    void (*release)(struct job *job);
};

/* What a submission is made from. The plan points into the text and the arena. */
struct job_submit {
    struct buf text;
    enum spec_format format;
    bool is_envelope; /* the text is a submission around a spec, see submission.h */
    struct spec_inputs inputs;
    struct arena arena;
    struct spec spec;
    struct spec_problems problems;
    struct buf bodies;     /* the encoded bodies, one behind the other */
    struct reason refusal; /* why a body could not be encoded; empty: it could */
    bool is_valid;
    char uid[PLAN_NAME_BYTES_MAX + 8];
};

/* How a repetition of the same request is known. In the job's arena. */
struct job_once {
    struct str keyed; /* scope, a blank, Idempotency-Key; empty: none was sent */
    struct str scope; /* the two parts of it */
    struct str key;
    uint8_t hash[JOB_HASH_BYTES]; /* of path, query and body */
};

struct job {
    const struct job_type *type;
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
    struct arena arena; /* what the two below and the type's own data need */
    struct job_once once;
    void *data;       /* the type's own; in the arena */
    struct work work; /* of one with a body that is parsed, by a worker if it is large */
    bool
        is_posted; /* with the engine: an EFFECT_REPLY follows; of a submission EFFECT_PLAN_DONE too */
    bool is_answered;
    bool plan_is_done;
    size_t body_bytes; /* of the request: counts in jobs.body_bytes */
    bool is_bulk;      /* an edit of many operations: it counts in jobs.bulks */
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
    size_t looked_up;     /* keys, in this turn */
    size_t work;          /* rows and operations, likewise */
    struct job *answered; /* to be sent after the commit, in reverse */
    struct job *begun;    /* edits of many operations: to be checked after the commit */
    struct map posted;    /* by id */
    struct strmap keyed;  /* changes under way, by scope and key */
    size_t submissions;
    size_t body_bytes; /* of all that have not been freed */
    size_t bulks;      /* edits of many operations: what they were made from is kept to their end */
    uint64_t last_id;
    bool tokens_changed;
};

void jobs_init(struct jobs *jobs);
void jobs_done(struct jobs *jobs);

/* In the handler of its route. */
struct job *job_new(struct api *api, const struct job_type *type,
                    const struct net_request *request);
void job_free(struct jobs *jobs, struct job *job);
/* One that is over: what is large is freed in the thread that parsed it. */
void job_discard(struct api *api, struct job *job);
/* To job.submit.text: a large one takes long to copy. False: large ones enough are under way, whoever
   still waits for them; answered, and the job has been freed. */
bool job_take_body(struct api *api, struct job *job, const struct net_request *request);
void job_drop(struct api *api, struct work *work); /* its owner is a job that waits for a worker */
/* Queues it for the next turn, and sees to it that there is one. */
void job_queue(struct api *api, struct job *job);
/* False: too many are queued; answered. */
bool job_may_start(struct api *api, uint64_t request);

/* job_once.c: before the job is queued. False: the Idempotency-Key is no key, or the same request is
   answered or under way, and this one with it; the job has been freed. */
bool job_is_first(struct api *api, struct job *job, const struct net_request *request);
/* Inside the transaction that it was answered in: the answer is what a repetition will be told. */
enum err job_keep(struct api *api, const struct job *job, struct reason *reason);

/* Jobs that were not done when they were run go to the front of the queue; they count as queued. `last`:
   where the next one would be put. */
void jobs_resume(struct jobs *jobs, struct job *first, struct job **last);

/* In a turn: an event with the job's id as its request. */
void job_post(struct api *api, struct job *job, const struct event *event);

/* The answer, sent after the commit. */
void job_answer_problem(struct api *api, struct job *job, enum problem_code code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* With a problem that is in job.body already. */
void job_answer_refused(struct api *api, struct job *job, enum problem_code code);
void job_answer(struct api *api, struct job *job); /* well, as its route says */
/* After the commit: sends what was answered. */
void jobs_committed(struct api *api);

extern const struct job_type submit_job;

#endif
