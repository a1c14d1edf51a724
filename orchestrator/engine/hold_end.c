/* How holds end: released or denied, by their deadline, or with what they were for. */
#include <stdio.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* That a task which fails, or opens as a gate, writes with what follows from it. */
enum { ROWS_A_TASK = 4 };

/* Before its tasks are let go: that none of them is held by it any more. Many go by slices. */
static void let_go(struct engine *engine, struct constellation *constellation, const int64_t *tasks,
                   size_t tasks_count)
{
    for (size_t i = 0; i < tasks_count; i++) {
        struct task *task = constellation_find_task(constellation, tasks[i]);
        if (task != NULL) {
            task->held--;
        }
    }
    if (tasks_count > 1 && tasks_count * ROWS_A_TASK > engine->config.slice) {
        constellation_queue_job(engine, constellation, JOB_OPEN);
        return;
    }
    for (size_t i = 0; i < tasks_count; i++) {
        struct task *task = constellation_find_task(constellation, tasks[i]);
        if (task != NULL) {
            task_consider(engine, task);
        }
    }
}

static void end_failure(struct engine *engine, struct constellation *constellation,
                        int64_t root_task_id)
{
    constellation->failure_holds--;
    struct task *root = constellation_find_task(constellation, root_task_id);
    root->failure_held = false;
    if (root->record.state == TASK_FAILED) {
        decision_task_final(engine, root); /* once more: what was left closes now */
        task_failure_counts(engine, root);
    }
}

void hold_end(struct engine *engine, struct hold *hold, struct str actor)
{
    struct constellation *constellation = hold->constellation;
    struct hold_record record = hold->record;
    effects_add(engine->effects, EFFECT_REMOVE_HOLD)->id = record.id;
    struct history *history = engine_history(engine, HISTORY_HOLD_RELEASED);
    history->constellation_id = record.constellation_id;
    history->task_id = record.root_task_id;
    history->number = record.id;
    history->text = arena_str(&engine->effects->arena, actor);
    constellation->holds_count -= record.origin == HOLD_BY_REQUEST || record.origin == HOLD_PAUSE;
    int64_t *tasks = hold->tasks;
    size_t tasks_count = hold->tasks_count;
    hold->tasks = NULL;
    hold_free(engine, hold);
    if (record.scope == HOLD_ALL && --constellation->holds_all == 0) {
        constellation_queue_job(engine, constellation, JOB_OPEN);
    }
    if (record.origin == HOLD_FAILURE) {
        end_failure(engine, constellation, record.root_task_id);
    }
    let_go(engine, constellation, tasks, tasks_count);
    mem_free(tasks);
}

void hold_end_failures(struct engine *engine, struct constellation *constellation, struct str actor)
{
    /* From the front each time: one that ends may take others with it. */
    while (constellation->failure_holds > 0) {
        hold_end(engine, constellation->root_holds_first, actor);
    }
}

void hold_task_ended(struct engine *engine, struct task *task)
{
    struct hold *hold = hold_of_root(task->constellation, task->record.id, HOLD_APPROVAL);
    if (hold != NULL && !hold->denied) {
        hold_end(engine, hold, STR("its task has ended"));
    }
}

/* From where it stands, as far as the budget goes: returns what is left of that. */
static size_t fail_held(struct engine *engine, struct hold *hold, struct str why, size_t budget)
{
    while (budget > 0 && hold->failed_to < hold->tasks_count) {
        struct task *task =
            constellation_find_task(hold->constellation, hold->tasks[hold->failed_to++]);
        size_t cost = 1;
        if (task != NULL && task->record.state == TASK_WAITING && !task_has_started(task)) {
            task_fail(engine, task, why);
            cost = ROWS_A_TASK;
        }
        budget -= cost < budget ? cost : budget;
    }
    return budget;
}

