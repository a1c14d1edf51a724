/* The reference model: edits. All that is wrong with one is found first, then it is carried out. */
#include <string.h>

#include "common/base/check.h"
#include "tests/unit/living_model_parts.h"

struct checking {
    struct model *model;
    const struct edit *edit;
    uint32_t base;
    bool *refused;
};

static void problem(struct checking *checking, const struct edit_operation *operation,
                    enum edit_code code)
{
    struct model *model = checking->model;
    CHECK(model->problems_count < MODEL_PROBLEMS);
    model->problems[model->problems_count++] = (struct model_problem){
        .index = operation == NULL ? EDIT_WHOLE : operation->index,
        .code = code,
    };
    if (operation != NULL) {
        checking->refused[operation - checking->edit->operations] = true;
    }
}

static int lookup(const struct checking *checking, edit_task task)
{
    if (task < 0) {
        return (size_t)(-1 - task) < checking->edit->tasks_added ? MODEL_TASKS : -1;
    }
    int t = model_find(checking->model, task);
    return t >= 0 && checking->model->tasks[t].is_removed ? -1 : t;
}

static void touch(struct checking *checking, const struct edit_operation *operation, int t)
{
    struct model_task *task = &checking->model->tasks[t];
    task->is_touched = true;
    if (checking->base > 0 && task->revision > checking->base) {
        problem(checking, operation, EDIT_CODE_CONFLICT);
    }
}

static bool is_open(struct checking *checking, const struct edit_operation *operation, int t,
                    bool is_target)
{
    enum task_state state = checking->model->tasks[t].state;
    if (state == TASK_SKIPPED ||
        (state == TASK_WAITING && !model_has_started(checking->model, t))) {
        return true;
    }
    problem(checking, operation,
            is_target               ? EDIT_CODE_TARGET_STARTED
            : model_is_final(state) ? EDIT_CODE_TASK_FINAL
                                    : EDIT_CODE_TASK_STARTED);
    return false;
}

static int find_edge(const struct model *model, int64_t id)
{
    for (int e = 0; e < model->edges_top; e++) {
        if (model->edges[e].used && model->edges[e].id == id && !model->edges[e].is_removed &&
            !model->edges[e].is_updated) {
            return e;
        }
    }
    return -1;
}

static void check_operation(struct checking *checking, const struct edit_operation *operation)
{
    struct model *model = checking->model;
    int t = 0;
    int e = 0;
    switch (operation->kind) {
    case EDIT_REMOVE_TASK:
    case EDIT_ADD_TASK:
    case EDIT_SET:
        break;
    case EDIT_TOUCH:
    case EDIT_UPDATE_TASK:
        t = lookup(checking,
                   operation->kind == EDIT_TOUCH ? operation->task : operation->write.task);
        if (t < 0) {
            problem(checking, operation, EDIT_CODE_UNKNOWN_TASK);
        } else if (t < MODEL_TASKS) {
            touch(checking, operation, t);
            if (operation->kind == EDIT_UPDATE_TASK && is_open(checking, operation, t, false)) {
                model->tasks[t].is_updated = true;
            }
        }
        break;
    case EDIT_ADD_EDGE:
        t = lookup(checking, operation->edge.from);
        if (t < 0) {
            problem(checking, operation, EDIT_CODE_UNKNOWN_TASK);
        } else if (t < MODEL_TASKS) {
            touch(checking, operation, t);
        }
        t = lookup(checking, operation->edge.to);
        if (t < 0) {
            problem(checking, operation, EDIT_CODE_UNKNOWN_TASK);
        } else if (t < MODEL_TASKS) {
            touch(checking, operation, t);
            is_open(checking, operation, t, true);
        }
        break;
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        e = find_edge(model, operation->edge.edge_id);
        if (e < 0) {
            problem(checking, operation, EDIT_CODE_UNKNOWN_EDGE);
            break;
        }
        touch(checking, operation, model->edges[e].from);
        touch(checking, operation, model->edges[e].to);
        model->tasks[model->edges[e].to].is_rewired = true;
        if (!is_open(checking, operation, model->edges[e].to, true)) {
            break;
        }
        if (operation->kind == EDIT_REMOVE_EDGE) {
            model->edges[e].is_removed = true;
        } else if (model->tasks[model->edges[e].from].is_removed ||
                   model->tasks[model->edges[e].to].is_removed) {
            problem(checking, operation, EDIT_CODE_UNKNOWN_TASK);
        } else {
            model->edges[e].is_updated = true;
        }
        break;
    }
}

