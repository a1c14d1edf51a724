/* Holds: a pause on new assignments in a part of a constellation; pause and resume of all of it;
   approvals, which are released or denied. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/body.h"
#include "orchestrator/api/change.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"

void holds_list(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", api->seq);
    json_out_str(&out, "constellation", constellation.uid);
    json_out_array(&out, "holds");
    struct hold_view hold = { .record = NULL };
    size_t count = 0;
    bool more = false;
    while (!more && engine_next_hold(api->config.engine, constellation.record.id, &hold)) {
        more = count++ == API_PAGE_MAX;
        if (!more) {
            view_hold(api, &out, NULL, &hold);
            json_out_object_end(&out);
        }
    }
    json_out_array_end(&out);
    json_out_bool(&out, "more", more);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}

static enum err place_answer(struct api *api, struct job *job, const struct effect *effect,
                             struct reason *reason)
{
    if (change_refused(api, job, effect)) {
        return ERR_NONE;
    }
    struct hold_view hold;
    if (!engine_find_hold(api->config.engine, job->constellation_id, effect->reply.hold_id,
                          &hold)) {
        /* The same turn has ended it: an edit, or a release. */
        job_answer_problem(api, job, PROBLEM_CONFLICT, "the hold has ended already");
        return ERR_NONE;
    }
    struct json_out out = { .buf = &job->body };
    view_hold(api, &out, NULL, &hold);
    json_out_object_end(&out);
    job_answer(api, job);
    return job_keep(api, job, reason);
}

static const struct job_type place_job = { .run = change_run, .answer = place_answer };
static const struct job_type release_job = { .run = change_run, .answer = change_answer };

/* A hold without tasks is one on all; with them, on them alone unless it says otherwise. */
static enum err check_scope(const struct change *change, int scope, struct reason *reason)
{
    if (scope == HOLD_ALL && change->keys_count > 0) {
        return reason_set(reason, ERR_INVALID, "scope all takes no tasks");
    }
    if (scope == HOLD_TASKS && change->keys_count == 0) {
        return reason_set(reason, ERR_INVALID, "scope tasks needs tasks");
    }
    if (scope == HOLD_DESCENDANTS && change->keys_count != 1) {
        return reason_set(reason, ERR_INVALID,
                          "scope descendants needs one task: that behind which it holds");
    }
    return ERR_NONE;
}

static enum err read_hold(struct str text, struct job *job, struct change *change,
                          struct reason *reason)
{
    static const char *const keys[] = { "scope", "tasks", "reason", "for", "on_expiry", NULL };
    struct event *event = &change->event;
    json_t *body = NULL;
    int scope = 0;  /* in the order of enum hold_scope */
    int expiry = 0; /* likewise */
    enum err err = body_read(text, keys, &body, reason);
    if (err != ERR_NONE) {
        return err;
    }
    err = body_word(body, "scope", "tasks descendants all", &scope, reason);
    if (err == ERR_NONE) {
        err = body_texts(body, "tasks", CHANGE_TASKS_MAX, &job->arena, &change->keys,
                         &change->keys_count, reason);
    }
    if (err == ERR_NONE) {
        err = body_text(body, "reason", CHANGE_REASON_BYTES_MAX, &job->arena, &event->hold.reason,
                        reason);
    }
    if (err == ERR_NONE) {
        err = body_duration(body, "for", &event->hold.length_ms, reason);
    }
    if (err == ERR_NONE) {
        err = body_word(body, "on_expiry", "release fail", &expiry, reason);
    }
    json_decref(body);
    if (scope == 0) {
        scope = change->keys_count > 0 ? HOLD_TASKS : HOLD_ALL;
    }
    event->hold.scope = (enum hold_scope)scope;
    event->hold.on_expiry = expiry == 0 ? HOLD_EXPIRY_RELEASE : (enum hold_expiry)expiry;
    if (err == ERR_NONE && expiry != 0 && event->hold.length_ms == 0) {
        err = reason_set(reason, ERR_INVALID, "on_expiry needs for: how long it holds");
    }
    return err == ERR_NONE ? check_scope(change, scope, reason) : err;
}

void holds_place(struct api *api, const struct api_call *call)
{
    struct job *job = NULL;
    struct change *change = NULL;
    if (!change_begin(api, call, &place_job, &job, &change)) {
        return;
    }
    change->event.kind = EVENT_HOLD;
    change->event.hold.origin = HOLD_BY_REQUEST;
    struct reason reason = { "" };
    enum err err = read_hold(call->request->body, job, change, &reason);
    change_end(api, call, job, err, &reason);
}

void holds_pause(struct api *api, const struct api_call *call)
{
    static const char *const keys[] = { "reason", "for", NULL };
    struct job *job = NULL;
    struct change *change = NULL;
    if (!change_begin(api, call, &release_job, &job, &change)) {
        return;
    }
    struct event *event = &change->event;
    event->kind = EVENT_HOLD;
    event->hold.origin = HOLD_PAUSE;
    event->hold.scope = HOLD_ALL;
    event->hold.on_expiry = HOLD_EXPIRY_RELEASE;
    struct reason reason = { "" };
    json_t *body = NULL;
    enum err err = body_read(call->request->body, keys, &body, &reason);
    if (err == ERR_NONE) {
        err = body_text(body, "reason", CHANGE_REASON_BYTES_MAX, &job->arena, &event->hold.reason,
                        &reason);
    }
    if (err == ERR_NONE) {
        err = body_duration(body, "for", &event->hold.length_ms, &reason);
    }
    json_decref(body);
    change_end(api, call, job, err, &reason);
}

void holds_resume(struct api *api, const struct api_call *call)
{
    struct job *job = NULL;
    struct change *change = NULL;
    if (!change_begin(api, call, &release_job, &job, &change)) {
        return;
    }
    change->event.kind = EVENT_RELEASE;
    change->event.release.approved = true;
    change_end(api, call, job, ERR_NONE, NULL);
}

/* "alice" or "alice: not today": what the events and a denied task tell. */
static struct str words_of(struct job *job, struct str why)
{
    struct buf words = { NULL, 0, 0 };
    buf_printf(&words, "%s%s%.*s", job->actor, why.length == 0 ? "" : ": ", STR_ARG(why));
    struct str copy =
        arena_str(&job->arena, (struct str){ (const char *)words.data, words.length });
    buf_done(&words);
    return copy;
}

void holds_release(struct api *api, const struct api_call *call)
{
    struct job *job = NULL;
    struct change *change = NULL;
    if (!change_begin(api, call, &release_job, &job, &change)) {
        return;
    }
    struct event *event = &change->event;
    struct reason reason = { "" };
    struct str why = { NULL, 0 };
    uint64_t id = 0;
    bool deny = false;
    enum err err = args_flag(&call->args, "deny", &deny, &reason);
    if (err == ERR_NONE && (!str_to_uint64(call->params[1], INT64_MAX, &id) || id == 0)) {
        err = reason_set(&reason, ERR_INVALID, "a hold is named by its number");
    }
    args_get(&call->args, "reason", &why);
    if (err == ERR_NONE && why.length > CHANGE_REASON_BYTES_MAX) {
        err = reason_set(&reason, ERR_INVALID, "reason has at most %d bytes",
                         CHANGE_REASON_BYTES_MAX);
    }
    event->kind = EVENT_RELEASE;
    event->release.hold_id = (int64_t)id;
    event->release.approved = !deny;
    event->release.actor = words_of(job, why);
    change_end(api, call, job, err, &reason);
}
