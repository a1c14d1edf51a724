/* The book of a living world: what the engine asks to have stored, and what the store would load of it. */
#include "tests/unit/living_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"

struct held {
    struct hold_record record;
    int64_t *tasks;
    size_t tasks_count;
};

static void put(struct living *living, struct map *map, int64_t id, const void *record,
                size_t bytes)
{
    void *copy = map_get(map, (uint64_t)id);
    if (copy == NULL) {
        copy = mem_alloc(bytes);
        map_put(map, (uint64_t)id, copy);
    }
    memcpy(copy, record, bytes);
    living->last_id = id > living->last_id ? id : living->last_id;
}

static void drop(struct map *map, int64_t id)
{
    void *copy = map_remove(map, (uint64_t)id);
    assert_non_null(copy);
    mem_free(copy);
}

static void drop_hold(struct living *living, int64_t id)
{
    struct held *held = map_get(&living->holds, (uint64_t)id);
    assert_non_null(held);
    mem_free(held->tasks);
    drop(&living->holds, id);
}

static void name_task(struct living *living, int64_t hold_id, int64_t task_id)
{
    struct held *held = map_get(&living->holds, (uint64_t)hold_id);
    assert_non_null(held);
    assert_non_null(map_get(&living->tasks, (uint64_t)task_id));
    held->tasks = mem_resize(held->tasks, (held->tasks_count + 1) * sizeof held->tasks[0]);
    held->tasks[held->tasks_count++] = task_id;
}

static void write_edge(struct living *living, const struct effect *effect)
{
    const struct edge_record *record = &effect->edge.record;
    assert_non_null(map_get(&living->tasks, (uint64_t)record->from_id));
    assert_non_null(map_get(&living->tasks, (uint64_t)record->to_id));
    assert_true((map_get(&living->edges, (uint64_t)record->id) == NULL) ==
                (effect->kind == EFFECT_ADD_EDGE));
    if (effect->kind == EFFECT_ADD_EDGE && living->new_edges_count < LIVING_ASSIGNED_MAX) {
        living->new_edges[living->new_edges_count++] = record->id;
    }
    put(living, &living->edges, record->id, record, sizeof *record);
}

/* It stands by itself from now on, not with an attempt. */
static void keep_edge(struct living *living, const struct edge_record *record)
{
    struct edge_record *edge = map_get(&living->edges, (uint64_t)record->id);
    assert_non_null(edge);
    assert_true(record->decision != EDGE_UNDECIDED);
    assert_int_equal(edge->decision, record->decision);
    edge->fence = 0;
}

/* What stands with an attempt is found while that is its task's latest. */
static void expect_none_with(const struct living *living, uint64_t fence)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (fence != 0 && map_each(&living->edges, &at, &key, &value)) {
        const struct edge_record *edge = value;
        assert_true(edge->fence != fence);
    }
}

static void write_attempt(struct living *living, const struct attempt_record *record)
{
    void *copy = map_get(&living->attempts, record->fence);
    if (copy == NULL) {
        expect_none_with(living, record->previous);
        copy = mem_alloc(sizeof *record);
        map_put(&living->attempts, record->fence, copy);
    }
    memcpy(copy, record, sizeof *record);
}

static void write_task(struct living *living, const struct effect *effect)
{
    const struct task_record *record = effect->task.record;
    uint64_t key = (uint64_t)record->id;
    bool is_there = map_get(&living->tasks, key) != NULL;
    assert_true(is_there == (effect->kind == EFFECT_SAVE_TASK));
    if (!is_there && living->new_tasks_count < LIVING_ASSIGNED_MAX) {
        living->new_tasks[living->new_tasks_count++] = record->id;
    }
    if (!effect->task.is_stamp) {
        put(living, &living->tasks, record->id, record, sizeof *record);
        return;
    }
    struct task_record stamped = *(const struct task_record *)map_get(&living->tasks, key);
    stamped.revision = record->revision;
    put(living, &living->tasks, record->id, &stamped, sizeof stamped);
}

/* Every edge of it is gone before a task goes. */
static void remove_task(struct living *living, int64_t id)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(&living->edges, &at, &key, &value)) {
        const struct edge_record *record = value;
        assert_true(record->from_id != id && record->to_id != id);
    }
    drop(&living->tasks, id);
}

