#include "tests/sim/plan_make.h"

#include <stdio.h>

#include "proto/wire.h"
#include "tests/sim/condition_row.h"
#include "tests/sim/world.h"

enum { CLASS_NOOP = 4, CLASS_IMPOSSIBLE = 6, CLASS_GATE = 7, CLASSES = 8 };
enum { POLICIES_MAX = 4, DATA_BYTES_MAX = 96 * 1024 };

static const struct plan_resource half_a_processor = { { "cpu", 3 }, 500 };
static const struct plan_resource a_processor = { { "cpu", 3 }, 1000 };
static const struct plan_limit limit = { { "licence", 7 }, 2 };
static const struct plan_limit_use one = { 0, 1 };
static const struct plan_limit_use two = { 0, 2 };

static const struct plan_class classes[CLASSES] = {
    { .executor = EXECUTOR_RUN, .resources = &half_a_processor, .resources_count = 1 },
    { .selector = { "role=a", 6 }, .executor = EXECUTOR_RUN, .strategy = STRATEGY_SPREAD },
    { .selector = { "role!=a", 7 },
      .executor = EXECUTOR_RUN,
      .strategy = STRATEGY_PACK,
      .limits = &two,
      .limits_count = 1 },
    { .device = { "device-1", 8 }, .executor = EXECUTOR_RUN, .limits = &one, .limits_count = 1 },
    [CLASS_NOOP] = { .executor = EXECUTOR_NOOP, .strategy = STRATEGY_ROUND_ROBIN },
    { .selector = { "zone in (x, y)", 14 },
      .executor = EXECUTOR_NOOP,
      .resources = &a_processor, /* all of it: the halves must not pass it by for ever */
      .resources_count = 1,
      .limits = &one,
      .limits_count = 1 },
    [CLASS_IMPOSSIBLE] = { .selector = { "role=none", 9 }, .executor = EXECUTOR_RUN },
    [CLASS_GATE] = { .executor = (enum executor)0 },
};

bool plan_class_is_impossible(const struct plan_class *class)
{
    return class == &classes[CLASS_IMPOSSIBLE] || class->same_device != 0 ||
           class->other_device != 0;
}

static struct str keep(struct world *world, const char *text)
{
    return arena_str(&world->arena, str_of(text));
}

static void make_policy(struct world *world, struct plan_policy *policy)
{
    uint64_t kind = chance(world, 100);
    *policy = (struct plan_policy){
        .max_attempts = (uint32_t)between(world, 1, 4),
        .max_lost = (uint32_t)between(world, 1, 4),
        .backoff_base_ms = between(world, 0, 3000),
        .backoff_max_ms = between(world, 3000, 10000),
        .backoff_factor_permille = (uint32_t)between(world, 1000, 3000),
        .run_timeout_ms = percent(world, 40) ? between(world, 1000, 20000) : 0,
        .kill_grace_ms = between(world, 0, 3000),
        .output_bytes_max = DATA_BYTES_MAX,
        .on_disconnect = percent(world, 35) ? ON_DISCONNECT_STOP : ON_DISCONNECT_CONTINUE,
        .effect = kind < 20   ? TASK_ONCE
                  : kind < 40 ? TASK_PURE
                              : TASK_IDEMPOTENT,
        .retry_on = percent(world, 90) ? RETRY_ON_ALL : (uint32_t)between(world, 1, 14),
        .queue_timeout_ms = percent(world, 8) ? between(world, 1000, 30000) : 0,
        .start_timeout_ms = percent(world, 8) ? between(world, 500, 10000) : 0,
        .silence_timeout_ms = percent(world, 12) ? between(world, 500, 8000) : 0,
        .hold_on_failure_ms = percent(world, 20) ? between(world, 500, 8000) : 0,
    };
}

static void make_policies(struct world *world, struct plan *plan)
{
    size_t count = 1 + chance(world, POLICIES_MAX);
    struct plan_policy *policies = arena_array(&world->arena, count, sizeof *policies);
    for (size_t i = 0; i < count; i++) {
        make_policy(world, &policies[i]);
    }
    plan->policies = policies;
    plan->policies_count = count;
}

