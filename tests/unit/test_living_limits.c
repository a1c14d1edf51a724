/* What may grow by edits, holds and conditions has an end, and each is reached here. And the table of
   dependencies: what each kind makes of each way to end, held against docs/spec.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

static struct living *world(size_t tasks, const struct plan_edge *edges, size_t edges_count)
{
    struct living *living = living_new(1);
    struct plan_task *list = living_tasks(tasks);
    struct plan plan = living_plan(list, tasks, edges, edges_count);
    living_submit(living, &plan);
    mem_free(list);
    return living;
}

/* Task 1 before all the others. */
static struct living *star_of(size_t tasks, struct str condition, enum edge_when when)
{
    struct plan_edge *edges = mem_array(tasks, sizeof *edges);
    for (size_t i = 0; i + 1 < tasks; i++) {
        edges[i] = (struct plan_edge){
            .from = 0, .to = (uint32_t)i + 1, .when = when, .condition = condition
        };
    }
    struct living *living = world(tasks, edges, tasks - 1);
    mem_free(edges);
    return living;
}

static struct living *star(size_t tasks, struct str condition)
{
    return star_of(tasks, condition, EDGE_WHEN_SUCCESS);
}

static enum err apply(struct living *living, struct edit_operation *operations, size_t count)
{
    struct edit edit = living_batch(operations, count);
    return living_edit(living, &edit);
}

static void expect_refused(const struct living *living, enum edit_code code)
{
    assert_int_equal(living->err, ERR_CONFLICT);
    assert_true(living->has_edit);
    assert_string_equal(living->why, edit_code_name(code));
    assert_int_equal(living->edit.problems[0].code, code);
}

static void a_batch_touches_so_much_and_no_more(void **state)
{
    (void)state;
    struct living *living = world(1, NULL, 0);
    struct edit_operation operations[EDIT_ROWS_MAX + 1];
    for (size_t i = 0; i <= EDIT_ROWS_MAX; i++) {
        operations[i] = living_addition(i);
    }
    apply(living, operations, EDIT_ROWS_MAX + 1);
    expect_refused(living, EDIT_CODE_TOO_LARGE);
    assert_int_equal(living->constellation.tasks, 1);
    assert_int_equal(apply(living, operations, EDIT_ROWS_MAX), ERR_NONE);
    assert_int_equal(living->constellation.tasks, 1 + EDIT_ROWS_MAX);
    living_check(living);
    living_free(living);
}

static void what_goes_with_a_task_counts_too(void **state)
{
    (void)state;
    enum { MANY = EDIT_ROWS_MAX };
    struct plan_edge *edges = mem_array(MANY, sizeof *edges);
    for (uint32_t i = 0; i < MANY; i++) {
        edges[i] = (struct plan_edge){ .from = i, .to = MANY, .when = EDGE_WHEN_SUCCESS };
    }
    struct living *living = world(MANY + 1, edges, MANY);
    struct edit_operation operation = { .kind = EDIT_REMOVE_TASK, .task = MANY + 1 };
    apply(living, &operation, 1);
    expect_refused(living, EDIT_CODE_TOO_LARGE);
    assert_int_equal(living->constellation.edges, MANY);
    living_check(living);
    /* Taken apart it can go. */
    for (size_t first = 0; first < MANY; first += 500) {
        struct edit_operation cuts[500];
        for (size_t i = 0; i < 500; i++) {
            cuts[i] = (struct edit_operation){ .kind = EDIT_REMOVE_EDGE };
            cuts[i].edge.edge_id = (int64_t)(first + i + 1);
        }
        assert_int_equal(apply(living, cuts, 500), ERR_NONE);
    }
    /* It is about to run by now, and has gone into the ready queue; it has not started. */
    assert_int_equal(apply(living, &operation, 1), ERR_NONE);
    living_check(living);
    mem_free(edges);
    living_free(living);
}

/* A task before, and one behind, all others: whether they are linked already is seen when one has been
   compared with all. */
