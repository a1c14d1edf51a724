/* See twin_change.h. What neither the engine nor the evaluator reads (revisions, groups, owners of
   holds) is not kept: the queries that show it are SQLite's alone. */
#include "orchestrator/store/twin_change.h"

#include "common/base/mem.h"

void twin_put_text(struct store_disk *disk, enum twin_table table, uint64_t key, int64_t owner_id,
                   struct str a, struct str b)
{
    char *room;
    struct twin_text *row = twin_row(sizeof *row, a.length + b.length, &room);
    row->owner_id = owner_id;
    row->row_id = (int64_t)key;
    row->a = twin_pack(&room, a);
    row->b = twin_pack(&room, b);
    twin_put_take(disk, table, key, row);
}

static enum err missing(const char *what, int64_t id, struct reason *reason)
{
    return reason_set(reason, ERR_CORRUPT, "%s %lld is missing", what, (long long)id);
}

static enum err add_limit(struct store_disk *disk, const struct effect *effect,
                          struct reason *reason)
{
    (void)reason;
    char *room;
    struct limit_record *row = twin_row(sizeof *row, effect->limit.name.length, &room);
    uint64_t key = twin_pair(effect->limit.constellation_id, effect->limit.index);
    *row = effect->limit;
    row->name = twin_pack(&room, effect->limit.name);
    twin_put_take(disk, TWIN_LIMIT, key, row);
    return ERR_NONE;
}

static enum err add_hold(struct store_disk *disk, const struct effect *effect,
                         struct reason *reason)
{
    const struct hold_record *record = effect->hold.record;
    if (twin_get(disk, TWIN_HOLD, (uint64_t)record->id) != NULL) {
        return reason_set(reason, ERR_EXISTS, "hold %lld is there already", (long long)record->id);
    }
    twin_put_take(disk, TWIN_HOLD, (uint64_t)record->id, mem_copy(record, sizeof *record));
    return ERR_NONE;
}

static enum err add_hold_task(struct store_disk *disk, const struct effect *effect,
                              struct reason *reason)
{
    struct twin_hold_task row = { effect->hold_task.hold_id, effect->hold_task.task_id };
    uint64_t key = twin_pair(row.hold_id, row.task_id);
    if (twin_get(disk, TWIN_HOLD, (uint64_t)row.hold_id) == NULL ||
        twin_get(disk, TWIN_HOLD_TASK, key) != NULL) {
        return missing("the room for a task of hold", row.hold_id, reason);
    }
    twin_put_take(disk, TWIN_HOLD_TASK, key, mem_copy(&row, sizeof row));
    return ERR_NONE;
}

static void spend(int64_t *spent, int64_t id)
{
    *spent = id > *spent ? id : *spent;
}

/* The tasks of a hold in rising order; the caller frees them. */
static int64_t *tasks_of(const struct store_disk *disk, int64_t hold_id, size_t *ret_count)
{
    size_t count = 0;
    size_t kept = 0;
    uint64_t *keys = twin_keys(disk, TWIN_HOLD_TASK, &count);
    int64_t *tasks = mem_array(count + 1, sizeof tasks[0]);
    for (size_t i = 0; i < count; i++) {
        const struct twin_hold_task *row = twin_get(disk, TWIN_HOLD_TASK, keys[i]);
        if (row->hold_id == hold_id) {
            tasks[kept++] = row->task_id;
        }
    }
    mem_free(keys);
    *ret_count = kept;
    return tasks;
}

static enum err remove_hold(struct store_disk *disk, const struct effect *effect,
                            struct reason *reason)
{
    if (twin_get(disk, TWIN_HOLD, (uint64_t)effect->id) == NULL) {
        return missing("hold", effect->id, reason);
    }
    size_t count = 0;
    int64_t *tasks = tasks_of(disk, effect->id, &count);
    for (size_t i = 0; i < count; i++) {
        twin_remove(disk, TWIN_HOLD_TASK, twin_pair(effect->id, tasks[i]));
    }
    mem_free(tasks);
    twin_remove(disk, TWIN_HOLD, (uint64_t)effect->id);
    spend(&disk->spent_hold_id, effect->id);
    return ERR_NONE;
}

static enum err remove_task(struct store_disk *disk, const struct effect *effect,
                            struct reason *reason)
{
    static const enum twin_table of_tasks[] = { TWIN_TASK, TWIN_TASK_TEXT, TWIN_INPUTS,
                                                TWIN_REASON };
    if (twin_get(disk, TWIN_TASK, (uint64_t)effect->id) == NULL) {
        return missing("task", effect->id, reason);
    }
    for (size_t i = 0; i < sizeof of_tasks / sizeof of_tasks[0]; i++) {
        twin_remove(disk, of_tasks[i], (uint64_t)effect->id);
    }
    spend(&disk->spent_task_id, effect->id);
    return ERR_NONE;
}

static enum err remove_edge(struct store_disk *disk, const struct effect *effect,
                            struct reason *reason)
{
    if (twin_get(disk, TWIN_EDGE, (uint64_t)effect->id) == NULL) {
        return missing("edge", effect->id, reason);
    }
    twin_remove(disk, TWIN_EDGE, (uint64_t)effect->id);
    twin_remove(disk, TWIN_EDGE_TEXT, (uint64_t)effect->id);
    twin_remove(disk, TWIN_EDGE_REASON, (uint64_t)effect->id);
    spend(&disk->spent_edge_id, effect->id);
    return ERR_NONE;
}

