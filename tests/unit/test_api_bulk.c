/* Edits of many operations through the API: checked in a thread, made in parts, and yet one edit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/edit_resolve.h"
#include "tests/unit/trial.h"

enum { MANY = 700 };

#define CHAIN                                                                                      \
    "name: chain\ntasks:\n  first: {run: [echo, hi]}\n  second: {run: [ls], needs: first}\n"

static int set_up(void **state)
{
    *state = trial_new(CHAIN);
    return 0;
}

/* A chain of `count` tasks behind `second`, and whatever `more` says. */
static const char *additions(struct trial *trial, int count, const char *more)
{
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[");
    for (int i = 0; i < count; i++) {
        char before[32] = "second";
        if (i > 0) {
            snprintf(before, sizeof(before), "n%d", i - 1);
        }
        buf_printf(body,
                   "%s{\"op\":\"add_task\",\"task\":\"n%d\",\"spec\":{\"run\":[\"ls\"],"
                   "\"needs\":[\"%s\"]}}",
                   i == 0 ? "" : ",", i, before);
    }
    buf_printf(body, "%s]}", more);
    return buf_text(body);
}

static void expect_plan(struct trial *trial, int64_t tasks, int64_t dependencies, int64_t revision)
{
    struct answer answer = trial_get(trial, "", 200);
    assert_int_equal(answer_number(&answer, "tasks"), tasks);
    assert_int_equal(answer_number(&answer, "dependencies"), dependencies);
    assert_int_equal(answer_number(&answer, "revision"), revision);
    answer_done(&answer);
    answer = trial_ask(trial, "GET", "/holds", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(answer.json, "holds")), 0);
    answer_done(&answer);
}

static const char *code_at(const struct answer *answer, size_t index)
{
    const json_t *errors = json_object_get(answer->json, "errors");
    const char *code = json_string_value(json_object_get(json_array_get(errors, index), "code"));
    return code == NULL ? "(none)" : code;
}

static void it_is_one_revision_that_can_be_taken_back(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial, additions(trial, MANY, ",{\"op\":\"set\",\"description\":\"long\"}"), 2);
    expect_plan(trial, MANY + 2, MANY + 1, 2);
    struct answer answer = trial_get(trial, "/revisions/2", 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "operations")), MANY + 1);
    assert_int_equal(json_array_size(json_object_get(answer.json, "inverse")), MANY + 1);
    answer_done(&answer);
    answer = trial_post(trial, "/undo", "{}", 200);
    assert_int_equal(answer_number(&answer, "undone"), 2);
    answer_done(&answer);
    expect_plan(trial, 2, 1, 3);
    trial_expect(trial, "POST", "/redo", "{}", 200);
    expect_plan(trial, MANY + 2, MANY + 1, 4);
    answer = trial_get(trial, "/plan?revision=3", 200);
    assert_int_equal(json_object_size(json_object_get(answer.json, "tasks")), 2);
    answer_done(&answer);
}

static void a_few_operations_that_touch_much_go_the_same_way(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial, additions(trial, 10, ""), 2);
    struct buf body = { 0 };
    buf_append_text(&body, "{\"operations\":[");
    for (int i = 0; i < 400; i++) {
        buf_printf(&body,
                   "%s{\"op\":\"add_task\",\"task\":\"w%d\",\"spec\":{\"noop\":true,\"needs\":"
                   "[\"n1\",\"n2\",\"n3\",\"n4\",\"n5\",\"n6\"]}}",
                   i == 0 ? "" : ",", i);
    }
    buf_append_text(&body, "]}");
    trial_apply(trial, buf_text(&body), 3);
    expect_plan(trial, 12 + 400, 11 + 2400, 3);
    buf_done(&body);
}