size_t hold_expired(struct engine *engine, struct hold *hold, size_t budget)
{
    enum { LATER_MS = 200 };
    bool fails = hold->record.on_expiry == HOLD_EXPIRY_FAIL;
    if (fails && hold->constellation->bulk != NULL) {
        /* An edit was checked against tasks that have not failed. */
        heap_remove(&engine->hold_timers, &hold->timer);
        hold->timer_boot_ms = engine->now.boot_ms + LATER_MS;
        heap_insert(&engine->hold_timers, &hold->timer);
        return budget;
    }
    if (fails && hold->record.scope == HOLD_ALL) {
        /* It ends when that is through, so that a crash meanwhile begins it again; so below. */
        heap_remove(&engine->hold_timers, &hold->timer);
        constellation_queue_job(engine, hold->constellation, JOB_EXPIRE);
        return budget;
    }
    if (fails) {
        budget = fail_held(engine, hold, STR("it was held, and nobody acted in time"), budget);
    }
    if (!fails || hold->failed_to == hold->tasks_count) {
        hold_end(engine, hold, STR("expired"));
    }
    return budget;
}

void hold_expiry_done(struct engine *engine, struct constellation *constellation)
{
    struct hold *next = NULL;
    for (struct hold *hold = constellation->holds; hold != constellation->root_holds_first;
         hold = next) {
        next = hold->next;
        if (hold->record.scope == HOLD_ALL && hold->record.on_expiry == HOLD_EXPIRY_FAIL &&
            hold->record.deadline_wall_ms != 0 && !heap_holds(&hold->timer)) {
            hold_end(engine, hold, STR("expired"));
        }
    }
}

/* Those of requests, which stand first, are few; of the others there may be as many as tasks. */
struct str hold_list(struct engine *engine, const struct constellation *constellation,
                     const char *before)
{
    enum { LISTED_MAX = 10, BYTES_EACH = 24 };
    char list[(LISTED_MAX + 1) * BYTES_EACH];
    const struct hold *hold = constellation->holds;
    size_t length = 0;
    size_t count = 0;
    for (; hold != NULL && count < LISTED_MAX; hold = hold->next) {
        const char *comma = count++ == 0 ? "" : ", ";
        length += (size_t)snprintf(list + length, BYTES_EACH, "%s%lld", comma,
                                   (long long)hold->record.id);
    }
    return count == 0 ? engine_text(engine, "%s; nothing is held", before)
                      : engine_text(engine, "%s; open holds: %s%s", before, list,
                                    hold == NULL ? "" : ", …");
}

void hold_release(struct engine *engine, const struct event *event)
{
    int64_t id = event->release.constellation_id;
    uint64_t request = event->release.request;
    struct constellation *constellation = map_get(&engine->constellations, (uint64_t)id);
    struct hold *hold = NULL;
    if (constellation != NULL) {
        hold = event->release.hold_id == 0
                   ? hold_pause(constellation)
                   : map_get(&engine->holds, (uint64_t)event->release.hold_id);
    }
    if (hold == NULL || hold->constellation != constellation) {
        const char *why = event->release.hold_id == 0 ? "it is not paused" : "no such hold";
        engine_reply(engine, request, ERR_NOT_FOUND, id,
                     constellation == NULL ? str_of(why) : hold_list(engine, constellation, why));
        return;
    }
    if (hold->record.origin >= HOLD_RERUN) {
        engine_reply(engine, request, ERR_CONFLICT, id,
                     STR("constellation_reopening: the hold ends by itself when what it is for has "
                         "been made"));
        return;
    }
    if (!event->release.approved && constellation->bulk != NULL) {
        engine_reply(engine, request, ERR_CONFLICT, id,
                     STR("constellation_reopening: an edit of many operations is being made; try "
                         "again in a moment"));
        return;
    }
    if (!event->release.approved) {
        if (hold->record.origin != HOLD_APPROVAL) {
            engine_reply(engine, request, ERR_INVALID, id,
                         STR("only what waits for an approval can be denied"));
            return;
        }
        hold->denied = true;
        fail_held(engine, hold,
                  engine_text(engine, "denied by %.*s", STR_ARG(event->release.actor)), SIZE_MAX);
    }
    hold_end(engine, hold, event->release.actor);
    engine_reply(engine, request, ERR_NONE, id, STR(""));
}
