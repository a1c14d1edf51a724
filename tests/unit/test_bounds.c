/* What one turn takes on, however much there is of it: counted in rows and looks, with slices so small
   that every boundary is met. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum { CLASSES = 60 };

static struct plan plan_of(struct plan_task *tasks, size_t tasks_count, struct plan_edge *edges,
                           size_t edges_count)
{
    for (size_t i = 0; i < tasks_count; i++) {
        tasks[i].key = STR("k");
        tasks[i].body = STR("b");
    }
    return living_plan(tasks, tasks_count, edges, edges_count);
}

/* Each of them has a selector of its own, and the tasks take them in turn. */
static struct plan plan_of_many_classes(struct plan_task *tasks, size_t tasks_count,
                                        struct plan_class classes[CLASSES])
{
    static char selectors[CLASSES][16];
    struct plan plan = plan_of(tasks, tasks_count, NULL, 0);
    for (uint32_t i = 0; i < CLASSES; i++) {
        snprintf(selectors[i], sizeof selectors[i], "zone!=z%u", i);
        classes[i] = LIVING_ANY;
        classes[i].selector = str_of(selectors[i]);
    }
    for (size_t i = 0; i < tasks_count; i++) {
        tasks[i].class_index = (uint32_t)(i % CLASSES);
    }
    plan.classes = classes;
    plan.classes_count = CLASSES;
    return plan;
}

/* --- Placement --- */

/* The book of each turn that living_turn() keeps says that no turn tells more than its share. */
static void a_device_that_many_classes_wait_for_tells_them_over_several_turns(void **state)
{
    (void)state;
    enum { TASKS = 2 * CLASSES, SLOTS = 3, SLICE = 4 };
    struct living *living = living_new_slow(SLOTS, SLICE);
    struct plan_class classes[CLASSES];
    struct plan_task tasks[TASKS] = { 0 };
    struct plan plan = plan_of_many_classes(tasks, TASKS, classes);
    living_submit(living, &plan);
    const struct device *device = living->engine->devices_list[0];
    assert_int_equal(device->placements_count, CLASSES);
    bool was_behind = false;
    for (int left = TASKS; living->constellation.state == CONSTELLATION_RUNNING; left--) {
        assert_true(left > 0);
        assert_int_equal(device->used, left < SLOTS ? left : SLOTS);
        uint64_t fence = device->attempts->record.fence;
        living_finish(living, fence, OUTCOME_EXITED, 0);
        was_behind = was_behind || device->untold > 0;
        living_settle(living);
        assert_int_equal(device->untold, 0);
        living_check(living);
    }
    assert_true(was_behind);
    living_compare(living);
    living_free(living);
}

static void close_channel(struct living *living)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = LIVING_CHANNEL;
    event.channel_closed.reason = STR("cut");
    living_turn(living, &event, 1);
}

/* A task of a class of its own, ready at once. */
static void add_task_of_class(struct living *living, struct str selector)
{
    struct plan_class class = LIVING_ANY;
    class.selector = selector;
    struct edit_operation operation = living_addition(0);
    operation.write.class = &class;
    const struct edit edit = living_batch(&operation, 1);
    assert_int_equal(living_edit(living, &edit), ERR_NONE);
}

static void expect_linked(const struct living *living, const char *unfit)
{
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&living->engine->classes, &at, &id, &value)) {
        const struct class *class = value;
        bool fits = !str_equal(class->record.plan.selector, str_of(unfit));
        assert_int_equal(class->placements_count, fits);
    }
}

