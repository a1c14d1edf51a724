/* A retry or rerun of more than a turn should take. It goes on slice by slice under a hold on the whole
   constellation: that keeps everything behind it from starting on what is half taken back, and its row,
   which names the tasks that were asked for, is what a restart goes on from. A step that was made before
   a restart finds nothing left to do. The steps:
     REACH   a rerun only: everything behind the tasks; refused if some of that is under way
     ADD     they wait again
     FINALS  finally tasks that have run are called back
     ERASE   what they decided is taken back; what was skipped for it is added
     DECIDE  what leads into all of them is decided anew, where it may become something else */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

enum { ROWS_A_TASK = 4 };

enum step {
    STEP_REACH,
    STEP_ADD,
    STEP_FINALS,
    STEP_ERASE,
    STEP_DECIDE,
};

struct reopening {
    struct constellation *constellation;
    struct hold *hold;
    bool has_request; /* it has not been answered */
    bool is_resumed;
    bool is_named; /* in this turn, with so many rows that the work begins in the next */
    uint64_t request;
    struct renewal reach; /* those that were asked for, first, and what is behind them */
    size_t roots;
    struct renewal again; /* those that wait again */
    unsigned char *seen;  /* a bit a task, by index */
    size_t seen_bytes;
    enum step step;
    size_t at; /* in the list of the step; FINALS: among all tasks, from behind */
    bool calls_finals;
    uint32_t finals_left;
    uint32_t edge; /* of that task: index + 1 */
    bool begun;
    struct reopening *next;
};

static bool see(struct reopening *reopening, uint32_t task)
{
    unsigned char bit = (unsigned char)(1U << (task & 7U));
    CHECK(task / 8 < reopening->seen_bytes);
    bool is_new = (reopening->seen[task / 8] & bit) == 0;
    reopening->seen[task / 8] |= bit;
    return is_new;
}

/* Finding them, from behind as it is done, or what leads into them. */
static bool are_finals_many(const struct constellation *constellation, size_t max)
{
    uint32_t left = constellation->finals;
    size_t looks = left;
    size_t tasks_max = max * LOOKS_A_ROW;
    for (uint32_t i = constellation->tasks; left > 0 && i > 0 && looks <= max; i--) {
        const struct task *task = constellation_task(constellation, i - 1);
        if (tasks_max-- == 0) {
            return true;
        }
        if (task->removed || (task->record.flags & TASK_FINALLY) == 0) {
            continue;
        }
        left--;
        for (uint32_t at = task->first_in; at != 0 && looks <= max; looks++) {
            at = constellation_edge(constellation, at - 1)->next_in;
        }
    }
    return looks > max;
}

bool reopen_is_large(const struct engine *engine, struct constellation *constellation,
                     const uint32_t *tasks, size_t count, enum hold_origin kind)
{
    struct map seen = { 0 };
    uint32_t list[ENGINE_REOPEN_MAX];
    const size_t max = engine->config.reopen_max;
    size_t listed = 0;
    size_t looks = 0;
    if ((constellation->finally_open ||
         constellation_state_is_final(constellation->record.state)) &&
        are_finals_many(constellation, max)) {
        return true; /* they may have to be called back */
    }
    for (size_t i = 0; i < count && i < max; i++) {
        list[listed++] = tasks[i];
        map_put(&seen, (uint64_t)tasks[i] + 1, list);
    }
    bool is_large = count > max;
    for (size_t i = 0; i < listed && !is_large; i++) {
        const struct task *task = constellation_task(constellation, list[i]);
        looks += (size_t)task->undecided + task->closed + task->opened;
        for (uint32_t at = task->first_out; at != 0 && !is_large; looks++) {
            const struct edge *edge = constellation_edge(constellation, at - 1);
            const struct task *to = constellation_task(constellation, edge->to);
            at = edge->next_out;
            bool follows =
                kind == HOLD_RERUN || (kind == HOLD_RETRY && to->record.state == TASK_SKIPPED);
            if (follows && map_get(&seen, (uint64_t)edge->to + 1) == NULL) {
                is_large = listed == max;
                if (!is_large) {
                    list[listed++] = edge->to;
                    map_put(&seen, (uint64_t)edge->to + 1, list);
                }
            }
            is_large = is_large || looks > max;
        }
        is_large = is_large || looks > max;
    }
    map_done(&seen);
    return is_large;
}

