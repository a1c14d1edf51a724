/* The evaluator's other part of a turn: whether the condition of a dependency holds, by how its
   predecessor ended and what that put out. */
#ifndef ORCHESTRATOR_EVALUATE_H
#define ORCHESTRATOR_EVALUATE_H

#include "common/base/arena.h"
#include "orchestrator/spec/condition.h"
#include "orchestrator/store/store.h"

/* Answers an EFFECT_EVALUATE whose rows, and those before it, have been applied: fills in the
   EVENT_EVALUATED but for its time. What it points to lives in the arena. An error is the store's, and
   the turn has failed; a condition that cannot be evaluated is told in the event. *work grows by the bytes
   that it took. */
enum err evaluate_edge(struct store *store, struct condition_engine *conditions,
                       const struct effect *effect, struct arena *arena, size_t *work,
                       struct event *ret_event, struct reason *reason);

#endif
