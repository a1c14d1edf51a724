/* Where the tasks and edges of a constellation are kept: in chunks, so that pointers to them hold. What
   is removed leaves a slot that is given out again; its old id stays behind as a signpost, so that ids
   go on rising from slot to slot and are found by bisection. The few that live in a slot given out
   again are found through a map. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

struct task *constellation_task(const struct constellation *constellation, uint32_t index)
{
    CHECK(index < constellation->tasks);
    return &constellation->task_chunks[index >> CHUNK_SHIFT][index & (CHUNK_SIZE - 1)];
}

struct edge *constellation_edge(const struct constellation *constellation, uint32_t index)
{
    CHECK(index < constellation->edges);
    return &constellation->edge_chunks[index >> CHUNK_SHIFT][index & (CHUNK_SIZE - 1)];
}

/* --- Slots --- */

static void slots_push(struct slots *slots, uint32_t index)
{
    if (slots->count == slots->capacity) {
        uint32_t capacity = slots->capacity == 0 ? 16 : slots->capacity * 2;
        uint32_t *list = mem_array(capacity, sizeof *list);
        for (uint32_t i = 0; i < slots->count; i++) {
            list[i] = slots->list[(slots->first + i) & (slots->capacity - 1)];
        }
        mem_free(slots->list);
        slots->list = list;
        slots->first = 0;
        slots->capacity = capacity;
    }
    slots->list[(slots->first + slots->count++) & (slots->capacity - 1)] = index;
}

static uint32_t slots_pop(struct slots *slots)
{
    uint32_t index = slots->list[slots->first];
    slots->first = (slots->first + 1) & (slots->capacity - 1);
    slots->count--;
    return index;
}

/* The id that counts for the bisection. */
static int64_t signpost(const struct slots *slots, uint32_t index, int64_t id, bool reused)
{
    if (!reused) {
        return id;
    }
    return (int64_t)(uintptr_t)map_get(&slots->signposts, (uint64_t)index + 1);
}

/* A slot that is free is about to hold another id. */
static void slots_reuse(struct slots *slots, uint32_t index, int64_t old_id, bool reused)
{
    if (!reused) {
        map_put(&slots->signposts, (uint64_t)index + 1, (void *)(uintptr_t)old_id);
    }
}

static void slots_done(struct slots *slots)
{
    mem_free(slots->list);
    map_done(&slots->signposts);
    map_done(&slots->moved);
    *slots = (struct slots){ 0 };
}

static uint32_t chunks_of(uint32_t slots)
{
    return (slots + CHUNK_SIZE - 1) >> CHUNK_SHIFT;
}

size_t storage_free_chunk(struct constellation *constellation)
{
    const uint32_t at = constellation->cursor;
    const uint32_t tasks_chunks = chunks_of(constellation->tasks);
    if (at >= tasks_chunks) {
        if (at == tasks_chunks + chunks_of(constellation->edges)) {
            return 0;
        }
        mem_free(constellation->edge_chunks[at - tasks_chunks]);
        constellation->cursor++;
        return 1;
    }
    uint32_t i = at << CHUNK_SHIFT;
    for (; i < constellation->tasks && i >> CHUNK_SHIFT == at; i++) {
        const struct task *task = constellation_task(constellation, i);
        if (!task->removed) {
            task->class->tasks--;
            task->policy->tasks--;
        }
    }
    mem_free(constellation->task_chunks[at]);
    constellation->cursor++;
    return i - (at << CHUNK_SHIFT);
}

void storage_free_lists(struct constellation *constellation)
{
    mem_free(constellation->task_chunks);
    mem_free(constellation->edge_chunks);
    slots_done(&constellation->task_slots);
    slots_done(&constellation->edge_slots);
}

/* --- Finding --- */

/* Where an id can be among *ret_to slots, the first and last of which have these: ids rise by one at the
   least. What was submitted at once, or by one edit after the other, is where it must be. */
static void narrow(int64_t id, int64_t first, int64_t last, uint32_t *ret_from, uint32_t *ret_to)
{
    uint32_t count = *ret_to;
    if (id < first || id > last) {
        *ret_to = *ret_from;
        return;
    }
    if (id - first < count) {
        *ret_to = (uint32_t)(id - first) + 1;
    }
    if (last - id < count) {
        *ret_from = count - 1 - (uint32_t)(last - id);
    }
}

static int64_t task_signpost(const struct constellation *constellation, uint32_t index)
{
    const struct task *task = constellation_task(constellation, index);
    return signpost(&constellation->task_slots, index, task->record.id, task->reused);
}