static void check_whole(struct checking *checking)
{
    struct model *model = checking->model;
    const struct edit *edit = checking->edit;
    if (model->state == CONSTELLATION_RUNNING && (model->cancel || model->stopping)) {
        problem(checking, NULL, EDIT_CODE_CANCELLED);
    }
    if (edit->base_revision > model->revision) {
        problem(checking, NULL, EDIT_CODE_FUTURE_BASE);
    } else if (edit->exact && edit->base_revision != model->revision) {
        problem(checking, NULL, EDIT_CODE_STALE);
    } else if (edit->base_revision < model->revision) {
        checking->base = edit->base_revision;
    }
    bool is_known = edit->release_hold_id == 0;
    for (int h = 0; h < model->holds_top; h++) {
        is_known |= model->holds[h].used && model->holds[h].id == edit->release_hold_id;
    }
    if (!is_known) {
        problem(checking, NULL, EDIT_CODE_UNKNOWN_HOLD);
    }
}

static void check_removals(struct checking *checking)
{
    struct model *model = checking->model;
    for (size_t i = 0; i < checking->edit->operations_count; i++) {
        const struct edit_operation *operation = &checking->edit->operations[i];
        if (operation->kind != EDIT_REMOVE_TASK || checking->refused[i]) {
            continue;
        }
        int t = model_find(model, operation->task);
        for (int e = 0; e < model->edges_top; e++) {
            const struct model_edge *edge = &model->edges[e];
            if (edge->used && edge->from == t && !edge->is_removed &&
                !model->tasks[edge->to].is_removed) {
                problem(checking, operation, EDIT_CODE_HAS_DEPENDENTS);
                break;
            }
        }
    }
    for (size_t i = 0; i < checking->edit->operations_count; i++) {
        const struct edit_operation *operation = &checking->edit->operations[i];
        int t = operation->kind == EDIT_REMOVE_TASK && !checking->refused[i]
                    ? model_find(model, operation->task)
                    : -1;
        for (int e = 0; e < model->edges_top && t >= 0; e++) {
            struct model_edge *edge = &model->edges[e];
            if (edge->used && (edge->from == t || edge->to == t) && !edge->is_removed) {
                edge->is_removed = true;
                model->tasks[edge->from].is_touched = true;
                model->tasks[edge->to].is_touched = true;
            }
        }
    }
}

static bool reaches(const struct model *model, int from, int to)
{
    bool is_seen[MODEL_TASKS] = { false };
    is_seen[from] = true;
    for (bool is_changed = true; is_changed && !is_seen[to];) {
        is_changed = false;
        for (int e = 0; e < model->edges_top; e++) {
            const struct model_edge *edge = &model->edges[e];
            if (edge->used && is_seen[edge->from] && !is_seen[edge->to]) {
                is_seen[edge->to] = is_changed = true;
            }
        }
    }
    return is_seen[to];
}

static bool is_double(const struct model *model, int from, int to, enum edge_when when,
                      bool conditional, int self)
{
    for (int e = 0; e < model->edges_top; e++) {
        const struct model_edge *edge = &model->edges[e];
        /* Conditions are all different in these tests. */
        if (e != self && edge->used && edge->from == from && edge->to == to && edge->when == when &&
            !edge->conditional && !conditional) {
            return true;
        }
    }
    return false;
}

static int resolve(const struct checking *checking, edit_task task)
{
    return task < 0 ? checking->model->added[-1 - task] : model_find(checking->model, task);
}

static void link_edge(struct checking *checking, const struct edit_operation *operation)
{
    struct model *model = checking->model;
    int from = resolve(checking, operation->edge.from);
    int to = resolve(checking, operation->edge.to);
    bool conditional = operation->edge.plan.condition.length > 0;
    if (is_double(model, from, to, operation->edge.when, conditional, -1)) {
        problem(checking, operation, EDIT_CODE_DUPLICATE_EDGE);
    } else if (reaches(model, to, from)) {
        problem(checking, operation, EDIT_CODE_CYCLE);
    } else {
        int e = model_add_edge(model, from, to, operation->edge.when, operation->edge.plan.required,
                               conditional);
        model->edges[e].is_new = true;
        model->tasks[from].is_touched = model->tasks[to].is_touched = true;
        model->tasks[to].is_rewired = true;
        model->added_edges[model->added_edges_count++] = e;
        if (model_is_finally(model, from) && !model_is_finally(model, to)) {
            problem(checking, operation, EDIT_CODE_CYCLE);
        }
    }
}

