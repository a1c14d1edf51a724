/* The limits of the API, each reached by as many clients as it takes, and what is served afterwards.
   The house gets a gate: requests that a limit counts together are let in together, so that neither a
   turn nor the worker thread comes between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/sys/clock.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/job.h"
#include "orchestrator/store/token.h"
#include "tests/unit/api_house.h"

#define ONE_NOOP       "name: one\ntasks:\n  only: {noop: true}\n"
#define CONSTELLATIONS "/api/v1/constellations"

enum { CROWD_MAX = API_MUTATIONS_MAX + 1, WAIT_MS_MAX = 20000 };

struct door {
    struct house *house;
    size_t gate; /* so many requests are let in together; 0: each as it comes */
    uint64_t held[CROWD_MAX];
    size_t held_count;
    struct client crowd[CROWD_MAX];
};

/* Those at the gate have all asked for the same, so the last one's request stands for each. */
static void let_in(struct house *house, const struct net_request *last)
{
    struct door *door = house->let_in_context;
    if (door->gate > 0) {
        door->held[door->held_count++] = last->id;
        if (door->held_count < door->gate) {
            return;
        }
        for (size_t i = 0; i + 1 < door->held_count; i++) {
            struct net_request earlier = *last;
            struct buf body = { NULL, 0, 0 }; /* that may be taken away */
            buf_append(&body, last->body.data, last->body.length);
            earlier.id = door->held[i];
            earlier.body = (struct str){ (const char *)body.data, body.length };
            earlier.whole = &body;
            api_request(house->api, &earlier);
            buf_done(&body);
        }
        door->gate = 0;
        door->held_count = 0;
    }
    api_request(house->api, last);
}

static int set_up(void **state)
{
    struct door *door = mem_alloc(sizeof(*door));
    door->house = house_new();
    door->house->let_in = let_in;
    door->house->let_in_context = door;
    *state = door;
    return 0;
}

static int tear_down(void **state)
{
    struct door *door = *state;
    house_free(door->house);
    mem_free(door);
    return 0;
}

/* So many ask for the same and are let in together; all are answered. */
static void ask_together(struct door *door, const struct request *same, size_t count)
{
    assert_true(count <= CROWD_MAX);
    door->gate = count;
    for (size_t i = 0; i < count; i++) {
        client_open(door->house, &door->crowd[i], same);
        while (door->gate > 0 && door->held_count <= i) { /* each is heard before the next */
            house_pass(door->house);
        }
    }
    for (size_t i = 0; i < count; i++) {
        client_wait_end(door->house, &door->crowd[i]);
    }
}

static size_t having(struct door *door, size_t count, const char *text)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += client_has(&door->crowd[i], text) ? 1 : 0;
    }
    return found;
}

static void close_crowd(struct door *door, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        client_close(&door->crowd[i]);
    }
}

/* One of them, the last, was one too many; the others have that status. */
static void expect_one_refused(struct door *door, size_t count, const char *others)
{
    assert_int_equal(having(door, count, others), count - 1);
    assert_int_equal(having(door, count, "HTTP/1.1 503 "), 1);
    assert_true(client_has(&door->crowd[count - 1], "HTTP/1.1 503 "));
    assert_true(client_has(&door->crowd[count - 1], "\"code\":\"too_many\""));
}

static size_t constellations(struct house *house)
{
    struct answer answer = house_get(house, CONSTELLATIONS "?limit=1000");
    assert_int_equal(answer.status, 200);
    size_t count = json_array_size(json_object_get(answer.json, "constellations"));
    answer_done(&answer);
    return count;
}

