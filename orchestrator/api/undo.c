/* Undo and redo: the inverse of a revision is an edit like any other, against that revision. */
#include <stdio.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/body.h"
#include "orchestrator/api/bulk.h"
#include "orchestrator/api/edits.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/store/query_revision.h"

enum { UNDO_REASON_BYTES_MAX = 1000, UNDO_SCAN_PAGE = 200 };

#define UNDO_WORDS "undo of revision "
#define REDO_WORDS "redo of revision "

/* The revision that an undo or a redo took back; 0: it is neither. */
static uint32_t taken_back(const struct revision_record *revision, const char *words)
{
    struct str prefix = str_of(words);
    if (!str_starts_with(revision->reason, prefix)) {
        return 0;
    }
    struct str rest = { revision->reason.data + prefix.length,
                        revision->reason.length - prefix.length };
    size_t digits = 0;
    while (digits < rest.length && rest.data[digits] >= '0' && rest.data[digits] <= '9') {
        digits++;
    }
    uint64_t number = 0;
    return str_to_uint64((struct str){ rest.data, digits }, UINT32_MAX, &number) ? (uint32_t)number
                                                                                 : 0;
}

/* Whether there is nothing to take back of it. */
static enum err is_empty(struct api *api, const struct job *job, uint32_t number, bool *ret_empty,
                         struct reason *reason)
{
    return query_revision_is_empty(api->config.store, job->constellation_id, number, ret_empty,
                                   reason);
}

enum step { STEP_PASS, STEP_TAKE, STEP_END };

/* What becomes of a revision on the way back; `passed` are those that have been taken back since. What was
   taken back takes nothing back itself: what it had undone or redone is as it was before it. */
static enum step step_of(const struct revision_record *revision, bool is_redo, struct map *passed)
{
    uint32_t undone = taken_back(revision, UNDO_WORDS);
    uint32_t redone = taken_back(revision, REDO_WORDS);
    if (map_get(passed, revision->number) != NULL) {
        return STEP_PASS;
    }
    if (undone != 0 || redone != 0) {
        map_put(passed, undone != 0 ? undone : redone, passed);
    }
    if ((undone != 0) == is_redo) {
        return STEP_TAKE;
    }
    /* Something new has been done since: nothing before it is redone. */
    return undone == 0 && redone == 0 ? STEP_END : STEP_PASS;
}

/* From the head back, as an editor does it: what has been undone is passed over, and what has changed
   nothing. An undo is what can be redone, as long as nothing but redos came after it. */
static enum err choose(struct api *api, const struct job *job, bool is_redo, uint32_t *ret_number,
                       struct reason *reason)
{
    struct arena arena = { 0 };
    struct map passed = { 0 };
    struct query_revision_list wanted = { .first = 1, .last = UINT32_MAX, .limit = UNDO_SCAN_PAGE };
    bool is_over = false;
    enum err err = ERR_NONE;
    *ret_number = 0;
    while (err == ERR_NONE && *ret_number == 0 && !is_over) {
        struct query_revisions page;
        err = query_revision_list(api->config.store, job->constellation_id, &wanted, &arena, &page,
                                  reason);
        for (size_t i = 0; err == ERR_NONE && i < page.count && *ret_number == 0 && !is_over; i++) {
            const struct revision_record *revision = &page.list[i];
            enum step step = step_of(revision, is_redo, &passed);
            bool is_nothing = false;
            if (step != STEP_PASS) {
                err = is_empty(api, job, revision->number, &is_nothing, reason);
            }
            *ret_number = step == STEP_TAKE && !is_nothing ? revision->number : 0;
            is_over = step == STEP_END && !is_nothing;
        }
        is_over = is_over || err != ERR_NONE || page.next == 0;
        wanted.last = err == ERR_NONE ? page.next : 0;
        arena_clear(&arena);
    }
    map_done(&passed);
    arena_done(&arena);
    return err;
}

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
    if (edit->is_redo && taken_back(&revision, UNDO_WORDS) == 0) {
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
    bool live = false;
    enum err err = edits_load(api, job, effects, &live, reason);
    edit->undone = edit->undo;
    if (err == ERR_NONE && live && edit->undone == 0) {
        edit->last_of = engine_constellation(api->config.engine, job->constellation_id)->revision;
        err = choose(api, job, edit->is_redo, &edit->undone, reason);
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

static const struct job_type undo_job = { undo_run, edits_answer, NULL };

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
