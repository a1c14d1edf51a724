/* How long tasks take, learned by their names from those that succeed: for the ranks, which are advice. What
   a task is known by is its key, or the group that `each` made it of, whatever the constellation: the next
   submission of a spec knows what the last one took. The names are in the records, as numbers so small
   that two may be the same by chance. What was learned is in memory alone and not in the dump; a start of the
   daemon learns it anew from the last attempts that are stored. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

enum {
    NAMES = UINT16_MAX + 1,
    DURATION_MS_MAX = 24 * 3600 * 1000, /* longer is as long */
    MEAN_PARTS = 16,                    /* of the mean of all one is what came last; of a name's: */
    NAME_PARTS = 4,
};

/* Stored: it must stay what it is. */
uint16_t learn_name(const struct plan_task *plan)
{
    struct str name = plan->group.length > 0 ? plan->group : plan->key;
    return (uint16_t)hash_bytes(name.data, name.length);
}

static uint32_t mix(uint32_t was, uint32_t came, uint32_t parts)
{
    return came > was ? was + (came - was) / parts : was - (was - came) / parts;
}

static void learn(struct engine *engine, uint16_t name, int64_t duration_ms)
{
    uint32_t ms = duration_ms < 1                 ? 1
                  : duration_ms > DURATION_MS_MAX ? (uint32_t)DURATION_MS_MAX
                                                  : (uint32_t)duration_ms;
    if (engine->learned_ms == NULL) {
        engine->learned_ms = mem_array(NAMES, sizeof engine->learned_ms[0]);
        engine->learned_mean_ms = ms;
    }
    uint32_t *known = &engine->learned_ms[name];
    engine->learned_mean_ms = mix(engine->learned_mean_ms, ms, MEAN_PARTS);
    *known = *known == 0 ? ms : mix(*known, ms, NAME_PARTS);
}

bool learn_duration(struct engine *engine, const struct task *task, int64_t duration_ms)
{
    uint32_t was = learn_expected(engine, task);
    learn(engine, task->record.name, duration_ms);
    uint32_t known = engine->learned_ms[task->record.name];
    return known / 2 > was || was / 2 > known;
}

void engine_load_duration(struct engine *engine, uint16_t name, int64_t duration_ms)
{
    learn(engine, name, duration_ms);
}

uint32_t learn_expected(const struct engine *engine, const struct task *task)
{
    if (engine->learned_ms == NULL || (task->record.flags & TASK_GATE) != 0) {
        return 1;
    }
    uint32_t known = engine->learned_ms[task->record.name];
    return known == 0 ? engine->learned_mean_ms : known;
}