static void one_change_more_than_the_queue_holds_is_refused(void **state)
{
    struct door *door = *state;
    struct house *house = door->house;
    char id[160] = "";
    char path[224];
    house_submit(house, ONE_NOOP, id);
    snprintf(path, sizeof(path), CONSTELLATIONS "/%s/cancel", id);
    house_expect(house, "POST", path, "", 202);
    snprintf(path, sizeof(path), CONSTELLATIONS "/%s", id);
    size_t count = API_MUTATIONS_MAX + 1;
    uint64_t turns = house->turns;
    ask_together(door, &(struct request){ .method = "DELETE", .path = path }, count);
    /* One of those that were queued has deleted it, and the others came too late for that. */
    assert_int_equal(having(door, count, "HTTP/1.1 204 "), 1);
    assert_int_equal(having(door, count, "HTTP/1.1 404 "), API_MUTATIONS_MAX - 1);
    assert_int_equal(having(door, count, "HTTP/1.1 503 "), 1);
    assert_true(client_has(&door->crowd[count - 1], "\"code\":\"too_many\""));
    close_crowd(door, count);
    /* Not all in one turn: the others would wait for it. */
    assert_true(house->turns - turns >= API_MUTATIONS_MAX / JOB_TURN_MAX);
    assert_int_equal(constellations(house), 0);
    house_submit(house, ONE_NOOP, id);
    assert_int_equal(constellations(house), 1);
}

static void one_submission_more_than_may_be_under_way_is_refused(void **state)
{
    struct door *door = *state;
    struct request same = { "POST", CONSTELLATIONS, NULL, STR(ONE_NOOP), false };
    ask_together(door, &same, API_SUBMISSIONS_MAX + 1);
    expect_one_refused(door, API_SUBMISSIONS_MAX + 1, "HTTP/1.1 201 ");
    close_crowd(door, API_SUBMISSIONS_MAX + 1);
    assert_int_equal(constellations(door->house), API_SUBMISSIONS_MAX);
    house_submit(door->house, ONE_NOOP, (char[160]){ 0 });
}

static void one_request_more_than_may_share_a_submission_is_refused(void **state)
{
    struct door *door = *state;
    struct request same = { "POST", CONSTELLATIONS, "Idempotency-Key: k\r\n", STR(ONE_NOOP),
                            false };
    ask_together(door, &same, JOB_WAITERS_MAX + 1);
    expect_one_refused(door, JOB_WAITERS_MAX + 1, "HTTP/1.1 201 ");
    close_crowd(door, JOB_WAITERS_MAX + 1);
    assert_int_equal(constellations(door->house), 1);
    struct answer again = house_ask(door->house, &same);
    assert_int_equal(again.status, 201);
    answer_done(&again);
    assert_int_equal(constellations(door->house), 1);
}

/* Large by its blanks, so that it is the reading that is large and not the plan. */
static void one_large_spec_more_than_the_worker_takes_is_refused(void **state)
{
    struct door *door = *state;
    struct buf spec = { NULL, 0, 0 };
    buf_append_text(&spec, "{\"name\":\"large\",\"tasks\":{\"only\":{\"noop\":true}}");
    size_t blanks = API_INLINE_PARSE_BYTES_MAX;
    memset(buf_reserve(&spec, blanks), ' ', blanks);
    spec.length += blanks;
    buf_append_text(&spec, "}");
    struct str text = { (const char *)spec.data, spec.length };
    struct request same = { "POST", CONSTELLATIONS, NULL, text, false };
    ask_together(door, &same, API_PARSES_MAX + 1);
    expect_one_refused(door, API_PARSES_MAX + 1, "HTTP/1.1 201 ");
    close_crowd(door, API_PARSES_MAX + 1);
    assert_int_equal(constellations(door->house), API_PARSES_MAX);
    struct answer again = house_ask(door->house, &same);
    assert_int_equal(again.status, 201);
    answer_done(&again);
    buf_done(&spec);
}

/* They count as long as the change that was made from them is under way, whoever still waits for it. */
static void more_bytes_of_changes_than_may_be_under_way_are_refused(void **state)
{
    struct door *door = *state;
    enum { FIT = 3 };
    struct buf spec = { NULL, 0, 0 };
    buf_append_text(&spec, "{\"name\":\"wide\",\"tasks\":{\"only\":{\"noop\":true}}");
    memset(buf_reserve(&spec, API_SMALL_BODY_BYTES_MAX), ' ', API_SMALL_BODY_BYTES_MAX);
    spec.length += API_SMALL_BODY_BYTES_MAX;
    buf_append_text(&spec, "}");
    door->house->api->config.body_bytes_max = FIT * spec.length + 1;
    struct str text = { (const char *)spec.data, spec.length };
    struct request same = { "POST", CONSTELLATIONS, NULL, text, false };
    ask_together(door, &same, FIT + 1);
    expect_one_refused(door, FIT + 1, "HTTP/1.1 201 ");
    close_crowd(door, FIT + 1);
    assert_int_equal(constellations(door->house), FIT);
    ask_together(door, &same, FIT); /* those have been freed */
    assert_int_equal(having(door, FIT, "HTTP/1.1 201 "), FIT);
    close_crowd(door, FIT);
    buf_done(&spec);
}

