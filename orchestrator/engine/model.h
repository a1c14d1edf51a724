/* How the engine keeps things: each struct is its record and what is derived from it. Private to this
   folder. A part of it has a header, with its structs and what its files do with them; this one has all
   of them, and the engine itself. */
#ifndef ORCHESTRATOR_ENGINE_MODEL_H
#define ORCHESTRATOR_ENGINE_MODEL_H

#include "common/base/check.h"
#include "common/base/heap.h"
#include "common/base/map.h"
#include "common/base/rng.h"
#include "orchestrator/engine/attempt.h"
#include "orchestrator/engine/change.h"
#include "orchestrator/engine/class.h"
#include "orchestrator/engine/constellation.h"
#include "orchestrator/engine/decision.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/fleet.h"
#include "orchestrator/engine/hold.h"
#include "orchestrator/engine/intake.h"
#include "orchestrator/engine/lane.h"
#include "orchestrator/engine/limit.h"
#include "orchestrator/engine/placement.h"
#include "orchestrator/engine/rank.h"
#include "orchestrator/engine/selector.h"
#include "orchestrator/engine/stock.h"
#include "orchestrator/engine/storage.h"
#include "orchestrator/engine/task.h"

struct order;

enum { LOOKS_A_ROW = 16 }; /* so many edges or tasks are looked at in the time of a row */

struct engine {
    struct engine_config config;
    struct rng rng;
    struct moment now; /* of the event being stepped */
    uint64_t fence;    /* the last one given out */
    uint64_t session;  /* likewise */
    uint64_t assignments;
    uint64_t mark_base;
    uint64_t refused_channel; /* the last one: the rest of its frame follows, and is ignored */
    struct effects *effects;  /* of the step */
    /* What decisions cost beside their rows: those that are stored far from each other, and looks. */
    size_t far_rows;
    int64_t saved_edge_id; /* the last decision that was saved or erased */
    uint64_t saved_fence;  /* likewise: of the attempt that has made it */
    bool blocked;
    bool slice_is_used_up; /* of the last TICK */

    struct map constellations; /* id → constellation */
    struct constellation *first;
    struct constellation *last;
    struct constellation *jobs_first;
    struct constellation *jobs_last;
    struct reopening *reopening_first;
    struct bulk *bulks_first;
    int64_t bulks_moved_boot_ms;        /* when one of them was taken a step further, or loaded */
    struct constellation *ended_first;  /* freed when the turn ends, if they are final still */
    struct constellation *waking_first; /* asleep.c */
    struct constellation *leaving_first;
    uint64_t live_tasks;
    uint64_t waking_tasks; /* that these have, or will have when they are all there */

    struct map classes;  /* id → class */
    struct map policies; /* id → policy */
    struct strmap class_keys;
    struct strmap policy_keys;
    int64_t next_class_id;
    int64_t next_policy_id;
    uint64_t
        tasks_due; /* that plans which are going in, and edits that are made in parts, still bring */
    size_t classes_due; /* that they may bring */
    size_t policies_due;

    struct map devices; /* id → device */
    struct device **devices_list;
    size_t devices_count;
    struct strmap device_names;
    struct map channels;  /* channel → device */
    struct map newcomers; /* likewise, of those that wait for a probe */
    int64_t next_device_id;
    struct device *acks_first;
    struct device *untold_first; /* in a ring by untold_next: see placement_device_changed() */
    struct device *untold_last;
    size_t told; /* classes, in this turn */
    struct roll roll;
    struct device *match_first; /* by match_next */
    struct device *match_last;
    struct class *link_first; /* by link_next */
    struct class *link_last;
    size_t matched;     /* pairs that were looked at, in this turn */
    size_t lanes_moved; /* likewise, for a share that has changed */

    struct map attempts; /* fence → attempt */
    struct attempt *graveyard;

    struct map holds; /* id → hold */
    struct heap hold_timers;
    struct heap deadlines; /* of constellation.timer */
    struct asked *asked;   /* conditions out for evaluation: answered in this order */
    size_t asked_count;
    size_t asked_answered;
    size_t asked_capacity;
    struct asked *pending; /* edges from final tasks, to be decided one by one */
    size_t pending_first;
    size_t pending_count; /* with those that have been passed */
    size_t pending_capacity;
    struct order *order; /* what edits search with; made by the first */

    struct map anchors;        /* task id → anchor */
    struct heap active;        /* of class.active */
    uint32_t waiting_classes;  /* that have class.waits */
    struct device *kept_first; /* have device.kept_for */
    size_t kept_count;
    size_t reviews_left; /* of those, before all have been looked at since something has happened */
    struct device *kept_last;
    struct device *freed_first; /* have device.is_freed */
    struct heap backoff;        /* of task.node */
    struct heap queue_timers;   /* of task.timer */
    uint32_t *learned_ms;       /* by name; NULL: nothing yet; 0: this not */
    uint32_t learned_mean_ms;
    struct constellation *ranks_first; /* whose ranks are being computed */
    struct constellation *ranks_last;
    struct heap attempt_timers;
    struct heap device_timers;
    struct task_queue decide;
    uint32_t decide_edge; /* where in its edges the first of them stands: index + 1 */
    bool decide_begun;
    struct heap prepare; /* of task.node */

    struct engine_stats stats; /* the totals */
};

/* --- engine.c --- */
struct history *engine_history(struct engine *engine, enum history_kind kind);
struct msg *engine_send(struct engine *engine, uint64_t channel, enum msg_kind kind);
/* Who did it and why, whole: "user ada: the NAS is gone". */
struct str engine_by(struct engine *engine, enum author_kind kind, struct str name,
                     struct str reason);
/* A stored deadline on the clock of this boot: the wall clock may have jumped, the length bounds it. */
int64_t engine_remaining_boot_ms(const struct engine *engine, int64_t wall_ms, int64_t length_ms);
/* Whether what carries this mark must be put on the list of what is saved; then it is marked. */
bool engine_mark(struct engine *engine, uint64_t *mark);
/* The rows that effects have made so far, those that cost more than others counted as often. */
size_t engine_rows(const struct engine *engine);
/* What is left of a budget of rows after one look and the rows that have been made since there were so
   many. */
size_t engine_spend(const struct engine *engine, size_t budget, size_t rows_before);
/* Its effect is on the list, and not applied: it will see what changes now too. */
bool engine_is_marked(const struct engine *engine, uint64_t mark);
struct str engine_text(struct engine *engine, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* lives until the end of the turn */
/* The answer to the request of an event; ERR_NONE: it was done. */
struct effect *engine_reply(struct engine *engine, uint64_t request, enum err err,
                            int64_t constellation_id, struct str reason);

#endif
