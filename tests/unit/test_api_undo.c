/* What was done to a plan can be seen and taken back: undo and redo, exports, differences, revisions, and
   the context that a planner reads. */
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

static int64_t count_in(const struct answer *answer, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(answer->json, object), key));
}

/* Everything that has an effect, in one batch. */
#define MUCH                                                                                       \
    "{\"reason\": \"much\", \"author\": {\"kind\": \"planner\", \"name\": \"p\"}, "                \
    "\"operations\": ["                                                                            \
    "{\"op\": \"add_task\", \"task\": \"x\", \"spec\": {\"noop\": true, \"needs\": [{\"task\": "   \
    "\"second\","                                                                                  \
    " \"when\": \"finished\", \"if\": \"exit_code < 3\"}]}},"                                      \
    "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"priority\": 7, \"run\": "         \
    "[\"echo\","                                                                                   \
    " \"${{ tasks.first.stdout }}\"], \"needs\": null}},"                                          \
    "{\"op\": \"update_dependency\", \"from\": \"second\", \"to\": \"third\", \"when\": "          \
    "\"always\"},"                                                                                 \
    "{\"op\": \"add_dependency\", \"from\": \"first\", \"to\": \"third\"},"                        \
    "{\"op\": \"set\", \"fail_fast\": true, \"deadline\": \"2h\", \"description\": \"d\"}]}"

static void expect_export(struct trial *trial, const struct buf *expected)
{
    struct buf found = trial_read(trial, "/export");
    assert_int_equal(found.length, expected->length);
    assert_memory_equal(found.data, expected->data, found.length);
    buf_done(&found);
}

static void undo_gives_the_plan_back_and_redo_the_edit(void **state)
{
    struct trial *trial = *state;
    struct buf before = trial_read(trial, "/export");
    trial_apply(trial, MUCH, 2);
    struct buf after = trial_read(trial, "/export");
    assert_true(strstr(buf_text(&after), "exit_code < 3") != NULL);
    trial_take_back(trial, "/undo", NULL, 200, 3, 2);
    expect_export(trial, &before);
    trial_take_back(trial, "/undo", NULL, 409, 0, 0);
    trial_take_back(trial, "/redo", NULL, 200, 4, 3);
    expect_export(trial, &after);
    trial_take_back(trial, "/redo", NULL, 409, 0, 0);
    trial_take_back(trial, "/undo", "{\"revision\": 4, \"reason\": \"no\"}", 200, 5, 4);
    expect_export(trial, &before);
    trial_take_back(trial, "/undo", "{\"revision\": 77}", 404, 0, 0);
    trial_take_back(trial, "/redo", "{\"revision\": 2}", 409, 0, 0);
    buf_done(&before);
    buf_done(&after);
}

static void edits_of_one_task_are_undone_one_after_the_other(void **state)
{
    struct trial *trial = *state;
    struct buf before = trial_read(trial, "/export");
    trial_apply(trial,
                "{\"operations\": [{\"op\": \"update_task\", \"task\": \"second\","
                " \"set\": {\"priority\": 7}}]}",
                2);
    trial_apply(trial,
                "{\"operations\": [{\"op\": \"update_task\", \"task\": \"second\","
                " \"set\": {\"priority\": 8}}]}",
                3);
    trial_take_back(trial, "/undo", "{\"revision\": 2}", 409, 0, 0); /* 3 has changed it since */
    trial_take_back(trial, "/undo", NULL, 200, 4, 3);
    trial_take_back(trial, "/undo", NULL, 200, 5, 2);
    expect_export(trial, &before);
    trial_take_back(trial, "/redo", NULL, 200, 6, 5);
    trial_take_back(trial, "/redo", NULL, 200, 7, 4);
    trial_take_back(trial, "/undo?dry_run=1", NULL, 200, 8, 7);
    buf_done(&before);
}

