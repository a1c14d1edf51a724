/* Taking in a plan: its rows go into the store a slice a turn, invisible until the last one, with which
   the constellation becomes running and the submission is answered. */

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order.h"

/* What costs a slice as much as a row: so many bytes of a body, so many steps of the order. A class costs
   as much as so many rows. */
enum { BYTES_A_ROW = 256, ORDER_STEPS_A_ROW = 16, ROWS_A_CLASS = 2 };

void intake_free(struct engine *engine, struct intake *intake)
{
    if (intake != NULL) {
        engine->classes_due -= intake->classes_wanted - intake->classes_count;
        engine->policies_due -= intake->policies_wanted - intake->policies_count;
        engine->tasks_due -= intake->tasks_wanted - intake->tasks_in;
        for (size_t i = 0; i < intake->classes_count; i++) {
            intake->classes[i]->tasks--;
        }
        for (size_t i = 0; i < intake->policies_count; i++) {
            intake->policies[i]->tasks--;
        }
        if (intake->order != NULL) {
            order_build_done(intake->order);
            mem_free(intake->order);
        }
        mem_free(intake->classes);
        mem_free(intake->policies);
        mem_free(intake->actor);
        mem_free(intake);
    }
}

static void refuse(struct engine *engine, const struct event *event, const char *why)
{
    struct effect *effect = effects_add(engine->effects, EFFECT_REPLY);
    effect->reply.request = event->submit.request;
    effect->reply.err = ERR_LIMIT;
    effect->reply.reason = str_of(why);
    effects_add(engine->effects, EFFECT_PLAN_DONE)->plan = event->submit.plan;
}

/* Of the task at this plan index + 1; 0: none. */
static int64_t task_id(const struct intake *intake, uint32_t task)
{
    return task == 0 ? 0 : intake->first_task_id + task - 1;
}

static void put_limits(struct engine *engine, struct constellation *constellation,
                       const struct plan *plan)
{
    for (size_t i = 0; i < plan->limits_count; i++) {
        struct limit_record record = {
            .constellation_id = constellation->record.id,
            .index = (uint32_t)i,
            .name = plan->limits[i].name,
            .capacity = plan->limits[i].capacity,
        };
        limit_put(engine, constellation, &record);
        effects_add(engine->effects, EFFECT_ADD_LIMIT)->limit = constellation->limits[i]->record;
    }
}

static struct intake *intake_new(struct engine *engine, const struct event *event)
{
    const struct plan *plan = event->submit.plan;
    struct intake *intake = mem_alloc(sizeof *intake);
    intake->plan = plan;
    intake->request = event->submit.request;
    intake->actor = mem_copy(event->submit.actor.data, event->submit.actor.length);
    intake->actor_length = event->submit.actor.length;
    intake->classes = mem_array(plan->classes_count, sizeof(struct class *));
    intake->first_task_id = engine->config.next_task_id;
    engine->config.next_task_id += (int64_t)plan->tasks_count; /* whatever is added meanwhile */
    intake->policies = mem_array(plan->policies_count, sizeof(struct policy *));
    intake->classes_wanted = plan->classes_count;
    intake->policies_wanted = plan->policies_count;
    engine->classes_due += plan->classes_count;
    engine->policies_due += plan->policies_count;
    intake->tasks_wanted = (uint32_t)plan->tasks_count;
    engine->tasks_due += intake->tasks_wanted;
    return intake;
}

/* Each is kept while its tasks go in. */
static void add_class(struct engine *engine, const struct constellation *constellation)
{
    struct intake *intake = constellation->intake;
    const struct plan_class *plan = &intake->plan->classes[intake->classes_count];
    struct class_record wanted =
        placement_wanted(plan, constellation->record.id, task_id(intake, plan->same_device),
                         task_id(intake, plan->other_device));
    struct class *class = placement_class_of(engine, &wanted);
    class->tasks++;
    intake->classes[intake->classes_count++] = class;
    engine->classes_due--;
}

static void add_policy(struct engine *engine, struct intake *intake)
{
    struct policy *policy =
        placement_policy(engine, &intake->plan->policies[intake->policies_count]);
    policy->tasks++;
    intake->policies[intake->policies_count++] = policy;
    engine->policies_due--;
}

