/* See change.h. */
#include "orchestrator/api/change.h"

#include <string.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change_words.h"
#include "orchestrator/api/view.h"
#include "orchestrator/store/query_task.h"

bool change_begin(struct api *api, const struct api_call *call, const struct job_type *type,
                  struct job **ret_job, struct change **ret_change)
{
    int64_t constellation_id = 0;
    if (!api_find_constellation_id(api, call, call->params[0], &constellation_id, NULL) ||
        !job_may_start(api, call->request->id)) {
        return false;
    }
    struct job *job = job_new(api, type, call->request);
    struct change *change = arena_alloc(&job->arena, sizeof(*change));
    *change = (struct change){ .keys = NULL };
    job->constellation_id = constellation_id;
    job->data = change;
    *ret_job = job;
    *ret_change = change;
    return true;
}

void change_end(struct api *api, const struct api_call *call, struct job *job, enum err err,
                const struct reason *reason)
{
    if (err != ERR_NONE) {
        job_free(&api->jobs, job);
        reply_problem(api, call->request->id,
                      err == ERR_LIMIT ? PROBLEM_BODY_TOO_LARGE : PROBLEM_BAD_REQUEST, "%s",
                      reason->text);
        return;
    }
    if (job_is_first(api, job, call->request)) {
        job_queue(api, job);
    }
}

/* Every key that is not there is named, not the first alone. */
static enum err answer_missing(struct api *api, struct job *job, struct reason *reason)
{
    const struct change *change = job->data;
    struct buf missing = { NULL, 0, 0 };
    enum err err = ERR_NONE;
    for (size_t i = 0; i < change->missing_count && i < CHANGE_NAMED_MAX; i++) {
        buf_printf(&missing, "%s\"%.*s\"", i == 0 ? "" : ", ",
                   STR_ARG(change->keys[change->missing[i]]));
    }
    if (change->missing_count == 1) {
        err = change_say_nearest(api, job->constellation_id, change->keys[change->missing[0]],
                                 &missing, reason);
    }
    if (err == ERR_NONE) {
        job_answer_problem(api, job, PROBLEM_NOT_FOUND, "it has no task %s%s", buf_text(&missing),
                           change->missing_count > CHANGE_NAMED_MAX ? ", …" : "");
    }
    buf_done(&missing);
    return err;
}

/* Over several turns if there are many: a task that goes meanwhile is one that the engine does not know.
   *ret_found false: it has been answered, or goes on in the next turn. */
static enum err find_ids(struct api *api, struct job *job, bool *ret_found, struct reason *reason)
{
    struct change *change = job->data;
    *ret_found = false;
    if (change->ids == NULL) {
        change->ids = arena_array(&job->arena, change->keys_count + 1, sizeof(*change->ids));
    }
    size_t before = change->ids_count;
    while (change->ids_count < change->keys_count) {
        if (api->jobs.looked_up == CHANGE_KEYS_A_TURN) {
            job_queue(api, job);
            return ERR_NONE;
        }
        size_t i = change->ids_count++;
        api->jobs.looked_up++;
        enum err err = query_task_id(api->config.store, job->constellation_id, change->keys[i],
                                     &change->ids[i], reason);
        if (err != ERR_NONE && err != ERR_NOT_FOUND) {
            return err;
        }
        if (err == ERR_NOT_FOUND && change->missing_count++ < CHANGE_NAMED_MAX) {
            change->missing[change->missing_count - 1] = i;
        }
    }
    if (change->missing_count > 0) {
        return answer_missing(api, job, reason);
    }
    if (before > 0 && before < change->keys_count) {
        job_queue(api, job); /* what so many become has a turn of its own */
        return ERR_NONE;
    }
    *ret_found = true;
    return ERR_NONE;
}

/* Where each kind of event wants what only the turn knows. */
static void address(struct job *job, const int64_t *ids, size_t count)
{
    struct change *change = job->data;
    struct event *event = &change->event;
    if (event->kind == EVENT_HOLD) {
        event->hold.request = job->id;
        event->hold.constellation_id = job->constellation_id;
        event->hold.task_ids = ids;
        event->hold.task_ids_count = count;
        event->hold.owner = str_of(job->actor);
    } else if (event->kind == EVENT_RELEASE) {
        event->release.request = job->id;
        event->release.constellation_id = job->constellation_id;
        if (event->release.actor.length == 0) {
            event->release.actor = str_of(job->actor);
        }
    } else if (event->kind == EVENT_REOPEN) {
        event->reopen.request = job->id;
        event->reopen.constellation_id = job->constellation_id;
        event->reopen.task_ids = ids;
        event->reopen.task_ids_count = count;
        event->reopen.actor = str_of(job->actor);
    } else if (event->kind == EVENT_RESOLVE) {
        event->resolve.request = job->id;
        event->resolve.constellation_id = job->constellation_id;
        event->resolve.task_id = ids[0];
        event->resolve.actor = str_of(job->actor);
    }
}

/* In a turn, when its effects have been applied: one that has ended comes back, see wake.h. *ret_live
   false: the job waits for it, or it has been answered. */
static enum err revive(struct api *api, struct job *job, bool revives, bool *ret_live,
                       struct reason *reason)
{
    if (revives) {
        return wake_for(api, job, ret_live, reason);
    }
    *ret_live = engine_constellation(api->config.engine, job->constellation_id) != NULL;
    if (!*ret_live) {
        job_answer_problem(api, job, PROBLEM_ALREADY_FINAL, "it has ended");
    }
    return ERR_NONE;
}

