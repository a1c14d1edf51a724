/* The living plan in the engine alone: random edits, a plan of a million tasks that edits have grown, a
   chain as long, and what follows from a result in a small and in a large plan. */
#include <malloc.h>

#include "common/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/mix.h"
#include "tests/bench/rig.h"

static const double US = 1e6;
static const double MS = 1e3;

static void report(struct bench *bench, const char *name, const char *unit, double value,
                   double target)
{
    struct figure figure = { .name = name, .unit = unit, .kind = FIGURE_COST };
    figure.value = value;
    figure.target = target;
    figure_report(bench, &figure);
}

/* --- Random edits --- */

enum { TASKS = 100000, WIDTH = 1000, EDITS = 10000 };

static void submit_mix(struct rig *rig, const struct mix *mix)
{
    struct plan_task *tasks = mem_array(mix->initial, sizeof *tasks);
    struct plan_edge *edges = mem_array(mix->edges_count, sizeof *edges);
    for (uint32_t i = 0; i < mix->initial; i++) {
        tasks[i].key = STR("task");
    }
    for (uint32_t i = 0; i < mix->edges_count; i++) {
        edges[i] = (struct plan_edge){
            .from = mix->edges[i].from,
            .to = mix->edges[i].to,
            .when = EDGE_WHEN_SUCCESS,
            .named = true,
        };
    }
    struct plan plan = {
        .name = STR("bench"),
        .classes = &rig_class,
        .classes_count = 1,
        .policies = &rig_policy,
        .policies_count = 1,
        .tasks = tasks,
        .tasks_count = mix->initial,
        .edges = edges,
        .edges_count = mix->edges_count,
    };
    rig_submit(rig, &plan);
    mem_free(tasks);
    mem_free(edges);
}

static struct edit_operation edge_operation(const struct rig *rig, const struct mix_edge *edge,
                                            enum edit_kind kind)
{
    struct edit_operation operation = { .kind = kind };
    enum edge_when when = edge->finished ? EDGE_WHEN_FINISHED : EDGE_WHEN_SUCCESS;
    int64_t from = rig->task_ids[edge->from];
    int64_t to = rig->task_ids[edge->to];
    operation.edge.from = from;
    operation.edge.to = to;
    operation.edge.when = when;
    operation.edge.named = true;
    operation.edge.plan = (struct plan_edge){ .when = when, .named = true };
    if (kind != EDIT_ADD_EDGE) {
        operation.edge.edge_id =
            (int64_t)(uintptr_t)map_get(&rig->edge_ids, (uint64_t)from << 32 | (uint64_t)to);
    }
    return operation;
}

static double edit_once(struct rig *rig, const struct mix_operation *wanted)
{
    static const enum edit_kind kinds[MIX_KINDS] = {
        [MIX_ADD_TASK] = EDIT_ADD_TASK,       [MIX_REMOVE_TASK] = EDIT_REMOVE_TASK,
        [MIX_UPDATE_TASK] = EDIT_UPDATE_TASK, [MIX_ADD_EDGE] = EDIT_ADD_EDGE,
        [MIX_UPDATE_EDGE] = EDIT_UPDATE_EDGE, [MIX_REMOVE_EDGE] = EDIT_REMOVE_EDGE,
    };
    struct edit_operation operations[1 + MIX_PARENTS] = { { .kind = kinds[wanted->kind] } };
    struct plan_task plan = { .key = STR("task"), .priority = wanted->priority };
    struct edit edit = { .operations = operations, .operations_count = 1 };
    if (wanted->kind == MIX_REMOVE_TASK) {
        operations[0].task = rig->task_ids[wanted->task];
    } else if (wanted->kind == MIX_ADD_TASK || wanted->kind == MIX_UPDATE_TASK) {
        bool adds = wanted->kind == MIX_ADD_TASK;
        operations[0].write.task = adds ? -1 : rig->task_ids[wanted->task];
        operations[0].write.plan = &plan;
        operations[0].write.class = &rig_class;
        operations[0].write.policy = &rig_policy;
        edit.tasks_added = adds;
        for (size_t k = 0; adds && k < MIX_PARENTS; k++) {
            struct mix_edge edge = { wanted->parents[k], 0, false };
            struct edit_operation *link = &operations[edit.operations_count++];
            *link = edge_operation(rig, &edge, EDIT_ADD_EDGE);
            link->edge.to = -1;
        }
    } else {
        operations[0] = edge_operation(rig, &wanted->edge, kinds[wanted->kind]);
    }
    rig_edit(rig, &edit);
    return rig->turn_s;
}

