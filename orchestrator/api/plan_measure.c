#include "orchestrator/api/plan_measure.h"

#include "common/base/mem.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/query_task.h"

struct plan_mean {
    int64_t sum_ms;
    uint32_t count;
};

bool plan_measure_begin(const struct plan_place *place, int64_t constellation_id,
                        struct plan_measure *measure)
{
    const struct constellation *graph = metrics_plan(place->engine, constellation_id);
    if (graph == NULL) {
        return false;
    }
    const struct constellation_record *record =
        engine_constellation(place->engine, constellation_id);
    uint32_t size = metrics_plan_size(graph);
    *measure = (struct plan_measure){
        .constellation_id = constellation_id,
        .revision = record->revision,
        .version = metrics_plan_version(graph),
        .graph = graph,
        .spans_ms = mem_array((size_t)size + 1, sizeof(int64_t)),
        .started_wall_ms = mem_array((size_t)size + 1, sizeof(int64_t)),
        .now_wall_ms = place->now_wall_ms,
        .from_wall_ms = record->created_wall_ms,
    };
    bool is_final = constellation_state_is_final(record->state);
    measure->until_wall_ms = is_final ? record->finished_wall_ms : measure->now_wall_ms;
    return true;
}

static void forget_graph(struct plan_measure *measure)
{
    if (measure->phase == PLAN_WHOLE || measure->phase > PLAN_WHOLE) {
        metrics_done(&measure->whole);
    }
    if (measure->phase == PLAN_REST || measure->phase > PLAN_REST) {
        metrics_done(&measure->rest);
    }
}

void plan_measure_done(struct plan_measure *measure)
{
    size_t at = 0;
    uint64_t id = 0;
    void *mean = NULL;
    forget_graph(measure);
    while (map_each(&measure->means, &at, &id, &mean)) {
        mem_free(mean);
    }
    map_done(&measure->means);
    mem_free(measure->spans_ms);
    mem_free(measure->started_wall_ms);
    *measure = (struct plan_measure){ .constellation_id = 0 };
}

/* Shares the work of an attempt out to the steps of time in which it ran. */
static void add_busy(struct plan_measure *measure, int64_t from, int64_t until)
{
    int64_t whole = measure->until_wall_ms - measure->from_wall_ms;
    from = from < measure->from_wall_ms ? measure->from_wall_ms : from;
    until = until > measure->until_wall_ms ? measure->until_wall_ms : until;
    if (whole <= 0 || until <= from) {
        return;
    }
    int64_t step = (whole + PLAN_WIDTH_STEPS - 1) / PLAN_WIDTH_STEPS;
    for (int64_t i = (from - measure->from_wall_ms) / step; i < PLAN_WIDTH_STEPS; i++) {
        int64_t begin = measure->from_wall_ms + i * step;
        int64_t end = begin + step;
        if (begin >= until) {
            return;
        }
        measure->busy_ms[i] += (until < end ? until : end) - (from > begin ? from : begin);
    }
}

static void learn(struct plan_measure *measure, int64_t class_id, int64_t span_ms)
{
    struct plan_mean *mean = map_get(&measure->means, (uint64_t)class_id);
    if (mean == NULL) {
        mean = mem_alloc(sizeof(*mean));
        *mean = (struct plan_mean){ 0, 0 };
        map_put(&measure->means, (uint64_t)class_id, mean);
    }
    mean->sum_ms += span_ms;
    mean->count++;
    measure->all_ms += span_ms;
    measure->all_count++;
}

