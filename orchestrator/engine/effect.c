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

const char *effect_kind_name(enum effect_kind kind)
{
    static const char *const names[] = {
        [EFFECT_ADD_CLASS] = "add_class",
        [EFFECT_ADD_POLICY] = "add_policy",
        [EFFECT_ADD_CONSTELLATION] = "add_constellation",
        [EFFECT_SAVE_CONSTELLATION] = "save_constellation",
        [EFFECT_ADD_TASK] = "add_task",
        [EFFECT_SAVE_TASK] = "save_task",
        [EFFECT_ADD_EDGE] = "add_edge",
        [EFFECT_SAVE_EDGE] = "save_edge",
        [EFFECT_ADD_ATTEMPT] = "add_attempt",
        [EFFECT_SAVE_ATTEMPT] = "save_attempt",
        [EFFECT_SAVE_DEVICE] = "save_device",
        [EFFECT_TASK_REASON] = "task_reason",
        [EFFECT_OUTPUT] = "output",
        [EFFECT_RESULT] = "result",
        [EFFECT_HISTORY] = "history",
        [EFFECT_PREPARE] = "prepare",
        [EFFECT_SEND] = "send",
        [EFFECT_ASSIGN] = "assign",
        [EFFECT_CLOSE] = "close",
        [EFFECT_REPLY] = "reply",
        [EFFECT_PLAN_DONE] = "plan_done",
    };
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}
