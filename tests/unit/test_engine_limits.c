/* What one turn of the engine may take on: evaluations and timers. Each limit is reached by more than
   fits, and the rest follows in the turns after it. And how much it tells of why a task waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/engine.h"
#include "tests/unit/device_hello.h"

enum { TASKS_MAX = 2048, CHANNEL = 1 };

struct ask {
    int64_t constellation_id;
    int64_t task_id;
};

struct rig {
    struct engine *engine;
    struct effects effects;
    struct moment now;
    /* Of the last turn. */
    struct ask asks[TASKS_MAX];
    size_t asks_count;
    uint64_t fences[TASKS_MAX];
    size_t fences_count;
    enum constellation_state finished;
};

static int set_up(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    struct engine_config config = {
        .epoch = 1,
        .seed = 1,
        .lease_ms = 60000,
        .ping_ms = 20000,
        .lost_after_ms = 300000,
        .next_constellation_id = 1,
        .next_task_id = 1,
        .next_edge_id = 1,
    };
    rig->engine = engine_new(&config);
    rig->now = (struct moment){ 1000, 1700000000000 };
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    engine_free(rig->engine);
    effects_done(&rig->effects);
    mem_free(rig);
    return 0;
}

static void step(struct rig *rig, struct event *event)
{
    event->now = rig->now;
    engine_step(rig->engine, event, &rig->effects);
}

static void look(struct rig *rig)
{
    rig->fences_count = 0;
    for (size_t i = 0; i < rig->effects.count; i++) {
        const struct effect *effect = &rig->effects.list[i];
        if (effect->kind == EFFECT_ASSIGN) {
            assert_true(rig->fences_count < TASKS_MAX);
            rig->fences[rig->fences_count++] = effect->assign.fence;
        } else if (effect->kind == EFFECT_HISTORY &&
                   effect->history.kind == HISTORY_CONSTELLATION_FINISHED) {
            rig->finished = (enum constellation_state)effect->history.state;
        }
    }
}

/* As the daemon's: what the tick asks for is filled in before the dispatch of the same turn. */
static void turn(struct rig *rig, struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        step(rig, &events[i]);
    }
    step(rig, &(struct event){ .kind = EVENT_TICK });
    rig->asks_count = 0;
    for (size_t i = 0; i < rig->effects.count; i++) {
        const struct effect *effect = &rig->effects.list[i];
        if (effect->kind == EFFECT_PREPARE) {
            assert_true(rig->asks_count < TASKS_MAX);
            rig->asks[rig->asks_count++] =
                (struct ask){ effect->prepare.constellation_id, effect->prepare.task_id };
        }
    }
    for (size_t i = 0; i < rig->asks_count; i++) {
        struct event event = { .kind = EVENT_PREPARED };
        event.prepared.constellation_id = rig->asks[i].constellation_id;
        event.prepared.task_id = rig->asks[i].task_id;
        event.prepared.body_bytes = 1;
        step(rig, &event);
    }
    step(rig, &(struct event){ .kind = EVENT_DISPATCH });
    look(rig);
    engine_turn_end(rig->engine);
    effects_clear(&rig->effects);
}

static bool is_due(const struct rig *rig)
{
    return engine_next_deadline(rig->engine) <= rig->now.boot_ms;
}

static void connect_device(struct rig *rig)
{
    struct msg msg = device_hello("desktop", TASKS_MAX);
    struct event event = { .kind = EVENT_MESSAGE, .message = { .channel = CHANNEL, .msg = &msg } };
    turn(rig, &event, 1);
    struct device_view view;
    assert_true(engine_find_device(rig->engine, STR("desktop"), rig->now, &view));
    msg = (struct msg){ .kind = MSG_READY, .ready = { view.record->session } };
    turn(rig, &event, 1);
}

/* With edges, their number is one less than the tasks'. */
static void submit_edges(struct rig *rig, size_t tasks, bool has_references,
                         const struct plan_edge *edges)
{
    static const struct plan_class any = { .executor = EXECUTOR_NOOP };
    static const struct plan_policy twice = {
        .max_attempts = 2,
        .max_lost = 3,
        .backoff_base_ms = 1000,
        .backoff_max_ms = 1000,
        .backoff_factor_permille = 1000,
        .kill_grace_ms = 1000,
    };
    struct plan_task *list = mem_array(tasks, sizeof *list);
    for (size_t i = 0; i < tasks; i++) {
        list[i].key = STR("key");
        list[i].body = STR("b");
        list[i].has_references = has_references;
    }
    struct plan plan = {
        .name = STR("plan"),
        .classes = &any,
        .classes_count = 1,
        .policies = &twice,
        .policies_count = 1,
        .tasks = list,
        .tasks_count = tasks,
        .edges = edges,
        .edges_count = edges == NULL ? 0 : tasks - 1,
    };
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = &plan;
    event.submit.uid = STR("plan-0000");
    event.submit.actor = STR("test");
    turn(rig, &event, 1);
    mem_free(list);
}

