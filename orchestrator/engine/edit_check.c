/* The check of an edit, operation by operation, against what is running. Nothing is changed by it, and
   all that is wrong is found, not only the first. */
#include "common/base/mem.h"
#include "orchestrator/engine/edit_batch.h"

static struct str state_words(const struct batch *batch, const struct task *task)
{
    return engine_text(batch->engine, "it is %s",
                       task_state_name((enum task_state)task->record.state));
}

static void refuse_unknown(struct batch *batch, const struct edit_operation *operation,
                           edit_task task)
{
    problem_add_task(batch_refuse(batch, operation, EDIT_CODE_UNKNOWN_TASK,
                                  STR("there is no such task, or the edit removes it")),
                     task);
}

/* P3: what has started is as it is. */
static bool is_open(struct batch *batch, const struct edit_operation *operation,
                    const struct task *task, bool is_target)
{
    enum task_state state = (enum task_state)task->record.state;
    if (state == TASK_SKIPPED || (state == TASK_WAITING && !task_has_started(task))) {
        return true;
    }
    enum edit_code code = is_target                    ? EDIT_CODE_TARGET_STARTED
                          : task_state_is_final(state) ? EDIT_CODE_TASK_FINAL
                                                       : EDIT_CODE_TASK_STARTED;
    problem_add_task(batch_refuse(batch, operation, code, state_words(batch, task)),
                     task->record.id);
    return false;
}

/* The operation has to do with the task: not if that has changed since the edit's base. */
static struct touch *touch(struct batch *batch, const struct edit_operation *operation,
                           const struct task *task)
{
    if (batch->base > 0 && task->record.revision > batch->base) {
        struct edit_problem *problem =
            batch_refuse(batch, operation, EDIT_CODE_CONFLICT,
                         engine_text(batch->engine, "revision %u has changed it since revision %u",
                                     task->record.revision, batch->base));
        problem_add_task(problem, task->record.id);
    }
    return batch_touch(batch, task);
}

static void check_remove(struct batch *batch, const struct edit_operation *operation)
{
    const struct task *task = batch_task(batch, operation->task);
    if (operation->task < 0 || task == NULL) {
        refuse_unknown(batch, operation, operation->task);
    } else if (is_open(batch, operation, task, false)) {
        touch(batch, operation, task)->is_removed = true;
        batch->tasks_removed++;
    } else {
        touch(batch, operation, task);
    }
}

/* Of the batch too: those are known by their number before they are there. */
static bool is_known(const struct batch *batch, edit_task task)
{
    return task < 0 ? (size_t)(-1 - task) < batch->edit->tasks_added
                    : batch_task(batch, task) != NULL;
}

static void check_write(struct batch *batch, const struct edit_operation *operation)
{
    const edit_task named[] = { operation->write.same_device, operation->write.other_device };
    for (size_t i = 0; i < 2 && batch->edit->part == NULL; i++) { /* a later part may add them */
        if (named[i] != 0 && !is_known(batch, named[i])) {
            refuse_unknown(batch, operation, named[i]);
        } else if (named[i] > 0) {
            touch(batch, operation, batch_task(batch, named[i]));
        }
    }
    if (operation->kind == EDIT_ADD_TASK) {
        return;
    }
    const struct task *task = batch_task(batch, operation->write.task);
    if (task == NULL) {
        refuse_unknown(batch, operation, operation->write.task);
        return;
    }
    struct touch *touched = touch(batch, operation, task);
    if (is_open(batch, operation, task, false)) {
        batch->tasks_updated += !touched->is_updated;
        touched->is_updated = true;
        touched->flags = (uint16_t)(operation->write.plan->flags |
                                    (operation->write.plan->hold.length > 0 ? TASK_APPROVAL : 0));
    }
}

