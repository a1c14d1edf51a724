/* The API, route by route, through real sockets, over a real store and a real engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/sys/file.h"
#include "orchestrator/api/reply.h"
#include "tests/unit/api_house.h"

#define SPEC     "name: demo\ntasks:\n  first: {run: [echo, hi]}\n  second: {run: [ls], needs: first}\n"
#define ONE_NOOP "name: one\ntasks:\n  only: {noop: true}\n"

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

static void expect_problem(struct house *house, const char *method, const char *path,
                           const char *body, int status, const char *code)
{
    struct answer answer = house_send(house, method, path, body);
    if (answer.status != status || strcmp(answer_text(&answer, "code"), code) != 0) {
        fail_msg("%s %s: %s", method, path, buf_text(&answer.all));
    }
    assert_int_equal(answer_number(&answer, "status"), status);
    assert_true(answer_has_header(&answer, "content-type: application/problem+json"));
    answer_done(&answer);
}

static void the_document_is_served(void **state)
{
    struct answer answer = house_get(*state, "/api/v1/openapi.yaml");
    assert_int_equal(answer.status, 200);
    assert_int_equal(strncmp(answer.body, "openapi: 3", 10), 0);
    answer_done(&answer);
}

/* --- What is not right. --- */

static void what_is_not_right_is_refused_with_a_stable_code(void **state)
{
    struct house *house = *state;
    expect_problem(house, "GET", "/api/v1/nothing", NULL, 404, "not_found");
    expect_problem(house, "GET", "/api/v1/constellations/", NULL, 404, "not_found");
    expect_problem(house, "GET", "/api/v1/constellations/none", NULL, 404, "not_found");
    expect_problem(house, "GET", "/api/v1/constellations/@last", NULL, 404, "not_found");
    expect_problem(house, "GET", "/api/v1/devices/none", NULL, 404, "not_found");
    expect_problem(house, "GET", "/api/v1/constellations?limit=0", NULL, 400, "bad_request");
    expect_problem(house, "GET", "/api/v1/constellations?limit=1001", NULL, 400, "bad_request");
    expect_problem(house, "GET", "/api/v1/constellations?state=odd", NULL, 400, "bad_request");
    expect_problem(house, "GET", "/api/v1/constellations?state=%ff", NULL, 400, "bad_request");
    expect_problem(house, "GET", "/api/v1/constellations?limit=1&limit=2", NULL, 400,
                   "bad_request");
    expect_problem(house, "POST", "/api/v1/tokens", "{\"role\":\"king\"}", 400, "bad_request");
    expect_problem(house, "POST", "/api/v1/tokens", "{\"role\":\"agent\",\"name\":\"a\"}", 400,
                   "bad_request");
    expect_problem(house, "DELETE", "/api/v1/tokens/none", NULL, 404, "not_found");
    struct answer answer = house_get(house, "/api/v1/constellations?stat=running");
    assert_int_equal(answer.status, 400);
    assert_non_null(strstr(answer_text(&answer, "detail"), "\"stat\""));
    assert_non_null(strstr(answer_text(&answer, "detail"), "state, limit, before"));
    answer_done(&answer);
}

static void a_method_that_is_not_there_is_told_what_is(void **state)
{
    struct answer answer = house_send(*state, "PUT", "/api/v1/constellations", "");
    assert_int_equal(answer.status, 405);
    assert_true(answer_has_header(&answer, "allow: POST, GET"));
    assert_string_equal(answer_text(&answer, "code"), "method_not_allowed");
    answer_done(&answer);
}

static void a_bad_spec_is_refused_with_its_place_and_nothing_is_stored(void **state)
{
    struct house *house = *state;
    struct answer answer = house_send(house, "POST", "/api/v1/constellations",
                                      "name: demo\ntasks:\n  a: {run: [ls], tiemout: 3s}\n");
    assert_int_equal(answer.status, 422);
    assert_string_equal(answer_text(&answer, "code"), "invalid_spec");
    json_t *item = json_array_get(json_object_get(answer.json, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(item, "code")), "unknown_key");
    assert_int_equal(json_integer_value(json_object_get(item, "line")), 3);
    assert_string_equal(json_string_value(json_object_get(item, "path")), "/tasks/a/tiemout");
    answer_done(&answer);
    answer = house_send(house, "POST", "/api/v1/constellations", "");
    assert_int_equal(answer.status, 422);
    answer_done(&answer);
    answer = house_get(house, "/api/v1/constellations");
    assert_int_equal(json_array_size(json_object_get(answer.json, "constellations")), 0);
    answer_done(&answer);
}

