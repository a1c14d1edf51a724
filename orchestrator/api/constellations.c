/* Constellations: list, look at, cancel, delete. Submitting is in submit.c. */
#include <stdio.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/poll.h"
#include "orchestrator/api/read.h"
#include "orchestrator/api/view.h"
#include "orchestrator/store/retention.h"

enum { LIST_DEFAULT = 50 };

/* "running,failed" to bits. */
static enum err read_states(struct str list, uint32_t *ret_states, struct reason *reason)
{
    static const enum constellation_state known[] = {
        CONSTELLATION_RUNNING,
        CONSTELLATION_SUCCEEDED,
        CONSTELLATION_FAILED,
        CONSTELLATION_CANCELLED,
    };
    uint32_t states = 0;
    size_t at = 0;
    struct str name;
    while (args_item(list, &at, &name)) {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) &&
               !str_is(name, constellation_state_name(known[i]))) {
            i++;
        }
        if (i == sizeof(known) / sizeof(known[0])) {
            return reason_set(reason, ERR_INVALID,
                              "state must be of running, succeeded, failed, cancelled");
        }
        states |= UINT32_C(1) << known[i];
    }
    *ret_states = states;
    return ERR_NONE;
}

struct wanted {
    struct query_list list;
    struct query_constellations found;
    struct str next; /* its id */
};

static enum err list_rows(struct read *read, struct store *store, struct reason *reason)
{
    struct wanted *wanted = read->data;
    enum err err =
        query_constellation_list(store, &wanted->list, &read->arena, &wanted->found, reason);
    if (err == ERR_NONE && wanted->found.next_id != 0) {
        err = query_constellation_uid(store, wanted->found.next_id, &read->arena, &wanted->next,
                                      reason);
    }
    return err;
}