/* All that the batch makes of the graph, with its own problems. Flags of what it updates are in
   `flags`, as they were. */
static void link(struct checking *checking, const unsigned flags[MODEL_TASKS],
                 const struct model_policy *policies)
{
    struct model *model = checking->model;
    const struct edit *edit = checking->edit;
    for (int e = 0; e < model->edges_top; e++) {
        if (model->edges[e].is_removed) {
            model->edges[e].used = false;
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_ADD_TASK) {
            size_t number = (size_t)(-1 - operation->write.task);
            int t = model_add_task(model, operation->write.plan->flags, policies[i]);
            model->added[number] = t;
            model->tasks[t].is_new = model->tasks[t].is_touched = true;
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        int t = operation->kind == EDIT_UPDATE_TASK ? resolve(checking, operation->write.task) : -1;
        if (t >= 0 && model->tasks[t].is_updated) {
            model->tasks[t].flags = operation->write.plan->flags;
        }
    }
    /* As the edges came up: the operations are in that order. */
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind != EDIT_UPDATE_EDGE) {
            continue;
        }
        for (int e = 0; e < model->edges_top; e++) {
            struct model_edge *edge = &model->edges[e];
            if (edge->used && edge->is_updated && edge->id == operation->edge.edge_id) {
                edge->is_updated = false;
                edge->when = operation->edge.when;
                edge->required = operation->edge.plan.required;
                edge->conditional = operation->edge.plan.condition.length > 0;
                edge->decision = EDGE_UNDECIDED;
                if (is_double(model, edge->from, edge->to, edge->when, edge->conditional, e)) {
                    problem(checking, operation, EDIT_CODE_DUPLICATE_EDGE);
                }
                break;
            }
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_ADD_EDGE && !checking->refused[i]) {
            link_edge(checking, &edit->operations[i]);
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        int t = operation->kind == EDIT_UPDATE_TASK && !checking->refused[i]
                    ? resolve(checking, operation->write.task)
                    : -1;
        if (t < 0 || ((model->tasks[t].flags ^ flags[t]) & TASK_FINALLY) == 0) {
            continue;
        }
        for (int e = 0; e < model->edges_top; e++) {
            const struct model_edge *edge = &model->edges[e];
            if (edge->used && (edge->from == t || edge->to == t) &&
                model_is_finally(model, edge->from) && !model_is_finally(model, edge->to)) {
                problem(checking, operation, EDIT_CODE_CYCLE);
            }
        }
    }
}

static void extend_holds(struct model *model)
{
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        for (int e = 0; e < model->edges_top; e++) {
            const struct model_edge *edge = &model->edges[e];
            for (int h = 0; h < model->holds_top && edge->used && edge->is_new; h++) {
                struct model_hold *hold = &model->holds[h];
                if (hold->used && hold->scope == HOLD_DESCENDANTS && !hold->names[edge->to] &&
                    (hold->root == edge->from || hold->names[edge->from])) {
                    hold->names[edge->to] = is_changed = true;
                }
            }
        }
    }
}

static void commit(struct checking *checking, const unsigned flags[MODEL_TASKS],
                   const struct model_policy *policies)
{
    struct model *model = checking->model;
    const struct edit *edit = checking->edit;
    struct model_again again = { .count = 0 };
    model->revision++;
    for (int t = 0; t < model->tasks_top; t++) {
        struct model_task *task = &model->tasks[t];
        struct model_hold *approval = task->used ? model_find_hold(model, HOLD_APPROVAL, t) : NULL;
        if (task->used && task->is_removed) {
            if (approval != NULL) {
                approval->used = false;
            }
            for (int h = 0; h < model->holds_top; h++) {
                model->holds[h].names[t] = false;
                if (model->holds[h].scope == HOLD_DESCENDANTS && model->holds[h].root == t) {
                    model->holds[h].root = -1;
                }
            }
            task->used = false;
        } else if (task->used && task->is_touched) {
            task->revision = model->revision;
            bool wants = (task->flags & TASK_APPROVAL) != 0;
            bool wanted = !task->is_new && (flags[t] & TASK_APPROVAL) != 0;
            /* What is skipped is asked about when it waits again. */
            if (wants && !wanted && task->state != TASK_SKIPPED &&
                (task->is_new || task->is_updated)) {
                model_approve_later(model, t);
            } else if (!wants && approval != NULL && task->is_updated) {
                approval->used = false;
            }
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_SET) {
            model->fail_fast = operation->set.fail_fast;
        } else if (operation->kind == EDIT_UPDATE_TASK) {
            model->tasks[resolve(checking, operation->write.task)].policy = policies[i];
        }
    }
    extend_holds(model);
    int ordinary = 0;
    int finals = 0;
    model_count_left(model, &ordinary, &finals);
    if (ordinary + finals > 0 || model->is_in_parts) {
        model_revive(model);
    }
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        for (int t = 0; t < model->tasks_top; t++) {
            const struct model_task *task = &model->tasks[t];
            if (task->used && task->state == TASK_SKIPPED &&
                (task->is_rewired || task->is_updated) &&
                model_ways(model, t, true) != WAY_CLOSED) {
                model_revive(model);
                model_wait_again(model, &again, t);
                is_changed = true;
            }
        }
    }
    for (int h = 0; h < model->holds_top; h++) {
        if (model->holds[h].used && edit->release_hold_id != 0 &&
            model->holds[h].id == edit->release_hold_id) {
            model_release(model, &model->holds[h], true);
        }
    }
    model_finals_again(model, &again);
    model_spread(model, &again, false);
}

