/* The lists of a requirement class as JSON in one column each, so that a person and SQLite's own
   functions can read them: tools as an array, resources and limits as objects of amounts. */
#ifndef ORCHESTRATOR_STORE_CLASS_JSON_H
#define ORCHESTRATOR_STORE_CLASS_JSON_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "orchestrator/engine/plan.h"

struct store;

void class_json_tools(struct buf *json, const struct plan_class *plan);
void class_json_resources(struct buf *json, const struct plan_class *plan);
void class_json_limits(struct buf *json, const struct plan_class *plan); /* {"INDEX": amount} */

/* Back again, into the arena and the plan. ERR_CORRUPT: not what the functions above write. */
enum err class_json_read_tools(struct store *store, struct str json, struct arena *arena,
                               struct plan_class *plan);
enum err class_json_read_resources(struct store *store, struct str json, struct arena *arena,
                                   struct plan_class *plan);
enum err class_json_read_limits(struct store *store, struct str json, struct arena *arena,
                                struct plan_class *plan);

#endif
