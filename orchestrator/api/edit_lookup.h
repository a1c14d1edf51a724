/* What an edit looks up in the plan as it is: inside the turn, behind what the turn has written. */
#ifndef ORCHESTRATOR_API_EDIT_LOOKUP_H
#define ORCHESTRATOR_API_EDIT_LOOKUP_H

#include "orchestrator/spec/spec_task.h"
#include "orchestrator/store/store.h"

struct edit_known_need {
    int64_t edge_id;
    int64_t from_id;
    struct spec_need need;
};

/* A task as it is stored. Everything lives in the arena that it was read into. */
struct edit_known {
    int64_t id;
    bool has_text; /* what follows, up to its needs, has been read */
    struct task_record record;
    struct plan_task task;
    struct plan_class class;
    struct plan_policy policy;
    struct msg_body body;
    struct str same_device; /* keys */
    struct str other_device;
    struct edit_known_need *needs;
    size_t needs_count;
};

/* What the constellation itself has. */
struct edit_top {
    struct str name;
    struct str description;
    bool fail_fast;
    int64_t deadline_ms;
    struct plan_limit *limits; /* by their index */
    size_t limits_count;
    uint32_t revision;
};

/* ERR_NOT_FOUND: no task has this key. */
enum err edit_lookup_id(struct store *store, int64_t constellation_id, struct str key,
                        int64_t *ret_id, struct reason *reason);
enum err edit_lookup_key(struct store *store, int64_t id, struct arena *arena, struct str *ret_key,
                         struct reason *reason);
/* Of a task that is there: its needs alone; then the rest; or all. */
enum err edit_lookup_needs(struct store *store, int64_t id, struct arena *arena,
                           struct edit_known *ret_known, struct reason *reason);
enum err edit_lookup_text(struct store *store, struct edit_known *known, struct arena *arena,
                          struct reason *reason);
enum err edit_lookup_task(struct store *store, int64_t id, struct arena *arena,
                          struct edit_known *ret_known, struct reason *reason);
/* Limits by their index. */
enum err edit_lookup_limits(struct store *store, int64_t constellation_id, struct arena *arena,
                            struct edit_top *top, struct reason *reason);
enum err edit_lookup_top(struct store *store, int64_t constellation_id, struct arena *arena,
                         struct edit_top *ret_top, struct reason *reason);
/* The keys behind `after` in the order of their ids; fewer than `limit` at the end. */
enum err edit_lookup_keys(struct store *store, int64_t constellation_id, int64_t after,
                          struct arena *arena, struct str *keys, int64_t *ids, size_t limit,
                          size_t *ret_count, struct reason *reason);

/* As its keys: what spec_render_task() makes of it. */
struct str edit_known_render(const struct edit_known *known, const struct edit_top *top,
                             struct arena *arena);

#endif
