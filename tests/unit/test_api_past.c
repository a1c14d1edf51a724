/* The past of a plan through the API: what an undo takes back and what it leaves, and the plan as it was,
   also where revisions have set limits or have changed nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/unit/trial.h"

#define CHAIN                                                                                      \
    "name: chain\ntasks:\n  first: {run: [echo, hi]}\n  second: {run: [ls], needs: first}\n"       \
    "  third: {run: [echo, \"${{ tasks.first.stdout }}\"], needs: [second, first]}\n"

static int set_up(void **state)
{
    *state = trial_new(CHAIN);
    return 0;
}

static void edit(struct trial *trial, const char *operations, int status)
{
    char body[5000];
    snprintf(body, sizeof(body), "{\"operations\": [%s]}", operations);
    trial_expect(trial, "POST", "/edits", body, status);
}

/* `revision` 0: there is nothing to take back. */
static void take_back(struct trial *trial, const char *way, const char *body, int64_t revision)
{
    struct answer answer = trial_post(trial, way, body, revision == 0 ? 409 : 200);
    if (revision != 0) {
        assert_int_equal(answer_number(&answer, "undone"), revision);
    }
    answer_done(&answer);
}

/* A key of the plan as JSON text; "" is not there. */
static void expect_plan(struct trial *trial, unsigned revision, const char *key, const char *json)
{
    char rest[64];
    snprintf(rest, sizeof(rest), "/plan?revision=%u", revision);
    struct answer answer = trial_get(trial, rest, 200);
    char *found = json_dumps(json_object_get(answer.json, key),
                             JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    assert_string_equal(found == NULL ? "" : found, json);
    free(found);
    answer_done(&answer);
}

static void expect_task(struct trial *trial, const char *key, const char *json)
{
    struct answer answer = trial_get(trial, "/plan", 200);
    const json_t *tasks = json_object_get(answer.json, "tasks");
    char *found = json_dumps(json_object_get(tasks, key), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(found == NULL ? "" : found, json);
    free(found);
    answer_done(&answer);
}

static void a_limit_is_not_in_the_plan_before_it_came(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 2}}", 200);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 3, \"disk\": 1}}", 200);
    expect_plan(trial, 3, "limits", "{\"disk\":1,\"gpu\":3}");
    expect_plan(trial, 2, "limits", "{\"gpu\":2}");
    expect_plan(trial, 1, "limits", "");
    take_back(trial, "/undo", NULL, 3);
    expect_plan(trial, 4, "limits", "{\"gpu\":2}");
    expect_plan(trial, 3, "limits", "{\"disk\":1,\"gpu\":3}");
}

static void refuse_set(struct trial *trial, const char *operations, const char *code,
                       const char *words)
{
    char body[1000];
    snprintf(body, sizeof(body), "{\"operations\": [%s]}", operations);
    for (int dry_run = 0; dry_run <= 1; dry_run++) {
        struct answer answer =
            trial_post(trial, dry_run == 1 ? "/edits?dry_run=1" : "/edits", body, 422);
        const json_t *problem = json_array_get(json_object_get(answer.json, "errors"), 0);
        assert_string_equal(json_string_value(json_object_get(problem, "code")), code);
        if (strstr(answer.body, words) == NULL) {
            fail_msg("%s", answer.body);
        }
        answer_done(&answer);
    }
}

static void a_limit_is_removed_unless_a_task_names_it(void **state)
{
    struct trial *trial = *state;
    edit(trial,
         "{\"op\": \"set\", \"limits\": {\"gpu\": 2, \"disk\": 1}},"
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"limits\": \"gpu\"}}",
         200);
    refuse_set(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": null}}", "unknown_limit",
               "second: takes of \\\"gpu\\\", which would go");
    refuse_set(trial, "{\"op\": \"set\", \"limits\": {\"gpv\": null}}", "unknown_limit",
               "there is no limit \\\"gpv\\\"");
    refuse_set(trial,
               "{\"op\": \"set\", \"limits\": {\"gpu\": null}},"
               "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"priority\": 1}}",
               "unknown_limit", "gpu");
    expect_plan(trial, 2, "limits", "{\"disk\":1,\"gpu\":2}");
    edit(trial,
         "{\"op\": \"set\", \"limits\": {\"gpu\": null}},"
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"limits\": \"disk\"}}",
         200);
    expect_plan(trial, 3, "limits", "{\"disk\":1}");
    expect_plan(trial, 2, "limits", "{\"disk\":1,\"gpu\":2}");
    take_back(trial, "/undo", NULL, 3);
    expect_plan(trial, 4, "limits", "{\"disk\":1,\"gpu\":2}");
    take_back(trial, "/redo", NULL, 4);
    expect_plan(trial, 5, "limits", "{\"disk\":1}");
}