static void submit(struct rig *rig, size_t tasks, bool has_references)
{
    submit_edges(rig, tasks, has_references, NULL);
}

/* Everything of the last turn exits with this code, in one turn. */
static void exit_all(struct rig *rig, int exit_code)
{
    size_t count = rig->fences_count;
    struct msg *messages = mem_array(count, sizeof *messages);
    struct event *events = mem_array(count, sizeof *events);
    for (size_t i = 0; i < count; i++) {
        messages[i].kind = MSG_FINISHED;
        messages[i].finished.fence = rig->fences[i];
        messages[i].finished.outcome = OUTCOME_EXITED;
        messages[i].finished.exit_code = exit_code;
        messages[i].finished.reason = exit_code == 0 ? STR("") : STR("exited with a fault");
        events[i].kind = EVENT_MESSAGE;
        events[i].message.channel = CHANNEL;
        events[i].message.msg = &messages[i];
    }
    turn(rig, events, count);
    mem_free(events);
    mem_free(messages);
}

static void more_inputs_than_a_turn_fills_in_follow_in_the_next(void **state)
{
    struct rig *rig = *state;
    enum { TASKS = 2 * ENGINE_PREPARE_MAX + 1 };
    connect_device(rig);
    submit(rig, TASKS, true);
    size_t asked = 0;
    size_t assigned = 0;
    for (int turns = 0; turns < 4; turns++) {
        asked += rig->asks_count;
        assigned += rig->fences_count;
        /* Full while there are enough left, then the one; what was filled in is not kept waiting. */
        assert_int_equal(asked, turns == 0   ? ENGINE_PREPARE_MAX
                                : turns == 1 ? 2 * ENGINE_PREPARE_MAX
                                             : TASKS);
        assert_int_equal(assigned, asked);
        assert_int_equal(is_due(rig), turns < 2);
        turn(rig, NULL, 0);
    }
}

/* Moves the last turn's fences behind the others. */
static size_t keep(const struct rig *rig, uint64_t *fences, size_t count)
{
    for (size_t i = 0; i < rig->fences_count; i++) {
        fences[count++] = rig->fences[i];
    }
    return count;
}

static void more_timers_than_a_turn_fires_follow_in_the_next(void **state)
{
    struct rig *rig = *state;
    enum { TASKS = 2 * ENGINE_TIMERS_MAX + 100 };
    connect_device(rig);
    submit(rig, TASKS, false);
    assert_int_equal(rig->fences_count, TASKS);
    exit_all(rig, 1);
    uint64_t fences[TASKS];
    size_t again = keep(rig, fences, 0); /* the few whose wait was drawn as nothing */
    assert_true(again < 50);
    rig->now.boot_ms += 10000;
    rig->now.wall_ms += 10000;
    while (again < TASKS) {
        size_t left = TASKS - again;
        assert_true(is_due(rig));
        turn(rig, NULL, 0);
        assert_int_equal(rig->fences_count, left < ENGINE_TIMERS_MAX ? left : ENGINE_TIMERS_MAX);
        again = keep(rig, fences, again);
    }
    assert_false(is_due(rig));
    for (size_t i = 0; i < TASKS; i++) {
        rig->fences[i] = fences[i];
    }
    rig->fences_count = TASKS;
    exit_all(rig, 0);
    assert_int_equal(rig->finished, CONSTELLATION_SUCCEEDED);
}

static void of_what_a_task_waits_for_the_first_are_told(void **state)
{
    struct rig *rig = *state;
    enum { TASKS = WAIT_LIST_MAX + 3 };
    struct plan_edge edges[TASKS - 1];
    for (uint32_t i = 0; i < TASKS - 1; i++) {
        edges[i] = (struct plan_edge){ .from = i, .to = TASKS - 1, .when = EDGE_WHEN_SUCCESS };
    }
    submit_edges(rig, TASKS, false, edges);
    struct wait wait;
    engine_explain(rig->engine, 1, TASKS, rig->now, &wait);
    assert_int_equal(wait.kind, WAIT_DEPENDENCIES);
    assert_int_equal(wait.count, TASKS - 1);
    assert_int_equal(wait.tasks_count, WAIT_LIST_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_A_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        WITH_A_RIG(more_inputs_than_a_turn_fills_in_follow_in_the_next),
        WITH_A_RIG(more_timers_than_a_turn_fires_follow_in_the_next),
        WITH_A_RIG(of_what_a_task_waits_for_the_first_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