static struct reopening *queue(struct engine *engine, struct hold *hold)
{
    struct constellation *constellation = hold->constellation;
    struct reopening *reopening = mem_alloc(sizeof *reopening);
    CHECK(constellation->reopening == NULL);
    reopening->constellation = constellation;
    reopening->hold = hold;
    reopening->step = hold->record.origin == HOLD_RERUN ? STEP_REACH : STEP_ADD;
    reopening->seen_bytes = constellation->tasks / 8 + 1;
    reopening->seen = mem_alloc(reopening->seen_bytes);
    constellation->reopening = reopening;
    struct reopening **last = &engine->reopening_first;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = reopening;
    return reopening;
}

static void name_root(struct reopening *reopening, const struct task *task)
{
    if (see(reopening, task->index)) {
        renewal_list(&reopening->reach, task);
        reopening->roots++;
    }
}

void reopen_begin(struct engine *engine, struct constellation *constellation, const uint32_t *tasks,
                  size_t count, enum hold_origin kind, const uint64_t *request, struct str actor)
{
    struct reopening *reopening =
        queue(engine, hold_reopening(engine, constellation, kind, tasks, count, actor));
    if (request != NULL) {
        reopening->has_request = true;
        reopening->request = *request;
    }
    for (size_t i = 0; i < count; i++) {
        name_root(reopening, constellation_task(constellation, tasks[i]));
    }
    reopening->is_named = count * ROWS_A_TASK > engine->config.slice;
}

/* Of this round: the job had not come to all of them before the restart. One that is skipped may never
   have had its turn; if it has, it is skipped again, or follows from what led to it. */
static bool has_run_finally(const struct constellation *constellation)
{
    for (uint32_t i = 0; constellation->finals > 0 && i < constellation->tasks; i++) {
        const struct task *task = constellation_task(constellation, i);
        if (!task->removed && (task->record.flags & TASK_FINALLY) != 0 &&
            task_state_is_final((enum task_state)task->record.state) &&
            (task_has_started(task) || task->record.state == TASK_SUCCEEDED ||
             task->record.state == TASK_CANCELLED)) {
            return true;
        }
    }
    return false;
}

void reopen_resume(struct engine *engine, struct hold *hold)
{
    struct reopening *reopening = queue(engine, hold);
    reopening->is_resumed = true;
    if (has_run_finally(hold->constellation)) {
        hold->constellation->finally_open = true;
    }
    for (size_t i = 0; i < hold->tasks_count; i++) {
        const struct task *task = constellation_find_task(hold->constellation, hold->tasks[i]);
        CHECK(task != NULL); /* nobody may edit it */
        name_root(reopening, task);
    }
}

static void end(struct engine *engine, struct reopening *reopening)
{
    struct reopening **at = &engine->reopening_first;
    while (*at != reopening) {
        at = &(*at)->next;
    }
    *at = reopening->next;
    reopening->constellation->reopening = NULL;
    renewal_done(&reopening->reach);
    renewal_done(&reopening->again);
    mem_free(reopening->seen);
    mem_free(reopening);
}

static void answer(struct engine *engine, struct reopening *reopening, enum err err, struct str why)
{
    if (reopening->has_request) {
        reopening->has_request = false;
        engine_reply(engine, reopening->request, err, reopening->constellation->record.id, why);
    }
}

void reopen_drop(struct engine *engine, struct constellation *constellation)
{
    if (constellation->reopening != NULL) {
        end(engine, constellation->reopening);
    }
}