static void a_device_that_comes_back_with_something_else_is_matched_over_several_turns(void **state)
{
    (void)state;
    enum { SLICE = 4, A_TURN = SLICE / 2 + 1, TURNS = 2 * CLASSES / A_TURN };
    struct living *living = living_new_slow(CLASSES / 2, SLICE);
    struct plan_class classes[CLASSES];
    struct plan_task tasks[CLASSES] = { 0 };
    struct plan plan = plan_of_many_classes(tasks, CLASSES, classes);
    living_submit(living, &plan);
    living_settle(living);
    const struct device *device = living->engine->devices_list[0];
    expect_linked(living, "");
    /* The same once more: there is nothing to look for. */
    close_channel(living);
    living_connect(living, false);
    assert_false(device->is_matching);
    assert_int_equal(device->placements_count, CLASSES);
    living_settle(living);
    close_channel(living);
    living->label = (struct msg_pair){ STR("zone"), STR("z7") };
    living_connect(living, false);
    assert_true(device->is_matching);
    int turns = 2;
    for (size_t before = device->placements_count; device->is_matching; turns++) {
        if (turns == TURNS / 3 ||
            turns == 2 * TURNS / 3) { /* while it forgets, and while it looks */
            add_task_of_class(living, turns == TURNS / 3 ? STR("a!=b") : STR("c!=d"));
        } else {
            living_turn(living, NULL, 0);
        }
        size_t after = device->placements_count;
        assert_in_range(before < after ? after - before : before - after, 0, A_TURN);
        assert_true(!device->is_matching || living->assigned_count == 0);
        before = after;
        living_check(living);
        if (device->is_matching) {
            assert_true(engine_next_deadline(living->engine) <= living->now.boot_ms);
        }
    }
    assert_in_range(turns, TURNS, TURNS + 5);
    living_settle(living);
    expect_linked(living, "zone!=z7");
    assert_int_equal(device->used, CLASSES / 2);
    living_compare(living);
    living_free(living);
}

static void a_class_looks_for_devices_when_a_task_of_it_is_ready(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    struct plan_class classes[2] = { LIVING_ANY, LIVING_ANY };
    classes[1].selector = STR("zone!=z");
    struct plan_task tasks[2] = { { .class_index = 0 }, { .class_index = 1 } };
    struct plan_edge edge = { .from = 0, .to = 1, .when = EDGE_WHEN_SUCCESS };
    struct plan plan = plan_of(tasks, 2, &edge, 1);
    plan.classes = classes;
    plan.classes_count = 2;
    living_submit(living, &plan);
    const struct device *device = living->engine->devices_list[0];
    assert_int_equal(device->placements_count, 1);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    assert_int_equal(device->placements_count, 2);
    assert_int_equal(living_task(living, 2)->state, TASK_ASSIGNED);
    living_free(living);
}

static void a_plan_with_many_classes_is_taken_in_by_slices(void **state)
{
    (void)state;
    enum { SLICE = 8, CLASSES_A_TURN = SLICE / 2 };
    struct living *living = living_new_slow(1, SLICE);
    struct plan_class classes[CLASSES];
    struct plan_task tasks[CLASSES] = { 0 };
    struct plan plan = plan_of_many_classes(tasks, CLASSES, classes);
    struct event event = living_submission(&plan);
    living_turn(living, &event, 1);
    struct engine *engine = living->engine;
    assert_int_equal(engine->classes.count, CLASSES_A_TURN);
    assert_int_equal(engine->classes_due, CLASSES - CLASSES_A_TURN);
    /* What they will take is kept for them. */
    assert_true(placement_has_room(engine, ENGINE_CLASSES_MAX - CLASSES, 1));
    assert_false(placement_has_room(engine, ENGINE_CLASSES_MAX - CLASSES + 1, 1));
    living_settle(living);
    assert_int_equal(engine->classes.count, CLASSES);
    assert_int_equal(engine->classes_due, 0);
    assert_int_equal(engine->policies_due, 0);
    living_compare(living);
    living_free(living);
}

/* --- Devices --- */

static void a_lost_device_gives_its_attempts_up_by_slices(void **state)
{
    (void)state;
    enum { TASKS = 30, SLICE = 8, TURN_MAX = 3 * SLICE };
    struct living *living = living_new_slow(TASKS, SLICE);
    struct plan_task tasks[TASKS] = { 0 };
    struct plan plan = plan_of(tasks, TASKS, NULL, 0);
    living_submit(living, &plan);
    const struct device *device = living->engine->devices_list[0];
    assert_int_equal(device->used, TASKS);
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = LIVING_CHANNEL;
    event.channel_closed.reason = STR("cut");
    living_turn(living, &event, 1);
    living_pass(living, living->engine->config.lost_after_ms);
    int turns = 0;
    while (engine_next_deadline(living->engine) <= living->now.boot_ms) {
        living_turn(living, NULL, 0);
        assert_true(living->effects.count <= TURN_MAX);
        living_check(living);
        living_compare(living);
        assert_true(turns++ < TASKS);
    }
    assert_true(turns >= TASKS * 4 / SLICE);
    assert_int_equal(device->used, 0);
    for (int64_t id = 1; id <= TASKS; id++) {
        assert_int_equal(living_task(living, id)->state, TASK_WAITING);
    }
    living_free(living);
}