static void write(struct living *living, const struct effect *effect)
{
    switch ((int)effect->kind) {
    case EFFECT_ADD_CLASS:
        put(living, &living->classes, effect->class->id, effect->class, sizeof *effect->class);
        break;
    case EFFECT_ADD_POLICY:
        put(living, &living->policies, effect->policy->id, effect->policy, sizeof *effect->policy);
        break;
    case EFFECT_ADD_CONSTELLATION:
    case EFFECT_SAVE_CONSTELLATION:
        if (!effect->constellation.is_stamp) {
            living->constellation = *effect->constellation.record;
        }
        break;
    case EFFECT_ADD_TASK:
    case EFFECT_SAVE_TASK:
        write_task(living, effect);
        break;
    case EFFECT_ADD_EDGE:
    case EFFECT_SAVE_EDGE:
        write_edge(living, effect);
        break;
    case EFFECT_KEEP_EDGE:
        keep_edge(living, &effect->edge.record);
        break;
    case EFFECT_REMOVE_EDGE:
        drop(&living->edges, effect->id);
        break;
    case EFFECT_REMOVE_TASK:
        remove_task(living, effect->id);
        break;
    case EFFECT_ADD_HOLD: {
        struct held held = { .record = *effect->hold.record };
        put(living, &living->holds, held.record.id, &held, sizeof held);
        break;
    }
    case EFFECT_ADD_HOLD_TASK:
        name_task(living, effect->hold_task.hold_id, effect->hold_task.task_id);
        break;
    case EFFECT_REMOVE_HOLD:
        drop_hold(living, effect->id);
        break;
    case EFFECT_ADD_ATTEMPT:
    case EFFECT_SAVE_ATTEMPT:
        write_attempt(living, effect->attempt);
        break;
    case EFFECT_SAVE_DEVICE:
        living->device = *effect->device;
        break;
    case EFFECT_PUT_BULK:
        living->bulk = effect->bulk;
        living->last_id = effect->bulk.id > living->last_id ? effect->bulk.id : living->last_id;
        break;
    case EFFECT_REMOVE_BULK:
        assert_int_equal(living->bulk.id, effect->id);
        living->bulk.id = 0;
        break;
    case EFFECT_ADD_REVISION:
        assert_int_equal(effect->revision.number, living->revisions + 2);
        living->revisions++;
        living->constellation.revision = effect->revision.number;
        living->constellation.tasks = effect->revision.tasks;
        living->constellation.edges = effect->revision.edges;
        break;
    default:
        break;
    }
}

void living_book_apply(struct living *living)
{
    for (; living->effects.applied < living->effects.count; living->effects.applied++) {
        write(living, &living->effects.list[living->effects.applied]);
    }
}

struct task_record *living_task(struct living *living, int64_t id)
{
    return map_get(&living->tasks, (uint64_t)id);
}

struct edge_record *living_edge(struct living *living, int64_t id)
{
    return map_get(&living->edges, (uint64_t)id);
}

int64_t living_find_hold(struct living *living, enum hold_origin origin, int64_t root)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(&living->holds, &at, &key, &value)) {
        const struct held *held = value;
        if (held->record.origin == origin && held->record.root_task_id == root) {
            return held->record.id;
        }
    }
    return 0;
}

/* Behind the constellation itself. */
void living_book_load_plan(struct living *living, struct engine *engine)
{
    const struct constellation_record *record = &living->constellation;
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct task_record *task = map_get(&living->tasks, (uint64_t)id);
        if (task != NULL) {
            engine_load_task(engine, record->id, task);
        }
    }
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct edge_record *edge = map_get(&living->edges, (uint64_t)id);
        if (edge != NULL) {
            engine_load_edge(engine, record->id, edge);
        }
    }
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct held *held = map_get(&living->holds, (uint64_t)id);
        if (held != NULL) {
            engine_load_hold(engine, &held->record, held->tasks, held->tasks_count);
        }
    }
    if (living->bulk.id != 0) {
        engine_load_bulk(engine, &living->bulk);
    }
}

struct engine *living_book_load(struct living *living, const struct engine_config *config,
                                bool with_plan)
{
    struct engine *other = engine_new(config);
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct class_record *class = map_get(&living->classes, (uint64_t)id);
        const struct policy_record *policy = map_get(&living->policies, (uint64_t)id);
        if (class != NULL) {
            engine_load_class(other, class);
        }
        if (policy != NULL) {
            engine_load_policy(other, policy);
        }
    }
    engine_load_device(other, &living->device);
    if (with_plan) {
        engine_load_constellation(other, &living->constellation);
        living_book_load_plan(living, other);
        size_t at = 0;
        uint64_t key = 0;
        void *value = NULL;
        while (map_each(&living->attempts, &at, &key, &value)) {
            engine_load_attempt(other, value);
        }
    }
    struct reason reason = { "" };
    if (engine_load_end(other, living->now, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    return other;
}

struct engine *living_load(struct living *living)
{
    return living_book_load(living, &LIVING_CONFIG,
                            engine_constellation(living->engine, 1) != NULL);
}

void living_compare(struct living *living)
{
    struct engine *other = living_load(living);
    struct buf ours = { 0 };
    struct buf theirs = { 0 };
    engine_dump(living->engine, &ours);
    engine_dump(other, &theirs);
    if (strcmp(buf_text(&ours), buf_text(&theirs)) != 0) {
        print_error("in memory:\n%s\nin the book:\n%s\n", buf_text(&ours), buf_text(&theirs));
        fail_msg("what would be loaded is not what there is");
    }
    buf_done(&ours);
    buf_done(&theirs);
    engine_free(other);
}

void living_book_drop_parts(struct living *living)
{
    for (size_t i = 0; i < living->parts_count; i++) {
        buf_done(&living->parts[i]);
    }
    mem_free(living->parts);
    living->parts = NULL;
    living->parts_count = 0;
}

static void free_map(struct map *map)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(map, &at, &key, &value)) {
        mem_free(value);
    }
    map_done(map);
}

void living_book_free(struct living *living)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(&living->holds, &at, &key, &value)) {
        mem_free(((struct held *)value)->tasks);
    }
    living_book_drop_parts(living);
    free_map(&living->holds);
    free_map(&living->classes);
    free_map(&living->policies);
    free_map(&living->tasks);
    free_map(&living->edges);
    free_map(&living->attempts);
}
