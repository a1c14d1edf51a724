/* Rows of the twin to the engine: all that is live, or one constellation. */
#include "common/base/mem.h"
#include "orchestrator/store/store_memory.h"
#include "orchestrator/store/twin_change.h"

static bool is_live(const struct store_disk *disk, int64_t constellation_id)
{
    const struct constellation_record *record =
        twin_get(disk, TWIN_CONSTELLATION, (uint64_t)constellation_id);
    return record != NULL && record->state != CONSTELLATION_LOADING &&
           !constellation_state_is_final(record->state);
}

/* What a load wants: constellations that are live, or one that is final (its id, not 0). */
static bool is_wanted(const struct store_disk *disk, int64_t constellation_id, int64_t final_id)
{
    return final_id == 0 ? is_live(disk, constellation_id) : constellation_id == final_id;
}

/* What a task of one that comes back refers to may have gone out of memory. */
static void load_referred(const struct store_disk *disk, const struct task_record *task,
                          struct engine *engine)
{
    engine_load_class(engine, twin_get(disk, TWIN_CLASS, (uint64_t)task->class_id));
    engine_load_policy(engine, twin_get(disk, TWIN_POLICY, (uint64_t)task->policy_id));
}

static bool load_attempt(const struct store_disk *disk, const struct attempt_record *attempt,
                         int64_t final_id, struct engine *engine)
{
    const struct twin_task *task = twin_get(disk, TWIN_TASK, (uint64_t)attempt->task_id);
    if (task == NULL || task->record.fence != attempt->fence ||
        !is_wanted(disk, task->constellation_id, final_id)) {
        return false;
    }
    engine_load_attempt(engine, attempt);
    return true;
}

/* Of a constellation, which it may be itself. */
static void load_owned(const struct store_disk *disk, enum twin_table table, uint64_t key,
                       struct engine *engine)
{
    const void *row = twin_get(disk, table, key);
    const struct twin_task *task = row;
    const struct twin_edge *edge = row;
    if (table == TWIN_CONSTELLATION) {
        engine_load_constellation(engine, row);
    } else if (table == TWIN_TASK) {
        load_referred(disk, &task->record, engine);
        engine_load_task(engine, task->constellation_id, &task->record);
    } else if (table == TWIN_EDGE) {
        engine_load_edge(engine, edge->constellation_id, &edge->record);
    } else if (table == TWIN_LIMIT) {
        engine_load_limit(engine, row);
    } else {
        twin_load_hold(disk, key, engine);
    }
}

/* False: it is not wanted. */
static bool load_row(const struct store_disk *disk, enum twin_table table, uint64_t key,
                     int64_t final_id, struct engine *engine)
{
    const void *row = twin_get(disk, table, key);
    if (table == TWIN_CLASS) {
        engine_load_class(engine, row);
    } else if (table == TWIN_POLICY) {
        engine_load_policy(engine, row);
    } else if (table == TWIN_DEVICE) {
        engine_load_device(engine, row);
    } else if (table == TWIN_BULK) {
        engine_load_bulk(engine, row);
    } else if (table == TWIN_ATTEMPT) {
        return load_attempt(disk, row, final_id, engine);
    } else if (!is_wanted(disk, twin_owner(table, row), final_id)) {
        return false;
    } else {
        load_owned(disk, table, key, engine);
    }
    return true;
}

static void load_tables(const struct store_disk *disk, const enum twin_table *tables,
                        size_t tables_count, int64_t final_id, struct engine *engine)
{
    for (size_t i = 0; i < tables_count; i++) {
        size_t count = 0;
        uint64_t *keys = twin_keys(disk, tables[i], &count);
        for (size_t at = 0; at < count; at++) {
            load_row(disk, tables[i], keys[at], final_id, engine);
        }
        mem_free(keys);
    }
}

/* The last attempts, the oldest first: what those took that have succeeded. */
static void load_durations(const struct store_disk *disk, struct engine *engine)
{
    size_t count = 0;
    uint64_t *fences = twin_keys(disk, TWIN_ATTEMPT, &count);
    for (size_t i = count > ENGINE_DURATIONS_MAX ? count - ENGINE_DURATIONS_MAX : 0; i < count;
         i++) {
        const struct attempt_record *attempt = twin_get(disk, TWIN_ATTEMPT, fences[i]);
        const struct twin_task *task = twin_get(disk, TWIN_TASK, (uint64_t)attempt->task_id);
        const struct twin_text *result = twin_get(disk, TWIN_RESULT, fences[i]);
        if (task != NULL && attempt->state == ATTEMPT_ENDED && attempt->outcome == OUTCOME_EXITED &&
            attempt->exit_code == 0 && attempt->started_wall_ms != 0 &&
            (result == NULL || result->a.length == 0)) {
            engine_load_duration(engine, task->record.name,
                                 attempt->ended_wall_ms - attempt->started_wall_ms);
        }
    }
    mem_free(fences);
}

enum err twin_load(struct store *store, struct engine *engine, struct reason *reason)
{
    (void)reason;
    static const enum twin_table order[] = { TWIN_CLASS,         TWIN_POLICY, TWIN_DEVICE,
                                             TWIN_CONSTELLATION, TWIN_TASK,   TWIN_EDGE,
                                             TWIN_ATTEMPT,       TWIN_LIMIT,  TWIN_HOLD,
                                             TWIN_BULK };
    load_tables(memory_of(store)->disk, order, sizeof order / sizeof order[0], 0, engine);
    load_durations(memory_of(store)->disk, engine);
    return ERR_NONE;
}

enum err twin_wake(struct store *store, struct engine *engine, struct store_wake *wake,
                   size_t *budget, struct reason *reason)
{
    static const enum twin_table order[] = { TWIN_TASK, TWIN_EDGE, TWIN_ATTEMPT, TWIN_LIMIT,
                                             TWIN_HOLD };
    const int64_t id = wake->constellation_id;
    const struct store_disk *disk = memory_of(store)->disk;
    const struct constellation_record *record = twin_get(disk, TWIN_CONSTELLATION, (uint64_t)id);
    enum err err = store_wake_admit(record, reason);
    if (err == ERR_NONE && !wake->has_begun) {
        err = engine_wake(engine, record, reason);
        wake->has_begun = err == ERR_NONE;
    }
    while (err == ERR_NONE && *budget > 0 && wake->step < sizeof order / sizeof order[0]) {
        size_t count = 0;
        uint64_t *keys = twin_keys(disk, order[wake->step], &count);
        size_t at = 0;
        while (at < count && keys[at] <= (uint64_t)wake->after_id) {
            at++;
        }
        for (; at<count && * budget> 0; at++) {
            *budget -= load_row(disk, order[wake->step], keys[at], id, engine);
            wake->after_id = (int64_t)keys[at];
        }
        mem_free(keys);
        if (at == count) {
            wake->step++;
            wake->after_id = 0;
        }
    }
    wake->has_all_rows = err == ERR_NONE && wake->step == sizeof order / sizeof order[0];
    return err;
}
