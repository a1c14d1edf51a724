/* Metrics of a plan: one pass over its tasks, each after all that it needs, and then back along the
   longest path and the critical one. */
#include "orchestrator/engine/metrics.h"

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

#define METRICS_NO_TASK UINT32_MAX

void metrics_init(struct metrics_work *work, const struct constellation *constellation,
                  metrics_duration *duration, void *context)
{
    *work = (struct metrics_work){
        .constellation = constellation,
        .duration = duration,
        .context = context,
        .levels = mem_array(constellation->tasks, sizeof *work->levels),
        .widths = mem_array(constellation->tasks, sizeof *work->widths),
        .before = METRICS_NO_TASK,
        .deepest = METRICS_NO_TASK,
        .latest = METRICS_NO_TASK,
    };
    if (duration != NULL) {
        work->ends_ms = mem_array(constellation->tasks, sizeof *work->ends_ms);
    }
    peel_init(&work->peel, constellation);
}

void metrics_done(struct metrics_work *work)
{
    peel_done(&work->peel);
    mem_free(work->levels);
    mem_free(work->widths);
    mem_free(work->ends_ms);
    *work = (struct metrics_work){ 0 };
}

static int64_t duration_of(const struct metrics_work *work, const struct task *task)
{
    int64_t duration_ms = work->duration == NULL ? 0 : work->duration(task, work->context);
    return duration_ms < METRICS_DURATION_MS_MAX ? duration_ms : METRICS_DURATION_MS_MAX;
}

/* All that it needs has been looked at: levels[] and ends_ms[] hold the highest of those. */
static void level_end(struct metrics_work *work, const struct task *task)
{
    uint32_t index = task->index;
    int64_t duration_ms = duration_of(work, task);
    if (duration_ms < 0) {
        CHECK(task->first_in == 0 && task->first_out == 0);
        return;
    }
    struct metrics *metrics = &work->metrics;
    metrics->tasks++;
    uint32_t level = ++work->levels[index];
    work->widths[level - 1]++;
    if (work->deepest == METRICS_NO_TASK || level > work->levels[work->deepest]) {
        work->deepest = index;
    }
    if (work->duration != NULL) {
        work->ends_ms[index] += duration_ms;
        metrics->work_ms += duration_ms;
        if (work->latest == METRICS_NO_TASK || work->ends_ms[index] > work->ends_ms[work->latest]) {
            work->latest = index;
        }
    }
}

static size_t levels(struct metrics_work *work, size_t budget)
{
    while (budget > 0 && work->passed < work->peel.tasks) {
        const struct task *task =
            constellation_task(work->constellation, work->peel.queue[work->passed]);
        if (!work->begun) {
            work->begun = true;
            work->edge = task->first_in;
            budget--;
        }
        for (; budget > 0 && work->edge != 0; budget--) {
            const struct edge *edge = constellation_edge(work->constellation, work->edge - 1);
            uint32_t *level = &work->levels[task->index];
            *level = work->levels[edge->from] > *level ? work->levels[edge->from] : *level;
            if (work->duration != NULL) {
                int64_t *end_ms = &work->ends_ms[task->index];
                int64_t from_ms = work->ends_ms[edge->from];
                *end_ms = from_ms > *end_ms ? from_ms : *end_ms;
            }
            work->edge = edge->next_in;
        }
        if (work->edge != 0) {
            break;
        }
        level_end(work, task);
        work->begun = false;
        work->passed++;
    }
    return budget;
}

/* Of two tasks that the same one needs: which of them it had to wait for. */
static bool is_later(const struct metrics_work *work, uint32_t a, uint32_t b)
{
    return work->phase == METRICS_LONGEST ? work->levels[a] > work->levels[b]
                                          : work->ends_ms[a] > work->ends_ms[b];
}

/* Back along a path from its end. The list is a ring: those that come last on the way back are the
   first of the path, and they are kept. */
