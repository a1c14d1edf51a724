/* Undo and redo: the inverse of a revision is an edit like any other, against that revision. */
#include <stdio.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/body.h"
#include "orchestrator/api/bulk.h"
#include "orchestrator/api/edits.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/store/query_revision.h"

enum { UNDO_REASON_BYTES_MAX = 1000 };

static enum err read_operations(struct str list, struct arena *arena, struct batch *ret_batch,
                                struct edit_faults *faults)
{
    struct buf text = { 0 };
    buf_printf(&text, "{\"operations\":%.*s}", STR_ARG(list));
    enum err err = batch_read_inverse((struct str){ (const char *)text.data, text.length }, arena,
                                      ret_batch, faults);
    buf_done(&text);
    return err;
}

/* One that was chosen has nothing after it that still holds. */
static enum err check_set(struct job *job, struct store *store, struct arena *arena,
                          const struct revision_record *revision, struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct edit_faults faults = { .arena = arena };
    struct batch done;
    struct edit_top top;
    if (read_operations(revision->operations, arena, &done, &faults) != ERR_NONE) {
        return reason_set(reason, ERR_CORRUPT, "a revision is damaged");
    }
    enum err err = edit_lookup_top(store, job->constellation_id, arena, &top, reason);
    if (err == ERR_NONE) {
        undo_check_set(&done, &edit->batch, &top, revision->number, &edit->faults);
    }
    return err;
}

static void refuse(struct edit_job *edit, enum problem_code code, const char *words)
{
    edit->refusal.is_given = true;
    edit->refusal.code = code;
    reason_set(&edit->refusal.words, ERR_CONFLICT, "revision %u %s", (unsigned)edit->undone, words);
}

/* The inverse of the revision that was chosen, as a batch; or the refusal. */
static enum err read_inverse(struct job *job, struct store *store, struct arena *arena,
                             struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct revision_record revision;
    if (edit->last_of != 0 && edit->head != edit->last_of) {
        refuse(edit, PROBLEM_CONFLICT,
               "is not the last any more: another edit was made meanwhile; try again");
        return ERR_NONE;
    }
    enum err err =
        query_revision(store, job->constellation_id, edit->undone, arena, &revision, reason);
    if (err == ERR_NOT_FOUND) {
        refuse(edit, PROBLEM_NOT_FOUND,
               edit->undone == 1 ? "is the submission: there is nothing before it"
                                 : "does not exist, or is not kept any more");
        return ERR_NONE;
    }
    if (err != ERR_NONE) {
        return err;
    }
    if (edit->is_redo && undo_taken_back(&revision, UNDO_WORDS) == 0) {
        refuse(edit, PROBLEM_CONFLICT, "has undone nothing");
        return ERR_NONE;
    }
    if (read_operations(revision.inverse, arena, &edit->batch, &edit->faults) != ERR_NONE) {
        refuse(edit, PROBLEM_CONFLICT,
               "has changed nothing"); /* that takes anything to take back */
        return ERR_NONE;
    }
    if (edit->undo != 0) {
        err = check_set(job, store, arena, &revision, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    char words[UNDO_REASON_BYTES_MAX + 64];
    struct str given = edit->reason;
    int length =
        snprintf(words, sizeof(words), "%s%u%s%.*s", edit->is_redo ? REDO_WORDS : UNDO_WORDS,
                 (unsigned)edit->undone, given.length == 0 ? "" : ": ", STR_ARG(given));
    edit->batch.reason = arena_str(arena, (struct str){ words, (size_t)length });
    /* What came after one that was chosen has been taken back as well. */
    edit->batch.base_revision = edit->undo != 0 ? edit->undone : 0;
    return ERR_NONE;
}

static enum err undo_run(struct api *api, struct job *job, struct effects *effects,
                         struct reason *reason)
{
    struct edit_job *edit = job->data;
    if (edit->bulk != NULL) {
        return bulk_run(api, job, effects, reason);
    }
    bool is_chosen = edit->undo != 0;
    bool live = false;
    enum err err = edits_share_turn(api, effects, reason);
    if (is_chosen) {
        edit->undone = edit->undo;
    } else if (err == ERR_NONE) {
        err = undo_choose(api, job, &is_chosen, reason);
    }
    if (err == ERR_NONE && is_chosen) {
        err = wake_for(api, job, &live, reason);
    }
    if (err != ERR_NONE || !live) {
        return err;
    }
    if (edit->undone == 0) {
        job_answer_problem(api, job, PROBLEM_CONFLICT, "there is nothing to %s",
                           edit->is_redo ? "redo" : "undo");
        return ERR_NONE;
    }
    bool is_in_pieces = false;
    err = query_revision_is_in_pieces(api->config.store, job->constellation_id, edit->undone,
                                      &is_in_pieces, reason);
    edit->read = read_inverse; /* once more, if it is more than a turn can make */
    if (err == ERR_NONE && is_in_pieces) {
        return bulk_start(api, job, reason); /* and not here: its text may be long */
    }
    if (err == ERR_NONE) {
        edit->head = edit->last_of;
        err = read_inverse(job, api->config.store, &job->arena, reason);
    }
    if (err == ERR_NONE && edit->refusal.is_given) {
        job_answer_problem(api, job, edit->refusal.code, "%s", edit->refusal.words.text);
        return ERR_NONE;
    }
    return err != ERR_NONE ? err : edits_post(api, job, reason);
}

static void undo_release(struct job *job)
{
    struct edit_job *edit = job->data;
    undo_walk_done(&edit->walk);
}

static const struct job_type undo_job = { .run = undo_run,
                                          .answer = edits_answer,
                                          .release = undo_release };

static enum err read_body(struct str text, struct job *job, struct edit_job *edit,
                          struct reason *reason)
{
    static const char *const keys[] = { "revision", "reason", NULL };
    json_t *body = NULL;
    enum err err = body_read(text, keys, &body, reason);
    if (err != ERR_NONE) {
        return err;
    }
    const json_t *number = json_object_get(body, "revision");
    if (number != NULL && !json_is_null(number)) {
        json_int_t value = json_integer_value(number);
        if (value < 1 || value > UINT32_MAX) {
            err = reason_set(reason, ERR_INVALID, "revision must be the number of one");
        }
        edit->undo = (uint32_t)value;
    }
    if (err == ERR_NONE) {
        err = body_text(body, "reason", UNDO_REASON_BYTES_MAX, &job->arena, &edit->reason, reason);
    }
    json_decref(body);
    return err;
}

static void undo(struct api *api, const struct api_call *call, bool is_redo)
{
    struct job *job = edits_begin(api, call, &undo_job);
    if (job == NULL) {
        return;
    }
    struct edit_job *edit = job->data;
    struct reason reason = { "" };
    edit->is_redo = is_redo;
    enum err err = read_body(call->request->body, job, edit, &reason);
    if (err != ERR_NONE) {
        job_free(&api->jobs, job);
        reply_problem(api, call->request->id,
                      err == ERR_LIMIT ? PROBLEM_BODY_TOO_LARGE : PROBLEM_BAD_REQUEST, "%s",
                      reason.text);
    } else if (job_is_first(api, job, call->request)) {
        job_queue(api, job);
    }
}

void revisions_undo(struct api *api, const struct api_call *call)
{
    undo(api, call, false);
}

void revisions_redo(struct api *api, const struct api_call *call)
{
    undo(api, call, true);
}
