/* See route.h. A new route is a row here, a handler, and its words in docs/openapi.yaml. */
#include "orchestrator/api/route.h"

#include <stddef.h>
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/api/api.h"
#include "orchestrator/api/handlers.h"

#define API "/api/v1"

static const char *const list_parameters[] = { "state", "limit", "before", NULL };
static const char *const tasks_parameters[] = { "state", "keys", "limit", "after", NULL };
static const char *const output_parameters[] = { "stream", "attempt", "follow", NULL };
static const char *const events_parameters[] = { "constellation", "since", NULL };
static const char *const changes_parameters[] = { "constellation", NULL };

static const struct api_route routes[] = {
    { "POST", API "/constellations", "submitConstellation", NET_ROLE_OPERATOR, NULL,
      submit_handle },
    { "GET", API "/constellations", "listConstellations", NET_ROLE_VIEWER, list_parameters,
      constellations_list },
    { "GET", API "/constellations/{id}", "getConstellation", NET_ROLE_VIEWER, NULL,
      constellations_get },
    { "DELETE", API "/constellations/{id}", "deleteConstellation", NET_ROLE_OPERATOR, NULL,
      constellations_delete },
    { "POST", API "/constellations/{id}/cancel", "cancelConstellation", NET_ROLE_OPERATOR, NULL,
      constellations_cancel },
    { "GET", API "/constellations/{id}/tasks", "listTasks", NET_ROLE_VIEWER, tasks_parameters,
      tasks_list },
    { "GET", API "/constellations/{id}/tasks/{key}", "getTask", NET_ROLE_VIEWER, NULL, tasks_get },
    { "GET", API "/constellations/{id}/tasks/{key}/output", "getTaskOutput", NET_ROLE_VIEWER,
      output_parameters, output_get },
    { "GET", API "/devices", "listDevices", NET_ROLE_VIEWER, NULL, devices_list },
    { "GET", API "/devices/{name}", "getDevice", NET_ROLE_VIEWER, NULL, devices_get },
    { "GET", API "/events", "followEvents", NET_ROLE_VIEWER, events_parameters, events_follow },
    { "GET", API "/changes", "followChanges", NET_ROLE_VIEWER, changes_parameters, changes_follow },
    { "POST", API "/tokens", "createToken", NET_ROLE_ADMIN, NULL, tokens_create },
    { "GET", API "/tokens", "listTokens", NET_ROLE_ADMIN, NULL, tokens_list },
    { "DELETE", API "/tokens/{token}", "revokeToken", NET_ROLE_ADMIN, NULL, tokens_revoke },
    { "GET", API "/openapi.yaml", "getOpenapi", NET_ROLE_VIEWER, NULL, openapi_get },
    { "GET", "/healthz", "getHealth", NET_ROLE_NONE, NULL, health_alive },
    { "GET", "/readyz", "getReadiness", NET_ROLE_NONE, NULL, health_ready },
    { "GET", "/metrics", "getMetrics", NET_ROLE_VIEWER, NULL, metrics_get },
};

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
    };
    return true;
}