static void a_body_of_another_kind_is_refused(void **state)
{
    struct request request = { "POST", "/api/v1/constellations", "Content-Type: image/png\r\n",
                               STR(SPEC), false };
    struct answer answer = house_ask(*state, &request);
    assert_int_equal(answer.status, 415);
    assert_string_equal(answer_text(&answer, "code"), "unsupported_media_type");
    answer_done(&answer);
}

/* --- Constellations. --- */

static void a_spec_becomes_a_constellation_that_can_be_read(void **state)
{
    struct house *house = *state;
    struct request request = { "POST", "/api/v1/constellations",
                               "Content-Type: application/yaml; charset=utf-8\r\n", STR(SPEC),
                               false };
    struct answer answer = house_ask(house, &request);
    assert_int_equal(answer.status, 201);
    char id[160];
    snprintf(id, sizeof(id), "%s", answer_text(&answer, "id"));
    assert_int_equal(strncmp(id, "demo-", 5), 0);
    assert_int_equal(strlen(id), 9);
    char line[200];
    snprintf(line, sizeof(line), "location: /api/v1/constellations/%s\r\n", id);
    assert_true(answer_has_header(&answer, line));
    assert_int_equal(answer_number(&answer, "tasks"), 2);
    assert_int_equal(answer_number(&answer, "dependencies"), 1);
    answer_done(&answer);
    static const char *const names[] = { "@last", "demo", NULL };
    for (size_t i = 0; i < 3; i++) {
        char path[200];
        snprintf(path, sizeof(path), "/api/v1/constellations/%s", names[i] ? names[i] : id);
        answer = house_get(house, path);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer_text(&answer, "id"), id);
        assert_string_equal(answer_text(&answer, "state"), "running");
        json_t *counts = json_object_get(answer.json, "counts");
        assert_int_equal(json_integer_value(json_object_get(counts, "ready")), 1);
        assert_int_equal(json_integer_value(json_object_get(counts, "waiting")), 1);
        assert_true(answer_number(&answer, "seq") > 0);
        answer_done(&answer);
    }
}

static void a_list_goes_page_by_page_newest_first(void **state)
{
    struct house *house = *state;
    char ids[3][160];
    for (size_t i = 0; i < 3; i++) {
        house_submit(house, ONE_NOOP, ids[i]);
    }
    struct answer answer = house_get(house, "/api/v1/constellations?limit=2&state=running");
    json_t *list = json_object_get(answer.json, "constellations");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")), ids[2]);
    char path[200];
    snprintf(path, sizeof(path), "/api/v1/constellations?before=%s", answer_text(&answer, "next"));
    answer_done(&answer);
    answer = house_get(house, path);
    list = json_object_get(answer.json, "constellations");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")), ids[0]);
    assert_true(json_is_null(json_object_get(answer.json, "next")));
    answer_done(&answer);
    expect_problem(house, "GET", "/api/v1/constellations/one", NULL, 409, "ambiguous_id");
}

static void the_same_idempotency_key_gives_the_same_answer(void **state)
{
    struct house *house = *state;
    struct request request = { "POST", "/api/v1/constellations", "Idempotency-Key: k1\r\n",
                               STR(ONE_NOOP), false };
    struct answer first = house_ask(house, &request);
    struct answer again = house_ask(house, &request);
    assert_int_equal(first.status, 201);
    assert_int_equal(again.status, 201);
    assert_string_equal(first.body, again.body);
    assert_true(answer_has_header(&again, "location: /api/v1/constellations/one-"));
    answer_done(&first);
    answer_done(&again);
    request.body = STR(SPEC);
    again = house_ask(house, &request);
    assert_int_equal(again.status, 422);
    assert_string_equal(answer_text(&again, "code"), "idempotency_mismatch");
    answer_done(&again);
    house->skew_ms += (int64_t)8 * 24 * 3600 * 1000;
    again = house_ask(house, &request);
    assert_int_equal(again.status, 201);
    answer_done(&again);
}

