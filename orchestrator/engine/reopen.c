/* Retry and rerun: another round of tasks that have ended, and of a constellation that has. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

struct reopening {
    struct engine *engine;
    const struct event *event;
    struct constellation *constellation;
    uint32_t *list; /* tasks that begin another round, each once */
    size_t count;
    size_t roots;    /* of them those that were asked for: the first */
    struct map seen; /* index + 1 */
    enum err err;
    struct str why;
};

/* Stable words first, as docs/api.md lists them. */
static void refuse(struct reopening *reopening, enum err err, const char *code, int64_t task_id,
                   const char *why)
{
    reopening->err = err;
    reopening->why =
        engine_text(reopening->engine, "%s: task %lld %s", code, (long long)task_id, why);
}

static bool is_under_way(const struct task *task)
{
    enum task_state state = (enum task_state)task->record.state;
    return !task_state_is_final(state) && task_has_started(task);
}

/* Whether it can begin another round by itself. */
static bool admit(struct reopening *reopening, const struct task *task)
{
    int64_t id = task->record.id;
    enum task_state state = (enum task_state)task->record.state;
    if (state == TASK_UNKNOWN) {
        refuse(reopening, ERR_CONFLICT, "task_unknown", id, "waits for someone to resolve it");
    } else if (is_under_way(task)) {
        refuse(reopening, ERR_CONFLICT, "task_running", id, "is under way");
    } else if (!task_state_is_final(state)) {
        refuse(reopening, ERR_CONFLICT, "not_final", id, "has not ended");
    } else if (state == TASK_SUCCEEDED && !reopening->event->reopen.rerun) {
        refuse(reopening, ERR_CONFLICT, "not_failed", id, "has succeeded: rerun it");
    } else if (state == TASK_SKIPPED && forecast_ways(task, true, NULL) == WAYS_CLOSED) {
        refuse(reopening, ERR_CONFLICT, "task_skipped", id,
               "was skipped: retry what it depends on, or rewire it");
    } else {
        return true;
    }
    return false;
}

static void take(struct reopening *reopening, const struct task *task)
{
    if (map_get(&reopening->seen, (uint64_t)task->index + 1) == NULL) {
        map_put(&reopening->seen, (uint64_t)task->index + 1, reopening);
        reopening->list[reopening->count++] = task->index;
    }
}

/* All behind those that are listed. What has not started is reached by what they decide. */
static void take_descendants(struct reopening *reopening)
{
    struct constellation *constellation = reopening->constellation;
    for (size_t i = 0; i < reopening->count; i++) {
        const struct task *task = constellation_task(constellation, reopening->list[i]);
        if (is_under_way(task)) {
            refuse(reopening, ERR_CONFLICT, "task_running", task->record.id,
                   "depends on it and is under way");
            return;
        }
        for (uint32_t at = task->first_out; at != 0;) {
            const struct edge *edge = constellation_edge(constellation, at - 1);
            take(reopening, constellation_task(constellation, edge->to));
            at = edge->next_out;
        }
    }
}

static void collect(struct reopening *reopening)
{
    const struct event *event = reopening->event;
    reopening->list = mem_array(reopening->constellation->live_tasks, sizeof *reopening->list);
    for (size_t i = 0; i < event->reopen.task_ids_count && reopening->err == ERR_NONE; i++) {
        const struct task *task =
            constellation_find_task(reopening->constellation, event->reopen.task_ids[i]);
        if (task == NULL) {
            refuse(reopening, ERR_NOT_FOUND, "unknown_task", event->reopen.task_ids[i],
                   "does not exist");
        } else if (admit(reopening, task)) {
            take(reopening, task);
        }
    }
    reopening->roots = reopening->count;
    if (reopening->err == ERR_NONE && event->reopen.rerun) {
        take_descendants(reopening);
    }
}

static void apply(struct reopening *reopening)
{
    struct engine *engine = reopening->engine;
    struct constellation *constellation = reopening->constellation;
    struct renewal renewal = { 0 };
    constellation_reopen(engine, constellation, reopening->event->reopen.actor);
    for (size_t i = 0; i < reopening->count; i++) {
        struct task *task = constellation_task(constellation, reopening->list[i]);
        enum task_state state = (enum task_state)task->record.state;
        /* What was skipped behind them follows from what is erased. */
        if (task_state_is_final(state) && (i < reopening->roots || state != TASK_SKIPPED)) {
            renewal_add(engine, &renewal, task);
        }
    }
    if (constellation->ordinary > 0) {
        renewal_add_finals(engine, constellation, &renewal);
    }
    renewal_spread(engine, constellation, &renewal, reopening->event->reopen.keep_skipped);
    renewal_done(&renewal);
    constellation_settle(engine,
                         constellation); /* a hold_on_failure may have been the last obstacle */
}

void reopen_step(struct engine *engine, const struct event *event)
{
    int64_t id = event->reopen.constellation_id;
    struct reopening reopening = {
        .engine = engine,
        .event = event,
        .constellation = map_get(&engine->constellations, (uint64_t)id),
    };
    if (reopening.constellation == NULL ||
        reopening.constellation->record.state == CONSTELLATION_LOADING) {
        engine_reply(engine, event->reopen.request, ERR_NOT_FOUND, id,
                     STR("no such constellation"));
        return;
    }
    const struct constellation_record *record = &reopening.constellation->record;
    if (!constellation_state_is_final(record->state) &&
        (record->cancel_requested || record->stopping)) {
        engine_reply(engine, event->reopen.request, ERR_CONFLICT, id,
                     STR("constellation_stopping: it is being stopped; wait until it has ended"));
        return;
    }
    collect(&reopening);
    if (reopening.err == ERR_NONE && reopening.count == 0) {
        reopening.err = ERR_INVALID;
        reopening.why = STR("no_tasks: name the tasks to begin again");
    }
    if (reopening.err == ERR_NONE) {
        apply(&reopening);
    }
    engine_reply(engine, event->reopen.request, reopening.err, id, reopening.why);
    mem_free(reopening.list);
    map_done(&reopening.seen);
}