void intake_submit(struct engine *engine, const struct event *event)
{
    const struct plan *plan = event->submit.plan;
    CHECK(plan->tasks_count > 0 && plan->tasks_count <= PLAN_TASKS_MAX &&
          plan->edges_count <= PLAN_EDGES_MAX);
    if (!constellation_has_room(engine, plan->tasks_count)) {
        refuse(engine, event, "too many unfinished tasks; try again when some have ended");
        return;
    }
    if (!placement_has_room(engine, plan->classes_count, plan->policies_count)) {
        placement_sweep(engine);
        if (!placement_has_room(engine, plan->classes_count, plan->policies_count)) {
            refuse(engine, event, "too many distinct placements or retry policies are in use");
            return;
        }
    }
    struct constellation_record record = {
        .id = engine->config.next_constellation_id++,
        .state = CONSTELLATION_LOADING,
        .created_wall_ms = engine->now.wall_ms,
        .tasks = (uint32_t)plan->tasks_count,
        .edges = (uint32_t)plan->edges_count,
        .revision = 1,
        .fail_fast = plan->fail_fast,
    };
    struct constellation *constellation = constellation_new(engine, &record);
    engine_mark(engine, &constellation->mark);
    struct effect *effect = effects_add(engine->effects, EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = &constellation->record;
    effect->constellation.uid = arena_str(&engine->effects->arena, event->submit.uid);
    effect->constellation.plan = plan;
    put_limits(engine, constellation, plan);
    constellation->intake = intake_new(engine, event);
    constellation_queue_job(engine, constellation, JOB_INTAKE);
}

static void add_task(struct engine *engine, struct constellation *constellation)
{
    struct intake *intake = constellation->intake;
    const struct plan_task *plan = &intake->plan->tasks[intake->tasks_in];
    struct task_record record = {
        .id = intake->first_task_id + intake->tasks_in++,
        .class_id = intake->classes[plan->class_index]->record.id,
        .policy_id = intake->policies[plan->policy_index]->record.id,
        .priority = (int16_t)plan->priority,
        .state = TASK_WAITING,
        .body_bytes = (uint32_t)plan->body.length,
        .has_references = plan->has_references,
        .revision = 1,
        .name = learn_name(plan),
        .round = 1,
        .flags = (uint16_t)(plan->flags | (plan->hold.length > 0 ? TASK_APPROVAL : 0)),
    };
    struct task *task = constellation_add_task(engine, constellation, &record);
    engine->tasks_due--;
    order_take_task(constellation, task);
    engine_mark(engine, &task->mark);
    struct effect *effect = effects_add(engine->effects, EFFECT_ADD_TASK);
    effect->task.record = &task->record;
    effect->task.constellation_id = constellation->record.id;
    effect->task.plan = plan;
    if ((record.flags & TASK_APPROVAL) != 0) {
        hold_approval(engine, task);
    }
}

static void add_edge(struct engine *engine, struct constellation *constellation)
{
    struct intake *intake = constellation->intake;
    const struct plan_edge *plan = &intake->plan->edges[intake->edges_in++];
    struct edge_record record = {
        .id = engine->config.next_edge_id++,
        .from_id = constellation_task(constellation, plan->from)->record.id,
        .to_id = constellation_task(constellation, plan->to)->record.id,
        .when = plan->when,
        .named = plan->named,
        .required = plan->required,
        .conditional = plan->condition.length > 0,
    };
    constellation_add_edge(engine, constellation, &record, plan->from, plan->to);
    order_take_edge(constellation, plan->from, plan->to);
    struct effect *effect = effects_add(engine->effects, EFFECT_ADD_EDGE);
    effect->edge.record = record;
    effect->edge.constellation_id = constellation->record.id;
    effect->edge.plan = plan;
}

static void complete(struct engine *engine, struct constellation *constellation)
{
    struct intake *intake = constellation->intake;
    constellation->record.state = CONSTELLATION_RUNNING;
    if (intake->plan->deadline_ms > 0) {
        constellation->record.deadline_length_ms = intake->plan->deadline_ms;
        constellation->record.deadline_wall_ms = engine->now.wall_ms + intake->plan->deadline_ms;
    }
    constellation_arm(engine, constellation);
    constellation_save(engine, constellation);
    struct history *history = engine_history(engine, HISTORY_CONSTELLATION_SUBMITTED);
    history->constellation_id = constellation->record.id;
    history->number = constellation->record.tasks;
    history->text =
        arena_str(&engine->effects->arena, (struct str){ intake->actor, intake->actor_length });
    struct effect *effect = effects_add(engine->effects, EFFECT_REPLY);
    effect->reply.request = intake->request;
    effect->reply.constellation_id = constellation->record.id;
    effects_add(engine->effects, EFFECT_PLAN_DONE)->plan = intake->plan;
    intake_free(engine, intake);
    constellation->intake = NULL;
    rank_begin(engine, constellation);
    constellation_queue_job(engine, constellation, JOB_OPEN);
}

/* With every task and edge there, and nobody who could change them: the first edit finds the order
   made. It costs no row, only time. */
static size_t put_in_order(struct constellation *constellation, size_t budget)
{
    struct intake *intake = constellation->intake;
    if (intake->order == NULL) {
        intake->order = mem_alloc(sizeof *intake->order);
        order_build_init(intake->order, constellation);
    }
    size_t left = order_build_work(intake->order, budget * ORDER_STEPS_A_ROW);
    if (order_build_is_finished(intake->order)) {
        struct cycle cycle;
        bool is_acyclic = order_build_succeeded(intake->order, &cycle);
        CHECK(is_acyclic); /* plan.h: it was checked where it was read */
    }
    return left / ORDER_STEPS_A_ROW;
}

size_t intake_work(struct engine *engine, struct constellation *constellation, size_t budget)
{
    struct intake *intake = constellation->intake;
    const struct plan *plan = intake->plan;
    for (; budget > 0 && intake->classes_count < plan->classes_count;
         budget -= budget < ROWS_A_CLASS ? budget : ROWS_A_CLASS) {
        add_class(engine, constellation);
    }
    for (; budget > 0 && intake->policies_count < plan->policies_count; budget--) {
        add_policy(engine, intake);
    }
    while (budget > 0 && intake->tasks_in < plan->tasks_count) {
        size_t cost = 1 + plan->tasks[intake->tasks_in].body.length / BYTES_A_ROW;
        add_task(engine, constellation);
        budget -= cost < budget ? cost : budget;
    }
    while (budget > 0 && intake->edges_in < plan->edges_count) {
        add_edge(engine, constellation);
        budget--;
    }
    bool is_in = intake->tasks_in == plan->tasks_count && intake->edges_in == plan->edges_count;
    if (is_in && budget > 0 && constellation->order_next == 0) {
        budget = put_in_order(constellation, budget);
    }
    if (is_in && constellation->order_next != 0) {
        complete(engine, constellation);
    }
    return budget;
}
