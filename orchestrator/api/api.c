/* See api.h: making and freeing it, and a request's way to its handler. */
#include "orchestrator/api/api.h"

#include "common/base/mem.h"
#include "common/sys/digest.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change_words.h"
#include "orchestrator/api/edit_resolve.h"
#include "orchestrator/api/poll.h"
#include "orchestrator/api/worker.h"
#include "orchestrator/store/query_event.h"

enum err api_new(const struct api_config *config, struct api **ret_api, struct reason *reason)
{
    struct api *api = mem_alloc(sizeof(*api));
    api->config = *config;
    digest_hex(config->start.lineage, 4, api->lineage);
    jobs_init(&api->jobs);
    if (api->config.edit_bytes_max == 0) {
        api->config.edit_bytes_max = EDIT_BYTES_MAX;
    }
    if (api->config.body_bytes_max == 0) {
        api->config.body_bytes_max = API_BODY_BYTES_MAX;
    }
    api->wakes.slice = config->wake_slice == 0 ? WAKE_SLICE : config->wake_slice;
    streams_init(&api->streams);
    int64_t oldest = 0;
    enum err err = identities_load(&api->identities, config->store, reason);
    if (err == ERR_NONE) {
        err = query_event_range(config->store, &oldest, &api->seq, reason);
    }
    if (err == ERR_NONE) {
        err = worker_new(api, API_PARSES_MAX, NULL, &api->parser, reason);
    }
    if (err == ERR_NONE) {
        err = worker_new(api, API_READS_MAX, reader_new(config->store), &api->reader, reason);
    }
    if (err == ERR_NONE) {
        struct reader *reader = reader_new(config->store);
        reader_set_snapshot_ms(reader, API_CHECK_MS_MAX);
        err = worker_new(api, API_CHECKS_MAX, reader, &api->checker, reason);
    }
    if (err != ERR_NONE) {
        api_free(api);
        return err;
    }
    *ret_api = api;
    return ERR_NONE;
}

void api_free(struct api *api)
{
    if (api == NULL) {
        return;
    }
    worker_free(api->parser);
    worker_free(api->reader);
    worker_free(api->checker);
    wakes_done(api);
    jobs_done(&api->jobs);
    streams_done(&api->streams);
    plans_done(&api->plans);
    identities_done(&api->identities);
    arena_done(&api->arena);
    mem_free(api);
}

static bool role_suffices(enum net_role role, enum net_role least)
{
    if (least == NET_ROLE_NONE) {
        return true;
    }
    /* Roles rise from viewer to admin; an agent stands beside them. */
    return role != NET_ROLE_AGENT && role != NET_ROLE_NONE && role >= least;
}

static void refuse_method(struct api *api, const struct net_request *request, const char *methods)
{
    struct net_header allow = { STR("allow"), str_of(methods) };
    struct buf body = { NULL, 0, 0 };
    struct reason detail;
    reason_set(&detail, ERR_UNSUPPORTED, "only %s here", methods);
    problem_write(&body, PROBLEM_METHOD_NOT_ALLOWED, str_of(detail.text), NULL, 0);
    net_reply(api->config.net, request->id, problem_status(PROBLEM_METHOD_NOT_ALLOWED),
              REPLY_PROBLEM, &allow, 1, (struct str){ (const char *)body.data, body.length });
    buf_done(&body);
}

static void refuse_role(struct api *api, const struct net_request *request,
                        const struct api_route *route)
{
    const char *needed = route_role_name(route->role);
    if (request->identity->role == NET_ROLE_NONE) {
        reply_problem(api, request->id, PROBLEM_UNAUTHORIZED, "this needs a token of role %s",
                      needed);
        return;
    }
    reply_problem(api, request->id, PROBLEM_FORBIDDEN,
                  "this needs a token of role %s, and yours is of role %s; an admin makes one: "
                  "asterism token create --role %s --name NAME",
                  needed, route_role_name(request->identity->role), needed);
}

