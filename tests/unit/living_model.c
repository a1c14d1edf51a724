#include "tests/unit/living_model.h"

#include <string.h>

#include "common/base/check.h"

enum model_ways { UNCLEAR, OPEN, CLOSED };

bool model_is_final(enum task_state state)
{
    return state == TASK_SUCCEEDED || state == TASK_FAILED || state == TASK_CANCELLED ||
           state == TASK_SKIPPED;
}

int model_find(const struct model *model, int64_t task_id)
{
    for (int i = 0; i < model->tasks_top; i++) {
        if (model->tasks[i].used && model->tasks[i].id == task_id && !model->tasks[i].is_new) {
            return i;
        }
    }
    return -1;
}

int model_add_task(struct model *model, unsigned flags, struct model_policy policy)
{
    int i = 0;
    while (model->tasks[i].used) {
        i++;
        CHECK(i < MODEL_TASKS);
    }
    model->tasks_top = i < model->tasks_top ? model->tasks_top : i + 1;
    model->tasks[i] = (struct model_task){ .used = true,
                                           .state = TASK_WAITING,
                                           .flags = flags,
                                           .round = 1,
                                           .revision = model->revision,
                                           .policy = policy };
    for (int h = 0; h < model->holds_top; h++) {
        model->holds[h].names[i] = false;
    }
    return i;
}

int model_add_edge(struct model *model, int from, int to, enum edge_when when, bool required,
                   bool conditional)
{
    int i = 0;
    while (model->edges[i].used) {
        i++;
        CHECK(i < MODEL_EDGES);
    }
    model->edges_top = i < model->edges_top ? model->edges_top : i + 1;
    model->edges[i] = (struct model_edge){ .used = true,
                                           .from = from,
                                           .to = to,
                                           .when = when,
                                           .required = required,
                                           .conditional = conditional };
    return i;
}

bool model_has_started(const struct model *model, int task)
{
    return model->tasks[task].attempts > model->tasks[task].first;
}

bool model_is_held(const struct model *model, int task)
{
    for (int h = 0; h < model->holds_top; h++) {
        const struct model_hold *hold = &model->holds[h];
        if (hold->used && (hold->scope == HOLD_ALL || hold->names[task])) {
            return true;
        }
    }
    return false;
}

/* By something else than its own approval, which does not keep it from being skipped. */
static bool is_held_by_others(const struct model *model, int task)
{
    for (int h = 0; h < model->holds_top; h++) {
        const struct model_hold *hold = &model->holds[h];
        bool is_own = hold->origin == HOLD_APPROVAL && hold->root == task;
        if (hold->used && !is_own && (hold->scope == HOLD_ALL || hold->names[task])) {
            return true;
        }
    }
    return false;
}

static void end_approval(struct model *model, int task)
{
    for (int h = 0; h < model->holds_top; h++) {
        struct model_hold *hold = &model->holds[h];
        hold->used = hold->used && !(hold->origin == HOLD_APPROVAL && hold->root == task);
    }
}

static bool is_finally(const struct model *model, int task)
{
    return (model->tasks[task].flags & TASK_FINALLY) != 0;
}

bool model_is_spared(const struct model *model, int task)
{
    if (is_finally(model, task)) {
        return !(model->cancel && model->cancel_finally);
    }
    return !model->cancel && !model->stopping;
}

static bool kind_opens(enum edge_when when, enum task_state state)
{
    bool succeeded = state == TASK_SUCCEEDED;
    bool failed = state == TASK_FAILED;
    return when == EDGE_WHEN_ALWAYS || (when == EDGE_WHEN_SUCCESS && succeeded) ||
           (when == EDGE_WHEN_FAILURE && failed) ||
           (when == EDGE_WHEN_FINISHED && (succeeded || failed));
}