/* Its latest attempt says how long it takes, all of them when it was busy. */
static enum err read_spans(const struct plan_place *place, struct plan_measure *measure,
                           const struct task_record *task, uint32_t index, int *rows,
                           struct reason *reason)
{
    uint64_t fence = task->fence;
    measure->spans_ms[index] = -1;
    for (int i = 0; fence != 0 && i < PLAN_ATTEMPTS_EACH_MAX; i++) {
        struct query_span span;
        ++*rows;
        enum err err = query_span(place->store, fence, &span, reason);
        if (err != ERR_NONE) {
            return err == ERR_NOT_FOUND ? ERR_NONE : err;
        }
        fence = span.previous;
        if (span.started_wall_ms == 0) {
            continue;
        }
        int64_t ended = span.ended_wall_ms;
        int64_t until = ended == 0 ? measure->now_wall_ms : ended;
        add_busy(measure, span.started_wall_ms, until);
        if (i > 0) {
            continue;
        }
        measure->started_wall_ms[index] = span.started_wall_ms;
        if (ended != 0 && task_state_is_final((enum task_state)task->state)) {
            int64_t span_ms = ended > span.started_wall_ms ? ended - span.started_wall_ms : 0;
            measure->spans_ms[index] = span_ms;
            learn(measure, task->class_id, span_ms);
        }
    }
    return ERR_NONE;
}

/* How long such a task is thought to take: as the others of its kind have, or as all have. */
static int64_t expected_ms(const struct plan_measure *measure, const struct task_record *task)
{
    const struct plan_mean *mean = map_get(&measure->means, (uint64_t)task->class_id);
    if ((task->flags & TASK_GATE) != 0 || measure->all_count == 0) {
        return 0;
    }
    return mean != NULL ? mean->sum_ms / mean->count : measure->all_ms / measure->all_count;
}

static int64_t whole_duration(const struct task *task, void *context)
{
    const struct plan_measure *measure = context;
    uint32_t index = metrics_index(task);
    const struct task_record *record = metrics_plan_task(measure->graph, index);
    if (record == NULL) {
        return -1;
    }
    if (measure->spans_ms[index] >= 0) {
        return measure->spans_ms[index];
    }
    bool never = task_state_is_final((enum task_state)record->state);
    return never ? 0 : expected_ms(measure, record);
}

static int64_t rest_duration(const struct task *task, void *context)
{
    const struct plan_measure *measure = context;
    uint32_t index = metrics_index(task);
    const struct task_record *record = metrics_plan_task(measure->graph, index);
    if (record == NULL) {
        return -1;
    }
    if (task_state_is_final((enum task_state)record->state)) {
        return 0;
    }
    int64_t whole_ms = expected_ms(measure, record);
    int64_t started = record->state == TASK_RUNNING ? measure->started_wall_ms[index] : 0;
    int64_t passed_ms = started == 0 ? 0 : measure->now_wall_ms - started;
    return whole_ms > passed_ms ? whole_ms - passed_ms : 0;
}

static enum err work_spans(const struct plan_place *place, struct plan_measure *measure,
                           struct reason *reason)
{
    uint32_t size = metrics_plan_size(measure->graph);
    int rows = 0;
    for (int i = 0; i < PLAN_SLICE_GRAPH && rows < PLAN_SLICE_ATTEMPTS && measure->at < size; i++) {
        const struct task_record *task = metrics_plan_task(measure->graph, measure->at);
        enum err err =
            task == NULL ? ERR_NONE : read_spans(place, measure, task, measure->at, &rows, reason);
        if (err != ERR_NONE) {
            return err;
        }
        measure->at++;
    }
    if (measure->at == size) {
        metrics_init(&measure->whole, measure->graph, whole_duration, measure);
        measure->phase = PLAN_WHOLE;
    }
    return ERR_NONE;
}

enum err plan_measure_work(const struct plan_place *place, struct plan_measure *measure,
                           struct reason *reason)
{
    const struct constellation_record *record =
        engine_constellation(place->engine, measure->constellation_id);
    if (record == NULL || record->revision != measure->revision ||
        metrics_plan(place->engine, measure->constellation_id) != measure->graph ||
        metrics_plan_version(measure->graph) != measure->version) {
        return reason_set(reason, ERR_CONFLICT, "its plan is being changed: try again in a moment");
    }
    switch (measure->phase) {
    case PLAN_SPANS:
        return work_spans(place, measure, reason);
    case PLAN_WHOLE:
        metrics_work(&measure->whole, PLAN_SLICE_GRAPH);
        if (metrics_is_finished(&measure->whole)) {
            metrics_init(&measure->rest, measure->graph, rest_duration, measure);
            measure->phase = PLAN_REST;
        }
        break;
    case PLAN_REST:
        metrics_work(&measure->rest, PLAN_SLICE_GRAPH);
        if (metrics_is_finished(&measure->rest)) {
            measure->phase = PLAN_MEASURED;
        }
        break;
    case PLAN_MEASURED:
        break;
    }
    return ERR_NONE;
}