enum err change_run(struct api *api, struct job *job, struct effects *effects,
                    struct reason *reason)
{
    struct change *change = job->data;
    /* What the turn has done so far counts: an edit may have added the task. */
    enum err err = store_apply(api->config.store, effects, reason);
    bool is_awaited =
        change->revives || engine_constellation(api->config.engine, job->constellation_id) != NULL;
    bool found = true;
    if (err == ERR_NONE && is_awaited && change->states == 0) {
        err = find_ids(api, job, &found, reason);
    }
    if (err != ERR_NONE || !found) {
        return err;
    }
    bool live = false;
    err = revive(api, job, change->revives, &live, reason);
    if (err != ERR_NONE || !live) {
        return err;
    }
    size_t count = change->keys_count;
    int64_t *ids = change->ids;
    if (change->states != 0) {
        ids = arena_array(&job->arena, CHANGE_TASKS_MAX, sizeof(*ids));
        count = engine_list_tasks(api->config.engine, job->constellation_id, change->states, ids,
                                  CHANGE_TASKS_MAX);
    }
    if (change->states != 0 && count == 0) {
        struct buf words = { NULL, 0, 0 };
        change_say_counts(api, job->constellation_id, &words);
        job_answer_problem(api, job, PROBLEM_CONFLICT, "no task of it has failed: %s",
                           buf_text(&words));
        buf_done(&words);
        return ERR_NONE;
    }
    change->event.now = api_now(api);
    address(job, ids, count);
    job_post(api, job, &change->event);
    return ERR_NONE;
}

/* The code that the engine's reason begins with, if a route may answer with it. */
static bool split_code(struct str *text, enum problem_code *ret_code)
{
    const char *colon = text->length == 0 ? NULL : memchr(text->data, ':', text->length);
    struct str word = { text->data, colon == NULL ? text->length : (size_t)(colon - text->data) };
    for (int code = 0; code < PROBLEM_CODES_COUNT; code++) {
        if (!str_is(word, problem_name((enum problem_code)code))) {
            continue;
        }
        size_t used = word.length;
        while (used < text->length && (text->data[used] == ':' || text->data[used] == ' ')) {
            used++;
        }
        *ret_code = (enum problem_code)code;
        *text = (struct str){ text->data + used, text->length - used };
        return true;
    }
    return false;
}

/* "task 12 is under way" with the key in place of the number: the engine knows no keys. */
static struct str name_task(struct api *api, struct str words)
{
    static const struct str prefix = { "task ", 5 };
    size_t end = prefix.length;
    uint64_t id = 0;
    while (end < words.length && words.data[end] >= '0' && words.data[end] <= '9') {
        end++;
    }
    struct str digits = { words.data + prefix.length, end - prefix.length };
    struct str key = { NULL, 0 };
    struct reason reason;
    if (!str_starts_with(words, prefix) || !str_to_uint64(digits, INT64_MAX, &id) ||
        query_task_key(api->config.store, (int64_t)id, &api->arena, &key, &reason) != ERR_NONE) {
        return words;
    }
    struct buf text = { NULL, 0, 0 };
    buf_printf(&text, "task %.*s", STR_ARG(key));
    buf_append(&text, words.data + end, words.length - end);
    struct str named = arena_str(&api->arena, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
    return named;
}

bool change_refused(struct api *api, struct job *job, const struct effect *effect)
{
    if (effect->reply.err == ERR_NONE) {
        return false;
    }
    struct str reason = effect->reply.reason;
    enum problem_code code = effect->reply.err == ERR_NOT_FOUND ? PROBLEM_NOT_FOUND
                             : effect->reply.err == ERR_LIMIT   ? PROBLEM_TOO_MANY
                             : effect->reply.err == ERR_INVALID ? PROBLEM_BAD_REQUEST
                                                                : PROBLEM_CONFLICT;
    split_code(&reason, &code);
    if (reason.length == 0) {
        reason = str_of(problem_name(code));
    }
    reason = name_task(api, reason);
    struct buf words = { NULL, 0, 0 };
    buf_append(&words, reason.data, reason.length);
    if (code == PROBLEM_NOT_UNKNOWN) {
        struct buf tasks = { NULL, 0, 0 };
        change_say_tasks(api, job->constellation_id, TASK_UNKNOWN, &tasks);
        buf_printf(&words, "; %s%s",
                   tasks.length == 0 ? "no task of it is unknown" : "unknown: ", buf_text(&tasks));
        buf_done(&tasks);
    }
    job_answer_problem(api, job, code, "%s", buf_text(&words));
    buf_done(&words);
    return true;
}

enum err change_answer(struct api *api, struct job *job, const struct effect *effect,
                       struct reason *reason)
{
    if (change_refused(api, job, effect)) {
        return ERR_NONE;
    }
    struct query_constellation constellation;
    enum err err = query_constellation(api->config.store, job->constellation_id, &api->arena,
                                       &constellation, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct json_out out = { .buf = &job->body };
    view_constellation(api, &out, NULL, &constellation);
    json_out_object_end(&out);
    job_answer(api, job);
    return job_keep(api, job, reason);
}