static enum err task_text(struct store_disk *disk, const struct effect *effect,
                          struct reason *reason)
{
    uint64_t key = (uint64_t)effect->task.record->id;
    const struct twin_text *old = twin_get(disk, TWIN_TASK_TEXT, key);
    if (old == NULL) {
        return missing("the text of task", effect->task.record->id, reason);
    }
    /* The old row stays until the commit: its key may be read from it. */
    twin_put_text(disk, TWIN_TASK_TEXT, key, old->owner_id, old->a, effect->task.plan->body);
    twin_remove(disk, TWIN_INPUTS, key);
    return ERR_NONE;
}

static enum err drop_inputs(struct store_disk *disk, const struct effect *effect,
                            struct reason *reason)
{
    if (twin_get(disk, TWIN_TASK, (uint64_t)effect->id) == NULL) {
        return missing("task", effect->id, reason);
    }
    twin_remove(disk, TWIN_INPUTS, (uint64_t)effect->id);
    twin_remove(disk, TWIN_REASON, (uint64_t)effect->id);
    return ERR_NONE;
}

void twin_put_edge_text(struct store_disk *disk, int64_t edge_id, const struct plan_edge *plan)
{
    twin_put_text(disk, TWIN_EDGE_TEXT, (uint64_t)edge_id, 0, plan->condition, plan->arguments);
}

static enum err edge_text(struct store_disk *disk, const struct effect *effect,
                          struct reason *reason)
{
    const struct edge_record *record = &effect->edge.record;
    const struct twin_edge *old = twin_get(disk, TWIN_EDGE, (uint64_t)record->id);
    if (old == NULL) {
        return missing("edge", record->id, reason);
    }
    struct twin_edge row = *old;
    row.record.when = record->when;
    row.record.named = record->named;
    row.record.required = record->required;
    row.record.conditional = record->conditional;
    twin_put_take(disk, TWIN_EDGE, (uint64_t)record->id, mem_copy(&row, sizeof row));
    twin_remove(disk, TWIN_EDGE_REASON, (uint64_t)record->id);
    if (record->conditional) {
        twin_put_edge_text(disk, record->id, effect->edge.plan);
    } else {
        twin_remove(disk, TWIN_EDGE_TEXT, (uint64_t)record->id);
    }
    return ERR_NONE;
}

static enum err edge_reason(struct store_disk *disk, const struct effect *effect,
                            struct reason *reason)
{
    (void)reason;
    twin_put_text(disk, TWIN_EDGE_REASON, (uint64_t)effect->edge_reason.edge_id, 0,
                  effect->edge_reason.text, (struct str){ 0 });
    return ERR_NONE;
}

static enum err add_revision(struct store_disk *disk, const struct effect *effect,
                             struct reason *reason)
{
    const struct revision_record *revision = &effect->revision;
    const struct constellation_record *old =
        twin_get(disk, TWIN_CONSTELLATION, (uint64_t)revision->constellation_id);
    if (old == NULL) {
        return missing("constellation", revision->constellation_id, reason);
    }
    struct constellation_record row = *old;
    row.revision = revision->number;
    row.tasks = revision->tasks;
    row.edges = revision->edges;
    twin_put_take(disk, TWIN_CONSTELLATION, (uint64_t)row.id, mem_copy(&row, sizeof row));
    return ERR_NONE;
}

enum err twin_change_apply(struct store_disk *disk, const struct effect *effect,
                           struct reason *reason)
{
    static enum err (*const writers[])(struct store_disk *, const struct effect *,
                                       struct reason *) = {
        [EFFECT_ADD_LIMIT] = add_limit,         [EFFECT_ADD_HOLD] = add_hold,
        [EFFECT_ADD_HOLD_TASK] = add_hold_task, [EFFECT_REMOVE_HOLD] = remove_hold,
        [EFFECT_REMOVE_TASK] = remove_task,     [EFFECT_REMOVE_EDGE] = remove_edge,
        [EFFECT_TASK_TEXT] = task_text,         [EFFECT_DROP_INPUTS] = drop_inputs,
        [EFFECT_EDGE_TEXT] = edge_text,         [EFFECT_EDGE_REASON] = edge_reason,
        [EFFECT_ADD_REVISION] = add_revision,
    };
    return writers[effect->kind](disk, effect, reason);
}

void twin_load_hold(const struct store_disk *disk, uint64_t key, struct engine *engine)
{
    const struct hold_record *record = twin_get(disk, TWIN_HOLD, key);
    size_t count = 0;
    size_t kept = 0;
    int64_t *tasks = tasks_of(disk, record->id, &count);
    for (size_t i = 0; i < count; i++) {
        if (twin_get(disk, TWIN_TASK, (uint64_t)tasks[i]) != NULL) {
            tasks[kept++] = tasks[i];
        }
    }
    engine_load_hold(engine, record, tasks, kept);
    mem_free(tasks);
}
