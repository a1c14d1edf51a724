/* What others meet while an edit of many operations is checked or made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/api/api_inner.h"
#include "tests/unit/trial.h"

enum { MANY = 700, MINUTE_MS = 60 * 1000 };

static int set_up(void **state)
{
    *state = trial_new(NULL);
    return 0;
}

/* Tasks behind `after`, a chain. So long that they are written in more than one turn. */
static struct str additions(struct trial *trial, const char *after, const char *more)
{
    static const char words[] = "................................................................";
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[");
    for (int i = 0; i < MANY; i++) {
        char before[32];
        snprintf(before, sizeof(before), i > 0 ? "n%d" : "%d", i - 1);
        buf_printf(
            body,
            "%s{\"op\":\"add_task\",\"task\":\"n%d\",\"spec\":{\"run\":[\"%s%s%s%s%s%s%s%s\"],"
            "\"needs\":[\"%s\"]}}",
            i == 0 ? "" : ",", i, words, words, words, words, words, words, words, words,
            i > 0 ? before : after);
    }
    buf_printf(body, "]%s}", more);
    return (struct str){ (const char *)body->data, body->length };
}

/* It has come in and been read, and the test runs the turns. */
static void begin(struct trial *trial, struct client *client, const struct request *request)
{
    client_begin(trial->house, client, request);
    while (worker_count(trial->house->api->parser) > 0) {
        house_pass(trial->house);
    }
    house_turn(trial->house);
}

static bool has_item(struct trial *trial, const char *reason, const char *says)
{
    struct answer answer = house_get(trial->house, "/api/v1/attention");
    assert_int_equal(answer.status, 200);
    char text[64];
    snprintf(text, sizeof(text), "\"reason\":\"%s\"", reason);
    bool has = strstr(answer.body, text) != NULL && strstr(answer.body, says) != NULL;
    answer_done(&answer);
    return has;
}

static void one_that_is_under_way_needs_nobody_and_one_that_stands_still_does(void **state)
{
    struct trial *trial = *state;
    struct house *house = trial->house;
    struct client client;
    house_submit(house, "name: g\ntasks:\n  a: {noop: true, selector: gpu}\n", trial->id);
    house->skew_ms += 6 * MINUTE_MS;
    assert_true(has_item(trial, "no_device", "1 task waits"));
    begin(trial, &client,
          &(struct request){ .method = "POST",
                             .path = house_path(trial->id, "/edits"),
                             .body = additions(trial, "a", "") });
    assert_false(has_item(trial, "no_device", "")); /* it waits for the edit now */
    assert_false(has_item(trial, "edit_stuck", ""));
    house->skew_ms += 6 * MINUTE_MS;
    assert_true(has_item(trial, "edit_stuck",
                         "1 edit holds its constellation, and does not go on: an edit of 700 "
                         "operations is being made"));
    house->is_held = false;
    client_wait(house, &client, "\"revision\":2");
    client_close(&client);
    assert_false(has_item(trial, "edit_stuck", ""));
    assert_true(has_item(trial, "no_device", "1 task waits"));
}

/* Turn by turn, to where it is certain and some of its parts are made. */
static void admit(struct trial *trial)
{
    const struct engine *engine = trial->house->engine;
    struct part_wanted wanted = { .number = 0 };
    while (!engine_wants_part(engine, &wanted) || wanted.number == 0) {
        house_pass(trial->house);
        if (trial->house->is_woken) {
            house_turn(trial->house);
        }
    }
}

static const char *code_of(const struct answer *answer)
{
    return answer_text(answer, "code");
}

static void a_key_that_is_repeated_after_a_restart_gets_the_answer_when_it_is_made(void **state)
{
    struct trial *trial = *state;
    struct house *house = trial->house;
    struct client client;
    house_submit(house, "name: g\ntasks:\n  a: {noop: true}\n", trial->id);
    struct request request = { .method = "POST",
                               .path = house_path(trial->id, "/edits"),
                               .headers = "Idempotency-Key: once\r\n",
                               .body = additions(trial, "a", "") };
    begin(trial, &client, &request);
    admit(trial);
    house_restart(house);
    client_close(&client);
    struct answer answer = house_ask(house, &request); /* no turn is run: no part is made */
    assert_int_equal(answer.status, 503);
    assert_string_equal(code_of(&answer), "too_many");
    assert_true(answer_has_header(&answer, "retry-after: 1"));
    answer_done(&answer);
    struct request other = request;
    trial->body.data[trial->body.length - 1] =
        ' '; /* the last of its bytes, pieces behind the first */
    answer = house_ask(house, &other);
    assert_int_equal(answer.status, 422);
    assert_string_equal(code_of(&answer), "idempotency_mismatch");
    answer_done(&answer);
    trial->body.data[trial->body.length - 1] = '}';
    struct part_wanted wanted;
    while (engine_wants_part(house->engine, &wanted)) {
        house_turn(house);
    }
    answer = house_ask(house, &request);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer_number(&answer, "revision"), 2);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(answer.json, "tasks"), "added")), MANY);
    answer_done(&answer);
}

