/* A list of operations, made up for a plan as plan_model.h has it. */
#ifndef TESTS_UNIT_PLAN_BATCH_H
#define TESTS_UNIT_PLAN_BATCH_H

#include <jansson.h>

#include "common/base/rng.h"

/* A task that is removed may be added again; not the other way round. */
json_t *plan_batch(struct rng *rng, json_t *plan);

#endif
