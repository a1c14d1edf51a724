/* What changes a constellation beside its cancellation, and a device: holds, pause, another round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/api/body.h"
#include "orchestrator/api/change.h"
#include "tests/unit/api_house.h"

#define TWO      "name: two\ntasks:\n  a: {noop: true}\n  b: {noop: true}\n"
#define CHAIN    "name: chain\ntasks:\n  a: {run: [\"false\"]}\n  b: {noop: true, needs: a}\n"
#define APPROVAL "name: ship\ntasks:\n  go: {noop: true, hold: \"ask the boss\"}\n"

static int set_up(void **state)
{
    *state = house_new();
    return 0;
}

static int tear_down(void **state)
{
    house_free(*state);
    return 0;
}

static struct answer change(struct house *house, const char *method, const char *id,
                            const char *rest, const char *body, int status)
{
    struct answer answer = house_send(house, method, house_path(id, rest), body);
    if (answer.status != status) {
        fail_msg("%s %s: %s", method, rest, buf_text(&answer.all));
    }
    return answer;
}

static void refuse(struct house *house, const char *method, const char *id, const char *rest,
                   const char *body, int status, const char *code)
{
    struct answer answer = change(house, method, id, rest, body, status);
    assert_string_equal(answer_text(&answer, "code"), code);
    answer_done(&answer);
}

static void expect_state(struct house *house, const char *id, const char *rest, const char *state)
{
    struct answer answer = change(house, "GET", id, rest, NULL, 200);
    assert_string_equal(answer_text(&answer, "state"), state);
    answer_done(&answer);
}

static void a_paused_constellation_begins_nothing_until_it_is_resumed(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct answer answer = change(house, "POST", id, "/pause", "{\"reason\":\"lunch\"}", 200);
    assert_string_equal(answer_text(&answer, "state"), "paused");
    answer_done(&answer);
    house_connect_device(house);
    assert_int_equal(house->fences_count, 0);
    expect_state(house, id, "", "paused");
    answer = change(house, "POST", id, "/resume", "", 200);
    assert_string_equal(answer_text(&answer, "state"), "running");
    answer_done(&answer);
    house_turn(house);
    assert_int_equal(house->fences_count, 2);
    refuse(house, "POST", id, "/resume", "", 404, "not_found");
}

static void many_keys_are_looked_up_over_several_turns(void **state)
{
    enum { TASKS = 2500 };
    struct house *house = *state;
    struct buf spec = { NULL, 0, 0 };
    struct buf hold = { NULL, 0, 0 };
    buf_append_text(&spec, "name: many\ntasks:\n");
    buf_append_text(&hold, "{\"tasks\":[");
    for (int i = 0; i < TASKS; i++) {
        buf_printf(&spec, "  t%d: {noop: true}\n", i);
        buf_printf(&hold, "\"t%d\",", i);
    }
    char id[160];
    house_submit(house, buf_text(&spec), id);
    size_t list = hold.length;
    buf_append_text(&hold, "\"t0\"]}");
    uint64_t turns = house->turns;
    struct answer answer = change(house, "POST", id, "/holds", buf_text(&hold), 201);
    answer_done(&answer);
    assert_true(house->turns - turns >= TASKS / CHANGE_KEYS_A_TURN + 2);
    hold.length = list;
    buf_append_text(&hold, "\"first\",\"second\"]}");
    answer = change(house, "POST", id, "/holds", buf_text(&hold), 404);
    assert_string_equal(answer_text(&answer, "detail"), "it has no task \"first\", \"second\"");
    answer_done(&answer);
    buf_done(&spec);
    buf_done(&hold);
}

/* What is in a body is counted before it is read: values, and bytes, of which a reason may have many. */
static void a_body_has_so_many_bytes_values_and_keys(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct buf body = { NULL, 0, 0 };
    buf_append_text(&body, "{\"tasks\":[\"a\"");
    for (int i = 1; i < CHANGE_TASKS_MAX; i++) {
        buf_append_text(&body, ",\"a\"");
    }
    size_t most = body.length;
    buf_append_text(&body, "],\"reason\":\",[{\\\",[{\"}");
    struct answer answer = change(house, "POST", id, "/holds", buf_text(&body), 201);
    answer_done(&answer);
    body.length = most;
    buf_append_text(&body, ",\"a\"]}");
    refuse(house, "POST", id, "/holds", buf_text(&body), 413, "body_too_large");

    buf_clear(&body);
    buf_append_text(&body, "{\"tasks\":[{}");
    for (int i = 0; i < BODY_VALUES_MAX / 2 - 2; i++) {
        buf_append_text(&body, ",[]");
    }
    most = body.length;
    buf_append_text(&body, "]}");
    refuse(house, "POST", id, "/holds", buf_text(&body), 400, "bad_request");
    body.length = most;
    buf_append_text(&body, ",[]]}");
    refuse(house, "POST", id, "/holds", buf_text(&body), 413, "body_too_large");

    buf_clear(&body);
    buf_append_text(&body, "{}");
    while (body.length < BODY_BYTES_MAX) {
        buf_append_text(&body, " ");
    }
    answer = change(house, "POST", id, "/pause", buf_text(&body), 200);
    answer_done(&answer);
    buf_append_text(&body, " ");
    refuse(house, "POST", id, "/pause", buf_text(&body), 413, "body_too_large");
    buf_done(&body);
}