static void dispatch(struct api *api, const struct net_request *request)
{
    struct api_call call = { .request = request };
    char methods[ROUTE_METHODS_BYTES_MAX];
    if (!route_find(request->method, request->path, &call.route, call.params, methods)) {
        if (request->identity->role == NET_ROLE_NONE) {
            reply_problem(api, request->id, PROBLEM_UNAUTHORIZED, "send a token");
        } else if (methods[0] != '\0') {
            refuse_method(api, request, methods);
        } else {
            reply_problem(api, request->id, PROBLEM_NOT_FOUND, "nothing is served at this path");
        }
        return;
    }
    if (!role_suffices(request->identity->role, call.route->role)) {
        refuse_role(api, request, call.route);
        return;
    }
    struct reason reason;
    if (args_read(request->query, call.route->parameters, &api->arena, &call.args, &reason) !=
        ERR_NONE) {
        reply_problem(api, request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    const struct api_route *around = api->route;
    api->route = call.route;
    call.route->handle(api, &call);
    api->route = around;
}

/* What a call has put into the arena may go when no other one is under way around it. */
void api_leave(struct api *api)
{
    streams_leave(&api->streams);
    if (api->streams.depth == 0) {
        arena_clear(&api->arena);
    }
}

void api_request(struct api *api, const struct net_request *request)
{
    streams_enter(&api->streams);
    dispatch(api, request);
    api_leave(api);
}

void api_request_gone(struct api *api, uint64_t id)
{
    /* A change that is under way goes on, only nobody hears of it. */
    streams_enter(&api->streams);
    streams_gone(api, id);
    plans_gone(api, id);
    worker_gone(api->parser, id);
    worker_gone(api->reader, id);
    api_leave(api);
}

void api_stream_drained(struct api *api, uint64_t id)
{
    streams_enter(&api->streams);
    streams_drained(api, id);
    api_leave(api);
}

void api_committed(struct api *api, const struct effects *effects)
{
    streams_enter(&api->streams);
    for (size_t i = 0; i < effects->count; i++) {
        if (effects->list[i].kind == EFFECT_HISTORY && effects->list[i].history.seq > api->seq) {
            api->seq = effects->list[i].history.seq;
        }
    }
    jobs_committed(api);
    events_committed(api, effects);
    polls_committed(api, effects);
    changes_committed(api, effects);
    output_committed(api, effects);
    api_leave(api);
}

int64_t api_next_deadline(const struct api *api)
{
    int64_t plans_ms = plans_deadline(&api->plans);
    return plans_ms < api->streams.deadline_ms ? plans_ms : api->streams.deadline_ms;
}

void api_tick(struct api *api, struct moment now)
{
    streams_enter(&api->streams);
    streams_tick(api, now.boot_ms);
    plans_tick(api);
    api_leave(api);
}

bool api_find_constellation(struct api *api, const struct api_call *call, struct str id,
                            struct query_constellation *ret_constellation)
{
    struct query_candidates candidates = { .count = 0 };
    struct reason reason;
    enum err err = query_constellation_find(api->config.store, id, &api->arena, ret_constellation,
                                            &candidates, &reason);
    if (err == ERR_NONE) {
        return true;
    }
    if (err == ERR_NOT_FOUND) {
        change_no_constellation(api, call->request->id, id, &reason);
        return false;
    }
    if (err != ERR_CONFLICT) {
        reply_failed(api, call->request->id, err, &reason);
        return false;
    }
    struct problem_item items[QUERY_CANDIDATES_MAX];
    for (size_t i = 0; i < candidates.count; i++) {
        items[i] = (struct problem_item){ .code = "candidate", .detail = candidates.uids[i] };
    }
    reply_problem_items(api, call->request->id, PROBLEM_AMBIGUOUS_ID, str_of(reason.text), items,
                        candidates.count);
    return false;
}

bool api_find_constellation_whole(struct api *api, const struct api_call *call, struct str id,
                                  struct query_constellation *ret_constellation)
{
    struct query_constellation found;
    if (!api_find_constellation(api, call, id, &found)) {
        return false;
    }
    if (!str_is(id, "@last") && !str_equal(id, found.uid)) {
        struct reason detail;
        reason_set(&detail, ERR_NOT_FOUND,
                   "no constellation has the whole id \"%.*s\"; did you mean %.*s?", STR_ARG(id),
                   STR_ARG(found.uid));
        struct problem_item item = { .code = "candidate", .detail = found.uid };
        reply_problem_items(api, call->request->id, PROBLEM_NOT_FOUND, str_of(detail.text), &item,
                            1);
        return false;
    }
    *ret_constellation = found;
    return true;
}

bool api_find_constellation_id(struct api *api, const struct api_call *call, struct str id,
                               int64_t *ret_id, struct str *ret_uid)
{
    struct query_constellation found = { .record.id = uids_find(&api->uids, id), .uid = id };
    if (engine_constellation(api->config.engine, found.record.id) == NULL) {
        if (!api_find_constellation_whole(api, call, id, &found)) {
            return false;
        }
        uids_keep(&api->uids, found.uid, found.record.id);
    }
    *ret_id = found.record.id;
    if (ret_uid != NULL) {
        *ret_uid = found.uid;
    }
    return true;
}