/* Both ends of an edge that is there, found by its id. */
static void check_edge(struct batch *batch, const struct edit_operation *operation)
{
    uint32_t index = 0;
    struct constellation *constellation = batch->constellation;
    const struct edge *edge =
        constellation_find_edge(constellation, operation->edge.edge_id, &index);
    if (edge == NULL || batch_find_edge(batch, index) != NULL) {
        batch_refuse(batch, operation, EDIT_CODE_UNKNOWN_EDGE,
                     STR("there is no such dependency, or the edit has removed or changed it"));
        return;
    }
    const struct task *from = constellation_task(constellation, edge->from);
    const struct task *to = constellation_task(constellation, edge->to);
    touch(batch, operation, from)->sweeps_out |= operation->kind == EDIT_REMOVE_EDGE;
    struct touch *target = touch(batch, operation, to);
    target->sweeps_in |= operation->kind == EDIT_REMOVE_EDGE;
    target->is_rewired = true;
    if (!is_open(batch, operation, to, true)) {
        return;
    }
    if (operation->kind == EDIT_UPDATE_EDGE &&
        (batch_task(batch, from->record.id) == NULL || batch_task(batch, to->record.id) == NULL)) {
        refuse_unknown(batch, operation,
                       batch_task(batch, to->record.id) == NULL ? to->record.id : from->record.id);
        return;
    }
    struct edge_touch *touched = batch_touch_edge(batch, index);
    touched->operation = operation;
    touched->is_removed = operation->kind == EDIT_REMOVE_EDGE;
    touched->is_updated = !touched->is_removed;
    batch->edges_removed += touched->is_removed;
}

static void check_add_edge(struct batch *batch, const struct edit_operation *operation)
{
    const edit_task ends[] = { operation->edge.from, operation->edge.to };
    for (size_t i = 0; i < 2; i++) {
        if (!is_known(batch, ends[i])) {
            refuse_unknown(batch, operation, ends[i]);
        } else if (ends[i] > 0) {
            const struct task *task = batch_task(batch, ends[i]);
            touch(batch, operation, task)->is_rewired |= i == 1;
            if (i == 1) {
                is_open(batch, operation, task, true);
            }
        }
    }
    batch->edges_added += !batch->refused[operation - batch->edit->operations];
}

static void check_operation(struct batch *batch, const struct edit_operation *operation)
{
    switch (operation->kind) {
    case EDIT_ADD_TASK:
    case EDIT_UPDATE_TASK:
        check_write(batch, operation);
        break;
    case EDIT_ADD_EDGE:
        check_add_edge(batch, operation);
        break;
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        check_edge(batch, operation);
        break;
    case EDIT_TOUCH:
        if (!is_known(batch, operation->task)) {
            refuse_unknown(batch, operation, operation->task);
        } else if (operation->task > 0) {
            touch(batch, operation, batch_task(batch, operation->task));
        }
        break;
    case EDIT_REMOVE_TASK:
    case EDIT_SET:
        break;
    }
}

/* What goes with a task: its edges, if nothing that stays depends on it. */
static void check_dependents(struct batch *batch, const struct edit_operation *operation)
{
    struct constellation *constellation = batch->constellation;
    const struct task *task = constellation_find_task(constellation, operation->task);
    struct edit_problem *problem = NULL;
    bool is_refused = false;
    uint32_t looks = 0; /* one that has more cannot be removed in one edit */
    for (uint32_t at = task->first_out; at != 0 && looks <= batch->engine->config.edit_rows_max;
         looks++) {
        const struct edge *edge = constellation_edge(constellation, at - 1);
        const struct edge_touch *touched = batch_find_edge(batch, at - 1);
        const struct task *to = constellation_task(constellation, edge->to);
        if ((touched == NULL || !touched->is_removed) && batch_task(batch, to->record.id) != NULL) {
            if (!is_refused) {
                problem =
                    batch_refuse(batch, operation, EDIT_CODE_HAS_DEPENDENTS,
                                 STR("what depends on it must be removed or rewired as well"));
                is_refused = true;
            }
            problem_add_task(problem, to->record.id);
        }
        at = edge->next_out;
    }
}

