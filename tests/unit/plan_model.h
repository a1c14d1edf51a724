/* The plain model of a plan as people write it: the texts of its tasks and what they need, one copy a
   revision, and what a batch of operations makes of it. As simple as can be, with no code of the daemon's.

   A plan is {"tasks": {KEY: {…, "needs": [{"task", "when", "if"}, …]}}, "set": {…}}; needs are sorted, and
   hold only what was named: what a text refers to besides is found in the text. */
#ifndef TESTS_UNIT_PLAN_MODEL_H
#define TESTS_UNIT_PLAN_MODEL_H

#include <jansson.h>

/* From an export or a plan as the API shows it, or a task's spec: needs as above. */
json_t *plan_model_read(json_t *shown);
json_t *plan_model_task(json_t *spec);

/* What the operations make of it, in the order of the document: additions, removals and settings before
   all else. NULL: it is refused, and ret_code is why (the first that was found). */
json_t *plan_model_apply(json_t *plan, json_t *operations, const char **ret_code);

/* As the API tells it: {"tasks": {"added", "removed", "changed"}, "dependencies": {"added", "removed"},
   "set"}, lists sorted. */
json_t *plan_model_diff(json_t *before, json_t *after);
/* Sorts those of an answer, with specs as above. */
json_t *plan_model_read_diff(json_t *shown);

#endif
