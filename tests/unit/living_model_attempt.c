/* The reference model: attempts, how they end, how they are lost and come back, and what a person says
   of one that nobody has heard of. */
#include "tests/unit/living_model.h"

enum loss { DIED, NEVER_BEGAN, CUT_OFF };

void model_assigned(struct model *model, int task)
{
    struct model_task *of = &model->tasks[task];
    of->state = TASK_ASSIGNED;
    of->attempts++;
    of->has_attempt = true;
    of->is_lost = of->is_gone = of->is_accepted = of->has_begun = false;
}

void model_started(struct model *model, int task)
{
    model->tasks[task].state = TASK_RUNNING;
    model->tasks[task].is_accepted = model->tasks[task].has_begun = true;
}

/* Nothing that the task itself did: the first of them goes on at once. */
static void go_on(struct model_task *task)
{
    uint32_t idle = task->attempts - task->first - task->tries - task->lost;
    task->state = idle <= 1 ? TASK_WAITING : TASK_BACKOFF;
}

void model_ended(struct model *model, int task, enum model_end end)
{
    struct model_task *of = &model->tasks[task];
    bool stops = !model_is_spared(model, task);
    of->has_attempt = false;
    if (end == MODEL_SUCCEEDED) {
        model_finish(model, task, TASK_SUCCEEDED);
    } else if (end == MODEL_FAILED) {
        of->tries++;
        if (!stops && of->tries < of->policy.max_attempts) {
            of->state = TASK_BACKOFF;
        } else {
            model_finish(model, task, TASK_FAILED);
        }
    } else if (stops) {
        model_finish(model, task, TASK_CANCELLED);
    } else if (of->policy.once && of->has_begun) {
        of->state = TASK_UNKNOWN;
    } else {
        go_on(of);
    }
}

static void lose(struct model *model, int task, enum loss loss)
{
    struct model_task *of = &model->tasks[task];
    of->lost += loss == DIED;
    of->is_lost = true;
    of->has_attempt = loss != DIED;
    of->is_gone = loss == NEVER_BEGAN;
    if (loss != NEVER_BEGAN && of->policy.once) {
        of->state = TASK_UNKNOWN;
    } else if (!model_is_spared(model, task)) {
        model_finish(model, task, TASK_CANCELLED);
    } else if (loss == DIED && of->lost >= of->policy.max_lost) {
        model_finish(model, task, TASK_FAILED);
    } else if (loss == DIED) {
        of->state = TASK_WAITING;
    } else {
        go_on(of);
    }
}

void model_cut_off(struct model *model, int task)
{
    if (!model->tasks[task].is_lost) {
        lose(model, task, CUT_OFF);
    }
}

static void adopt(struct model_task *task, bool runs)
{
    task->is_lost = false;
    task->is_accepted = true;
    task->has_begun |= runs;
    if (task->state != TASK_RUNNING) {
        task->state = runs ? TASK_RUNNING : TASK_ASSIGNED;
    }
}

void model_returned(struct model *model, int task, enum held_state held, bool same_boot)
{
    struct model_task *of = &model->tasks[task];
    /* What must not run twice is on the disk of its device before it begins. */
    bool is_known = same_boot || of->policy.once;
    if (held == 0 && of->is_lost) {
        of->has_attempt = false;
        if (is_known && of->state == TASK_UNKNOWN) {
            if (!model_is_spared(model, task)) {
                model_finish(model, task, TASK_CANCELLED);
            } else {
                go_on(of);
            }
        }
    } else if (held == 0) {
        lose(model, task, is_known ? NEVER_BEGAN : DIED);
    } else if (held == HELD_DIED || (held == HELD_ACCEPTED && !is_known)) {
        if (of->is_lost) {
            of->has_attempt = false;
        } else {
            lose(model, task, DIED);
        }
    } else if (held != HELD_FINISHED) {
        adopt(of, held == HELD_RUNNING);
    } else if (of->is_lost) {
        adopt(of, true);
    } else {
        of->has_begun = true;
    }
}

void model_wake(struct model *model)
{
    for (int t = 0; t < model->tasks_top; t++) {
        if (model->tasks[t].used && model->tasks[t].state == TASK_BACKOFF) {
            model->tasks[t].state = TASK_WAITING;
        }
    }
}

const char *model_resolve(struct model *model, int task, enum resolution resolution)
{
    struct model_task *of = &model->tasks[task];
    if (of->state != TASK_UNKNOWN) {
        return "not_unknown";
    }
    if (resolution == RESOLVE_RETRY && !model_is_spared(model, task)) {
        return "cancelled";
    }
    of->has_attempt = false;
    if (resolution == RESOLVE_RETRY) {
        of->state = TASK_WAITING;
    } else {
        model_finish(model, task, resolution == RESOLVE_FAILED ? TASK_FAILED : TASK_SUCCEEDED);
    }
    return "";
}
