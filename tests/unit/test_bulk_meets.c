/* Edits and what else is asked of the daemon at the same time: what takes a turn too long is made beside
   the turns or in the next ones, and what has gone meanwhile is told in one answer. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/edit_resolve.h"
#include "orchestrator/api/worker.h"
#include "tests/unit/trial.h"

enum { MANY = 700, CROWD = 12, EACH = 300 };

/* A gate opens by itself: it ends as soon as it has begun. */
#define ENDS_AT_ONCE "name: gate\ntasks:\n  first: {}\n"

static int set_up(void **state)
{
    *state = trial_new("name: crowd\ntasks:\n  first: {run: [ls]}\n");
    return 0;
}

/* Sends it, and waits until the house has heard it and, if it is large, read it; no turn is run. */
static void begin(struct trial *trial, struct client *client, const char *method, const char *rest,
                  const char *body)
{
    const size_t queued = trial->house->api->jobs.queued;
    trial_begin(trial, client, method, rest, body);
    while (trial->house->api->jobs.queued == queued) {
        house_pass(trial->house);
    }
}

/* The body is one JSON document and nothing behind it. */
static void end(struct trial *trial, struct client *client, int status)
{
    trial->house->is_held = false;
    client_wait_end(trial->house, client);
    const char *all = buf_text(&client->in);
    const char *body = strstr(all, "\r\n\r\n");
    assert_non_null(body);
    json_t *json = json_loads(body + 4, JSON_REJECT_DUPLICATES, NULL);
    if (atoi(all + 9) != status || json == NULL) { // NOLINT(cert-err34-c)
        fail_msg("%s", all);
    }
    json_decref(json);
    client_close(client);
}

