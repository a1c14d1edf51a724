/* The order of plans that come in or are loaded: kept where they come in it, made where they do not, and
   in either way good for the edits that follow. And ids are found, whatever lies between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order.h"
#include "tests/unit/living_plan.h"

enum { TASKS = 10000 }; /* more than are ranked where they stand */

static struct constellation *inside(const struct living *living, int64_t id)
{
    return map_get(&living->engine->constellations, (uint64_t)id);
}

/* A chain from the first task to the last, or from the last to the first; in the turn after which this
   returns it has begun to run. */
static void take_in(struct living *living, uint32_t tasks, bool is_backwards)
{
    struct plan_task *list = living_tasks(tasks);
    struct plan_edge *edges = mem_array(tasks, sizeof *edges);
    for (uint32_t i = 0; i + 1 < tasks; i++) {
        edges[i] = (struct plan_edge){ .from = is_backwards ? i + 1 : i,
                                       .to = is_backwards ? i : i + 1,
                                       .when = EDGE_WHEN_SUCCESS,
                                       .named = true };
    }
    struct plan plan = living_plan(list, tasks, edges, tasks - 1);
    struct event event = living_submission(&plan);
    living_turn(living, &event, 1);
    while (inside(living, 1)->record.state == CONSTELLATION_LOADING) {
        living_turn(living, NULL, 0);
    }
    mem_free(list);
    mem_free(edges);
}

static void expect_order(const struct constellation *constellation)
{
    assert_false(constellation->order_lost);
    assert_true(constellation->order_next != 0);
    for (uint32_t i = 0; i < constellation->edges; i++) {
        const struct edge *edge = constellation_edge(constellation, i);
        assert_true(edge->removed || order_before(constellation_task(constellation, edge->from),
                                                  constellation_task(constellation, edge->to)));
    }
}

static struct edit edge_edit(struct edit_operation *operation, edit_task from, edit_task to)
{
    *operation = living_link(from, to, EDGE_WHEN_FINISHED);
    return living_batch(operation, 1);
}

static enum err add_edge(struct living *living, edit_task from, edit_task to)
{
    struct edit_operation operation;
    struct edit edit = edge_edit(&operation, from, to);
    return living_edit(living, &edit);
}

static void a_plan_that_comes_in_its_order_needs_none_made(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    take_in(living, TASKS, false);
    expect_order(inside(living, 1)); /* before anything has been ranked */
    living_free(living);
}

/* As what was revived is before it has been ranked. */
static void lose_order(struct living *living)
{
    inside(living, 1)->order_lost = true;
    inside(living, 1)->order_next = 0;
}

static void the_order_of_any_other_plan_is_made_before_it_runs(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    take_in(living, TASKS, true);
    expect_order(inside(living, 1));
    /* It is the one that edits go on with. */
    assert_int_equal(add_edge(living, 9, 2), ERR_NONE);
    assert_int_equal(add_edge(living, 2, 9), ERR_CONFLICT);
    assert_int_equal(living->edit.problems[0].code, EDIT_CODE_CYCLE);
    expect_order(inside(living, 1));
    living_check(living);
    living_free(living);
}

static void an_edit_of_one_that_has_none_makes_it_itself(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    take_in(living, TASKS, true);
    lose_order(living);
    assert_int_equal(add_edge(living, 2, 9), ERR_CONFLICT);
    assert_int_equal(add_edge(living, 9, 2), ERR_NONE);
    expect_order(inside(living, 1));
    living_settle(living);
    expect_order(inside(living, 1));
    living_free(living);
}

static void a_lost_order_survives_edits_that_add_tasks_alone(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    take_in(living, TASKS, true);
    lose_order(living);
    struct edit_operation operation = living_addition(0);
    struct edit edit = living_batch(&operation, 1);
    assert_int_equal(living_edit(living, &edit), ERR_NONE);
    int64_t added = living->new_tasks[0];
    living_settle(living);
    expect_order(inside(living, 1));
    assert_int_equal(add_edge(living, added, 1), ERR_NONE);
    expect_order(inside(living, 1));
    living_free(living);
}

