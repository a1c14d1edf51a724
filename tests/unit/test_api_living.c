/* What reads a living graph: params of a submission, long polls, fields, what a task has become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/answer.h"
#include "tests/unit/api_house.h"

#define SUBMISSION "Content-Type: application/vnd.asterism.submission+json\r\n"
#define TWO        "name: two\ntasks:\n  a: {noop: true}\n  b: {noop: true, needs: a}\n"

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

static struct answer submit(struct house *house, const char *body)
{
    return house_ask(house, &(struct request){ "POST", "/api/v1/constellations", SUBMISSION,
                                               str_of(body), false });
}

static void a_submission_gives_params_their_values(void **state)
{
    struct house *house = *state;
    struct answer answer =
        submit(house, "{\"spec\":\"name: p\\nparams: {who: {}, n: 3}\\ntasks:\\n"
                      "  a: {run: [echo, '${{ params.who }}', '${{ params.n }}']}\\n\","
                      "\"params\":{\"who\":\"you\",\"n\":7}}");
    assert_int_equal(answer.status, 201);
    char path[256];
    snprintf(path, sizeof(path), "%s", house_path(answer_text(&answer, "id"), "/tasks/a"));
    answer_done(&answer);
    answer = house_get(house, path);
    const json_t *run = json_object_get(json_object_get(answer.json, "spec"), "run");
    assert_string_equal(json_string_value(json_array_get(run, 1)), "you");
    assert_string_equal(json_string_value(json_array_get(run, 2)), "7");
    answer_done(&answer);
}

static void a_condition_compares_with_a_param_of_its_type(void **state)
{
    static const struct {
        const char *most;
        const char *state;
    } cases[] = { { "2", "assigned" }, { "3", "skipped" }, { "\"10\"", "skipped" } };
    struct house *house = *state;
    house_connect_device(house);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf body = { NULL, 0, 0 };
        buf_printf(&body,
                   "{\"spec\":\"name: p\\nparams: {most: {type: integer}}\\ntasks:\\n"
                   "  a: {noop: true}\\n  b: {noop: true, needs: [{task: a, if: "
                   "'json_extract(output, ''$.rows'') > ${{ params.most }}'}]}\\n\","
                   "\"params\":{\"most\":%s}}",
                   cases[i].most);
        struct answer answer = submit(house, buf_text(&body));
        buf_done(&body);
        if (answer.status != 201) {
            fail_msg("%s", answer.body);
        }
        char path[256];
        snprintf(path, sizeof(path), "%s", house_path(answer_text(&answer, "id"), "/tasks/b"));
        answer_done(&answer);
        uint64_t fence = house_take_fence(house);
        house_started(house, fence);
        house_finished(house, fence, 0, 0); /* with {"rows":3} */
        house_turn(house);
        answer = house_get(house, path);
        assert_string_equal(answer_text(&answer, "state"), cases[i].state);
        if (strcmp(cases[i].state, "skipped") == 0) {
            snprintf(path, sizeof(path),
                     "a succeeded, but not: json_extract(output, '$.rows') > %d", i == 1 ? 3 : 10);
            assert_string_equal(answer_text(&answer, "reason"), path);
        }
        answer_done(&answer);
        while (house->fences_count > 0) {
            house_take_fence(house);
        }
    }
}

/* One result of 60 KiB that 40 conditions look into: more than a turn goes through. */
static void what_is_too_much_for_one_turn_is_answered_over_several(void **state)
{
    enum { CONDITIONS = 40, BYTES = 60000 };
    struct house *house = *state;
    house_connect_device(house);
    struct buf body = { NULL, 0, 0 };
    buf_append_text(&body, "{\"spec\":\"name: p\\ntasks:\\n  a: {noop: true}\\n");
    for (int i = 0; i < CONDITIONS; i++) {
        buf_printf(&body,
                   "  t%d: {noop: true, needs: [{task: a, if: 'output->>''$.x%d'' is null'}]}\\n",
                   i, i % 2 == 0 ? i : CONDITIONS);
    }
    buf_append_text(&body, "\"}");
    struct answer answer = submit(house, buf_text(&body));
    assert_int_equal(answer.status, 201);
    answer_done(&answer);
    buf_clear(&body);
    buf_append_text(&body, "{\"x\":\"");
    while (body.length < BYTES) {
        buf_append_text(&body, "abcdefgh");
    }
    buf_append_text(&body, "\",\"x40\":1}");
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = house_take_fence(house);
    msg.finished.outcome = OUTCOME_EXITED;
    msg.finished.result = (struct str){ (const char *)body.data, body.length };
    house_message(house, &msg);
    struct engine_counts counts = { 0 };
    for (int i = 0; i < CONDITIONS && counts.skipped < CONDITIONS / 2; i++) {
        house_turn(house);
        assert_true(engine_constellation_counts(house->engine, 1, &counts));
    }
    assert_int_equal(counts.skipped, CONDITIONS / 2);
    assert_int_equal(counts.ready + counts.assigned, CONDITIONS / 2);
    assert_true(house->put_off > 0);
    assert_true(house->answered_max * BYTES * 2 <= ANSWER_WORK_MAX + (size_t)2 * BYTES);
    buf_done(&body);
}