static void what_is_compared_with_too_many_dependencies_is_made_in_parts(void **state)
{
    (void)state;
    enum { HUB = 1000, LAST = HUB + 2 };
    struct plan_edge *edges = mem_array(2 * HUB, sizeof *edges);
    for (uint32_t i = 0; i < HUB; i++) {
        edges[2 * i] = (struct plan_edge){ .from = 0, .to = i + 1, .when = EDGE_WHEN_SUCCESS };
        edges[2 * i + 1] =
            (struct plan_edge){ .from = i + 1, .to = LAST - 1, .when = EDGE_WHEN_SUCCESS };
    }
    struct living *living = world(LAST, edges, 2 * HUB);
    mem_free(edges);
    struct edit_operation operation = living_link(1, LAST, EDGE_WHEN_SUCCESS);
    const struct edit edit = {
        .constellation_id = 1, .operations = &operation, .operations_count = 1, .author = STR("ada")
    };
    living_limit_looks(living, HUB);
    apply(living, &operation, 1);
    expect_refused(living, EDIT_CODE_TOO_LARGE);
    assert_int_equal(living_bulk(living, &edit, 1), ERR_NONE);
    assert_int_equal(living->constellation.edges, 2 * HUB + 1);
    assert_int_equal(living_bulk(living, &edit, 1), ERR_CONFLICT);
    assert_int_equal(living->edit.problems[0].code, EDIT_CODE_DUPLICATE_EDGE);
    /* With a few more looks it is all the same in one turn. */
    living_limit_looks(living, HUB + 2);
    apply(living, &operation, 1);
    expect_refused(living, EDIT_CODE_DUPLICATE_EDGE);
    operation.edge.when = EDGE_WHEN_FINISHED;
    assert_int_equal(apply(living, &operation, 1), ERR_NONE);
    assert_int_equal(living->constellation.edges, 2 * HUB + 2);
    living_check(living);
    living_compare(living);
    living_free(living);
}

static void a_plan_has_so_many_tasks_and_dependencies(void **state)
{
    (void)state;
    struct living *living = world(3, NULL, 0);
    living->engine->config.plan_tasks_max = 4;
    living->engine->config.plan_edges_max = 2;
    struct edit_operation add[] = { living_addition(0), living_addition(1) };
    apply(living, add, 2);
    expect_refused(living, EDIT_CODE_TOO_MANY_TASKS);
    assert_int_equal(apply(living, add, 1), ERR_NONE);
    apply(living, add, 1);
    expect_refused(living, EDIT_CODE_TOO_MANY_TASKS);
    struct edit_operation links[] = { living_link(1, 2, EDGE_WHEN_SUCCESS),
                                      living_link(1, 3, EDGE_WHEN_SUCCESS),
                                      living_link(2, 3, EDGE_WHEN_SUCCESS) };
    apply(living, links, 3);
    expect_refused(living, EDIT_CODE_TOO_MANY_EDGES);
    assert_int_equal(apply(living, links, 2), ERR_NONE);
    apply(living, &links[2], 1);
    expect_refused(living, EDIT_CODE_TOO_MANY_EDGES);
    /* One that goes makes room in the same batch. */
    struct edit_operation swap[] = { { .kind = EDIT_REMOVE_EDGE }, links[2] };
    swap[0].edge.edge_id = 2;
    assert_int_equal(apply(living, swap, 2), ERR_NONE);
    living_check(living);
    living_compare(living);
    living_free(living);
}

static void so_many_problems_are_told(void **state)
{
    (void)state;
    enum { MANY = EDIT_PROBLEMS_MAX + 1 };
    struct living *living = world(1, NULL, 0);
    struct edit_operation operations[MANY];
    for (size_t i = 0; i < MANY; i++) {
        operations[i] = (struct edit_operation){ .kind = EDIT_TOUCH, .task = 1000 };
    }
    apply(living, operations, EDIT_PROBLEMS_MAX);
    assert_int_equal(living->edit.problems_count, EDIT_PROBLEMS_MAX);
    assert_false(living->edit.more_problems);
    apply(living, operations, MANY);
    assert_int_equal(living->edit.problems_count, EDIT_PROBLEMS_MAX);
    assert_true(living->edit.more_problems);
    living_free(living);
}

static enum err hold(struct living *living, enum hold_scope scope, const int64_t *ids, size_t count)
{
    struct event event = living_hold(scope, ids, count, 0);
    living_turn(living, &event, 1);
    return living->err;
}