/* Two chains whose tasks take turns in the order: an edge from the end of the one to the beginning of the
   other is looked for through both. Returns the first task of the second; its last but one is before that
   of the first. */
static void take_in_two_chains(struct living *living)
{
    struct plan_task *list = living_tasks(TASKS);
    struct plan_edge *edges = mem_array(TASKS, sizeof *edges);
    for (uint32_t i = 0; i + 2 < TASKS; i++) {
        edges[i] =
            (struct plan_edge){ .from = i, .to = i + 2, .when = EDGE_WHEN_SUCCESS, .named = true };
    }
    struct plan plan = living_plan(list, TASKS, edges, TASKS - 2);
    living_submit(living, &plan);
    mem_free(list);
    mem_free(edges);
}

/* From the last task of the first chain to the third of the second: all of both lies between. */
enum { LOOKS = TASKS, FAR_FROM = TASKS - 1, FAR_TO = 4 };

static void an_edit_that_would_look_too_far_is_left_to_the_road_of_large_ones(void **state)
{
    (void)state;
    struct living *living = living_new(1);
    take_in_two_chains(living);
    living_limit_looks(living, LOOKS);
    const struct constellation *constellation = inside(living, 1);
    uint64_t first_order = constellation_task(constellation, FAR_TO - 1)->order;
    assert_int_equal(add_edge(living, FAR_FROM, FAR_TO), ERR_CONFLICT);
    assert_int_equal(living->edit.problems_count, 1);
    assert_int_equal(living->edit.problems[0].code, EDIT_CODE_TOO_LARGE);
    /* No more was looked at, and nothing has changed. */
    assert_in_range(order_visited(living->engine->order), LOOKS / 4, LOOKS);
    assert_true(constellation_task(constellation, FAR_TO - 1)->order == first_order);
    expect_order(constellation);
    living_check(living);
    living_compare(living);
    /* What is near goes on as before. */
    assert_int_equal(add_edge(living, 6, 5), ERR_NONE);
    assert_int_equal(add_edge(living, 5, 6), ERR_CONFLICT);
    assert_int_equal(living->edit.problems[0].code, EDIT_CODE_CYCLE);
    expect_order(constellation);
    living_free(living);
}

/* Begun, checked and made, but for the order; the answer is still to come. */
static void make_far_edge(struct living *living, struct edit_operation *operation)
{
    struct edit edit = edge_edit(operation, FAR_FROM, FAR_TO);
    struct event event = living_bulk_begin(&edit);
    living_turn(living, &event, 1);
    event = living_bulk_check(living, &edit, living->hold_id, 1);
    assert_int_equal(event.kind, EVENT_BULK_ADMIT);
    living_turn(living, &event, 1);
    while (living->bulk.next < living->bulk.parts) {
        living_turn(living, NULL, 0);
    }
    assert_int_equal(living->constellation.revision, 2);
    assert_true(inside(living, 1)->order_lost);
    living_check(living);
    living_compare(living);
}

static void expect_far_edge_made(struct living *living)
{
    assert_int_equal(living->bulk.id, 0);
    assert_int_equal(living_find_hold(living, HOLD_BULK, 0), 0);
    expect_order(inside(living, 1));
    assert_int_equal(add_edge(living, FAR_TO, FAR_FROM), ERR_CONFLICT);
    assert_int_equal(living->edit.problems[0].code, EDIT_CODE_CYCLE);
    living_check(living);
    living_compare(living);
    living_free(living);
}

