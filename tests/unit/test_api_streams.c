/* What goes on: events, changes, followed output; and what tokens open and close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/api_house.h"

#define ONE "name: one\ntasks:\n  only: {run: [ls]}\n"

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

static void follow(struct house *house, struct client *client, const char *path,
                   const char *headers)
{
    client_open(house, client,
                &(struct request){ .method = "GET", .path = path, .headers = headers });
}

static void run_one(struct house *house)
{
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house_output(house, fence, STREAM_STDOUT, 0, STR("hello\n"));
    house_finished(house, fence, 0, 6);
}

/* --- Events. --- */

static void events_come_as_they_happen_with_all_their_names(void **state)
{
    struct house *house = *state;
    struct client client;
    follow(house, &client, "/api/v1/events", NULL);
    client_wait(house, &client, ": events\n\n");
    assert_true(client_has(&client, "text/event-stream"));
    house_connect_device(house);
    char id[160];
    house_submit(house, ONE, id);
    run_one(house);
    client_wait(house, &client, "event: constellation.finished\n");
    char text[256];
    snprintf(text, sizeof(text), "\"kind\":\"constellation.submitted\",\"constellation\":\"%s\"",
             id);
    assert_true(client_has(&client, text));
    assert_true(client_has(&client, "\"tasks\":1,\"actor\":\"local\""));
    assert_true(client_has(&client, "event: task.assigned\n"));
    assert_true(client_has(&client, "\"task\":\"only\",\"device\":\"desktop\",\"fence\":\""));
    assert_true(
        client_has(&client, "\"outcome\":\"exited\",\"exit_code\":0,\"state\":\"succeeded\""));
    client_close(&client);
}

/* The line behind the last "id: " that has come in. */
static void last_id(struct client *client, char to[64])
{
    const char *at = buf_text(&client->in);
    const char *found = NULL;
    while ((at = strstr(at, "\nid: ")) != NULL) {
        found = at += 5;
    }
    if (found == NULL) {
        fail_msg("no event with an id has come in");
        return; /* the analyzer does not know that it has failed */
    }
    snprintf(to, 64, "%.*s", (int)strcspn(found, "\r\n"), found);
}

static void a_reader_goes_on_behind_the_last_event_that_it_had(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    house_submit(house, ONE, (char[160]){ 0 });
    struct client client;
    follow(house, &client, "/api/v1/events?since=0", NULL);
    client_wait(house, &client, "event: task.assigned\n");
    assert_true(client_has(&client, "event: constellation.submitted\n"));
    char id[64];
    last_id(&client, id);
    client_close(&client);
    run_one(house);
    char header[128];
    snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", id);
    follow(house, &client, "/api/v1/events", header);
    client_wait(house, &client, "event: constellation.finished\n");
    assert_true(client_has(&client, "event: task.ended\n"));
    assert_false(client_has(&client, "event: task.assigned\n"));
    client_close(&client);
}

static void the_id_of_another_database_or_of_the_future_is_a_gap(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    static const char *const headers[] = { "Last-Event-ID: 00000000-1\r\n",
                                           "Last-Event-ID: nonsense\r\n",
                                           "Last-Event-ID: 999999\r\n" };
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = house_ask(
            house,
            &(struct request){ .method = "GET", .path = "/api/v1/events", .headers = headers[i] });
        assert_int_equal(answer.status, 410);
        assert_string_equal(answer_text(&answer, "code"), "event_gap");
        answer_done(&answer);
    }
}

static void events_of_one_constellation_leave_out_the_others(void **state)
{
    struct house *house = *state;
    char other[160] = "";
    char cancel[224];
    house_submit(house, "name: other\ntasks:\n  x: {noop: true}\n", other);
    snprintf(cancel, sizeof(cancel), "/api/v1/constellations/%s/cancel", other);
    house_submit(house, ONE, (char[160]){ 0 });
    struct client client;
    follow(house, &client, "/api/v1/events?constellation=one&since=0", NULL);
    client_wait(house, &client, "event: constellation.submitted\n");
    house_expect(house, "POST", cancel, "", 202);
    house_expect(house, "POST", "/api/v1/constellations/@last/cancel", "", 202);
    client_wait(house, &client, "event: constellation.finished\n");
    assert_true(client_has(&client, "event: task.cancelled\n"));
    assert_false(client_has(&client, "\"constellation\":\"other-"));
    client_close(&client);
}

