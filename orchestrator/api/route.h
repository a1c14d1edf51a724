/* The table of routes: every method and path that the API answers, one row each. */
#ifndef ORCHESTRATOR_API_ROUTE_H
#define ORCHESTRATOR_API_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/api/args.h"
#include "orchestrator/api/reply.h"
#include "orchestrator/net/net.h"

struct api;
struct api_route;

enum { ROUTE_PARAMS_MAX = 2, ROUTE_METHODS_BYTES_MAX = 64 };

/* A request that a route has taken: borrowed for the call of its handler. */
struct api_call {
    const struct net_request *request;
    const struct api_route *route;
    struct str params[ROUTE_PARAMS_MAX]; /* what stands for {id}, {key}, {name}, in their order */
    struct args args;
};

struct api_route {
    const char *method;
    const char *path;
    const char *operation;
    enum net_role role;            /* the least one; NET_ROLE_NONE: anybody */
    const char *const *parameters; /* of the query, NULL-terminated; NULL: none */
    int status;                    /* of its good answer */
    int other;                     /* of one that is neither that nor a problem; 0: none */
    uint32_t problems;             /* what it may refuse with, a bit each of enum problem_code */
    void (*handle)(struct api *api, const struct api_call *call);
};

/* The code to refuse with: what the row does not promise goes out as PROBLEM_INTERNAL, so that the table,
   and docs/openapi.yaml that is held to it, can be relied on. NULL: no route has taken the request. */
enum problem_code route_refusal(const struct api_route *route, enum problem_code code);

/* The route of a request. False: no path like this (ret_methods is empty), or none of this method
   (ret_methods holds those that there are, for Allow). */
const char *route_role_name(enum net_role role); /* "none", "viewer", … */
bool route_find(struct str method, struct str path, const struct api_route **ret_route,
                struct str ret_params[ROUTE_PARAMS_MAX], char ret_methods[ROUTE_METHODS_BYTES_MAX]);

#endif
