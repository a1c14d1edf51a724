/* Edits through the API: what a batch does to a plan, and what is said when it cannot be applied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/trial.h"

#define CHAIN                                                                                      \
    "name: chain\ntasks:\n  first: {run: [echo, hi]}\n  second: {run: [ls], needs: first}\n"       \
    "  third: {run: [ls], needs: [{task: second, when: failure}]}\n"

static int set_up(void **state)
{
    *state = trial_new(CHAIN);
    return 0;
}

static const json_t *error_at(const struct answer *answer, size_t index)
{
    const json_t *errors = json_object_get(answer->json, "errors");
    const json_t *error = json_array_get(errors, index);
    if (error == NULL) {
        fail_msg("no error %zu: %s", index, (const char *)answer->all.data);
    }
    return error;
}

/* One code an error, in their order. */
static void expect_refused(struct trial *trial, const char *body, int status, const char *code,
                           const char *codes)
{
    struct answer answer = trial_ask(trial, "POST", "/edits", NULL, body);
    struct buf found = { 0 };
    size_t at = 0;
    const json_t *error = NULL;
    json_array_foreach(json_object_get(answer.json, "errors"), at, error)
    {
        buf_printf(&found, "%s%s", at == 0 ? "" : " ",
                   json_string_value(json_object_get(error, "code")));
    }
    if (answer.status != status || strcmp(answer_text(&answer, "code"), code) != 0 ||
        strcmp(buf_text(&found), codes) != 0) {
        fail_msg("%s\n%s", body, buf_text(&answer.all));
    }
    buf_done(&found);
    answer_done(&answer);
}

static int64_t count_in(const struct answer *answer, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(answer->json, object), key));
}

static json_t *task_spec(struct trial *trial, const char *key)
{
    char rest[64];
    snprintf(rest, sizeof(rest), "/tasks/%s", key);
    struct answer answer = trial_get(trial, rest, 200);
    json_t *json = json_incref(answer.json);
    answer_done(&answer);
    return json;
}

static void a_batch_adds_changes_and_removes(void **state)
{
    struct trial *trial = *state;
    struct answer answer =
        trial_post(trial, "/edits",
                   "{\"base_revision\": 1, \"reason\": \"more\", \"operations\": ["
                   "{\"op\": \"add_task\", \"task\": \"fourth\", \"spec\": {\"run\": [\"echo\","
                   " \"${{ tasks.second.stdout }}\"], \"needs\": [{\"task\": \"first\","
                   " \"when\": \"always\", \"if\": \"exit_code = 0\"}]}},"
                   "{\"op\": \"remove_task\", \"task\": \"third\"},"
                   "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"priority\": 7}},"
                   "{\"op\": \"add_task\", \"task\": \"fifth\", \"spec\": {\"noop\": true}}]}",
                   200);
    assert_int_equal(answer_number(&answer, "revision"), 2);
    assert_int_equal(count_in(&answer, "tasks", "added"), 2);
    assert_int_equal(count_in(&answer, "tasks", "removed"), 1);
    assert_int_equal(count_in(&answer, "tasks", "changed"), 1);
    assert_int_equal(count_in(&answer, "dependencies", "added"), 2);
    assert_int_equal(count_in(&answer, "dependencies", "removed"), 1);
    assert_int_equal(count_in(&answer, "newly_ready", "count"), 1);
    answer_done(&answer);
    json_t *second = task_spec(trial, "second");
    assert_int_equal(json_integer_value(json_object_get(second, "priority")), 7);
    json_decref(second);
    trial_expect(trial, "GET", "/tasks/third", NULL, 404);
}

static void all_that_is_wrong_is_told_at_once_and_nothing_is_done(void **state)
{
    struct trial *trial = *state;
    expect_refused(trial,
                   "{\"operations\": ["
                   "{\"op\": \"add_task\", \"task\": \"first\", \"spec\": {\"noop\": true}},"
                   "{\"op\": \"remove_task\", \"task\": \"frist\"},"
                   "{\"op\": \"add_task\", \"task\": \"new\", \"spec\": {\"run\": [\"x\"],"
                   " \"retry\": {\"max\": 3}}},"
                   "{\"op\": \"add_dependency\", \"from\": \"third\", \"to\": \"first\"},"
                   "{\"op\": \"remove_task\", \"task\": \"second\"},"
                   "{\"op\": \"add_dependency\", \"from\": \"first\", \"to\": \"third\","
                   " \"if\": \"exit_kode = 1\"}]}",
                   422, "edit_refused",
                   "duplicate_key unknown_task unknown_key cycle has_dependents bad_condition");
    trial_apply(trial,
                "{\"base_revision\": 1, \"operations\": [{\"op\": \"remove_task\","
                " \"task\": \"third\"}]}",
                2);
}