static void a_replay_of_many_events_has_every_one_of_them_once(void **state)
{
    struct house *house = *state;
    struct buf spec = { NULL, 0, 0 };
    buf_append_text(&spec, "{\"name\":\"many\",\"tasks\":{");
    for (int i = 0; i < 3000; i++) {
        buf_printf(&spec, "%s\"t%d\":{\"noop\":true}", i == 0 ? "" : ",", i);
    }
    buf_append_text(&spec, "}}");
    house_submit(house, buf_text(&spec), (char[160]){ 0 });
    buf_done(&spec);
    house_expect(house, "POST", "/api/v1/constellations/@last/cancel", "", 202);
    struct client client;
    follow(house, &client, "/api/v1/events?since=0", NULL);
    client_wait(house, &client, "event: constellation.finished\n");
    size_t count = 0;
    const char *at = buf_text(&client.in);
    while ((at = strstr(at, "event: task.cancelled\n")) != NULL) {
        at++;
        count++;
    }
    assert_int_equal(count, 3000);
    client_close(&client);
}

static void a_heartbeat_comes_when_nothing_happens(void **state)
{
    struct house *house = *state;
    struct client client;
    follow(house, &client, "/api/v1/events", NULL);
    client_wait(house, &client, ": events\n\n");
    house->skew_ms += 15001;
    client_wait(house, &client, ": still here\n\n");
    client_close(&client);
}

/* --- Changes. --- */

static void changes_begin_with_a_snapshot_and_end_with_the_end(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    house_submit(house, ONE, (char[160]){ 0 });
    struct client client;
    follow(house, &client, "/api/v1/changes?constellation=@last", NULL);
    client_wait(house, &client, "event: snapshot\ndata: ");
    client_wait(house, &client, "\"key\":\"only\",\"state\":\"assigned\",\"device\":\"desktop\"");
    run_one(house);
    house->skew_ms += 300;
    client_wait(house, &client, "event: change\ndata: ");
    client_wait_end(house, &client);
    assert_true(client_has(&client,
                           "\"key\":\"only\",\"state\":\"succeeded\",\"device\":\"desktop\","
                           "\"attempt\":1,\"exit_code\":0}"));
    assert_true(client_has(&client, "event: end\ndata: "));
    client_close(&client);
    follow(house, &client, "/api/v1/changes?constellation=@last", NULL);
    client_wait_end(house, &client);
    assert_true(client_has(&client, "event: snapshot\n"));
    assert_true(client_has(&client, "event: end\n"));
    client_close(&client);
}

static void changes_of_everything_show_new_constellations_and_devices(void **state)
{
    struct house *house = *state;
    struct client client;
    follow(house, &client, "/api/v1/changes", NULL);
    client_wait(house, &client, "\"constellation\":null,\"tasks\":[]}\n\n");
    house_submit(house, ONE, (char[160]){ 0 });
    house_connect_device(house);
    house->skew_ms += 300;
    client_wait(house, &client, "\"name\":\"desktop\",\"status\":\"connected\"");
    client_wait(house, &client, "\"key\":\"only\",\"state\":\"assigned\"");
    client_close(&client);
}

static void changes_come_at_most_four_times_a_second(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    house_submit(house, ONE, (char[160]){ 0 });
    struct client client;
    follow(house, &client, "/api/v1/changes?constellation=one", NULL);
    client_wait(house, &client, "event: snapshot\n");
    house_started(house, house->fences[0]);
    int64_t due_ms = api_next_deadline(house->api);
    house_output(house, house->fences[0], STREAM_STDOUT, 0, STR("x"));
    assert_int_equal(api_next_deadline(house->api), due_ms);
    assert_false(client_has(&client, "event: change\n"));
    house->skew_ms += 300;
    client_wait(house, &client, "event: change\n");
    client_close(&client);
}

static void a_snapshot_of_many_tasks_is_one_whole_event(void **state)
{
    struct house *house = *state;
    struct buf spec = { NULL, 0, 0 };
    buf_append_text(&spec, "{\"name\":\"many\",\"tasks\":{");
    for (int i = 0; i < 2500; i++) {
        buf_printf(&spec, "%s\"t%d\":{\"noop\":true}", i == 0 ? "" : ",", i);
    }
    buf_append_text(&spec, "}}");
    house_submit(house, buf_text(&spec), (char[160]){ 0 });
    buf_done(&spec);
    house_expect(house, "POST", "/api/v1/constellations/@last/cancel", "", 202);
    house_turn(house);
    struct answer answer = house_get(house, "/api/v1/changes?constellation=many");
    assert_non_null(strstr(answer.body, "event: end\n"));
    /* The body is chunked: the pieces of one event may have the sizes of chunks between them. */
    size_t count = 0;
    for (const char *at = answer.body;
         (at = strstr(at, "\"state\":\"cancelled\",\"device\"")) != NULL; at++) {
        count++;
    }
    assert_true(count >= 2490 && count <= 2500);
    answer_done(&answer);
}

/* --- Output. --- */

