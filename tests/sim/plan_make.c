#include "tests/sim/plan_make.h"

#include <stdio.h>
#include <string.h>

#include "proto/wire.h"
#include "tests/sim/world.h"

enum { CLASSES = 7, POLICIES_MAX = 4, DATA_BYTES_MAX = 96 * 1024 };

static struct str keep(struct world *world, const char *text)
{
    return arena_str(&world->arena, str_of(text));
}

static void make_classes(struct world *world, struct plan *plan)
{
    static const struct plan_resource half_a_processor = { { "cpu", 3 }, 500 };
    static const struct plan_limit limit = { { "licence", 7 }, 2 };
    static const struct plan_limit_use one = { 0, 1 };
    static const struct plan_limit_use two = { 0, 2 };
    static const struct plan_class rows[CLASSES] = {
        { .executor = EXECUTOR_RUN, .resources = &half_a_processor, .resources_count = 1 },
        { .selector = { "role=a", 6 }, .executor = EXECUTOR_RUN, .strategy = STRATEGY_SPREAD },
        { .selector = { "role!=a", 7 },
          .executor = EXECUTOR_RUN,
          .strategy = STRATEGY_PACK,
          .limits = &two,
          .limits_count = 1 },
        { .device = { "device-1", 8 },
          .executor = EXECUTOR_RUN,
          .limits = &one,
          .limits_count = 1 },
        { .executor = EXECUTOR_NOOP, .strategy = STRATEGY_ROUND_ROBIN },
        { .selector = { "zone in (x, y)", 14 },
          .executor = EXECUTOR_NOOP,
          .limits = &one,
          .limits_count = 1 },
        { .selector = { "role=none", 9 }, .executor = EXECUTOR_RUN }, /* never fits */
    };
    (void)world;
    plan->limits = &limit;
    plan->limits_count = 1;
    plan->classes = rows;
    plan->classes_count = CLASSES;
}

static void make_policies(struct world *world, struct plan *plan)
{
    size_t count = 1 + chance(world, POLICIES_MAX);
    struct plan_policy *policies = arena_array(&world->arena, count, sizeof *policies);
    for (size_t i = 0; i < count; i++) {
        policies[i] = (struct plan_policy){
            .max_attempts = (uint32_t)between(world, 1, 4),
            .max_lost = (uint32_t)between(world, 1, 4),
            .backoff_base_ms = between(world, 0, 3000),
            .backoff_max_ms = between(world, 3000, 10000),
            .backoff_factor_permille = (uint32_t)between(world, 1000, 3000),
            .run_timeout_ms = percent(world, 40) ? between(world, 1000, 20000) : 0,
            .kill_grace_ms = between(world, 0, 3000),
            .output_bytes_max = DATA_BYTES_MAX,
            .on_disconnect = percent(world, 35) ? ON_DISCONNECT_STOP : ON_DISCONNECT_CONTINUE,
        };
    }
    plan->policies = policies;
    plan->policies_count = count;
}

static struct str make_body(struct world *world, const struct sim_task *task, uint32_t index,
                            const struct plan_policy *policy)
{
    char reference[64];
    struct str argv[3] = { STR("work"), keep(world, ""), STR("") };
    snprintf(reference, sizeof reference, "t%u", index);
    argv[1] = keep(world, reference);
    snprintf(reference, sizeof reference, "${{ tasks.t%u.stdout }}", task->refers_to);
    argv[2] = keep(world, reference);
    struct msg_body body = {
        .executor = task->noop ? EXECUTOR_NOOP : EXECUTOR_RUN,
        .argv = argv,
        .argv_count = task->noop     ? 0
                      : task->refers ? 3
                                     : 2,
        .run_timeout_ms = policy->run_timeout_ms,
        .kill_grace_ms = policy->kill_grace_ms,
        .output_bytes_max = DATA_BYTES_MAX,
        .on_disconnect = policy->on_disconnect,
    };
    struct buf bytes = { 0 };
    struct reason reason = { "" };
    CHECK(wire_encode_body(&body, &bytes, &reason) == ERR_NONE);
    struct str encoded =
        arena_str(&world->arena, (struct str){ (const char *)bytes.data, bytes.length });
    buf_done(&bytes);
    return encoded;
}

static void make_needs(struct world *world, struct sim_task *task, uint32_t index)
{
    size_t wanted = index == 0 ? 0 : chance(world, SIM_NEEDS_MAX);
    uint32_t reach = index < 8 ? index : 8;
    for (size_t i = 0; i < wanted; i++) {
        uint32_t from = index - 1 - (uint32_t)chance(world, reach);
        bool known = false;
        for (size_t at = 0; at < task->needs_count; at++) {
            known = known || task->needs[at] == from;
        }
        if (!known) {
            task->needs[task->needs_count++] = from;
        }
    }
    task->refers = !task->noop && task->needs_count > 0 && percent(world, 25);
    task->refers_to = task->refers ? task->needs[chance(world, task->needs_count)] : 0;
}

static void make_edges(struct world *world, struct sim_plan *made)
{
    struct plan *plan = &made->plan;
    struct plan_edge *edges =
        arena_array(&world->arena, plan->tasks_count * SIM_NEEDS_MAX, sizeof *edges);
    for (uint32_t to = 0; to < plan->tasks_count; to++) {
        for (size_t i = 0; i < made->tasks[to].needs_count; i++) {
            edges[plan->edges_count++] = (struct plan_edge){
                .from = made->tasks[to].needs[i], .to = to, .when = EDGE_WHEN_SUCCESS, .named = true
            };
        }
    }
    plan->edges = edges;
    if (world->options.sabotage == SABOTAGE_NO_EDGES) {
        plan->edges_count = plan->edges_count / 2;
    }
}

static void make_tasks(struct world *world, struct sim_plan *made, uint32_t count)
{
    struct plan *plan = &made->plan;
    struct plan_task *tasks = arena_array(&world->arena, count, sizeof *tasks);
    made->tasks = arena_array(&world->arena, count, sizeof made->tasks[0]);
    made->impossible = percent(world, 5);
    uint32_t impossible = (uint32_t)chance(world, count);
    for (uint32_t i = 0; i < count; i++) {
        struct sim_task *task = &made->tasks[i];
        task->noop = percent(world, 20);
        task->large_output = percent(world, 3);
        make_needs(world, task, i);
        char key[16];
        snprintf(key, sizeof key, "t%u", i);
        tasks[i] = (struct plan_task){
            .key = keep(world, key),
            .class_index = (uint32_t)(task->noop ? 4 + chance(world, 2) : chance(world, 4)),
            .policy_index = (uint32_t)chance(world, plan->policies_count),
            .priority = (int32_t)between(world, -2, 2),
            .has_references = task->refers,
        };
        if (made->impossible && i == impossible && !task->noop) {
            tasks[i].class_index = CLASSES - 1;
        }
        tasks[i].body = make_body(world, task, i, &plan->policies[tasks[i].policy_index]);
    }
    plan->tasks = tasks;
    plan->tasks_count = count;
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
    make_classes(world, &made->plan);
    make_policies(world, &made->plan);
    make_tasks(world, made, tasks_max < left ? tasks_max : (uint32_t)left);
    make_edges(world, made);
    plans->list[plans->count++] = made;
    plans->tasks += made->plan.tasks_count;
    return made;
}
