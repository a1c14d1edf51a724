/* Requirement classes and retry policies: tasks that agree in all of one share it. */
#ifndef ORCHESTRATOR_SPEC_SPEC_INTERN_H
#define ORCHESTRATOR_SPEC_SPEC_INTERN_H

#include "common/base/buf.h"
#include "common/base/map.h"
#include "orchestrator/engine/plan.h"

struct spec_intern {
    struct strmap map; /* what identifies an item, as bytes, to its index + 1 */
    struct buf items;
    struct buf scratch;
};

/* False: it was not there yet, and is now. */
bool spec_intern_class(struct spec_intern *intern, const struct plan_class *class,
                       uint32_t *ret_index);
void spec_intern_policy(struct spec_intern *intern, const struct plan_policy *policy,
                        uint32_t *ret_index);
void spec_intern_done(struct spec_intern *intern);

#endif
