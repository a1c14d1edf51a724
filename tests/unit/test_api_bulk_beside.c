/* What others meet while an edit of many operations is checked or made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
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

/* Tasks behind `after`, a chain. */
static struct str additions(struct trial *trial, const char *after, const char *more)
{
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[");
    for (int i = 0; i < MANY; i++) {
        char before[32];
        snprintf(before, sizeof(before), i > 0 ? "n%d" : "%d", i - 1);
        buf_printf(body,
                   "%s{\"op\":\"add_task\",\"task\":\"n%d\",\"spec\":{\"noop\":true,\"needs\":"
                   "[\"%s\"]}}",
                   i == 0 ? "" : ",", i, i > 0 ? before : after);
    }
    buf_printf(body, "]%s}", more);
    return (struct str){ (const char *)body->data, body->length };
}

/* It has come in, and the test runs the turns. */
static void begin(struct trial *trial, struct client *client, const struct request *request)
{
    uint64_t requests = trial->house->requests;
    trial->house->is_held = true;
    client_open(trial->house, client, request);
    while (trial->house->requests == requests) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            one_that_is_under_way_needs_nobody_and_one_that_stands_still_does, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
