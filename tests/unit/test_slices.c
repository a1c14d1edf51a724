/* What is too much for one turn: it goes by slices, under a hold where it must not be seen half made, or
   is refused. Each of these is looked at turn by turn, and begun again from what the store would load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum {
    WIDE = 3000,
    /* A slice in each of a turn's parts, and what goes with their last rows. */
    TURN_ROWS_MAX = 4 * ENGINE_SLICE,
};

/* Task 1, as many behind it as WIDE says, and one behind all of those. */
static struct living *fan(void)
{
    struct living *living = living_new(WIDE);
    struct plan_edge *edges = mem_array((size_t)2 * WIDE, sizeof *edges);
    for (uint32_t i = 0; i < WIDE; i++) {
        edges[i] = (struct plan_edge){ .from = 0, .to = i + 1, .when = EDGE_WHEN_SUCCESS };
        edges[WIDE + i] =
            (struct plan_edge){ .from = i + 1, .to = WIDE + 1, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan_task *tasks = living_tasks(WIDE + 2);
    struct plan plan = living_plan(tasks, WIDE + 2, edges, (size_t)2 * WIDE);
    living_submit(living, &plan);
    mem_free(tasks);
    mem_free(edges);
    return living;
}

static void finish(struct living *living, int64_t id, int exit_code)
{
    living_finish(living, living_task(living, id)->fence, OUTCOME_EXITED, exit_code);
    living_settle(living);
}

/* Until nothing is assigned: in one turn each time. */
static void finish_all(struct living *living)
{
    for (;;) {
        struct msg *messages = mem_array(WIDE + 2, sizeof *messages);
        struct event *events = mem_array(WIDE + 2, sizeof *events);
        size_t count = 0;
        for (int64_t id = 1; id <= WIDE + 2; id++) {
            const struct task_record *task = living_task(living, id);
            if (task->state == TASK_ASSIGNED) {
                messages[count].kind = MSG_FINISHED;
                messages[count].finished.fence = task->fence;
                messages[count].finished.outcome = OUTCOME_EXITED;
                events[count].kind = EVENT_MESSAGE;
                events[count].message.channel = LIVING_CHANNEL;
                events[count].message.msg = &messages[count];
                count++;
            }
        }
        if (count > 0) {
            living_turn(living, events, count);
            living_settle(living);
        }
        mem_free(events);
        mem_free(messages);
        if (count == 0) {
            return;
        }
    }
}

static uint32_t count_state(struct living *living, enum task_state state)
{
    uint32_t count = 0;
    for (int64_t id = 1; id <= WIDE + 2; id++) {
        count += living_task(living, id)->state == state;
    }
    return count;
}

static bool is_due(const struct living *living)
{
    return engine_next_deadline(living->engine) <= living->now.boot_ms;
}

static bool is_being_made(struct living *living)
{
    return living_find_hold(living, HOLD_RERUN, 0) != 0 ||
           living_find_hold(living, HOLD_RETRY, 0) != 0;
}

/* Turn by turn until it is made, with a restart after the turn that is wanted (0: none). */
static int watch(struct living *living, int restart_at)
{
    int turns = 0;
    while (is_being_made(living)) {
        living_turn(living, NULL, 0);
        assert_true(living->effects.count <= TURN_ROWS_MAX);
        living_check(living);
        living_compare(living);
        turns++;
        assert_true(turns < 1000);
        if (turns == restart_at && is_being_made(living)) {
            living_restart(living);
        }
    }
    living_settle(living);
    living_check(living);
    living_compare(living);
    return turns;
}

static void expect_all_again(struct living *living)
{
    assert_int_equal(count_state(living, TASK_ASSIGNED), 1);
    assert_int_equal(count_state(living, TASK_WAITING), WIDE + 1);
    finish_all(living);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    assert_int_equal(living->constellation.succeeded, WIDE + 2);
    for (int64_t id = 1; id <= WIDE + 2; id++) {
        assert_int_equal(living_task(living, id)->attempts - living_task(living, id)->first_attempt,
                         1);
    }
}

static void a_rerun_of_many_goes_by_slices_and_all_of_them_run_again(void **state)
{
    (void)state;
    struct living *living = fan();
    finish_all(living);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_revive(living);
    const int64_t root = 1;
    struct event event = living_reopening(&root, true);
    living_turn(living, &event, 1);
    int turns = watch(living, 0);
    assert_true(turns >= 3);
    assert_int_equal(living->err, ERR_NONE);
    assert_int_equal(living_task(living, WIDE + 2)->round, 2);
    expect_all_again(living);
    living_free(living);
}

/* Not of decisions, each of which makes more than one row. */
static void what_a_failure_skips_is_a_slice_of_rows_a_turn(void **state)
{
    (void)state;
    enum { LAST_LOOK = 16 }; /* what the look that uses it up makes, and what else a turn has */
    struct living *living = fan();
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 1);
    size_t rows = 0;
    for (int turns = 1;; turns++) {
        assert_true(living->effects.count <= ENGINE_SLICE + LAST_LOOK);
        rows += living->effects.count;
        living_check(living);
        living_compare(living);
        if (!is_due(living)) {
            break;
        }
        assert_true(turns < 100);
        living_turn(living, NULL, 0);
    }
    assert_int_equal(count_state(living, TASK_SKIPPED), WIDE + 1);
    assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
    assert_true(rows > ENGINE_SLICE + LAST_LOOK);
    living_free(living);
}

/* All of so many need all of as many others, written down as `each` does it: by who needs them. */
static struct living *grid(uint32_t side, uint32_t slots)
{
    struct living *living = living_new(slots);
    struct plan_edge *edges = mem_array((size_t)side * side, sizeof *edges);
    for (uint32_t i = 0; i < side * side; i++) {
        edges[i] = (struct plan_edge){ i % side, side + i / side, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan_task *tasks = living_tasks((size_t)2 * side);
    struct plan plan = living_plan(tasks, (size_t)2 * side, edges, (size_t)side * side);
    living_submit(living, &plan);
    mem_free(tasks);
    mem_free(edges);
    return living;
}

/* Of the turn's decisions: those that are stored on another page than the one before. */
static size_t far_decisions(const struct living *living)
{
    enum { A_PAGE = 100 };
    const struct edge_record *last = NULL;
    size_t count = 0;
    for (size_t i = 0; i < living->effects.count; i++) {
        const struct effect *effect = &living->effects.list[i];
        if (effect->kind == EFFECT_SAVE_EDGE) {
            const struct edge_record *edge = &effect->edge.record;
            bool is_far = last == NULL || last->from_id != edge->from_id;
            is_far = is_far || (edge->fence == 0 && llabs(last->id - edge->id) > A_PAGE);
            count += is_far;
            last = edge;
        }
    }
    return count;
}

/* From the last turn until nothing is due; how many of these decisions there were. */
static size_t watch_decisions(struct living *living)
{
    enum { FAR_A_TURN_MAX = ENGINE_SLICE / 8 };
    size_t all = 0;
    for (;;) {
        size_t count = far_decisions(living);
        assert_in_range(count, 0, FAR_A_TURN_MAX);
        all += count;
        if (!is_due(living)) {
            return all;
        }
        living_turn(living, NULL, 0);
    }
}

static void finish_each(struct living *living, int64_t first, int64_t last)
{
    for (int64_t id = first; id <= last; id++) {
        finish(living, id, 0);
    }
}

/* Each of them touches a page of its own, and a page is what a commit writes. */
static void decisions_that_are_stored_far_apart_are_few_a_turn(void **state)
{
    (void)state;
    enum { SIDE = 250 };
    struct living *living = grid(SIDE, 1);
    struct event cancel = living_cancel();
    living_turn(living, &cancel, 1);
    assert_in_range(watch_decisions(living), (SIDE - 1) * SIDE, SIDE * SIDE);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_CANCELLED, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_CANCELLED);
    living_end(living);

    living = grid(SIDE, SIDE);
    int64_t ids[2 * SIDE];
    for (int64_t id = 1; id <= 2 * SIDE; id++) {
        ids[id - 1] = id;
    }
    finish_each(living, 1, 2 * SIDE);
    living_revive(living);
    /* Those that are needed, which takes back what they have decided; then those that need them. */
    struct event event = living_reopening(ids, true);
    event.reopen.task_ids_count = SIDE;
    living_turn(living, &event, 1);
    assert_in_range(watch_decisions(living), (SIDE - 1) * SIDE, SIDE * SIDE);
    finish_each(living, 1, 2 * SIDE);
    living_revive(living);
    event = living_reopening(ids + SIDE, true);
    event.reopen.task_ids_count = SIDE;
    living_turn(living, &event, 1);
    assert_in_range(watch_decisions(living), 2 * (SIDE - 1) * SIDE, 2 * SIDE * SIDE);
    assert_int_equal(living_task(living, 2 * SIDE)->round, 3);
    living_end(living);
}

static size_t count_decisions(const struct living *living)
{
    size_t count = 0;
    for (size_t i = 0; i < living->effects.count; i++) {
        count += living->effects.list[i].kind == EFFECT_SAVE_EDGE;
    }
    return count;
}

/* What the others have decided stands: it is not written once more. */
static void a_rerun_decides_anew_only_what_has_begun_again(void **state)
{
    (void)state;
    enum { SIDE = 50 };
    struct living *living = grid(SIDE, SIDE);
    finish_each(living, 1, 2 * SIDE);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_revive(living);
    const int64_t root = 1;
    struct event event = living_reopening(&root, true);
    living_turn(living, &event, 1);
    size_t decisions = count_decisions(living);
    while (is_due(living)) {
        living_turn(living, NULL, 0);
        decisions += count_decisions(living);
    }
    assert_int_equal(decisions, SIDE);
    for (int64_t id = SIDE + 1; id <= 2 * SIDE; id++) {
        living_expect_state(living, id, TASK_WAITING);
    }
    living_check(living);
    living_compare(living);
    finish(living, 1, 0);
    finish_each(living, SIDE + 1, 2 * SIDE);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    assert_int_equal(living_task(living, 2 * SIDE)->round, 2);
    living_end(living);
}

static void a_restart_goes_on_with_a_rerun_wherever_it_was(void **state)
{
    (void)state;
    for (int at = 1; at <= 12; at++) {
        struct living *living = fan();
        finish_all(living);
        living_revive(living);
        const int64_t root = 1;
        struct event event = living_reopening(&root, true);
        living_turn(living, &event, 1);
        watch(living, at);
        expect_all_again(living);
        assert_int_equal(living_task(living, WIDE + 2)->round, 2);
        living_free(living);
    }
}

static void a_retry_brings_back_all_that_was_skipped_whatever_restarts_there_are(void **state)
{
    (void)state;
    for (int at = 0; at <= 12; at++) {
        struct living *living = fan();
        finish(living, 1, 1);
        assert_int_equal(living->constellation.state, CONSTELLATION_FAILED);
        assert_int_equal(count_state(living, TASK_SKIPPED), WIDE + 1);
        living_revive(living);
        const int64_t root = 1;
        struct event event = living_reopening(&root, false);
        living_turn(living, &event, 1);
        watch(living, at);
        expect_all_again(living);
        living_free(living);
    }
}

static void an_edit_brings_back_all_that_was_skipped(void **state)
{
    (void)state;
    struct living *living = fan();
    finish(living, 1, 1);
    living_revive(living);
    /* Every edge out of the failed task that leads to the first half opens now. */
    struct edit_operation operations[400];
    for (size_t i = 0; i < 400; i++) {
        operations[i] = (struct edit_operation){ .kind = EDIT_UPDATE_EDGE, .index = (uint32_t)i };
        operations[i].edge.edge_id = (int64_t)i + 1;
        operations[i].edge.when = EDGE_WHEN_FAILURE;
    }
    struct edit edit = { .constellation_id = 1,
                         .operations = operations,
                         .operations_count = 400,
                         .author = STR("ada") };
    assert_int_equal(living_edit(living, &edit), ERR_NONE);
    watch(living, 2);
    assert_int_equal(count_state(living, TASK_ASSIGNED), 400);
    assert_int_equal(count_state(living, TASK_SKIPPED), WIDE - 400 + 1);
    living_free(living);
}

static void what_is_being_made_is_left_alone_but_for_a_cancel(void **state)
{
    (void)state;
    struct living *living = fan();
    finish_all(living);
    living_revive(living);
    const int64_t root = 1;
    struct event event = living_reopening(&root, true);
    living_turn(living, &event, 1);
    int64_t hold = living_find_hold(living, HOLD_RERUN, 0);
    assert_true(hold > 0);
    living_turn(living, &event, 1);
    assert_memory_equal(living->why, "constellation_reopening:", 24);
    struct event release = { .kind = EVENT_RELEASE };
    release.release.constellation_id = 1;
    release.release.hold_id = hold;
    release.release.approved = true;
    struct edit_operation operation = { .kind = EDIT_TOUCH, .task = 1 };
    struct edit edit = { .constellation_id = 1, .operations = &operation, .operations_count = 1 };
    struct event events[] = { release, { .kind = EVENT_EDIT, .edit = { .edit = &edit } } };
    for (int i = 0; i < 4; i++) {
        living_turn(living, NULL, 0); /* its own answer comes */
    }
    living_turn(living, events, 1);
    assert_int_equal(living->err, ERR_CONFLICT);
    living_turn(living, &events[1], 1);
    assert_string_equal(living->why, "constellation_reopening");
    struct event cancel = living_cancel();
    living_turn(living, &cancel, 1);
    assert_int_equal(living->err, ERR_NONE);
    watch(living, 1); /* what is half taken back is made whole, and then cancelled */
    assert_int_equal(living->constellation.state, CONSTELLATION_CANCELLED);
    living_compare(living);
    living_free(living);
}

static void a_rerun_of_many_is_refused_when_some_of_it_is_under_way(void **state)
{
    (void)state;
    struct living *living = fan();
    finish(living, 1, 0);
    const int64_t root = 1;
    struct event event = living_reopening(&root, true);
    living_turn(living, &event, 1);
    watch(living, 0);
    assert_int_equal(living->err, ERR_CONFLICT);
    assert_memory_equal(living->why, "task_running:", 13);
    assert_int_equal(living_task(living, 1)->state, TASK_SUCCEEDED);
    finish_all(living);
    assert_int_equal(living->constellation.state, CONSTELLATION_SUCCEEDED);
    living_free(living);
}

/* Both come in one turn: the cancel takes what has not started, and what it spares goes on. */
static void a_hold_that_expires_with_a_cancel_lets_go_what_is_spared(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    const struct plan_task tasks[] = {
        LIVING_TASK, LIVING_TASK, { .key = { "k", 1 }, .body = { "b", 1 }, .flags = TASK_FINALLY }
    };
    struct plan plan = living_plan(tasks, 3, NULL, 0);
    living_submit(living, &plan);
    struct event hold = living_hold(HOLD_ALL, NULL, 0, 1000);
    living_turn(living, &hold, 1);
    finish(living, 1, 0);
    living_pass(living, 1000);
    struct event cancel = living_cancel();
    living_turn(living, &cancel, 1);
    living_settle(living);
    living_check(living);
    assert_int_equal(living_task(living, 2)->state, TASK_CANCELLED);
    assert_int_equal(living_task(living, 3)->state, TASK_ASSIGNED);
    finish(living, 3, 0);
    assert_int_equal(living->constellation.state, CONSTELLATION_CANCELLED);
    living_free(living);
}

static void a_plan_written_backwards_has_its_order_when_it_is_taken_in(void **state)
{
    (void)state;
    enum { TASKS = 100000 };
    struct living *living = living_new(1);
    struct plan_edge *edges = mem_array(TASKS, sizeof *edges);
    for (uint32_t i = 0; i + 1 < TASKS; i++) {
        edges[i] = (struct plan_edge){ .from = i + 1, .to = i, .when = EDGE_WHEN_SUCCESS };
    }
    struct plan_task *tasks = living_tasks(TASKS);
    const struct plan plan = living_plan(tasks, TASKS, edges, TASKS - 1);
    struct event event = living_submission(&plan);
    living_turn(living, &event, 1);
    const struct constellation *constellation = map_get(&living->engine->constellations, 1);
    int turns_without_rows = 0;
    while (constellation->record.state == CONSTELLATION_LOADING) {
        assert_true(is_due(living));
        living_turn(living, NULL, 0);
        turns_without_rows += living->effects.count == 0;
    }
    assert_true(turns_without_rows > 1); /* the order was made in them */
    assert_true(constellation->order_next != 0);
    living_check(living); /* every edge goes up in it */
    mem_free(tasks);
    mem_free(edges);
    living_free(living);
}

static void the_order_is_there_after_a_restart(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    const struct plan_edge edges[] = { { .from = 2, .to = 0, .when = EDGE_WHEN_SUCCESS },
                                       { .from = 1, .to = 2, .when = EDGE_WHEN_SUCCESS } };
    const struct plan_task tasks[] = { LIVING_TASK, LIVING_TASK, LIVING_TASK };
    const struct plan plan = living_plan(tasks, 3, edges, 2);
    living_submit(living, &plan);
    living_restart(living);
    const struct constellation *constellation = map_get(&living->engine->constellations, 1);
    assert_true(constellation->order_next != 0);
    living_check(living);
    living_free(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rerun_of_many_goes_by_slices_and_all_of_them_run_again),
        cmocka_unit_test(what_a_failure_skips_is_a_slice_of_rows_a_turn),
        cmocka_unit_test(decisions_that_are_stored_far_apart_are_few_a_turn),
        cmocka_unit_test(a_rerun_decides_anew_only_what_has_begun_again),
        cmocka_unit_test(a_restart_goes_on_with_a_rerun_wherever_it_was),
        cmocka_unit_test(a_retry_brings_back_all_that_was_skipped_whatever_restarts_there_are),
        cmocka_unit_test(an_edit_brings_back_all_that_was_skipped),
        cmocka_unit_test(what_is_being_made_is_left_alone_but_for_a_cancel),
        cmocka_unit_test(a_rerun_of_many_is_refused_when_some_of_it_is_under_way),
        cmocka_unit_test(a_hold_that_expires_with_a_cancel_lets_go_what_is_spared),
        cmocka_unit_test(a_plan_written_backwards_has_its_order_when_it_is_taken_in),
        cmocka_unit_test(the_order_is_there_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
