/* Rows as the JSON that clients see: a constellation, a task, an attempt, a device. */
#ifndef ORCHESTRATOR_API_VIEW_H
#define ORCHESTRATOR_API_VIEW_H

#include "orchestrator/api/json_out.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/query.h"
#include "orchestrator/store/query_task.h"

struct api;
struct device_view;
struct hold_view;
struct query_hold;
struct query_hold_whole;
struct wait;

enum {
    VIEW_NEEDS_MAX = 1000,     /* dependencies listed of one task */
    VIEW_HOLD_TASKS_MAX = 100, /* tasks listed of one hold */
};

/* A task as its rows have it; what it waits for, and whether it is held, only the engine knows. */
struct view_rows {
    struct query_task task;
    struct query_need *needs;
    size_t needs_count;
    struct str reason; /* why it is what it is; empty: nothing to say */
};

/* Objects are left open, so that the caller can add to them: json_out_object_end() follows. */
void view_constellation(struct api *api, struct json_out *out, const char *key,
                        const struct query_constellation *constellation);
void view_task(struct api *api, struct json_out *out, const char *key,
               const struct view_rows *rows);
/* What is read for it, in any thread; out says which keys are wanted. */
enum err view_task_rows(struct store *store, int64_t task_id, const struct json_out *out,
                        struct arena *arena, struct view_rows *ret_rows, struct reason *reason);
void view_attempt(int64_t now_wall_ms, struct json_out *out, const char *key,
                  const struct query_attempt *attempt);
/* Who holds, and why. */
void view_hold_words(struct api *api, const struct hold_record *record,
                     struct query_hold *ret_words);
void view_hold(struct api *api, struct json_out *out, const char *key,
               const struct hold_view *hold);
/* The same, of its row. */
void view_hold_row(struct store *store, struct arena *arena, struct json_out *out, const char *key,
                   const struct query_hold_whole *hold);
void view_device(const struct api *api, struct json_out *out, const char *key,
                 const struct device_view *device);

/* What a person is told: as constellation_state_name(), or "paused". */
const char *view_constellation_state(const struct api *api,
                                     const struct constellation_record *record);
/* As task_state_name(), or "ready". */
const char *view_task_state(const struct api *api, int64_t constellation_id,
                            const struct task_record *task);

/* "slots", "hold", …; NULL: it waits for nothing. */
const char *wait_kind_name(enum wait_kind kind);
/* What a task waits for, in words; false: for nothing. */
bool wait_words(struct api *api, const struct view_rows *rows, struct buf *words);

#endif