bool plan_measure_is_finished(const struct plan_measure *measure)
{
    return measure->phase == PLAN_MEASURED;
}

static void write_path(const struct plan_place *place, const struct plan_measure *measure,
                       struct json_out *out, const char *key, const struct metrics_path *path)
{
    json_out_object(out, key);
    json_out_uint(out, "length", path->total);
    json_out_array(out, "tasks");
    for (uint32_t i = 0; i < path->count; i++) {
        const struct task_record *task = metrics_plan_task(measure->graph, path->tasks[i]);
        struct str name = STR("?");
        struct reason reason;
        query_task_key(place->store, task->id, place->arena, &name, &reason);
        json_out_str(out, NULL, name);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static void write_number(struct json_out *out, const char *key, double value)
{
    json_out_milli(out, key, (int64_t)(value * 1000.0 + 0.5));
}

static void write_time(const struct plan_place *place, const struct plan_measure *measure,
                       struct json_out *out)
{
    const struct metrics *metrics = metrics_result(&measure->whole);
    if (measure->all_count == 0) { /* nothing has run: how long anything takes is not known */
        json_out_null(out, "time");
        return;
    }
    json_out_object(out, "time");
    json_out_seconds(out, "work", metrics->work_ms);
    json_out_seconds(out, "critical", metrics->critical_ms);
    write_path(place, measure, out, "critical_path", &metrics->critical);
    write_number(out, "parallelism", metrics->parallelism_by_time);
    json_out_uint(out, "measured", measure->all_count);
    json_out_object_end(out);
}

static void write_realised(const struct plan_measure *measure, struct json_out *out)
{
    int64_t whole = measure->until_wall_ms - measure->from_wall_ms;
    int64_t step = (whole + PLAN_WIDTH_STEPS - 1) / PLAN_WIDTH_STEPS;
    if (whole <= 0) {
        json_out_null(out, "realised");
        return;
    }
    int64_t busy_ms = 0;
    int64_t max_ms = 0;
    json_out_object(out, "realised");
    json_out_time(out, "from", measure->from_wall_ms);
    json_out_time(out, "until", measure->until_wall_ms);
    json_out_seconds(out, "step", step);
    json_out_array(out, "width");
    for (int i = 0; i < PLAN_WIDTH_STEPS && i * step < whole; i++) {
        busy_ms += measure->busy_ms[i];
        max_ms = measure->busy_ms[i] > max_ms ? measure->busy_ms[i] : max_ms;
        write_number(out, NULL, (double)measure->busy_ms[i] / (double)step);
    }
    json_out_array_end(out);
    write_number(out, "max", (double)max_ms / (double)step);
    write_number(out, "mean", (double)busy_ms / (double)whole);
    json_out_object_end(out);
}

void plan_measure_write(const struct plan_place *place, const struct plan_measure *measure,
                        struct json_out *out)
{
    const struct metrics *metrics = metrics_result(&measure->whole);
    json_out_uint(out, "revision", measure->revision);
    json_out_uint(out, "tasks", metrics->tasks);
    write_path(place, measure, out, "longest_path", &metrics->longest);
    json_out_array(out, "widths");
    for (uint32_t i = 0; i < metrics->widths_count; i++) {
        json_out_uint(out, NULL, metrics->widths[i]);
    }
    json_out_array_end(out);
    json_out_uint(out, "width_max", metrics->width_max);
    json_out_uint(out, "widest_level", metrics->widest_level);
    write_number(out, "parallelism", metrics->parallelism);
    write_time(place, measure, out);
    write_realised(measure, out);
    plan_write_end(place, measure, out);
}
