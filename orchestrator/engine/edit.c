/* Edits: a batch of changes to a plan that may be running, applied whole or refused with all that is
   wrong with it. */
#include "orchestrator/engine/edit.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "orchestrator/engine/edit_batch.h"

const char *edit_code_name(enum edit_code code)
{
    static const char *const names[EDIT_CODES_END] = {
        [EDIT_CODE_NONE] = "none",
        [EDIT_CODE_CONFLICT] = "edit_conflict",
        [EDIT_CODE_STALE] = "stale_revision",
        [EDIT_CODE_FUTURE_BASE] = "unknown_revision",
        [EDIT_CODE_UNKNOWN_TASK] = "unknown_task",
        [EDIT_CODE_UNKNOWN_EDGE] = "unknown_dependency",
        [EDIT_CODE_DUPLICATE_EDGE] = "duplicate_dependency",
        [EDIT_CODE_TASK_STARTED] = "task_started",
        [EDIT_CODE_TASK_FINAL] = "task_final",
        [EDIT_CODE_TARGET_STARTED] = "target_started",
        [EDIT_CODE_CYCLE] = "cycle",
        [EDIT_CODE_HAS_DEPENDENTS] = "has_dependents",
        [EDIT_CODE_EXPECT_FAILED] = "expect_failed",
        [EDIT_CODE_TOO_MANY_TASKS] = "too_many_tasks",
        [EDIT_CODE_TOO_MANY_EDGES] = "too_many_dependencies",
        [EDIT_CODE_TOO_MANY_CLASSES] = "too_many_classes",
        [EDIT_CODE_UNKNOWN_HOLD] = "unknown_hold",
        [EDIT_CODE_CANCELLED] = "constellation_stopping",
        [EDIT_CODE_NO_TASKS] = "no_tasks",
        [EDIT_CODE_TOO_LARGE] = "too_large",
        [EDIT_CODE_REOPENING] = "constellation_reopening",
    };
    return (unsigned)code < EDIT_CODES_END ? names[code] : "none";
}

struct touch *batch_find(const struct batch *batch, uint32_t task)
{
    uintptr_t place = (uintptr_t)map_get(&batch->touch_of, (uint64_t)task + 1);
    return place == 0 ? NULL : &batch->touches[place - 1];
}

struct touch *batch_touch(struct batch *batch, const struct task *task)
{
    struct touch *touch = batch_find(batch, task->index);
    if (touch != NULL) {
        return touch;
    }
    if (batch->touches_count == batch->touches_capacity) {
        batch->touches_capacity = batch->touches_capacity == 0 ? 8 : batch->touches_capacity * 2;
        batch->touches =
            mem_resize(batch->touches, batch->touches_capacity * sizeof batch->touches[0]);
    }
    touch = &batch->touches[batch->touches_count++];
    *touch = (struct touch){ .task = task->index, .flags = task->record.flags };
    map_put(&batch->touch_of, (uint64_t)task->index + 1, (void *)batch->touches_count);
    return touch;
}

struct edge_touch *batch_find_edge(const struct batch *batch, uint32_t edge)
{
    uintptr_t place = (uintptr_t)map_get(&batch->edge_of, (uint64_t)edge + 1);
    return place == 0 ? NULL : &batch->edges[place - 1];
}

struct edge_touch *batch_touch_edge(struct batch *batch, uint32_t edge)
{
    if (batch->edges_count == batch->edges_capacity) {
        batch->edges_capacity = batch->edges_capacity == 0 ? 8 : batch->edges_capacity * 2;
        batch->edges = mem_resize(batch->edges, batch->edges_capacity * sizeof batch->edges[0]);
    }
    struct edge_touch *touch = &batch->edges[batch->edges_count++];
    *touch =
        (struct edge_touch){ .edge = edge, .was = *constellation_edge(batch->constellation, edge) };
    map_put(&batch->edge_of, (uint64_t)edge + 1, (void *)batch->edges_count);
    return touch;
}

struct task *batch_task(const struct batch *batch, edit_task task)
{
    if (task < 0) {
        size_t number = (size_t)(-1 - task);
        bool is_known = number < batch->edit->tasks_added && batch->added[number] != UINT32_MAX;
        return is_known ? constellation_task(batch->constellation, batch->added[number]) : NULL;
    }
    struct task *found = constellation_find_task(batch->constellation, task);
    const struct touch *touch = found == NULL ? NULL : batch_find(batch, found->index);
    return touch != NULL && touch->is_removed ? NULL : found;
}