/* `count` tasks, and one that needs all of them. */
static void add_join(struct trial *trial, int count)
{
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[");
    for (int i = 0; i < count; i++) {
        buf_printf(body, "{\"op\":\"add_task\",\"task\":\"m%d\",\"spec\":{\"noop\":true}},", i);
    }
    buf_append_text(body,
                    "{\"op\":\"add_task\",\"task\":\"join\",\"spec\":{\"noop\":true,\"needs\":[");
    for (int i = 0; i < count; i++) {
        buf_printf(body, "%s\"m%d\"", i == 0 ? "" : ",", i);
    }
    buf_append_text(body, "]}}]}");
    trial_apply(trial, buf_text(body), 2);
}

/* Each edit of many operations has a hold of its own: so the number of the next says how many there were. */
static void expect_holds_so_far(struct trial *trial, int64_t count)
{
    struct answer answer = trial_post(trial, "/holds", "{\"tasks\":[\"first\"]}", 201);
    assert_int_equal(answer_number(&answer, "id"), count + 1);
    answer_done(&answer);
}

static void an_edit_of_a_task_that_needs_very_many_goes_the_same_way(void **state)
{
    struct trial *trial = *state;
    add_join(trial, EDIT_ROWS_MAX + 1);
    trial_apply(
        trial,
        "{\"operations\":[{\"op\":\"update_task\",\"task\":\"join\",\"set\":{\"priority\":7}}]}",
        3);
    trial_apply(
        trial, "{\"operations\":[{\"op\":\"add_dependency\",\"from\":\"second\",\"to\":\"join\"}]}",
        4);
    trial_take_back(trial, "/undo", "{}", 200, 5, 4);
    trial_expect(trial, "POST", "/edits",
                 "{\"operations\":[{\"op\":\"add_dependency\",\"from\":\"join\",\"to\":\"m7\"}]}",
                 422);
    trial_expect(trial, "POST", "/edits",
                 "{\"operations\":[{\"op\":\"add_dependency\",\"from\":\"m7\",\"to\":\"join\"}]}",
                 422);
    expect_plan(trial, 3 + EDIT_ROWS_MAX + 1, 1 + EDIT_ROWS_MAX + 1, 5);
    struct answer answer = trial_get(trial, "/tasks/join", 200);
    assert_int_equal(answer_number(&answer, "priority"), 7);
    answer_done(&answer);
    expect_holds_so_far(trial, 5);
}

static void an_edit_of_one_that_needs_fewer_is_made_in_one_turn(void **state)
{
    struct trial *trial = *state;
    add_join(trial, EDIT_READS_A_TURN / 5);
    trial_apply(
        trial,
        "{\"operations\":[{\"op\":\"update_task\",\"task\":\"join\",\"set\":{\"priority\":7}}]}",
        3);
    expect_holds_so_far(trial, 1);
}

static void every_problem_is_told_and_nothing_is_changed(void **state)
{
    struct trial *trial = *state;
    const char *body = additions(trial, MANY,
                                 ",{\"op\":\"add_dependency\",\"from\":\"n9\",\"to\":\"second\"}"
                                 ",{\"op\":\"remove_task\",\"task\":\"nobody\"}"
                                 ",{\"op\":\"remove_task\",\"task\":\"first\"}");
    struct answer answer = trial_post(trial, "/edits", body, 422);
    assert_string_equal(answer_text(&answer, "code"), "edit_refused");
    assert_string_equal(code_at(&answer, 0), "cycle");
    assert_string_equal(code_at(&answer, 1), "unknown_task");
    assert_string_equal(code_at(&answer, 2), "has_dependents");
    answer_done(&answer);
    expect_plan(trial, 2, 1, 1);
}

static void a_base_and_expectations_are_looked_at(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial, "{\"operations\":[{\"op\":\"set\",\"description\":\"short\"}]}", 2);
    struct answer answer =
        trial_ask(trial, "POST", "/edits", "If-Match: \"1\"\r\n", additions(trial, MANY, ""));
    answer_must(&answer, 409);
    assert_string_equal(code_at(&answer, 0), "stale_revision");
    answer_done(&answer);
    additions(trial, MANY, "");
    trial->body.length--; /* the end of the object */
    buf_append_text(&trial->body, ",\"expect\":[{\"task\":\"second\",\"state\":\"running\"}]}");
    answer = trial_post(trial, "/edits", buf_text(&trial->body), 409);
    assert_string_equal(code_at(&answer, 0), "expect_failed");
    answer_done(&answer);
    expect_plan(trial, 2, 1, 2);
}

