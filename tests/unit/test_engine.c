/* What scenarios cannot show: sizes. Slices stay within their budget, limits are reached, a long chain
   needs no stack, the order of assignments does not depend on how many devices there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/engine.h"
#include "tests/unit/device_hello.h"

struct rig {
    struct engine *engine;
    struct effects effects;
    struct moment now;
    uint64_t *fences; /* assigned and not ended */
    size_t fences_count;
    size_t rows_max;   /* rows that the busiest turn wrote */
    size_t full_turns; /* whose slice was used up */
    uint32_t slice;    /* that every TICK says; 0: none */
    size_t assigned;
    size_t plans_done;
    enum err reply;
    int64_t constellation_id;
    enum constellation_state finished;
    const struct plan_task *tasks;
};

static struct rig *rig_new(void)
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
    rig->fences = mem_array(400000, sizeof rig->fences[0]);
    return rig;
}

static void rig_free(struct rig *rig)
{
    engine_free(rig->engine);
    effects_done(&rig->effects);
    mem_free(rig->fences);
    mem_free(rig);
}

static void look(struct rig *rig)
{
    size_t rows = 0;
    for (size_t i = 0; i < rig->effects.count; i++) {
        const struct effect *effect = &rig->effects.list[i];
        rows += effect->kind == EFFECT_ADD_TASK || effect->kind == EFFECT_ADD_EDGE ||
                effect->kind == EFFECT_SAVE_TASK || effect->kind == EFFECT_SAVE_EDGE;
        if (effect->kind == EFFECT_ASSIGN) {
            rig->fences[rig->fences_count++] = effect->assign.fence;
            rig->assigned++;
        } else if (effect->kind == EFFECT_REPLY) {
            rig->reply = effect->reply.err;
            rig->constellation_id = effect->reply.constellation_id;
        } else if (effect->kind == EFFECT_PLAN_DONE) {
            rig->plans_done++;
        } else if (effect->kind == EFFECT_HISTORY &&
                   effect->history.kind == HISTORY_CONSTELLATION_FINISHED) {
            rig->finished = (enum constellation_state)effect->history.state;
        }
    }
    rig->rows_max = rows > rig->rows_max ? rows : rig->rows_max;
}

static void turn(struct rig *rig, struct event *events, size_t count)
{
    struct event tick = { .kind = EVENT_TICK, .now = rig->now };
    struct event dispatch = { .kind = EVENT_DISPATCH, .now = rig->now };
    for (size_t i = 0; i < count; i++) {
        events[i].now = rig->now;
        engine_step(rig->engine, &events[i], &rig->effects);
    }
    tick.tick.slice = rig->slice;
    engine_step(rig->engine, &tick, &rig->effects);
    rig->full_turns += engine_slice_is_used_up(rig->engine);
    engine_step(rig->engine, &dispatch, &rig->effects);
    look(rig);
    engine_turn_end(rig->engine);
    effects_clear(&rig->effects);
}

static void settle(struct rig *rig)
{
    while (engine_next_deadline(rig->engine) <= rig->now.boot_ms) {
        turn(rig, NULL, 0);
    }
}

static const struct plan_class any = { .executor = EXECUTOR_NOOP };
static const struct plan_policy once = {
    .max_attempts = 1,
    .max_lost = 3,
    .backoff_base_ms = 1000,
    .backoff_max_ms = 1000,
    .backoff_factor_permille = 1000,
    .kill_grace_ms = 1000,
};

/* What a plan has beside its number of tasks; all zero is the plainest. */
struct shape {
    const struct plan_edge *edges;
    size_t edges_count;
    int64_t timeout_ms;
    size_t body_bytes;
};

static void submit_shaped(struct rig *rig, size_t tasks, const struct shape *shape)
{
    struct plan_policy policy = once;
    policy.run_timeout_ms = shape->timeout_ms;
    char *body = mem_alloc(shape->body_bytes);
    struct plan_task *list = mem_array(tasks, sizeof *list);
    for (size_t i = 0; i < tasks; i++) {
        list[i].key = STR("key");
        list[i].body = (struct str){ body, shape->body_bytes };
    }
    struct plan plan = {
        .name = STR("plan"),
        .classes = &any,
        .classes_count = 1,
        .policies = &policy,
        .policies_count = 1,
        .tasks = list,
        .tasks_count = tasks,
        .edges = shape->edges,
        .edges_count = shape->edges_count,
    };
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = &plan;
    event.submit.uid = STR("plan-0000");
    event.submit.actor = STR("test");
    turn(rig, &event, 1);
    settle(rig);
    mem_free(list);
    mem_free(body);
}

static void submit(struct rig *rig, size_t tasks, const struct plan_edge *edges, size_t edges_count)
{
    submit_shaped(rig, tasks, &(struct shape){ .edges = edges, .edges_count = edges_count });
}

