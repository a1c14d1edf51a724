/* See bulk.h: what the loop does of it. */
#include "orchestrator/api/bulk.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/edit_view.h"
#include "orchestrator/store/bulk_answer.h"

enum { PIECES_A_TURN = 2 };

enum err bulk_again(struct api *api, struct job *job)
{
    struct edit_job *edit = job->data;
    edit->bulk = arena_alloc(&job->arena, sizeof(*edit->bulk));
    map_remove(&api->jobs.posted, job->id);
    job->is_posted = false;
    job_queue(api, job);
    return ERR_NONE;
}

enum err bulk_start(struct api *api, struct job *job, struct reason *reason)
{
    (void)reason;
    struct edit_job *edit = job->data;
    if (!job->is_bulk && api->jobs.bulks == API_BULKS_MAX) {
        job_answer_problem(api, job, PROBLEM_TOO_MANY,
                           "%d edits of many operations are being made already; try again",
                           API_BULKS_MAX);
        return ERR_NONE;
    }
    api->jobs.bulks += !job->is_bulk;
    job->is_bulk = true;
    if (edit->bulk == NULL) {
        edit->bulk = arena_alloc(&job->arena, sizeof(*edit->bulk));
    }
    struct bulk_job *bulk = edit->bulk;
    edit->faults = (struct edit_faults){ .arena = &job->arena }; /* they are found once more */
    bulk->now = api_now(api);
    bulk->config = engine_config(api->config.engine);
    bulk->bytes_max = api->config.edit_bytes_max;
    if (edit->dry_run) {
        bulk->stage = BULK_CHECKED;
        job->next = api->jobs.begun;
        api->jobs.begun = job;
        return ERR_NONE;
    }
    struct event event = { .kind = EVENT_BULK_BEGIN, .now = bulk->now };
    event.bulk_begin.request = job->id;
    event.bulk_begin.constellation_id = job->constellation_id;
    event.bulk_begin.operations = (uint32_t)edit->batch.operations_count;
    event.bulk_begin.actor = str_of(job->actor);
    bulk->stage = BULK_BEGUN;
    job_post(api, job, &event);
    return ERR_NONE;
}

static void checked(struct api *api, struct work *work)
{
    job_queue(api, work->owner);
}

void bulk_committed(struct api *api, struct job *job)
{
    struct edit_job *edit = job->data;
    edit->bulk->stage = BULK_CHECKED;
    job->work = (struct work){ .run = bulk_check, .done = checked, .drop = job_drop, .owner = job };
    if (!worker_take(api->checker, &job->work)) {
        edit->bulk->err = reason_set(&edit->bulk->reason, ERR_BUSY,
                                     "edits of many operations are being checked already");
        job_queue(api, job);
    }
}

/* The engine is told that it will not come. */
static void give_up(struct api *api, struct job *job)
{
    const struct edit_job *edit = job->data;
    if (edit->bulk->is_held) {
        struct event event = { .kind = EVENT_BULK_DROP, .now = api_now(api) };
        event.bulk_drop.constellation_id = job->constellation_id;
        event.bulk_drop.bulk_id = edit->bulk->id;
        event.bulk_drop.why = STR("it was refused");
        api->config.host.post(api->config.host.context, &event);
    }
}

static void answer_failed(struct api *api, struct job *job, enum err err,
                          const struct reason *reason)
{
    switch ((int)err) {
    case ERR_NOT_FOUND:
        job_answer_problem(api, job, PROBLEM_NOT_FOUND, "%s", reason->text);
        break;
    case ERR_BUSY:
    case ERR_TIMEOUT:
        job_answer_problem(api, job, PROBLEM_TOO_MANY, "%s; try again", reason->text);
        break;
    case ERR_LIMIT:
        job_answer_problem(api, job, PROBLEM_BODY_TOO_LARGE, "%s", reason->text);
        break;
    default:
        job_answer_problem(api, job, PROBLEM_INTERNAL, "%s", reason->text);
    }
}

/* What there is of a kind, and where its n-th piece ends. */
static struct str text_of(const struct job *job, enum piece_kind kind)
{
    const struct edit_job *edit = job->data;
    return kind == PIECE_OPERATIONS ? edit->batch.text : edit->resolved.edit.inverse;
}