/* Runs the house until the daemon has seen that connections were closed. */
static void wait_for_connections(struct house *house, uint64_t count)
{
    int64_t until_ms = clock_boot_ms() + WAIT_MS_MAX;
    while (net_stats(house->net).connections > count) {
        assert_true(clock_boot_ms() < until_ms);
        house_pass(house);
    }
}

static void one_stream_more_than_may_be_open_is_refused(void **state)
{
    struct door *door = *state;
    struct house *house = door->house;
    struct request follow = { .method = "GET", .path = "/api/v1/events" };
    for (size_t i = 0; i < API_STREAMS_MAX; i++) {
        client_open(house, &door->crowd[i], &follow);
        client_wait(house, &door->crowd[i], ": events\n\n");
    }
    struct answer refused = house_ask(house, &follow);
    assert_int_equal(refused.status, 503);
    assert_string_equal(answer_text(&refused, "code"), "too_many");
    answer_done(&refused);
    /* Those that are open go on, and whatever is no stream is served. */
    house_submit(house, ONE_NOOP, (char[160]){ 0 });
    for (size_t i = 0; i < API_STREAMS_MAX; i++) {
        client_wait(house, &door->crowd[i], "event: constellation.submitted\n");
    }
    client_close(&door->crowd[0]);
    wait_for_connections(house, API_STREAMS_MAX - 1);
    client_open(house, &door->crowd[0], &follow);
    client_wait(house, &door->crowd[0], ": events\n\n");
    close_crowd(door, API_STREAMS_MAX);
}

/* All but one, as they would be found at a start. */
static void add_tokens(struct house *house, unsigned count)
{
    struct reason reason = { "" };
    assert_int_equal(store_begin(house->store, &reason), ERR_NONE);
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "t%u", i);
        struct token_record token = {
            .id = (int64_t)i + 1,
            .name = str_of(name),
            .role = STR("viewer"),
            .device = STR(""),
            .created_wall_ms = 1000,
        };
        memcpy(token.hash, &i, sizeof(i));
        assert_int_equal(token_add(house->store, &token, &reason), ERR_NONE);
    }
    assert_int_equal(store_commit(house->store, &reason), ERR_NONE);
}

static void one_token_more_than_there_may_be_is_refused(void **state)
{
    struct door *door = *state;
    add_tokens(door->house, TOKENS_MAX - 1);
    house_reopen(door->house); /* the API reads them when it begins */
    struct request request = { "POST", "/api/v1/tokens", NULL,
                               STR("{\"name\":\"last\",\"role\":\"viewer\"}"), true };
    struct answer answer = house_ask(door->house, &request);
    assert_int_equal(answer.status, 201);
    answer_done(&answer);
    request.body = STR("{\"name\":\"one-more\",\"role\":\"viewer\"}");
    answer = house_ask(door->house, &request);
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_text(&answer, "code"), "too_many");
    answer_done(&answer);
    request = (struct request){ .method = "GET", .path = CONSTELLATIONS, .over_unix = true };
    answer = house_ask(door->house, &request);
    assert_int_equal(answer.status, 200);
    answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        IN_A_HOUSE(one_change_more_than_the_queue_holds_is_refused),
        IN_A_HOUSE(one_submission_more_than_may_be_under_way_is_refused),
        IN_A_HOUSE(one_request_more_than_may_share_a_submission_is_refused),
        IN_A_HOUSE(more_bytes_of_changes_than_may_be_under_way_are_refused),
        IN_A_HOUSE(one_large_spec_more_than_the_worker_takes_is_refused),
        IN_A_HOUSE(one_stream_more_than_may_be_open_is_refused),
        IN_A_HOUSE(one_token_more_than_there_may_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