static void measure_edits(struct bench *bench)
{
    struct rig *rig = rig_new(true);
    struct mix mix;
    double *times = mem_array(EDITS, sizeof *times);
    mix_init(&mix, TASKS, WIDTH, EDITS);
    submit_mix(rig, &mix);
    for (uint32_t i = 0; i < EDITS; i++) {
        struct mix_operation operation = mix_next(&mix, (enum mix_kind)(i % MIX_KINDS));
        times[i] = edit_once(rig, &operation);
    }
    report(bench, "engine_edit_p50_100000", "us", percentile(times, EDITS, 0.5) * US, 0);
    report(bench, "engine_edit_p99_100000", "us", percentile(times, EDITS, 0.99) * US, 1000);
    report(bench, "engine_edit_worst_100000", "us", times[EDITS - 1] * US, 0);
    mem_free(times);
    mix_done(&mix);
    rig_free(rig);
}

/* --- Growth --- */

enum {
    GROWN = 1000000,
    BATCH = 200, /* tasks an edit: with what they wait for, about as many as one may touch */
    PARENTS = 4,
    FEW = 1000,      /* a plan with which many are compared */
    FEW_ROUNDS = 50, /* of that */
};

static double heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

static void submit_first(struct rig *rig)
{
    struct plan_task first[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        first[i] = (struct plan_task){ .key = STR("first") };
    }
    struct plan plan = {
        .name = STR("bench"),
        .classes = &rig_class,
        .classes_count = 1,
        .policies = &rig_policy,
        .policies_count = 1,
        .tasks = first,
        .tasks_count = BATCH,
    };
    rig_submit(rig, &plan);
}

/* Ids rise by one: what was there is 1 … count. Half of the dependencies lead to a task nearby, half
   anywhere. */
static edit_task parent_of(struct rng *rng, int64_t count, size_t at, size_t k)
{
    int64_t all = count + (int64_t)at;
    int64_t reach = k % 2 == 0 && all > BATCH ? BATCH : all;
    int64_t id = all - (int64_t)rng_below(rng, (uint64_t)reach);
    return id > count ? -1 - (id - count - 1) : id;
}

/* Adds BATCH tasks with PARENTS dependencies each. */
static void grow(struct rig *rig, struct rng *rng, struct edit_operation *operations, int64_t count)
{
    static const struct plan_task plan = { .key = { "task", 4 } };
    struct edit edit = { .operations = operations, .tasks_added = BATCH };
    for (size_t i = 0; i < BATCH; i++) {
        struct edit_operation *add = &operations[edit.operations_count++];
        *add = (struct edit_operation){ .kind = EDIT_ADD_TASK, .index = (uint32_t)i };
        add->write.task = -1 - (edit_task)i;
        add->write.plan = &plan;
        add->write.class = &rig_class;
        add->write.policy = &rig_policy;
        edit_task parents[PARENTS];
        size_t parents_count = 0;
        size_t tries = 0;
        while (parents_count < PARENTS && tries++ < 4 * (size_t)PARENTS) {
            edit_task parent = parent_of(rng, count, i, parents_count);
            size_t same = 0;
            while (same < parents_count && parents[same] != parent) {
                same++;
            }
            if (same < parents_count) {
                continue;
            }
            parents[parents_count++] = parent;
            struct edit_operation *link = &operations[edit.operations_count++];
            *link = (struct edit_operation){ .kind = EDIT_ADD_EDGE, .index = (uint32_t)i };
            link->edge.from = parent;
            link->edge.to = add->write.task;
            link->edge.when = EDGE_WHEN_SUCCESS;
            link->edge.named = true;
            link->edge.plan = (struct plan_edge){ .when = EDGE_WHEN_SUCCESS, .named = true };
        }
    }
    rig_edit(rig, &edit);
}