static void followed_output_goes_on_through_attempts_until_the_task_is_final(void **state)
{
    struct house *house = *state;
    house_submit(house,
                 "name: f\ntasks:\n  a: {run: [ls], retry: {max_attempts: 2, backoff: 0s}}\n",
                 (char[160]){ 0 });
    struct client client;
    follow(house, &client, "/api/v1/constellations/f/tasks/a/output?follow=1", NULL);
    client_wait(house, &client, "application/octet-stream");
    house_connect_device(house);
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    house_output(house, fence, STREAM_STDOUT, 0, STR("first"));
    client_wait(house, &client, "first");
    house_finished(house, fence, 1, 5);
    house_turn(house);
    fence = house_take_fence(house);
    house_started(house, fence);
    house_output(house, fence, STREAM_STDOUT, 0, STR("second"));
    client_wait(house, &client, "second");
    assert_false(client.is_at_end);
    house_finished(house, fence, 0, 6);
    client_wait_end(house, &client);
    client_close(&client);
}

static void large_output_is_streamed_whole(void **state)
{
    struct house *house = *state;
    house_connect_device(house);
    house_submit(house, ONE, (char[160]){ 0 });
    uint64_t fence = house_take_fence(house);
    house_started(house, fence);
    enum { CHUNK = 60000, CHUNKS = 16 };
    char *chunk = mem_alloc(CHUNK);
    for (uint64_t i = 0; i < CHUNKS; i++) {
        memset(chunk, 'a' + (int)i, CHUNK);
        house_output(house, fence, STREAM_STDOUT, i * CHUNK, (struct str){ chunk, CHUNK });
    }
    house_finished(house, fence, 0, (uint64_t)CHUNK * CHUNKS);
    mem_free(chunk);
    struct answer answer = house_get(house, "/api/v1/constellations/one/tasks/only/output");
    assert_int_equal(answer.status, 200);
    size_t counts[CHUNKS] = { 0 };
    for (size_t i = 0; i < answer.body_bytes; i++) {
        char c = answer.body[i];
        if (c >= 'g' && c < 'a' + CHUNKS) { /* a … f are also digits of a chunk's size */
            counts[c - 'a']++;
        }
    }
    for (size_t i = 6; i < CHUNKS; i++) {
        assert_int_equal(counts[i], CHUNK);
    }
    answer_done(&answer);
}

/* --- Tokens. --- */

static struct answer ask_as(struct house *house, const char *token, const char *method,
                            const char *path)
{
    char header[160];
    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", token);
    return house_ask(house,
                     &(struct request){
                         .method = method,
                         .path = path,
                         .headers = header,
                         .body = strcmp(method, "POST") == 0 ? STR(ONE) : (struct str){ NULL, 0 },
                     });
}

static void expect_as(struct house *house, const char *token, const char *method, const char *path,
                      int status)
{
    struct answer answer = ask_as(house, token, method, path);
    assert_int_equal(answer.status, status);
    answer_done(&answer);
}

static void make_token(struct house *house, const char *body, char to[80])
{
    struct answer answer = house_ask(house, &(struct request){ .method = "POST",
                                                               .path = "/api/v1/tokens",
                                                               .body = str_of(body),
                                                               .over_unix = true });
    assert_int_equal(answer.status, 201);
    snprintf(to, 80, "%s", answer_text(&answer, "token"));
    assert_int_equal(strncmp(to, "ast_", 4), 0);
    assert_int_equal(strlen(to), 68);
    answer_done(&answer);
}

static void from_the_first_token_on_each_request_needs_one(void **state)
{
    struct house *house = *state;
    house_expect(house, "GET", "/api/v1/devices", NULL, 200);
    struct client client;
    follow(house, &client, "/api/v1/events", NULL);
    client_wait(house, &client, ": events\n\n");
    char viewer[80];
    char operator[80];
    char agent[80];
    make_token(house, "{\"name\":\"v\",\"role\":\"viewer\"}", viewer);
    assert_int_equal(house->tokens_changed, 1);
    client_wait_end(house, &client); /* it had come without a token */
    client_close(&client);
    make_token(house, "{\"name\":\"o\",\"role\":\"operator\"}", operator);
    make_token(house, "{\"role\":\"agent\",\"device\":\"desktop\"}", agent);
    house_expect(house, "GET", "/api/v1/devices", NULL, 401);
    expect_as(house, "ast_wrong", "GET", "/api/v1/devices", 401);
    expect_as(house, viewer, "GET", "/api/v1/devices", 200);
    expect_as(house, viewer, "POST", "/api/v1/constellations", 403);
    expect_as(house, viewer, "GET", "/api/v1/tokens", 403);
    expect_as(house, operator, "POST", "/api/v1/constellations", 201);
    expect_as(house, operator, "POST", "/api/v1/tokens", 403);
    expect_as(house, agent, "GET", "/api/v1/devices", 403);
    struct net_identity identity;
    api_identify(house->api, str_of(agent), false, 0, &identity);
    assert_int_equal(identity.role, NET_ROLE_AGENT);
    assert_string_equal(identity.device, "desktop");
}

