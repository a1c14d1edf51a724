/* Edits through the API: what a batch does to a plan, what is said when it cannot be applied, and that
   what was done can be seen and taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/sys/file.h"
#include "tests/unit/api_house.h"

enum { PATH_MAX_BYTES = 320 };

#define CHAIN                                                                                      \
    "name: chain\ntasks:\n  first: {run: [echo, hi]}\n  second: {run: [ls], needs: first}\n"       \
    "  third: {run: [ls], needs: [{task: second, when: failure}]}\n"

struct trial {
    struct house *house;
    char id[160];
};

static int set_up(void **state)
{
    struct trial *trial = mem_alloc(sizeof(*trial));
    trial->house = house_new();
    house_submit(trial->house, CHAIN, trial->id);
    *state = trial;
    return 0;
}

static int tear_down(void **state)
{
    struct trial *trial = *state;
    house_free(trial->house);
    mem_free(trial);
    return 0;
}

static struct answer send_to(struct trial *trial, const char *method, const char *rest,
                             const char *headers, const char *body)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof(path), "/api/v1/constellations/%s%s", trial->id, rest);
    const struct request request = {
        .method = method,
        .path = path,
        .headers = headers,
        .body = { body, body == NULL ? 0 : strlen(body) },
    };
    return house_ask(trial->house, &request);
}

static struct answer edit(struct trial *trial, const char *body)
{
    return send_to(trial, "POST", "/edits", NULL, body);
}

static void must(struct answer *answer, int status)
{
    if (answer->status != status) {
        fail_msg("%s", buf_text(&answer->all));
    }
}

/* Applies it, and expects the revision that it makes. */
static void apply(struct trial *trial, const char *body, int64_t revision)
{
    struct answer answer = edit(trial, body);
    must(&answer, 200);
    assert_int_equal(answer_number(&answer, "revision"), revision);
    answer_done(&answer);
}

static const json_t *error_at(const struct answer *answer, size_t index)
{
    const json_t *errors = json_object_get(answer->json, "errors");
    const json_t *error = json_array_get(errors, index);
    if (error == NULL) {
        fail_msg("no error %zu: %s", index, (const char *)answer->all.data);
    }
    return error;
}

/* One code an error, in their order. */
static void expect_refused(struct trial *trial, const char *body, int status, const char *code,
                           const char *codes)
{
    struct answer answer = edit(trial, body);
    struct buf found = { 0 };
    size_t at = 0;
    const json_t *error = NULL;
    json_array_foreach(json_object_get(answer.json, "errors"), at, error)
    {
        buf_printf(&found, "%s%s", at == 0 ? "" : " ",
                   json_string_value(json_object_get(error, "code")));
    }
    if (answer.status != status || strcmp(answer_text(&answer, "code"), code) != 0 ||
        strcmp(buf_text(&found), codes) != 0) {
        fail_msg("%s\n%s", body, buf_text(&answer.all));
    }
    buf_done(&found);
    answer_done(&answer);
}

static int64_t count_in(const struct answer *answer, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(answer->json, object), key));
}

static json_t *task_spec(struct trial *trial, const char *key)
{
    char rest[64];
    snprintf(rest, sizeof(rest), "/tasks/%s", key);
    struct answer answer = send_to(trial, "GET", rest, NULL, NULL);
    must(&answer, 200);
    json_t *json = json_incref(answer.json);
    answer_done(&answer);
    return json;
}

static void a_batch_adds_changes_and_removes(void **state)
{
    struct trial *trial = *state;
    struct answer answer =
        edit(trial, "{\"base_revision\": 1, \"reason\": \"more\", \"operations\": ["
                    "{\"op\": \"add_task\", \"task\": \"fourth\", \"spec\": {\"run\": [\"echo\","
                    " \"${{ tasks.second.stdout }}\"], \"needs\": [{\"task\": \"first\","
                    " \"when\": \"always\", \"if\": \"exit_code = 0\"}]}},"
                    "{\"op\": \"remove_task\", \"task\": \"third\"},"
                    "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"priority\": 7}},"
                    "{\"op\": \"add_task\", \"task\": \"fifth\", \"spec\": {\"noop\": true}}]}");
    must(&answer, 200);
    assert_int_equal(answer_number(&answer, "revision"), 2);
    assert_int_equal(count_in(&answer, "tasks", "added"), 2);
    assert_int_equal(count_in(&answer, "tasks", "removed"), 1);
    assert_int_equal(count_in(&answer, "tasks", "changed"), 1);
    assert_int_equal(count_in(&answer, "dependencies", "added"), 2);
    assert_int_equal(count_in(&answer, "dependencies", "removed"), 1);
    assert_int_equal(count_in(&answer, "newly_ready", "count"), 1);
    answer_done(&answer);
    json_t *second = task_spec(trial, "second");
    assert_int_equal(json_integer_value(json_object_get(second, "priority")), 7);
    json_decref(second);
    answer = send_to(trial, "GET", "/tasks/third", NULL, NULL);
    must(&answer, 404);
    answer_done(&answer);
}

