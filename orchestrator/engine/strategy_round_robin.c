/* round_robin: the longest unused first, however much runs on it. */
#include "orchestrator/engine/model.h"

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    const struct device *x = HEAP_OWNER(a, const struct placement, node)->device;
    const struct device *y = HEAP_OWNER(b, const struct placement, node)->device;
    return x->turn_of != y->turn_of ? x->turn_of < y->turn_of : x->record.id < y->record.id;
}

const struct strategy_row strategy_round_robin = { before };