static void pausing_twice_is_pausing_once(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct answer answer = change(house, "POST", id, "/pause", NULL, 200);
    answer_done(&answer);
    answer = change(house, "POST", id, "/pause", "{\"for\":\"1h\"}", 200);
    answer_done(&answer);
    answer = change(house, "GET", id, "/holds", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "holds")), 1);
    answer_done(&answer);
}

static void a_held_task_waits_and_the_others_go_on(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct answer answer =
        change(house, "POST", id, "/holds",
               "{\"tasks\":[\"b\"],\"reason\":\"thinking\",\"for\":\"10m\"}", 201);
    int64_t hold = answer_number(&answer, "id");
    assert_string_equal(answer_text(&answer, "scope"), "tasks");
    assert_string_equal(answer_text(&answer, "origin"), "request");
    assert_string_equal(answer_text(&answer, "on_expiry"), "release");
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer.json, "tasks"), 0)),
                        "b");
    answer_done(&answer);
    house_connect_device(house);
    assert_int_equal(house->fences_count, 1);
    expect_state(house, id, "", "running");
    char rest[64];
    snprintf(rest, sizeof(rest), "/holds/%lld", (long long)hold);
    answer = change(house, "DELETE", id, rest, NULL, 200);
    answer_done(&answer);
    house_turn(house);
    assert_int_equal(house->fences_count, 2);
    refuse(house, "DELETE", id, rest, NULL, 404, "not_found");
}

static void the_same_key_places_one_hold(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    const char *key = "Idempotency-Key: one\r\n";
    struct request request = { "POST", house_path(id, "/holds"), key, STR("{}"), false };
    struct answer first = house_ask(house, &request);
    struct answer second = house_ask(house, &request);
    assert_int_equal(first.status, 201);
    assert_int_equal(second.status, 201);
    assert_string_equal(first.body, second.body);
    answer_done(&first);
    answer_done(&second);
    request.body = STR("{\"reason\":\"another\"}");
    second = house_ask(house, &request);
    assert_int_equal(second.status, 422);
    assert_string_equal(answer_text(&second, "code"), "idempotency_mismatch");
    answer_done(&second);
    second = change(house, "GET", id, "/holds", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(second.json, "holds")), 1);
    answer_done(&second);
}

