/* What needs a person, what a task waits for, and a device that is being emptied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/sys/clock.h"
#include "tests/unit/api_house.h"

enum { MINUTE_MS = 60 * 1000 };

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

/* The item of the reason in the list, or NULL. The answer is the caller's. */
static const json_t *look(struct house *house, const char *reason, struct answer *ret_answer)
{
    *ret_answer = house_get(house, "/api/v1/attention");
    assert_int_equal(ret_answer->status, 200);
    size_t at = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(ret_answer->json, "items"), at, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "reason")), reason) == 0) {
            return item;
        }
    }
    return NULL;
}

static void expect_item(struct house *house, const char *reason, int count, const char *says)
{
    struct answer answer;
    const json_t *item = look(house, reason, &answer);
    if (item == NULL || json_integer_value(json_object_get(item, "count")) != count ||
        strstr(json_string_value(json_object_get(item, "summary")), says) == NULL) {
        fail_msg("%s: %s", reason, answer.body);
    }
    answer_done(&answer);
    char line[96];
    snprintf(line, sizeof(line), "\nasterism_attention{reason=\"%s\"} %d\n", reason, count);
    answer = house_get(house, "/metrics");
    assert_non_null(strstr(answer.body, line));
    answer_done(&answer);
}

static void expect_none(struct house *house, const char *reason)
{
    struct answer answer;
    if (look(house, reason, &answer) != NULL) {
        fail_msg("%s: %s", reason, answer.body);
    }
    answer_done(&answer);
}

static void finish(struct house *house, int exit_code)
{
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house_finished(house, fence, exit_code, 0);
    house_turn(house);
}

static void tasks_without_a_device_are_one_thing_after_five_minutes(void **state)
{
    struct house *house = *state;
    char first[160];
    char second[160];
    house_connect_device(house);
    const char *spec = "name: g\ntasks:\n  a: {noop: true, selector: gpu}\n"
                       "  b: {noop: true, selector: gpu}\n  c: {noop: true, needs: a}\n";
    house_submit(house, spec, first);
    house_submit(house, spec, second);
    house->skew_ms += 4 * MINUTE_MS;
    expect_none(house, "no_device");
    house->skew_ms += 2 * MINUTE_MS;
    expect_item(house, "no_device", 4, "4 tasks wait for one thing: no device with gpu is known");
}

static void a_device_that_fits_and_is_gone_is_missed(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_close_channel(house);
    house_submit(house, "name: g\ntasks:\n  a: {noop: true, device: desktop}\n", id);
    house->skew_ms += 6 * MINUTE_MS;
    expect_item(house, "no_device", 1, "no device desktop is connected");
}

static void an_approval_is_asked_for_when_its_turn_has_come(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house,
                 "name: s\ntasks:\n  a: {noop: true}\n"
                 "  go: {noop: true, needs: a, hold: \"ask the boss\"}\n",
                 id);
    struct answer answer = house_get(house, house_path(id, "/tasks/go"));
    assert_string_equal(answer_text(&answer, "waiting_for"), "waits for a");
    answer_done(&answer);
    expect_none(house, "approval");
    finish(house, 0);
    expect_item(house, "approval", 1, "1 task waits for an approval: ask the boss");
}

static void a_failure_that_is_held_needs_someone(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house,
                 "name: f\ntasks:\n  a: {run: [x], hold_on_failure: 10m}\n"
                 "  b: {noop: true, needs: a}\n",
                 id);
    finish(house, 1);
    expect_item(house, "failure_held", 1, "1 task has failed");
    struct answer answer = house_get(house, house_path(id, ""));
    assert_string_equal(answer_text(&answer, "state"), "running");
    assert_int_equal(answer_number(&answer, "holds"), 1);
    answer_done(&answer);
}

static void a_hold_whose_end_fails_tasks_is_told_of_in_time(void **state)
{
    struct house *house = *state;
    char id[160];
    house_submit(house, "name: h\ntasks:\n  a: {noop: true}\n", id);
    house_expect(house, "POST", house_path(id, "/holds"),
                 "{\"for\":\"1h\",\"on_expiry\":\"fail\",\"reason\":\"audit\"}", 201);
    expect_none(house, "hold_expiring");
    house->skew_ms += 55 * MINUTE_MS;
    expect_item(house, "hold_expiring", 1, "1 hold ends soon, and what it holds fails then: audit");
}