/* --- Reopening --- */

/* One task behind all of them stays skipped, since one is not tried again: all that leads to it is looked
   at for each of the others. */
/* Welcome says what becomes of each of them, and so must wait for the rows of all. There are no more than
   MSG_HELD_MAX. */
static void a_device_that_comes_back_costs_three_rows_an_attempt(void **state)
{
    (void)state;
    enum { TASKS = 50, ROWS_AN_ATTEMPT = 3, ROWS_A_HELLO = 4 };
    struct living *living = living_new(TASKS);
    struct plan_task tasks[TASKS] = { 0 };
    struct plan plan = plan_of(tasks, TASKS, NULL, 0);
    living_submit(living, &plan);
    struct msg_held held[TASKS];
    for (int64_t id = 1; id <= TASKS; id++) {
        held[id - 1] = (struct msg_held){ living_task(living, id)->fence, HELD_RUNNING };
    }
    close_channel(living);
    living_pass(living, living->engine->config.lost_after_ms);
    living_turn(living, NULL, 0);
    living_settle(living);
    living_expect_state(living, TASKS, TASK_WAITING);
    living_return(living, false, held, TASKS);
    assert_in_range(living->hello_effects, TASKS * ROWS_AN_ATTEMPT,
                    TASKS * ROWS_AN_ATTEMPT + ROWS_A_HELLO);
    living_expect_state(living, TASKS, TASK_RUNNING);
    living_end(living);
}

static void a_retry_counts_what_it_looks_at(void **state)
{
    (void)state;
    enum { TASKS = 100, ROWS_A_TASK = 4, LOOKS_A_ROW = 16, SLICE = 8 };
    struct living *living = living_new_slow(TASKS, SLICE);
    struct plan_task tasks[TASKS + 1] = { 0 };
    struct plan_edge edges[TASKS];
    for (uint32_t i = 0; i < TASKS; i++) {
        edges[i] = (struct plan_edge){ .from = i, .to = TASKS, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = plan_of(tasks, TASKS + 1, edges, TASKS);
    living_submit(living, &plan);
    int64_t ids[TASKS];
    for (int64_t id = 1; id <= TASKS; id++) {
        living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, 1);
        ids[id - 1] = id;
    }
    living_settle(living);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    living_revive(living);
    struct event event = { .kind = EVENT_REOPEN };
    event.reopen.constellation_id = 1;
    event.reopen.task_ids = ids;
    event.reopen.task_ids_count = TASKS - 1;
    living_turn(living, &event, 1);
    int turns = 0;
    while (living_find_hold(living, HOLD_RETRY, 0) != 0) {
        living_turn(living, NULL, 0);
        turns++;
    }
    assert_true(turns >= (TASKS - 1) * (ROWS_A_TASK + TASKS / LOOKS_A_ROW) / SLICE);
    assert_int_equal(living_task(living, TASKS + 1)->state, TASK_SKIPPED);
    living_check(living);
    living_free(living);
}

/* --- Finally --- */

static void finish_all(struct living *living, int64_t last)
{
    bool is_any = true;
    while (is_any) {
        is_any = false;
        for (int64_t id = 1; id <= last; id++) {
            if (living_task(living, id)->state == TASK_ASSIGNED) {
                living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, 0);
                living_settle(living);
                is_any = true;
            }
        }
    }
}