/* Its hold with it: what it has kept goes on, or is cancelled, if that was asked for meanwhile. */
static void let_go(struct engine *engine, struct reopening *reopening, const char *why)
{
    struct constellation *constellation = reopening->constellation;
    struct hold *hold = reopening->hold;
    end(engine, reopening);
    bool stops = constellation->record.cancel_requested || constellation->record.stopping;
    if (stops && constellation->bulk == NULL) {
        constellation_queue_job(engine, constellation, JOB_CANCEL);
    }
    hold_end(engine, hold, str_of(why));
    constellation_settle(engine, constellation);
}

static bool is_under_way(const struct task *task)
{
    return task_has_started(task) && !task_state_is_final((enum task_state)task->record.state);
}

/* Walks the edges of the task at which the step stands: false when there are no more of them. */
static bool next_edge(struct reopening *reopening, uint32_t first, bool is_out, uint32_t *ret_edge)
{
    if (!reopening->begun) {
        reopening->begun = true;
        reopening->edge = first;
    }
    if (reopening->edge == 0) {
        reopening->begun = false;
        reopening->at++;
        return false;
    }
    *ret_edge = reopening->edge - 1;
    const struct edge *edge = constellation_edge(reopening->constellation, *ret_edge);
    reopening->edge = is_out ? edge->next_out : edge->next_in;
    return true;
}

/* Of what is resumed some has been made already; nothing behind it has started since. */
static bool reach_one(struct engine *engine, struct reopening *reopening)
{
    struct constellation *constellation = reopening->constellation;
    const struct task *task =
        constellation_task(constellation, reopening->reach.list[reopening->at]);
    uint32_t edge = 0;
    if (is_under_way(task)) {
        answer(engine, reopening, ERR_CONFLICT,
               engine_text(engine, "task_running: task %lld depends on it and is under way",
                           (long long)task->record.id));
        let_go(engine, reopening, "it was refused");
        return false;
    }
    if (next_edge(reopening, task->first_out, true, &edge)) {
        const struct task *to =
            constellation_task(constellation, constellation_edge(constellation, edge)->to);
        if (see(reopening, to->index)) {
            renewal_list(&reopening->reach, to);
        }
    }
    return true;
}

static bool waits_unbegun(const struct task *task)
{
    return task->record.state == TASK_WAITING && !task_has_started(task);
}

static size_t add_one(struct engine *engine, struct reopening *reopening)
{
    size_t at = reopening->at++;
    struct task *task = constellation_task(reopening->constellation, reopening->reach.list[at]);
    enum task_state state = (enum task_state)task->record.state;
    if (task_state_is_final(state) && (at < reopening->roots || state != TASK_SKIPPED)) {
        renewal_add(engine, &reopening->again, task);
        return ROWS_A_TASK;
    }
    if (reopening->is_resumed && waits_unbegun(task)) {
        renewal_list(&reopening->again, task);
    }
    return 1;
}

/* If they had their turn. One that was called back before a restart is listed for the steps that follow. */
static void begin_finals(struct reopening *reopening)
{
    struct constellation *constellation = reopening->constellation;
    if (constellation->ordinary > 0) {
        reopening->calls_finals = constellation->finally_open;
        constellation->finally_open = false;
    }
    if (reopening->calls_finals || reopening->is_resumed) {
        reopening->finals_left = constellation->finals;
    }
    reopening->step = STEP_FINALS;
    reopening->at = 0;
}

/* From behind, where they mostly stand. */
static size_t call_final(struct engine *engine, struct reopening *reopening)
{
    struct constellation *constellation = reopening->constellation;
    for (int looks = 0; looks < LOOKS_A_ROW; looks++) {
        struct task *task =
            constellation_task(constellation, constellation->tasks - (uint32_t)++reopening->at);
        if (task->removed || (task->record.flags & TASK_FINALLY) == 0) {
            continue;
        }
        reopening->finals_left--;
        if (reopening->calls_finals && renewal_adds_final(engine, &reopening->again, task)) {
            return ROWS_A_TASK;
        }
        if (reopening->is_resumed && waits_unbegun(task)) {
            renewal_list(&reopening->again, task);
        }
        return 1;
    }
    return 1;
}

