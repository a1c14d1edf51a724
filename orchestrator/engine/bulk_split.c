/* See bulk_split.h. The order of the parts is what keeps every plan in between whole: limits that tasks
   may name; dependencies and tasks that go; tasks that come, which others may name; what changes;
   dependencies that come, along the order of the plan as it will be, so that a hold which reaches down
   reaches as far as if they came at once; and last what the constellation itself has. */
#include "orchestrator/engine/bulk_split.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* Where an operation has its place among the parts. */
enum step {
    STEP_LIMITS,
    STEP_REMOVE_EDGE,
    STEP_REMOVE_TASK,
    STEP_ADD_TASK,
    STEP_UPDATE_TASK,
    STEP_UPDATE_EDGE,
    STEP_ADD_EDGE,
    STEP_TOUCH,
    STEP_SET,
};

struct placed {
    enum step step;
    uint64_t order; /* within the step */
    size_t at;      /* as they came */
    struct edit_operation operation;
};

struct cutter {
    const struct constellation *constellation;
    const struct edit *edit;
    const uint64_t *orders;
    struct placed *list;
    size_t count;
    size_t capacity;
    struct map edges; /* that go, by their ids */
};

static void place(struct cutter *cutter, enum step step, uint64_t order,
                  const struct edit_operation *operation)
{
    if (cutter->count == cutter->capacity) {
        cutter->capacity = cutter->capacity == 0 ? 64 : cutter->capacity * 2;
        cutter->list = mem_resize(cutter->list, cutter->capacity * sizeof cutter->list[0]);
    }
    cutter->list[cutter->count] = (struct placed){ step, order, cutter->count, *operation };
    cutter->count++;
}

/* With both its ends: when all is made, it says whom it has concerned. */
static void place_known_edge(struct cutter *cutter, enum step step,
                             const struct edit_operation *operation)
{
    uint32_t index = 0;
    const struct edge *edge =
        constellation_find_edge(cutter->constellation, operation->edge.edge_id, &index);
    struct edit_operation whole = *operation;
    CHECK(edge != NULL);
    if (step == STEP_REMOVE_EDGE) {
        if (map_get(&cutter->edges, (uint64_t)edge->id) != NULL) {
            return;
        }
        map_put(&cutter->edges, (uint64_t)edge->id, cutter);
    }
    whole.edge.from = constellation_task(cutter->constellation, edge->from)->record.id;
    whole.edge.to = constellation_task(cutter->constellation, edge->to)->record.id;
    place(cutter, step, 0, &whole);
}

/* What it depends on goes with it. What depends on it goes by itself, or it would not be removed. */
static void place_removed_task(struct cutter *cutter, const struct edit_operation *operation)
{
    const struct task *task = constellation_find_task(cutter->constellation, operation->task);
    CHECK(task != NULL);
    for (uint32_t at = task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(cutter->constellation, at - 1);
        struct edit_operation gone = { .kind = EDIT_REMOVE_EDGE, .index = operation->index };
        gone.edge.edge_id = edge->id;
        place_known_edge(cutter, STEP_REMOVE_EDGE, &gone);
        at = edge->next_in;
    }
    place(cutter, STEP_REMOVE_TASK, 0, operation);
}