static void finally_tasks_run_again_after_a_rerun_that_a_restart_has_met(void **state)
{
    (void)state;
    enum { TASKS = 12, SLICE = 4 };
    for (int restart_at = 1; restart_at <= 20; restart_at++) {
        struct living *living = living_new_slow(TASKS, SLICE);
        struct plan_task tasks[TASKS] = { [TASKS - 1] = { .flags = TASK_FINALLY } };
        struct plan_edge edges[TASKS];
        for (uint32_t i = 1; i < TASKS - 1; i++) {
            edges[i - 1] = (struct plan_edge){ .from = 0, .to = i, .when = EDGE_WHEN_SUCCESS };
        }
        struct plan plan = plan_of(tasks, TASKS, edges, TASKS - 2);
        living_submit(living, &plan);
        finish_all(living, TASKS);
        assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
        living_revive(living);
        const int64_t root = 1;
        struct event event = { .kind = EVENT_REOPEN };
        event.reopen.constellation_id = 1;
        event.reopen.task_ids = &root;
        event.reopen.task_ids_count = 1;
        event.reopen.rerun = true;
        living_turn(living, &event, 1);
        for (int turn = 1; living_find_hold(living, HOLD_RERUN, 0) != 0; turn++) {
            if (turn == restart_at) {
                living_restart(living);
            }
            living_turn(living, NULL, 0);
        }
        living_settle(living);
        finish_all(living, TASKS);
        assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
        for (int64_t id = 1; id <= TASKS; id++) {
            assert_int_equal(living_task(living, id)->round, 2);
        }
        living_check(living);
        living_free(living);
    }
}

/* --- Holds --- */

enum { SMALL_SLICE = 8, SMALL_TURN_MAX = 5 * SMALL_SLICE };

static struct event hold_on(const int64_t *ids, size_t count)
{
    struct event event = { .kind = EVENT_HOLD };
    event.hold.constellation_id = 1;
    event.hold.scope = HOLD_TASKS;
    event.hold.origin = HOLD_BY_REQUEST;
    event.hold.on_expiry = HOLD_EXPIRY_FAIL;
    event.hold.length_ms = 1000;
    event.hold.task_ids = ids;
    event.hold.task_ids_count = count;
    event.hold.owner = STR("ada");
    return event;
}

static void pass_time(struct living *living, int64_t ms)
{
    living_pass(living, ms);
}

/* Turns until nothing is due, each with a bounded number of rows, and a restart after one of them. */
static int work_off(struct living *living, int restart_at)
{
    int turns = 0;
    while (engine_next_deadline(living->engine) <= living->now.boot_ms) {
        living_turn(living, NULL, 0);
        assert_true(living->effects.count <= SMALL_TURN_MAX);
        living_check(living);
        living_compare(living);
        assert_true(turns++ < 1000);
        if (turns == restart_at) {
            living_restart(living);
        }
    }
    return turns;
}

static void the_expiry_of_a_hold_on_many_fails_them_by_slices_over_a_restart_too(void **state)
{
    (void)state;
    enum { TASKS = 40, HELD = 30 };
    for (int restart_at = 0; restart_at < 8; restart_at++) {
        struct living *living = living_new_slow(1, SMALL_SLICE);
        struct plan_task tasks[TASKS] = { 0 };
        struct plan plan = plan_of(tasks, TASKS, NULL, 0);
        living_submit(living, &plan);
        int64_t ids[HELD];
        for (int64_t i = 0; i < HELD; i++) {
            ids[i] = TASKS - i;
        }
        struct event event = hold_on(ids, HELD);
        living_turn(living, &event, 1);
        living_settle(living);
        pass_time(living, 1000);
        assert_true(work_off(living, restart_at) >= HELD * 4 / SMALL_SLICE);
        for (int64_t id = 1; id <= TASKS; id++) {
            bool was_held = id > TASKS - HELD;
            assert_int_equal(living_task(living, id)->state == TASK_FAILED, was_held);
        }
        assert_int_equal(living_find_hold(living, HOLD_BY_REQUEST, 0), 0);
        living_free(living);
    }
}

/* --- Many of them --- */

enum { ORDINARY = 3, PAIRS = 20, LAST = ORDINARY + 2 * PAIRS };

enum second_round {
    BY_RERUN,
    BY_EDIT,
    BY_LARGE_EDIT,
    WAYS_END,
};

