/* least_loaded: the smallest share of its slots in use first, then the longest unused. */
#include "orchestrator/engine/model.h"

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    const struct device *x = HEAP_OWNER(a, const struct placement, node)->device;
    const struct device *y = HEAP_OWNER(b, const struct placement, node)->device;
    int load = strategy_compare_load(x, y);
    if (load != 0) {
        return load < 0;
    }
    return x->turn_of != y->turn_of ? x->turn_of < y->turn_of : x->record.id < y->record.id;
}

const struct strategy_row strategy_least_loaded = { before };