static size_t walk_back(struct metrics_work *work, struct metrics_path *path, size_t budget)
{
    while (budget > 0 && work->at != METRICS_NO_TASK) {
        if (!work->begun) {
            work->begun = true;
            work->edge = constellation_task(work->constellation, work->at)->first_in;
            work->before = METRICS_NO_TASK;
            budget--;
        }
        for (; budget > 0 && work->edge != 0; budget--) {
            const struct edge *edge = constellation_edge(work->constellation, work->edge - 1);
            if (work->before == METRICS_NO_TASK || is_later(work, edge->from, work->before)) {
                work->before = edge->from;
            }
            work->edge = edge->next_in;
        }
        if (work->edge != 0) {
            break;
        }
        path->tasks[path->total++ % METRICS_PATH_TASKS_MAX] = work->at;
        work->at = work->before;
        work->begun = false;
    }
    return budget;
}

static void path_turn(struct metrics_path *path)
{
    struct metrics_path turned = { .total = path->total };
    while (turned.count < METRICS_PATH_TASKS_MAX && turned.count < path->total) {
        uint32_t back = path->total - 1 - turned.count;
        turned.tasks[turned.count++] = path->tasks[back % METRICS_PATH_TASKS_MAX];
    }
    *path = turned;
}

static void conclude(struct metrics_work *work)
{
    struct metrics *metrics = &work->metrics;
    uint32_t length = metrics->longest.total;
    for (uint32_t i = 0; i < length; i++) {
        if (work->widths[i] > metrics->width_max) {
            metrics->width_max = work->widths[i];
            metrics->widest_level = i + 1;
        }
        if (i < METRICS_LEVELS_MAX) {
            metrics->widths[metrics->widths_count++] = work->widths[i];
        }
    }
    if (length > 0) {
        metrics->parallelism = (double)metrics->tasks / length;
    }
    if (work->latest != METRICS_NO_TASK) {
        metrics->critical_ms = work->ends_ms[work->latest];
    }
    if (metrics->critical_ms > 0) {
        metrics->parallelism_by_time = (double)metrics->work_ms / (double)metrics->critical_ms;
    }
}

size_t metrics_work(struct metrics_work *work, size_t budget)
{
    struct metrics *metrics = &work->metrics;
    while (budget > 0 && work->phase != METRICS_FINISHED) {
        switch (work->phase) {
        case METRICS_PEEL:
            budget = peel_work(&work->peel, budget);
            if (peel_is_finished(&work->peel)) {
                CHECK(work->peel.taken == work->peel.tasks);
                work->phase = METRICS_LEVELS;
            }
            break;
        case METRICS_LEVELS:
            budget = levels(work, budget);
            if (work->passed == work->peel.tasks) {
                work->at = work->deepest;
                work->phase = METRICS_LONGEST;
            }
            break;
        case METRICS_LONGEST:
            budget = walk_back(work, &metrics->longest, budget);
            if (work->at == METRICS_NO_TASK) {
                path_turn(&metrics->longest);
                work->at = work->latest;
                work->phase = METRICS_CRITICAL;
            }
            break;
        case METRICS_CRITICAL:
            budget = walk_back(work, &metrics->critical, budget);
            if (work->at == METRICS_NO_TASK) {
                path_turn(&metrics->critical);
                conclude(work);
                work->phase = METRICS_FINISHED;
            }
            break;
        case METRICS_FINISHED:
            break;
        }
    }
    return budget;
}

bool metrics_is_finished(const struct metrics_work *work)
{
    return work->phase == METRICS_FINISHED;
}

const struct metrics *metrics_result(const struct metrics_work *work)
{
    CHECK(metrics_is_finished(work));
    return &work->metrics;
}

const struct constellation *metrics_plan(const struct engine *engine, int64_t constellation_id)
{
    const struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t)constellation_id);
    return constellation == NULL || constellation->record.state == CONSTELLATION_LOADING
               ? NULL
               : constellation;
}

uint64_t metrics_plan_version(const struct constellation *constellation)
{
    return constellation->moves;
}

uint32_t metrics_plan_size(const struct constellation *constellation)
{
    return constellation->tasks;
}

const struct task_record *metrics_plan_task(const struct constellation *constellation,
                                            uint32_t index)
{
    const struct task *task = constellation_task(constellation, index);
    return task->removed ? NULL : &task->record;
}

uint32_t metrics_index(const struct task *task)
{
    return task->index;
}
