/* The reference model of a living constellation: as simple and as slow as can be, with no code of the
   engine's. Decisions, skips and ends are found by going over everything until nothing changes. */
#ifndef TESTS_UNIT_LIVING_MODEL_H
#define TESTS_UNIT_LIVING_MODEL_H

#include "orchestrator/engine/edit.h"
#include "orchestrator/engine/event.h"

enum { MODEL_TASKS = 300, MODEL_EDGES = 1500, MODEL_HOLDS = 320, MODEL_PROBLEMS = 400 };

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
    bool holds_failure; /* its policy */
    bool is_removed;    /* within an edit */
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
    struct model_problem problems[MODEL_PROBLEMS];
    size_t problems_count;
    int added[EDIT_LISTED_MAX]; /* by number, of the last edit */
    int added_edges[EDIT_LISTED_MAX];
    size_t added_edges_count;
    int (*condition)(int64_t edge_id, int64_t from_id, uint32_t attempts); /* 1: opens */
};

int model_find(const struct model *model, int64_t task_id); /* -1: none */
int model_add_task(struct model *model, unsigned flags, bool holds_failure);
int model_add_edge(struct model *model, int from, int to, enum edge_when when, bool required,
                   bool conditional);
bool model_is_final(enum task_state state);
bool model_has_started(const struct model *model, int task);
bool model_is_held(const struct model *model, int task);
bool model_is_ready(const struct model *model, int task); /* whether or not it is held */
bool model_may_run(const struct model *model, int task);  /* a slot is all that it lacks */
void model_run(struct model *model);                      /* until nothing changes */
void model_finish(struct model *model, int task, enum task_state state);
bool model_cancel(struct model *model);
struct model_hold *model_hold(struct model *model, enum hold_scope scope, enum hold_origin origin,
                              int root);
void model_release(struct model *model, struct model_hold *hold, bool approved);
/* "": it was done; else the first word of the refusal. */
const char *model_reopen(struct model *model, const int64_t *ids, size_t count, bool rerun,
                         bool keep_skipped);
/* True: applied, or would be. Ids of what is new are still to be given. */
bool model_edit(struct model *model, const struct edit *edit, const bool *holds_failure);

#endif
