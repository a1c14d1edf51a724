/* Edits that are more than a turn can make: how such a change goes through the API. It is begun by the
   engine (engine/bulk.c), checked in a thread of its own on a snapshot, written piece by piece, admitted
   in one commit, and answered when the engine has made it. */
#ifndef ORCHESTRATOR_API_BULK_H
#define ORCHESTRATOR_API_BULK_H

#include "orchestrator/api/edits.h"
#include "orchestrator/engine/bulk_split.h"

enum bulk_stage {
    BULK_ASKED,   /* it has not been begun */
    BULK_BEGUN,   /* the engine answers in this turn */
    BULK_CHECKED, /* the thread has it, or it waits for its next turn */
    BULK_WRITTEN, /* some of its pieces are */
    BULK_ADMITTED,
};

struct bulk_job {
    enum bulk_stage stage;
    int64_t id;   /* 0: a dry run, which nobody waits for */
    bool is_held; /* else it had ended when it was begun */
    /* For the check, which must not look into the engine. */
    struct engine_config config;
    size_t bytes_max;
    struct moment now;
    /* What came of it: a failure; else faults of the edit; else the answer in job.body and the parts, one
       behind the other, in job.submit.bodies. */
    enum err err;
    struct reason reason;
    const size_t *part_ends;
    struct bulk_split split;
    uint32_t revision;
    int64_t finished_wall_ms;
    /* How far the pieces are written. */
    enum piece_kind kind;
    uint32_t number;
    size_t at;
};

/* In the turn, instead of edits_post(). The batch has been read, or job.data says how. */
enum err bulk_start(struct api *api, struct job *job, struct reason *reason);
/* In the turn in which the engine has found that it is more: it is begun in the next one. */
enum err bulk_again(struct api *api, struct job *job);
/* The next turns of it. */
enum err bulk_run(struct api *api, struct job *job, struct effects *effects, struct reason *reason);
enum err bulk_answer(struct api *api, struct job *job, const struct effect *effect,
                     struct reason *reason);
/* In the turn: of one that is answered before it is admitted, what is written goes. Of any other job
   nothing is. */
enum err bulk_take_back(struct api *api, struct job *job, struct reason *reason);
/* After the commit that has begun it. */
void bulk_committed(struct api *api, struct job *job);

/* bulk_check.c: in the thread. */
void bulk_check(struct work *work, struct reader *reader);

#endif
