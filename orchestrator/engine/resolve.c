/* EVENT_RESOLVE: someone says what became of a task whose attempt is not heard of. */
#include "orchestrator/engine/model.h"

static void answer(struct engine *engine, const struct event *event, enum err err,
                   struct str reason)
{
    engine_reply(engine, event->resolve.request, err, event->resolve.constellation_id, reason);
}

/* False: it cannot be done now, and that has been answered. */
static bool check(struct engine *engine, const struct event *event, const struct task *task)
{
    if (task->record.state != TASK_UNKNOWN) {
        answer(engine, event, ERR_CONFLICT,
               engine_text(engine, "not_unknown: the task is %s",
                           task_is_ready(task)
                               ? "ready"
                               : task_state_name((enum task_state)task->record.state)));
        return false;
    }
    if (event->resolve.resolution == RESOLVE_RETRY && task_must_stop(task)) {
        answer(engine, event, ERR_CONFLICT,
               STR("cancelled: its constellation is being stopped; resolve it as succeeded or "
                   "failed"));
        return false;
    }
    return true;
}

void resolve_step(struct engine *engine, const struct event *event)
{
    struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t)event->resolve.constellation_id);
    struct task *task =
        constellation == NULL || constellation->record.state == CONSTELLATION_LOADING
            ? NULL
            : constellation_find_task(constellation, event->resolve.task_id);
    if (task == NULL) {
        answer(engine, event, ERR_NOT_FOUND, STR("no such task in a live constellation"));
        return;
    }
    if (!check(engine, event, task)) {
        return;
    }
    struct str actor = arena_str(&engine->effects->arena, event->resolve.actor);
    if (task->attempt != NULL) {
        attempt_abandon(engine, task->attempt);
    }
    switch (event->resolve.resolution) {
    case RESOLVE_SUCCEEDED:
        task_move(engine, task, TASK_SUCCEEDED);
        break;
    case RESOLVE_FAILED:
        task_move(engine, task, TASK_FAILED);
        task_give_reason(engine, task,
                         engine_text(engine, "resolved as failed by %.*s", STR_ARG(actor)));
        break;
    case RESOLVE_RETRY:
        task_move(engine, task, TASK_WAITING);
        task_consider(engine, task);
        break;
    }
    struct history *history = engine_history(engine, HISTORY_TASK_RESOLVED);
    history->constellation_id = constellation->record.id;
    history->task_id = task->record.id;
    history->state = task->record.state;
    history->text = actor;
    answer(engine, event, ERR_NONE, STR(""));
}