static int64_t edge_signpost(const struct constellation *constellation, uint32_t index)
{
    const struct edge *edge = constellation_edge(constellation, index);
    return signpost(&constellation->edge_slots, index, edge->id, edge->reused);
}

struct task *constellation_find_task(const struct constellation *constellation, int64_t id)
{
    const struct slots *slots = &constellation->task_slots;
    struct task *moved = map_get(&slots->moved, (uint64_t)id);
    if (moved != NULL) {
        return moved;
    }
    uint32_t from = 0;
    uint32_t to = constellation->tasks;
    if (to > 0) {
        narrow(id, task_signpost(constellation, 0), task_signpost(constellation, to - 1), &from,
               &to);
    }
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        struct task *task = constellation_task(constellation, middle);
        int64_t at = task_signpost(constellation, middle);
        if (at == id) {
            return task->removed || task->reused ? NULL : task;
        }
        if (at < id) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return NULL;
}

struct edge *constellation_find_edge(const struct constellation *constellation, int64_t id,
                                     uint32_t *ret_index)
{
    const struct slots *slots = &constellation->edge_slots;
    uintptr_t moved = (uintptr_t)map_get(&slots->moved, (uint64_t)id);
    if (moved != 0) {
        struct edge *edge = constellation_edge(constellation, (uint32_t)moved - 1);
        *ret_index = (uint32_t)moved - 1;
        return edge->removed ? NULL : edge;
    }
    uint32_t from = 0;
    uint32_t to = constellation->edges;
    if (to > 0) {
        narrow(id, edge_signpost(constellation, 0), edge_signpost(constellation, to - 1), &from,
               &to);
    }
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        struct edge *edge = constellation_edge(constellation, middle);
        int64_t at = edge_signpost(constellation, middle);
        if (at == id) {
            *ret_index = middle;
            return edge->removed || edge->reused ? NULL : edge;
        }
        if (at < id) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return NULL;
}

/* --- Adding --- */

/* Room for one more in a list of chunks. */
static void *chunk_room(void ***chunks, uint32_t count, size_t bytes)
{
    uint32_t chunk = count >> CHUNK_SHIFT;
    if ((count & (CHUNK_SIZE - 1)) == 0) {
        *chunks = mem_resize(*chunks, (chunk + 1) * sizeof(void *));
        (*chunks)[chunk] = mem_array(CHUNK_SIZE, bytes);
    }
    return (char *)(*chunks)[chunk] + (count & (CHUNK_SIZE - 1)) * bytes;
}

struct task *storage_new_task(struct engine *engine, struct constellation *constellation,
                              const struct task_record *record)
{
    struct slots *slots = &constellation->task_slots;
    struct task *task = NULL;
    /* An effect of this turn may still look at the record of one that was removed in it. */
    if (slots->count > 0 &&
        constellation_task(constellation, slots->list[slots->first])->mark <= engine->mark_base) {
        uint32_t index = slots_pop(slots);
        task = constellation_task(constellation, index);
        slots_reuse(slots, index, task->record.id, task->reused);
        *task = (struct task){ .index = index, .reused = true };
        map_put(&slots->moved, (uint64_t)record->id, task);
    } else {
        task = chunk_room((void ***)(void *)&constellation->task_chunks, constellation->tasks,
                          sizeof *task);
        task->index = constellation->tasks++;
    }
    task->record = *record;
    task->constellation = constellation;
    bool remains = !task_state_is_final((enum task_state)record->state);
    constellation->moves++;
    constellation->live_tasks++;
    constellation->remaining += remains;
    constellation->ordinary += remains && (record->flags & TASK_FINALLY) == 0;
    constellation->finals += (record->flags & TASK_FINALLY) != 0;
    constellation_count_in(task);
    engine->live_tasks += !constellation->asleep;
    return task;
}

void storage_class_task(struct task *task, struct class *class, struct policy *policy)
{
    CHECK(class != NULL && policy != NULL);
    if (task->class != NULL) {
        task->class->tasks--;
        task->policy->tasks--;
    }
    task->class = class;
    task->policy = policy;
    task->record.class_id = class->record.id;
    task->record.policy_id = policy->record.id;
    class->tasks++;
    policy->tasks++;
}