static void all_that_is_wrong_is_told_at_once_and_nothing_is_done(void **state)
{
    struct trial *trial = *state;
    expect_refused(trial,
                   "{\"operations\": ["
                   "{\"op\": \"add_task\", \"task\": \"first\", \"spec\": {\"noop\": true}},"
                   "{\"op\": \"remove_task\", \"task\": \"frist\"},"
                   "{\"op\": \"add_task\", \"task\": \"new\", \"spec\": {\"run\": [\"x\"],"
                   " \"retry\": {\"max\": 3}}},"
                   "{\"op\": \"add_dependency\", \"from\": \"third\", \"to\": \"first\"},"
                   "{\"op\": \"remove_task\", \"task\": \"second\"},"
                   "{\"op\": \"add_dependency\", \"from\": \"first\", \"to\": \"third\","
                   " \"if\": \"exit_kode = 1\"}]}",
                   422, "edit_refused",
                   "duplicate_key unknown_task unknown_key cycle has_dependents bad_condition");
    apply(trial,
          "{\"base_revision\": 1, \"operations\": [{\"op\": \"remove_task\","
          " \"task\": \"third\"}]}",
          2);
}

static void an_unknown_key_is_told_with_those_that_there_are(void **state)
{
    struct trial *trial = *state;
    struct answer answer = edit(trial, "{\"operations\": [{\"op\": \"remove_task\","
                                       " \"task\": \"thrid\"}]}");
    must(&answer, 422);
    const json_t *error = error_at(&answer, 0);
    assert_int_equal(json_integer_value(json_object_get(error, "index")), 0);
    assert_string_equal(json_string_value(json_object_get(error, "path")), "/operations/0/task");
    assert_string_equal(json_string_value(json_object_get(error, "detail")),
                        "no task \"thrid\": did you mean \"third\"?");
    assert_string_equal(json_string_value(json_object_get(error, "allowed")),
                        "first, second, third");
    answer_done(&answer);
}

static void a_cycle_names_its_tasks(void **state)
{
    struct trial *trial = *state;
    struct answer answer = edit(trial, "{\"operations\": [{\"op\": \"add_dependency\","
                                       " \"from\": \"third\", \"to\": \"first\"}]}");
    must(&answer, 422);
    const json_t *error = error_at(&answer, 0);
    assert_string_equal(json_string_value(json_object_get(error, "code")), "cycle");
    assert_int_equal(json_array_size(json_object_get(error, "tasks")), 3);
    answer_done(&answer);
}

static void a_cycle_that_is_long_is_not_told_to_its_end(void **state)
{
    struct trial *trial = *state;
    struct buf batch = { 0 };
    buf_append_text(&batch, "{\"operations\": [");
    for (int i = 0; i <= EDIT_PROBLEM_TASKS_MAX; i++) {
        buf_printf(&batch, "{\"op\": \"add_task\", \"task\": \"t%d\", \"spec\": {", i);
        if (i > 0) {
            buf_printf(&batch, "\"needs\": \"t%d\"", i - 1);
        }
        buf_append_text(&batch, "}}, ");
    }
    buf_printf(&batch, "{\"op\": \"add_dependency\", \"from\": \"t%d\", \"to\": \"t0\"}]}",
               EDIT_PROBLEM_TASKS_MAX);
    struct answer answer = edit(trial, buf_text(&batch));
    must(&answer, 422);
    const json_t *error = error_at(&answer, 0);
    const char *detail = json_string_value(json_object_get(error, "detail"));
    assert_string_equal(json_string_value(json_object_get(error, "code")), "cycle");
    assert_int_equal(json_array_size(json_object_get(error, "tasks")), EDIT_PROBLEM_TASKS_MAX);
    assert_non_null(strstr(detail, "a cycle of 21 tasks: "));
    assert_string_equal(strstr(detail, " → …"), " → …");
    answer_done(&answer);
    buf_done(&batch);
}

static void what_was_never_made_is_not_undone(void **state)
{
    struct trial *trial = *state;
    struct answer answer = send_to(trial, "POST", "/undo", NULL, "{\"revision\": 1}");
    must(&answer, 404);
    assert_string_equal(answer_text(&answer, "detail"),
                        "revision 1 is the submission: there is nothing before it");
    answer_done(&answer);
    answer = send_to(trial, "POST", "/undo", NULL, "{\"revision\": 77}");
    must(&answer, 404);
    assert_string_equal(answer_text(&answer, "detail"),
                        "revision 77 does not exist, or is not kept any more");
    answer_done(&answer);
}