/* What the edge comes to by what is now; a condition is not asked. */
static enum edge_decision guess(const struct model *model, const struct model_edge *edge)
{
    const struct model_task *from = &model->tasks[edge->from];
    if (!model_is_final(from->state)) {
        return EDGE_UNDECIDED;
    }
    if (kind_opens(edge->when, from->state)) {
        return edge->conditional ? EDGE_UNDECIDED : EDGE_OPEN;
    }
    return from->failure_held ? EDGE_UNDECIDED : EDGE_CLOSED;
}

static enum model_ways ways(const struct model *model, int task, bool anew)
{
    int undecided = 0;
    int closed = 0;
    int optional_open = 0;
    int optional = 0;
    int required_undecided = 0;
    int required_closed = 0;
    for (int e = 0; e < model->edges_top; e++) {
        const struct model_edge *edge = &model->edges[e];
        if (!edge->used || edge->to != task) {
            continue;
        }
        enum edge_decision decision = anew ? guess(model, edge) : edge->decision;
        undecided += decision == EDGE_UNDECIDED;
        closed += decision == EDGE_CLOSED;
        optional += !edge->required;
        optional_open += !edge->required && decision == EDGE_OPEN;
        required_undecided += edge->required && decision == EDGE_UNDECIDED;
        required_closed += edge->required && decision == EDGE_CLOSED;
    }
    if ((model->tasks[task].flags & TASK_JOIN_ANY) == 0) {
        return closed > 0 ? CLOSED : undecided > 0 ? UNCLEAR : OPEN;
    }
    if (required_closed > 0) {
        return CLOSED;
    }
    int optional_closed = closed - required_closed;
    if (optional > 0 && optional_closed == optional) {
        return CLOSED;
    }
    return required_undecided == 0 && (optional == 0 || optional_open > 0) ? OPEN : UNCLEAR;
}

bool model_is_ready(const struct model *model, int task)
{
    return model->tasks[task].state == TASK_WAITING && ways(model, task, false) == OPEN;
}

static bool is_in_time(const struct model *model, int task)
{
    return !is_finally(model, task) || model->finally_open;
}

bool model_may_run(const struct model *model, int task)
{
    return model_is_ready(model, task) && !model_is_held(model, task) && is_in_time(model, task);
}

/* --- Running on --- */

static bool decide_plain(struct model *model)
{
    bool is_changed = false;
    for (int e = 0; e < model->edges_top; e++) {
        struct model_edge *edge = &model->edges[e];
        if (edge->used && edge->decision == EDGE_UNDECIDED &&
            guess(model, edge) != EDGE_UNDECIDED) {
            edge->decision = guess(model, edge);
            is_changed = true;
        }
    }
    for (int t = 0; t < model->tasks_top; t++) {
        struct model_task *task = &model->tasks[t];
        if (!task->used || task->state != TASK_WAITING || is_held_by_others(model, t) ||
            model_has_started(model, t)) {
            continue;
        }
        if (ways(model, t, false) == CLOSED) {
            end_approval(model, t);
            task->state = TASK_SKIPPED;
            is_changed = true;
        } else if ((task->flags & TASK_GATE) != 0 && model_may_run(model, t)) {
            task->state = TASK_SUCCEEDED;
            is_changed = true;
        }
    }
    return is_changed;
}

static bool ask_conditions(struct model *model)
{
    bool is_changed = false;
    for (int e = 0; e < model->edges_top; e++) {
        struct model_edge *edge = &model->edges[e];
        const struct model_task *from = &model->tasks[edge->from];
        if (edge->used && edge->decision == EDGE_UNDECIDED && edge->conditional &&
            model_is_final(from->state) && kind_opens(edge->when, from->state)) {
            edge->decision =
                model->condition(edge->id, from->id, from->attempts) == 1 ? EDGE_OPEN : EDGE_CLOSED;
            is_changed = true;
        }
    }
    return is_changed;
}