struct task *constellation_add_task(struct engine *engine, struct constellation *constellation,
                                    const struct task_record *record)
{
    struct task *task = storage_new_task(engine, constellation, record);
    storage_class_task(task, map_get(&engine->classes, (uint64_t)record->class_id),
                       map_get(&engine->policies, (uint64_t)record->policy_id));
    return task;
}

struct edge *constellation_add_edge(struct engine *engine, struct constellation *constellation,
                                    const struct edge_record *record, uint32_t from, uint32_t to)
{
    (void)engine;
    struct slots *slots = &constellation->edge_slots;
    struct edge *edge = NULL;
    uint32_t index = constellation->edges;
    bool reused = slots->count > 0;
    if (reused) {
        index = slots_pop(slots);
        edge = constellation_edge(constellation, index);
        slots_reuse(slots, index, edge->id, edge->reused);
        map_put(&slots->moved, (uint64_t)record->id, (void *)((uintptr_t)index + 1));
    } else {
        edge = chunk_room((void ***)(void *)&constellation->edge_chunks, constellation->edges,
                          sizeof *edge);
        constellation->edges++;
    }
    *edge = (struct edge){
        .id = record->id,
        .from = from & 0xffffffU,
        .to = to & 0xffffffU,
        .when = (unsigned)record->when & 7U,
        .decision = (unsigned)record->decision & 3U,
        .named = record->named,
        .required = record->required,
        .conditional = record->conditional,
        .reused = reused,
    };
    storage_link(constellation, index);
    return edge;
}

void storage_link(struct constellation *constellation, uint32_t index)
{
    struct edge *edge = constellation_edge(constellation, index);
    struct task *source = constellation_task(constellation, edge->from);
    struct task *target = constellation_task(constellation, edge->to);
    edge->removed = 0;
    edge->next_in = target->first_in;
    edge->next_out = source->first_out;
    target->first_in = index + 1;
    source->first_out = index + 1;
    constellation->moves++;
    constellation->live_edges++;
    constellation_count_out(target);
    decision_count_in(target, edge);
}

/* --- Removing --- */

void storage_drop_edge(struct constellation *constellation, struct edge *edge)
{
    struct task *target = constellation_task(constellation, edge->to);
    CHECK(!edge->removed && !edge->asked);
    edge->removed = 1;
    constellation->moves++;
    constellation->live_edges--;
    decision_count_out(target, edge);
    constellation_count_in(target);
}

void storage_sweep_in(struct task *task)
{
    uint32_t *at = &task->first_in;
    while (*at != 0) {
        struct edge *edge = constellation_edge(task->constellation, *at - 1);
        if (edge->removed) {
            *at = edge->next_in;
        } else {
            at = &edge->next_in;
        }
    }
}

void storage_sweep_out(struct task *task)
{
    uint32_t *at = &task->first_out;
    while (*at != 0) {
        struct edge *edge = constellation_edge(task->constellation, *at - 1);
        if (edge->removed) {
            *at = edge->next_out;
        } else {
            at = &edge->next_out;
        }
    }
}

void storage_release_edge(struct constellation *constellation, uint32_t index)
{
    struct edge *edge = constellation_edge(constellation, index);
    CHECK(edge->removed);
    if (!edge->queued) { /* else the queue does, when it comes to it */
        if (edge->reused) {
            map_remove(&constellation->edge_slots.moved, (uint64_t)edge->id);
        }
        slots_push(&constellation->edge_slots, index);
    }
}

void storage_drop_task(struct engine *engine, struct task *task)
{
    struct constellation *constellation = task->constellation;
    CHECK(!task->removed && task->attempt == NULL && task->first_in == 0 && task->first_out == 0);
    constellation_count_out(task);
    bool remains = !task_state_is_final((enum task_state)task->record.state);
    constellation->moves++;
    constellation->live_tasks--;
    constellation->remaining -= remains;
    constellation->ordinary -= remains && (task->record.flags & TASK_FINALLY) == 0;
    constellation->finals -= (task->record.flags & TASK_FINALLY) != 0;
    engine->live_tasks--;
    if (task->class != NULL) {
        task->class->tasks--;
        task->policy->tasks--;
        task->class = NULL;
        task->policy = NULL;
    }
    task->removed = true;
    if (task->reused) {
        map_remove(&constellation->task_slots.moved, (uint64_t)task->record.id);
    }
    if (task->queue == QUEUE_NONE) {
        storage_release_task(task);
    }
}

void storage_release_task(struct task *task)
{
    CHECK(task->removed && task->queue == QUEUE_NONE);
    slots_push(&task->constellation->task_slots, task->index);
}
