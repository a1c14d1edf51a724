/* spread: the fewest tasks of the constellation (those that are to be spread) first, so that the loss of
   one device costs it little; then the least loaded. */
#include "orchestrator/engine/model.h"

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    const struct placement *x = HEAP_OWNER(a, const struct placement, node);
    const struct placement *y = HEAP_OWNER(b, const struct placement, node);
    return x->here != y->here ? x->here < y->here : strategy_least_loaded.before(a, b);
}

const struct strategy_row strategy_spread = { before };
