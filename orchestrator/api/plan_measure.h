/* How long a plan is, how wide it is, how much of it can run at once, and how much did: the graph's part
   is engine/metrics.h, the durations are those of attempts. Computed in slices while the constellation
   is live, off the way of its turns. */
#ifndef ORCHESTRATOR_API_PLAN_MEASURE_H
#define ORCHESTRATOR_API_PLAN_MEASURE_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/map.h"
#include "orchestrator/api/json_out.h"
#include "orchestrator/engine/metrics.h"

struct engine;
struct reason;
struct store;

/* Where it is measured: in the loop, or beside it. */
struct plan_place {
    struct engine *engine;
    struct store *store;
    struct arena *arena; /* for what is written */
    int64_t now_wall_ms;
};

enum {
    PLAN_SLICE_ATTEMPTS = 1000,  /* read at a time */
    PLAN_SLICE_GRAPH = 20000,    /* tasks and edges looked at, at a time */
    PLAN_WIDTH_STEPS = 60,       /* of the width over time */
    PLAN_ATTEMPTS_EACH_MAX = 20, /* of one task */
};

enum plan_phase {
    PLAN_SPANS = 0, /* when attempts have run */
    PLAN_WHOLE,     /* the graph, with the time that all takes */
    PLAN_REST,      /* the graph, with the time that is left */
    PLAN_MEASURED,
};

struct plan_measure {
    int64_t constellation_id;
    uint32_t revision;
    uint64_t version;
    const struct constellation *graph;
    enum plan_phase phase;
    uint32_t at;       /* the next task whose attempts are read */
    int64_t *spans_ms; /* by index: how long its latest attempt ran; -1 it has not ended */
    int64_t *started_wall_ms;
    struct map means; /* class id → struct plan_mean */
    int64_t all_ms;
    uint32_t all_count;
    int64_t now_wall_ms;
    int64_t from_wall_ms; /* the time over which the width is told */
    int64_t until_wall_ms;
    int64_t busy_ms[PLAN_WIDTH_STEPS]; /* work done in each step of it */
    struct metrics_work whole;
    struct metrics_work rest;
};

/* False: the constellation is not live. */
bool plan_measure_begin(const struct plan_place *place, int64_t constellation_id,
                        struct plan_measure *measure);
void plan_measure_done(struct plan_measure *measure);
/* One slice. ERR_CONFLICT: its plan has changed, or it has ended; begin anew. */
enum err plan_measure_work(const struct plan_place *place, struct plan_measure *measure,
                           struct reason *reason);
bool plan_measure_is_finished(const struct plan_measure *measure);
/* Into an object that is open. */
void plan_measure_write(const struct plan_place *place, const struct plan_measure *measure,
                        struct json_out *out);

/* --- plan_end.c --- */
void plan_write_end(const struct plan_place *place, const struct plan_measure *measure,
                    struct json_out *out);

#endif