static void so_many_holds_are_on_a_constellation(void **state)
{
    (void)state;
    struct living *living = world(2, NULL, 0);
    const int64_t id = 2;
    for (int i = 0; i < ENGINE_HOLDS_MAX; i++) {
        assert_int_equal(hold(living, HOLD_TASKS, &id, 1), ERR_NONE);
    }
    assert_int_equal(hold(living, HOLD_TASKS, &id, 1), ERR_LIMIT);
    assert_int_equal(hold(living, HOLD_ALL, NULL, 0), ERR_LIMIT);
    struct event release = { .kind = EVENT_RELEASE };
    release.release.constellation_id = 1;
    release.release.hold_id = living_find_hold(living, HOLD_BY_REQUEST, 0);
    release.release.approved = true;
    living_turn(living, &release, 1);
    assert_int_equal(hold(living, HOLD_ALL, NULL, 0), ERR_NONE);
    living_check(living);
    living_free(living);
}

static void one_hold_names_so_many_tasks(void **state)
{
    (void)state;
    enum { TASKS = ENGINE_HOLD_TASKS_MAX + 2 };
    struct living *living = star(TASKS, (struct str){ 0 });
    int64_t *ids = mem_array(TASKS, sizeof *ids);
    for (int i = 0; i < TASKS; i++) {
        ids[i] = i + 1;
    }
    assert_int_equal(hold(living, HOLD_TASKS, ids, ENGINE_HOLD_TASKS_MAX + 1), ERR_LIMIT);
    assert_int_equal(hold(living, HOLD_TASKS, ids, ENGINE_HOLD_TASKS_MAX), ERR_NONE);
    /* One more is behind the first than a hold may name. */
    assert_int_equal(hold(living, HOLD_DESCENDANTS, ids, 1), ERR_LIMIT);
    assert_memory_equal(living->why, "hold_too_wide:", 14);
    struct edit_operation removal = { .kind = EDIT_REMOVE_TASK, .task = TASKS };
    assert_int_equal(apply(living, &removal, 1), ERR_NONE);
    assert_int_equal(hold(living, HOLD_DESCENDANTS, ids, 1), ERR_NONE);
    /* What is added behind it then is not held: there is no room. */
    struct edit_operation behind[] = { living_addition(0), living_link(1, -1, EDGE_WHEN_SUCCESS) };
    assert_int_equal(apply(living, behind, 2), ERR_NONE);
    living_check(living);
    mem_free(ids);
    living_free(living);
}

static void so_many_conditions_are_asked_in_one_turn(void **state)
{
    (void)state;
    enum { TASKS = 2 * ENGINE_EVALUATE_MAX + 2 };
    struct living *living = star(TASKS, STR("number > 3"));
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = living_task(living, 1)->fence;
    msg.finished.outcome = OUTCOME_EXITED;
    struct event event = { .kind = EVENT_MESSAGE,
                           .message = { .channel = LIVING_CHANNEL, .msg = &msg } };
    size_t asked[4] = { 0 };
    for (size_t turn = 0; turn < 4; turn++) {
        living_turn(living, &event, turn == 0);
        for (size_t i = 0; i < living->effects.count; i++) {
            asked[turn] += living->effects.list[i].kind == EFFECT_EVALUATE;
        }
        living_check(living);
    }
    assert_int_equal(asked[0], ENGINE_EVALUATE_MAX);
    assert_int_equal(asked[1], ENGINE_EVALUATE_MAX);
    assert_int_equal(asked[2], 1);
    assert_int_equal(asked[3], 0);
    living_free(living);
}

/* The retry comes with the second turn of questions. */
static void an_answer_for_a_task_that_waits_again_decides_nothing(void **state)
{
    (void)state;
    enum { TASKS = 2 * ENGINE_EVALUATE_MAX + 2 };
    struct living *living = star_of(TASKS, STR("number > 3"), EDGE_WHEN_FAILURE);
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = living_task(living, 1)->fence;
    msg.finished.outcome = OUTCOME_EXITED;
    msg.finished.exit_code = 1;
    const int64_t root = 1;
    struct event events[] = { { .kind = EVENT_MESSAGE,
                                .message = { .channel = LIVING_CHANNEL, .msg = &msg } },
                              living_hold(HOLD_DESCENDANTS, &root, 1, 0),
                              living_reopening(&root, false) };
    living_turn(living, events, 2);
    living_turn(living, &events[2], 1);
    assert_int_equal(living->err, ERR_NONE);
    living_settle(living);
    living_expect_state(living, 1, TASK_ASSIGNED);
    for (int64_t id = 1; id < TASKS; id++) {
        assert_int_equal(living_edge(living, id)->decision, EDGE_UNDECIDED);
    }
    living_check(living);
    living_compare(living);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 1);
    living_settle(living);
    for (int64_t id = 1; id < TASKS; id++) {
        assert_int_equal(living_edge(living, id)->decision, EDGE_OPEN);
    }
    living_end(living);
}