static void what_has_changed_since_the_base_is_a_conflict(void **state)
{
    struct trial *trial = *state;
    apply(trial,
          "{\"operations\": [{\"op\": \"update_task\", \"task\": \"second\","
          " \"set\": {\"priority\": 7}}]}",
          2);
    expect_refused(trial,
                   "{\"base_revision\": 1, \"operations\": [{\"op\": \"update_task\","
                   " \"task\": \"second\", \"set\": {\"priority\": 8}}]}",
                   409, "edit_conflict", "edit_conflict");
    /* What it has nothing to do with does not matter: it is put onto the head. */
    apply(trial,
          "{\"base_revision\": 1, \"operations\": [{\"op\": \"add_task\","
          " \"task\": \"x\", \"spec\": {\"noop\": true}}]}",
          3);
    struct answer answer =
        send_to(trial, "POST", "/edits", "If-Match: \"2\"\r\n",
                "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}");
    must(&answer, 409);
    assert_string_equal(json_string_value(json_object_get(error_at(&answer, 0), "code")),
                        "stale_revision");
    answer_done(&answer);
    answer = send_to(trial, "POST", "/edits", "If-Match: \"3\"\r\n",
                     "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}");
    must(&answer, 200);
    answer_done(&answer);
    answer = send_to(trial, "POST", "/edits", "If-Match: 3\r\n",
                     "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}");
    must(&answer, 400);
    answer_done(&answer);
}

static void an_expectation_that_does_not_hold_refuses_it(void **state)
{
    struct trial *trial = *state;
    expect_refused(trial,
                   "{\"expect\": [{\"task\": \"first\", \"state\": \"failed\"},"
                   " {\"task\": \"nobody\"}, {\"task\": \"second\", \"state\": \"ready\"}],"
                   " \"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"}]}",
                   409, "edit_conflict", "expect_failed unknown_task expect_failed");
    apply(trial,
          "{\"expect\": [{\"task\": \"first\", \"state\": \"ready\"},"
          " {\"task\": \"second\", \"state\": \"waiting\"}], \"operations\":"
          " [{\"op\": \"remove_task\", \"task\": \"third\"}]}",
          2);
}

static void a_dry_run_tells_and_does_nothing(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < 2; i++) {
        struct answer answer = send_to(trial, "POST", "/edits?dry_run=1", NULL,
                                       "{\"operations\": [{\"op\": \"add_task\", \"task\": \"x\","
                                       " \"spec\": {\"noop\": true, \"needs\": \"third\"}}]}");
        must(&answer, 200);
        assert_true(json_is_true(json_object_get(answer.json, "dry_run")));
        assert_int_equal(count_in(&answer, "tasks", "added"), 1);
        assert_int_equal(count_in(&answer, "critical_path", "before"), 3);
        assert_int_equal(count_in(&answer, "critical_path", "after"), 4);
        answer_done(&answer);
    }
    struct answer answer = send_to(trial, "GET", "/tasks/x", NULL, NULL);
    must(&answer, 404);
    answer_done(&answer);
}

static void the_same_edit_sent_twice_is_made_once(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < 2; i++) {
        struct answer answer =
            send_to(trial, "POST", "/edits", "Idempotency-Key: once\r\n",
                    "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"}]}");
        must(&answer, 200);
        assert_int_equal(answer_number(&answer, "revision"), 2);
        answer_done(&answer);
    }
}

static void a_task_that_has_started_is_left_alone(void **state)
{
    struct trial *trial = *state;
    house_connect_device(trial->house);
    uint64_t fence = house_take_fence(trial->house);
    house_started(trial->house, fence);
    expect_refused(trial,
                   "{\"operations\": [{\"op\": \"update_task\", \"task\": \"first\","
                   " \"set\": {\"priority\": 8}}, {\"op\": \"add_dependency\","
                   " \"from\": \"third\", \"to\": \"first\"}]}",
                   422, "edit_refused", "task_started target_started");
    house_finished(trial->house, fence, 0, 0);
    expect_refused(trial, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"first\"}]}", 422,
                   "edit_refused", "task_final");
}

static void removed_and_added_again_is_rewritten(void **state)
{
    struct trial *trial = *state;
    struct answer answer =
        edit(trial, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"second\"},"
                    "{\"op\": \"add_task\", \"task\": \"second\", \"spec\": {\"noop\": true,"
                    " \"needs\": \"first\"}}]}");
    must(&answer, 200);
    assert_int_equal(count_in(&answer, "tasks", "added"), 0);
    assert_int_equal(count_in(&answer, "tasks", "changed"), 1);
    assert_int_equal(count_in(&answer, "dependencies", "removed"), 0);
    answer_done(&answer);
}