static void what_waits_for_an_approval_is_approved_or_denied(void **state)
{
    static const struct {
        const char *query;
        const char *ends;
    } cases[] = { { "", "ready" }, { "?deny=1&reason=not%20today", "failed" } };
    struct house *house = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[160];
        house_submit(house, APPROVAL, id);
        expect_state(house, id, "/tasks/go", "ready");
        struct answer answer = change(house, "GET", id, "/holds", NULL, 200);
        const json_t *hold = json_array_get(json_object_get(answer.json, "holds"), 0);
        assert_string_equal(json_string_value(json_object_get(hold, "origin")), "approval");
        assert_string_equal(json_string_value(json_object_get(hold, "task")), "go");
        char rest[64];
        snprintf(rest, sizeof(rest), "/holds/%lld%s",
                 (long long)json_integer_value(json_object_get(hold, "id")), cases[i].query);
        answer_done(&answer);
        answer = change(house, "DELETE", id, rest, NULL, 200);
        answer_done(&answer);
        house_turn(house);
        answer = change(house, "GET", id, "/tasks/go", NULL, 200);
        assert_string_equal(answer_text(&answer, "state"), cases[i].ends);
        if (i == 1) {
            assert_non_null(strstr(answer_text(&answer, "reason"), "not today"));
        }
        answer_done(&answer);
    }
}

static void a_hold_that_is_no_approval_cannot_be_denied(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct answer answer = change(house, "POST", id, "/holds", "{}", 201);
    char rest[64];
    snprintf(rest, sizeof(rest), "/holds/%lld?deny=1", (long long)answer_number(&answer, "id"));
    answer_done(&answer);
    refuse(house, "DELETE", id, rest, NULL, 400, "bad_request");
}

static void what_is_not_right_about_a_change_is_told(void **state)
{
    static const struct {
        const char *rest;
        const char *body;
        int status;
        const char *code;
        const char *says;
    } cases[] = {
        { "/holds", "{\"tasks\":[\"x\",\"y\"]}", 404, "not_found", "\\\"x\\\", \\\"y\\\"" },
        { "/holds", "{\"scope\":\"some\"}", 400, "bad_request", "tasks descendants all" },
        { "/holds", "{\"scope\":\"all\",\"tasks\":[\"a\"]}", 400, "bad_request", "no tasks" },
        { "/holds", "{\"scope\":\"descendants\"}", 400, "bad_request", "one task" },
        { "/holds", "{\"scope\":\"tasks\"}", 400, "bad_request", "needs tasks" },
        { "/holds", "{\"on_expiry\":\"fail\"}", 400, "bad_request", "needs for" },
        { "/holds", "{\"for\":\"soon\"}", 400, "bad_request", "span of time" },
        { "/holds", "{\"for\":-1}", 400, "bad_request", "span of time" },
        { "/holds", "{\"why\":1}", 400, "bad_request", "known are scope" },
        { "/holds", "[]", 400, "bad_request", "JSON object" },
        { "/holds", "{", 400, "bad_request", "line 1" },
        { "/pause", "{\"tasks\":[\"a\"]}", 400, "bad_request", "known are reason, for" },
        { "/rerun", "{}", 400, "bad_request", "tasks must name" },
        { "/rerun", "{\"tasks\":[7]}", 400, "bad_request", "list of texts" },
        { "/retry", "{}", 409, "conflict", "no task of it has failed" },
        { "/retry", "{\"keep_skipped\":1}", 400, "bad_request", "true or false" },
        { "/tasks/a/resolve", "{}", 400, "bad_request", "succeeded failed retry" },
        { "/tasks/x/resolve", "{\"as\":\"failed\"}", 404, "not_found", "no task" },
    };
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer answer =
            change(house, "POST", id, cases[i].rest, cases[i].body, cases[i].status);
        assert_string_equal(answer_text(&answer, "code"), cases[i].code);
        if (strstr(answer.body, cases[i].says) == NULL) {
            fail_msg("%s %s: %s", cases[i].rest, cases[i].body, answer.body);
        }
        answer_done(&answer);
    }
    refuse(house, "DELETE", id, "/holds/x", NULL, 400, "bad_request");
    refuse(house, "DELETE", id, "/holds/0", NULL, 400, "bad_request");
    id[strlen(id) - 1] = '\0';
    refuse(house, "POST", id, "/pause", NULL, 404, "not_found");
}