static void what_is_made_there_has_a_new_order_before_it_is_over(void **state)
{
    (void)state;
    struct living *living = living_new_slow(1, TASKS / 10);
    struct edit_operation operation;
    take_in_two_chains(living);
    living_limit_looks(living, LOOKS);
    make_far_edge(living, &operation);
    int turns = 0;
    while (living->bulk.id != 0) {
        add_edge(living, 6, 9);
        assert_int_equal(living->edit.problems_count, 1);
        assert_int_equal(living->edit.problems[0].code, EDIT_CODE_REOPENING);
        living_check(living);
        turns++;
    }
    assert_in_range(turns, 5, 50);
    expect_far_edge_made(living);
}

static void a_restart_that_finds_all_parts_made_ends_the_edit(void **state)
{
    (void)state;
    struct living *living = living_new_slow(1, TASKS / 10);
    struct edit_operation operation;
    take_in_two_chains(living);
    living_limit_looks(living, LOOKS);
    make_far_edge(living, &operation);
    living_restart(living);
    living_settle(living);
    expect_far_edge_made(living);
}

/* What is removed by an edit that is refused goes back into an order that has changed meanwhile. */
static void an_order_that_cannot_be_put_back_in_a_turn_is_made_anew_over_several(void **state)
{
    (void)state;
    struct living *living = living_new_slow(1, TASKS / 10);
    take_in_two_chains(living);
    living_turn(living, NULL, 0);
    const struct constellation *constellation = inside(living, 1);
    assert_int_equal(add_edge(living, 3, 8), ERR_NONE);
    int64_t edge_id = living->new_edges[0];
    struct edit_operation operations[2];
    struct edit edit = edge_edit(&operations[1], FAR_FROM, FAR_TO);
    operations[0] = (struct edit_operation){ .kind = EDIT_REMOVE_EDGE };
    operations[0].edge.edge_id = edge_id;
    edit.operations = operations;
    edit.operations_count = 2;
    edit.dry_run = true;
    living_limit_looks(living, 1);
    assert_int_equal(living_edit(living, &edit), ERR_CONFLICT);
    assert_true(living_is_too_large(living));
    living_settle(living);
    expect_order(constellation);
    living_check(living);
    living_free(living);
}

static void ids_are_found_with_gaps_between_them(void **state)
{
    (void)state;
    enum { EACH = 40 };
    struct living *living = living_new(1);
    take_in(living, 3, false); /* tasks 1 to 3 */
    int64_t ids[EACH];
    for (size_t i = 0; i < EACH; i++) {
        struct edit_operation operation = living_addition(0);
        struct edit edit = living_batch(&operation, 1);
        for (size_t k = 0; k < i % 5; k++) { /* a dry run uses an id up */
            edit.dry_run = true;
            assert_int_equal(living_edit(living, &edit), ERR_NONE);
        }
        edit.dry_run = false;
        assert_int_equal(living_edit(living, &edit), ERR_NONE);
        ids[i] = living->new_tasks[0];
    }
    size_t at = 0;
    for (int64_t id = 4; id <= ids[EACH - 1] + 3; id++) {
        bool is_there = at < EACH && ids[at] == id;
        assert_true((engine_task(living->engine, 1, id) != NULL) == is_there);
        at += is_there;
    }
    assert_int_equal(at, EACH);
    living_check(living);
    living_free(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_that_comes_in_its_order_needs_none_made),
        cmocka_unit_test(the_order_of_any_other_plan_is_made_before_it_runs),
        cmocka_unit_test(an_edit_of_one_that_has_none_makes_it_itself),
        cmocka_unit_test(a_lost_order_survives_edits_that_add_tasks_alone),
        cmocka_unit_test(an_edit_that_would_look_too_far_is_left_to_the_road_of_large_ones),
        cmocka_unit_test(what_is_made_there_has_a_new_order_before_it_is_over),
        cmocka_unit_test(a_restart_that_finds_all_parts_made_ends_the_edit),
        cmocka_unit_test(an_order_that_cannot_be_put_back_in_a_turn_is_made_anew_over_several),
        cmocka_unit_test(ids_are_found_with_gaps_between_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
