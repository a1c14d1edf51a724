/* A change to a constellation, or to a device, that the engine decides: a handler reads it, in the turn
   its keys become ids and it is stepped, and what is there then is its answer. */
#ifndef ORCHESTRATOR_API_CHANGE_H
#define ORCHESTRATOR_API_CHANGE_H

#include "orchestrator/api/change_words.h"
#include "orchestrator/api/job.h"
#include "orchestrator/store/query.h"

enum {
    CHANGE_REASON_BYTES_MAX = 1000,
    CHANGE_TASKS_MAX = 10000,  /* named by one request */
    CHANGE_KEYS_A_TURN = 1000, /* looked up: of all changes together */
};

/* What job.data is of such a job. Its text lives in the job's arena. */
struct change {
    struct event event; /* its kind and what is asked; the rest is filled in in the turn */
    struct str *keys;   /* of the tasks that it is about */
    size_t keys_count;
    int64_t *ids; /* of the first keys, as far as they have been looked up */
    size_t ids_count;
    size_t missing[CHANGE_NAMED_MAX]; /* the first keys that are not there */
    size_t missing_count;
    uint32_t states; /* no keys: all its tasks in these, a bit each of enum task_state */
    bool revives;    /* also done to one that has ended */
};

/* False: no such constellation, or too many changes are queued; answered. Only a whole id is taken, or
   @last. */
bool change_begin(struct api *api, const struct api_call *call, const struct job_type *type,
                  struct job **ret_job, struct change **ret_change);
/* Queues it; or, if err says that the body was wrong, refuses it with the reason. */
void change_end(struct api *api, const struct api_call *call, struct job *job, enum err err,
                const struct reason *reason);

/* For a job_type: run of all of them. */
enum err change_run(struct api *api, struct job *job, struct effects *effects,
                    struct reason *reason);
/* What the engine refused: true, and it is answered. Its reasons may begin with a code and a colon. */
bool change_refused(struct api *api, struct job *job, const struct effect *effect);
/* Answers well with the constellation as it is now. */
enum err change_answer(struct api *api, struct job *job, const struct effect *effect,
                       struct reason *reason);

#endif