edit_task batch_name(const struct batch *batch, uint32_t task)
{
    const struct touch *touch = batch_find(batch, task);
    if (touch != NULL && touch->is_added) {
        return -1 - (edit_task)touch->number;
    }
    return constellation_task(batch->constellation, task)->record.id;
}

struct edit_problem *batch_refuse(struct batch *batch, const struct edit_operation *operation,
                                  enum edit_code code, struct str detail)
{
    if (operation != NULL) {
        batch->refused[operation - batch->edit->operations] = 1;
    }
    if (batch->problems_count == EDIT_PROBLEMS_MAX) {
        batch->more_problems = true;
        return NULL;
    }
    struct edit_problem *problem = &batch->problems[batch->problems_count++];
    *problem = (struct edit_problem){
        .index = operation == NULL ? EDIT_WHOLE : operation->index,
        .code = code,
        .detail = detail,
    };
    return problem;
}

void problem_add_task(struct edit_problem *problem, edit_task task)
{
    if (problem != NULL && problem->tasks_count++ < EDIT_PROBLEM_TASKS_MAX) {
        problem->tasks[problem->tasks_count - 1] = task;
    }
}

/* As they were written: first what concerns the whole, then by operation, then the expectations. */
static int by_index(const void *a, const void *b)
{
    const struct edit_problem *x = a;
    const struct edit_problem *y = b;
    if (x->in_expect != y->in_expect) {
        return x->in_expect - y->in_expect;
    }
    uint32_t of_x = x->index + 1; /* EDIT_WHOLE comes to 0 */
    uint32_t of_y = y->index + 1;
    return of_x != of_y ? (of_x > of_y) - (of_x < of_y) : (int)x->code - (int)y->code;
}

static void batch_init(struct batch *batch)
{
    const struct edit *edit = batch->edit;
    batch->looks = batch->engine->config.edit_looks_max;
    batch->problems =
        arena_array(&batch->engine->effects->arena, EDIT_PROBLEMS_MAX, sizeof *batch->problems);
    batch->refused = mem_alloc(edit->operations_count + 1);
    batch->adds = mem_array(edit->tasks_added + 1, sizeof(struct edit_operation *));
    batch->added = mem_array(edit->tasks_added + 1, sizeof *batch->added);
    for (size_t i = 0; i < edit->tasks_added; i++) {
        batch->added[i] = UINT32_MAX;
    }
}

static void batch_done(struct batch *batch)
{
    mem_free(batch->refused);
    mem_free(batch->adds);
    mem_free(batch->added);
    mem_free(batch->touches);
    mem_free(batch->edges);
    map_done(&batch->touch_of);
    map_done(&batch->edge_of);
}

static void answer(struct batch *batch, uint64_t request)
{
    struct engine *engine = batch->engine;
    struct edit_result *result = arena_alloc(&engine->effects->arena, sizeof *result);
    *result = batch->result;
    bool is_refused = batch->problems_count > 0;
    if (is_refused) {
        *result = (struct edit_result){ .problems = batch->problems,
                                        .problems_count = batch->problems_count,
                                        .more_problems = batch->more_problems };
        qsort(batch->problems, batch->problems_count, sizeof *batch->problems, by_index);
    } else {
        result->added = (uint32_t)batch->edit->tasks_added;
        result->removed = batch->tasks_removed;
        result->changed = batch->tasks_updated;
        result->edges_added = batch->edges_added;
        result->edges_removed = batch->edges_removed;
    }
    result->revision = batch->constellation->record.revision;
    if (batch->edit->dry_run && !is_refused) {
        result->revision++; /* that it would make */
    }
    struct effect *effect = engine_reply(
        engine, request, is_refused ? ERR_CONFLICT : ERR_NONE, batch->constellation->record.id,
        is_refused ? str_of(edit_code_name(batch->problems[0].code)) : STR(""));
    effect->reply.edit = result;
}

static void take_orders(const struct batch *batch)
{
    const struct edit *edit = batch->edit;
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_ADD_EDGE) {
            edit->orders[i] = batch_task(batch, edit->operations[i].edge.from)->order;
        }
    }
}

