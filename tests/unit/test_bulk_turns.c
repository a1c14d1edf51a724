/* An edit that is made in parts, turn by turn: what others may do meanwhile, and a restart at any of these
   turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/living_plan.h"

enum { TASKS = 6, NEW = 8, ROWS = 5, HELD_MS = 1000 };

static const struct plan_task ASKED = { .key = { "k", 1 },
                                        .body = { "b", 1 },
                                        .hold = { "look", 4 } };

/* A chain of TASKS, the last of which waits for an approval too; the first runs. */
static struct living *chain(void)
{
    struct living *living = living_new(1);
    struct plan_task tasks[TASKS];
    struct plan_edge edges[TASKS - 1];
    for (uint32_t i = 0; i < TASKS; i++) {
        tasks[i] = i == TASKS - 1 ? ASKED : LIVING_TASK;
        if (i > 0) {
            edges[i - 1] = (struct plan_edge){ .from = i - 1, .to = i, .when = EDGE_WHEN_SUCCESS };
        }
    }
    struct plan plan = living_plan(tasks, TASKS, edges, TASKS - 1);
    living_submit(living, &plan);
    return living;
}

/* Tasks 3 and 4 go, NEW come, each behind the second, and before the fifth. */
struct batch_of {
    struct edit_operation operations[2 + 3 * NEW];
    struct edit edit;
};

static const struct edit *replacement(struct batch_of *batch)
{
    *batch = (struct batch_of){ .edit = { .constellation_id = 1,
                                          .author_kind = AUTHOR_USER,
                                          .author = STR("ada"),
                                          .tasks_added = NEW } };
    struct edit_operation *operations = batch->operations;
    size_t count = 0;
    for (int i = 0; i < NEW; i++) {
        operations[count++] = living_addition((size_t)i);
        for (int k = 0; k < 2; k++) {
            struct edit_operation *edge = &operations[count++];
            edge->kind = EDIT_ADD_EDGE;
            edge->edge.from = k == 0 ? 2 : -1 - i;
            edge->edge.to = k == 0 ? -1 - i : 5;
            edge->edge.when = edge->edge.plan.when = EDGE_WHEN_SUCCESS;
        }
    }
    operations[count].kind = EDIT_REMOVE_TASK;
    operations[count++].task = 3;
    operations[count].kind = EDIT_REMOVE_TASK;
    operations[count++].task = 4;
    /* The edge from 4 to 5 has a target that stays. */
    batch->edit.operations = operations;
    batch->edit.operations_count = count;
    return &batch->edit;
}

static int64_t edge_between(struct living *living, int64_t from, int64_t to)
{
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct edge_record *edge = living_edge(living, id);
        if (edge != NULL && edge->from_id == from && edge->to_id == to) {
            return id;
        }
    }
    return 0;
}

static const struct edit *with_cut(struct living *living, struct batch_of *batch,
                                   struct edit_operation *list)
{
    const struct edit *edit = replacement(batch);
    memcpy(list, edit->operations, edit->operations_count * sizeof *list);
    list[edit->operations_count] = (struct edit_operation){ .kind = EDIT_REMOVE_EDGE };
    list[edit->operations_count].edge.edge_id = edge_between(living, 4, 5);
    batch->edit.operations = list;
    batch->edit.operations_count++;
    return &batch->edit;
}

struct trial {
    struct living *living;
    struct batch_of batch;
    struct edit_operation operations[3 + 3 * NEW];
    const struct edit *edit;
};

/* Begun, checked and admitted; its first part is made. */
static struct trial *begun(void)
{
    struct trial *trial = mem_alloc(sizeof *trial);
    trial->living = chain();
    trial->edit = with_cut(trial->living, &trial->batch, trial->operations);
    struct event event = living_bulk_begin(trial->edit);
    living_turn(trial->living, &event, 1);
    assert_int_equal(trial->living->err, ERR_NONE);
    event = living_bulk_check(trial->living, trial->edit, trial->living->hold_id, ROWS);
    assert_int_equal(event.kind, EVENT_BULK_ADMIT);
    assert_true(event.bulk_admit.parts > 5);
    living_turn(trial->living, &event, 1);
    assert_int_not_equal(trial->living->bulk.id, 0);
    return trial;
}

static void end(struct trial *trial)
{
    living_check(trial->living);
    living_compare(trial->living);
    living_free(trial->living);
    mem_free(trial);
}

static void expect_made(struct living *living)
{
    living_settle(living);
    assert_int_equal(living->bulk.id, 0);
    assert_int_equal(living_find_hold(living, HOLD_BULK, 0), 0);
    assert_int_equal(living->constellation.revision, 2);
    assert_int_equal(living->constellation.tasks, TASKS - 2 + NEW);
    assert_int_equal(living->constellation.edges, 2 + 2 * NEW);
    assert_null(living_task(living, 3));
}

static void a_restart_at_any_turn_changes_nothing_of_what_comes(void **state)
{
    (void)state;
    bool is_made = false;
    for (int turns = 0; !is_made; turns++) {
        struct trial *trial = begun();
        for (int i = 0; i < turns; i++) {
            living_turn(trial->living, NULL, 0);
        }
        is_made = trial->living->bulk.id == 0;
        living_restart(trial->living);
        living_check(trial->living);
        expect_made(trial->living);
        end(trial);
        assert_true(turns < 100);
    }
}

