/* Named limits of a constellation. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_LIMIT_H
#define ORCHESTRATOR_ENGINE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "orchestrator/engine/record.h"

struct class;
struct constellation;
struct engine;

/* A named limit of a constellation. What is parked at it waits until some of it is free. */
struct limit {
    struct limit_record record; /* its name is owned */
    uint32_t used;
    struct heap parked; /* of class.active */
};

/* A new one, or a new capacity for an old one; the caller asks for the row. */
void limit_put(struct engine *engine, struct constellation *constellation,
               const struct limit_record *record);
void limit_free_all(struct constellation *constellation);
/* The limit that has no room for one more of this class now; NULL: none. */
struct limit *limit_in_the_way(const struct engine *engine, const struct class *class);
/* No attempt of the class can ever have as much as it takes. */
bool limit_is_out_of_reach(const struct engine *engine, const struct class *class);
void limit_take(struct engine *engine, const struct class *class);
void limit_give(struct engine *engine, const struct class *class);
/* Those that wait for what this class takes part in may go on. */
void limit_wake_all(struct engine *engine, const struct class *class);

#endif
