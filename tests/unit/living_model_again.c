/* The reference model: another round, of what was asked for and of what comes after it. */
#include "tests/unit/living_model_parts.h"

void model_wait_again(struct model *model, struct model_again *again, int t)
{
    struct model_task *task = &model->tasks[t];
    if (task->state != TASK_SKIPPED) {
        task->round++;
        task->first = task->attempts;
        task->tries = task->lost = 0;
    }
    task->state = TASK_WAITING;
    if (task->failure_held) {
        model_release(model, model_find_hold(model, HOLD_FAILURE, t), true);
    }
    if ((task->flags & TASK_APPROVAL) != 0) {
        model_approve_later(model, t);
    }
    again->list[again->count++] = t;
}

void model_spread(struct model *model, struct model_again *again, bool keep_skipped)
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
            if (state == TASK_SKIPPED && model_ways(model, edge->to, true) != WAY_CLOSED) {
                model_wait_again(model, again, edge->to);
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

void model_revive(struct model *model)
{
    if (model->state != CONSTELLATION_RUNNING) {
        model->state = CONSTELLATION_RUNNING;
        model->cancel = model->cancel_finally = model->stopping = false;
        model->finally_open = true;
    }
}

void model_finals_again(struct model *model, struct model_again *again)
{
    int ordinary = 0;
    int finals = 0;
    model_count_left(model, &ordinary, &finals);
    if (ordinary == 0 || !model->finally_open) {
        return;
    }
    model->finally_open = false;
    for (int t = 0; t < model->tasks_top; t++) {
        if (model->tasks[t].used && model_is_finally(model, t) &&
            model_is_final(model->tasks[t].state)) {
            model_wait_again(model, again, t);
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
    return state == TASK_SKIPPED && model_ways(model, t, true) == WAY_CLOSED ? "task_skipped" : "";
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
    struct model_again again = { .count = 0 };
    model_revive(model);
    for (int t = 0; t < model->tasks_top; t++) {
        enum task_state state = model->tasks[t].state;
        if (is_in[t] && model_is_final(state) && (is_root[t] || state != TASK_SKIPPED)) {
            model_wait_again(model, &again, t);
        }
    }
    model_finals_again(model, &again);
    model_spread(model, &again, keep_skipped);
    return "";
}