static void a_condition_that_cannot_be_evaluated_needs_someone(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house,
                 "name: c\ntasks:\n  a: {noop: true}\n  z: {noop: true, selector: gpu}\n"
                 "  b: {noop: true, needs: [{task: a, if: \"json_extract(state, '$.a') = 1\"}]}\n",
                 id);
    finish(house, 0);
    expect_item(house, "condition_error", 1, "1 condition could not be evaluated");
    house_expect(house, "POST", house_path(id, "/cancel"), "", 202);
    expect_none(house, "condition_error");
}

static void a_condition_error_outlives_the_end_that_it_has_led_to(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house,
                 "name: c\ntasks:\n  a: {noop: true}\n"
                 "  b: {noop: true, needs: [{task: a, if: \"json_extract(state, '$.a') = 1\"}]}\n",
                 id);
    finish(house, 0); /* the last task that runs: b is skipped, and it has succeeded */
    expect_item(house, "condition_error", 1, "1 condition could not be evaluated");
    house->skew_ms += 23 * 60 * MINUTE_MS;
    expect_item(house, "condition_error", 1, "1 condition could not be evaluated");
    house->skew_ms += 2 * 60 * MINUTE_MS;
    expect_none(house, "condition_error");
}

static void a_task_whose_fate_is_not_known_is_resolved(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    house_submit(house, "name: u\ntasks:\n  a: {run: [x], effect: once}\n", id);
    house_started(house, house_take_fence(house));
    house_expect(house, "POST", house_path(id, "/tasks/a/resolve"), "{\"as\":\"failed\"}", 409);
    house_close_channel(house);
    house->skew_ms += 10 * MINUTE_MS;
    house_turn(house);
    expect_item(house, "unknown", 1, "1 task may or may not have run");
    struct answer answer;
    const json_t *item = look(house, "unknown", &answer);
    assert_true(json_is_string(json_object_get(item, "since")));
    answer_done(&answer);
    answer = house_get(house, house_path(id, "/tasks/a"));
    assert_string_equal(answer_text(&answer, "state"), "unknown");
    assert_non_null(strstr(answer_text(&answer, "waiting_for"), "someone must decide"));
    answer_done(&answer);
    answer =
        house_send(house, "POST", house_path(id, "/tasks/a/resolve"), "{\"as\":\"succeeded\"}");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_text(&answer, "state"), "succeeded");
    answer_done(&answer);
    expect_none(house, "unknown");
    answer = house_send(house, "POST", house_path(id, "/tasks/a/resolve"), "{\"as\":\"failed\"}");
    assert_int_equal(answer.status, 409);
    answer_done(&answer);
}

static void a_drained_device_is_given_nothing_more(void **state)
{
    struct house *house = *state;
    char id[160];
    house_connect_device(house);
    struct answer answer = house_send(house, "POST", "/api/v1/devices/desktop/drain", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_text(&answer, "status"), "drained");
    answer_done(&answer);
    house_submit(house, "name: d\ntasks:\n  a: {noop: true}\n", id);
    assert_int_equal(house->fences_count, 0);
    answer = house_get(house, house_path(id, "/tasks/a/explain"));
    assert_string_equal(answer_text(&answer, "waits_for"), "drained");
    const json_t *device = json_array_get(json_object_get(answer.json, "devices"), 0);
    assert_string_equal(json_string_value(json_object_get(device, "device")), "desktop");
    assert_true(json_is_true(json_object_get(device, "fits")));
    assert_false(json_is_true(json_object_get(device, "free")));
    assert_non_null(strstr(json_string_value(json_object_get(device, "why")), "drained"));
    answer_done(&answer);
    answer = house_send(house, "POST", "/api/v1/devices/desktop/undrain", NULL);
    assert_string_equal(answer_text(&answer, "status"), "connected");
    answer_done(&answer);
    house_turn(house);
    assert_int_equal(house->fences_count, 1);
    house_expect(house, "POST", "/api/v1/devices/nobody/drain", NULL, 404);
}