static const char *additions(struct trial *trial, const char *prefix, int count)
{
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[");
    for (int i = 0; i < count; i++) {
        buf_printf(body, "%s{\"op\":\"add_task\",\"task\":\"%s%d\",\"spec\":{\"run\":[\"ls\"]}}",
                   i == 0 ? "" : ",", prefix, i);
    }
    buf_append_text(body, "]}");
    return buf_text(body);
}

/* One more task, behind all of those. */
static const char *behind_all(struct trial *trial, const char *key, const char *prefix, int count)
{
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_printf(body,
               "{\"operations\":[{\"op\":\"add_task\",\"task\":\"%s\","
               "\"spec\":{\"run\":[\"ls\"],\"needs\":[",
               key);
    for (int i = 0; i < count; i++) {
        buf_printf(body, "%s\"%s%d\"", i == 0 ? "" : ",", prefix, i);
    }
    buf_append_text(body, "]}}]}");
    return buf_text(body);
}

static void what_is_deleted_while_an_edit_of_it_is_checked_is_not_found(void **state)
{
    struct trial *trial = *state;
    struct client edit;
    struct client removal;
    house_submit(trial->house, ENDS_AT_ONCE, trial->id);
    while (engine_stats(trial->house->engine).constellations > 1) {
        house_pass(trial->house);
    }
    begin(trial, &edit, "POST", "/edits", additions(trial, "n", MANY));
    house_turn(trial->house); /* it has been begun */
    while (worker_count(trial->house->api->checker) > 0) {
        house_pass(trial->house);
    }
    begin(trial, &removal, "DELETE", "", NULL);
    struct jobs *jobs = &trial->house->api->jobs;
    struct job *first = jobs->first; /* the edit, and then the removal: the other way round */
    jobs->first = first->next;
    first->next->next = first;
    first->next = NULL;
    jobs->last = &first->next;
    house_turn(trial->house);
    end(trial, &edit, 404);
    client_close(&removal);
}

static void a_turn_begins_no_more_changes_than_it_has_time_for(void **state)
{
    struct trial *trial = *state;
    struct client clients[CROWD];
    char prefix[16];
    for (int i = 0; i < CROWD; i++) {
        snprintf(prefix, sizeof(prefix), "c%d-", i);
        begin(trial, &clients[i], "POST", "/edits", additions(trial, prefix, EACH));
    }
    for (size_t left = CROWD; left > 0; left = trial->house->api->jobs.queued) {
        house_turn(trial->house);
        assert_in_range(trial->house->api->jobs.queued, left < 4 ? 0 : left - 4, left - 1);
    }
    for (int i = 0; i < CROWD; i++) {
        end(trial, &clients[i], 200);
    }
}

/* What they were made from is given back in the thread of the parser. */
static void wait_for_the_last(struct trial *trial)
{
    while (trial->house->api->jobs.bulks > 0) {
        house_pass(trial->house);
    }
}

static void expect_beside(struct trial *trial, const char *rest, const char *body, bool is_beside)
{
    struct client client;
    wait_for_the_last(trial);
    begin(trial, &client, "POST", rest, body);
    house_turn(trial->house);
    assert_int_equal(trial->house->api->jobs.bulks, is_beside);
    end(trial, &client, 200);
}

/* One operation: but its task is read and written with all that leads into it. */
static void what_has_many_dependencies_is_rewritten_beside_the_turns(void **state)
{
    struct trial *trial = *state;
    enum { FEW = 300, MUCH = EDIT_READS_A_TURN / 2 + 1 };
    static const char few[] = "{\"operations\":[{\"op\":\"update_task\",\"task\":\"few\",\"set\":"
                              "{\"run\":[\"pwd\"]}}]}";
    static const char many[] = "{\"operations\":[{\"op\":\"update_task\",\"task\":\"many\",\"set\":"
                               "{\"run\":[\"pwd\"]}}]}";
    trial_expect(trial, "POST", "/edits", additions(trial, "n", MUCH), 200);
    trial_expect(trial, "POST", "/edits", behind_all(trial, "few", "n", FEW), 200);
    trial_expect(trial, "POST", "/edits", behind_all(trial, "many", "n", MUCH), 200);
    expect_beside(trial, "/edits", few, false);
    expect_beside(trial, "/edits", many, true);
    expect_beside(trial, "/undo", "{}", true);
}

/* Each time with all that leads into it, though it is looked up once. */
static void what_is_rewritten_again_and_again_is_so_beside_the_turns(void **state)
{
    struct trial *trial = *state;
    trial_expect(trial, "POST", "/edits", additions(trial, "n", EACH), 200);
    trial_expect(trial, "POST", "/edits", behind_all(trial, "last", "n", EACH), 200);
    struct buf *body = &trial->body;
    buf_clear(body);
    buf_append_text(body, "{\"operations\":[");
    for (int i = 0; i < EDIT_READS_A_TURN / EACH; i++) {
        buf_printf(body,
                   "%s{\"op\":\"update_task\",\"task\":\"last\",\"set\":{\"run\":[\"ls\",\"%d\"]}}",
                   i == 0 ? "" : ",", i);
    }
    buf_append_text(body, "]}");
    expect_beside(trial, "/edits", buf_text(body), true);
}

static void what_expects_much_is_looked_up_beside_the_turns(void **state)
{
    struct trial *trial = *state;
    struct buf *body = &trial->body;
    buf_append_text(body, "{\"operations\":[{\"op\":\"set\",\"fail_fast\":true}],\"expect\":[");
    for (int i = 0; i <= EDIT_READS_A_TURN; i++) {
        buf_printf(body, "%s{\"task\":\"first\",\"state\":\"waiting\"}", i == 0 ? "" : ",");
    }
    buf_append_text(body, "]}");
    expect_beside(trial, "/edits", buf_text(body), true);
}

static void what_has_much_text_is_read_beside_the_turns(void **state)
{
    struct trial *trial = *state;
    for (int tasks = 1; tasks <= 8; tasks += 7) {
        struct buf *body = &trial->body;
        buf_clear(body);
        buf_append_text(body, "{\"operations\":[");
        for (int i = 0; i < tasks; i++) {
            buf_printf(body,
                       "%s{\"op\":\"add_task\",\"task\":\"t%d-%d\",\"spec\":{\"run\":[\"cat\"],"
                       "\"stdin\":\"%065536d\"}}",
                       i == 0 ? "" : ",", tasks, i, i);
        }
        buf_append_text(body, "]}");
        expect_beside(trial, "/edits", buf_text(body), tasks > 1);
        expect_beside(trial, "/undo", "{}", tasks > 1);
    }
}

/* Its longest path is told, and so all of it gone through. */
static void a_large_plan_is_tried_beside_the_turns(void **state)
{
    struct trial *trial = *state;
    struct buf spec = { 0 };
    buf_append_text(&spec, "name: wide\ntasks:\n");
    for (int i = 0; i <= EDIT_PATH_SIZE_MAX; i++) {
        buf_printf(&spec, "  t%d: {run: [ls]}\n", i);
    }
    house_submit(trial->house, buf_text(&spec), trial->id);
    buf_done(&spec);
    static const char little[] = "{\"operations\":[{\"op\":\"add_dependency\",\"from\":\"t1\","
                                 "\"to\":\"t2\"}]}";
    struct client client;
    begin(trial, &client, "POST", "/edits?dry_run=1", little);
    house_turn(trial->house);
    assert_int_equal(trial->house->api->jobs.bulks, 1);
    trial->house->is_held = false;
    client_wait(trial->house, &client, "\"critical_path\":{\"before\":1,\"after\":2}");
    client_close(&client);
    expect_beside(trial, "/edits", little, false);
}

/* Each time all of it is read and kept anew: a small batch could take all memory. */
static void what_takes_too_much_memory_is_refused(void **state)
{
    struct trial *trial = *state;
    trial->house->api->config.edit_bytes_max = 4 * 1024 * 1024;
    trial_expect(trial, "POST", "/edits", additions(trial, "n", EACH), 200);
    trial_expect(trial, "POST", "/edits", behind_all(trial, "last", "n", EACH), 200);
    for (int times = 20; times <= MANY; times += MANY - 20) {
        struct buf *body = &trial->body;
        buf_clear(body);
        buf_append_text(body, "{\"operations\":[");
        for (int i = 0; i < times; i++) {
            buf_printf(body,
                       "%s{\"op\":\"update_task\",\"task\":\"last\",\"set\":{\"priority\":%d}}",
                       i == 0 ? "" : ",", i % 10);
        }
        buf_append_text(body, "]}");
        trial_expect(trial, "POST", "/edits", buf_text(body), times == 20 ? 200 : 413);
    }
    struct answer answer = trial_get(trial, "/holds", 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "holds")), 0);
    answer_done(&answer);
}

