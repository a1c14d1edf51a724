/* The reference model of a living constellation: as simple and as slow as can be, with no code of the
   engine's. Decisions, skips and ends are found by going over everything until nothing changes. */
#ifndef TESTS_UNIT_LIVING_MODEL_H
#define TESTS_UNIT_LIVING_MODEL_H

#include "orchestrator/engine/edit.h"
#include "orchestrator/engine/event.h"

enum { MODEL_TASKS = 300, MODEL_EDGES = 1500, MODEL_HOLDS = 320, MODEL_PROBLEMS = 400 };

/* What is made of the ends of its attempts. */
struct model_policy {
    bool holds_failure;
    bool once;
    uint32_t max_attempts;
    uint32_t max_lost;
};

struct model_task {
    bool used;
    int64_t id;
    enum task_state state;
    unsigned flags;
    uint32_t attempts;
    uint32_t first;
    uint32_t round;
    uint32_t revision;
    bool failure_held;
    struct model_policy policy;
    uint32_t tries; /* in this round, like the next */
    uint32_t lost;
    bool has_attempt; /* one that may still be heard of … */
    bool is_lost;     /* … and is not thought to run */
    bool is_gone;     /* it is proven never to have begun */
    bool is_accepted; /* its device has said so */
    bool has_begun;   /* likewise */
    bool is_removed;  /* within an edit */
    bool is_rewired;
    bool is_updated;
    bool is_touched;
    bool is_new;
};

struct model_edge {
    bool used;
    int64_t id;
    int from;
    int to;
    enum edge_when when;
    bool required;
    bool conditional;
    enum edge_decision decision;
    bool is_removed;
    bool is_updated;
    bool is_new;
};

struct model_hold {
    bool used;
    int64_t id;
    enum hold_scope scope;
    enum hold_origin origin;
    int root;
    bool names[MODEL_TASKS];
};

struct model_problem {
    uint32_t index;
    bool in_expect;
    enum edit_code code;
};

struct model {
    struct model_task tasks[MODEL_TASKS];
    struct model_edge edges[MODEL_EDGES];
    struct model_hold holds[MODEL_HOLDS];
    int tasks_top; /* above all that are used */
    int edges_top;
    int holds_top;
    enum constellation_state state;
    bool cancel;
    bool cancel_finally;
    bool stopping;
    bool finally_open;
    bool fail_fast;
    long stops; /* how often fail_fast has acted */
    bool has_cancel_job;
    uint32_t revision;
    int tasks_max; /* 0: as many as there may be */
    int edges_max;
    bool is_in_parts; /* the next edit is made in parts: what has ended is reopened for it */
    struct model_problem problems[MODEL_PROBLEMS];
    size_t problems_count;
    int added[EDIT_LISTED_MAX]; /* by number, of the last edit */
    int added_edges[EDIT_LISTED_MAX];
    size_t added_edges_count;
    int (*condition)(int64_t edge_id, int64_t from_id, uint32_t attempts); /* 1: opens */
};

int model_find(const struct model *model, int64_t task_id); /* -1: none */
int model_add_task(struct model *model, unsigned flags, struct model_policy policy);
int model_add_edge(struct model *model, int from, int to, enum edge_when when, bool required,
                   bool conditional);
bool model_is_final(enum task_state state);
bool model_has_started(const struct model *model, int task);
bool model_is_spared(const struct model *model, int task); /* no stop is meant for it */
bool model_is_ready(const struct model *model, int task);  /* whether or not it is held */
bool model_may_run(const struct model *model, int task);   /* a slot is all that it lacks */
void model_run(struct model *model);                       /* until nothing changes */
void model_finish(struct model *model, int task, enum task_state state);
bool model_cancel(struct model *model);
struct model_hold *model_hold(struct model *model, enum hold_scope scope, enum hold_origin origin,
                              int root);
void model_release(struct model *model, struct model_hold *hold, bool approved);
/* "": it was done; else the first word of the refusal. */
const char *model_reopen(struct model *model, const int64_t *ids, size_t count, bool rerun,
                         bool keep_skipped);
/* True: applied, or would be. Ids of what is new are still to be given. */
bool model_edit(struct model *model, const struct edit *edit, const struct model_policy *policies);

/* --- living_model_attempt.c --- */

enum model_end { MODEL_SUCCEEDED, MODEL_FAILED, MODEL_STOPPED };

void model_assigned(struct model *model, int task);
void model_started(struct model *model, int task);
void model_ended(struct model *model, int task, enum model_end end);
/* Its device is away for too long. */
void model_cut_off(struct model *model, int task);
/* Its device is back and has it in this state; 0: does not name it. Those that it does not name come first. */
void model_returned(struct model *model, int task, enum held_state held, bool same_boot);
void model_wake(struct model *model); /* all backoffs are over */
/* "": it was done; else the first word of the refusal. */
const char *model_resolve(struct model *model, int task, enum resolution resolution);

#endif
