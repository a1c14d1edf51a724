/* See route.h. A new route is a row here, a handler, and its words in docs/openapi.yaml. */
#include "orchestrator/api/route.h"

#include <stddef.h>
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/api/api.h"
#include "orchestrator/api/handlers.h"

#define API "/api/v1"

static const char *const list_parameters[] = { "state", "limit", "before", NULL };
static const char *const tasks_parameters[] = { "state", "keys", "fields", "limit", "after", NULL };
static const char *const output_parameters[] = { "stream", "attempt", "follow", NULL };
static const char *const get_parameters[] = { "wait", NULL };
static const char *const events_parameters[] = { "constellation", "since", "wait", NULL };
static const char *const release_parameters[] = { "deny", "reason", NULL };
static const char *const edit_parameters[] = { "dry_run", NULL };
static const char *const revisions_parameters[] = { "limit", "last", NULL };
static const char *const diff_parameters[] = { "from", "to", NULL };
static const char *const plan_parameters[] = { "revision", NULL };
static const char *const context_parameters[] = { "max_bytes", NULL };
static const char *const history_parameters[] = { "last", NULL };
static const char *const changes_parameters[] = { "constellation", "since", "wait", NULL };

/* What a handler may refuse with. Not among it is what any route may: a token or a query that is not right,
   told before the handler is called, and PROBLEM_INTERNAL. */
#define P(code) (UINT32_C(1) << PROBLEM_##code)
#define BY_ID   (P(NOT_FOUND) | P(AMBIGUOUS_ID))
#define READ    (BY_ID | P(TOO_MANY) | P(TOO_LONG))
#define CHANGE                                                                                     \
    (BY_ID | P(BAD_REQUEST) | P(BODY_TOO_LARGE) | P(ALREADY_FINAL) | P(CONFLICT) |                 \
     P(IDEMPOTENCY_MISMATCH) | P(TOO_MANY))
#define REOPEN (P(NOT_FINAL) | P(TASK_RUNNING) | P(TASK_UNKNOWN) | P(TASK_SKIPPED) | P(NOT_FAILED))

#define EDIT                                                                                       \
    (BY_ID | P(BAD_REQUEST) | P(BODY_TOO_LARGE) | P(EDIT_CONFLICT) | P(EDIT_REFUSED) |             \
     P(IDEMPOTENCY_MISMATCH) | P(TOO_MANY))

