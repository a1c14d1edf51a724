#include "orchestrator/engine/effect.h"

#include <string.h>

#include "common/base/mem.h"

struct effect *effects_add(struct effects *effects, enum effect_kind kind)
{
    if (effects->count == effects->capacity) {
        effects->capacity = effects->capacity == 0 ? 256 : effects->capacity * 2;
        effects->list = mem_resize(effects->list, effects->capacity * sizeof effects->list[0]);
    }
    struct effect *effect = &effects->list[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

void effects_clear(struct effects *effects)
{
    effects->count = 0;
    effects->applied = 0;
    arena_clear(&effects->arena);
}

void effects_done(struct effects *effects)
{
    mem_free(effects->list);
    arena_done(&effects->arena);
    *effects = (struct effects){ 0 };
}
