/* Retry and rerun: another round of tasks that have ended, and of a constellation that has. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

struct asking {
    struct engine *engine;
    const struct event *event;
    struct constellation *constellation;
    uint32_t *list; /* tasks that begin another round, each once */
    size_t count;
    size_t roots;    /* of them those that were asked for: the first */
    struct map seen; /* index + 1 */
    bool is_large;
    enum err err;
    struct str why;
};

/* Stable words first, as docs/api.md lists them. */
static void refuse(struct asking *asking, enum err err, const char *code, int64_t task_id,
                   const char *why)
{
    asking->err = err;
    asking->why = engine_text(asking->engine, "%s: task %lld %s", code, (long long)task_id, why);
}

static bool is_under_way(const struct task *task)
{
    enum task_state state = (enum task_state)task->record.state;
    return !task_state_is_final(state) && task_has_started(task);
}

/* Whether it can begin another round by itself. */
static bool admit(struct asking *asking, const struct task *task)
{
    int64_t id = task->record.id;
    enum task_state state = (enum task_state)task->record.state;
    if (state == TASK_UNKNOWN) {
        refuse(asking, ERR_CONFLICT, "task_unknown", id, "waits for someone to resolve it");
    } else if (is_under_way(task)) {
        refuse(asking, ERR_CONFLICT, "task_running", id, "is under way");
    } else if (!task_state_is_final(state)) {
        refuse(asking, ERR_CONFLICT, "not_final", id, "has not ended");
    } else if (state == TASK_SUCCEEDED && !asking->event->reopen.rerun) {
        refuse(asking, ERR_CONFLICT, "not_failed", id, "has succeeded: rerun it");
    } else if (state == TASK_SKIPPED && forecast_ways(task, true, NULL) == WAYS_CLOSED) {
        refuse(asking, ERR_CONFLICT, "task_skipped", id,
               "was skipped: retry what it depends on, or rewire it");
    } else {
        return true;
    }
    return false;
}

static void take(struct asking *asking, const struct task *task)
{
    if (map_get(&asking->seen, (uint64_t)task->index + 1) == NULL) {
        map_put(&asking->seen, (uint64_t)task->index + 1, asking);
        asking->list[asking->count++] = task->index;
    }
}

/* All behind those that are listed. What has not started is reached by what they decide. */
static void take_descendants(struct asking *asking)
{
    struct constellation *constellation = asking->constellation;
    for (size_t i = 0; i < asking->count; i++) {
        const struct task *task = constellation_task(constellation, asking->list[i]);
        if (is_under_way(task)) {
            refuse(asking, ERR_CONFLICT, "task_running", task->record.id,
                   "depends on it and is under way");
            return;
        }
        for (uint32_t at = task->first_out; at != 0;) {
            const struct edge *edge = constellation_edge(constellation, at - 1);
            take(asking, constellation_task(constellation, edge->to));
            at = edge->next_out;
        }
    }
}

static enum hold_origin kind_of(const struct event *event)
{
    return event->reopen.rerun          ? HOLD_RERUN
           : event->reopen.keep_skipped ? HOLD_RETRY_KEPT
                                        : HOLD_RETRY;
}

static void collect(struct asking *asking)
{
    const struct event *event = asking->event;
    asking->list = mem_array(asking->constellation->live_tasks, sizeof *asking->list);
    for (size_t i = 0; i < event->reopen.task_ids_count && asking->err == ERR_NONE; i++) {
        const struct task *task =
            constellation_find_task(asking->constellation, event->reopen.task_ids[i]);
        if (task == NULL) {
            refuse(asking, ERR_NOT_FOUND, "unknown_task", event->reopen.task_ids[i],
                   "does not exist");
        } else if (admit(asking, task)) {
            take(asking, task);
        }
    }
    asking->roots = asking->count;
    if (asking->err != ERR_NONE) {
        return;
    }
    asking->is_large = reopen_is_large(asking->engine, asking->constellation, asking->list,
                                       asking->count, kind_of(event));
    if (asking->is_large && asking->roots > ENGINE_HOLD_TASKS_MAX) {
        asking->err = ERR_LIMIT;
        asking->why = STR("too_large: name at most 10,000 tasks");
    } else if (!asking->is_large && event->reopen.rerun) {
        take_descendants(asking);
    }
}

static void apply(struct asking *asking)
{
    struct engine *engine = asking->engine;
    struct constellation *constellation = asking->constellation;
    struct renewal renewal = { 0 };
    constellation_reopen(engine, constellation, asking->event->reopen.actor);
    for (size_t i = 0; i < asking->count; i++) {
        struct task *task = constellation_task(constellation, asking->list[i]);
        enum task_state state = (enum task_state)task->record.state;
        /* What was skipped behind them follows from what is erased. */
        if (task_state_is_final(state) && (i < asking->roots || state != TASK_SKIPPED)) {
            renewal_add(engine, &renewal, task);
        }
    }
    if (constellation->ordinary > 0) {
        renewal_add_finals(engine, constellation, &renewal);
    }
    renewal_spread(engine, constellation, &renewal, asking->event->reopen.keep_skipped);
    renewal_done(&renewal);
    constellation_settle(engine,
                         constellation); /* a hold_on_failure may have been the last obstacle */
}

void reopen_step(struct engine *engine, const struct event *event)
{
    int64_t id = event->reopen.constellation_id;
    struct asking asking = {
        .engine = engine,
        .event = event,
        .constellation = map_get(&engine->constellations, (uint64_t)id),
    };
    if (asking.constellation == NULL ||
        asking.constellation->record.state == CONSTELLATION_LOADING) {
        engine_reply(engine, event->reopen.request, ERR_NOT_FOUND, id,
                     STR("no such constellation"));
        return;
    }
    const struct constellation_record *record = &asking.constellation->record;
    if (!constellation_state_is_final(record->state) &&
        (record->cancel_requested || record->stopping)) {
        engine_reply(engine, event->reopen.request, ERR_CONFLICT, id,
                     STR("constellation_stopping: it is being stopped; wait until it has ended"));
        return;
    }
    if (constellation_is_being_changed(asking.constellation)) {
        engine_reply(engine, event->reopen.request, ERR_CONFLICT, id,
                     STR("constellation_reopening: a retry, rerun or edit of many tasks is being "
                         "made; try again in a moment"));
        return;
    }
    collect(&asking);
    if (asking.err == ERR_NONE && asking.count == 0) {
        asking.err = ERR_INVALID;
        asking.why = STR("no_tasks: name the tasks to begin again");
    }
    if (asking.err == ERR_NONE && asking.is_large) {
        constellation_reopen(engine, asking.constellation, event->reopen.actor);
        reopen_begin(engine, asking.constellation, asking.list, asking.count, kind_of(event),
                     &event->reopen.request, event->reopen.actor);
    } else {
        if (asking.err == ERR_NONE) {
            apply(&asking);
        }
        engine_reply(engine, event->reopen.request, asking.err, id, asking.why);
    }
    mem_free(asking.list);
    map_done(&asking.seen);
}