static void a_submission_that_is_not_right_is_refused(void **state)
{
    static const struct {
        const char *body;
        const char *says;
    } cases[] = {
        { "{", "no JSON" },
        { "{\"params\":{}}", "a submission is" },
        { "{\"spec\":\"name: x\",\"more\":1}", "a submission is" },
        { "{\"spec\":\"name: x\\ntasks:\\n  a: {noop: true}\\n\",\"params\":{\"no\":1}}", "no" },
        { "{\"spec\":\"name: x\\nparams: {must: {required: true}}\\ntasks:\\n"
          "  a: {noop: true}\\n\"}",
          "must" },
    };
    struct house *house = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer answer = submit(house, cases[i].body);
        assert_int_equal(answer.status, 422);
        assert_string_equal(answer_text(&answer, "code"), "invalid_spec");
        if (strstr(answer.body, cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].body, answer.body);
        }
        answer_done(&answer);
    }
}

static void each_goes_over_the_devices_that_are_known(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house,
                 "name: e\ntasks:\n  up: {each: {device: os=linux}, run: [uptime]}\n"
                 "  all: {noop: true, needs: up, join: any, allow_failure: true}\n",
                 id);
    struct answer answer = house_get(house, house_path(id, "/tasks/up@desktop"));
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_text(&answer, "group"), "up");
    assert_string_equal(answer_text(&answer, "pinned_device"), "desktop");
    answer_done(&answer);
    answer = house_get(house, house_path(id, "/tasks/all"));
    assert_string_equal(answer_text(&answer, "join"), "any");
    assert_true(json_is_true(json_object_get(answer.json, "allow_failure")));
    answer_done(&answer);
}

static void only_the_fields_that_are_asked_for_come(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct answer answer = house_get(house, house_path(id, "/tasks?fields=state,key,nonsense"));
    const json_t *tasks = json_object_get(answer.json, "tasks");
    assert_int_equal(json_array_size(tasks), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *task = json_array_get(tasks, i);
        assert_int_equal(json_object_size(task), 2);
        assert_string_equal(json_string_value(json_object_get(task, "key")), i == 0 ? "a" : "b");
        assert_non_null(json_object_get(task, "state"));
    }
    assert_string_equal(answer_text(&answer, "constellation"), id);
    answer_done(&answer);
    answer = house_get(house, house_path(id, "/tasks?fields=needs"));
    const json_t *task = json_array_get(json_object_get(answer.json, "tasks"), 1);
    assert_int_equal(json_object_size(task), 1);
    assert_int_equal(json_array_size(json_object_get(task, "needs")), 1);
    answer_done(&answer);
}

static void open_get(struct house *house, struct client *client, const char *path)
{
    client_open(house, client, &(struct request){ "GET", path, NULL, { NULL, 0 }, false });
}

static void a_wait_for_the_end_is_answered_when_it_comes(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct client client;
    open_get(house, &client, house_path(id, "?wait=55s"));
    house_pass(house);
    assert_false(client_has(&client, "\"state\""));
    house_expect(house, "POST", house_path(id, "/cancel"), "", 202);
    client_wait_end(house, &client);
    assert_true(client_has(&client, "\"state\":\"cancelled\""));
    client_close(&client);
    open_get(house, &client, house_path(id, "?wait=55s"));
    client_wait_end(house, &client);
    assert_true(client_has(&client, "\"state\":\"cancelled\""));
    client_close(&client);
}

