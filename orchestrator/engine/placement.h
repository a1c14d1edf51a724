/* Which class goes to which device: what fits, and in what order. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_PLACEMENT_H
#define ORCHESTRATOR_ENGINE_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "common/base/str.h"
#include "orchestrator/engine/record.h"

struct attempt;
struct class;
struct device;
struct engine;

/* How the free devices of a class are ordered: strategy_*.c export one each. */
struct strategy_row {
    bool (*before)(const struct heap_node *a, const struct heap_node *b); /* of placement.node */
};

struct placement {
    struct class *class;
    struct device *device;
    uint32_t here;     /* STRATEGY_SPREAD: tasks of its constellation on the device */
    uint32_t in_class; /* where it stands in the list of the class, and of the device */
    uint32_t in_device;
    struct heap_node node;
};

/* --- strategy.c, and one file each --- */
const struct strategy_row *strategy_of(enum strategy strategy);
extern const struct strategy_row strategy_least_loaded;
extern const struct strategy_row strategy_round_robin;
extern const struct strategy_row strategy_spread;
extern const struct strategy_row strategy_pack;
/* Negative: `a` has the smaller share of its slots in use. */
int strategy_compare_load(const struct device *a, const struct device *b);

/* --- placement_link.c --- */
void placement_link_class(struct engine *engine, struct class *class); /* to all that fit */
void placement_unlink_class(struct engine *engine, struct class *class);
void placement_link(struct class *class, struct device *device);
void placement_forget_last(struct engine *engine, struct device *device); /* of its placements */
/* A slot was taken or given back, or the device came or went. */
void placement_device_changed(struct engine *engine, struct device *device);
void placement_tell(struct engine *engine); /* classes, of what has changed before: once a turn */
bool placement_is_free(const struct engine *engine, const struct placement *placement);
void placement_refresh(struct engine *engine, struct placement *placement);

/* --- placement_match.c --- */
/* The classes that are linked, in that order. */
struct roll {
    struct roll_entry {
        uint64_t number;     /* rises */
        struct class *class; /* NULL: it is not linked any more */
    } * list;
    size_t count;
    size_t capacity;
    size_t live;
    uint64_t last; /* number */
};
void roll_add(struct roll *roll, struct class *class);
void roll_remove(struct roll *roll, const struct class *class);
void roll_done(struct roll *roll);
/* It has said what it has: from here on, or some turns later, it is linked to what it fits. */
void placement_match_device(struct engine *engine, struct device *device);
/* Likewise a class, of which a task is ready for the first time. */
void placement_match_class(struct engine *engine, struct class *class);
void placement_leave_line(struct engine *engine, struct class *class); /* it is linked no more */
void placement_match(struct engine *engine); /* what is left of both: once a turn */

/* --- placement.c --- */
enum misfit {
    MISFIT_NONE,
    MISFIT_DEVICE,   /* pinned to `what` */
    MISFIT_SAME,     /* must be where another task was */
    MISFIT_OTHER,    /* must not */
    MISFIT_EXECUTOR, /* which it lacks; and so on */
    MISFIT_LABELS,
    MISFIT_TOOL,
    MISFIT_RESOURCE, /* has less than is needed, even with nothing on it */
};
enum misfit placement_misfit(const struct class *class, const struct device *device,
                             struct str *ret_what);
bool placement_fits(const struct class *class, const struct device *device);
void placement_class_changed(struct engine *engine, struct class *class);
/* The same, without a look at those that wait for what it waits for: limit.c has its own. */
void placement_reposition(struct engine *engine, struct class *class);
void placement_dispatch(struct engine *engine);
bool placement_active_before(const struct heap_node *a, const struct heap_node *b);
bool device_is_assignable(const struct engine *engine, const struct device *device);

#endif