/* All has ended, and is loaded again: ordinary tasks, then pairs of finally tasks, one after the other. */
static struct living *many_finals(void)
{
    struct living *living = living_new_slow(LAST, SMALL_SLICE);
    static struct plan_task tasks[LAST];
    static struct plan_edge edges[PAIRS];
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint32_t first = ORDINARY + 2 * i;
        tasks[first].flags = tasks[first + 1].flags = TASK_FINALLY;
        edges[i] = (struct plan_edge){ .from = first, .to = first + 1, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = plan_of(tasks, LAST, edges, PAIRS);
    living_submit(living, &plan);
    finish_all(living, LAST);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_revive(living);
    return living;
}

static void begin_second_round(struct living *living, enum second_round way)
{
    static const struct plan_task plain = { .key = { "n", 1 }, .body = { "b", 1 } };
    static const int64_t root = 1;
    struct edit_operation add = living_addition(0);
    add.write.plan = &plain;
    const struct edit edit = { .constellation_id = 1,
                               .operations = &add,
                               .operations_count = 1,
                               .tasks_added = 1,
                               .author_kind = AUTHOR_USER,
                               .author = STR("ada") };
    struct event event = { .kind = EVENT_EDIT };
    event.edit.edit = &edit;
    if (way == BY_LARGE_EDIT) {
        assert_int_equal(living_bulk(living, &edit, 4), ERR_NONE);
        return;
    }
    if (way == BY_RERUN) {
        event = (struct event){ .kind = EVENT_REOPEN };
        event.reopen.constellation_id = 1;
        event.reopen.task_ids = &root;
        event.reopen.task_ids_count = 1;
        event.reopen.rerun = true;
    }
    living_turn(living, &event, 1);
    assert_true(living->effects.count <= SMALL_TURN_MAX);
}

/* One that runs has what it depends on of the same round. */
static void finish_in_order(struct living *living)
{
    int64_t last = living->last_id > LAST ? living->last_id : LAST;
    bool is_any = true;
    while (is_any) {
        is_any = false;
        for (int64_t id = 1; id <= last; id++) {
            const struct task_record *task = living_task(living, id);
            if (task == NULL || task->state != TASK_ASSIGNED) {
                continue;
            }
            bool is_second = id > ORDINARY && id <= LAST && (id - ORDINARY) % 2 == 0;
            if (is_second) {
                assert_int_equal(living_task(living, id - 1)->round, 2);
                assert_int_equal(living_task(living, id - 1)->state, TASK_SUCCEEDED);
            }
            living_finish(living, task->fence, OUTCOME_EXITED, 0);
            living_settle(living);
            is_any = true;
        }
    }
}

static void many_finally_tasks_are_called_back_by_slices_over_a_restart_too(void **state)
{
    (void)state;
    for (int restart_at = 0; restart_at <= 60; restart_at++) {
        struct living *living = many_finals();
        begin_second_round(living, (enum second_round)(restart_at % WAYS_END));
        work_off(living, restart_at);
        finish_in_order(living);
        assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
        for (int64_t id = ORDINARY + 1; id <= LAST; id++) {
            assert_int_equal(living_task(living, id)->round, 2);
        }
        living_check(living);
        living_free(living);
    }
}

static void what_goes_on_in_the_turn_of_its_end_is_held_by_nothing(void **state)
{
    (void)state;
    struct living *living = living_new(2);
    struct plan_task tasks[2] = { 0 };
    struct plan_edge edge = { .from = 0, .to = 1, .when = EDGE_WHEN_SUCCESS };
    struct plan plan = plan_of(tasks, 2, &edge, 1);
    living_submit(living, &plan);
    const int64_t ids[] = { 1, 2 };
    struct event hold = hold_on(ids, 2);
    hold.hold.length_ms = 0;
    living_turn(living, &hold, 1);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    /* It ends with the task that is taken away; the hold named the other too. */
    struct edit_operation removals[] = { { .kind = EDIT_REMOVE_EDGE },
                                         { .kind = EDIT_REMOVE_TASK, .index = 1 } };
    removals[0].edge.edge_id = 1;
    removals[1].task = 2;
    const struct edit edit = { .constellation_id = 1,
                               .operations = removals,
                               .operations_count = 2,
                               .author_kind = AUTHOR_USER,
                               .author = STR("ada") };
    struct event events[] = { { .kind = EVENT_EDIT }, { .kind = EVENT_REOPEN } };
    events[0].edit.edit = &edit;
    events[1].reopen.constellation_id = 1;
    events[1].reopen.task_ids = ids;
    events[1].reopen.task_ids_count = 1;
    events[1].reopen.rerun = true;
    living_turn(living, events, 2);
    living_settle(living);
    assert_int_equal(living_find_hold(living, HOLD_BY_REQUEST, 0), 0);
    assert_int_equal(living_task(living, 1)->state, TASK_ASSIGNED);
    living_check(living);
    living_compare(living);
    living_free(living);
}

static void many_that_are_let_go_go_by_slices(void **state)
{
    (void)state;
    enum { TASKS = 40 };
    struct living *living = living_new_slow(1, SMALL_SLICE);
    struct plan_task tasks[TASKS] = { 0 };
    struct plan_edge edges[TASKS];
    for (uint32_t i = 1; i < TASKS; i++) {
        tasks[i].flags = TASK_GATE;
        edges[i - 1] = (struct plan_edge){ .from = 0, .to = i, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan plan = plan_of(tasks, TASKS, edges, TASKS - 1);
    living_submit(living, &plan);
    int64_t ids[TASKS - 1];
    for (int64_t i = 0; i < TASKS - 1; i++) {
        ids[i] = 2 + i;
    }
    struct event event = hold_on(ids, TASKS - 1);
    event.hold.length_ms = 0;
    living_turn(living, &event, 1);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    living_settle(living);
    assert_int_equal(living_task(living, TASKS)->state, TASK_WAITING);
    struct event release = { .kind = EVENT_RELEASE };
    release.release.constellation_id = 1;
    release.release.hold_id = living_find_hold(living, HOLD_BY_REQUEST, 0);
    release.release.approved = true;
    living_turn(living, &release, 1);
    assert_true(living->effects.count <= SMALL_TURN_MAX);
    work_off(living, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_free(living);
}

static void no_more_failures_are_held_than_can_be_let_go_in_one_turn(void **state)
{
    (void)state;
    enum { TASKS = ENGINE_FAILURE_HOLDS_MAX + 1 };
    struct living *living = living_new(TASKS);
    struct plan_policy holding = LIVING_ONCE;
    holding.hold_on_failure_ms = 1000;
    struct plan_task *tasks = mem_array(TASKS + 1, sizeof *tasks);
    struct plan_edge *edges = mem_array(TASKS, sizeof *edges);
    for (uint32_t i = 0; i < TASKS; i++) {
        edges[i] = (struct plan_edge){ .from = i, .to = TASKS, .when = EDGE_WHEN_FINISHED };
    }
    edges[0].when = edges[TASKS - 1].when = EDGE_WHEN_SUCCESS;
    tasks[TASKS].flags = TASK_JOIN_ANY;
    struct plan plan = plan_of(tasks, TASKS + 1, edges, TASKS);
    plan.policies = &holding;
    living_submit(living, &plan);
    const struct constellation *constellation = map_get(&living->engine->constellations, 1);
    for (int64_t id = 1; id <= TASKS; id++) {
        living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, 1);
    }
    assert_int_equal(constellation->failure_holds, ENGINE_FAILURE_HOLDS_MAX);
    assert_int_equal(living_edge(living, 1)->decision, EDGE_UNDECIDED);
    assert_int_equal(living_edge(living, TASKS)->decision, EDGE_CLOSED);
    struct event cancel = living_cancel();
    living_turn(living, &cancel, 1);
    assert_int_equal(constellation->failure_holds, 0);
    living_check(living);
    mem_free(tasks);
    mem_free(edges);
    living_free(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_many_classes_wait_for_tells_them_over_several_turns),
        cmocka_unit_test(
            a_device_that_comes_back_with_something_else_is_matched_over_several_turns),
        cmocka_unit_test(a_class_looks_for_devices_when_a_task_of_it_is_ready),
        cmocka_unit_test(a_plan_with_many_classes_is_taken_in_by_slices),
        cmocka_unit_test(a_lost_device_gives_its_attempts_up_by_slices),
        cmocka_unit_test(a_device_that_comes_back_costs_three_rows_an_attempt),
        cmocka_unit_test(a_retry_counts_what_it_looks_at),
        cmocka_unit_test(finally_tasks_run_again_after_a_rerun_that_a_restart_has_met),
        cmocka_unit_test(the_expiry_of_a_hold_on_many_fails_them_by_slices_over_a_restart_too),
        cmocka_unit_test(many_finally_tasks_are_called_back_by_slices_over_a_restart_too),
        cmocka_unit_test(what_goes_on_in_the_turn_of_its_end_is_held_by_nothing),
        cmocka_unit_test(many_that_are_let_go_go_by_slices),
        cmocka_unit_test(no_more_failures_are_held_than_can_be_let_go_in_one_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
