/* Metrics of a plan: how long it is, how wide, and how much of it can run at once. Computed from all of
   it when somebody asks, in slices, off the way that results and edits take. */
#ifndef ORCHESTRATOR_ENGINE_METRICS_H
#define ORCHESTRATOR_ENGINE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/engine/peel.h"

struct constellation;
struct engine;
struct task;
struct task_record;

enum {
    METRICS_PATH_TASKS_MAX = 100,
    METRICS_LEVELS_MAX = 1000,
};

/* What a duration is cut to, so that the sum over a plan fits: 34 years. */
#define METRICS_DURATION_MS_MAX ((int64_t)1 << 40)

/* How long a task takes, or is thought to; the same answer each time. Below 0: it is not counted, as one
   that has been removed; it must have no edges. */
typedef int64_t metrics_duration(const struct task *task, void *context);

struct metrics_path {
    uint32_t tasks[METRICS_PATH_TASKS_MAX]; /* by index, from its start */
    uint32_t count;                         /* of those listed: the first of them */
    uint32_t total;
};

struct metrics {
    uint32_t tasks;
    /* By count: as if all took the same time. A task's level is how many tasks the longest path to
       it has, itself with them. */
    struct metrics_path longest; /* its total is the number of levels */
    uint32_t widths[METRICS_LEVELS_MAX];
    uint32_t widths_count; /* levels listed: the first of them */
    uint32_t width_max;
    uint32_t widest_level; /* the first of that width, from 1 */
    double parallelism;    /* tasks / length of the longest path; 0 of nothing */
    /* By time, waiting for devices left out; 0 when no durations were given. */
    int64_t work_ms;
    int64_t critical_ms; /* what the whole takes with devices without end */
    struct metrics_path critical;
    double parallelism_by_time; /* work / critical; 0 of nothing */
};

enum metrics_phase {
    METRICS_PEEL = 0,
    METRICS_LEVELS,
    METRICS_LONGEST,
    METRICS_CRITICAL,
    METRICS_FINISHED,
};

/* The computation: 24 bytes a task while it lives, 16 without durations. */
struct metrics_work {
    const struct constellation *constellation;
    metrics_duration *duration; /* NULL: by count only */
    void *context;
    struct peel peel;
    uint32_t *levels; /* by task; 0: not counted */
    uint32_t *widths; /* by level - 1 */
    int64_t *ends_ms; /* by task: when it ends if nothing waits for a device */
    struct metrics metrics;
    enum metrics_phase phase;
    uint32_t passed; /* of the peel's queue */
    uint32_t edge;   /* into the task that is looked at: index + 1 */
    uint32_t at;     /* that task, on the way back along a path */
    uint32_t before; /* of those that it needs, the latest so far; UINT32_MAX: none */
    bool begun;
    uint32_t deepest;
    uint32_t latest;
};

/* For whoever asks from outside the engine: the plan of a live constellation (NULL: it is not live), its
   tasks by index (NULL: one that was removed), and the index of one. They hold while its version is the
   same and it is live: its revision says less, a part of an edit or one that is only tried changes the
   lists as well. */
const struct constellation *metrics_plan(const struct engine *engine, int64_t constellation_id);
uint64_t metrics_plan_version(const struct constellation *constellation);
uint32_t metrics_plan_size(const struct constellation *constellation);
const struct task_record *metrics_plan_task(const struct constellation *constellation,
                                            uint32_t index);
uint32_t metrics_index(const struct task *task);

/* The graph must not change until the work is done with. */
void metrics_init(struct metrics_work *work, const struct constellation *constellation,
                  metrics_duration *duration, void *context);
void metrics_done(struct metrics_work *work);
/* Looks at `budget` tasks and edges at most; returns what is left of it. */
size_t metrics_work(struct metrics_work *work, size_t budget);
bool metrics_is_finished(const struct metrics_work *work);
/* Of a finished one; lives as long as the work. */
const struct metrics *metrics_result(const struct metrics_work *work);

#endif