static void a_dry_run_tells_the_same_and_holds_nothing(void **state)
{
    struct trial *trial = *state;
    struct answer answer = trial_post(trial, "/edits?dry_run=1", additions(trial, MANY, ""), 200);
    assert_true(json_is_true(json_object_get(answer.json, "dry_run")));
    assert_int_equal(answer_number(&answer, "revision"), 2);
    assert_int_equal(answer_number(&answer, "newly_ready"), 0);
    const json_t *path = json_object_get(answer.json, "critical_path");
    assert_int_equal(json_integer_value(json_object_get(path, "after")), MANY + 2);
    answer_done(&answer);
    expect_plan(trial, 2, 1, 1);
}

static void nobody_else_changes_the_plan_meanwhile(void **state)
{
    struct trial *trial = *state;
    struct client much;
    struct client little;
    trial_begin(trial, &much, "POST", "/edits", additions(trial, MANY, ""));
    house_turn(trial->house); /* it has been begun */
    struct answer answer = trial_ask(trial, "GET", "/holds", NULL, NULL);
    const json_t *hold = json_array_get(json_object_get(answer.json, "holds"), 0);
    assert_string_equal(json_string_value(json_object_get(hold, "origin")), "edit");
    assert_string_equal(json_string_value(json_object_get(hold, "reason")),
                        "an edit of 700 operations is being made");
    answer_done(&answer);
    answer = trial_ask(trial, "GET", "/tasks/first/explain", NULL, NULL);
    assert_string_equal(answer_text(&answer, "waits_for"), "hold");
    if (strstr(answer_text(&answer, "waiting_for"), "an edit of 700 operations is being made") ==
        NULL) {
        fail_msg("%s", answer_text(&answer, "waiting_for"));
    }
    answer_done(&answer);
    trial_begin(trial, &little, "POST", "/edits",
                "{\"operations\":[{\"op\":\"remove_task\",\"task\":\"second\"}]}");
    house_turn(trial->house);
    trial->house->is_held = false;
    client_wait(trial->house, &little, "constellation_reopening");
    client_wait(trial->house, &much, "\"revision\":2");
    client_close(&little);
    client_close(&much);
    expect_plan(trial, MANY + 2, MANY + 1, 2);
}

static void the_same_twice_is_made_once(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < 2; i++) {
        struct answer answer = trial_ask(trial, "POST", "/edits", "Idempotency-Key: once\r\n",
                                         additions(trial, MANY, ""));
        answer_must(&answer, 200);
        assert_int_equal(answer_number(&answer, "revision"), 2);
        answer_done(&answer);
    }
    expect_plan(trial, MANY + 2, MANY + 1, 2);
}

/* One operation can take many to take it back. */
static void what_takes_one_operation_back_may_be_many(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial,
                additions(trial, MANY,
                          ",{\"op\":\"add_task\",\"task\":\"last\",\"spec\":{\"run\":[\"ls\"],"
                          "\"needs\":[\"first\"]}}"),
                2);
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[{\"op\":\"set\",\"fail_fast\":true},"
                          "{\"op\":\"update_task\",\"task\":\"last\",\"set\":{\"needs\":[");
    for (int i = 0; i < 600; i++) {
        buf_printf(body, "%s\"n%d\"", i == 0 ? "" : ",", i);
    }
    buf_append_text(body, "]}}]}");
    trial_apply(trial, buf_text(body), 3);
    expect_plan(trial, MANY + 3, MANY + 1 + 600, 3); /* in place of `first` */
    trial_apply(trial, "{\"operations\":[{\"op\":\"set\",\"fail_fast\":false}]}", 4);
    struct answer answer = trial_ask(trial, "POST", "/undo", NULL, "{\"revision\":3}");
    answer_must(&answer, 409); /* fail_fast has been set again since */
    answer_done(&answer);
    trial_apply(trial, "{\"operations\":[{\"op\":\"set\",\"fail_fast\":true}]}", 5);
    trial_expect(trial, "POST", "/undo", "{\"revision\":3}", 200);
    expect_plan(trial, MANY + 3, MANY + 2, 6);
}

