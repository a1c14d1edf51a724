/* Holds: pauses on new assignments, and who may end them. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_HOLD_H
#define ORCHESTRATOR_ENGINE_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "common/base/map.h"
#include "orchestrator/engine/record.h"

struct constellation;
struct engine;
struct event;
struct task;

/* A pause on new assignments, and who may end it. */
struct hold {
    struct hold_record record;
    struct constellation *constellation;
    int64_t *tasks; /* ids; one may have been removed since */
    size_t tasks_count;
    size_t tasks_capacity;
    size_t failed_to;       /* how many of them its expiry has failed */
    struct heap_node timer; /* in engine.hold_timers while it has a deadline */
    int64_t timer_boot_ms;
    struct map names;  /* of ids, once there are more than a few */
    bool denied;       /* an approval: it ends when its task has failed for it */
    struct hold *next; /* of the constellation */
    struct hold *previous;
};

void hold_place(struct engine *engine, const struct event *event);
void hold_release(struct engine *engine, const struct event *event);

struct hold *hold_new(struct engine *engine, struct constellation *constellation,
                      const struct hold_record *record);
void hold_add(struct hold *hold, struct task *task);      /* the task is not on a queue */
void hold_free(struct engine *engine, struct hold *hold); /* of memory only */
void hold_arm(struct engine *engine, struct hold *hold);
/* Its root has failed and its policy asks for it: in the very turn of the failure. */
void hold_failure(struct engine *engine, struct task *task);
/* Each round of a task with TASK_APPROVAL begins with one. */
void hold_approval(struct engine *engine, struct task *task);
void hold_task_ended(struct engine *engine,
                     struct task *task); /* nobody is asked about it any more */
/* The one of a task with this origin (HOLD_APPROVAL, HOLD_FAILURE), or NULL. */
struct hold *hold_of_root(const struct constellation *constellation, int64_t task_id,
                          enum hold_origin origin);
struct hold *
hold_pause(const struct constellation *constellation); /* the one of a pause, or NULL */
/* One on all of the constellation that names tasks (its kinds stand at HOLD_RERUN). */
struct hold *hold_reopening(struct engine *engine, struct constellation *constellation,
                            enum hold_origin kind, const uint32_t *tasks, size_t count,
                            struct str actor);
/* On all of it, while an edit is checked and made. id: 0, or one that was given out before. */
struct hold *hold_bulk(struct engine *engine, struct constellation *constellation, int64_t id,
                       uint32_t operations, struct str actor);
/* Ends it: what it held goes on. actor: who, or why. */
void hold_end(struct engine *engine, struct hold *hold, struct str actor);
/* A cancel, fail_fast or a deadline leaves nobody anything to act on. */
void hold_end_failures(struct engine *engine, struct constellation *constellation,
                       struct str actor);
/* The holds of a constellation that has ended: their rows go. What they name, which may be a lot, is looked
   at only if somebody wants something of it in the same turn: it goes with that. */
void hold_end_all(struct engine *engine, struct constellation *constellation);
void hold_forget_over(struct constellation *constellation, bool goes_on);
size_t hold_expired(struct engine *engine, struct hold *hold, size_t budget);
void hold_expiry_done(struct engine *engine, struct constellation *constellation);
/* An edit has put `task` behind `from`: what holds that one's descendants holds it too. */
void hold_extend(struct engine *engine, const struct task *from, struct task *task);
bool hold_names(const struct hold *hold, int64_t task_id);
/* "BEFORE; open holds: 3, 7": what there is, told with what is not. */
struct str hold_list(struct engine *engine, const struct constellation *constellation,
                     const char *before);
bool hold_before(const struct heap_node *a, const struct heap_node *b);

#endif
