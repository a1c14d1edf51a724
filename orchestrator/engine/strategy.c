/* The table of strategies: how the devices that fit and have room are ordered. Each is one constant in
   a file of its own; all end ties in the same way on every run. */
#include "orchestrator/engine/model.h"

const struct strategy_row *strategy_of(enum strategy strategy)
{
    static const struct strategy_row *const rows[] = {
        [STRATEGY_LEAST_LOADED] = &strategy_least_loaded,
        [STRATEGY_ROUND_ROBIN] = &strategy_round_robin,
        [STRATEGY_SPREAD] = &strategy_spread,
        [STRATEGY_PACK] = &strategy_pack,
    };
    CHECK((size_t)strategy < sizeof rows / sizeof rows[0]);
    return rows[strategy];
}

int strategy_compare_load(const struct device *a, const struct device *b)
{
    uint64_t load_a = (uint64_t)a->used * b->record.profile.slots;
    uint64_t load_b = (uint64_t)b->used * a->record.profile.slots;
    return (load_a > load_b) - (load_a < load_b);
}