static void the_place_of_a_removed_limit_is_for_another(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 2, \"disk\": 1}}", 200);
    edit(trial,
         "{\"op\": \"set\", \"limits\": {\"gpu\": null}},"
         "{\"op\": \"set\", \"limits\": {\"tape\": 4}},"
         "{\"op\": \"set\", \"limits\": {\"gpu\": 3}}",
         200);
    expect_plan(trial, 3, "limits", "{\"disk\":1,\"gpu\":3,\"tape\":4}");
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": null}}", 200);
    edit(trial,
         "{\"op\": \"set\", \"limits\": {\"licence\": 5}},"
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"limits\":"
         " {\"licence\": 5}}}",
         200);
    expect_plan(trial, 5, "limits", "{\"disk\":1,\"licence\":5,\"tape\":4}");
    expect_plan(trial, 4, "limits", "{\"disk\":1,\"tape\":4}");
    expect_plan(trial, 3, "limits", "{\"disk\":1,\"gpu\":3,\"tape\":4}");
    char body[4000] = "{\"op\": \"set\", \"limits\": {\"l0\": 1";
    for (int i = 1; i < PLAN_LIMITS_MAX - 3; i++) {
        snprintf(body + strlen(body), sizeof body - strlen(body), ", \"l%d\": 1", i);
    }
    snprintf(body + strlen(body), sizeof body - strlen(body), "}}");
    edit(trial, body, 200);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"more\": 1}}", 422);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"l7\": null}}", 200);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"more\": 1}}", 200);
}

static void expect_diff(struct trial *trial, const char *rest, const char *part, const char *json)
{
    struct answer answer = trial_get(trial, rest, 200);
    const json_t *dependencies = json_object_get(answer.json, "dependencies");
    char *found = json_dumps(json_object_get(dependencies, part), JSON_COMPACT);
    assert_string_equal(found, json);
    free(found);
    answer_done(&answer);
}

static void a_diff_knows_dependencies_by_kind_and_condition_in_any_order(void **state)
{
    struct trial *trial = *state;
    edit(
        trial,
        "{\"op\": \"update_task\", \"task\": \"third\", \"set\": {\"run\": [\"ls\"], \"needs\":"
        " [\"first\", {\"task\": \"second\", \"when\": \"finished\", \"if\": \"exit_code < 3\"}]}}",
        200);
    edit(trial,
         "{\"op\": \"update_task\", \"task\": \"third\", \"set\": {\"needs\": [{\"task\":"
         " \"second\", \"when\": \"finished\", \"if\": \"exit_code < 4\"}, \"first\"]}}",
         200);
    expect_diff(trial, "/diff?from=1&to=2", "added",
                "[{\"from\":\"second\",\"to\":\"third\",\"when\":\"finished\","
                "\"if\":\"exit_code < 3\"}]");
    expect_diff(trial, "/diff?from=1&to=2", "removed",
                "[{\"from\":\"second\",\"to\":\"third\",\"when\":\"success\"}]");
    expect_diff(trial, "/diff", "added",
                "[{\"from\":\"second\",\"to\":\"third\",\"when\":\"finished\","
                "\"if\":\"exit_code < 4\"}]");
    expect_diff(trial, "/diff?from=3&to=3", "added", "[]");
}

static void an_undo_of_one_setting_leaves_what_was_set_since(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"description\": \"one\"}", 200);
    edit(trial, "{\"op\": \"set\", \"fail_fast\": true, \"deadline\": \"2h\"}", 200);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 2}}", 200);
    take_back(trial, "/undo", "{\"revision\": 2}", 2);
    expect_plan(trial, 5, "description", "");
    expect_plan(trial, 5, "fail_fast", "true");
    expect_plan(trial, 5, "deadline", "\"7200s\"");
    expect_plan(trial, 5, "limits", "{\"gpu\":2}");
}