/* Checked while `a` runs, and `a` ends before the edit is certain. */
static void what_it_expects_of_others_holds_when_it_becomes_certain(void **state)
{
    struct trial *trial = *state;
    struct house *house = trial->house;
    for (int ends = 0; ends < 2; ends++) {
        struct client client;
        house_submit(house, "name: g\ntasks:\n  a: {run: [x]}\n  b: {noop: true, needs: a}\n",
                     trial->id);
        if (ends == 0) {
            house_connect_device(house);
        } else {
            house_turn(house);
        }
        uint64_t fence = house_take_fence(house);
        house_started(house, fence);
        house_turn(house);
        begin(trial, &client,
              &(struct request){ .method = "POST",
                                 .path = house_path(trial->id, "/edits"),
                                 .body = additions(trial, "b",
                                                   ",\"expect\":[{\"task\":\"b\",\"state\":"
                                                   "\"waiting\"},{\"task\":\"a\",\"state\":"
                                                   "\"running\"}]") });
        if (ends == 1) {
            while (house->api->jobs.queued == 0) { /* it has been checked, and waits for a turn */
                house_pass(house);
            }
            house_finished(house, fence, 0, 0); /* in which the first of its pieces are written */
        }
        house->is_held = false;
        client_wait(house, &client, ends == 0 ? "\"revision\":2" : "409 Conflict");
        if (ends == 1) {
            client_wait(house, &client, "\"path\":\"/expect/1\"");
            client_wait(house, &client, "a: it is succeeded, with 1 attempt");
        }
        client_close(&client);
        struct answer answer = house_get(house, house_path(trial->id, ""));
        assert_int_equal(answer_number(&answer, "tasks"), ends == 0 ? MANY + 2 : 2);
        answer_done(&answer);
    }
}

/* All of it is written, and its constellation is on its way back, some rows a turn. */
static void what_is_deleted_while_it_is_loaded_leaves_nothing_of_an_edit(void **state)
{
    struct trial *trial = *state;
    house_free(trial->house);
    struct house *house = trial->house = house_new_slow(2);
    struct client client;
    struct client other;
    house_submit(house,
                 "name: g\ntasks:\n  a: {}\n  b: {needs: a}\n  c: {}\n"
                 "  d: {needs: c}\n  e: {needs: d}\n",
                 trial->id);
    while (house_is_due(house)) {
        house_turn(house);
    }
    begin(trial, &client,
          &(struct request){ .method = "POST",
                             .path = house_path(trial->id, "/edits"),
                             .body = additions(trial, "a", "") });
    house->is_held = false;
    while (!trial_has_piece(trial, 1, PIECE_INVERSE)) {
        house_pass(house); /* a turn at the most */
    }
    assert_null(engine_constellation(house->engine, 1)); /* on its way */
    begin(trial, &other,
          &(struct request){ .method = "DELETE", .path = house_path(trial->id, "") });
    house->is_held = false;
    client_wait(house, &other, "204 No Content");
    client_wait(house, &client, "\r\n\r\n{\"type\":");
    client_wait(house, &client, "it has been deleted");
    client_close(&client);
    client_close(&other);
    trial_retain(trial, 10);
    for (int kind = PIECE_PART; kind <= PIECE_INVERSE; kind++) {
        assert_false(trial_has_piece(trial, 1, (enum piece_kind)kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            one_that_is_under_way_needs_nobody_and_one_that_stands_still_does, set_up,
            trial_tear_down),
        cmocka_unit_test_setup_teardown(
            a_key_that_is_repeated_after_a_restart_gets_the_answer_when_it_is_made, set_up,
            trial_tear_down),
        cmocka_unit_test_setup_teardown(what_it_expects_of_others_holds_when_it_becomes_certain,
                                        set_up, trial_tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_deleted_while_it_is_loaded_leaves_nothing_of_an_edit, set_up, trial_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
