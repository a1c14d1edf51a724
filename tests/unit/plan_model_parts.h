/* What the files of the plain model have of each other. */
#ifndef TESTS_UNIT_PLAN_MODEL_PARTS_H
#define TESTS_UNIT_PLAN_MODEL_PARTS_H

#include <stdbool.h>

#include "tests/unit/plan_model.h"

json_t *plan_at(json_t *object, const char *key);
const char *plan_text(json_t *object, const char *key);
json_t *plan_sorted(json_t *list); /* a new list of the same things, by their texts */

/* NULL is any; a condition of "" is none. */
int plan_need_is(json_t *need, const char *task, const char *when, const char *condition);
int plan_has_need(json_t *task, const char *from, const char *when,
                  const char *condition); /* how many */

#endif