static char *large_spec(size_t bytes)
{
    struct buf text = { NULL, 0, 0 };
    buf_append_text(&text, "{\"name\":\"large\",\"tasks\":{");
    for (unsigned i = 0; text.length < bytes; i++) {
        buf_printf(&text, "%s\"t%u\":{\"noop\":true}", i == 0 ? "" : ",", i);
    }
    buf_append_text(&text, "}}");
    char *copy = mem_copy_text(buf_text(&text));
    buf_done(&text);
    return copy;
}

static void a_request_joins_the_submission_that_is_under_way(void **state)
{
    struct house *house = *state;
    char *spec = large_spec(API_INLINE_PARSE_BYTES_MAX + 1000);
    struct request request = { "POST", "/api/v1/constellations", "Idempotency-Key: k2\r\n",
                               str_of(spec), false };
    struct client first;
    struct client second;
    client_open(house, &first, &request);
    client_open(house, &second, &request);
    client_wait_end(house, &first);
    client_wait_end(house, &second);
    assert_true(client_has(&first, "HTTP/1.1 201"));
    assert_string_equal(strstr(buf_text(&first.in), "\r\n\r\n"),
                        strstr(buf_text(&second.in), "\r\n\r\n"));
    client_close(&first);
    client_close(&second);
    mem_free(spec);
    struct answer answer = house_get(house, "/api/v1/constellations");
    assert_int_equal(json_array_size(json_object_get(answer.json, "constellations")), 1);
    answer_done(&answer);
}

/* It is freed beside the loop: by then the key must stand for the answer, not for the submission. */
static void a_request_repeated_while_the_first_is_being_freed_gets_its_answer(void **state)
{
    struct house *house = *state;
    char *spec = large_spec((size_t)2 * 1024 * 1024);
    struct request request = { "POST", "/api/v1/constellations", "Idempotency-Key: k3\r\n",
                               str_of(spec), false };
    struct answer first = house_ask(house, &request);
    assert_int_equal(first.status, 201);
    struct answer again = house_ask(house, &request);
    assert_int_equal(again.status, 201);
    assert_string_equal(answer_text(&again, "id"), answer_text(&first, "id"));
    answer_done(&first);
    answer_done(&again);
    mem_free(spec);
}

static void a_large_spec_that_is_wrong_is_refused_by_the_worker_too(void **state)
{
    char *spec = large_spec(API_INLINE_PARSE_BYTES_MAX + 1000);
    spec[strlen(spec) - 1] = ']';
    expect_problem(*state, "POST", "/api/v1/constellations", spec, 422, "invalid_spec");
    mem_free(spec);
}

static void cancel_ends_it_and_delete_removes_it(void **state)
{
    struct house *house = *state;
    char id[160] = "";
    char path[224];
    char cancel[240];
    house_submit(house, SPEC, id);
    snprintf(path, sizeof(path), "/api/v1/constellations/%s", id);
    snprintf(cancel, sizeof(cancel), "%s/cancel", path);
    expect_problem(house, "DELETE", path, NULL, 409, "not_final");
    struct answer answer = house_send(house, "POST", cancel, "");
    assert_int_equal(answer.status, 202);
    assert_true(json_is_true(json_object_get(answer.json, "cancel_requested")));
    answer_done(&answer);
    expect_problem(house, "POST", cancel, "", 409, "already_final");
    answer = house_get(house, "/api/v1/constellations/demo");
    assert_string_equal(answer_text(&answer, "state"), "cancelled");
    json_t *counts = json_object_get(answer.json, "counts");
    assert_int_equal(json_integer_value(json_object_get(counts, "cancelled")), 2);
    answer_done(&answer);
    house_expect(house, "DELETE", path, NULL, 204);
    expect_problem(house, "GET", path, NULL, 404, "not_found");
}

/* What number stands behind an id that edits have named is kept in memory. */
static void an_id_that_edits_have_named_goes_with_its_constellation(void **state)
{
    static const char edit[] =
        "{\"operations\":[{\"op\":\"add_task\",\"task\":\"x\",\"spec\":{}}]}";
    struct house *house = *state;
    char id[160] = "";
    house_submit(house, SPEC, id);
    house_expect(house, "POST", house_path(id, "/edits?dry_run=1"), edit, 200);
    house_expect(house, "POST", house_path(id, "/edits"), edit, 200);
    house_expect(house, "POST", house_path(id, "/cancel"), "", 202);
    house_expect(house, "DELETE", house_path(id, ""), NULL, 204);
    expect_problem(house, "POST", house_path(id, "/edits"), edit, 404, "not_found");
    expect_problem(house, "POST", house_path(id, "/pause"), "", 404, "not_found");
}