static enum err list_rest(struct api *api, struct read *read, struct reason *reason)
{
    (void)reason;
    const struct wanted *wanted = read->data;
    struct json_out out = { .buf = &read->body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", read->seq);
    json_out_array(&out, "constellations");
    for (size_t i = 0; i < wanted->found.count; i++) {
        view_constellation(api, &out, NULL, &wanted->found.list[i]);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_str_or_null(&out, "next", wanted->next);
    json_out_object_end(&out);
    return ERR_NONE;
}

static const struct read_kind list_read = {
    .rows = list_rows,
    .rest = list_rest,
    .too_long = "ask for fewer by limit",
};

void constellations_list(struct api *api, const struct api_call *call)
{
    struct wanted wanted = { .next = { NULL, 0 } };
    struct reason reason;
    struct str text;
    uint64_t limit = 0;
    if (args_number(&call->args, "limit", 1, API_PAGE_MAX, LIST_DEFAULT, &limit, &reason) !=
            ERR_NONE ||
        (args_get(&call->args, "state", &text) &&
         read_states(text, &wanted.list.states, &reason) != ERR_NONE)) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    wanted.list.limit = (size_t)limit;
    if (args_get(&call->args, "before", &text)) {
        struct query_constellation before;
        if (!api_find_constellation(api, call, text, &before)) {
            return;
        }
        wanted.list.before_id = before.record.id;
    }
    struct read *read = read_new(api, call, &list_read, NULL);
    read->data = arena_alloc(&read->arena, sizeof(wanted));
    *(struct wanted *)read->data = wanted;
    read_start(api, read);
}

void constellations_get(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    int64_t wait_ms = 0;
    if (!poll_wanted(api, call, &wait_ms) ||
        !api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    if (wait_ms > 0 && !constellation_state_is_final(constellation.record.state)) {
        poll_end(api, call, constellation.record.id, wait_ms);
        return;
    }
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    view_constellation(api, &out, NULL, &constellation);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}

static enum err cancel_run(struct api *api, struct job *job, struct effects *effects,
                           struct reason *reason)
{
    (void)effects;
    (void)reason;
    struct event event = {
        .kind = EVENT_CANCEL,
        .now = api_now(api),
        .cancel = {
            .request = job->id,
            .constellation_id = job->constellation_id,
            .actor = str_of(job->actor),
        },
    };
    job_post(api, job, &event);
    return ERR_NONE;
}

static enum err cancel_answer(struct api *api, struct job *job, const struct effect *effect,
                              struct reason *reason)
{
    (void)reason;
    if (effect->reply.err == ERR_NONE) {
        job_answer(api, job); /* its body is rendered after the commit */
    } else {
        /* It was live when it was asked for: it has ended since. */
        job_answer_problem(api, job, PROBLEM_ALREADY_FINAL, "%.*s", STR_ARG(effect->reply.reason));
    }
    return ERR_NONE;
}

static void cancel_render(struct api *api, struct job *job)
{
    struct query_constellation constellation;
    struct reason reason;
    enum err err = query_constellation(api->config.store, job->constellation_id, &api->arena,
                                       &constellation, &reason);
    if (err != ERR_NONE) {
        job->content_type = REPLY_PROBLEM;
        job->status = problem_status(PROBLEM_INTERNAL);
        problem_write(&job->body, PROBLEM_INTERNAL, str_of(reason.text), NULL, 0);
        return;
    }
    struct json_out out = { .buf = &job->body };
    view_constellation(api, &out, NULL, &constellation);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
}

static const struct job_type cancel_job = { .run = cancel_run,
                                            .answer = cancel_answer,
                                            .render = cancel_render };

void constellations_cancel(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    if (!api_find_constellation_whole(api, call, call->params[0], &constellation)) {
        return;
    }
    if (constellation_state_is_final(constellation.record.state)) {
        reply_problem(api, call->request->id, PROBLEM_ALREADY_FINAL, "%.*s has %s already",
                      STR_ARG(constellation.uid),
                      constellation_state_name(constellation.record.state));
        return;
    }
    if (!job_may_start(api, call->request->id)) {
        return;
    }
    struct job *job = job_new(api, &cancel_job, call->request);
    job->constellation_id = constellation.record.id;
    job_queue(api, job);
}

static enum err delete_run(struct api *api, struct job *job, struct effects *effects,
                           struct reason *reason)
{
    struct query_constellation constellation;
    enum err err = query_constellation(api->config.store, job->constellation_id, &api->arena,
                                       &constellation, reason);
    if (err == ERR_NOT_FOUND) { /* asked for twice in one turn */
        job_answer_problem(api, job, PROBLEM_NOT_FOUND, "it has been deleted");
        return ERR_NONE;
    }
    if (err != ERR_NONE) {
        return err;
    }
    /* It may have been reopened in this very turn; or it is there for one that only looks at it, as a dry
       run does, and goes with the turn. */
    const struct constellation_record *live =
        engine_constellation(api->config.engine, job->constellation_id);
    if (live != NULL && constellation_state_is_final(live->state)) {
        job_queue(api, job);
        return ERR_NONE;
    }
    err = live != NULL
              ? ERR_CONFLICT
              : store_delete_constellation(api->config.store, job->constellation_id, reason);
    if (err == ERR_CONFLICT) {
        job_answer_problem(api, job, PROBLEM_NOT_FINAL, "it is running: cancel it first");
        return ERR_NONE;
    }
    if (err != ERR_NONE) {
        return err;
    }
    /* Its name goes into the event: the row that has it is gone (event_json.c). */
    char text[QUERY_ID_BYTES_MAX + sizeof(job->actor)];
    int length = snprintf(text, sizeof(text), "%.*s %s", STR_ARG(constellation.uid), job->actor);
    struct effect *effect = effects_add(effects, EFFECT_HISTORY);
    effect->history = (struct history){
        .kind = HISTORY_CONSTELLATION_DELETED,
        .wall_ms = api_now(api).wall_ms,
        .constellation_id = job->constellation_id,
        .text = arena_str(&effects->arena, (struct str){ text, (size_t)length }),
    };
    job_answer(api, job);
    return ERR_NONE;
}

static const struct job_type delete_job = { .run = delete_run };

void constellations_delete(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    if (!api_find_constellation_whole(api, call, call->params[0], &constellation)) {
        return;
    }
    if (!constellation_state_is_final(constellation.record.state)) {
        reply_problem(
            api, call->request->id, PROBLEM_NOT_FINAL, "%.*s is %s", STR_ARG(constellation.uid),
            constellation.record.cancel_requested ? "being cancelled: delete it when it has ended"
                                                  : "running: cancel it first");
        return;
    }
    if (!job_may_start(api, call->request->id)) {
        return;
    }
    struct job *job = job_new(api, &delete_job, call->request);
    job->constellation_id = constellation.record.id;
    job_queue(api, job);
}