static void a_restart_before_it_is_admitted_leaves_all_as_it_was(void **state)
{
    (void)state;
    struct living *living = chain();
    struct batch_of batch;
    struct event event = living_bulk_begin(replacement(&batch));
    living_turn(living, &event, 1);
    assert_int_not_equal(living_find_hold(living, HOLD_BULK, 0), 0);
    living_restart(living);
    living_settle(living);
    assert_int_equal(living_find_hold(living, HOLD_BULK, 0), 0);
    assert_int_equal(living->constellation.revision, 1);
    assert_int_equal(living->constellation.tasks, TASKS);
    living_compare(living);
    living_free(living);
}

static void nobody_else_may_change_the_plan(void **state)
{
    (void)state;
    struct trial *trial = begun();
    struct living *living = trial->living;
    const struct edit_operation removal = { .kind = EDIT_REMOVE_TASK, .task = TASKS };
    const struct edit other = { .constellation_id = 1,
                                .operations = &removal,
                                .operations_count = 1 };
    living_edit(living, &other);
    assert_string_equal(living->why, "constellation_reopening");
    const int64_t last = 5;
    struct event event = { .kind = EVENT_REOPEN };
    event.reopen.constellation_id = 1;
    event.reopen.task_ids = &last;
    event.reopen.task_ids_count = 1;
    living_turn(living, &event, 1);
    assert_memory_equal(living->why, "constellation_reopening:", 24);
    event = (struct event){ .kind = EVENT_RELEASE };
    event.release.constellation_id = 1;
    event.release.hold_id = living_find_hold(living, HOLD_APPROVAL, TASKS);
    living_turn(living, &event, 1); /* denied */
    assert_memory_equal(living->why, "constellation_reopening:", 24);
    event.release.hold_id = living->bulk.id;
    event.release.approved = true;
    living_turn(living, &event, 1);
    assert_memory_equal(living->why, "constellation_reopening:", 24);
    assert_int_not_equal(living->bulk.id, 0);
    expect_made(living);
    end(trial);
}

static void what_runs_ends_and_nothing_starts(void **state)
{
    (void)state;
    struct trial *trial = begun();
    struct living *living = trial->living;
    assert_int_equal(living_task(living, 1)->state, TASK_ASSIGNED);
    living_finish(living, living_task(living, 1)->fence, OUTCOME_EXITED, 0);
    assert_int_equal(living_task(living, 1)->state, TASK_SUCCEEDED);
    while (living->bulk.id != 0) {
        assert_int_equal(living_task(living, 2)->state, TASK_WAITING);
        living_turn(living, NULL, 0);
    }
    expect_made(living);
    assert_int_equal(living_task(living, 2)->state, TASK_ASSIGNED);
    end(trial);
}

static void a_cancel_is_made_when_the_edit_is_through(void **state)
{
    (void)state;
    struct trial *trial = begun();
    struct event event = living_cancel();
    living_turn(trial->living, &event, 1);
    assert_int_equal(trial->living->err, ERR_NONE);
    assert_int_equal(living_task(trial->living, 2)->state, TASK_WAITING);
    expect_made(trial->living);
    assert_int_equal(living_task(trial->living, 2)->state, TASK_CANCELLED);
    end(trial);
}

static void a_hold_that_fails_what_it_holds_waits_for_the_edit(void **state)
{
    (void)state;
    struct living *living = chain();
    struct batch_of batch;
    struct edit_operation operations[3 + 3 * NEW];
    const int64_t held = 5;
    struct event event = { .kind = EVENT_HOLD };
    event.hold.constellation_id = 1;
    event.hold.scope = HOLD_TASKS;
    event.hold.origin = HOLD_BY_REQUEST;
    event.hold.on_expiry = HOLD_EXPIRY_FAIL;
    event.hold.length_ms = HELD_MS;
    event.hold.task_ids = &held;
    event.hold.task_ids_count = 1;
    living_turn(living, &event, 1);
    const struct edit *edit = with_cut(living, &batch, operations);
    event = living_bulk_begin(edit);
    living_turn(living, &event, 1);
    int64_t bulk_id = living->hold_id;
    living_pass(living, HELD_MS);
    living_turn(living, NULL, 0);
    assert_int_equal(living_task(living, 5)->state, TASK_WAITING);
    event = living_bulk_check(living, edit, bulk_id, ROWS);
    living_turn(living, &event, 1);
    expect_made(living);
    living_pass(living, HELD_MS);
    living_settle(living);
    living_turn(living, NULL, 0);
    assert_int_equal(living_task(living, 5)->state, TASK_FAILED);
    living_compare(living);
    living_free(living);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_at_any_turn_changes_nothing_of_what_comes),
        cmocka_unit_test(a_restart_before_it_is_admitted_leaves_all_as_it_was),
        cmocka_unit_test(nobody_else_may_change_the_plan),
        cmocka_unit_test(what_runs_ends_and_nothing_starts),
        cmocka_unit_test(a_cancel_is_made_when_the_edit_is_through),
        cmocka_unit_test(a_hold_that_fails_what_it_holds_waits_for_the_edit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