void edit_step(struct engine *engine, const struct event *event)
{
    const struct edit *edit = event->edit.edit;
    struct batch batch = { .engine = engine, .edit = edit };
    batch.constellation = map_get(&engine->constellations, (uint64_t)edit->constellation_id);
    if (batch.constellation == NULL || batch.constellation->record.state == CONSTELLATION_LOADING) {
        engine_reply(engine, event->edit.request, ERR_NOT_FOUND, edit->constellation_id,
                     STR("no such constellation"));
        return;
    }
    hold_forget_over(batch.constellation, true); /* the forecast asks what is held */
    batch_init(&batch);
    if (constellation_is_being_changed(batch.constellation)) {
        /* Not even tried: the ids of tasks are spent in the order in which they come, and a retry or rerun
           stands midway in the lists of dependencies, of which a trial changes the order. */
        batch.is_too_large = true;
        batch_refuse(
            &batch, NULL, EDIT_CODE_REOPENING,
            batch.constellation->bulk != NULL
                ? STR("an edit of many operations is being made: try again in a moment")
                : STR("a retry or rerun of many tasks is being made: try again in a moment"));
    } else {
        edit_check(&batch);
        edit_check_size(&batch);
    }
    if (edit->dry_run && batch.problems_count == 0) {
        batch.result.longest_path_before = edit_longest_path(engine, batch.constellation);
    }
    if (!batch.is_too_large) {
        edit_forecast_before(&batch);
    }
    edit_link(&batch);
    bool is_refused = batch.problems_count > 0;
    if (!is_refused) {
        edit_forecast(&batch);
    }
    if (edit->orders != NULL && !is_refused) {
        take_orders(&batch);
    }
    if (edit->dry_run && !is_refused) {
        batch.result.longest_path_after = edit_longest_path(engine, batch.constellation);
    }
    if (is_refused || edit->dry_run) {
        edit_unlink(&batch);
    } else {
        edit_apply(&batch);
    }
    answer(&batch, event->edit.request);
    batch_done(&batch);
}

bool edit_refuse_unexpected(struct engine *engine, const struct edit *edit, uint64_t request)
{
    struct batch batch = { .engine = engine, .edit = edit };
    batch.constellation = map_get(&engine->constellations, (uint64_t)edit->constellation_id);
    batch_init(&batch);
    edit_check_expects(&batch);
    bool is_refused = batch.problems_count > 0;
    if (is_refused) {
        answer(&batch, request);
    }
    batch_done(&batch);
    return is_refused;
}

void edit_make_part(struct engine *engine, const struct edit *edit)
{
    struct batch batch = { .engine = engine, .edit = edit };
    batch.constellation = map_get(&engine->constellations, (uint64_t)edit->constellation_id);
    CHECK(batch.constellation != NULL && edit->part != NULL);
    batch.has_reopened = bulk_record_of(batch.constellation)->reopens;
    batch_init(&batch);
    edit_check(&batch);
    edit_link(&batch);
    CHECK(batch.problems_count ==
          0); /* it was checked as a whole, and nothing else has changed it */
    edit_apply_part(&batch);
    batch_done(&batch);
}

/* The task that this may have brought back; 0: none. */
static edit_task changed_task(const struct edit_operation *operation)
{
    switch (operation->kind) {
    case EDIT_UPDATE_TASK:
        return operation->write.task;
    case EDIT_ADD_EDGE:
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        return operation->edge.to;
    case EDIT_ADD_TASK:
    case EDIT_REMOVE_TASK:
    case EDIT_SET:
    case EDIT_TOUCH:
        break;
    }
    return 0;
}

void edit_renew_part(struct engine *engine, const struct edit *edit)
{
    struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t)edit->constellation_id);
    struct renewal skipped = { 0 };
    struct map seen = { 0 };
    for (size_t i = 0; i < edit->operations_count; i++) {
        edit_task id = changed_task(&edit->operations[i]);
        const struct task *task = id == 0 ? NULL : constellation_find_task(constellation, id);
        if (task != NULL && task->record.state == TASK_SKIPPED &&
            map_get(&seen, (uint64_t)task->index + 1) == NULL &&
            forecast_ways(task, true, NULL) != WAYS_CLOSED) {
            map_put(&seen, (uint64_t)task->index + 1, &seen);
            renewal_list(&skipped, task);
        }
    }
    if (skipped.count > 0) {
        edit_renew(engine, constellation, &skipped, edit->author);
    }
    renewal_done(&skipped);
    map_done(&seen);
}