/* What comes in between cannot be told apart from what was there: what is taken back is no longer the last. */
static void the_last_edit_is_not_taken_back_when_another_comes_in_between(void **state)
{
    struct trial *trial = *state;
    house_connect_device(trial->house);
    house_finished(trial->house, house_take_fence(trial->house), 1, 0);
    house_turn(trial->house); /* `second` is skipped: it has ended, and nothing holds it */
    struct buf *body = &trial->body;
    buf_append_text(body, "{\"operations\":[");
    for (int i = 0; i < MANY; i++) {
        buf_printf(
            body,
            "%s{\"op\":\"update_task\",\"task\":\"second\",\"set\":{\"run\":[\"ls\",\"%d\"]}}",
            i == 0 ? "" : ",", i);
    }
    buf_append_text(body, "]}");
    trial_apply(trial, buf_text(body), 2);
    struct client clients[2];
    trial_begin(trial, &clients[0], "POST", "/undo", "{}");
    trial_begin(trial, &clients[1], "POST", "/edits",
                "{\"operations\":[{\"op\":\"update_task\",\"task\":\"second\","
                "\"set\":{\"run\":[\"pwd\"]}}]}");
    trial->house->is_held = false;
    house_turn(trial->house); /* both */
    client_wait(trial->house, &clients[1], "\"revision\":3");
    client_wait(trial->house, &clients[0], "409 Conflict");
    client_close(&clients[0]);
    client_close(&clients[1]);
    expect_plan(trial, 2, 1, 3);
}

/* What each of them was made from is kept to its end. */
static void only_so_many_are_made_at_a_time(void **state)
{
    struct trial *trial = *state;
    struct client clients[API_BULKS_MAX + 1];
    char ids[API_BULKS_MAX + 1][sizeof(trial->id)];
    for (size_t i = 0; i <= API_BULKS_MAX; i++) {
        house_submit(trial->house, CHAIN, ids[i]);
    }
    for (size_t i = 0; i <= API_BULKS_MAX; i++) {
        memcpy(trial->id, ids[i], sizeof(trial->id));
        trial_begin(trial, &clients[i], "POST", "/edits", additions(trial, MANY, ""));
    }
    house_turn(trial->house); /* all are begun that may be */
    assert_int_equal(trial->house->api->jobs.bulks, API_BULKS_MAX);
    trial->house->is_held = false;
    client_wait(trial->house, &clients[API_BULKS_MAX],
                "8 edits of many operations are being made already; try again");
    for (size_t i = 0; i <= API_BULKS_MAX; i++) {
        client_wait(trial->house, &clients[i], "}");
        client_close(&clients[i]);
    }
    trial_apply(trial, additions(trial, MANY, ""), 2);
    while (trial->house->api->jobs.bulks > 0) { /* given back in the thread of the parser */
        house_pass(trial->house);
    }
}

/* A trial takes its tasks and dependencies back, but the lists that they stood in are others. */
static void a_plan_is_measured_anew_when_an_edit_is_tried_meanwhile(void **state)
{
    enum { TASKS = 21000 }; /* more than is looked at without a pause */
    struct trial *trial = *state;
    struct buf spec = { 0 };
    buf_append_text(&spec, "name: wide\ntasks:\n  first: {run: [ls]}\n");
    for (int i = 0; i < TASKS; i++) {
        buf_printf(&spec, "  t%d: {run: [ls], needs: first}\n", i);
    }
    house_submit(trial->house, buf_text(&spec), trial->id);
    buf_done(&spec);
    struct client client;
    trial_begin(trial, &client, "GET", "/plan/metrics", NULL);
    trial->house->is_held = false;
    for (int i = 0; i < 12; i++) { /* whatever it has come to */
        house_pass(trial->house);
        trial_expect(trial, "POST", "/edits?dry_run=1",
                     "{\"operations\":[{\"op\":\"add_task\",\"task\":\"new\",\"spec\":"
                     "{\"noop\":true,\"needs\":[\"first\"]}},"
                     "{\"op\":\"remove_dependency\",\"from\":\"first\",\"to\":\"t9\"}]}",
                     200);
    }
    client_wait(trial->house, &client, "HTTP/1.1 ");
    client_close(&client);
    struct answer answer = trial_get(trial, "/plan/metrics", 200);
    assert_int_equal(answer_number(&answer, "tasks"), TASKS + 1);
    answer_done(&answer);
}