static void place_operation(struct cutter *cutter, size_t at)
{
    const struct edit_operation *operation = &cutter->edit->operations[at];
    struct edit_operation limits;
    switch (operation->kind) {
    case EDIT_ADD_TASK:
        place(cutter, STEP_ADD_TASK, (uint64_t)(-1 - operation->write.task), operation);
        break;
    case EDIT_REMOVE_TASK:
        place_removed_task(cutter, operation);
        break;
    case EDIT_UPDATE_TASK:
        place(cutter, STEP_UPDATE_TASK, 0, operation);
        break;
    case EDIT_ADD_EDGE:
        place(cutter, STEP_ADD_EDGE, cutter->orders[at], operation);
        break;
    case EDIT_UPDATE_EDGE:
        place_known_edge(cutter, STEP_UPDATE_EDGE, operation);
        break;
    case EDIT_REMOVE_EDGE:
        place_known_edge(cutter, STEP_REMOVE_EDGE, operation);
        break;
    case EDIT_SET:
        limits = *operation;
        limits.set.limits_only = true;
        place(cutter, STEP_LIMITS, 0, &limits);
        place(cutter, STEP_SET, 0, operation);
        break;
    case EDIT_TOUCH:
        place(cutter, STEP_TOUCH, 0, operation);
        break;
    }
}

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a;
    const struct placed *y = b;
    if (x->step != y->step) {
        return x->step < y->step ? -1 : 1;
    }
    if (x->order != y->order) {
        return x->order < y->order ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

/* In rows: its own, and those of the tasks that it touches. */
static size_t cost_of(const struct edit_operation *operation)
{
    switch (operation->kind) {
    case EDIT_ADD_TASK:
    case EDIT_UPDATE_TASK:
        return 3 + operation->write.plan->body.length / BULK_BYTES_A_ROW;
    case EDIT_REMOVE_TASK:
        return 5;
    case EDIT_ADD_EDGE:
    case EDIT_UPDATE_EDGE:
        return 3 + operation->edge.plan.condition.length / BULK_BYTES_A_ROW;
    case EDIT_REMOVE_EDGE:
        return 4;
    case EDIT_SET:
    case EDIT_TOUCH:
        break;
    }
    return 1;
}

/* What all parts have of the whole; the last makes the revision. */
static struct edit part_of(const struct edit *edit, const struct edit_section *place)
{
    return (struct edit){
        .constellation_id = edit->constellation_id,
        .base_revision = edit->base_revision,
        .author_kind = edit->author_kind,
        .author = edit->author,
        .part = place,
    };
}

static void cut(const struct cutter *cutter, size_t rows_max, struct arena *arena,
                struct bulk_split *split)
{
    size_t parts_max = cutter->count + 1;
    struct edit_operation *operations = arena_array(arena, parts_max, sizeof *operations);
    struct edit_section *places = arena_array(arena, parts_max, sizeof *places);
    split->parts = arena_array(arena, parts_max, sizeof *split->parts);
    split->parts[0] = part_of(cutter->edit, &places[0]);
    split->parts[0].operations = operations;
    split->count = 1;
    size_t rows = 0;
    for (size_t i = 0; i < cutter->count; i++) {
        const struct placed *placed = &cutter->list[i];
        size_t cost = cost_of(&placed->operation);
        /* What comes is there before anything names it by its id. */
        bool are_added = i > 0 && placed[-1].step == STEP_ADD_TASK && placed->step != STEP_ADD_TASK;
        if (rows > 0 && (are_added || rows + cost > rows_max)) {
            split->parts[split->count] = part_of(cutter->edit, &places[split->count]);
            split->parts[split->count++].operations = &operations[i];
            rows = 0;
        }
        struct edit *part = &split->parts[split->count - 1];
        if (placed->operation.kind == EDIT_ADD_TASK && part->tasks_added++ == 0) {
            places[split->count - 1].first_task_id = (int64_t)placed->order; /* its number */
        }
        operations[i] = placed->operation;
        part->operations_count++;
        rows += cost;
    }
    places[split->count - 1].is_last = true;
    split->parts[split->count - 1].reason = cutter->edit->reason;
    split->parts[split->count - 1].release_hold_id = cutter->edit->release_hold_id;
}

static void count_placements(const struct edit *edit, struct bulk_split *split)
{
    struct map seen = { 0 };
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind != EDIT_ADD_TASK && operation->kind != EDIT_UPDATE_TASK) {
            continue;
        }
        const void *both[] = { operation->write.class, operation->write.policy };
        uint32_t *counts[] = { &split->classes, &split->policies };
        for (size_t k = 0; k < 2; k++) {
            if (map_get(&seen, (uint64_t)(uintptr_t)both[k]) == NULL) {
                map_put(&seen, (uint64_t)(uintptr_t)both[k], &seen);
                (*counts[k])++;
            }
        }
    }
    map_done(&seen);
}

void bulk_split(const struct engine *engine, const struct edit *edit, const uint64_t *orders,
                size_t rows_max, struct arena *arena, struct bulk_split *ret_split)
{
    struct cutter cutter = {
        .constellation = map_get(&engine->constellations, (uint64_t)edit->constellation_id),
        .edit = edit,
        .orders = orders,
    };
    struct bulk_split split = { .parts = NULL };
    for (size_t i = 0; i < edit->operations_count; i++) {
        place_operation(&cutter, i);
    }
    if (cutter.count > 0) {
        qsort(cutter.list, cutter.count, sizeof cutter.list[0], by_place);
    }
    cut(&cutter, rows_max, arena, &split);
    count_placements(edit, &split);
    map_done(&cutter.edges);
    mem_free(cutter.list);
    *ret_split = split;
}

static edit_task with_id(edit_task task, int64_t first_task_id)
{
    return task < 0 ? first_task_id + (-1 - task) : task;
}

void bulk_place_part(struct edit *part, struct edit_section *place,
                     struct edit_operation *operations, int64_t first_task_id)
{
    edit_task number = 0;
    place->first_task_id += first_task_id;
    for (size_t i = 0; i < part->operations_count; i++) {
        struct edit_operation *operation = &operations[i];
        switch (operation->kind) {
        case EDIT_ADD_TASK:
        case EDIT_UPDATE_TASK:
            operation->write.task = operation->kind == EDIT_ADD_TASK
                                        ? -1 - number++
                                        : with_id(operation->write.task, first_task_id);
            operation->write.same_device = with_id(operation->write.same_device, first_task_id);
            operation->write.other_device = with_id(operation->write.other_device, first_task_id);
            break;
        case EDIT_ADD_EDGE:
        case EDIT_UPDATE_EDGE:
        case EDIT_REMOVE_EDGE:
            operation->edge.from = with_id(operation->edge.from, first_task_id);
            operation->edge.to = with_id(operation->edge.to, first_task_id);
            break;
        case EDIT_REMOVE_TASK:
        case EDIT_TOUCH:
            operation->task = with_id(operation->task, first_task_id);
            break;
        case EDIT_SET:
            break;
        }
    }
    part->operations = operations;
    part->part = place;
}