static void a_wait_that_takes_too_long_is_answered_with_what_there_is(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct client client;
    open_get(house, &client, house_path(id, "?wait=20s"));
    house_pass(house);
    house->skew_ms += 21 * 1000;
    client_wait_end(house, &client);
    assert_true(client_has(&client, "\"state\":\"running\""));
    client_close(&client);
    house_expect(house, "GET", house_path(id, "?wait=56s"), NULL, 400);
    house_expect(house, "GET", house_path(id, "?wait=soon"), NULL, 400);
}

static void events_are_waited_for_one_answer_at_a_time(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct client client; /* it comes in chunks, as all that may take long */
    open_get(house, &client, "/api/v1/events?since=0&wait=10s");
    client_wait_end(house, &client);
    assert_true(client_has(&client, "\"kind\":\"constellation.submitted\""));
    const char *next = strstr(buf_text(&client.in), "\"next\":");
    assert_non_null(next);
    char path[128];
    snprintf(path, sizeof(path), "/api/v1/events?since=%ld&wait=10s", strtol(next + 7, NULL, 10));
    client_close(&client);
    open_get(house, &client, path);
    house_pass(house);
    assert_false(client_has(&client, "\"events\""));
    house_expect(house, "POST", house_path(id, "/pause"), NULL, 200);
    client_wait_end(house, &client);
    assert_true(client_has(&client, "hold.placed"));
    client_close(&client);
}

static void what_has_changed_is_waited_for_one_answer_at_a_time(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, TWO, id);
    struct client client;
    open_get(house, &client, "/api/v1/changes?wait=10s");
    house_pass(house);
    assert_false(client_has(&client, "\"tasks\""));
    house_connect_device(house);
    client_wait_end(house, &client);
    assert_true(client_has(&client, "\"name\":\"desktop\""));
    client_close(&client);
    open_get(house, &client, "/api/v1/changes?wait=10s&since=0");
    client_wait_end(house, &client);
    assert_true(client_has(&client, "\"key\":\"a\",\"state\":\"assigned\""));
    assert_true(client_has(&client, id));
    client_close(&client);
    house_expect(house, "GET", "/api/v1/changes?wait=10s&since=999", NULL, 410);
}

static void no_news_is_an_answer_without_events(void **state)
{
    struct house *house = *state;
    struct client client;
    open_get(house, &client, "/api/v1/events?wait=1s");
    house_pass(house);
    house->skew_ms += 2000;
    client_wait_end(house, &client);
    assert_true(client_has(&client, "\"events\":[]"));
    client_close(&client);
}

/* a, then b and c, then d: each takes what it takes, and two can run at once. */
static void a_plan_is_measured_while_it_runs_and_after(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house,
                 "name: m\ntasks:\n  a: {noop: true}\n  b: {noop: true, needs: a}\n"
                 "  c: {noop: true, needs: a}\n  d: {noop: true, needs: [b, c]}\n",
                 id);
    struct answer answer = house_get(house, house_path(id, "/plan/metrics"));
    assert_int_equal(answer.status, 200);
    const json_t *path = json_object_get(answer.json, "longest_path");
    assert_int_equal(json_integer_value(json_object_get(path, "length")), 3);
    assert_string_equal(json_string_value(json_array_get(json_object_get(path, "tasks"), 2)), "d");
    assert_int_equal(answer_number(&answer, "tasks"), 4);
    assert_int_equal(answer_number(&answer, "width_max"), 2);
    assert_int_equal(answer_number(&answer, "widest_level"), 2);
    const json_t *parallelism = json_object_get(answer.json, "parallelism");
    assert_true(json_number_value(parallelism) > 1.33 && json_number_value(parallelism) < 1.34);
    assert_true(json_is_null(json_object_get(answer.json, "time")));
    assert_true(json_is_null(json_object_get(answer.json, "expected_end")));
    answer_done(&answer);
    for (int i = 0; i < 4; i++) {
        uint64_t fence = house_take_fence(house);
        house_started(house, fence);
        house->skew_ms += 10000;
        house_finished(house, fence, 0, 0);
        house_turn(house);
        if (i == 0) {
            answer = house_get(house, house_path(id, "/plan/metrics"));
            assert_true(json_is_string(json_object_get(answer.json, "expected_end")));
            answer_done(&answer);
        }
    }
    answer = house_get(house, house_path(id, "/plan/metrics"));
    assert_int_equal(answer.status, 200);
    const json_t *time = json_object_get(answer.json, "time");
    assert_int_equal(json_integer_value(json_object_get(time, "measured")), 4);
    double work = json_number_value(json_object_get(time, "work"));
    double critical = json_number_value(json_object_get(time, "critical"));
    assert_true(work > critical && critical > 0);
    assert_true(json_is_null(json_object_get(answer.json, "expected_end")));
    assert_true(json_is_object(json_object_get(answer.json, "realised")));
    answer_done(&answer);
    house_expect(house, "GET", house_path("nothing-1234", "/plan/metrics"), NULL, 404);
}