static void take_edge(struct batch *batch, uint32_t index)
{
    if (batch_find_edge(batch, index) != NULL) {
        return;
    }
    const struct edge *edge = constellation_edge(batch->constellation, index);
    batch_touch(batch, constellation_task(batch->constellation, edge->from))->sweeps_out = true;
    batch_touch(batch, constellation_task(batch->constellation, edge->to))->sweeps_in = true;
    batch_touch_edge(batch, index)->is_removed = true;
    batch->edges_removed++;
}

/* Whether it touches more than one turn can take. */
static bool is_too_large(const struct batch *batch)
{
    const size_t max = batch->engine->config.edit_rows_max;
    return batch->edit->part == NULL && (batch->edit->operations_count > max ||
                                         batch->edit->tasks_added + batch->edges_added +
                                                 batch->touches_count + batch->edges_count >
                                             max);
}

static void take_edges(struct batch *batch, const struct edit_operation *operation)
{
    const struct task *task = constellation_find_task(batch->constellation, operation->task);
    for (uint32_t at = task->first_in; at != 0 && !is_too_large(batch);) {
        take_edge(batch, at - 1);
        at = constellation_edge(batch->constellation, at - 1)->next_in;
    }
    for (uint32_t at = task->first_out; at != 0 && !is_too_large(batch);) {
        take_edge(batch, at - 1);
        at = constellation_edge(batch->constellation, at - 1)->next_out;
    }
}

static void check_expect(struct batch *batch, const struct edit_expect *expect)
{
    const struct task *task = constellation_find_task(batch->constellation, expect->task_id);
    bool holds = task != NULL && (expect->state == 0 || task->record.state == expect->state) &&
                 (expect->attempts == 0 || task->record.attempts == expect->attempts) &&
                 (!expect->no_attempt || task->record.attempts == 0);
    if (holds) {
        return;
    }
    struct str words =
        task == NULL ? STR("there is no such task")
                     : engine_text(batch->engine, "it is %s, with %u attempt%s",
                                   task_state_name((enum task_state)task->record.state),
                                   task->record.attempts, task->record.attempts == 1 ? "" : "s");
    struct edit_problem *problem = batch_refuse(batch, NULL, EDIT_CODE_EXPECT_FAILED, words);
    problem_add_task(problem, expect->task_id);
    if (problem != NULL) {
        problem->index = expect->index;
        problem->in_expect = true;
    }
}

void edit_check_expects(struct batch *batch)
{
    for (size_t i = 0; i < batch->edit->expects_count; i++) {
        check_expect(batch, &batch->edit->expects[i]);
    }
}

static void check_whole(struct batch *batch)
{
    const struct edit *edit = batch->edit;
    const struct constellation_record *record = &batch->constellation->record;
    if (!constellation_state_is_final(record->state) &&
        (record->cancel_requested || record->stopping)) {
        batch_refuse(batch, NULL, EDIT_CODE_CANCELLED, STR("the constellation is being stopped"));
    }
    if (edit->base_revision > record->revision) {
        batch_refuse(batch, NULL, EDIT_CODE_FUTURE_BASE,
                     engine_text(batch->engine, "the head is revision %u", record->revision));
    } else if (edit->exact && edit->base_revision != record->revision) {
        batch_refuse(batch, NULL, EDIT_CODE_STALE,
                     engine_text(batch->engine, "the head is revision %u", record->revision));
    } else if (edit->base_revision < record->revision) {
        batch->base = edit->base_revision;
    }
    if (edit->release_hold_id != 0) {
        batch->released = map_get(&batch->engine->holds, (uint64_t)edit->release_hold_id);
        if (batch->released == NULL || batch->released->constellation != batch->constellation) {
            batch->released = NULL;
            batch_refuse(batch, NULL, EDIT_CODE_UNKNOWN_HOLD,
                         hold_list(batch->engine, batch->constellation, "there is no such hold"));
        }
    }
}

