/* What the files of a living world share. */
#ifndef TESTS_UNIT_LIVING_PARTS_H
#define TESTS_UNIT_LIVING_PARTS_H

#include "tests/unit/living_world.h"

extern const struct engine_config LIVING_CONFIG;

/* --- living_book.c --- */
void living_book_apply(struct living *living); /* the effects that are not in it yet */
/* Into an engine that has the constellation itself: its tasks, edges, holds and what is made of it in parts. */
void living_book_load_plan(struct living *living, struct engine *engine);
/* A new engine with what is stored; the plan and its attempts only if they are wanted. */
struct engine *living_book_load(struct living *living, const struct engine_config *config,
                                bool with_plan);
void living_book_drop_parts(struct living *living);
void living_book_free(struct living *living);

#endif