/* {"detail": …} of a refusal. */
static void expect_words(struct house *house, const char *method, const char *id, const char *rest,
                         const char *body, int status, const char *words)
{
    struct answer answer = change(house, method, id, rest, body, status);
    assert_string_equal(answer_text(&answer, "detail"), words);
    answer_done(&answer);
}

static void what_is_there_is_told_with_what_is_not(void **state)
{
    struct house *house = *state;
    char id[160];
    char words[256];
    house_submit(house, "name: w\ntasks:\n  deploy: {noop: true}\n  build: {noop: true}\n", id);
    expect_words(house, "DELETE", id, "/holds/99", NULL, 404, "no such hold; nothing is held");
    expect_words(house, "POST", id, "/resume", "", 404, "it is not paused; nothing is held");
    int64_t holds[12];
    for (int i = 0; i < 12; i++) {
        struct answer answer = change(house, "POST", id, "/holds", "{}", 201);
        holds[i] = answer_number(&answer, "id");
        answer_done(&answer);
        if (i == 1) {
            snprintf(words, sizeof words, "no such hold; open holds: %lld, %lld",
                     (long long)holds[1], (long long)holds[0]);
            expect_words(house, "DELETE", id, "/holds/99", NULL, 404, words);
            snprintf(words, sizeof words, "it is not paused; open holds: %lld, %lld",
                     (long long)holds[1], (long long)holds[0]);
            expect_words(house, "POST", id, "/resume", "", 404, words);
        }
    }
    struct answer answer = change(house, "DELETE", id, "/holds/99", NULL, 404);
    assert_string_equal(strrchr(answer_text(&answer, "detail"), ','), ", …");
    answer_done(&answer);
    expect_words(house, "POST", id, "/tasks/deplyo/resolve", "{\"as\":\"failed\"}", 404,
                 "it has no task \"deplyo\": did you mean \"deploy\"?");
    expect_words(house, "POST", id, "/tasks/deploy/resolve", "{\"as\":\"failed\"}", 409,
                 "the task is ready; no task of it is unknown");
    expect_words(house, "POST", id, "/retry", "{\"tasks\":[\"buidl\"]}", 404,
                 "it has no task \"buidl\": did you mean \"build\"?");
    expect_words(house, "POST", id, "/retry", "{}", 409, "no task of it has failed: 2 ready");
}

static void a_change_to_what_has_ended_is_refused(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    house_expect(house, "POST", house_path(id, "/cancel"), "", 202);
    expect_state(house, id, "", "cancelled");
    refuse(house, "POST", id, "/pause", NULL, 409, "already_final");
    refuse(house, "POST", id, "/holds", "{}", 409, "already_final");
}

static void one_hold_more_than_there_may_be_is_refused(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    for (int i = 0; i < ENGINE_HOLDS_MAX; i++) {
        house_expect(house, "POST", house_path(id, "/holds"), "{}", 201);
    }
    refuse(house, "POST", id, "/holds", "{}", 503, "too_many");
}

static void finish(struct house *house, int exit_code)
{
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house_finished(house, fence, exit_code, 0);
    house_turn(house);
}

static void expect_decision(struct house *house, const char *id, const char *task,
                            const char *decision, const char *says)
{
    char rest[64];
    snprintf(rest, sizeof(rest), "/tasks/%s", task);
    struct answer answer = change(house, "GET", id, rest, NULL, 200);
    const json_t *need = json_array_get(json_object_get(answer.json, "needs"), 0);
    assert_string_equal(json_string_value(json_object_get(need, "decision")), decision);
    const char *why = json_string_value(json_object_get(need, "why"));
    if (says == NULL ? why != NULL : why == NULL || strstr(why, says) == NULL) {
        fail_msg("%s: %s", task, answer.body);
    }
    answer_done(&answer);
}

