/* What the files of the reference model have of each other. */
#ifndef TESTS_UNIT_LIVING_MODEL_PARTS_H
#define TESTS_UNIT_LIVING_MODEL_PARTS_H

#include "tests/unit/living_model.h"

enum model_way { WAY_UNCLEAR, WAY_OPEN, WAY_CLOSED };

/* Whether its edges let it go ahead: as they are decided, or as they would be by what is now. */
enum model_way model_ways(const struct model *model, int task, bool anew);
bool model_is_finally(const struct model *model, int task);
void model_count_left(const struct model *model, int *ret_ordinary, int *ret_finals);
struct model_hold *model_find_hold(struct model *model, enum hold_origin origin, int root);
void model_approve_later(struct model *model, int task);

/* --- living_model_again.c --- */

/* Tasks that wait for another round. */
struct model_again {
    int list[MODEL_TASKS];
    int count;
};

void model_revive(struct model *model); /* if it has ended */
void model_wait_again(struct model *model, struct model_again *again, int task);
/* The finally tasks too, if ordinary ones are left before them. */
void model_finals_again(struct model *model, struct model_again *again);
/* To what comes after those in the list, which grows. */
void model_spread(struct model *model, struct model_again *again, bool keep_skipped);

#endif
