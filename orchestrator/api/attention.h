/* What needs a person, derived from what is: gathered for the list, and counted for the metrics. */
#ifndef ORCHESTRATOR_API_ATTENTION_H
#define ORCHESTRATOR_API_ATTENTION_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/map.h"
#include "common/base/str.h"

struct api;

/* In the order in which they are listed. */
enum attention_reason {
    ATTENTION_BLOCKED = 0,     /* a restored database that nobody has accepted */
    ATTENTION_CLONED_IDENTITY, /* two machines under one device's name */
    ATTENTION_UNKNOWN,         /* tasks whose fate someone must decide */
    ATTENTION_APPROVAL,
    ATTENTION_FAILURE_HELD,    /* a task has failed, and its hold waits for someone to act */
    ATTENTION_HOLD_EXPIRING,   /* what a hold holds will fail */
    ATTENTION_EDIT_STUCK,      /* one of many operations holds all of it, and does not go on */
    ATTENTION_CONDITION_ERROR, /* also of one that has ended, for a while: it may have ended so */
    ATTENTION_NO_DEVICE,       /* for five minutes */
    ATTENTION_CERTIFICATE,     /* the daemon's own has expired, or soon will */
    ATTENTION_REASONS,
};
const char *attention_name(enum attention_reason reason); /* "no_device", … */

enum {
    ATTENTION_ITEMS_MAX = 1000,
    ATTENTION_REFS_MAX = 10,
    ATTENTION_SCAN_MAX = 20000, /* constellations, holds and groups of tasks that are looked at */
};

struct attention_ref {
    int64_t constellation_id; /* 0: none, and so on */
    int64_t task_id;
    int64_t device_id;
    int64_t hold_id;
};

/* All that waits for one thing. */
struct attention_item {
    enum attention_reason reason;
    uint64_t count;
    int64_t since_wall_ms; /* 0: not known */
    int64_t until_wall_ms; /* 0: it does not end by itself */
    struct str cause;      /* what they have in common, in words */
    struct attention_ref refs[ATTENTION_REFS_MAX];
    size_t refs_count;
};

struct attention {
    struct attention_item *list;
    size_t count;
    uint64_t counts[ATTENTION_REASONS];
    bool more;
    size_t looked; /* at so many things */
    struct strmap by_cause;
};

/* Everything is in the API's arena. */
enum err attention_gather(struct api *api, struct attention *ret_attention, struct reason *reason);

#endif