static struct str next_piece(const struct job *job)
{
    const struct edit_job *edit = job->data;
    const struct bulk_job *bulk = edit->bulk;
    if (bulk->kind == PIECE_PART) {
        const char *bytes = (const char *)job->submit.bodies.data;
        return (struct str){ bytes + bulk->at, bulk->part_ends[bulk->number] - bulk->at };
    }
    struct str text = text_of(job, bulk->kind);
    size_t left = text.length - bulk->at;
    return (struct str){ text.data + bulk->at, left < PIECE_BYTES_MAX ? left : PIECE_BYTES_MAX };
}

static bool is_kind_written(const struct job *job)
{
    const struct edit_job *edit = job->data;
    const struct bulk_job *bulk = edit->bulk;
    return bulk->kind == PIECE_PART ? bulk->number == bulk->split.count
                                    : bulk->at == text_of(job, bulk->kind).length;
}

/* *ret_all: there is nothing left to write. */
static enum err write_pieces(struct api *api, struct job *job, bool *ret_all, struct reason *reason)
{
    const struct edit_job *edit = job->data;
    struct bulk_job *bulk = edit->bulk;
    enum err err = ERR_NONE;
    size_t bytes = 0;
    *ret_all = false;
    while (err == ERR_NONE && bytes < (size_t)PIECES_A_TURN * PIECE_BYTES_MAX && !*ret_all) {
        if (is_kind_written(job)) {
            *ret_all = bulk->kind == PIECE_INVERSE;
            bulk->kind = *ret_all ? PIECE_INVERSE : (enum piece_kind)(bulk->kind + 1);
            bulk->number = 0;
            bulk->at = *ret_all ? bulk->at : 0;
            continue;
        }
        struct str piece = next_piece(job);
        err = store_put_piece(api->config.store, bulk->id, bulk->kind, bulk->number, piece, reason);
        bulk->number++;
        bulk->at += piece.length;
        bytes += piece.length + 4096;
    }
    return err;
}

static void fill_admission(const struct job *job, struct event *event)
{
    const struct edit_job *edit = job->data;
    const struct bulk_job *bulk = edit->bulk;
    event->kind = EVENT_BULK_ADMIT;
    event->bulk_admit.request = job->id;
    event->bulk_admit.constellation_id = job->constellation_id;
    event->bulk_admit.bulk_id = bulk->id;
    event->bulk_admit.parts = (uint32_t)bulk->split.count;
    event->bulk_admit.tasks_added = (uint32_t)edit->resolved.edit.tasks_added;
    event->bulk_admit.classes = bulk->split.classes;
    event->bulk_admit.policies = bulk->split.policies;
    event->bulk_admit.operations = (uint32_t)edit->batch.operations_count;
    event->bulk_admit.revision = bulk->revision;
    event->bulk_admit.finished_wall_ms = bulk->finished_wall_ms;
    event->bulk_admit.edit = &edit->resolved.edit;
    event->bulk_admit.actor = str_of(job->actor);
}

enum err bulk_take_back(struct api *api, struct job *job, struct reason *reason)
{
    const struct edit_job *edit = job->is_bulk ? job->data : NULL;
    return edit != NULL && edit->bulk->stage == BULK_WRITTEN
               ? store_drop_pieces(api->config.store, edit->bulk->id, reason)
               : ERR_NONE;
}

