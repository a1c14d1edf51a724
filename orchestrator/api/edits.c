/* Edits: a batch of operations comes in, becomes ids in the turn, and is applied whole or refused with
   all that is wrong. Undo and redo are edits too: the inverse of a revision, against that revision. */
#include <string.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/bulk.h"
#include "orchestrator/api/edit_view.h"
#include "orchestrator/api/edits.h"
#include "orchestrator/api/handlers.h"

enum {
    IF_MATCH_BYTES_MAX = 16,
    PATH_A_READ = 16, /* tasks and dependencies that are gone through in the time of one */
};

/* "N", as an entity tag is written. */
static bool read_if_match(struct str text, uint32_t *ret_revision)
{
    uint64_t revision = 0;
    if (text.length < 3 || text.length > IF_MATCH_BYTES_MAX || text.data[0] != '"' ||
        text.data[text.length - 1] != '"' ||
        !str_to_uint64((struct str){ text.data + 1, text.length - 2 }, UINT32_MAX, &revision) ||
        revision == 0) {
        return false;
    }
    *ret_revision = (uint32_t)revision;
    return true;
}

struct job *edits_begin(struct api *api, const struct api_call *call, const struct job_type *type)
{
    int64_t constellation_id = 0;
    struct str uid;
    struct reason reason = { "" };
    bool dry_run = false;
    uint32_t exact = 0;
    if (!api_find_constellation_id(api, call, call->params[0], &constellation_id, &uid)) {
        return NULL;
    }
    if (args_flag(&call->args, "dry_run", &dry_run, &reason) != ERR_NONE) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return NULL;
    }
    if (call->request->if_match.length != 0 && !read_if_match(call->request->if_match, &exact)) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST,
                      "If-Match must be the number of a revision in double quotes");
        return NULL;
    }
    if (!job_may_start(api, call->request->id)) {
        return NULL;
    }
    struct job *job = job_new(api, type, call->request);
    struct edit_job *edit = arena_alloc(&job->arena, sizeof(*edit));
    *edit = (struct edit_job){ .dry_run = dry_run, .exact = exact };
    edit->faults.arena = &job->arena;
    edit->uid = arena_str(&job->arena, uid);
    job->constellation_id = constellation_id;
    job->data = edit;
    return job;
}

static void refuse_unread(struct api *api, struct job *job)
{
    const struct edit_job *edit = job->data;
    struct buf body = { NULL, 0, 0 };
    enum problem_code code = route_refusal(job->route, PROBLEM_INVALID_EDIT);
    edit_view_faults(&body, code, edit->faults.list[0].detail, &edit->faults, 0);
    for (size_t i = 0; i < job->waiters_count; i++) {
        net_reply(api->config.net, job->waiters[i], problem_status(code), REPLY_PROBLEM, NULL, 0,
                  (struct str){ (const char *)body.data, body.length });
    }
    buf_done(&body);
    job_discard(api, job);
}

static void parse(struct work *work, struct reader *reader)
{
    (void)reader;
    struct job *job = work->owner;
    struct edit_job *edit = job->data;
    struct str text = { (const char *)job->submit.text.data, job->submit.text.length };
    edit->is_read = batch_read(text, SPEC_FORMAT_GUESS, &job->submit.arena, &edit->batch,
                               &edit->faults) == ERR_NONE;
}

static void parsed(struct api *api, struct work *work)
{
    struct job *job = work->owner;
    const struct edit_job *edit = job->data;
    if (edit->is_read) {
        job_queue(api, job);
    } else {
        refuse_unread(api, job);
    }
}

/* Whoever is connected answers for it; what the batch says of its author is beside that. */
static void sign(struct job *job, const struct batch *batch, struct edit *edit)
{
    edit->author_kind = batch->author_kind == 0 ? AUTHOR_USER : batch->author_kind;
    edit->author = batch->author.length == 0 ? str_of(job->actor) : batch->author;
    edit->reason = batch->reason;
}