static void stop_all(struct model *model)
{
    model->has_cancel_job = false;
    for (int t = 0; t < model->tasks_top; t++) {
        struct model_task *task = &model->tasks[t];
        bool is_idle = task->state == TASK_WAITING || task->state == TASK_BACKOFF;
        if (task->used && is_idle && !model_is_spared(model, t)) {
            end_approval(model, t);
            task->state = TASK_CANCELLED;
            task->has_attempt = false;
        }
    }
}

static void count_left(const struct model *model, int *ret_ordinary, int *ret_finals)
{
    *ret_ordinary = 0;
    *ret_finals = 0;
    for (int t = 0; t < model->tasks_top; t++) {
        if (model->tasks[t].used && !model_is_final(model->tasks[t].state)) {
            *(is_finally(model, t) ? ret_finals : ret_ordinary) += 1;
        }
    }
}

static void end(struct model *model)
{
    bool failed = false;
    bool cancelled = false;
    for (int t = 0; t < model->tasks_top; t++) {
        const struct model_task *task = &model->tasks[t];
        bool is_hard = task->used && (task->flags & TASK_ALLOW_FAILURE) == 0;
        failed |= is_hard && task->state == TASK_FAILED;
        cancelled |= is_hard && task->state == TASK_CANCELLED;
    }
    model->state = model->cancel ? CONSTELLATION_CANCELLED
                   : failed      ? CONSTELLATION_FAILED
                   : cancelled   ? CONSTELLATION_CANCELLED
                                 : CONSTELLATION_SUCCEEDED;
    memset(model->holds, 0, sizeof model->holds);
}

static bool has_failure_hold(const struct model *model)
{
    for (int h = 0; h < model->holds_top; h++) {
        if (model->holds[h].used && model->holds[h].origin == HOLD_FAILURE) {
            return true;
        }
    }
    return false;
}

/* True: something goes on by it. */
static bool settle(struct model *model)
{
    int ordinary = 0;
    int finals = 0;
    count_left(model, &ordinary, &finals);
    if (model->state != CONSTELLATION_RUNNING || ordinary > 0 || has_failure_hold(model)) {
        return false;
    }
    if (finals == 0) {
        end(model);
        return false;
    }
    bool opens = !model->finally_open;
    model->finally_open = true;
    return opens;
}

void model_run(struct model *model)
{
    do {
        do {
            while (decide_plain(model)) {
            }
            if (model->has_cancel_job) {
                stop_all(model);
                continue;
            }
        } while (ask_conditions(model) || decide_plain(model));
    } while (settle(model));
}

/* --- What happens --- */

static void end_failure_holds(struct model *model)
{
    for (int h = 0; h < model->holds_top; h++) {
        if (model->holds[h].used && model->holds[h].origin == HOLD_FAILURE) {
            model_release(model, &model->holds[h], true);
        }
    }
}

static void failure_counts(struct model *model, int task)
{
    if (model->fail_fast && (model->tasks[task].flags & (TASK_ALLOW_FAILURE | TASK_FINALLY)) == 0 &&
        !model->cancel && !model->stopping) {
        model->stopping = true;
        model->stops++;
        model->has_cancel_job = true;
        end_failure_holds(model);
    }
}

struct model_hold *model_hold(struct model *model, enum hold_scope scope, enum hold_origin origin,
                              int root)
{
    int i = 0;
    while (model->holds[i].used) {
        i++;
        CHECK(i < MODEL_HOLDS);
    }
    model->holds_top = i < model->holds_top ? model->holds_top : i + 1;
    model->holds[i] =
        (struct model_hold){ .used = true, .scope = scope, .origin = origin, .root = root };
    return &model->holds[i];
}

static struct model_hold *find_hold(struct model *model, enum hold_origin origin, int root)
{
    for (int h = 0; h < model->holds_top; h++) {
        struct model_hold *hold = &model->holds[h];
        if (hold->used && hold->origin == origin && hold->root == root) {
            return hold;
        }
    }
    return NULL;
}

