/* Requirement classes and retry policies, each once however many tasks have it (intern.c). Private to the
   engine. */
#ifndef ORCHESTRATOR_ENGINE_CLASS_H
#define ORCHESTRATOR_ENGINE_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "common/base/map.h"
#include "orchestrator/engine/plan.h"
#include "orchestrator/engine/record.h"

struct constellation;
struct device;
struct engine;
struct lane;
struct limit;
struct placement;
struct selector;
struct strategy_row;
struct task;

#define PLACEMENT_ALL UINT32_MAX

/* A requirement class: what may run a task, and which ready tasks and free devices that concerns. */
struct class
{
    struct class_record record; /* its text and arrays are owned */
    char *key;                  /* what it is interned by */
    size_t key_length;
    struct selector *selector;
    const struct strategy_row *strategy;
    uint32_t same_at; /* index + 1 of the device that it is bound to by same_task_id; 0 none yet */
    uint32_t other_at;
    struct heap ready;  /* of lane.node: see lane_before */
    struct map lanes;   /* constellation id → lane: those that hold something */
    struct lane *spare; /* an empty one, kept for the next */
    struct heap free;   /* of placement.node: devices that match and have room, as its strategy
                            orders them */
    bool is_linked;     /* to them: since a task of it was ready for the first time */
    uint64_t number;    /* on the roll, if it is */
    uint32_t linked;    /* so many devices of the list have been looked at; or PLACEMENT_ALL */
    bool link_queued;   /* to look at the rest */
    struct class *link_next;
    struct class *link_previous;
    struct placement **placements; /* all devices that match */
    size_t placements_count;
    size_t placements_capacity;
    uint32_t tasks;   /* live ones that need it; at 0 it may be dropped */
    uint32_t holders; /* attempts that hold a slot under it; likewise */
    struct heap_node
        active;           /* in engine.active while both heaps hold something, or in `parked`'s */
    struct limit *parked; /* the limit that it waits for */
    bool waits;           /* it asks for resources, and no device has enough of them free */
    struct device *keeps; /* the device that is kept for it meanwhile */
    uint32_t kept_off_at; /* index + 1 of the device that was last kept from it; 0 none */
    uint64_t mark;
};

struct policy {
    struct policy_record record;
    uint32_t tasks;
};

/* The classes that ask for the device of a task, or not for it. */
struct anchor {
    struct class **classes;
    size_t count;
    size_t capacity;
};

/* wanted.id is not looked at. The constellation's id, and those of tasks, are set where the plan asks
   for something of it; for STRATEGY_SPREAD too. */
struct class *placement_class_of(struct engine *engine, const struct class_record *wanted);
/* The record that placement_class_of wants for this plan of a constellation. */
struct class_record placement_wanted(const struct plan_class *plan, int64_t constellation_id,
                                     int64_t same_task_id, int64_t other_task_id);
struct class *placement_load_class(struct engine *engine, const struct class_record *record);
struct policy *placement_policy(struct engine *engine, const struct plan_policy *plan);
void placement_load_policy(struct engine *engine, const struct policy_record *record);
/* Drops the classes and policies that no live task needs. Their rows are retired at the next start. */
void placement_sweep(struct engine *engine);
/* For so many, if all of them were new. */
bool placement_has_room(const struct engine *engine, size_t classes, size_t policies);
void placement_free_class(struct class *class);
void placement_free_anchor(struct anchor *anchor);
/* An attempt of the task was made on this device: classes that are bound to where it is follow. */
void placement_task_placed(struct engine *engine, struct task *task, const struct device *device);

#endif
