/* Constellations that stand in no book of the engine's: one that has ended and is wanted again is loaded,
   one that has gone is freed, both a slice a turn. Nobody sees either of them, and no step comes to them;
   all that they have in common with others is that their tasks count at classes and policies, which
   must not go before them. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order.h"

/* What costs a slice as much as a row. */
enum { ORDER_STEPS_A_ROW = 16, TASKS_FREED_A_ROW = 8 };

/* --- Coming --- */

struct constellation *asleep_find_waking(const struct engine *engine, int64_t id)
{
    struct constellation *constellation = engine->waking_first;
    while (constellation != NULL && constellation->record.id != id) {
        constellation = constellation->asleep_next;
    }
    return constellation;
}

enum err engine_wake(struct engine *engine, const struct constellation_record *record,
                     struct reason *reason)
{
    CHECK(constellation_state_is_final(record->state));
    CHECK(map_get(&engine->constellations, (uint64_t)record->id) == NULL &&
          asleep_find_waking(engine, record->id) == NULL);
    if (!constellation_has_room(engine, record->tasks)) {
        return reason_set(reason, ERR_LIMIT,
                          "too many unfinished tasks; try again when some have ended");
    }
    struct constellation *constellation = mem_alloc(sizeof *constellation);
    constellation->record = *record;
    constellation->asleep = true;
    constellation->asleep_next = engine->waking_first;
    engine->waking_first = constellation;
    engine->waking_tasks += record->tasks;
    return ERR_NONE;
}

static void drop_ordering(struct constellation *constellation)
{
    if (constellation->ordering != NULL) {
        order_build_done(constellation->ordering);
        mem_free(constellation->ordering);
        constellation->ordering = NULL;
    }
}

size_t engine_wake_order(struct engine *engine, int64_t constellation_id, size_t budget)
{
    struct constellation *constellation = asleep_find_waking(engine, constellation_id);
    CHECK(constellation != NULL);
    if (constellation->order_next != 0) {
        return budget;
    }
    if (constellation->ordering == NULL) {
        constellation->ordering = mem_alloc(sizeof *constellation->ordering);
        order_build_init(constellation->ordering, constellation);
    }
    size_t left = order_build_work(constellation->ordering, budget * ORDER_STEPS_A_ROW);
    if (order_build_is_finished(constellation->ordering)) {
        struct cycle cycle;
        bool is_acyclic = order_build_succeeded(constellation->ordering, &cycle);
        CHECK(is_acyclic); /* P2: what is stored is */
        drop_ordering(constellation);
    }
    return left / ORDER_STEPS_A_ROW;
}

static void take_off(struct engine *engine, struct constellation *constellation)
{
    struct constellation **at = &engine->waking_first;
    while (*at != constellation) {
        at = &(*at)->asleep_next;
    }
    *at = constellation->asleep_next;
    engine->waking_tasks -= constellation->record.tasks;
}

enum err engine_load_revived(struct engine *engine, int64_t constellation_id, struct moment now,
                             struct reason *reason)
{
    struct constellation *constellation = asleep_find_waking(engine, constellation_id);
    CHECK(constellation != NULL);
    engine->now = now;
    if (constellation->remaining > 0) {
        return reason_set(reason, ERR_CORRUPT, "constellation %lld is final, and not its tasks",
                          (long long)constellation_id);
    }
    take_off(engine, constellation);
    drop_ordering(constellation); /* what it has not come to is made by the edit that needs it */
    constellation->asleep = false;
    constellation_enter(engine, constellation);
    constellation->finally_open = true;
    constellation->ended = true;
    constellation->ended_next = engine->ended_first;
    engine->ended_first = constellation;
    return ERR_NONE;
}

void engine_wake_drop(struct engine *engine, int64_t constellation_id)
{
    struct constellation *constellation = asleep_find_waking(engine, constellation_id);
    if (constellation != NULL) {
        take_off(engine, constellation);
        drop_ordering(constellation);
        while (constellation->holds != NULL) {
            hold_free(engine, constellation->holds);
        }
        asleep_free_begin(engine, constellation);
    }
}

/* --- Going --- */

void asleep_free_begin(struct engine *engine, struct constellation *constellation)
{
    constellation->asleep = true;
    constellation->cursor = 0; /* counts chunks from here on */
    constellation->asleep_next = engine->leaving_first;
    engine->leaving_first = constellation;
}

void asleep_free_work(struct engine *engine, size_t budget)
{
    while (budget > 0 && engine->leaving_first != NULL) {
        struct constellation *constellation = engine->leaving_first;
        size_t freed = storage_free_chunk(constellation);
        size_t cost = freed / TASKS_FREED_A_ROW + 1;
        budget -= cost < budget ? cost : budget;
        if (freed == 0) {
            engine->leaving_first = constellation->asleep_next;
            storage_free_lists(constellation);
            limit_free_all(constellation);
            map_done(&constellation->root_holds);
            map_done(&constellation->spread);
            mem_free(constellation);
        }
    }
}

void asleep_free_all(struct engine *engine)
{
    while (engine->waking_first != NULL) {
        engine_wake_drop(engine, engine->waking_first->record.id);
    }
    asleep_free_work(engine, SIZE_MAX);
}

static uint32_t count_of(const struct constellation *constellation, uint32_t from,
                         const struct class *class, const struct policy *policy)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < constellation->tasks; i++) {
        const struct task *task = constellation_task(constellation, i);
        count += !task->removed && (task->class == class || task->policy == policy);
    }
    return count;
}

uint32_t asleep_tasks_of(const struct engine *engine, const struct class *class,
                         const struct policy *policy)
{
    uint32_t count = 0;
    for (const struct constellation *constellation = engine->waking_first; constellation != NULL;
         constellation = constellation->asleep_next) {
        count += count_of(constellation, 0, class, policy);
    }
    for (const struct constellation *constellation = engine->leaving_first; constellation != NULL;
         constellation = constellation->asleep_next) {
        count += count_of(constellation, constellation->cursor << CHUNK_SHIFT, class, policy);
    }
    return count;
}