static void approve_later(struct model *model, int task)
{
    if (find_hold(model, HOLD_APPROVAL, task) == NULL) {
        model_hold(model, HOLD_TASKS, HOLD_APPROVAL, task)->names[task] = true;
    }
}

void model_finish(struct model *model, int task, enum task_state state)
{
    bool counts = model_is_spared(model, task);
    end_approval(model, task);
    model->tasks[task].state = state;
    model->tasks[task].has_attempt = false;
    if (state == TASK_FAILED && counts) {
        if (model->tasks[task].policy.holds_failure) {
            model->tasks[task].failure_held = true;
            model_hold(model, HOLD_TASKS, HOLD_FAILURE, task);
        } else {
            failure_counts(model, task);
        }
    }
}

bool model_cancel(struct model *model)
{
    int ordinary = 0;
    int finals = 0;
    if (model->state != CONSTELLATION_RUNNING) {
        return false;
    }
    count_left(model, &ordinary, &finals);
    if (!model->cancel || (finals > 0 && !model->cancel_finally)) {
        model->cancel_finally = model->cancel;
        model->cancel = true;
        model->has_cancel_job = true;
        end_failure_holds(model);
    }
    return true;
}

void model_release(struct model *model, struct model_hold *hold, bool approved)
{
    int root = hold->root;
    enum hold_origin origin = hold->origin; /* its place may be another's soon */
    hold->used = false;
    if (origin == HOLD_APPROVAL && !approved && model->tasks[root].state == TASK_WAITING &&
        !model_has_started(model, root)) {
        model_finish(model, root, TASK_FAILED);
    }
    if (origin == HOLD_FAILURE) {
        model->tasks[root].failure_held = false;
        if (model->tasks[root].state == TASK_FAILED) {
            failure_counts(model, root);
        }
    }
}

/* --- Another round --- */

struct again {
    int list[MODEL_TASKS];
    int count;
};

static void wait_again(struct model *model, struct again *again, int t)
{
    struct model_task *task = &model->tasks[t];
    if (task->state != TASK_SKIPPED) {
        task->round++;
        task->first = task->attempts;
        task->tries = task->lost = 0;
    }
    task->state = TASK_WAITING;
    if (task->failure_held) {
        model_release(model, find_hold(model, HOLD_FAILURE, t), true);
    }
    if ((task->flags & TASK_APPROVAL) != 0) {
        approve_later(model, t);
    }
    again->list[again->count++] = t;
}

static void spread(struct model *model, struct again *again, bool keep_skipped)
{
    for (int i = 0; i < again->count; i++) {
        for (int e = 0; e < model->edges_top; e++) {
            struct model_edge *edge = &model->edges[e];
            if (!edge->used || edge->from != again->list[i]) {
                continue;
            }
            enum task_state state = model->tasks[edge->to].state;
            bool is_used = model_has_started(model, edge->to) || state == TASK_SUCCEEDED;
            if (is_used || (state == TASK_SKIPPED && keep_skipped)) {
                continue;
            }
            edge->decision = EDGE_UNDECIDED;
            if (state == TASK_SKIPPED && ways(model, edge->to, true) != CLOSED) {
                wait_again(model, again, edge->to);
            }
        }
    }
    for (int e = 0; e < model->edges_top; e++) {
        for (int i = 0; i < again->count; i++) {
            if (model->edges[e].used && model->edges[e].to == again->list[i]) {
                model->edges[e].decision = EDGE_UNDECIDED;
            }
        }
    }
}

static void revive(struct model *model)
{
    if (model->state != CONSTELLATION_RUNNING) {
        model->state = CONSTELLATION_RUNNING;
        model->cancel = model->cancel_finally = model->stopping = false;
        model->finally_open = true;
    }
}