/* Each undo passes over all that were undone before it: they are looked at some a turn. */
static void an_undo_looks_at_a_few_revisions_a_turn(void **state)
{
    enum { EDITS = 260, LOOKS_A_TURN = 500 };
    struct trial *trial = *state;
    uint64_t turns = trial->house->turns;
    trial_take_back(trial, "/undo", NULL, 409, 0, 0);
    const uint64_t turns_of_one = trial->house->turns - turns;
    for (int i = 0; i < EDITS; i++) {
        buf_clear(&trial->body);
        buf_printf(&trial->body,
                   "{\"operations\": [{\"op\": \"update_task\", \"task\": \"second\","
                   " \"set\": {\"priority\": %d}}]}",
                   i + 1);
        trial_apply(trial, buf_text(&trial->body), i + 2);
    }
    for (int i = 0; i < EDITS; i++) {
        turns = trial->house->turns;
        trial_take_back(trial, "/undo", NULL, 200, EDITS + i + 2, EDITS - i + 1);
    }
    assert_int_equal(trial->house->turns - turns, turns_of_one + (2 * EDITS - 1) / LOOKS_A_TURN);
    trial_take_back(trial, "/undo", NULL, 409, 0, 0);
    trial_take_back(trial, "/redo", NULL, 200, 2 * EDITS + 2, 2 * EDITS + 1);
}

static void the_plan_is_there_as_of_any_revision(void **state)
{
    struct trial *trial = *state;
    struct buf plans[4];
    plans[0] = trial_read(trial, "/export");
    trial_apply(trial, MUCH, 2);
    plans[1] = trial_read(trial, "/export");
    trial_apply(trial,
                "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"},"
                "{\"op\": \"remove_dependency\", \"from\": \"second\", \"to\": \"x\"}]}",
                3);
    plans[2] = trial_read(trial, "/export");
    for (int i = 0; i < 3; i++) {
        char rest[64];
        snprintf(rest, sizeof(rest), "/plan?revision=%d", i + 1);
        struct buf found = trial_read(trial, rest);
        json_t *a = json_loads(buf_text(&found), 0, NULL);
        json_t *b = json_loads(buf_text(&plans[i]), 0, NULL);
        if (a == NULL || !json_equal(a, b)) {
            fail_msg("revision %d:\n%s\n%s", i + 1, buf_text(&found), buf_text(&plans[i]));
        }
        json_decref(a);
        json_decref(b);
        buf_done(&found);
        buf_done(&plans[i]);
    }
    trial_expect(trial, "GET", "/plan?revision=4", NULL, 404);
}

static void an_export_submitted_gives_the_same_plan(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial, MUCH, 2);
    struct buf before = trial_read(trial, "/export");
    house_submit(trial->house, buf_text(&before), trial->id);
    expect_export(trial, &before);
    buf_done(&before);
}

static size_t length_of(const struct answer *answer, const char *object, const char *key)
{
    return json_array_size(json_object_get(json_object_get(answer->json, object), key));
}

static void a_diff_tells_what_has_come_gone_and_changed(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial, MUCH, 2);
    trial_apply(trial, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"}]}", 3);
    struct answer answer = trial_get(trial, "/diff?from=1&to=2", 200);
    assert_int_equal(length_of(&answer, "tasks", "added"), 1);
    assert_int_equal(length_of(&answer, "tasks", "removed"), 0);
    assert_int_equal(length_of(&answer, "tasks", "changed"), 1);
    assert_int_equal(length_of(&answer, "dependencies", "added"), 3);
    assert_int_equal(length_of(&answer, "dependencies", "removed"), 2);
    assert_int_equal(json_object_size(json_object_get(answer.json, "set")), 3);
    answer_done(&answer);
    answer = trial_get(trial, "/diff", 200);
    assert_int_equal(answer_number(&answer, "from"), 2);
    assert_int_equal(length_of(&answer, "tasks", "removed"), 1);
    answer_done(&answer);
    answer = trial_get(trial, "/diff?from=3&to=1", 200);
    assert_int_equal(length_of(&answer, "tasks", "added"), 1);
    assert_int_equal(length_of(&answer, "tasks", "removed"), 1);
    answer_done(&answer);
    trial_expect(trial, "GET", "/diff?from=1&to=9", NULL, 404);
}