/* From this commit on it will be made, and whoever asks again is told so when it is. */
static enum err admit(struct api *api, struct job *job, struct effects *effects,
                      struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct bulk_job *bulk = edit->bulk;
    bool live = false;
    enum err err = edits_load(api, job, effects, &live, reason);
    if (err == ERR_NONE && !live) {
        return ERR_NONE;
    }
    if (err == ERR_NONE && job->once.keyed.length > 0) {
        struct idempotency_record answer = {
            .scope = job->once.scope,
            .key = job->once.key,
            .status = job->route->status,
            .response = { (const char *)job->body.data, job->body.length },
            .created_wall_ms = api_now(api).wall_ms,
        };
        memcpy(answer.body_hash, job->once.hash, JOB_HASH_BYTES);
        err = bulk_answer_put(api->config.store, bulk->id, &answer, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    struct event event = { .now = api_now(api) };
    fill_admission(job, &event);
    bulk->stage = BULK_ADMITTED;
    job_post(api, job, &event);
    if (edit->resolved.has_description &&
        engine_makes_bulk(api->config.engine, job->constellation_id, bulk->id)) {
        err = store_put_description(api->config.store, job->constellation_id,
                                    edit->resolved.description, reason);
    }
    return err;
}

static void conclude(struct api *api, struct job *job)
{
    struct edit_job *edit = job->data;
    const struct bulk_job *bulk = edit->bulk;
    if (bulk->err != ERR_NONE) {
        answer_failed(api, job, bulk->err, &bulk->reason);
    } else if (edit->refusal.is_given) {
        job_answer_problem(api, job, edit->refusal.code, "%s", edit->refusal.words.text);
    } else if (edit->faults.count > 0) {
        edits_refuse(api, job);
    } else {
        job_answer(api, job); /* of a dry run */
    }
}

enum err bulk_run(struct api *api, struct job *job, struct effects *effects, struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct bulk_job *bulk = edit->bulk;
    if (bulk->stage == BULK_ASKED) {
        bool live = false;
        enum err err = edits_load(api, job, effects, &live, reason);
        return err != ERR_NONE || !live ? err : bulk_start(api, job, reason);
    }
    bool is_over = bulk->err != ERR_NONE || edit->refusal.is_given || edit->faults.count > 0;
    if (bulk->stage == BULK_CHECKED && (is_over || edit->dry_run)) {
        if (is_over) {
            buf_clear(&job->body);
        }
        give_up(api, job);
        conclude(api, job);
        return ERR_NONE;
    }
    bool is_all = false;
    bulk->stage = BULK_WRITTEN;
    enum err err = write_pieces(api, job, &is_all, reason);
    if (err == ERR_NONE && !is_all) {
        job_queue(api, job);
        return ERR_NONE;
    }
    return err != ERR_NONE ? err : admit(api, job, effects, reason);
}

/* The engine says why in one word. */
static void refuse(struct api *api, struct job *job, struct str code)
{
    struct edit_job *edit = job->data;
    static const enum edit_code codes[] = { EDIT_CODE_CANCELLED, EDIT_CODE_REOPENING,
                                            EDIT_CODE_TOO_MANY_TASKS, EDIT_CODE_TOO_MANY_CLASSES };
    static const char *const words[] = {
        "the constellation is being stopped",
        "a retry, rerun or edit of many tasks is being made: try again in a moment",
        "too many unfinished tasks; try again when some have ended",
        "too many distinct placements or retry policies are in use",
    };
    buf_clear(&job->body);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (str_is(code, edit_code_name(codes[i]))) {
            const struct edit_fault fault = { .code = edit_code_name(codes[i]) };
            edit_fault_add(&edit->faults, &fault, "%s", words[i]);
        }
    }
    CHECK(edit->faults.count > 0);
    edits_refuse(api, job);
}

enum err bulk_answer(struct api *api, struct job *job, const struct effect *effect,
                     struct reason *reason)
{
    struct edit_job *edit = job->data;
    struct bulk_job *bulk = edit->bulk;
    if (effect->reply.err == ERR_NONE && bulk->stage == BULK_BEGUN) {
        const struct constellation_record *record =
            engine_constellation(api->config.engine, job->constellation_id);
        bulk->id = effect->reply.hold_id;
        bulk->is_held = record != NULL && !constellation_state_is_final(record->state);
        job->next = api->jobs.begun;
        api->jobs.begun = job;
        return ERR_NONE;
    }
    if (effect->reply.err == ERR_NONE) {
        job_answer(api, job);
        return ERR_NONE;
    }
    if (effect->reply.edit != NULL) { /* something is not as expected any more */
        buf_clear(&job->body);
        enum err err = edit_take_problems(api->config.store, &edit->resolved, effect->reply.edit,
                                          &edit->faults, reason);
        if (err != ERR_NONE) {
            return err;
        }
        edits_refuse(api, job);
    } else if (effect->reply.err == ERR_NOT_FOUND) {
        buf_clear(&job->body);
        job_answer_problem(api, job, PROBLEM_NOT_FOUND, "there is no such constellation");
    } else {
        refuse(api, job, effect->reply.reason);
    }
    return bulk->stage == BULK_ADMITTED ? store_drop_pieces(api->config.store, bulk->id, reason)
                                        : ERR_NONE;
}