static void an_undo_does_not_set_back_what_was_set_again(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"deadline\": \"1h\", \"limits\": {\"gpu\": 1}}", 200);
    edit(trial, "{\"op\": \"set\", \"deadline\": \"2h\", \"limits\": {\"gpu\": 2}}", 200);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 3}}", 200);
    take_back(trial, "/undo", "{\"revision\": 2}", 0);
    take_back(trial, "/undo", "{\"revision\": 3}", 0);
    take_back(trial, "/undo", "{\"revision\": 4}", 4);
    take_back(trial, "/undo", "{\"revision\": 3}", 3);
    take_back(trial, "/undo", NULL, 2);
    expect_plan(trial, 7, "deadline", "");
}

static void undo_and_redo_pass_over_what_has_changed_nothing(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"description\": \"one\"}", 200);
    edit(trial, "{\"op\": \"update_task\", \"task\": \"first\", \"set\": {\"env\": null}}", 200);
    take_back(trial, "/undo", NULL, 2);
    expect_plan(trial, 4, "description", "");
    take_back(trial, "/undo", NULL, 0);
    edit(trial, "{\"op\": \"set\", \"fail_fast\": false}", 200);
    take_back(trial, "/redo", NULL, 4);
    expect_plan(trial, 6, "description", "\"one\"");
}

static void what_was_undone_before_a_newer_edit_is_not_redone(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"description\": \"one\"}", 200);
    take_back(trial, "/undo", NULL, 2);
    edit(trial, "{\"op\": \"set\", \"fail_fast\": true}", 200);
    take_back(trial, "/undo", NULL, 4);
    take_back(trial, "/redo", NULL, 5);
    take_back(trial, "/redo", NULL, 0); /* though 4 holds again */
    expect_plan(trial, 6, "description", "");
}

static void what_was_undone_and_redone_twice_is_not_redone_again(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"description\": \"one\"}", 200);
    edit(trial, "{\"op\": \"set\", \"fail_fast\": true}", 200);
    take_back(trial, "/undo", NULL, 3);
    take_back(trial, "/undo", NULL, 2);
    take_back(trial, "/redo", NULL, 5);
    take_back(trial, "/undo", NULL, 6);
    take_back(trial, "/redo", NULL, 7);
    take_back(trial, "/redo", NULL, 4); /* and not 5, which holds no more */
    take_back(trial, "/redo", NULL, 0);
    expect_plan(trial, 9, "description", "\"one\"");
    expect_plan(trial, 9, "fail_fast", "true");
}

static void an_undo_makes_no_double_on_its_way(void **state)
{
    struct trial *trial = *state;
    edit(trial,
         "{\"op\": \"remove_dependency\", \"from\": \"first\", \"to\": \"second\"},"
         "{\"op\": \"add_dependency\", \"from\": \"first\", \"to\": \"second\"},"
         "{\"op\": \"set\", \"fail_fast\": true}",
         200);
    take_back(trial, "/undo", NULL, 2);
    edit(trial,
         "{\"op\": \"update_dependency\", \"from\": \"first\", \"to\": \"second\","
         " \"when\": \"failure\"},"
         "{\"op\": \"add_dependency\", \"from\": \"first\", \"to\": \"second\"},"
         "{\"op\": \"add_task\", \"task\": \"new\", \"spec\": {\"noop\": true}}",
         200);
    take_back(trial, "/undo", NULL, 4);
    expect_task(trial, "second", "{\"run\":[\"ls\"],\"needs\":[\"first\"]}");
    expect_plan(trial, 1, "fail_fast", "");
}

