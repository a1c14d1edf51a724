/* An edit that was found good, cut into parts of which a turn makes one (bulk.c). A pure function. */
#ifndef ORCHESTRATOR_ENGINE_BULK_SPLIT_H
#define ORCHESTRATOR_ENGINE_BULK_SPLIT_H

#include "common/base/arena.h"
#include "orchestrator/engine/edit.h"

struct engine;

enum {
    BULK_PART_ROWS_MAX = 600, /* about so many rows are written for a part */
    BULK_BYTES_A_ROW = 256,   /* of text: they cost as much */
};

struct bulk_split {
    struct edit *parts; /* numbers of added tasks are still those of the whole: bulk_place_part() */
    size_t count;
    uint32_t classes; /* distinct ones that it brings, at the most */
    uint32_t policies;
};

/* `engine` is the one that has accepted it, and has the plan as it is before; `orders` is what it gave
   out. Everything lives in the arena or belongs to the edit. */
void bulk_split(const struct engine *engine, const struct edit *edit, const uint64_t *orders,
                size_t rows_max, struct arena *arena, struct bulk_split *ret_split);

/* With the ids that the tasks have got: the first of the whole edit's. */
void bulk_place_part(struct edit *part, struct edit_section *place,
                     struct edit_operation *operations, int64_t first_task_id);

#endif