/* Its end as far as it is known: "" if there is one, else why there is none. */
static void expect_end(struct house *house, const char *id, const char *why)
{
    struct answer answer = house_get(house, house_path(id, "/plan/metrics"));
    assert_int_equal(answer.status, 200);
    const json_t *end = json_object_get(answer.json, "expected_end");
    const json_t *words = json_object_get(answer.json, "expected_end_why");
    assert_int_equal(json_is_null(words), *why == 0);
    assert_int_equal(json_is_string(end), *why == 0);
    assert_string_equal(answer_text(&answer, "expected_end_why"), *why == 0 ? "(none)" : why);
    answer_done(&answer);
}

static void hold_plan(struct house *house, const char *id, const char *body, char rest[64])
{
    struct answer answer = house_send(house, "POST", house_path(id, "/holds"), body);
    assert_int_equal(answer.status, 201);
    snprintf(rest, 64, "/holds/%lld", (long long)answer_number(&answer, "id"));
    answer_done(&answer);
}

static void a_plan_that_waits_for_somebody_has_no_expected_end(void **state)
{
    struct house *house = *state;
    char id[160];
    char rest[64];
    char why[64];
    house_connect_device(house);
    house_submit(house,
                 "name: m\ntasks:\n  a: {noop: true}\n  b: {noop: true, needs: a}\n"
                 "  c: {noop: true, needs: b}\n  d: {noop: true, needs: c, hold: ship it}\n",
                 id);
    expect_end(house, id, "it waits for an approval: hold 1");
    house_expect(house, "DELETE", house_path(id, "/holds/1"), NULL, 200);
    expect_end(house, id, "nothing of it has ended yet");
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house->skew_ms += 10000;
    house_finished(house, fence, 0, 0);
    house_turn(house);
    expect_end(house, id, "");
    house_expect(house, "POST", house_path(id, "/pause"), "", 200);
    expect_end(house, id, "it is paused");
    house_expect(house, "POST", house_path(id, "/resume"), "", 200);
    hold_plan(house, id, "{\"tasks\":[\"a\"]}", rest);
    expect_end(house, id, ""); /* which is over already */
    hold_plan(house, id, "{\"tasks\":[\"a\",\"c\"]}", rest);
    snprintf(why, sizeof why, "it is held: hold %s", strrchr(rest, '/') + 1);
    expect_end(house, id, why);
    house_expect(house, "DELETE", house_path(id, rest), NULL, 200);
    expect_end(house, id, "");
}

static void a_plan_that_waits_for_a_device_that_fits_has_no_expected_end(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house,
                 "name: m\ntasks:\n  a: {noop: true}\n  b: {noop: true}\n"
                 "  c: {noop: true, selector: gpu, needs: a}\n  d: {noop: true, needs: c}\n",
                 id);
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house->skew_ms += 10000;
    house_finished(house, fence, 0, 0);
    house_turn(house);
    expect_end(house, id, "no device that fits is there for 1 ready task");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_submission_gives_params_their_values),
        TEST(a_condition_compares_with_a_param_of_its_type),
        TEST(what_is_too_much_for_one_turn_is_answered_over_several),
        TEST(a_submission_that_is_not_right_is_refused),
        TEST(each_goes_over_the_devices_that_are_known),
        TEST(only_the_fields_that_are_asked_for_come),
        TEST(a_wait_for_the_end_is_answered_when_it_comes),
        TEST(a_wait_that_takes_too_long_is_answered_with_what_there_is),
        TEST(events_are_waited_for_one_answer_at_a_time),
        TEST(what_has_changed_is_waited_for_one_answer_at_a_time),
        TEST(no_news_is_an_answer_without_events),
        TEST(a_plan_is_measured_while_it_runs_and_after),
        TEST(a_plan_that_waits_for_somebody_has_no_expected_end),
        TEST(a_plan_that_waits_for_a_device_that_fits_has_no_expected_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