static void the_order_of_operations_does_not_matter(void **state)
{
    struct trial *trial = *state;
    apply(trial,
          "{\"operations\": [{\"op\": \"add_dependency\", \"from\": \"y\", \"to\": \"x\"},"
          "{\"op\": \"add_task\", \"task\": \"x\", \"spec\": {\"noop\": true,"
          " \"limits\": [\"gpu\"]}},"
          "{\"op\": \"add_task\", \"task\": \"y\", \"spec\": {\"noop\": true}},"
          "{\"op\": \"set\", \"limits\": {\"gpu\": 1}},"
          "{\"op\": \"remove_dependency\", \"from\": \"second\", \"to\": \"third\"},"
          "{\"op\": \"remove_task\", \"task\": \"second\"}]}",
          2);
}

static void a_reference_makes_its_dependency_and_gives_it_up(void **state)
{
    struct trial *trial = *state;
    apply(trial,
          "{\"operations\": [{\"op\": \"update_task\", \"task\": \"third\","
          " \"set\": {\"run\": [\"echo\", \"${{ tasks.first.stdout }}\"]}}]}",
          2);
    expect_refused(trial,
                   "{\"operations\": [{\"op\": \"remove_dependency\", \"from\": \"first\","
                   " \"to\": \"third\"}]}",
                   422, "edit_refused", "made_by_reference");
    struct answer answer = edit(trial, "{\"operations\": [{\"op\": \"update_task\","
                                       " \"task\": \"third\", \"set\": {\"run\": [\"ls\"]}}]}");
    must(&answer, 200);
    assert_int_equal(count_in(&answer, "dependencies", "removed"), 1);
    answer_done(&answer);
}

static void a_finished_constellation_goes_on_when_tasks_are_added(void **state)
{
    struct trial *trial = *state;
    house_connect_device(trial->house);
    house_finished(trial->house, house_take_fence(trial->house), 0, 0);
    house_finished(trial->house, house_take_fence(trial->house), 0, 0);
    struct answer answer = send_to(trial, "GET", "", NULL, NULL);
    assert_string_equal(answer_text(&answer, "state"), "succeeded");
    answer_done(&answer);
    apply(trial,
          "{\"operations\": [{\"op\": \"add_task\", \"task\": \"x\","
          " \"spec\": {\"run\": [\"ls\"], \"needs\": \"second\"}}]}",
          2);
    house_finished(trial->house, house_take_fence(trial->house), 0, 0);
    answer = send_to(trial, "GET", "", NULL, NULL);
    assert_string_equal(answer_text(&answer, "state"), "succeeded");
    answer_done(&answer);
}

/* --- Revisions. --- */

/* Everything that has an effect, in one batch. */
#define MUCH                                                                                       \
    "{\"reason\": \"much\", \"author\": {\"kind\": \"planner\", \"name\": \"p\"}, "                \
    "\"operations\": ["                                                                            \
    "{\"op\": \"add_task\", \"task\": \"x\", \"spec\": {\"noop\": true, \"needs\": [{\"task\": "   \
    "\"second\","                                                                                  \
    " \"when\": \"finished\", \"if\": \"exit_code < 3\"}]}},"                                      \
    "{\"op\": \"update_task\", \"task\": \"second\", \"set\": {\"priority\": 7, \"run\": "         \
    "[\"echo\","                                                                                   \
    " \"${{ tasks.first.stdout }}\"], \"needs\": null}},"                                          \
    "{\"op\": \"update_dependency\", \"from\": \"second\", \"to\": \"third\", \"when\": "          \
    "\"always\"},"                                                                                 \
    "{\"op\": \"add_dependency\", \"from\": \"first\", \"to\": \"third\"},"                        \
    "{\"op\": \"set\", \"fail_fast\": true, \"deadline\": \"2h\", \"description\": \"d\"}]}"

static struct buf export_of(struct trial *trial, const char *rest)
{
    struct answer answer = send_to(trial, "GET", rest, NULL, NULL);
    must(&answer, 200);
    struct buf text = { 0 };
    buf_append(&text, answer.body, answer.body_bytes);
    answer_done(&answer);
    return text;
}

static void take_back(struct trial *trial, const char *way, const char *body, int status,
                      int64_t revision, int64_t undone)
{
    struct answer answer = send_to(trial, "POST", way, NULL, body);
    must(&answer, status);
    if (status == 200) {
        assert_int_equal(answer_number(&answer, "revision"), revision);
        assert_int_equal(answer_number(&answer, "undone"), undone);
    }
    answer_done(&answer);
}