static double grow_few(struct edit_operation *operations)
{
    double times[FEW_ROUNDS] = { 0 };
    for (size_t i = 0; i < FEW_ROUNDS; i++) {
        struct rig *rig = rig_new(false);
        struct rng rng;
        rng_init(&rng, i + 1);
        submit_first(rig);
        for (int64_t count = BATCH; count < FEW; count += BATCH) {
            grow(rig, &rng, operations, count);
            times[i] += rig->turn_s / (FEW - BATCH);
        }
        rig_free(rig);
    }
    return median(times, FEW_ROUNDS);
}

static void measure_growth(struct bench *bench)
{
    enum { BATCHES = GROWN / BATCH - 1, ADDED = BATCHES * BATCH };
    struct edit_operation *operations =
        mem_array((size_t)BATCH * (1 + PARENTS), sizeof *operations);
    double *times = mem_array(BATCHES, sizeof *times);
    struct rng rng;
    double few = grow_few(operations);
    double before = heap_bytes();
    struct rig *rig = rig_new(false);
    rng_init(&rng, 1);
    submit_first(rig);
    rig->longest_turn_s = 0;
    double all = 0;
    for (int64_t i = 0; i < BATCHES; i++) {
        grow(rig, &rng, operations, (i + 1) * BATCH);
        times[i] = rig->turn_s;
        all += rig->turn_s;
    }
    const struct constellation_record *record =
        engine_constellation(rig->engine, rig->constellation_id);
    struct figure figure = { .name = "engine_grow_1000000_tasks_4000000_edges",
                             .unit = "tasks/s",
                             .kind = FIGURE_RATE,
                             .value = ADDED / all };
    figure_floor(&figure, "edges", record->edges);
    figure_report(bench, &figure);
    report(bench, "engine_grow_batch_200_p50", "ms", percentile(times, BATCHES, 0.5) * MS, 0);
    report(bench, "engine_grow_longest_turn", "ms", rig->longest_turn_s * MS, 20);
    report(bench, "engine_grow_task_1000000_over_1000", "times", all / ADDED / few, 0);
    report(bench, "engine_bytes_a_task", "bytes", (heap_bytes() - before) / GROWN, 300);
    rig_free(rig);
    mem_free(operations);
    mem_free(times);
}

/* --- A chain --- */

