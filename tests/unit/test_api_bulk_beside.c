/* What others meet while an edit of many operations is checked or made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/store/retention.h"
#include "tests/unit/api_house.h"

enum { MANY = 700, PATH_BYTES = 320, MINUTE_MS = 60 * 1000 };

struct trial {
    struct house *house;
    char id[160];
    char path[PATH_BYTES];
    struct buf body;
};

static int set_up(void **state)
{
    struct trial *trial = mem_alloc(sizeof(*trial));
    trial->house = house_new();
    *state = trial;
    return 0;
}

static int tear_down(void **state)
{
    struct trial *trial = *state;
    house_free(trial->house);
    buf_done(&trial->body);
    mem_free(trial);
    return 0;
}

static const char *path_of(struct trial *trial, const char *rest)
{
    snprintf(trial->path, PATH_BYTES, "/api/v1/constellations/%s%s", trial->id, rest);
    return trial->path;
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
    uint64_t requests = trial->house->requests;
    trial->house->is_held = true;
    client_open(trial->house, client, request);
    while (trial->house->requests == requests || worker_count(trial->house->api->parser) > 0) {
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
                             .path = path_of(trial, "/edits"),
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
                               .path = path_of(trial, "/edits"),
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
                                 .path = path_of(trial, "/edits"),
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
            client_wait(house, &client, "a: it is succeeded, with 1 attempts");
        }
        client_close(&client);
        struct answer answer = house_get(house, path_of(trial, ""));
        assert_int_equal(answer_number(&answer, "tasks"), ends == 0 ? MANY + 2 : 2);
        answer_done(&answer);
    }
}

static bool has_piece(struct trial *trial, enum piece_kind kind)
{
    struct arena arena = { 0 };
    struct str body;
    enum err err = store_read_piece(trial->house->store, 1, kind, 0, &arena, &body);
    assert_true(err == ERR_NONE || err == ERR_NOT_FOUND);
    arena_done(&arena);
    return err == ERR_NONE;
}

static void retain(struct trial *trial)
{
    const struct retention_policy policy = { .revisions_max = 10 };
    struct reason reason = { "" };
    bool more = true;
    while (more) {
        assert_int_equal(store_begin(trial->house->store, &reason), ERR_NONE);
        assert_int_equal(store_retain(trial->house->store, 1, &policy, &more, &reason), ERR_NONE);
        assert_int_equal(store_commit(trial->house->store, &reason), ERR_NONE);
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
                             .path = path_of(trial, "/edits"),
                             .body = additions(trial, "a", "") });
    house->is_held = false;
    while (!has_piece(trial, PIECE_INVERSE)) {
        house_pass(house); /* a turn at the most */
    }
    assert_null(engine_constellation(house->engine, 1)); /* on its way */
    begin(trial, &other, &(struct request){ .method = "DELETE", .path = path_of(trial, "") });
    house->is_held = false;
    client_wait(house, &other, "204 No Content");
    client_wait(house, &client, "\r\n\r\n{\"type\":");
    client_wait(house, &client, "it has been deleted");
    client_close(&client);
    client_close(&other);
    retain(trial);
    for (int kind = PIECE_PART; kind <= PIECE_INVERSE; kind++) {
        assert_false(has_piece(trial, (enum piece_kind)kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            one_that_is_under_way_needs_nobody_and_one_that_stands_still_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_key_that_is_repeated_after_a_restart_gets_the_answer_when_it_is_made, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(what_it_expects_of_others_holds_when_it_becomes_certain,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_deleted_while_it_is_loaded_leaves_nothing_of_an_edit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