static void cancel_and_delete_take_no_prefix(void **state)
{
    struct house *house = *state;
    char id[160] = "";
    house_submit(house, SPEC, id);
    struct answer answer = house_send(house, "POST", "/api/v1/constellations/demo/cancel", "");
    assert_int_equal(answer.status, 404);
    assert_non_null(strstr(answer_text(&answer, "detail"), "did you mean demo-"));
    const json_t *item = json_array_get(json_object_get(answer.json, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(item, "detail")), id);
    answer_done(&answer);
    house_expect(house, "POST", "/api/v1/constellations/@last/cancel", "", 202);
    expect_problem(house, "DELETE", "/api/v1/constellations/dem", NULL, 404, "not_found");
    house_expect(house, "GET", "/api/v1/constellations/dem", NULL, 200);
    house_expect(house, "DELETE", "/api/v1/constellations/@last", NULL, 204);
}

/* --- Tasks. --- */

static const json_t *task_of(const struct answer *answer, size_t place)
{
    return json_array_get(json_object_get(answer->json, "tasks"), place);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "(none)" : text;
}

static void a_waiting_task_says_what_it_waits_for(void **state)
{
    struct house *house = *state;
    house_submit(
        house, "name: demo\ntasks:\n  a: {run: [ls], selector: gpu}\n  b: {run: [ls], needs: a}\n",
        (char[160]){ 0 });
    struct answer answer = house_get(house, "/api/v1/constellations/@last/tasks");
    assert_int_equal(answer.status, 200);
    const json_t *a = task_of(&answer, 0);
    const json_t *b = task_of(&answer, 1);
    assert_string_equal(text_of(a, "state"), "ready");
    assert_string_equal(text_of(a, "waiting_for"), "no device has ever connected");
    assert_string_equal(text_of(b, "state"), "waiting");
    assert_string_equal(text_of(b, "waiting_for"), "waits for a");
    const json_t *need = json_array_get(json_object_get(b, "needs"), 0);
    assert_string_equal(text_of(need, "task"), "a");
    assert_string_equal(text_of(need, "decision"), "undecided");
    answer_done(&answer);
    house_connect_device(house);
    answer = house_get(house, "/api/v1/constellations/@last/tasks?keys=a");
    assert_non_null(strstr(text_of(task_of(&answer, 0), "waiting_for"), "desktop"));
    answer_done(&answer);
}

static void a_task_that_never_began_says_why(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    house_submit(house,
                 "name: demo\ntasks:\n  a: {run: [ls]}\n  b: {run: [ls], needs: a}\n"
                 "  c: {run: [ls], needs: b}\n  d: {run: [ls], selector: gpu}\n",
                 (char[160]){ 0 });
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house_finished(house, fence, 3, 0);
    house_expect(house, "POST", "/api/v1/constellations/@last/cancel", "", 202);
    struct answer answer = house_get(house, "/api/v1/constellations/@last/tasks");
    assert_string_equal(text_of(task_of(&answer, 1), "state"), "skipped");
    assert_string_equal(text_of(task_of(&answer, 1), "reason"), "a failed");
    assert_string_equal(text_of(task_of(&answer, 2), "reason"), "b was skipped");
    assert_string_equal(text_of(task_of(&answer, 3), "state"), "cancelled");
    assert_string_equal(text_of(task_of(&answer, 3), "reason"), "cancelled before it started");
    answer_done(&answer);
}