static void an_unknown_key_is_told_with_those_that_there_are(void **state)
{
    struct trial *trial = *state;
    struct answer answer = trial_post(trial, "/edits",
                                      "{\"operations\": [{\"op\": \"remove_task\","
                                      " \"task\": \"thrid\"}]}",
                                      422);
    const json_t *error = error_at(&answer, 0);
    assert_int_equal(json_integer_value(json_object_get(error, "index")), 0);
    assert_string_equal(json_string_value(json_object_get(error, "path")), "/operations/0/task");
    assert_string_equal(json_string_value(json_object_get(error, "detail")),
                        "no task \"thrid\": did you mean \"third\"?");
    assert_string_equal(json_string_value(json_object_get(error, "allowed")),
                        "first, second, third");
    answer_done(&answer);
}

static void a_cycle_names_its_tasks(void **state)
{
    struct trial *trial = *state;
    struct answer answer = trial_post(trial, "/edits",
                                      "{\"operations\": [{\"op\": \"add_dependency\","
                                      " \"from\": \"third\", \"to\": \"first\"}]}",
                                      422);
    const json_t *error = error_at(&answer, 0);
    assert_string_equal(json_string_value(json_object_get(error, "code")), "cycle");
    assert_int_equal(json_array_size(json_object_get(error, "tasks")), 3);
    answer_done(&answer);
}

static void a_cycle_that_is_long_is_not_told_to_its_end(void **state)
{
    struct trial *trial = *state;
    struct buf batch = { 0 };
    buf_append_text(&batch, "{\"operations\": [");
    for (int i = 0; i <= EDIT_PROBLEM_TASKS_MAX; i++) {
        buf_printf(&batch, "{\"op\": \"add_task\", \"task\": \"t%d\", \"spec\": {", i);
        if (i > 0) {
            buf_printf(&batch, "\"needs\": \"t%d\"", i - 1);
        }
        buf_append_text(&batch, "}}, ");
    }
    buf_printf(&batch, "{\"op\": \"add_dependency\", \"from\": \"t%d\", \"to\": \"t0\"}]}",
               EDIT_PROBLEM_TASKS_MAX);
    struct answer answer = trial_post(trial, "/edits", buf_text(&batch), 422);
    const json_t *error = error_at(&answer, 0);
    const char *detail = json_string_value(json_object_get(error, "detail"));
    assert_string_equal(json_string_value(json_object_get(error, "code")), "cycle");
    assert_int_equal(json_array_size(json_object_get(error, "tasks")), EDIT_PROBLEM_TASKS_MAX);
    assert_non_null(strstr(detail, "a cycle of 21 tasks: "));
    assert_string_equal(strstr(detail, " → …"), " → …");
    answer_done(&answer);
    buf_done(&batch);
}

static void what_was_never_made_is_not_undone(void **state)
{
    struct trial *trial = *state;
    struct answer answer = trial_post(trial, "/undo", "{\"revision\": 1}", 404);
    assert_string_equal(answer_text(&answer, "detail"),
                        "revision 1 is the submission: there is nothing before it");
    answer_done(&answer);
    answer = trial_post(trial, "/undo", "{\"revision\": 77}", 404);
    assert_string_equal(answer_text(&answer, "detail"),
                        "revision 77 does not exist, or is not kept any more");
    answer_done(&answer);
}

static void what_has_changed_since_the_base_is_a_conflict(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial,
                "{\"operations\": [{\"op\": \"update_task\", \"task\": \"second\","
                " \"set\": {\"priority\": 7}}]}",
                2);
    expect_refused(trial,
                   "{\"base_revision\": 1, \"operations\": [{\"op\": \"update_task\","
                   " \"task\": \"second\", \"set\": {\"priority\": 8}}]}",
                   409, "edit_conflict", "edit_conflict");
    /* What it has nothing to do with does not matter: it is put onto the head. */
    trial_apply(trial,
                "{\"base_revision\": 1, \"operations\": [{\"op\": \"add_task\","
                " \"task\": \"x\", \"spec\": {\"noop\": true}}]}",
                3);
    struct answer answer =
        trial_ask(trial, "POST", "/edits", "If-Match: \"2\"\r\n",
                  "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}");
    answer_must(&answer, 409);
    assert_string_equal(json_string_value(json_object_get(error_at(&answer, 0), "code")),
                        "stale_revision");
    answer_done(&answer);
    answer = trial_ask(trial, "POST", "/edits", "If-Match: \"3\"\r\n",
                       "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}");
    answer_must(&answer, 200);
    answer_done(&answer);
    answer = trial_ask(trial, "POST", "/edits", "If-Match: 3\r\n",
                       "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}");
    answer_must(&answer, 400);
    answer_done(&answer);
}