/* The house's devices put out {"rows":3}. */
static void a_condition_over_what_was_put_out_decides(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(
        house,
        "name: c\ntasks:\n  a: {noop: true}\n"
        "  many: {noop: true, needs: [{task: a, if: \"output->>'$.rows' > 2\"}]}\n"
        "  few: {noop: true, needs: [{task: a, if: \"output->>'$.rows' < 2\"}]}\n"
        "  odd: {noop: true, needs: [{task: a, if: \"json_extract(state, '$.a') = 1\"}]}\n",
        id);
    finish(house, 0);
    expect_state(house, id, "/tasks/many", "assigned");
    expect_state(house, id, "/tasks/few", "skipped");
    expect_state(house, id, "/tasks/odd", "skipped");
    expect_decision(house, id, "many", "open", NULL);
    expect_decision(house, id, "few", "closed", NULL);
    expect_decision(house, id, "odd", "closed", "JSON");
    struct answer answer = change(house, "GET", id, "/tasks/few", NULL, 200);
    assert_string_equal(answer_text(&answer, "reason"),
                        "a succeeded, but not: output->>'$.rows' < 2");
    answer_done(&answer);
    answer = change(house, "GET", id, "/tasks/odd", NULL, 200);
    assert_non_null(strstr(answer_text(&answer, "reason"), "could not be evaluated"));
    answer_done(&answer);
}

static void what_has_failed_is_retried_also_when_all_has_ended(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house, CHAIN, id);
    finish(house, 1);
    expect_state(house, id, "", "failed");
    expect_state(house, id, "/tasks/b", "skipped");
    struct answer answer = change(house, "POST", id, "/retry", "{}", 200);
    assert_string_equal(answer_text(&answer, "state"), "running");
    answer_done(&answer);
    house_turn(house);
    finish(house, 0);
    finish(house, 0);
    expect_state(house, id, "", "succeeded");
    refuse(house, "POST", id, "/retry", "{\"tasks\":[\"a\"]}", 409, "not_failed");
    expect_state(house, id, "", "succeeded");
}

static void a_rerun_begins_another_round_of_all_behind_it(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house, CHAIN, id);
    finish(house, 0);
    refuse(house, "POST", id, "/rerun", "{\"tasks\":[\"a\"]}", 409, "task_running");
    finish(house, 0);
    expect_state(house, id, "", "succeeded");
    struct answer answer = change(house, "POST", id, "/rerun", "{\"tasks\":[\"a\"]}", 200);
    answer_done(&answer);
    house_turn(house);
    expect_state(house, id, "/tasks/a", "assigned");
    expect_state(house, id, "/tasks/b", "waiting");
    finish(house, 0);
    finish(house, 0);
    expect_state(house, id, "", "succeeded");
}

static void what_is_being_reopened_is_not_deleted(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house, CHAIN, id);
    finish(house, 1);
    struct client first;
    struct client second;
    client_open(house, &first,
                &(struct request){ "POST", house_path(id, "/retry"), NULL, STR("{}"), false });
    client_open(house, &second,
                &(struct request){ "DELETE", house_path(id, ""), NULL, { NULL, 0 }, false });
    client_wait_end(house, &first);
    client_wait_end(house, &second);
    assert_true(client_has(&first, "HTTP/1.1 200"));
    assert_true(client_has(&second, "HTTP/1.1 409"));
    client_close(&first);
    client_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_paused_constellation_begins_nothing_until_it_is_resumed),
        TEST(many_keys_are_looked_up_over_several_turns),
        TEST(a_body_has_so_many_bytes_values_and_keys),
        TEST(pausing_twice_is_pausing_once),
        TEST(a_held_task_waits_and_the_others_go_on),
        TEST(the_same_key_places_one_hold),
        TEST(what_waits_for_an_approval_is_approved_or_denied),
        TEST(a_hold_that_is_no_approval_cannot_be_denied),
        TEST(what_is_not_right_about_a_change_is_told),
        TEST(what_is_there_is_told_with_what_is_not),
        TEST(a_change_to_what_has_ended_is_refused),
        TEST(one_hold_more_than_there_may_be_is_refused),
        TEST(a_condition_over_what_was_put_out_decides),
        TEST(what_has_failed_is_retried_also_when_all_has_ended),
        TEST(a_rerun_begins_another_round_of_all_behind_it),
        TEST(what_is_being_reopened_is_not_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