static void tasks_come_in_pages_and_by_state_and_key(void **state)
{
    struct house *house = *state;
    house_submit(
        house,
        "name: p\ntasks:\n  a: {noop: true}\n  b: {noop: true}\n  c: {noop: true, needs: a}\n",
        (char[160]){ 0 });
    struct answer answer = house_get(house, "/api/v1/constellations/p/tasks?limit=2");
    assert_int_equal(json_array_size(json_object_get(answer.json, "tasks")), 2);
    char path[120];
    snprintf(path, sizeof(path), "/api/v1/constellations/p/tasks?limit=2&after=%lld",
             (long long)answer_number(&answer, "next"));
    answer_done(&answer);
    answer = house_get(house, path);
    assert_int_equal(json_array_size(json_object_get(answer.json, "tasks")), 1);
    assert_string_equal(text_of(task_of(&answer, 0), "key"), "c");
    assert_true(json_is_null(json_object_get(answer.json, "next")));
    answer_done(&answer);
    answer = house_get(house, "/api/v1/constellations/p/tasks?state=waiting,running");
    assert_int_equal(json_array_size(json_object_get(answer.json, "tasks")), 1);
    assert_string_equal(text_of(task_of(&answer, 0), "key"), "c");
    answer_done(&answer);
    answer = house_get(house, "/api/v1/constellations/p/tasks?keys=c,zzz,a,c");
    assert_int_equal(json_array_size(json_object_get(answer.json, "tasks")), 2);
    assert_string_equal(text_of(task_of(&answer, 0), "key"), "a");
    answer_done(&answer);
    expect_problem(house, "GET", "/api/v1/constellations/p/tasks/zzz", NULL, 404, "not_found");
}

static void a_task_shows_its_attempts_and_its_spec(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    house_submit(house,
                 "name: t\ntasks:\n  a: {run: [echo, hi], retry: {max_attempts: 2, backoff: 0s}}\n",
                 (char[160]){ 0 });
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house_finished(house, fence, 3, 0);
    house_turn(house);
    fence = house_take_fence(house);
    house_started(house, fence);
    house_finished(house, fence, 0, 0);
    struct answer answer = house_get(house, "/api/v1/constellations/t/tasks/a");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_text(&answer, "state"), "succeeded");
    assert_string_equal(answer_text(&answer, "device"), "desktop");
    assert_string_equal(answer_text(&answer, "executor"), "run");
    assert_int_equal(answer_number(&answer, "attempt"), 2);
    assert_int_equal(answer_number(&answer, "max_attempts"), 2);
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)fence);
    assert_string_equal(answer_text(&answer, "fence"), text);
    json_t *output = json_object_get(answer.json, "output");
    assert_int_equal(json_integer_value(json_object_get(output, "rows")), 3);
    json_t *attempts = json_object_get(answer.json, "attempts");
    assert_int_equal(json_array_size(attempts), 2);
    json_t *first = json_array_get(attempts, 0);
    assert_int_equal(json_integer_value(json_object_get(first, "attempt")), 1);
    assert_int_equal(json_integer_value(json_object_get(first, "exit_code")), 3);
    assert_string_equal(text_of(first, "reason"), "exited with a fault");
    json_t *run = json_object_get(json_object_get(answer.json, "spec"), "run");
    assert_string_equal(json_string_value(json_array_get(run, 0)), "echo");
    answer_done(&answer);
    answer = house_get(house, "/api/v1/constellations/t");
    assert_string_equal(answer_text(&answer, "state"), "succeeded");
    answer_done(&answer);
}