static void an_expectation_that_does_not_hold_refuses_it(void **state)
{
    struct trial *trial = *state;
    expect_refused(trial,
                   "{\"expect\": [{\"task\": \"first\", \"state\": \"failed\"},"
                   " {\"task\": \"nobody\"}, {\"task\": \"second\", \"state\": \"ready\"}],"
                   " \"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"}]}",
                   409, "edit_conflict", "expect_failed unknown_task expect_failed");
    trial_apply(trial,
                "{\"expect\": [{\"task\": \"first\", \"state\": \"ready\"},"
                " {\"task\": \"second\", \"state\": \"waiting\"}], \"operations\":"
                " [{\"op\": \"remove_task\", \"task\": \"third\"}]}",
                2);
}

static void it_may_be_expected_that_a_task_has_had_no_attempt(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial,
                "{\"expect\": [{\"task\": \"first\", \"attempt\": 0}],"
                " \"operations\": [{\"op\": \"set\", \"description\": \"x\"}]}",
                2);
    house_connect_device(trial->house);
    house_started(trial->house, house_take_fence(trial->house));
    expect_refused(trial,
                   "{\"expect\": [{\"task\": \"first\", \"attempt\": 0},"
                   " {\"task\": \"first\", \"attempt\": 1}],"
                   " \"operations\": [{\"op\": \"set\", \"description\": \"y\"}]}",
                   409, "edit_conflict", "expect_failed");
}

static void a_dry_run_tells_and_does_nothing(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < 2; i++) {
        struct answer answer =
            trial_post(trial, "/edits?dry_run=1",
                       "{\"operations\": [{\"op\": \"add_task\", \"task\": \"x\","
                       " \"spec\": {\"noop\": true, \"needs\": \"third\"}}]}",
                       200);
        assert_true(json_is_true(json_object_get(answer.json, "dry_run")));
        assert_int_equal(count_in(&answer, "tasks", "added"), 1);
        assert_int_equal(count_in(&answer, "critical_path", "before"), 3);
        assert_int_equal(count_in(&answer, "critical_path", "after"), 4);
        answer_done(&answer);
    }
    trial_expect(trial, "GET", "/tasks/x", NULL, 404);
}

static void the_same_edit_sent_twice_is_made_once(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < 2; i++) {
        struct answer answer =
            trial_ask(trial, "POST", "/edits", "Idempotency-Key: once\r\n",
                      "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"}]}");
        answer_must(&answer, 200);
        assert_int_equal(answer_number(&answer, "revision"), 2);
        answer_done(&answer);
    }
}

static void a_task_that_has_started_is_left_alone(void **state)
{
    struct trial *trial = *state;
    house_connect_device(trial->house);
    uint64_t fence = house_take_fence(trial->house);
    house_started(trial->house, fence);
    expect_refused(trial,
                   "{\"operations\": [{\"op\": \"update_task\", \"task\": \"first\","
                   " \"set\": {\"priority\": 8}}, {\"op\": \"add_dependency\","
                   " \"from\": \"third\", \"to\": \"first\"}]}",
                   422, "edit_refused", "task_started target_started");
    house_finished(trial->house, fence, 0, 0);
    expect_refused(trial, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"first\"}]}", 422,
                   "edit_refused", "task_final");
}

static void what_several_dependencies_of_an_operation_break_is_told_once(void **state)
{
    struct trial *trial = *state;
    house_connect_device(trial->house);
    house_started(trial->house, house_take_fence(trial->house));
    expect_refused(trial,
                   "{\"operations\": [{\"op\": \"add_task\", \"task\": \"x\", \"spec\": {}},"
                   "{\"op\": \"add_task\", \"task\": \"y\", \"spec\": {}},"
                   "{\"op\": \"update_task\", \"task\": \"first\","
                   " \"set\": {\"needs\": [\"x\", \"y\"]}}]}",
                   422, "edit_refused", "target_started");
}

