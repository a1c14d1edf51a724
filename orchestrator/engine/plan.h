/* A plan: a whole constellation as it is submitted, flat, checked and ready to be taken in. Made by
   orchestrator/spec from text; the engine numbers its tasks and stores it. Everything it points to
   belongs to whoever made it and must live until the plan has been taken in. */
#ifndef ORCHESTRATOR_ENGINE_PLAN_H
#define ORCHESTRATOR_ENGINE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/str.h"
#include "proto/msg/msg.h"

enum {
    PLAN_TASKS_MAX = 1000000,
    PLAN_EDGES_MAX = 4000000,
    PLAN_KEY_BYTES_MAX = 128,
    PLAN_NAME_BYTES_MAX = 100,
    PLAN_ATTEMPTS_MAX = 1000,
    PLAN_PRIORITY_MAX = 1000, /* and its negative */
};

/* When a dependency opens. Numbers are stored. */
enum edge_when {
    EDGE_WHEN_SUCCESS = 1,
    /* 2 finished, 3 failure and 4 always are taken. */
};

/* What may run a task: tasks that agree in all of it share one requirement class. */
struct plan_class {
    struct str selector; /* as written; "" any */
    struct str device;   /* "" any */
    enum executor executor;
};

/* How attempts are made: tasks that agree in all of it share one. */
struct plan_policy {
    uint32_t max_attempts;   /* exits and timeouts; 1: no retry */
    uint32_t max_lost;       /* deaths of the agent's process or machine */
    int64_t backoff_base_ms; /* before the second attempt, with full jitter below it */
    int64_t backoff_max_ms;
    uint32_t backoff_factor_permille; /* 2000: doubles each time */
    int64_t run_timeout_ms;           /* 0: none */
    int64_t kill_grace_ms;
    int64_t output_bytes_max; /* a stream; the agent keeps to it, the daemon takes no more */
    enum on_disconnect on_disconnect;
};

struct plan_task {
    struct str key;
    struct str body;      /* encoded TaskBody */
    uint32_t class_index; /* into the plan's */
    uint32_t policy_index;
    int32_t priority;    /* higher first */
    bool has_references; /* the body holds placeholders, to be filled in before it is assigned */
};

struct plan_edge {
    uint32_t from; /* index of the predecessor */
    uint32_t to;
    enum edge_when when;
};

struct plan {
    struct str name;   /* [A-Za-z0-9_-]{1,100} */
    struct str source; /* the text it was made from */
    const struct plan_class *classes;
    size_t classes_count;
    const struct plan_policy *policies;
    size_t policies_count;
    const struct plan_task *tasks; /* in the order they were written */
    size_t tasks_count;
    const struct plan_edge *edges; /* by `to`, then as written; no two alike; acyclic */
    size_t edges_count;
};

#endif