static void connect_device(struct rig *rig, uint64_t channel, const char *name, uint32_t slots)
{
    struct msg hello = device_hello(name, slots);
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = channel;
    event.message.msg = &hello;
    turn(rig, &event, 1);
    struct device_view view;
    assert_true(engine_find_device(rig->engine, str_of(name), rig->now, &view));
    struct msg ready = { .kind = MSG_READY };
    ready.ready.session = view.record->session;
    event.message.msg = &ready;
    turn(rig, &event, 1);
    settle(rig);
}

/* Everything that is assigned ends well, a turn's worth at a time, until nothing is assigned. */
static void run_dry(struct rig *rig, uint64_t channel)
{
    while (rig->fences_count > 0) {
        size_t count = rig->fences_count < 512 ? rig->fences_count : 512;
        struct msg messages[512];
        struct event events[512];
        for (size_t i = 0; i < count; i++) {
            messages[i] = (struct msg){ .kind = MSG_FINISHED };
            messages[i].finished.fence = rig->fences[--rig->fences_count];
            messages[i].finished.outcome = OUTCOME_EXITED;
            events[i] = (struct event){ .kind = EVENT_MESSAGE };
            events[i].message.channel = channel;
            events[i].message.msg = &messages[i];
        }
        turn(rig, events, count);
        settle(rig);
    }
}

static void a_large_plan_goes_in_by_slices(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    enum { TASKS = 20000 };
    struct plan_edge *edges = mem_array(TASKS, sizeof *edges);
    for (uint32_t i = 1; i < TASKS; i++) {
        edges[i - 1] = (struct plan_edge){ .from = 0, .to = i, .when = EDGE_WHEN_SUCCESS };
    }
    submit(rig, TASKS, edges, TASKS - 1);
    assert_int_equal(rig->reply, ERR_NONE);
    assert_int_equal(rig->plans_done, 1);
    assert_true(rig->rows_max <= ENGINE_SLICE);
    /* So does what the end of the one task makes of the others. */
    connect_device(rig, 1, "desktop", 64);
    run_dry(rig, 1);
    assert_true(rig->rows_max <= 2 * ENGINE_SLICE + ENGINE_ASSIGN_MAX);
    assert_int_equal(rig->assigned, TASKS);
    assert_int_equal(rig->finished, CONSTELLATION_SUCCEEDED);
    mem_free(edges);
    rig_free(rig);
}

static void a_turn_takes_on_as_much_long_work_as_it_is_told(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig->slice = 100;
    submit(rig, 1050, NULL, 0);
    assert_int_equal(rig->rows_max, 100);
    assert_in_range(rig->full_turns, 10, 40); /* the order and the first look take their rows too */
    rig->slice = ENGINE_SLICE + 1;            /* the engine's own limit stands */
    rig->full_turns = rig->rows_max = 0;
    submit(rig, 2 * ENGINE_SLICE - 1, NULL, 0);
    assert_int_equal(rig->rows_max, ENGINE_SLICE);
    assert_true(rig->full_turns >= 1);
    rig_free(rig);
}

static void a_long_chain_of_skipped_tasks_needs_no_stack(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    enum { TASKS = 300000 };
    struct plan_edge *edges = mem_array(TASKS, sizeof *edges);
    for (uint32_t i = 1; i < TASKS; i++) {
        edges[i - 1] = (struct plan_edge){ .from = i - 1, .to = i, .when = EDGE_WHEN_SUCCESS };
    }
    submit(rig, TASKS, edges, TASKS - 1);
    connect_device(rig, 1, "desktop", 1);
    struct msg message = { .kind = MSG_FINISHED };
    message.finished.fence = rig->fences[--rig->fences_count];
    message.finished.outcome = OUTCOME_EXITED;
    message.finished.exit_code = 1;
    message.finished.reason = STR("exited with code 1");
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = 1;
    event.message.msg = &message;
    rig->rows_max = 0;
    turn(rig, &event, 1);
    settle(rig);
    assert_int_equal(rig->finished, CONSTELLATION_FAILED);
    assert_true(rig->rows_max <= 2 * ENGINE_SLICE + 1);
    assert_null(engine_constellation(rig->engine, rig->constellation_id)); /* not kept in memory */
    mem_free(edges);
    rig_free(rig);
}

static void a_cancel_of_a_large_plan_goes_by_slices(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    submit(rig, 50000, NULL, 0);
    struct event event = { .kind = EVENT_CANCEL };
    event.cancel.constellation_id = rig->constellation_id;
    event.cancel.actor = STR("test");
    rig->rows_max = 0;
    turn(rig, &event, 1);
    assert_true(rig->rows_max <= ENGINE_SLICE);
    settle(rig);
    assert_int_equal(rig->finished, CONSTELLATION_CANCELLED);
    rig_free(rig);
}

static void more_live_tasks_than_the_limit_are_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    for (int i = 0; i < ENGINE_LIVE_TASKS_MAX / PLAN_TASKS_MAX; i++) {
        submit(rig, PLAN_TASKS_MAX, NULL, 0);
        assert_int_equal(rig->reply, ERR_NONE);
    }
    submit(rig, 1, NULL, 0);
    assert_int_equal(rig->reply, ERR_LIMIT);
    assert_int_equal(rig->plans_done, ENGINE_LIVE_TASKS_MAX / PLAN_TASKS_MAX + 1);
    rig_free(rig);
}