static size_t erase_one(struct engine *engine, struct reopening *reopening)
{
    struct constellation *constellation = reopening->constellation;
    const struct task *task =
        constellation_task(constellation, reopening->again.list[reopening->at]);
    uint32_t edge = 0;
    see(reopening, task->index);
    if (!next_edge(reopening, task->first_out, true, &edge)) {
        return 1;
    }
    struct edge *out = constellation_edge(constellation, edge);
    const struct task *to = constellation_task(constellation, out->to);
    bool was_waiting = waits_unbegun(to);
    size_t cost = renewal_erase(engine, constellation, &reopening->again, out,
                                reopening->hold->record.origin == HOLD_RETRY_KEPT);
    decision_queue_edge(engine, constellation, edge); /* if it was denied, or expired, meanwhile */
    /* It may have been added before the restart, and what is behind it not. */
    if (reopening->is_resumed && was_waiting && see(reopening, to->index)) {
        renewal_list(&reopening->again, to);
    }
    return cost;
}

static void decide_one(struct engine *engine, struct reopening *reopening)
{
    struct constellation *constellation = reopening->constellation;
    const struct task *task =
        constellation_task(constellation, reopening->again.list[reopening->at]);
    uint32_t edge = 0;
    if (next_edge(reopening, task->first_in, false, &edge)) {
        renewal_decide(engine, constellation, edge);
    }
}

/* All that is behind is known: from here on it is sure to be made. */
static void admit(struct engine *engine, struct reopening *reopening)
{
    reopening->step = STEP_ADD;
    reopening->at = 0;
    answer(engine, reopening, ERR_NONE, STR(""));
}

/* In edges and rows. 0: the reopening is over. */
static size_t work_one(struct engine *engine, struct reopening *reopening)
{
    size_t cost = 1;
    switch (reopening->step) {
    case STEP_REACH:
        if (reopening->at == reopening->reach.count) {
            admit(engine, reopening);
        } else if (!reach_one(engine, reopening)) {
            return 0;
        }
        break;
    case STEP_ADD:
        if (reopening->at < reopening->reach.count) {
            cost = add_one(engine, reopening);
            break;
        }
        answer(engine, reopening, ERR_NONE, STR(""));
        begin_finals(reopening);
        break;
    case STEP_FINALS:
        if (reopening->finals_left > 0) {
            cost = call_final(engine, reopening);
            break;
        }
        reopening->step = STEP_ERASE;
        reopening->at = 0;
        break;
    case STEP_ERASE:
        if (reopening->at < reopening->again.count) {
            cost = erase_one(engine, reopening);
            break;
        }
        reopening->step = STEP_DECIDE;
        reopening->at = 0;
        break;
    case STEP_DECIDE:
        if (reopening->at == reopening->again.count) {
            return 0;
        }
        decide_one(engine, reopening);
        break;
    }
    return cost;
}

size_t reopen_work(struct engine *engine, size_t budget)
{
    while (budget > 0 && engine->reopening_first != NULL) {
        struct reopening *reopening = engine->reopening_first;
        struct constellation *constellation = reopening->constellation;
        if (reopening->is_named) {
            reopening->is_named = false;
            break;
        }
        size_t far_before = engine->far_rows;
        size_t cost = work_one(engine, reopening);
        if (cost == 0 && constellation->reopening == reopening) {
            let_go(engine, reopening, "it has been made");
            cost = 1;
        }
        cost += engine->far_rows - far_before;
        budget -= cost < budget ? cost : budget;
    }
    return budget;
}