static void a_task_says_what_it_waits_for(void **state)
{
    static const struct {
        const char *spec;
        const char *kind;
        const char *says;
    } cases[] = {
        { "limits: {licence: 1}\ntasks:\n  a: {noop: true, limits: [licence]}\n"
          "  x: {noop: true, limits: [licence]}\n",
          "limit", "the limit licence is taken: 1 of 1" },
        { "tasks:\n  x: {noop: true, resources: {cpu: 64}}\n", "no_device",
          "desktop: 2 of cpu is all it has, 64 needed" },
        { "tasks:\n  x: {noop: true, tools: [ffmpeg]}\n", "no_device", "has no tool ffmpeg" },
        { "tasks:\n  a: {noop: true, resources: {cpu: 1.5}}\n"
          "  x: {noop: true, resources: {cpu: 1}}\n",
          "resources", "desktop: 0.5 of cpu is free, 1 needed" },
        { "tasks:\n  a: {noop: true}\n  x: {noop: true, finally: true}\n", "finally",
          "runs last: 1 other is left" },
        { "tasks:\n  x: {noop: true, hold: \"too late\"}\n", "hold",
          "waits for an approval: too late" },
    };
    struct house *house = *state;
    house_connect_device(house);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[160];
        struct buf spec = { NULL, 0, 0 };
        buf_printf(&spec, "name: w\n%s", cases[i].spec);
        house_submit(house, buf_text(&spec), id);
        buf_done(&spec);
        struct answer answer = house_get(house, house_path(id, "/tasks/x/explain"));
        if (strcmp(answer_text(&answer, "waits_for"), cases[i].kind) != 0 ||
            strstr(answer_text(&answer, "waiting_for"), cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].kind, answer.body);
        }
        answer_done(&answer);
        while (house->fences_count > 0) {
            finish(house, 0);
        }
    }
}

static void a_name_that_machines_fight_for_is_told_of(void **state)
{
    struct house *house = *state;
    for (int i = 0; i < 5; i++) {
        house_connect_journal(house, i % 2 == 0 ? "journal" : "another");
        house_close_channel(house);
    }
    expect_item(house, "cloned_identity", 1, "two machines take turns as device desktop");
    house->skew_ms += 11 * MINUTE_MS;
    expect_none(house, "cloned_identity");
}

static void a_certificate_that_soon_expires_needs_a_person(void **state)
{
    static const struct {
        int64_t left_s;
        const char *says;
    } cases[] = {
        { -1, "the daemon's certificate has expired" },
        { 3600, "the daemon's certificate expires today" },
        { 90000, "the daemon's certificate expires in 1 day" },
        { 14 * 86400 - 60, "the daemon's certificate expires in 13 days" },
    };
    struct house *house = *state;
    expect_none(house, "certificate");
    struct answer answer = house_get(house, "/metrics");
    assert_null(strstr(answer.body, "asterism_certificate_expires_seconds"));
    answer_done(&answer);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        house->certificate_wall_ms = clock_wall_ms() + cases[i].left_s * 1000 + 500;
        expect_item(house, "certificate", 1, cases[i].says);
    }
    house->certificate_wall_ms = clock_wall_ms() + INT64_C(15) * 86400 * 1000;
    expect_none(house, "certificate");
    answer = house_get(house, "/metrics");
    assert_non_null(strstr(answer.body, "\nasterism_certificate_expires_seconds 129"));
    answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_certificate_that_soon_expires_needs_a_person),
        TEST(tasks_without_a_device_are_one_thing_after_five_minutes),
        TEST(a_device_that_fits_and_is_gone_is_missed),
        TEST(an_approval_is_asked_for_when_its_turn_has_come),
        TEST(a_failure_that_is_held_needs_someone),
        TEST(a_hold_whose_end_fails_tasks_is_told_of_in_time),
        TEST(a_condition_that_cannot_be_evaluated_needs_someone),
        TEST(a_condition_error_outlives_the_end_that_it_has_led_to),
        TEST(a_task_whose_fate_is_not_known_is_resolved),
        TEST(a_drained_device_is_given_nothing_more),
        TEST(a_task_says_what_it_waits_for),
        TEST(a_name_that_machines_fight_for_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
