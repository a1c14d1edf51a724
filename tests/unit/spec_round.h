/* A whole plan rendered as a spec again: what the tests and the fuzzing compare. */
#ifndef TESTS_UNIT_SPEC_ROUND_H
#define TESTS_UNIT_SPEC_ROUND_H

#include "common/base/buf.h"
#include "orchestrator/spec/spec.h"

/* Appends it, each task as spec_render_task() has it. `arena` takes what the views point to. */
void spec_round_export(const struct spec *spec, struct arena *arena, struct buf *json);

#endif
