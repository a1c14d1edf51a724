/* What the kinds of edits share: those that are sent, and those that undo. */
#ifndef ORCHESTRATOR_API_EDITS_H
#define ORCHESTRATOR_API_EDITS_H

#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/api/edit_resolve.h"
#include "orchestrator/api/job.h"

#define UNDO_WORDS "undo of revision "
#define REDO_WORDS "redo of revision "

struct bulk_job;

/* Why there is no edit to be made at all. */
struct edit_refusal {
    bool is_given;
    enum problem_code code;
    struct reason words;
};

/* The way back over the revisions, from the head, that looks for the one to take back. */
struct undo_walk {
    bool is_begun;
    bool is_over;
    uint32_t next;     /* the one to look at next */
    struct map passed; /* those further back that have been taken back */
};

/* What job.data is of an edit. */
struct edit_job {
    bool dry_run;
    uint32_t exact; /* If-Match; 0: none */
    struct str uid; /* of the constellation */
    struct batch batch;
    bool is_read;
    struct edit_faults faults;
    struct edit_resolved resolved;
    struct str reason; /* of undo and redo: why */
    uint32_t undo;     /* the revision that is asked for; 0: the last that can be */
    uint32_t undone;   /* the one that it was */
    uint32_t last_of;  /* the head as whose last it was found; 0: it was asked for */
    struct undo_walk walk;
    bool is_redo;
    uint32_t head;         /* before it */
    struct bulk_job *bulk; /* NULL: a turn can make it, as far as is known */
    /* How the batch is read from the store, if it is not in the request: into the arena. */
    enum err (*read)(struct job *job, struct store *store, struct arena *arena,
                     struct reason *reason);
    struct edit_refusal refusal;
};

/* NULL: answered. */
struct job *edits_begin(struct api *api, const struct api_call *call, const struct job_type *type);
/* In the turn: what is read from here on has what the turn has done so far. */
enum err edits_share_turn(struct api *api, struct effects *effects, struct reason *reason);
/* The same, and the constellation is there, with what the turn has done so far. *ret_live false: the job
   waits for it (wake.h), or it is gone, and that is answered. */
enum err edits_load(struct api *api, struct job *job, struct effects *effects, bool *ret_live,
                    struct reason *reason);
/* Then: keys become ids, and the engine is asked. What is more than a turn can make is begun. */
enum err edits_post(struct api *api, struct job *job, struct reason *reason);
/* The first half of that: what job.data has of the batch, as an edit of the engine's. */
enum err edits_resolve(struct job *job, struct store *store, const struct engine *engine,
                       struct edit_budget *budget, struct arena *arena, struct reason *reason);
enum err edits_answer(struct api *api, struct job *job, const struct effect *effect,
                      struct reason *reason);
/* With all that is among the faults. */
void edits_refuse(struct api *api, struct job *job);
/* What it has done, or would do, as it is answered. */
enum err edits_view(struct job *job, struct store *store, const struct edit_result *result,
                    struct json_out *out, struct reason *reason);

/* undo_choose.c: the revision that one took back; 0: it is neither an undo nor a redo. */
uint32_t undo_taken_back(const struct revision_record *revision, const char *words);
/* As an editor does it: what has been undone is passed over, and what has changed nothing. An undo is what
   can be redone, as long as nothing but redos came after it. *ret_chosen false: it goes on in the next turn;
   otherwise edit->undone is the one, or 0, and it is that as long as the head is edit->last_of. */
enum err undo_choose(struct api *api, struct job *job, bool *ret_chosen, struct reason *reason);
void undo_walk_done(struct undo_walk *walk);
/* undo_set.c: what a revision has set and its inverse would set back, but is something else by now, is
   added to the faults. */
void undo_check_set(const struct batch *done, const struct batch *inverse,
                    const struct edit_top *top, uint32_t revision, struct edit_faults *faults);

#endif