/* False: it is not even tried. */
static bool check_size(struct checking *checking, int tasks, int tasks_removed)
{
    struct model *model = checking->model;
    int edges = 0;
    for (int e = 0; e < model->edges_top; e++) {
        edges += model->edges[e].used && !model->edges[e].is_removed;
    }
    for (size_t i = 0; i < checking->edit->operations_count; i++) {
        edges += checking->edit->operations[i].kind == EDIT_ADD_EDGE && !checking->refused[i];
    }
    if (tasks_removed > 0 && tasks == 0) {
        problem(checking, NULL, EDIT_CODE_NO_TASKS);
        return true;
    }
    bool has_room = true;
    if (model->tasks_max > 0 && tasks > model->tasks_max) {
        problem(checking, NULL, EDIT_CODE_TOO_MANY_TASKS);
        has_room = false;
    }
    if (model->edges_max > 0 && edges > model->edges_max) {
        problem(checking, NULL, EDIT_CODE_TOO_MANY_EDGES);
        has_room = false;
    }
    return has_room;
}

bool model_edit(struct model *model, const struct edit *edit, const struct model_policy *policies)
{
    static struct model before;
    static bool refused[MODEL_PROBLEMS];
    struct checking checking = { .model = model, .edit = edit, .refused = refused };
    unsigned flags[MODEL_TASKS] = { 0 };
    memset(refused, 0, sizeof refused);
    model->problems_count = 0;
    model->added_edges_count = 0;
    before = *model;
    int live = 0;
    int removed = 0;
    for (int t = 0; t < model->tasks_top; t++) {
        flags[t] = model->tasks[t].flags;
        live += model->tasks[t].used;
    }
    check_whole(&checking);
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind != EDIT_REMOVE_TASK) {
            continue;
        }
        int t = operation->task < 0 ? -1 : lookup(&checking, operation->task);
        if (t < 0) {
            problem(&checking, operation, EDIT_CODE_UNKNOWN_TASK);
            continue;
        }
        touch(&checking, operation, t);
        if (is_open(&checking, operation, t, false)) {
            model->tasks[t].is_removed = true;
            removed++;
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        check_operation(&checking, &edit->operations[i]);
    }
    check_removals(&checking);
    for (size_t i = 0; i < edit->expects_count; i++) {
        const struct edit_expect *expect = &edit->expects[i];
        int t = model_find(model, expect->task_id);
        if (t < 0 || (expect->state != 0 && model->tasks[t].state != expect->state) ||
            (expect->attempts != 0 && model->tasks[t].attempts != expect->attempts)) {
            problem(&checking, NULL, EDIT_CODE_EXPECT_FAILED);
            model->problems[model->problems_count - 1].index = expect->index;
            model->problems[model->problems_count - 1].in_expect = true;
        }
    }
    if (check_size(&checking, live - removed + (int)edit->tasks_added, removed)) {
        link(&checking, flags, policies);
    }
    if (model->problems_count == 0 && !edit->dry_run) {
        commit(&checking, flags, policies);
        for (int t = 0; t < model->tasks_top; t++) {
            struct model_task *task = &model->tasks[t];
            task->is_touched = task->is_updated = task->is_rewired = false;
            task->is_removed = false;
        }
        for (int e = 0; e < model->edges_top; e++) {
            model->edges[e].is_removed = model->edges[e].is_updated = false;
        }
        return true;
    }
    memcpy(before.problems, model->problems, sizeof before.problems);
    before.problems_count = model->problems_count;
    *model = before;
    return model->problems_count == 0;
}
