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
    PLAN_CONDITION_BYTES_MAX = 4096,
    PLAN_LIMITS_MAX = 64,     /* named limits of a constellation */
    PLAN_TASK_LIMITS_MAX = 4, /* of which one task takes part */
    PLAN_RESOURCES_MAX = 16,  /* that one task needs */
    PLAN_TOOLS_MAX = 32,
};

/* When a dependency opens. Numbers are stored. */
enum edge_when {
    EDGE_WHEN_SUCCESS = 1,
    EDGE_WHEN_FINISHED = 2,
    EDGE_WHEN_FAILURE = 3,
    EDGE_WHEN_ALWAYS = 4,
};

/* Bits of a task, stored. */
enum task_flag {
    TASK_JOIN_ANY = 1 << 0,      /* else all */
    TASK_ALLOW_FAILURE = 1 << 1, /* its failure is not the constellation's */
    TASK_FINALLY = 1 << 2,       /* runs last, also after a cancel */
    TASK_GATE = 1 << 3,          /* has no executor: succeeds in the daemon once it is open */
    TASK_APPROVAL = 1 << 4,      /* each round of it waits for someone to approve it */
};

/* What a second run would do. Stored. */
enum task_effect {
    TASK_IDEMPOTENT = 0,
    TASK_PURE = 1,
    TASK_ONCE = 2, /* an attempt of unknown fate is not repeated: someone decides */
};

/* How a device is chosen among those that fit. Stored. */
enum strategy {
    STRATEGY_LEAST_LOADED = 0,
    STRATEGY_ROUND_ROBIN = 1,
    STRATEGY_SPREAD = 2, /* as few tasks of one constellation on a device as can be */
    STRATEGY_PACK = 3,   /* the fullest device first */
};

/* Bits: after which ends another attempt is made. Stored. */
enum retry_on {
    RETRY_ON_EXIT = 1 << 0,
    RETRY_ON_SIGNAL = 1 << 1,
    RETRY_ON_TIMEOUT = 1 << 2,
    RETRY_ON_START = 1 << 3,
    RETRY_ON_ALL = 15,
};

struct plan_resource {
    struct str name;      /* "cpu", "memory", "gpu", … */
    int64_t amount_milli; /* thousandths; of memory: of a byte */
};

/* A named limit of a constellation: no more than `capacity` of it is taken at a time. */
struct plan_limit {
    struct str name;
    uint32_t capacity;
};

struct plan_limit_use {
    uint32_t limit; /* index into the plan's */
    uint32_t amount;
};

/* What may run a task: tasks that agree in all of it share one requirement class. */
struct plan_class {
    struct str selector;    /* as written; "" any */
    struct str device;      /* "" any */
    enum executor executor; /* 0: none, a gate */
    enum strategy strategy;
    uint32_t same_device; /* plan index + 1 of the task on whose device it runs; 0 none */
    uint32_t other_device;
    const struct str *tools; /* sorted */
    size_t tools_count;
    const struct plan_resource *resources; /* sorted by name */
    size_t resources_count;
    const struct plan_limit_use *limits; /* sorted */
    size_t limits_count;
};

/* How attempts are made: tasks that agree in all of it share one. */
struct plan_policy {
    uint32_t max_attempts;            /* exits and timeouts; 1: no retry */
    uint32_t max_lost;                /* deaths of the agent's process or machine */
    uint32_t retry_on;                /* bits of enum retry_on; 0: as all */
    uint32_t backoff_factor_permille; /* 2000: doubles each time */
    int64_t backoff_base_ms;          /* before the second attempt, with full jitter below it */
    int64_t backoff_max_ms;
    int64_t run_timeout_ms; /* 0: none */
    int64_t kill_grace_ms;
    int64_t output_bytes_max; /* a stream; the agent keeps to it, the daemon takes no more */
    enum on_disconnect on_disconnect;
    enum task_effect effect;
    int64_t queue_timeout_ms;   /* from ready to assigned; 0: none, and so on */
    int64_t start_timeout_ms;   /* from assigned to started */
    int64_t silence_timeout_ms; /* without a byte of output; the agent's to enforce */
    int64_t hold_on_failure_ms; /* how long its failure waits for someone to act on it */
};

struct plan_task {
    struct str key;
    struct str body;      /* encoded TaskBody */
    uint32_t class_index; /* into the plan's */
    uint32_t policy_index;
    int32_t priority;    /* higher first */
    bool has_references; /* the body holds placeholders, to be filled in before it is assigned */
    uint16_t flags;      /* bits of enum task_flag */
    struct str group;    /* the key it was expanded from by `each`, or "" */
    struct str description;
    struct str hold; /* why it waits for an approval; "" it does not */
};

struct plan_edge {
    uint32_t from; /* index of the predecessor */
    uint32_t to;
    enum edge_when when;
    bool named;           /* in `needs`; else a reference alone has made it */
    bool required;        /* by a reference: must open also under TASK_JOIN_ANY */
    struct str condition; /* an expression over the predecessor's end; "" none */
    struct str arguments; /* JSON array of what its ?N stand for; "" none */
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
    const struct plan_limit *limits;
    size_t limits_count;
    int64_t deadline_ms; /* from the submission; 0 none */
    bool fail_fast;
    struct str description;
};

const char *edge_when_name(enum edge_when when); /* as written in a spec: "success", … */
const char *task_effect_name(enum task_effect effect);
const char *strategy_name(enum strategy strategy);

#endif