static void a_dependency_may_go_before_the_batch_removes_what_it_needed(void **state)
{
    struct trial *trial = *state;
    edit(trial,
         "{\"op\": \"remove_dependency\", \"from\": \"first\", \"to\": \"third\"},"
         "{\"op\": \"update_task\", \"task\": \"third\", \"set\": {\"priority\": 3}},"
         "{\"op\": \"remove_dependency\", \"from\": \"second\", \"to\": \"third\"},"
         "{\"op\": \"remove_task\", \"task\": \"second\"}",
         200);
    edit(trial, "{\"op\": \"remove_task\", \"task\": \"first\"}", 422);
    edit(trial,
         "{\"op\": \"remove_task\", \"task\": \"first\"},"
         "{\"op\": \"update_task\", \"task\": \"third\", \"set\": {\"priority\": 4}}",
         422);
    edit(trial,
         "{\"op\": \"add_task\", \"task\": \"new\", \"spec\":"
         " {\"run\": [\"echo\", \"${{ tasks.first.stdout }}\"]}},"
         "{\"op\": \"remove_task\", \"task\": \"first\"},"
         "{\"op\": \"update_task\", \"task\": \"third\", \"set\": {\"run\": [\"ls\"]}}",
         422);
    edit(trial,
         "{\"op\": \"update_task\", \"task\": \"third\", \"set\": {\"run\": [\"ls\"]}},"
         "{\"op\": \"remove_task\", \"task\": \"first\"}",
         200);
}

static void what_a_batch_changes_of_a_task_it_adds_may_stand_before(void **state)
{
    struct trial *trial = *state;
    edit(trial,
         "{\"op\": \"add_dependency\", \"from\": \"first\", \"to\": \"new\"},"
         "{\"op\": \"update_task\", \"task\": \"new\", \"set\": {\"priority\": 3}},"
         "{\"op\": \"add_task\", \"task\": \"new\", \"spec\": {\"noop\": true}}",
         200);
    expect_task(trial, "new", "{\"noop\":true,\"needs\":[\"first\"],\"priority\":3}");
    edit(trial,
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"priority\": 3}},"
         "{\"op\": \"remove_task\", \"task\": \"second\"},"
         "{\"op\": \"add_task\", \"task\": \"second\", \"spec\": {\"noop\": true}}",
         200);
    expect_task(trial, "second", "{\"noop\":true,\"priority\":3}");
}

static void what_an_edit_sets_a_spec_would_take(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"limits\": {\"a b\": 1}}", 422);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 1000001}}", 422);
    edit(trial, "{\"op\": \"set\", \"description\": \"a\\u0000b\"}", 422);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu-1.x\": 1000000}}", 200);
}

static void a_refusal_says_which_revision_is_the_head(void **state)
{
    struct trial *trial = *state;
    static const char *const operations[] = {
        "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"nowhere\"}]}",
        "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"first\"}]}",
    };
    edit(trial, "{\"op\": \"set\", \"fail_fast\": true}", 200);
    for (size_t i = 0; i < 2; i++) {
        struct answer answer = trial_post(trial, "/edits", operations[i], 422);
        assert_int_equal(answer_number(&answer, "revision"), 2);
        answer_done(&answer);
    }
}

static void a_long_description_does_not_break_the_size_of_a_context(void **state)
{
    enum { BYTES = 2048 };
    struct trial *trial = *state;
    char words[4001];
    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    char set[4100];
    snprintf(set, sizeof(set), "{\"op\": \"set\", \"description\": \"%s\"}", words);
    edit(trial, set, 200);
    struct answer answer = trial_get(trial, "/context?max_bytes=2048", 200);
    assert_true(answer.body_bytes <= BYTES);
    assert_int_equal(json_array_size(json_object_get(answer.json, "plan")), 3);
    answer_done(&answer);
}

static void a_limit_is_not_lowered_below_what_a_task_takes(void **state)
{
    struct trial *trial = *state;
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 2}}", 200);
    edit(trial,
         "{\"op\": \"set\", \"limits\": {\"gpu\": 3}},"
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"limits\": {\"gpu\": 3}}}",
         200);
    edit(trial, "{\"op\": \"set\", \"limits\": {\"gpu\": 2}}", 422);
    edit(trial,
         "{\"op\": \"set\", \"limits\": {\"gpu\": 2}},"
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"limits\": \"gpu\"}}",
         200);
    take_back(trial, "/undo", NULL, 4);
    take_back(trial, "/undo", NULL, 3);
}

