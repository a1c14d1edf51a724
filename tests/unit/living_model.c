/* The reference model: what is decided of tasks and their edges, what runs on by itself, and what
   happens to it. */
#include "tests/unit/living_model_parts.h"

#include <string.h>

#include "common/base/check.h"

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

static bool model_is_held(const struct model *model, int task)
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

bool model_is_finally(const struct model *model, int task)
{
    return (model->tasks[task].flags & TASK_FINALLY) != 0;
}

bool model_is_spared(const struct model *model, int task)
{
    if (model_is_finally(model, task)) {
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

enum model_way model_ways(const struct model *model, int task, bool anew)
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
        return closed > 0 ? WAY_CLOSED : undecided > 0 ? WAY_UNCLEAR : WAY_OPEN;
    }
    if (required_closed > 0) {
        return WAY_CLOSED;
    }
    int optional_closed = closed - required_closed;
    if (optional > 0 && optional_closed == optional) {
        return WAY_CLOSED;
    }
    return required_undecided == 0 && (optional == 0 || optional_open > 0) ? WAY_OPEN : WAY_UNCLEAR;
}

bool model_is_ready(const struct model *model, int task)
{
    return model->tasks[task].state == TASK_WAITING && model_ways(model, task, false) == WAY_OPEN;
}

static bool is_in_time(const struct model *model, int task)
{
    return !model_is_finally(model, task) || model->finally_open;
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
        if (model_ways(model, t, false) == WAY_CLOSED) {
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

void model_count_left(const struct model *model, int *ret_ordinary, int *ret_finals)
{
    *ret_ordinary = 0;
    *ret_finals = 0;
    for (int t = 0; t < model->tasks_top; t++) {
        if (model->tasks[t].used && !model_is_final(model->tasks[t].state)) {
            *(model_is_finally(model, t) ? ret_finals : ret_ordinary) += 1;
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
    model_count_left(model, &ordinary, &finals);
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

struct model_hold *model_find_hold(struct model *model, enum hold_origin origin, int root)
{
    for (int h = 0; h < model->holds_top; h++) {
        struct model_hold *hold = &model->holds[h];
        if (hold->used && hold->origin == origin && hold->root == root) {
            return hold;
        }
    }
    return NULL;
}

void model_approve_later(struct model *model, int task)
{
    if (model_find_hold(model, HOLD_APPROVAL, task) == NULL) {
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
    model_count_left(model, &ordinary, &finals);
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