static const struct api_route routes[] = {
    { "POST", API "/constellations", "submitConstellation", NET_ROLE_OPERATOR, NULL, 201, 0,
      P(BAD_REQUEST) | P(BODY_TOO_LARGE) | P(UNSUPPORTED_MEDIA_TYPE) | P(INVALID_SPEC) |
          P(IDEMPOTENCY_MISMATCH) | P(TOO_MANY) | P(BLOCKED),
      submit_handle },
    { "GET", API "/constellations", "listConstellations", NET_ROLE_VIEWER, list_parameters, 200, 0,
      P(BAD_REQUEST) | READ, constellations_list },
    { "GET", API "/constellations/{id}", "getConstellation", NET_ROLE_VIEWER, get_parameters, 200,
      0, P(BAD_REQUEST) | BY_ID | P(TOO_MANY), constellations_get },
    { "DELETE", API "/constellations/{id}", "deleteConstellation", NET_ROLE_OPERATOR, NULL, 204, 0,
      BY_ID | P(NOT_FINAL) | P(TOO_MANY), constellations_delete },
    { "POST", API "/constellations/{id}/cancel", "cancelConstellation", NET_ROLE_OPERATOR, NULL,
      202, 0, BY_ID | P(ALREADY_FINAL) | P(TOO_MANY), constellations_cancel },
    { "GET", API "/constellations/{id}/tasks", "listTasks", NET_ROLE_VIEWER, tasks_parameters, 200,
      0, P(BAD_REQUEST) | READ, tasks_list },
    { "GET", API "/constellations/{id}/tasks/{key}", "getTask", NET_ROLE_VIEWER, NULL, 200, 0,
      BY_ID, tasks_get },
    { "GET", API "/constellations/{id}/tasks/{key}/output", "getTaskOutput", NET_ROLE_VIEWER,
      output_parameters, 200, 206, P(BAD_REQUEST) | BY_ID | P(RANGE_NOT_SATISFIABLE) | P(TOO_MANY),
      output_get },
    { "POST", API "/constellations/{id}/tasks/{key}/resolve", "resolveTask", NET_ROLE_OPERATOR,
      NULL, 200, 0, CHANGE | P(NOT_UNKNOWN), resolve_handle },
    { "GET", API "/constellations/{id}/tasks/{key}/explain", "explainTask", NET_ROLE_VIEWER, NULL,
      200, 0, BY_ID, explain_get },
    { "GET", API "/constellations/{id}/holds", "listHolds", NET_ROLE_VIEWER, NULL, 200, 0, BY_ID,
      holds_list },
    { "POST", API "/constellations/{id}/holds", "placeHold", NET_ROLE_OPERATOR, NULL, 201, 0,
      CHANGE | P(HOLD_TOO_WIDE), holds_place },
    { "DELETE", API "/constellations/{id}/holds/{hold}", "releaseHold", NET_ROLE_OPERATOR,
      release_parameters, 200, 0, CHANGE, holds_release },
    { "POST", API "/constellations/{id}/edits", "editConstellation", NET_ROLE_OPERATOR,
      edit_parameters, 200, 0, EDIT | P(INVALID_EDIT), edits_handle },
    { "POST", API "/constellations/{id}/undo", "undoRevision", NET_ROLE_OPERATOR, edit_parameters,
      200, 0, EDIT | P(CONFLICT), revisions_undo },
    { "POST", API "/constellations/{id}/redo", "redoRevision", NET_ROLE_OPERATOR, edit_parameters,
      200, 0, EDIT | P(CONFLICT), revisions_redo },
    { "GET", API "/constellations/{id}/revisions", "listRevisions", NET_ROLE_VIEWER,
      revisions_parameters, 200, 0, P(BAD_REQUEST) | READ, revisions_list },
    { "GET", API "/constellations/{id}/revisions/{revision}", "getRevision", NET_ROLE_VIEWER, NULL,
      200, 0, READ, revisions_get },
    { "GET", API "/constellations/{id}/diff", "diffRevisions", NET_ROLE_VIEWER, diff_parameters,
      200, 0, P(BAD_REQUEST) | READ, diff_get },
    { "GET", API "/constellations/{id}/plan", "getPlan", NET_ROLE_VIEWER, plan_parameters, 200, 0,
      P(BAD_REQUEST) | READ, export_get },
    { "GET", API "/constellations/{id}/export", "exportConstellation", NET_ROLE_VIEWER, NULL, 200,
      0, P(BAD_REQUEST) | READ, export_get },
    { "GET", API "/constellations/{id}/context", "getContext", NET_ROLE_VIEWER, context_parameters,
      200, 0, P(BAD_REQUEST) | READ, context_get },
    { "GET", API "/constellations/{id}/tasks/{key}/history", "getTaskHistory", NET_ROLE_VIEWER,
      history_parameters, 200, 0, P(BAD_REQUEST) | READ, history_get },
    { "POST", API "/constellations/{id}/pause", "pauseConstellation", NET_ROLE_OPERATOR, NULL, 200,
      0, CHANGE, holds_pause },
    { "POST", API "/constellations/{id}/resume", "resumeConstellation", NET_ROLE_OPERATOR, NULL,
      200, 0, CHANGE, holds_resume },
    { "POST", API "/constellations/{id}/retry", "retryTasks", NET_ROLE_OPERATOR, NULL, 200, 0,
      CHANGE | REOPEN, reopen_retry },
    { "POST", API "/constellations/{id}/rerun", "rerunTasks", NET_ROLE_OPERATOR, NULL, 200, 0,
      CHANGE | REOPEN, reopen_rerun },
    { "GET", API "/constellations/{id}/plan/metrics", "getPlanMetrics", NET_ROLE_VIEWER, NULL, 200,
      0, READ | P(CONFLICT), plan_metrics_get },
    { "GET", API "/attention", "listAttention", NET_ROLE_VIEWER, NULL, 200, 0, 0, attention_get },
    { "GET", API "/devices", "listDevices", NET_ROLE_VIEWER, NULL, 200, 0, 0, devices_list },
    { "GET", API "/devices/{name}", "getDevice", NET_ROLE_VIEWER, NULL, 200, 0, P(NOT_FOUND),
      devices_get },
    { "POST", API "/devices/{name}/drain", "drainDevice", NET_ROLE_OPERATOR, NULL, 200, 0,
      P(BAD_REQUEST) | P(NOT_FOUND) | P(CONFLICT) | P(TOO_MANY), drain_begin },
    { "POST", API "/devices/{name}/undrain", "undrainDevice", NET_ROLE_OPERATOR, NULL, 200, 0,
      P(BAD_REQUEST) | P(NOT_FOUND) | P(CONFLICT) | P(TOO_MANY), drain_end },
    { "GET", API "/events", "followEvents", NET_ROLE_VIEWER, events_parameters, 200, 0,
      P(BAD_REQUEST) | BY_ID | P(EVENT_GAP) | P(TOO_MANY), events_follow },
    { "GET", API "/changes", "followChanges", NET_ROLE_VIEWER, changes_parameters, 200, 0,
      P(BAD_REQUEST) | BY_ID | P(EVENT_GAP) | P(TOO_MANY), changes_follow },
    { "POST", API "/tokens", "createToken", NET_ROLE_ADMIN, NULL, 201, 0,
      P(BAD_REQUEST) | P(ALREADY_EXISTS) | P(TOO_MANY), tokens_create },
    { "GET", API "/tokens", "listTokens", NET_ROLE_ADMIN, NULL, 200, 0, 0, tokens_list },
    { "DELETE", API "/tokens/{token}", "revokeToken", NET_ROLE_ADMIN, NULL, 204, 0,
      P(NOT_FOUND) | P(TOO_MANY), tokens_revoke },
    { "GET", API "/schema/{name}", "getSchema", NET_ROLE_VIEWER, NULL, 200, 0, P(NOT_FOUND),
      schema_get },
    { "POST", API "/import", "convertImport", NET_ROLE_VIEWER, NULL, 200, 0,
      P(BODY_TOO_LARGE) | P(INVALID_SPEC) | P(TOO_MANY), import_handle },
    { "GET", API "/openapi.yaml", "getOpenapi", NET_ROLE_VIEWER, NULL, 200, 0, 0, openapi_get },
    { "GET", "/healthz", "getHealth", NET_ROLE_NONE, NULL, 200, 0, 0, health_alive },
    { "GET", "/readyz", "getReadiness", NET_ROLE_NONE, NULL, 200, 503, 0, health_ready },
    { "GET", "/metrics", "getMetrics", NET_ROLE_VIEWER, NULL, 200, 0, 0, metrics_get },
};