void edit_check(struct batch *batch)
{
    const struct edit *edit = batch->edit;
    if (edit->part == NULL) {
        check_whole(batch);
    }
    if (is_too_large(batch)) {
        return;
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_ADD_TASK) {
            CHECK(is_known(batch, operation->write.task) && operation->write.task < 0);
            batch->adds[-1 - operation->write.task] = operation;
        } else if (operation->kind == EDIT_REMOVE_TASK) {
            check_remove(batch, operation);
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        check_operation(batch, &edit->operations[i]);
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_REMOVE_TASK && !batch->refused[i]) {
            check_dependents(batch, operation);
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_REMOVE_TASK && !batch->refused[i]) {
            take_edges(batch, &edit->operations[i]);
        }
    }
    edit_check_expects(batch);
}

void edit_refuse_too_large(struct batch *batch)
{
    batch_refuse(
        batch, NULL, EDIT_CODE_TOO_LARGE,
        STR("it has to do with more tasks and dependencies than one turn of the daemon takes"));
}

/* Distinct ones at the most: a spec names each once, whatever uses it. */
static size_t count_placements(const struct batch *batch, size_t *ret_policies)
{
    struct map seen = { 0 };
    size_t classes = 0;
    size_t policies = 0;
    for (size_t i = 0; i < batch->edit->operations_count; i++) {
        const struct edit_operation *operation = &batch->edit->operations[i];
        if (operation->kind != EDIT_ADD_TASK && operation->kind != EDIT_UPDATE_TASK) {
            continue;
        }
        const void *both[] = { operation->write.class, operation->write.policy };
        size_t *counts[] = { &classes, &policies };
        for (size_t k = 0; k < 2; k++) {
            if (map_get(&seen, (uint64_t)(uintptr_t)both[k]) == NULL) {
                map_put(&seen, (uint64_t)(uintptr_t)both[k], &seen);
                (*counts[k])++;
            }
        }
    }
    map_done(&seen);
    *ret_policies = policies;
    return classes;
}

void edit_check_size(struct batch *batch)
{
    struct engine *engine = batch->engine;
    const struct constellation *constellation = batch->constellation;
    uint64_t added = batch->edit->tasks_added;
    uint64_t tasks = constellation->live_tasks + added - batch->tasks_removed;
    uint64_t edges =
        (uint64_t)constellation->live_edges + batch->edges_added - batch->edges_removed;
    size_t problems = batch->problems_count;
    if (batch->edit->part != NULL) {
        return;
    }
    if (is_too_large(batch)) {
        edit_refuse_too_large(batch);
        batch->is_too_large = true;
        return;
    }
    if (tasks == 0 && batch->tasks_removed > 0) {
        batch_refuse(batch, NULL, EDIT_CODE_NO_TASKS,
                     STR("nothing would be left: cancel the constellation instead"));
        return;
    }
    if (tasks > engine->config.plan_tasks_max || !constellation_has_room(engine, added)) {
        batch_refuse(batch, NULL, EDIT_CODE_TOO_MANY_TASKS,
                     tasks > engine->config.plan_tasks_max
                         ? STR("a constellation may have 1,000,000 tasks")
                         : STR("too many unfinished tasks; try again when some have ended"));
    }
    if (edges > engine->config.plan_edges_max) {
        batch_refuse(batch, NULL, EDIT_CODE_TOO_MANY_EDGES,
                     STR("a constellation may have 4,000,000 dependencies"));
    }
    size_t policies = 0;
    size_t classes = count_placements(batch, &policies);
    if (!placement_has_room(engine, classes, policies)) {
        placement_sweep(engine);
        if (!placement_has_room(engine, classes, policies)) {
            batch_refuse(batch, NULL, EDIT_CODE_TOO_MANY_CLASSES,
                         STR("too many distinct placements or retry policies are in use"));
        }
    }
    batch->is_too_large = batch->problems_count > problems;
}
