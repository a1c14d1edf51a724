/* The resources of devices: what is reserved of them, and what is kept free for the first that waits.
   Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_STOCK_H
#define ORCHESTRATOR_ENGINE_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/str.h"

struct class;
struct device;
struct engine;
struct plan_resource;

/* What a device has of something, and what its attempts have reserved of it. */
struct stock {
    struct str name; /* of its profile, or static */
    int64_t total_milli;
    int64_t used_milli;
};

/* --- stock.c: the resources of devices --- */
void stock_take_in(struct device *device); /* its profile is new */
void stock_reserve(struct device *device, const struct class *class);
void stock_return(struct device *device, const struct class *class);
/* The first resource of which the device has not enough (in all, or free); NULL: none. */
const struct plan_resource *stock_short(const struct device *device, const struct class *class,
                                        bool of_all);
const struct stock *stock_find(const struct device *device, struct str name);

/* --- keep.c: what is free of a device is kept for the first that waits for it --- */
/* From the class, as it stands. */
bool keep_is_off(const struct class *class, const struct device *device);
/* Likewise, at the moment when the class would take of it: who waits is looked for, at no more classes
   than *looks, which it counts down. */
bool keep_from(struct engine *engine, const struct class *class, struct device *device,
               size_t *looks);
void keep_class_changed(struct engine *engine, struct class *class);
/* It is kept for nobody any more, and is looked at again before anything is assigned. */
void keep_drop(struct engine *engine, struct device *device);
/* Before anything is assigned in a turn: how many looks that may take. */
size_t keep_review(struct engine *engine);
void keep_look_again(struct engine *engine);

#endif