static void expect_export(struct trial *trial, const struct buf *expected)
{
    struct buf found = export_of(trial, "/export");
    assert_int_equal(found.length, expected->length);
    assert_memory_equal(found.data, expected->data, found.length);
    buf_done(&found);
}

static void undo_gives_the_plan_back_and_redo_the_edit(void **state)
{
    struct trial *trial = *state;
    struct buf before = export_of(trial, "/export");
    apply(trial, MUCH, 2);
    struct buf after = export_of(trial, "/export");
    assert_true(strstr(buf_text(&after), "exit_code < 3") != NULL);
    take_back(trial, "/undo", NULL, 200, 3, 2);
    expect_export(trial, &before);
    take_back(trial, "/undo", NULL, 409, 0, 0);
    take_back(trial, "/redo", NULL, 200, 4, 3);
    expect_export(trial, &after);
    take_back(trial, "/redo", NULL, 409, 0, 0);
    take_back(trial, "/undo", "{\"revision\": 4, \"reason\": \"no\"}", 200, 5, 4);
    expect_export(trial, &before);
    take_back(trial, "/undo", "{\"revision\": 77}", 404, 0, 0);
    take_back(trial, "/redo", "{\"revision\": 2}", 409, 0, 0);
    buf_done(&before);
    buf_done(&after);
}

static void edits_of_one_task_are_undone_one_after_the_other(void **state)
{
    struct trial *trial = *state;
    struct buf before = export_of(trial, "/export");
    apply(trial,
          "{\"operations\": [{\"op\": \"update_task\", \"task\": \"second\","
          " \"set\": {\"priority\": 7}}]}",
          2);
    apply(trial,
          "{\"operations\": [{\"op\": \"update_task\", \"task\": \"second\","
          " \"set\": {\"priority\": 8}}]}",
          3);
    take_back(trial, "/undo", "{\"revision\": 2}", 409, 0, 0); /* 3 has changed it since */
    take_back(trial, "/undo", NULL, 200, 4, 3);
    take_back(trial, "/undo", NULL, 200, 5, 2);
    expect_export(trial, &before);
    take_back(trial, "/redo", NULL, 200, 6, 5);
    take_back(trial, "/redo", NULL, 200, 7, 4);
    take_back(trial, "/undo?dry_run=1", NULL, 200, 8, 7);
    buf_done(&before);
}

static void the_plan_is_there_as_of_any_revision(void **state)
{
    struct trial *trial = *state;
    struct buf plans[4];
    plans[0] = export_of(trial, "/export");
    apply(trial, MUCH, 2);
    plans[1] = export_of(trial, "/export");
    apply(trial,
          "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"},"
          "{\"op\": \"remove_dependency\", \"from\": \"second\", \"to\": \"x\"}]}",
          3);
    plans[2] = export_of(trial, "/export");
    for (int i = 0; i < 3; i++) {
        char rest[64];
        snprintf(rest, sizeof(rest), "/plan?revision=%d", i + 1);
        struct buf found = export_of(trial, rest);
        json_t *a = json_loads(buf_text(&found), 0, NULL);
        json_t *b = json_loads(buf_text(&plans[i]), 0, NULL);
        if (a == NULL || !json_equal(a, b)) {
            fail_msg("revision %d:\n%s\n%s", i + 1, buf_text(&found), buf_text(&plans[i]));
        }
        json_decref(a);
        json_decref(b);
        buf_done(&found);
        buf_done(&plans[i]);
    }
    struct answer answer = send_to(trial, "GET", "/plan?revision=4", NULL, NULL);
    must(&answer, 404);
    answer_done(&answer);
}

static void an_export_submitted_gives_the_same_plan(void **state)
{
    struct trial *trial = *state;
    apply(trial, MUCH, 2);
    struct buf before = export_of(trial, "/export");
    house_submit(trial->house, buf_text(&before), trial->id);
    expect_export(trial, &before);
    buf_done(&before);
}

static size_t length_of(const struct answer *answer, const char *object, const char *key)
{
    return json_array_size(json_object_get(json_object_get(answer->json, object), key));
}