static void revisions_say_who_what_and_why(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial, MUCH, 2);
    trial_apply(trial, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}", 3);
    struct answer answer = trial_get(trial, "/revisions?limit=1", 200);
    assert_int_equal(answer_number(&answer, "revision"), 3);
    assert_int_equal(answer_number(&answer, "next"), 2);
    answer_done(&answer);
    answer = trial_get(trial, "/revisions?last=2", 200);
    const json_t *list = json_object_get(answer.json, "revisions");
    assert_int_equal(json_array_size(list), 1);
    const json_t *author = json_object_get(json_array_get(list, 0), "author");
    assert_string_equal(json_string_value(json_object_get(author, "kind")), "planner");
    answer_done(&answer);
    answer = trial_get(trial, "/revisions/2", 200);
    assert_string_equal(answer_text(&answer, "reason"), "much");
    assert_int_equal(json_array_size(json_object_get(answer.json, "operations")), 5);
    answer_done(&answer);
    trial_expect(trial, "GET", "/revisions/1", NULL, 404);
    answer = trial_get(trial, "/tasks/x/history", 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "revisions")), 2);
    assert_true(json_is_true(json_object_get(answer.json, "removed")));
    answer_done(&answer);
    trial_expect(trial, "GET", "/tasks/nobody/history", NULL, 404);
}

static void a_context_keeps_to_its_size_and_says_what_it_left_out(void **state)
{
    struct trial *trial = *state;
    struct buf batch = { 0 };
    buf_append_text(&batch, "{\"operations\": [");
    for (int i = 0; i < 100; i++) {
        buf_printf(&batch,
                   "%s{\"op\": \"add_task\", \"task\": \"t%d\", \"spec\": {\"run\": "
                   "[\"echo\", \"some words that weigh something\"]}}",
                   i == 0 ? "" : ",", i);
    }
    buf_append_text(&batch, "]}");
    trial_apply(trial, buf_text(&batch), 2);
    buf_done(&batch);
    house_connect_device(trial->house);
    uint64_t fence = house_take_fence(trial->house);
    house_output(trial->house, fence, STREAM_STDOUT, 0, STR("no space left"));
    house_finished(trial->house, fence, 3, 13);
    static const int sizes[] = { 2048, 6000, 100000 };
    size_t listed[3];
    for (size_t i = 0; i < 3; i++) {
        char rest[64];
        snprintf(rest, sizeof(rest), "/context?max_bytes=%d", sizes[i]);
        struct answer answer = trial_get(trial, rest, 200);
        if (answer.json == NULL) {
            fail_msg("%s", buf_text(&answer.all));
        }
        assert_true(answer.body_bytes <= (size_t)sizes[i]);
        listed[i] = json_array_size(json_object_get(answer.json, "plan"));
        assert_int_equal(listed[i] + (size_t)count_in(&answer, "dropped", "tasks"), 103);
        const json_t *failed = json_array_get(json_object_get(answer.json, "failed"), 0);
        assert_string_equal(json_string_value(json_object_get(failed, "stdout_tail")),
                            "no space left");
        answer_done(&answer);
    }
    assert_true(listed[0] < listed[1] && listed[1] < listed[2] && listed[2] == 103);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, trial_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(undo_gives_the_plan_back_and_redo_the_edit),
        ROW(edits_of_one_task_are_undone_one_after_the_other),
        ROW(an_undo_looks_at_a_few_revisions_a_turn),
        ROW(the_plan_is_there_as_of_any_revision),
        ROW(an_export_submitted_gives_the_same_plan),
        ROW(a_diff_tells_what_has_come_gone_and_changed),
        ROW(revisions_say_who_what_and_why),
        ROW(a_context_keeps_to_its_size_and_says_what_it_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