/* refers_to: the key of the task whose stdout it takes. A gate has no body. */
static void make_body(struct world *world, struct sim_task *task, struct str refers_to)
{
    char text[PLAN_KEY_BYTES_MAX + 64];
    if ((task->plan.flags & TASK_GATE) != 0) {
        return;
    }
    snprintf(text, sizeof text, "work-%u", task->version);
    struct str argv[3] = { keep(world, text), task->plan.key, STR("") };
    snprintf(text, sizeof text, "${{ tasks.%.*s.stdout%s }}", STR_ARG(refers_to),
             task->has_default ? " || 'none'" : "");
    argv[2] = keep(world, text);
    struct msg_body body = {
        .executor = task->noop ? EXECUTOR_NOOP : EXECUTOR_RUN,
        .argv = argv,
        .argv_count = task->noop     ? 0
                      : task->refers ? 3
                                     : 2,
        .run_timeout_ms = task->policy->run_timeout_ms,
        .silence_timeout_ms = task->policy->silence_timeout_ms,
        .kill_grace_ms = task->policy->kill_grace_ms,
        .output_bytes_max = DATA_BYTES_MAX,
        .on_disconnect = task->policy->on_disconnect,
        .once = task->policy->effect == TASK_ONCE,
    };
    struct buf bytes = { 0 };
    struct reason reason = { "" };
    CHECK(wire_encode_body(&body, &bytes, &reason) == ERR_NONE);
    task->plan.body =
        arena_str(&world->arena, (struct str){ (const char *)bytes.data, bytes.length });
    buf_done(&bytes);
}

static uint16_t make_flags(struct world *world)
{
    unsigned flags = 0;
    flags |= percent(world, 25) ? TASK_JOIN_ANY : 0U;
    flags |= percent(world, 12) ? TASK_ALLOW_FAILURE : 0U;
    return (uint16_t)flags;
}

struct plan_edge plan_make_edge(struct world *world)
{
    static const enum edge_when whens[] = { EDGE_WHEN_SUCCESS,  EDGE_WHEN_SUCCESS,
                                            EDGE_WHEN_SUCCESS,  EDGE_WHEN_SUCCESS,
                                            EDGE_WHEN_FINISHED, EDGE_WHEN_FAILURE,
                                            EDGE_WHEN_ALWAYS };
    struct plan_edge edge = { .when = whens[chance(world, sizeof whens / sizeof whens[0])],
                              .named = true };
    if (percent(world, 20)) {
        const struct condition_row *row = condition_row(chance(world, CONDITION_ROWS));
        edge.condition = str_of(row->text);
        edge.arguments = str_of(row->arguments);
    }
    return edge;
}

static bool is_finally(const struct sim_task *task)
{
    return (task->plan.flags & TASK_FINALLY) != 0;
}

/* Its dependencies, appended to the plan's. */
static void make_needs(struct world *world, struct sim_plan *made, struct plan_edge *edges,
                       uint32_t index)
{
    struct sim_task *task = &made->tasks[index];
    size_t first = made->edges_count;
    size_t wanted = index == 0 ? 0 : chance(world, SIM_NEEDS_MAX);
    uint32_t reach = index < 8 ? index : 8;
    for (size_t i = 0; i < wanted; i++) {
        struct plan_edge edge = plan_make_edge(world);
        edge.from = index - 1 - (uint32_t)chance(world, reach);
        edge.to = index;
        bool fits = is_finally(task) || !is_finally(&made->tasks[edge.from]);
        for (size_t at = first; at < made->edges_count && fits; at++) {
            fits =
                edges[at].from != edge.from || (percent(world, 20) && edges[at].when != edge.when);
        }
        if (fits) {
            edges[made->edges_count++] = edge;
        }
    }
    size_t needs = made->edges_count - first;
    if (task->noop || (task->plan.flags & TASK_GATE) != 0 || needs == 0 || percent(world, 75)) {
        return;
    }
    struct plan_edge *edge = &edges[first + chance(world, needs)];
    task->refers = true;
    task->plan.has_references = true;
    task->refers_to = edge->from;
    task->has_default = percent(world, 40);
    edge->required = true;
    if (task->has_default && percent(world, 50)) {
        edge->named = false; /* the reference alone makes one that is always open */
        edge->when = EDGE_WHEN_ALWAYS;
        edge->condition = (struct str){ NULL, 0 };
        edge->arguments = (struct str){ NULL, 0 };
    }
}

