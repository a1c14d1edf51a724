/* pack: the fullest first, so that large gaps stay for what needs them and idle machines stay idle. */
#include "orchestrator/engine/model.h"

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    const struct device *x = HEAP_OWNER(a, const struct placement, node)->device;
    const struct device *y = HEAP_OWNER(b, const struct placement, node)->device;
    int load = strategy_compare_load(x, y);
    return load != 0 ? load > 0 : x->record.id < y->record.id;
}

const struct strategy_row strategy_pack = { before };