static void a_diff_tells_what_has_come_gone_and_changed(void **state)
{
    struct trial *trial = *state;
    apply(trial, MUCH, 2);
    apply(trial, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"third\"}]}", 3);
    struct answer answer = send_to(trial, "GET", "/diff?from=1&to=2", NULL, NULL);
    must(&answer, 200);
    assert_int_equal(length_of(&answer, "tasks", "added"), 1);
    assert_int_equal(length_of(&answer, "tasks", "removed"), 0);
    assert_int_equal(length_of(&answer, "tasks", "changed"), 1);
    assert_int_equal(length_of(&answer, "dependencies", "added"), 3);
    assert_int_equal(length_of(&answer, "dependencies", "removed"), 2);
    assert_int_equal(json_object_size(json_object_get(answer.json, "set")), 3);
    answer_done(&answer);
    answer = send_to(trial, "GET", "/diff", NULL, NULL);
    must(&answer, 200);
    assert_int_equal(answer_number(&answer, "from"), 2);
    assert_int_equal(length_of(&answer, "tasks", "removed"), 1);
    answer_done(&answer);
    answer = send_to(trial, "GET", "/diff?from=3&to=1", NULL, NULL);
    must(&answer, 200);
    assert_int_equal(length_of(&answer, "tasks", "added"), 1);
    assert_int_equal(length_of(&answer, "tasks", "removed"), 1);
    answer_done(&answer);
    answer = send_to(trial, "GET", "/diff?from=1&to=9", NULL, NULL);
    must(&answer, 404);
    answer_done(&answer);
}

static void revisions_say_who_what_and_why(void **state)
{
    struct trial *trial = *state;
    apply(trial, MUCH, 2);
    apply(trial, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"x\"}]}", 3);
    struct answer answer = send_to(trial, "GET", "/revisions?limit=1", NULL, NULL);
    must(&answer, 200);
    assert_int_equal(answer_number(&answer, "revision"), 3);
    assert_int_equal(answer_number(&answer, "next"), 2);
    answer_done(&answer);
    answer = send_to(trial, "GET", "/revisions?last=2", NULL, NULL);
    must(&answer, 200);
    const json_t *list = json_object_get(answer.json, "revisions");
    assert_int_equal(json_array_size(list), 1);
    const json_t *author = json_object_get(json_array_get(list, 0), "author");
    assert_string_equal(json_string_value(json_object_get(author, "kind")), "planner");
    answer_done(&answer);
    answer = send_to(trial, "GET", "/revisions/2", NULL, NULL);
    must(&answer, 200);
    assert_string_equal(answer_text(&answer, "reason"), "much");
    assert_int_equal(json_array_size(json_object_get(answer.json, "operations")), 5);
    answer_done(&answer);
    answer = send_to(trial, "GET", "/revisions/1", NULL, NULL);
    must(&answer, 404);
    answer_done(&answer);
    answer = send_to(trial, "GET", "/tasks/x/history", NULL, NULL);
    must(&answer, 200);
    assert_int_equal(json_array_size(json_object_get(answer.json, "revisions")), 2);
    assert_true(json_is_true(json_object_get(answer.json, "removed")));
    answer_done(&answer);
    answer = send_to(trial, "GET", "/tasks/nobody/history", NULL, NULL);
    must(&answer, 404);
    answer_done(&answer);
}

static void a_context_keeps_to_its_size_and_says_what_it_left_out(void **state)
{
    struct trial *trial = *state;
    struct buf batch = { 0 };
    buf_append_text(&batch, "{\"operations\": [");
    for (int i = 0; i < 100; i++) {
        buf_printf(&batch,
                   "%s{\"op\": \"add_task\", \"task\": \"t%d\", \"spec\": {\"run\": "
                   "[\"echo\", \"some words that weigh something\"]}}",
                   i == 0 ? "" : ",", i);
    }
    buf_append_text(&batch, "]}");
    apply(trial, buf_text(&batch), 2);
    buf_done(&batch);
    house_connect_device(trial->house);
    uint64_t fence = house_take_fence(trial->house);
    house_output(trial->house, fence, STREAM_STDOUT, 0, STR("no space left"));
    house_finished(trial->house, fence, 3, 13);
    static const int sizes[] = { 2048, 6000, 100000 };
    size_t listed[3];
    for (size_t i = 0; i < 3; i++) {
        char rest[64];
        snprintf(rest, sizeof(rest), "/context?max_bytes=%d", sizes[i]);
        struct answer answer = send_to(trial, "GET", rest, NULL, NULL);
        must(&answer, 200);
        if (answer.json == NULL) {
            fail_msg("%s", buf_text(&answer.all));
        }
        assert_true(answer.body_bytes <= (size_t)sizes[i]);
        listed[i] = json_array_size(json_object_get(answer.json, "plan"));
        assert_int_equal(listed[i] + (size_t)count_in(&answer, "dropped", "tasks"), 103);
        const json_t *failed = json_array_get(json_object_get(answer.json, "failed"), 0);
        assert_string_equal(json_string_value(json_object_get(failed, "stdout_tail")),
                            "no space left");
        answer_done(&answer);
    }
    assert_true(listed[0] < listed[1] && listed[1] < listed[2] && listed[2] == 103);
}

/* --- Whatever is edited. --- */

enum { RANDOM_EDITS = 250, RANDOM_KEYS = 12 };