/* Where another has run, or elsewhere: one that has run in any case when this one may. */
static void make_place(struct world *world, struct sim_plan *made, struct plan_edge *edges,
                       struct plan_class *own_classes, uint32_t index)
{
    struct sim_task *task = &made->tasks[index];
    bool is_free = task->class == &classes[0];
    for (size_t at = made->edges_count; is_free && at > 0 && edges[at - 1].to == index; at--) {
        struct plan_edge *edge = &edges[at - 1];
        bool has_run = edge->when == EDGE_WHEN_SUCCESS && edge->condition.length == 0 &&
                       (made->tasks[edge->from].plan.flags & TASK_GATE) == 0;
        if (!has_run || percent(world, 40)) {
            continue;
        }
        bool is_same = percent(world, 50);
        struct plan_class *class = &own_classes[CLASSES + index];
        *class = classes[0];
        class->same_device = task->same_with = is_same ? edge->from + 1 : 0;
        class->other_device = task->other_than = is_same ? 0 : edge->from + 1;
        task->class = class;
        task->plan.class_index = CLASSES + index;
        edge->required = true;
        return;
    }
}

static void make_task(struct world *world, struct sim_task *task, const struct plan *plan)
{
    bool is_gate = percent(world, 6);
    task->noop = !is_gate && percent(world, 20);
    size_t class = is_gate      ? CLASS_GATE
                   : task->noop ? CLASS_NOOP + chance(world, 2)
                                : chance(world, CLASS_NOOP);
    task->class = &classes[class];
    task->plan.class_index = (uint32_t) class;
    task->plan.policy_index = (uint32_t)chance(world, plan->policies_count);
    task->policy = &plan->policies[task->plan.policy_index];
    task->plan.priority = (int32_t)between(world, -2, 2);
    task->plan.flags = (uint16_t)(make_flags(world) | (is_gate ? TASK_GATE : 0));
    if (percent(world, 5)) {
        task->plan.hold = STR("somebody must look at it");
    }
}

static void make_tasks(struct world *world, struct sim_plan *made, uint32_t count)
{
    struct plan *plan = &made->plan;
    struct plan_task *tasks = arena_array(&world->arena, count, sizeof *tasks);
    struct plan_edge *edges =
        arena_array(&world->arena, (size_t)count * SIM_NEEDS_MAX, sizeof *edges);
    struct plan_class *own_classes =
        arena_array(&world->arena, CLASSES + count, sizeof *own_classes);
    for (size_t i = 0; i < CLASSES + count; i++) {
        own_classes[i] = classes[i < CLASSES ? i : CLASS_NOOP];
    }
    made->tasks = arena_array(&world->arena, count, sizeof made->tasks[0]);
    uint32_t impossible = percent(world, 5) ? (uint32_t)chance(world, count) : count;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_task *task = &made->tasks[i];
        char key[16];
        snprintf(key, sizeof key, "t%u", i);
        task->plan.key = keep(world, key);
        make_task(world, task, plan);
        if (i * 3 >= count * 2 && percent(world, 12)) {
            task->plan.flags |= TASK_FINALLY;
        }
        if (i == impossible && !task->noop && (task->plan.flags & TASK_GATE) == 0) {
            task->class = &classes[CLASS_IMPOSSIBLE];
            task->plan.class_index = CLASS_IMPOSSIBLE;
        }
        make_needs(world, made, edges, i);
        make_place(world, made, edges, own_classes, i);
        make_body(world, task,
                  task->refers ? made->tasks[task->refers_to].plan.key : (struct str){ NULL, 0 });
        tasks[i] = task->plan;
    }
    plan->classes = own_classes;
    plan->classes_count = CLASSES + count;
    plan->tasks = tasks;
    plan->tasks_count = count;
    plan->edges = made->edges = edges;
    plan->edges_count = made->edges_count;
}

static void sabotage_classes(struct world *world, struct plan *plan)
{
    static const struct plan_limit enough = { { "licence", 7 }, 1000 };
    struct plan_class *given = arena_array(&world->arena, plan->classes_count, sizeof *given);
    for (size_t i = 0; i < plan->classes_count; i++) {
        given[i] = plan->classes[i];
        if (world->options.sabotage == SABOTAGE_ANY_DEVICE) {
            given[i].same_device = given[i].other_device = 0;
        } else if (world->options.sabotage == SABOTAGE_NO_RESOURCES) {
            given[i].resources_count = 0;
        }
    }
    plan->classes = given;
    if (world->options.sabotage == SABOTAGE_NO_LIMIT) {
        plan->limits = &enough;
    }
}