_Static_assert(PROBLEM_CODES_COUNT <= 32, "a problem code has a bit");

enum { ROUTES_COUNT = sizeof(routes) / sizeof(routes[0]) };

/* The piece of `path` at *at up to the next slash; *at moves behind the slash. */
static bool next_segment(struct str path, size_t *at, struct str *ret_segment)
{
    if (*at > path.length) {
        return false;
    }
    const char *from = path.data + *at;
    size_t left = path.length - *at;
    const char *slash = left == 0 ? NULL : memchr(from, '/', left);
    size_t length = slash == NULL ? left : (size_t)(slash - from);
    *ret_segment = (struct str){ from, length };
    *at += length + 1;
    return true;
}

static bool matches(const char *pattern, struct str path, struct str params[ROUTE_PARAMS_MAX])
{
    struct str wanted = str_of(pattern);
    size_t wanted_at = 0;
    size_t path_at = 0;
    size_t count = 0;
    for (;;) {
        struct str a = { NULL, 0 };
        struct str b = { NULL, 0 };
        bool more = next_segment(wanted, &wanted_at, &a);
        if (next_segment(path, &path_at, &b) != more) {
            return false;
        }
        if (!more) {
            return true;
        }
        if (a.length > 0 && a.data[0] == '{') {
            if (b.length == 0) {
                return false;
            }
            CHECK(count < ROUTE_PARAMS_MAX);
            params[count++] = b;
        } else if (!str_equal(a, b)) {
            return false;
        }
    }
}

enum problem_code route_refusal(const struct api_route *route, enum problem_code code)
{
    bool is_promised = route == NULL || (route->problems >> (unsigned)code & 1U) != 0;
    return is_promised ? code : PROBLEM_INTERNAL;
}

const char *route_role_name(enum net_role role)
{
    switch (role) {
    case NET_ROLE_NONE:
        return "none";
    case NET_ROLE_VIEWER:
        return "viewer";
    case NET_ROLE_OPERATOR:
        return "operator";
    case NET_ROLE_ADMIN:
        return "admin";
    case NET_ROLE_AGENT:
        return "agent";
    }
    return "none";
}

bool route_find(struct str method, struct str path, const struct api_route **ret_route,
                struct str ret_params[ROUTE_PARAMS_MAX], char ret_methods[ROUTE_METHODS_BYTES_MAX])
{
    ret_methods[0] = '\0';
    for (size_t i = 0; i < ROUTES_COUNT; i++) {
        struct str params[ROUTE_PARAMS_MAX] = { { NULL, 0 } };
        if (!matches(routes[i].path, path, params)) {
            continue;
        }
        if (str_is(method, routes[i].method)) {
            memcpy(ret_params, params, sizeof(params));
            *ret_route = &routes[i];
            return true;
        }
        size_t length = strlen(ret_methods);
        size_t bytes = strlen(routes[i].method);
        CHECK(length + bytes + 3 <= ROUTE_METHODS_BYTES_MAX);
        if (length > 0) {
            memcpy(ret_methods + length, ", ", 2);
            length += 2;
        }
        memcpy(ret_methods + length, routes[i].method, bytes + 1);
    }
    return false;
}

bool api_each_route(size_t *at, struct api_route_view *ret_view)
{
    if (*at >= ROUTES_COUNT) {
        return false;
    }
    const struct api_route *route = &routes[(*at)++];
    *ret_view = (struct api_route_view){
        .method = route->method,
        .path = route->path,
        .operation = route->operation,
        .role = route_role_name(route->role),
        .status = route->status,
        .other = route->other,
        .problems = route->problems,
    };
    return true;
}
