/* See living_plan.h. */
#include "tests/unit/living_plan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/base/mem.h"

const struct plan_class LIVING_ANY = { .executor = EXECUTOR_NOOP };
const struct plan_class LIVING_NONE = { .executor = 0 };
const struct plan_policy LIVING_ONCE = { .max_attempts = 1,
                                         .max_lost = 3,
                                         .backoff_base_ms = 1000,
                                         .backoff_max_ms = 1000,
                                         .backoff_factor_permille = 1000,
                                         .kill_grace_ms = 1000 };
const struct plan_task LIVING_TASK = { .key = { "k", 1 }, .body = { "b", 1 } };

struct plan living_plan(const struct plan_task *tasks, size_t tasks_count,
                        const struct plan_edge *edges, size_t edges_count)
{
    return (struct plan){ .name = STR("plan"),
                          .classes = &LIVING_ANY,
                          .classes_count = 1,
                          .policies = &LIVING_ONCE,
                          .policies_count = 1,
                          .tasks = tasks,
                          .tasks_count = tasks_count,
                          .edges = edges,
                          .edges_count = edges_count };
}

struct plan living_plan_of(struct plan_task *tasks, size_t tasks_count,
                           const struct plan_edge *edges, size_t edges_count)
{
    for (size_t i = 0; i < tasks_count; i++) {
        tasks[i].key = STR("k");
        tasks[i].body = STR("b");
    }
    return living_plan(tasks, tasks_count, edges, edges_count);
}

struct plan_task *living_tasks(size_t count)
{
    struct plan_task *tasks = mem_array(count, sizeof *tasks);
    for (size_t i = 0; i < count; i++) {
        tasks[i] = LIVING_TASK;
    }
    return tasks;
}

struct event living_submission(const struct plan *plan)
{
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = plan;
    event.submit.uid = STR("plan-0000");
    event.submit.actor = STR("test");
    return event;
}

struct event living_cancel(void)
{
    struct event event = { .kind = EVENT_CANCEL };
    event.cancel.request = 1;
    event.cancel.constellation_id = 1;
    event.cancel.actor = STR("ada");
    return event;
}

struct event living_reopening(const int64_t *id, bool rerun)
{
    struct event event = { .kind = EVENT_REOPEN };
    event.reopen.request = 1;
    event.reopen.constellation_id = 1;
    event.reopen.task_ids = id;
    event.reopen.task_ids_count = 1;
    event.reopen.rerun = rerun;
    event.reopen.actor = STR("ada");
    return event;
}

struct event living_hold(enum hold_scope scope, const int64_t *ids, size_t count, int64_t length_ms)
{
    struct event event = { .kind = EVENT_HOLD };
    event.hold.request = 1;
    event.hold.constellation_id = 1;
    event.hold.scope = scope;
    event.hold.origin = HOLD_BY_REQUEST;
    event.hold.on_expiry = length_ms > 0 ? HOLD_EXPIRY_FAIL : HOLD_EXPIRY_RELEASE;
    event.hold.length_ms = length_ms;
    event.hold.task_ids = ids;
    event.hold.task_ids_count = count;
    event.hold.owner = STR("ada");
    return event;
}

struct edit_operation living_addition(size_t number)
{
    struct edit_operation operation = { .kind = EDIT_ADD_TASK };
    operation.write.task = -1 - (edit_task)number;
    operation.write.plan = &LIVING_TASK;
    operation.write.class = &LIVING_ANY;
    operation.write.policy = &LIVING_ONCE;
    return operation;
}

struct edit_operation living_link(edit_task from, edit_task to, enum edge_when when)
{
    struct edit_operation operation = { .kind = EDIT_ADD_EDGE };
    operation.edge.from = from;
    operation.edge.to = to;
    operation.edge.when = when;
    operation.edge.named = true;
    return operation;
}

struct edit living_batch(struct edit_operation *operations, size_t count)
{
    struct edit batch = { .constellation_id = 1,
                          .operations = operations,
                          .operations_count = count,
                          .author_kind = AUTHOR_USER,
                          .author = STR("ada") };
    for (size_t i = 0; i < count; i++) {
        operations[i].index = (uint32_t)i;
        batch.tasks_added += operations[i].kind == EDIT_ADD_TASK;
    }
    return batch;
}

void living_pass(struct living *living, int64_t ms)
{
    living->now.boot_ms += ms;
    living->now.wall_ms += ms;
}

void living_finish_task(struct living *living, int64_t id, enum outcome outcome, int exit_code)
{
    living_finish(living, living_task(living, id)->fence, outcome, exit_code);
    living_settle(living);
    living_check(living);
}

void living_expect_state(struct living *living, int64_t id, enum task_state state)
{
    assert_string_equal(task_state_name((enum task_state)living_task(living, id)->state),
                        task_state_name(state));
}

void living_end(struct living *living)
{
    living_check(living);
    living_compare(living);
    living_free(living);
}