/* Gates, and the first of them waits for an approval: each opens the next, without anybody else. */
static void measure_chain(struct bench *bench)
{
    struct rig *rig = rig_new(false);
    struct plan_task *tasks = mem_array(GROWN, sizeof *tasks);
    struct plan_edge *edges = mem_array(GROWN, sizeof *edges);
    for (uint32_t i = 0; i < GROWN; i++) {
        tasks[i].key = STR("gate");
        tasks[i].flags = TASK_GATE;
        edges[i] = (struct plan_edge){ .from = i, .to = i + 1, .when = EDGE_WHEN_SUCCESS };
    }
    tasks[0].flags |= TASK_APPROVAL;
    tasks[0].hold = STR("go");
    struct plan plan = {
        .name = STR("chain"),
        .classes = &rig_gate,
        .classes_count = 1,
        .policies = &rig_policy,
        .policies_count = 1,
        .tasks = tasks,
        .tasks_count = GROWN,
        .edges = edges,
        .edges_count = GROWN - 1,
    };
    rig_submit(rig, &plan);
    mem_free(tasks);
    mem_free(edges);
    struct hold_view hold = { 0 };
    if (!engine_next_hold(rig->engine, rig->constellation_id, &hold)) {
        bench_die("the first gate waits for nobody");
    }
    struct event event = { .kind = EVENT_RELEASE };
    event.release.constellation_id = rig->constellation_id;
    event.release.hold_id = hold.record->id;
    event.release.approved = true;
    event.release.actor = STR("bench");
    rig->longest_turn_s = 0;
    double began = now_s();
    rig_turn(rig, &event);
    rig_settle(rig);
    double took = now_s() - began;
    if (!rig->finished) {
        bench_die("the chain has not ended");
    }
    struct figure figure = { .name = "engine_chain_1000000_gates",
                             .unit = "tasks/s",
                             .kind = FIGURE_RATE,
                             .value = GROWN / took };
    figure_report(bench, &figure);
    report(bench, "engine_chain_longest_turn", "ms", rig->longest_turn_s * MS, 20);
    rig_free(rig);
}

/* --- What follows from a result --- */

enum { SOURCES = 80, FAN = 10, SMALL = 1000 };

/* The median time of a turn with the result of one task and the 10 that it makes ready, in a plan of so
   many. */
static double readiness(uint32_t tasks_count)
{
    struct rig *rig = rig_new(false);
    struct plan_task *tasks = mem_array(tasks_count, sizeof *tasks);
    struct plan_edge *edges = mem_array(tasks_count, sizeof *edges);
    size_t edges_count = 0;
    uint32_t stride = tasks_count / SOURCES;
    for (uint32_t i = 0; i < tasks_count; i++) {
        tasks[i].key = STR("task");
        uint32_t own = (i / stride < SOURCES ? i / stride : SOURCES - 1U) * stride;
        bool is_source = i == own;
        tasks[i].priority = is_source ? 2 : 1;
        if (!is_source) {
            /* The fan of the source before it; what is beyond waits for the first of that fan. */
            uint32_t from = own + (i - own <= FAN ? 0 : 1);
            edges[edges_count++] =
                (struct plan_edge){ .from = from, .to = i, .when = EDGE_WHEN_SUCCESS };
        }
    }
    struct plan plan = {
        .name = STR("fan"),
        .classes = &rig_class,
        .classes_count = 1,
        .policies = &rig_policy,
        .policies_count = 1,
        .tasks = tasks,
        .tasks_count = tasks_count,
        .edges = edges,
        .edges_count = edges_count,
    };
    rig_submit(rig, &plan);
    mem_free(tasks);
    mem_free(edges);
    rig_connect(rig, SOURCES * (FAN + 1));
    double times[SOURCES];
    for (size_t i = 0; i < SOURCES; i++) {
        uint64_t fence = rig->fences[i];
        rig_finish(rig, fence);
        times[i] = rig->turn_s;
    }
    if (rig->fences_count != SOURCES * (FAN + 1)) {
        bench_die("%zu tasks are assigned in place of %d", rig->fences_count, SOURCES * (FAN + 1));
    }
    rig_free(rig);
    return median(times, SOURCES);
}

static void measure_readiness(struct bench *bench)
{
    enum { ROUNDS = 9 };
    double small[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        small[i] = readiness(SMALL);
    }
    double large = readiness(GROWN);
    double few = median(small, ROUNDS);
    report(bench, "engine_result_fan_10_of_1000", "us", few * US, 0);
    report(bench, "engine_result_fan_10_of_1000000", "us", large * US, 0);
    report(bench, "engine_result_1000000_over_1000", "times", large / few, 2);
}

void figure_living(struct bench *bench)
{
    measure_edits(bench);
    measure_growth(bench);
    measure_chain(bench);
    measure_readiness(bench);
}