static void more_devices_than_the_limit_are_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    for (int i = 0; i < ENGINE_DEVICES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "device-%d", i);
        connect_device(rig, (uint64_t)i + 1, name, 1);
    }
    assert_int_equal(engine_stats(rig->engine).connected, ENGINE_DEVICES_MAX);
    struct msg hello = device_hello("one-more", 1);
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = ENGINE_DEVICES_MAX + 1;
    event.message.msg = &hello;
    turn(rig, &event, 1);
    assert_int_equal(engine_stats(rig->engine).devices, ENGINE_DEVICES_MAX);
    rig_free(rig);
}

/* With a policy of its own. */
static void submit_with_timeout(struct rig *rig, int64_t timeout_ms, size_t body_bytes,
                                size_t tasks)
{
    submit_shaped(rig, tasks,
                  &(struct shape){ .timeout_ms = timeout_ms, .body_bytes = body_bytes });
}

static void policies_out_of_use_make_room_and_those_in_use_are_a_limit(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    connect_device(rig, 1, "desktop", 1);
    for (int64_t i = 1; i <= ENGINE_CLASSES_MAX + 10; i++) {
        submit_with_timeout(rig, i, 1, 1);
        assert_int_equal(rig->reply, ERR_NONE);
        run_dry(rig, 1); /* it ends, and its policy is free to go */
    }
    for (int64_t i = 1; i <= ENGINE_CLASSES_MAX; i++) {
        submit_with_timeout(rig, i, 1, 1); /* these wait for the one slot */
        assert_int_equal(rig->reply, ERR_NONE);
    }
    submit_with_timeout(rig, ENGINE_CLASSES_MAX + 1, 1, 1);
    assert_int_equal(rig->reply, ERR_LIMIT);
    rig_free(rig);
}

/* What one device has not begun is bounded by bytes, not only by slots. */
static void large_bodies_are_not_all_sent_at_once(void **state)
{
    (void)state;
    enum { BODY_BYTES = 700 * 1024, TASKS = 40 };
    struct rig *rig = rig_new();
    connect_device(rig, 1, "desktop", 64);
    submit_with_timeout(rig, 0, BODY_BYTES, TASKS);
    assert_true(rig->assigned >= ENGINE_ASSIGN_BYTES_MAX / BODY_BYTES);
    assert_true(rig->assigned <= ENGINE_ASSIGN_BYTES_MAX / BODY_BYTES + 1);
    run_dry(rig, 1);
    assert_int_equal(rig->assigned, TASKS);
    rig_free(rig);
}

static void a_task_that_is_interrupted_for_ever_fails_in_the_end(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    connect_device(rig, 1, "desktop", 1);
    submit_with_timeout(rig, 0, 1, 1);
    while (rig->finished == 0) {
        struct event event = { .kind = EVENT_MESSAGE };
        struct msg message = { .kind = MSG_PING };
        event.message.channel = 1;
        event.message.msg = &message;
        turn(rig, &event, 1);
        if (rig->fences_count > 0) {
            message = (struct msg){ .kind = MSG_FINISHED };
            message.finished.fence = rig->fences[--rig->fences_count];
            message.finished.outcome = OUTCOME_CANCELLED;
            turn(rig, &event, 1);
        }
        settle(rig);
        rig->now.boot_ms += 30000; /* within the lease; the longest pause is a minute */
        rig->now.wall_ms += 30000;
    }
    assert_int_equal(rig->finished, CONSTELLATION_FAILED);
    assert_int_equal(rig->assigned, ENGINE_UNCOUNTED_MAX);
    rig_free(rig);
}

static void the_same_events_give_the_same_state(void **state)
{
    (void)state;
    struct buf dumps[2] = { { 0 }, { 0 } };
    for (int run = 0; run < 2; run++) {
        struct rig *rig = rig_new();
        connect_device(rig, 1, "desktop", 3);
        connect_device(rig, 2, "server", 5);
        submit(rig, 100, NULL, 0);
        engine_dump(rig->engine, &dumps[run]);
        rig_free(rig);
    }
    assert_string_equal(buf_text(&dumps[0]), buf_text(&dumps[1]));
    buf_done(&dumps[0]);
    buf_done(&dumps[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_plan_goes_in_by_slices),
        cmocka_unit_test(a_turn_takes_on_as_much_long_work_as_it_is_told),
        cmocka_unit_test(a_long_chain_of_skipped_tasks_needs_no_stack),
        cmocka_unit_test(a_cancel_of_a_large_plan_goes_by_slices),
        cmocka_unit_test(more_live_tasks_than_the_limit_are_refused),
        cmocka_unit_test(more_devices_than_the_limit_are_refused),
        cmocka_unit_test(policies_out_of_use_make_room_and_those_in_use_are_a_limit),
        cmocka_unit_test(large_bodies_are_not_all_sent_at_once),
        cmocka_unit_test(a_task_that_is_interrupted_for_ever_fails_in_the_end),
        cmocka_unit_test(the_same_events_give_the_same_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