static void output_is_served_whole_and_in_ranges(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    house_submit(house, "name: o\ntasks:\n  a: {run: [ls]}\n", (char[160]){ 0 });
    expect_problem(house, "GET", "/api/v1/constellations/o/tasks/a/output?stream=odd", NULL, 400,
                   "bad_request");
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house_output(house, fence, STREAM_STDOUT, 0, STR("0123456789"));
    house_finished(house, fence, 0, 10);
    static const struct {
        const char *range;
        int status;
        const char *body;
        const char *header;
    } rows[] = {
        { "", 200, "0123456789", "accept-ranges: bytes" },
        { "Range: bytes=2-4\r\n", 206, "234", "content-range: bytes 2-4/10" },
        { "Range: bytes=7-\r\n", 206, "789", "content-range: bytes 7-9/10" },
        { "Range: bytes=-2\r\n", 206, "89", "content-range: bytes 8-9/10" },
        { "Range: bytes=-99\r\n", 206, "0123456789", "content-range: bytes 0-9/10" },
        { "Range: bytes=5-99\r\n", 206, "56789", "content-range: bytes 5-9/10" },
        { "Range: bytes=10-\r\n", 416, NULL, "content-range: bytes */10" },
        { "Range: bytes=-0\r\n", 416, NULL, "content-range: bytes */10" },
        { "Range: bytes=4-2\r\n", 200, "0123456789", "content-length: 10" },
        { "Range: bytes=0-1,3-4\r\n", 200, "0123456789", "content-length: 10" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct request request = {
            "GET", "/api/v1/constellations/o/tasks/a/output", rows[i].range, { NULL, 0 }, false
        };
        struct answer answer = house_ask(house, &request);
        assert_int_equal(answer.status, rows[i].status);
        assert_true(answer_has_header(&answer, rows[i].header));
        if (rows[i].body != NULL) {
            assert_string_equal(answer.body, rows[i].body);
        }
        answer_done(&answer);
    }
    expect_problem(house, "GET", "/api/v1/constellations/o/tasks/a/output?attempt=2", NULL, 404,
                   "not_found");
}

/* --- Devices, health, metrics. --- */

static void a_device_is_shown_with_what_it_is_and_does(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    struct answer answer = house_get(house, "/api/v1/devices/desktop");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_text(&answer, "status"), "connected");
    assert_string_equal(answer_text(&answer, "os"), "linux");
    assert_int_equal(answer_number(&answer, "slots"), 4);
    assert_string_equal(text_of(json_object_get(answer.json, "labels"), "os"), "linux");
    answer_done(&answer);
    answer = house_get(house, "/api/v1/devices");
    assert_int_equal(json_array_size(json_object_get(answer.json, "devices")), 1);
    answer_done(&answer);
    house_post(house, &(struct event){ .kind = EVENT_CHANNEL_CLOSED,
                                       .channel_closed = { 1, STR("gone") } });
    house_turn(house);
    answer = house_get(house, "/api/v1/devices/desktop");
    assert_string_equal(answer_text(&answer, "status"), "disconnected");
    assert_true(json_is_null(json_object_get(answer.json, "silent")));
    answer_done(&answer);
}

static void health_and_metrics_are_served_at_the_root(void **state)
{
    struct house *house = *state;
    house_expect(house, "GET", "/healthz", NULL, 200);
    house_expect(house, "GET", "/readyz", NULL, 200);
    house_submit(house, ONE_NOOP, (char[160]){ 0 });
    struct answer answer = house_get(house, "/metrics");
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "asterism_constellations{state=\"running\"} 1\n"));
    assert_non_null(strstr(answer.body, "asterism_tasks{state=\"ready\"} 1\n"));
    assert_non_null(strstr(answer.body, "asterism_turn_seconds_bucket{le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(answer.body, "asterism_turn_seconds_bucket{le=\"0.001\"} 1\n"));
    assert_non_null(strstr(answer.body, "process_resident_memory_bytes "));
    answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        IN_A_HOUSE(the_document_is_served),
        IN_A_HOUSE(what_is_not_right_is_refused_with_a_stable_code),
        IN_A_HOUSE(a_method_that_is_not_there_is_told_what_is),
        IN_A_HOUSE(a_bad_spec_is_refused_with_its_place_and_nothing_is_stored),
        IN_A_HOUSE(a_body_of_another_kind_is_refused),
        IN_A_HOUSE(a_spec_becomes_a_constellation_that_can_be_read),
        IN_A_HOUSE(a_list_goes_page_by_page_newest_first),
        IN_A_HOUSE(the_same_idempotency_key_gives_the_same_answer),
        IN_A_HOUSE(a_request_joins_the_submission_that_is_under_way),
        IN_A_HOUSE(a_request_repeated_while_the_first_is_being_freed_gets_its_answer),
        IN_A_HOUSE(a_large_spec_that_is_wrong_is_refused_by_the_worker_too),
        IN_A_HOUSE(cancel_ends_it_and_delete_removes_it),
        IN_A_HOUSE(an_id_that_edits_have_named_goes_with_its_constellation),
        IN_A_HOUSE(cancel_and_delete_take_no_prefix),
        IN_A_HOUSE(a_waiting_task_says_what_it_waits_for),
        IN_A_HOUSE(a_task_that_never_began_says_why),
        IN_A_HOUSE(tasks_come_in_pages_and_by_state_and_key),
        IN_A_HOUSE(a_task_shows_its_attempts_and_its_spec),
        IN_A_HOUSE(output_is_served_whole_and_in_ranges),
        IN_A_HOUSE(a_device_is_shown_with_what_it_is_and_does),
        IN_A_HOUSE(health_and_metrics_are_served_at_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