/* The number of such an edit is that of its hold: 1, 2, 3. */
static void its_pieces_go_with_its_end_and_its_text_with_its_revision(void **state)
{
    struct trial *trial = *state;
    trial_apply(trial, additions(trial, MANY, ""), 2);
    trial_expect(trial, "POST", "/undo", "{}", 200);
    trial_expect(trial, "POST", "/edits",
                 additions(trial, MANY, ",{\"op\":\"remove_task\",\"task\":\"nobody\"}"), 422);
    trial_retain(trial, 10);
    for (int64_t id = 1; id <= 2; id++) {
        assert_false(trial_has_piece(trial, id, PIECE_PART));
        assert_true(trial_has_piece(trial, id, PIECE_OPERATIONS));
        assert_true(trial_has_piece(trial, id, PIECE_INVERSE));
    }
    assert_false(trial_has_piece(trial, 3, PIECE_OPERATIONS));
    trial_retain(trial, 1);
    assert_false(trial_has_piece(trial, 1, PIECE_OPERATIONS) ||
                 trial_has_piece(trial, 1, PIECE_INVERSE));
    assert_true(trial_has_piece(trial, 2, PIECE_OPERATIONS) &&
                trial_has_piece(trial, 2, PIECE_INVERSE));
}

/* With what was skipped: it waits again. */
static void what_has_ended_goes_on_with_what_comes(void **state)
{
    struct trial *trial = *state;
    house_connect_device(trial->house);
    house_turn(trial->house);
    house_finished(trial->house, house_take_fence(trial->house), 1, 0);
    house_turn(trial->house);
    struct answer answer = trial_ask(trial, "GET", "", NULL, NULL);
    assert_string_equal(answer_text(&answer, "state"), "failed");
    answer_done(&answer);
    trial_apply(trial,
                additions(trial, MANY,
                          ",{\"op\":\"update_dependency\",\"from\":\"first\",\"to\":\"second\","
                          "\"when\":\"failure\"}"),
                2);
    expect_plan(trial, MANY + 2, MANY + 1, 2);
    answer = trial_get(trial, "/tasks/second", 200);
    assert_string_not_equal(answer_text(&answer, "state"), "skipped");
    answer_done(&answer);
    answer = trial_ask(trial, "GET", "", NULL, NULL);
    assert_string_equal(answer_text(&answer, "state"), "running");
    answer_done(&answer);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, trial_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_plan_is_measured_anew_when_an_edit_is_tried_meanwhile),
        ROW(only_so_many_are_made_at_a_time),
        ROW(the_last_edit_is_not_taken_back_when_another_comes_in_between),
        ROW(what_takes_one_operation_back_may_be_many),
        ROW(it_is_one_revision_that_can_be_taken_back),
        ROW(a_few_operations_that_touch_much_go_the_same_way),
        ROW(an_edit_of_a_task_that_needs_very_many_goes_the_same_way),
        ROW(an_edit_of_one_that_needs_fewer_is_made_in_one_turn),
        ROW(every_problem_is_told_and_nothing_is_changed),
        ROW(a_base_and_expectations_are_looked_at),
        ROW(a_dry_run_tells_the_same_and_holds_nothing),
        ROW(nobody_else_changes_the_plan_meanwhile),
        ROW(the_same_twice_is_made_once),
        ROW(its_pieces_go_with_its_end_and_its_text_with_its_revision),
        ROW(what_has_ended_goes_on_with_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