/* --- The table of dependencies --- */

static const enum edge_when KINDS[] = { EDGE_WHEN_SUCCESS, EDGE_WHEN_FINISHED, EDGE_WHEN_FAILURE,
                                        EDGE_WHEN_ALWAYS };
static const enum task_state ENDS[] = { TASK_SUCCEEDED, TASK_FAILED, TASK_CANCELLED, TASK_SKIPPED };

static void each_kind_makes_one_thing_of_each_end(void **state)
{
    (void)state;
    static const enum edge_decision table[4][4] = {
        /*            succeeded    failed       cancelled    skipped */
        /* success */ { EDGE_OPEN, EDGE_CLOSED, EDGE_CLOSED, EDGE_CLOSED },
        /* finished */ { EDGE_OPEN, EDGE_OPEN, EDGE_CLOSED, EDGE_CLOSED },
        /* failure */ { EDGE_CLOSED, EDGE_OPEN, EDGE_CLOSED, EDGE_CLOSED },
        /* always */ { EDGE_OPEN, EDGE_OPEN, EDGE_OPEN, EDGE_OPEN },
    };
    for (size_t k = 0; k < 4; k++) {
        for (size_t e = 0; e < 4; e++) {
            assert_int_equal(decision_of(KINDS[k], ENDS[e]), table[k][e]);
        }
    }
    /* Nothing else is an end. */
    size_t ends = 0;
    for (int at = TASK_WAITING; at < TASK_STATES_END; at++) {
        ends += task_state_is_final((enum task_state)at);
    }
    assert_int_equal(ends, 4);
}

/* Whether this cell of the document's table names the end. */
static bool cell_names(const char *cell, size_t length, enum task_state state)
{
    char text[128];
    assert_true(length < sizeof text);
    memcpy(text, cell, length);
    text[length] = '\0';
    return strstr(text, "any way") != NULL || strstr(text, task_state_name(state)) != NULL;
}

static void the_document_says_the_same(void **state)
{
    (void)state;
    char line[512];
    size_t rows = 0;
    FILE *file = fopen("docs/spec.md", "r");
    assert_non_null(file);
    bool is_table = false;
    while (fgets(line, sizeof line, file) != NULL) {
        is_table = is_table || strncmp(line, "| `when` | opens", 16) == 0;
        for (size_t k = 0; is_table && k < 4; k++) {
            char head[32];
            int length = snprintf(head, sizeof head, "| `%s` |", edge_when_name(KINDS[k]));
            if (strncmp(line, head, (size_t)length) != 0) {
                continue;
            }
            const char *opens = line + length;
            const char *closes = strchr(opens, '|');
            assert_non_null(closes);
            for (size_t e = 0; e < 4; e++) {
                bool is_open = decision_of(KINDS[k], ENDS[e]) == EDGE_OPEN;
                assert_int_equal(cell_names(opens, (size_t)(closes - opens), ENDS[e]), is_open);
                assert_int_equal(cell_names(closes, strlen(closes), ENDS[e]), !is_open);
            }
            rows++;
        }
        is_table = is_table && line[0] == '|';
    }
    fclose(file);
    assert_int_equal(rows, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_touches_so_much_and_no_more),
        cmocka_unit_test(what_goes_with_a_task_counts_too),
        cmocka_unit_test(what_is_compared_with_too_many_dependencies_is_made_in_parts),
        cmocka_unit_test(a_plan_has_so_many_tasks_and_dependencies),
        cmocka_unit_test(so_many_problems_are_told),
        cmocka_unit_test(so_many_holds_are_on_a_constellation),
        cmocka_unit_test(one_hold_names_so_many_tasks),
        cmocka_unit_test(so_many_conditions_are_asked_in_one_turn),
        cmocka_unit_test(an_answer_for_a_task_that_waits_again_decides_nothing),
        cmocka_unit_test(each_kind_makes_one_thing_of_each_end),
        cmocka_unit_test(the_document_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
