/* What the API reads of tasks, their dependencies and attempts. As in query.h. */
#ifndef ORCHESTRATOR_STORE_QUERY_TASK_H
#define ORCHESTRATOR_STORE_QUERY_TASK_H

#include "orchestrator/store/query.h"

struct query_attempt {
    struct attempt_record record;
    struct str device; /* its name */
    struct str reason; /* empty: none */
    struct str result; /* JSON; empty: none */
};

/* ERR_NOT_FOUND: no attempt has this fence. */
enum err query_attempt(struct store *store, uint64_t fence, struct arena *arena,
                       struct query_attempt *ret_attempt, struct reason *reason);

/* When it ran: what is 0 is not known. ERR_NOT_FOUND: it has gone. */
struct query_span {
    int64_t started_wall_ms;
    int64_t ended_wall_ms;
    uint64_t previous; /* the task's attempt before; 0: none */
};
enum err query_span(struct store *store, uint64_t fence, struct query_span *ret_span,
                    struct reason *reason);

struct query_task {
    struct task_record record;
    int64_t constellation_id;
    struct str key;
    struct str reason; /* why it failed without an attempt that says so */
    struct str group;  /* empty: none, and so on */
    struct str description;
    struct str hold; /* why it waits for an approval */
    struct str selector;
    struct str device; /* pinned; empty: none */
    enum executor executor;
    uint32_t max_attempts;
    bool has_attempt; /* the latest, if it ever had one */
    struct query_attempt attempt;
};

enum err query_task(struct store *store, int64_t id, struct arena *arena,
                    struct query_task *ret_task, struct reason *reason);
enum err query_task_id(struct store *store, int64_t constellation_id, struct str key,
                       int64_t *ret_id, struct reason *reason);
/* Also of one that an edit has removed. */
enum err query_task_key(struct store *store, int64_t id, struct arena *arena, struct str *ret_key,
                        struct reason *reason);
/* Encoded TaskBodies; inputs are empty while there are none. */
enum err query_task_bodies(struct store *store, int64_t id, struct arena *arena,
                           struct str *ret_body, struct str *ret_inputs, struct reason *reason);

struct query_task_state {
    int64_t id;
    enum task_state state;
};
/* The next tasks behind `after` in the order they were written; fewer than `limit` at the end. */
enum err query_task_scan(struct store *store, const struct query_constellation *constellation,
                         int64_t after, struct query_task_state *list, size_t limit,
                         size_t *ret_count, struct reason *reason);

struct query_need {
    int64_t task_id;
    struct str task; /* the predecessor's key */
    enum edge_when when;
    enum edge_decision decision;
    bool named;           /* in `needs`; else a reference alone has made it */
    struct str condition; /* empty: none, and so on */
    struct str arguments; /* JSON array: the values of its placeholders */
    struct str why;       /* it was decided so, where its kind does not say it */
};
/* The first `limit` dependencies of a task, in the order they were written. */
enum err query_needs(struct store *store, int64_t task_id, struct query_need *list, size_t limit,
                     struct arena *arena, size_t *ret_count, struct reason *reason);
/* The predecessor of a dependency. ERR_NOT_FOUND: it has been removed. */
enum err query_edge_source(struct store *store, int64_t edge_id, int64_t *ret_task_id,
                           struct reason *reason);

#endif