static int compare_needs(const void *a, const void *b)
{
    const json_t *const *x = a;
    const json_t *const *y = b;
    char *left = json_dumps(*x, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    char *right = json_dumps(*y, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    int order = strcmp(left, right);
    free(left);
    free(right);
    return order;
}

/* A plan says the same in whatever order its dependencies stand. */
static json_t *plan_of(struct trial *trial, const char *rest)
{
    struct buf text = export_of(trial, rest);
    json_t *plan = json_loads(buf_text(&text), 0, NULL);
    assert_non_null(plan);
    buf_done(&text);
    const char *key = NULL;
    json_t *task = NULL;
    json_object_foreach(json_object_get(plan, "tasks"), key, task)
    {
        const json_t *needs = json_object_get(task, "needs");
        json_t *list[64];
        size_t count = json_array_size(needs);
        assert_true(count <= sizeof(list) / sizeof(list[0]));
        for (size_t i = 0; i < count; i++) {
            list[i] = json_incref(json_array_get(needs, i));
        }
        if (count > 0) {
            qsort(list, count, sizeof(list[0]), compare_needs);
            json_t *sorted = json_array();
            for (size_t i = 0; i < count; i++) {
                json_array_append_new(sorted, list[i]);
            }
            json_object_set_new(task, "needs", sorted);
        }
    }
    return plan;
}

static void expect_plan(struct trial *trial, const char *rest, const json_t *expected)
{
    json_t *plan = plan_of(trial, rest);
    if (!json_equal(plan, expected)) {
        char *a = json_dumps(plan, JSON_SORT_KEYS);
        char *b = json_dumps(expected, JSON_SORT_KEYS);
        fail_msg("%s\n%s\n%s", rest, a, b);
    }
    json_decref(plan);
}

static void add_operation(struct buf *batch, struct rng *rng)
{
    static const char *const whens[] = { "success", "finished", "failure", "always" };
    static const char *const conditions[] = { "", ", \"if\": \"exit_code > 1\"",
                                              ", \"if\": \"number = 3\"" };
    static const char *const sets[] = {
        "\"priority\": 3",           "\"priority\": null",
        "\"run\": [\"ls\", \"-a\"]", "\"shell\": \"ls\", \"description\": \"d\"",
        "\"join\": \"any\"",         "\"join\": null, \"allow_failure\": true",
        "\"needs\": null",           "\"retry\": {\"max_attempts\": 4}",
    };
    unsigned a = (unsigned)rng_below(rng, RANDOM_KEYS);
    unsigned b = (unsigned)rng_below(rng, RANDOM_KEYS);
    const char *when = whens[rng_below(rng, 4)];
    const char *condition = conditions[rng_below(rng, 3)];
    unsigned low = a < b ? a : b;
    unsigned high = a < b ? b : a + (a == b);
    switch (rng_below(rng, 8)) {
    case 0:
        buf_printf(batch,
                   "{\"op\": \"add_task\", \"task\": \"k%u\", \"spec\": {\"run\": [\"echo\","
                   " \"${{ tasks.first.stdout }}\"], \"needs\": [{\"task\": \"second\","
                   " \"when\": \"%s\"%s}]}}",
                   a, when, condition);
        return;
    case 1:
        buf_printf(batch,
                   "{\"op\": \"add_task\", \"task\": \"k%u\", \"spec\": {\"run\":"
                   " [\"true\"]}}",
                   a);
        return;
    case 2:
        buf_printf(batch, "{\"op\": \"remove_task\", \"task\": \"k%u\"}", a);
        return;
    case 3:
        buf_printf(batch, "{\"op\": \"update_task\", \"task\": \"k%u\", \"set\": {%s}}", a,
                   sets[rng_below(rng, 8)]);
        return;
    case 4:
        buf_printf(batch, "{\"op\": \"remove_dependency\", \"from\": \"k%u\", \"to\": \"k%u\"}",
                   low, high);
        return;
    case 5:
        buf_printf(batch,
                   "{\"op\": \"update_dependency\", \"from\": \"k%u\", \"to\": \"k%u\","
                   " \"when\": \"%s\"%s}",
                   low, high, when, condition);
        return;
    default:
        buf_printf(batch,
                   "{\"op\": \"add_dependency\", \"from\": \"k%u\", \"to\": \"k%u\","
                   " \"when\": \"%s\"%s}",
                   low, high, when, condition);
        return;
    }
}

/* Of every edit that is applied: what it forecast is what it did, what it was before can be read and
   comes back by an undo, and a redo makes it again. Of every other: nothing has changed. */
static void any_edit_can_be_taken_back_and_is_kept(void **state)
{
    struct trial *trial = *state;
    struct rng rng;
    rng_init(&rng, 20);
    struct buf first = { 0 };
    buf_append_text(&first, "{\"operations\": [");
    for (int i = 0; i < RANDOM_KEYS - 2; i++) {
        buf_printf(&first,
                   "%s{\"op\": \"add_task\", \"task\": \"k%d\", \"spec\": {\"noop\": true}}",
                   i == 0 ? "" : ",", i);
    }
    buf_append_text(&first, "]}");
    apply(trial, buf_text(&first), 2);
    buf_done(&first);
    json_t *now = plan_of(trial, "/export");
    int64_t revision = 2;
    unsigned applied = 0;
    for (int i = 0; i < RANDOM_EDITS; i++) {
        struct buf batch = { 0 };
        buf_append_text(&batch, "{\"operations\": [");
        for (uint64_t left = 1 + rng_below(&rng, 2); left > 0; left--) {
            add_operation(&batch, &rng);
            buf_append_text(&batch, left > 1 ? "," : "]}");
        }
        struct answer dry = send_to(trial, "POST", "/edits?dry_run=1", NULL, buf_text(&batch));
        struct answer answer = edit(trial, buf_text(&batch));
        assert_int_equal(dry.status, answer.status);
        if (answer.status == 200) {
            applied++;
            json_object_del(dry.json, "critical_path");
            json_object_del(dry.json, "dry_run");
            json_object_del(answer.json, "dry_run");
            assert_true(json_equal(dry.json, answer.json));
            assert_int_equal(answer_number(&answer, "revision"), revision + 1);
            json_t *after = plan_of(trial, "/export");
            bool has_changed = !json_equal(now, after);
            char rest[64];
            snprintf(rest, sizeof(rest), "/plan?revision=%lld", (long long)revision);
            expect_plan(trial, rest, now);
            revision++;
            if (has_changed) {
                take_back(trial, "/undo", NULL, 200, revision + 1, revision);
                expect_plan(trial, "/export", now);
                take_back(trial, "/redo", NULL, 200, revision + 2, revision + 1);
                revision += 2;
            }
            json_decref(now);
            now = after;
        }
        expect_plan(trial, "/export", now);
        answer_done(&dry);
        answer_done(&answer);
        buf_done(&batch);
    }
    assert_true(applied > RANDOM_EDITS / 5);
    json_decref(now);
}

/* --- The document. --- */

static void the_document_has_every_code(void **state)
{
    (void)state;
    static const char *const others[] = { "duplicate_key",
                                          "ambiguous_dependency",
                                          "made_by_reference",
                                          "bad_condition",
                                          "unknown_limit",
                                          "unknown_operation",
                                          "unknown_key",
                                          "missing_key",
                                          "wrong_type",
                                          "bad_value",
                                          "out_of_range",
                                          "too_large",
                                          "empty",
                                          "syntax",
                                          "not_text",
                                          "invalid_edit",
                                          "edit_refused" };
    struct buf text = { 0 };
    struct reason reason;
    assert_int_equal(file_read("docs/editing.md", 1 << 20, &text, &reason), ERR_NONE);
    for (int code = EDIT_CODE_CONFLICT; code < EDIT_CODES_END; code++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "`%s`", edit_code_name((enum edit_code)code));
        if (strstr(buf_text(&text), quoted) == NULL) {
            fail_msg("docs/editing.md lacks %s", quoted);
        }
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "`%s`", others[i]);
        if (strstr(buf_text(&text), quoted) == NULL) {
            fail_msg("docs/editing.md lacks %s", quoted);
        }
    }
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_adds_changes_and_removes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_that_is_wrong_is_told_at_once_and_nothing_is_done,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_key_is_told_with_those_that_there_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_cycle_names_its_tasks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cycle_that_is_long_is_not_told_to_its_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_never_made_is_not_undone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_changed_since_the_base_is_a_conflict, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_expectation_that_does_not_hold_refuses_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_dry_run_tells_and_does_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_edit_sent_twice_is_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_task_that_has_started_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removed_and_added_again_is_rewritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_order_of_operations_does_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reference_makes_its_dependency_and_gives_it_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_finished_constellation_goes_on_when_tasks_are_added,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_edit_can_be_taken_back_and_is_kept, set_up, tear_down),
        cmocka_unit_test(the_document_has_every_code),
        cmocka_unit_test_setup_teardown(undo_gives_the_plan_back_and_redo_the_edit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(edits_of_one_task_are_undone_one_after_the_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_plan_is_there_as_of_any_revision, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_export_submitted_gives_the_same_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_diff_tells_what_has_come_gone_and_changed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(revisions_say_who_what_and_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_context_keeps_to_its_size_and_says_what_it_left_out,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