static void finals_again(struct model *model, struct again *again)
{
    int ordinary = 0;
    int finals = 0;
    count_left(model, &ordinary, &finals);
    if (ordinary == 0 || !model->finally_open) {
        return;
    }
    model->finally_open = false;
    for (int t = 0; t < model->tasks_top; t++) {
        if (model->tasks[t].used && is_finally(model, t) && model_is_final(model->tasks[t].state)) {
            wait_again(model, again, t);
        }
    }
}

static const char *admit(const struct model *model, int t, bool rerun)
{
    enum task_state state = model->tasks[t].state;
    if (state == TASK_UNKNOWN) {
        return "task_unknown";
    }
    if (!model_is_final(state)) {
        return model_has_started(model, t) ? "task_running" : "not_final";
    }
    if (state == TASK_SUCCEEDED && !rerun) {
        return "not_failed";
    }
    return state == TASK_SKIPPED && ways(model, t, true) == CLOSED ? "task_skipped" : "";
}

const char *model_reopen(struct model *model, const int64_t *ids, size_t count, bool rerun,
                         bool keep_skipped)
{
    bool is_in[MODEL_TASKS] = { false };
    bool is_root[MODEL_TASKS] = { false };
    if (model->state == CONSTELLATION_RUNNING && (model->cancel || model->stopping)) {
        return "constellation_stopping";
    }
    for (size_t i = 0; i < count; i++) {
        int t = model_find(model, ids[i]);
        if (t < 0) {
            return "unknown_task";
        }
        const char *why = admit(model, t, rerun);
        if (why[0] != '\0') {
            return why;
        }
        is_in[t] = is_root[t] = true;
    }
    for (bool is_changed = rerun; is_changed;) {
        is_changed = false;
        for (int e = 0; e < model->edges_top; e++) {
            const struct model_edge *edge = &model->edges[e];
            if (edge->used && is_in[edge->from] && !is_in[edge->to]) {
                is_in[edge->to] = is_changed = true;
            }
        }
    }
    for (int t = 0; t < model->tasks_top; t++) {
        if (is_in[t] && !model_is_final(model->tasks[t].state) && model_has_started(model, t)) {
            return "task_running";
        }
    }
    struct again again = { .count = 0 };
    revive(model);
    for (int t = 0; t < model->tasks_top; t++) {
        enum task_state state = model->tasks[t].state;
        if (is_in[t] && model_is_final(state) && (is_root[t] || state != TASK_SKIPPED)) {
            wait_again(model, &again, t);
        }
    }
    finals_again(model, &again);
    spread(model, &again, keep_skipped);
    return "";
}

/* --- Edits --- */

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
        if (is_finally(model, from) && !is_finally(model, to)) {
            problem(checking, operation, EDIT_CODE_CYCLE);
        }
    }
}

/* All that the batch makes of the graph, with its own problems. Flags of what it updates are in
   `flags`, as they were. */
static void link(struct checking *checking, unsigned flags[MODEL_TASKS],
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
            if (edge->used && (edge->from == t || edge->to == t) && is_finally(model, edge->from) &&
                !is_finally(model, edge->to)) {
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
    struct again again = { .count = 0 };
    model->revision++;
    for (int t = 0; t < model->tasks_top; t++) {
        struct model_task *task = &model->tasks[t];
        struct model_hold *approval = task->used ? find_hold(model, HOLD_APPROVAL, t) : NULL;
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
                approve_later(model, t);
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
    count_left(model, &ordinary, &finals);
    if (ordinary + finals > 0 || model->is_in_parts) {
        revive(model);
    }
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        for (int t = 0; t < model->tasks_top; t++) {
            const struct model_task *task = &model->tasks[t];
            if (task->used && task->state == TASK_SKIPPED &&
                (task->is_rewired || task->is_updated) && ways(model, t, true) != CLOSED) {
                revive(model);
                wait_again(model, &again, t);
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
    finals_again(model, &again);
    spread(model, &again, false);
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
    unsigned flags[MODEL_TASKS];
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