enum err edits_resolve(struct job *job, struct store *store, const struct engine *engine,
                       struct edit_budget *budget, struct arena *arena, struct reason *reason)
{
    struct edit_job *edit = job->data;
    const struct batch *batch = &edit->batch;
    enum err err = edit_resolve(store, engine, job->constellation_id, batch, budget, arena,
                                &edit->faults, &edit->resolved, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct edit *wanted = &edit->resolved.edit;
    wanted->base_revision = edit->exact != 0 ? edit->exact : batch->base_revision;
    wanted->exact = edit->exact != 0;
    wanted->dry_run = edit->dry_run || edit->faults.count > 0;
    wanted->release_hold_id = batch->release_hold_id;
    sign(job, batch, wanted);
    return ERR_NONE;
}

/* What is tried has its longest path told, for which the whole plan is gone through. */
static size_t path_size(const struct api *api, const struct job *job)
{
    const struct edit_job *edit = job->data;
    const struct constellation_record *record =
        engine_constellation(api->config.engine, job->constellation_id);
    return edit->dry_run ? (size_t)record->tasks + record->edges : 0;
}

enum err edits_post(struct api *api, struct job *job, struct reason *reason)
{
    struct edit_job *edit = job->data;
    size_t path = path_size(api, job);
    struct edit_budget budget = { .reads = EDIT_READS_A_TURN, .bytes_max = SIZE_MAX };
    if (edit->batch.operations_count > EDIT_TURN_OPERATIONS_MAX || path > EDIT_PATH_SIZE_MAX) {
        return bulk_start(api, job, reason);
    }
    enum err err =
        edits_resolve(job, api->config.store, api->config.engine, &budget, &job->arena, reason);
    api->jobs.work += EDIT_READS_A_TURN - budget.reads + path / PATH_A_READ;
    if (err != ERR_NONE) {
        return err == ERR_LIMIT ? bulk_start(api, job, reason) : err;
    }
    struct event event = { .kind = EVENT_EDIT, .now = api_now(api) };
    event.edit.request = job->id;
    event.edit.edit = &edit->resolved.edit;
    edit->head = engine_constellation(api->config.engine, job->constellation_id)->revision;
    job_post(api, job, &event);
    /* Now, so that the next edit of the turn finds it. */
    if (edit->resolved.has_description &&
        engine_constellation(api->config.engine, job->constellation_id)->revision != edit->head) {
        return store_put_description(api->config.store, job->constellation_id,
                                     edit->resolved.description, reason);
    }
    return ERR_NONE;
}

enum err edits_share_turn(struct api *api, struct effects *effects, struct reason *reason)
{
    enum err err = store_apply(api->config.store, effects, reason);
    return err != ERR_NONE ? err : query_share_turn(api->config.store, reason);
}

enum err edits_load(struct api *api, struct job *job, struct effects *effects, bool *ret_live,
                    struct reason *reason)
{
    enum err err = edits_share_turn(api, effects, reason);
    return err != ERR_NONE ? err : wake_for(api, job, ret_live, reason);
}

static enum err run(struct api *api, struct job *job, struct effects *effects,
                    struct reason *reason)
{
    const struct edit_job *edit = job->data;
    if (edit->bulk != NULL) {
        return bulk_run(api, job, effects, reason);
    }
    bool live = false;
    enum err err = edits_load(api, job, effects, &live, reason);
    return err != ERR_NONE || !live ? err : edits_post(api, job, reason);
}

/* What has changed meanwhile can be looked at and tried again; what is wrong has to be repaired. */
static enum problem_code code_of(const struct edit_faults *faults)
{
    static const char *const changed[] = { "edit_conflict", "stale_revision", "expect_failed" };
    for (size_t i = 0; i < faults->count; i++) {
        for (size_t k = 0; k < sizeof(changed) / sizeof(changed[0]); k++) {
            if (strcmp(faults->list[i].code, changed[k]) == 0) {
                return PROBLEM_EDIT_CONFLICT;
            }
        }
    }
    return PROBLEM_EDIT_REFUSED;
}

void edits_refuse(struct api *api, struct job *job)
{
    struct edit_job *edit = job->data;
    enum problem_code code = route_refusal(job->route, code_of(&edit->faults));
    struct reason detail;
    reason_set(&detail, ERR_CONFLICT, "nothing was changed: %zu%s problem%s; the first: %.*s",
               edit->faults.count, edit->faults.more ? " or more" : "",
               edit->faults.count == 1 ? "" : "s", STR_ARG(edit->faults.list[0].detail));
    edit_view_faults(&job->body, code, str_of(detail.text), &edit->faults, edit->head);
    job_answer_refused(api, job, code);
}

enum err edits_view(struct job *job, struct store *store, const struct edit_result *result,
                    struct json_out *out, struct reason *reason)
{
    const struct edit_job *edit = job->data;
    json_out_object(out, NULL);
    json_out_str(out, "constellation", edit->uid);
    if (edit->undone != 0) {
        json_out_uint(out, "undone", edit->undone);
    }
    enum err err = edit_view_result(store, out, &edit->resolved, result, &job->arena, reason);
    if (err == ERR_NONE) {
        json_out_object_end(out);
    }
    return err;
}

/* It touches more than a turn can take, however few its operations are. */
static bool is_too_large(const struct edit_result *result)
{
    for (size_t i = 0; i < result->problems_count; i++) {
        if (result->problems[i].code == EDIT_CODE_TOO_LARGE) {
            return true;
        }
    }
    return false;
}

enum err edits_answer(struct api *api, struct job *job, const struct effect *effect,
                      struct reason *reason)
{
    struct edit_job *edit = job->data;
    const struct edit_result *result = effect->reply.edit;
    struct store *store = api->config.store;
    if (edit->bulk != NULL) {
        return bulk_answer(api, job, effect, reason);
    }
    if (result == NULL) {
        job_answer_problem(api, job, PROBLEM_NOT_FOUND, "%.*s", STR_ARG(effect->reply.reason));
        return ERR_NONE;
    }
    if (is_too_large(result)) {
        return bulk_again(api, job);
    }
    enum err err = edit_take_problems(store, &edit->resolved, result, &edit->faults, reason);
    if (err != ERR_NONE) {
        return err;
    }
    if (edit->faults.count > 0) {
        edits_refuse(api, job);
        return ERR_NONE;
    }
    struct json_out out = { .buf = &job->body };
    err = edits_view(job, store, result, &out, reason);
    if (err != ERR_NONE) {
        return err;
    }
    job_answer(api, job);
    return edit->dry_run ? ERR_NONE : job_keep(api, job, reason);
}

static const struct job_type edit_job_type = { .run = run, .answer = edits_answer };

void edits_handle(struct api *api, const struct api_call *call)
{
    const struct net_request *request = call->request;
    if (request->body.length > SPEC_BYTES_MAX) {
        reply_problem(api, request->id, PROBLEM_BODY_TOO_LARGE, "an edit has at most %d bytes",
                      SPEC_BYTES_MAX);
        return;
    }
    struct job *job = edits_begin(api, call, &edit_job_type);
    if (job == NULL || !job_is_first(api, job, request)) {
        return;
    }
    if (!job_take_body(api, job, request)) {
        return;
    }
    job->work = (struct work){ .run = parse, .done = parsed, .drop = job_drop, .owner = job };
    if (request->body.length <= API_INLINE_PARSE_BYTES_MAX) {
        parse(&job->work, NULL);
        parsed(api, &job->work);
    } else if (!worker_take(api->parser, &job->work)) {
        job_free(&api->jobs, job);
        reply_problem(api, request->id, PROBLEM_TOO_MANY,
                      "large bodies are being read already; try again");
    }
}