static void the_first_token_over_tcp_is_an_admins(void **state)
{
    struct house *house = *state;
    static const char *const viewer = "{\"name\":\"v\",\"role\":\"viewer\"}";
    static const char *const admin = "{\"name\":\"me\",\"role\":\"admin\"}";
    struct answer answer = house_send(house, "POST", "/api/v1/tokens", viewer);
    assert_int_equal(answer.status, 400);
    assert_string_equal(answer_text(&answer, "code"), "bad_request");
    assert_non_null(strstr(answer_text(&answer, "detail"), "must be an admin's"));
    answer_done(&answer);
    house_expect(house, "GET", "/api/v1/devices", NULL, 200); /* the house is open as before */
    answer = house_send(house, "POST", "/api/v1/tokens", admin);
    assert_int_equal(answer.status, 201);
    assert_true(json_is_true(json_object_get(answer.json, "is_first")));
    answer_done(&answer);
    house_expect(house, "GET", "/api/v1/devices", NULL, 401);
    answer = house_ask(house, &(struct request){ .method = "POST",
                                                 .path = "/api/v1/tokens",
                                                 .body = str_of(viewer),
                                                 .over_unix = true });
    assert_int_equal(answer.status, 201);
    assert_true(json_is_false(json_object_get(answer.json, "is_first")));
    answer_done(&answer);
}

static void a_revoked_token_is_good_for_nothing_and_its_streams_end(void **state)
{
    struct house *house = *state;
    char viewer[80];
    make_token(house, "{\"name\":\"v\",\"role\":\"viewer\"}", viewer);
    char header[160];
    snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", viewer);
    struct client client;
    follow(house, &client, "/api/v1/events", header);
    client_wait(house, &client, ": events\n\n");
    struct net_identity identity;
    api_identify(house->api, str_of(viewer), false, 0, &identity);
    assert_true(api_identity_holds(house->api, &identity));
    struct answer answer = house_ask(
        house,
        &(struct request){ .method = "DELETE", .path = "/api/v1/tokens/v", .over_unix = true });
    assert_int_equal(answer.status, 204);
    answer_done(&answer);
    client_wait_end(house, &client);
    client_close(&client);
    assert_false(api_identity_holds(house->api, &identity));
    assert_int_equal(house->tokens_changed, 2);
    expect_as(house, viewer, "GET", "/api/v1/devices", 401);
    answer = house_ask(
        house, &(struct request){ .method = "GET", .path = "/api/v1/tokens", .over_unix = true });
    json_t *token = json_array_get(json_object_get(answer.json, "tokens"), 0);
    assert_string_equal(json_string_value(json_object_get(token, "name")), "v");
    assert_true(json_is_string(json_object_get(token, "revoked_at")));
    assert_null(json_object_get(token, "token"));
    answer_done(&answer);
}

static void a_name_is_given_to_one_token_only(void **state)
{
    struct house *house = *state;
    char token[80];
    make_token(house, "{\"name\":\"v\",\"role\":\"viewer\"}", token);
    struct answer answer =
        house_ask(house, &(struct request){ .method = "POST",
                                            .path = "/api/v1/tokens",
                                            .body = STR("{\"name\":\"v\",\"role\":\"admin\"}"),
                                            .over_unix = true });
    assert_int_equal(answer.status, 409);
    assert_string_equal(answer_text(&answer, "code"), "already_exists");
    answer_done(&answer);
}

int main(void)
{
#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_A_HOUSE(events_come_as_they_happen_with_all_their_names),
        IN_A_HOUSE(a_reader_goes_on_behind_the_last_event_that_it_had),
        IN_A_HOUSE(the_id_of_another_database_or_of_the_future_is_a_gap),
        IN_A_HOUSE(events_of_one_constellation_leave_out_the_others),
        IN_A_HOUSE(a_replay_of_many_events_has_every_one_of_them_once),
        IN_A_HOUSE(a_heartbeat_comes_when_nothing_happens),
        IN_A_HOUSE(changes_begin_with_a_snapshot_and_end_with_the_end),
        IN_A_HOUSE(changes_of_everything_show_new_constellations_and_devices),
        IN_A_HOUSE(changes_come_at_most_four_times_a_second),
        IN_A_HOUSE(a_snapshot_of_many_tasks_is_one_whole_event),
        IN_A_HOUSE(followed_output_goes_on_through_attempts_until_the_task_is_final),
        IN_A_HOUSE(large_output_is_streamed_whole),
        IN_A_HOUSE(from_the_first_token_on_each_request_needs_one),
        IN_A_HOUSE(the_first_token_over_tcp_is_an_admins),
        IN_A_HOUSE(a_revoked_token_is_good_for_nothing_and_its_streams_end),
        IN_A_HOUSE(a_name_is_given_to_one_token_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