static void numbers_and_keys_of_an_edit_keep_their_text(void **state)
{
    struct trial *trial = *state;
    struct answer answer =
        trial_post(trial, "/edits",
                   "operations:\n"
                   "- {op: set, limits: {task: 2, run: 3}}\n"
                   "- {op: add_task, task: 007, spec: {run: [echo, 007, 1.10, True],"
                   " env: {A: 0x10}, priority: 0x10, limits: {task: 2}}}\n"
                   "- {op: add_task, task: 8, spec: {noop: true, needs: [007]}}\n",
                   200);
    answer_done(&answer);
    expect_task(trial, "007",
                "{\"run\":[\"echo\",\"007\",\"1.10\",\"True\"],\"env\":{\"A\":\"0x10\"},"
                "\"priority\":16,\"limits\":{\"task\":2}}");
    expect_task(trial, "8", "{\"noop\":true,\"needs\":[\"007\"]}");
    answer = trial_get(trial, "/tasks/007/history", 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "revisions")), 1);
    answer_done(&answer);
    take_back(trial, "/undo", NULL, 2);
    expect_task(trial, "8", "");
}

static void the_timeout_of_a_run_has_two_names(void **state)
{
    struct trial *trial = *state;
    edit(trial,
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\":"
         " {\"timeouts\": {\"run\": \"6s\", \"queue\": \"1m\"}}}",
         200);
    edit(trial,
         "{\"op\": \"update_task\", \"task\": \"second\", \"set\":"
         " {\"timeouts\": {\"run\": \"7s\"}}}",
         200);
    expect_task(trial, "second", "{\"run\":[\"ls\"],\"timeout\":\"7s\",\"needs\":[\"first\"]}");
}

/* They come at once, so that a turn has several of them. */
static void edits_that_come_at_once_each_keep_what_was_before_them(void **state)
{
    enum { EDITS = 8 };
    struct trial *trial = *state;
    const char *path = house_path(trial->id, "/edits");
    struct client clients[EDITS];
    char body[] = "{\"operations\": [{\"op\": \"set\", \"description\": \"0\"}]}";
    char headers[64];
    snprintf(headers, sizeof(headers), "Content-Length: %zu\r\n", strlen(body));
    for (int i = 0; i < EDITS; i++) {
        const struct request request = { "POST", path, headers, { NULL, 0 }, false };
        client_open(trial->house, &clients[i], &request);
        house_pass(trial->house);
        house_pass(trial->house);
    }
    for (int i = 0; i < EDITS; i++) {
        *strchr(body, '0' + (i == 0 ? 0 : i - 1)) = (char)('0' + i);
        assert_int_equal(send(clients[i].fd, body, strlen(body), MSG_NOSIGNAL), strlen(body));
    }
    unsigned revisions[EDITS] = { 0 };
    for (int i = 0; i < EDITS; i++) {
        client_wait(trial->house, &clients[i], "\"dry_run\"");
        const char *found = strstr(buf_text(&clients[i].in), "\"revision\":");
        assert_non_null(found);
        revisions[i] = (unsigned)strtoul(found + strlen("\"revision\":"), NULL, 10);
        client_close(&clients[i]);
    }
    for (int i = 0; i < EDITS; i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "\"%d\"", i);
        expect_plan(trial, revisions[i], "description", expected);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, trial_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_limit_is_not_in_the_plan_before_it_came),
        ROW(a_limit_is_removed_unless_a_task_names_it),
        ROW(the_place_of_a_removed_limit_is_for_another),
        ROW(a_diff_knows_dependencies_by_kind_and_condition_in_any_order),
        ROW(an_undo_of_one_setting_leaves_what_was_set_since),
        ROW(undo_and_redo_pass_over_what_has_changed_nothing),
        ROW(what_was_undone_before_a_newer_edit_is_not_redone),
        ROW(what_was_undone_and_redone_twice_is_not_redone_again),
        ROW(an_undo_makes_no_double_on_its_way),
        ROW(a_dependency_may_go_before_the_batch_removes_what_it_needed),
        ROW(what_a_batch_changes_of_a_task_it_adds_may_stand_before),
        ROW(edits_that_come_at_once_each_keep_what_was_before_them),
        ROW(what_an_edit_sets_a_spec_would_take),
        ROW(numbers_and_keys_of_an_edit_keep_their_text),
        ROW(the_timeout_of_a_run_has_two_names),
        ROW(a_limit_is_not_lowered_below_what_a_task_takes),
        ROW(a_refusal_says_which_revision_is_the_head),
        ROW(a_long_description_does_not_break_the_size_of_a_context),
        ROW(an_undo_does_not_set_back_what_was_set_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