static void removed_and_added_again_is_rewritten(void **state)
{
    struct trial *trial = *state;
    struct answer answer =
        trial_post(trial, "/edits",
                   "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"second\"},"
                   "{\"op\": \"add_task\", \"task\": \"second\", \"spec\": {\"noop\": true,"
                   " \"needs\": \"first\"}}]}",
                   200);
    assert_int_equal(count_in(&answer, "tasks", "added"), 0);
    assert_int_equal(count_in(&answer, "tasks", "changed"), 1);
    assert_int_equal(count_in(&answer, "dependencies", "removed"), 0);
    answer_done(&answer);
}

static void the_order_of_operations_does_not_matter(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial,
                "{\"operations\": [{\"op\": \"add_dependency\", \"from\": \"y\", \"to\": \"x\"},"
                "{\"op\": \"add_task\", \"task\": \"x\", \"spec\": {\"noop\": true,"
                " \"limits\": [\"gpu\"]}},"
                "{\"op\": \"add_task\", \"task\": \"y\", \"spec\": {\"noop\": true}},"
                "{\"op\": \"set\", \"limits\": {\"gpu\": 1}},"
                "{\"op\": \"remove_dependency\", \"from\": \"second\", \"to\": \"third\"},"
                "{\"op\": \"remove_task\", \"task\": \"second\"}]}",
                2);
}

static void a_reference_makes_its_dependency_and_gives_it_up(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial,
                "{\"operations\": [{\"op\": \"update_task\", \"task\": \"third\","
                " \"set\": {\"run\": [\"echo\", \"${{ tasks.first.stdout }}\"]}}]}",
                2);
    expect_refused(trial,
                   "{\"operations\": [{\"op\": \"remove_dependency\", \"from\": \"first\","
                   " \"to\": \"third\"}]}",
                   422, "edit_refused", "made_by_reference");
    struct answer answer = trial_post(trial, "/edits",
                                      "{\"operations\": [{\"op\": \"update_task\","
                                      " \"task\": \"third\", \"set\": {\"run\": [\"ls\"]}}]}",
                                      200);
    assert_int_equal(count_in(&answer, "dependencies", "removed"), 1);
    answer_done(&answer);
}

static void a_finished_constellation_goes_on_when_tasks_are_added(void **state)
{
    struct trial *trial = *state;
    house_connect_device(trial->house);
    house_finished(trial->house, house_take_fence(trial->house), 0, 0);
    house_finished(trial->house, house_take_fence(trial->house), 0, 0);
    struct answer answer = trial_ask(trial, "GET", "", NULL, NULL);
    assert_string_equal(answer_text(&answer, "state"), "succeeded");
    answer_done(&answer);
    trial_apply(trial,
                "{\"operations\": [{\"op\": \"add_task\", \"task\": \"x\","
                " \"spec\": {\"run\": [\"ls\"], \"needs\": \"second\"}}]}",
                2);
    house_finished(trial->house, house_take_fence(trial->house), 0, 0);
    answer = trial_ask(trial, "GET", "", NULL, NULL);
    assert_string_equal(answer_text(&answer, "state"), "succeeded");
    answer_done(&answer);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, trial_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_batch_adds_changes_and_removes),
        ROW(all_that_is_wrong_is_told_at_once_and_nothing_is_done),
        ROW(an_unknown_key_is_told_with_those_that_there_are),
        ROW(a_cycle_names_its_tasks),
        ROW(a_cycle_that_is_long_is_not_told_to_its_end),
        ROW(what_was_never_made_is_not_undone),
        ROW(what_has_changed_since_the_base_is_a_conflict),
        ROW(an_expectation_that_does_not_hold_refuses_it),
        ROW(it_may_be_expected_that_a_task_has_had_no_attempt),
        ROW(a_dry_run_tells_and_does_nothing),
        ROW(the_same_edit_sent_twice_is_made_once),
        ROW(a_task_that_has_started_is_left_alone),
        ROW(what_several_dependencies_of_an_operation_break_is_told_once),
        ROW(removed_and_added_again_is_rewritten),
        ROW(the_order_of_operations_does_not_matter),
        ROW(a_reference_makes_its_dependency_and_gives_it_up),
        ROW(a_finished_constellation_goes_on_when_tasks_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