/* What the daemon is given is not what the checker knows. */
static void sabotage(struct world *world, struct sim_plan *made)
{
    struct plan *plan = &made->plan;
    if (world->options.sabotage == SABOTAGE_NO_EDGES) {
        plan->edges_count = plan->edges_count / 2;
    }
    if (world->options.sabotage == SABOTAGE_ONCE_AGAIN) {
        struct plan_policy *policies =
            arena_array(&world->arena, plan->policies_count, sizeof *policies);
        for (size_t i = 0; i < plan->policies_count; i++) {
            policies[i] = plan->policies[i];
            policies[i].effect = TASK_IDEMPOTENT;
        }
        plan->policies = policies;
    }
    sabotage_classes(world, plan);
    if (world->options.sabotage == SABOTAGE_NO_TIMEOUTS) {
        struct plan_policy *policies =
            arena_array(&world->arena, plan->policies_count, sizeof *policies);
        for (size_t i = 0; i < plan->policies_count; i++) {
            policies[i] = plan->policies[i];
            policies[i].run_timeout_ms = policies[i].start_timeout_ms = 0;
        }
        plan->policies = policies;
    }
    if (world->options.sabotage == SABOTAGE_WRONG_KIND) {
        struct plan_edge *edges = arena_array(&world->arena, plan->edges_count + 1, sizeof *edges);
        for (size_t i = 0; i < plan->edges_count; i++) {
            edges[i] = plan->edges[i];
            edges[i].when = EDGE_WHEN_ALWAYS;
        }
        plan->edges = edges;
    }
}

struct sim_plan *plan_make(struct world *world, uint32_t tasks_max)
{
    struct plans *plans = &world->plans;
    if (plans->count == SIM_PLANS_MAX || plans->tasks >= world->tasks_max) {
        return NULL;
    }
    size_t left = world->tasks_max - plans->tasks;
    struct sim_plan *made = arena_alloc(&world->arena, sizeof *made);
    made->index = (uint32_t)plans->count;
    made->plan.name = STR("sim");
    made->plan.source = STR("made by the simulator");
    made->plan.limits = &limit;
    made->plan.limits_count = 1;
    made->limit = limit.capacity;
    made->plan.fail_fast = percent(world, 12);
    made->plan.deadline_ms = percent(world, 10) ? between(world, 2000, 60000) : 0;
    make_policies(world, &made->plan);
    make_tasks(world, made, tasks_max < left ? tasks_max : (uint32_t)left);
    sabotage(world, made);
    plans->list[plans->count++] = made;
    plans->tasks += made->plan.tasks_count;
    return made;
}

/* --- For edits --- */

struct sim_task *plan_make_task(struct world *world)
{
    struct sim_task *task = arena_alloc(&world->arena, sizeof *task);
    struct plan_policy *policy = arena_alloc(&world->arena, sizeof *policy);
    make_policy(world, policy);
    struct plan plan = { .policies = policy, .policies_count = 1 };
    char key[16];
    snprintf(key, sizeof key, "e%u", world->plans.added++);
    task->plan.key = keep(world, key);
    make_task(world, task, &plan);
    task->plan.flags |= percent(world, 8) ? TASK_FINALLY : 0;
    make_body(world, task, (struct str){ NULL, 0 });
    return task;
}

struct sim_task *plan_remake_task(struct world *world, const struct sim_task *task,
                                  struct str refers_to)
{
    struct sim_task *made = arena_alloc(&world->arena, sizeof *made);
    struct plan_policy *policy = arena_alloc(&world->arena, sizeof *policy);
    unsigned kept = task->plan.flags & (TASK_GATE | TASK_FINALLY);
    *made = *task;
    make_policy(world, policy);
    made->policy = policy;
    made->version = ++world->plans.added;
    made->plan.priority = (int32_t)between(world, -2, 2);
    made->plan.flags = (uint16_t)(make_flags(world) | kept);
    made->plan.hold =
        percent(world, 10) ? STR("somebody must look at it") : (struct str){ NULL, 0 };
    if (task->class->executor == EXECUTOR_RUN && task->class != &classes[CLASS_IMPOSSIBLE]) {
        made->class = &classes[chance(world, CLASS_NOOP)];
        made->same_with = made->other_than = 0;
    }
    made->plan.body = (struct str){ NULL, 0 };
    make_body(world, made, refers_to);
    return made;
}