/* Keeps the thread from what comes behind it. */
struct barrier {
    struct work work;
    sem_t opens;
};

static void wait_until_it_opens(struct work *work, struct reader *reader)
{
    (void)reader;
    assert_int_equal(sem_wait(&((struct barrier *)work->owner)->opens), 0);
}

static void is_passed(struct api *api, struct work *work)
{
    (void)api;
    (void)work;
}

/* True: the request has been heard, and its body is for the thread. */
static bool is_read_beside(struct trial *trial, const char *spec)
{
    struct worker *parser = trial->house->api->parser;
    struct barrier barrier = {
        .work = { .run = wait_until_it_opens,
                  .done = is_passed,
                  .drop = is_passed,
                  .owner = &barrier },
    };
    struct client client;
    const struct request request = { .method = "POST",
                                     .path = "/api/v1/constellations",
                                     .headers = "Content-Type: application/yaml\r\n",
                                     .body = str_of(spec) };
    const uint64_t requests = trial->house->requests;
    assert_int_equal(sem_init(&barrier.opens, 0, 0), 0);
    assert_true(worker_take(parser, &barrier.work));
    trial->house->is_held = true;
    client_open(trial->house, &client, &request);
    while (trial->house->requests == requests) {
        house_pass(trial->house);
    }
    bool is_beside = worker_count(parser) > 1;
    assert_int_equal(sem_post(&barrier.opens), 0);
    while (worker_count(parser) > 0) {
        house_pass(trial->house);
    }
    sem_destroy(&barrier.opens);
    end(trial, &client, 201);
    return is_beside;
}

static void what_is_long_or_becomes_many_is_read_beside_the_loop(void **state)
{
    struct trial *trial = *state;
    struct buf *body = &trial->body;
    assert_false(is_read_beside(trial, "name: few\ntasks:\n  a: {run: [ls]}\n"));
    assert_true(is_read_beside(trial, "name: many\ntasks:\n  a: {run: [ls], each: {v: [1, 2]}}\n"));
    assert_true(is_read_beside(trial, "name: many\ntasks:\n"
                                      "  a: {run: [ls], \"\\x65ach\": {v: [1, 2]}}\n"));
    buf_append_text(body, "name: long\ntasks:\n");
    for (int i = 0; i < 6000; i++) {
        buf_printf(body, "  task%d: {run: [ls, -l]}\n", i);
    }
    assert_true(is_read_beside(trial, buf_text(body)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_deleted_while_an_edit_of_it_is_checked_is_not_found,
                                        set_up, trial_tear_down),
        cmocka_unit_test_setup_teardown(a_turn_begins_no_more_changes_than_it_has_time_for, set_up,
                                        trial_tear_down),
        cmocka_unit_test_setup_teardown(what_has_many_dependencies_is_rewritten_beside_the_turns,
                                        set_up, trial_tear_down),
        cmocka_unit_test_setup_teardown(what_is_rewritten_again_and_again_is_so_beside_the_turns,
                                        set_up, trial_tear_down),
        cmocka_unit_test_setup_teardown(what_expects_much_is_looked_up_beside_the_turns, set_up,
                                        trial_tear_down),
        cmocka_unit_test_setup_teardown(what_has_much_text_is_read_beside_the_turns, set_up,
                                        trial_tear_down),
        cmocka_unit_test_setup_teardown(a_large_plan_is_tried_beside_the_turns, set_up,
                                        trial_tear_down),
        cmocka_unit_test_setup_teardown(what_takes_too_much_memory_is_refused, set_up,
                                        trial_tear_down),
        cmocka_unit_test_setup_teardown(what_is_long_or_becomes_many_is_read_beside_the_loop,
                                        set_up, trial_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
