/* Batches of edit operations as they are written: what is taken, and what is said of mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/spec/edit_batch.h"
#include "orchestrator/spec/edit_json.h"

struct reading {
    struct arena arena;
    struct batch batch;
    struct edit_faults faults;
    enum err err;
};

static void read_text(struct reading *reading, const char *text)
{
    *reading = (struct reading){ .err = ERR_NONE };
    reading->faults.arena = &reading->arena;
    reading->err = batch_read(str_of(text), SPEC_FORMAT_GUESS, &reading->arena, &reading->batch,
                              &reading->faults);
}

static void must(const struct reading *reading)
{
    if (reading->err != ERR_NONE) {
        fail_msg("%s: %.*s", reading->faults.list[0].code, STR_ARG(reading->faults.list[0].detail));
    }
}

static void expect_str(struct str text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.data, expected, text.length);
}

/* The only fault there is. */
static void expect_fault(const char *text, const char *code, const char *path, const char *words)
{
    struct reading reading;
    read_text(&reading, text);
    if (reading.err != ERR_INVALID || reading.faults.count != 1) {
        fail_msg("%s: %zu faults", text, reading.faults.count);
    }
    const struct edit_fault *fault = &reading.faults.list[0];
    char detail[REASON_BYTES_MAX];
    snprintf(detail, sizeof(detail), "%.*s", STR_ARG(fault->detail));
    if (strcmp(fault->code, code) != 0 || !str_is(fault->path, path) ||
        strstr(detail, words) == NULL) {
        fail_msg("%s: %s at %.*s: %s", text, fault->code, STR_ARG(fault->path), detail);
    }
    arena_done(&reading.arena);
}

/* Those of all operations, in their order: what only the plan knows is not among them. */
static void a_batch_that_cannot_be_read_says_what_is_wrong_inside_its_tasks_too(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        { "unknown_key", "/operations/0/spec/retrry" },
        { "out_of_range", "/operations/0/spec/priority" },
        { "missing_key", "/operations/1/task" },
        { "bad_selector", "/operations/3/set/selector" },
        { "two_executors", "/operations/4/spec/sleep" },
    };
    struct reading reading;
    read_text(
        &reading,
        "{\"operations\": ["
        "{\"op\": \"add_task\", \"task\": \"a\", \"spec\": {\"noop\": true, \"retrry\": 1,"
        " \"priority\": 1000000, \"needs\": [\"nobody\"], \"limits\": {\"unheard\": 1}}},"
        "{\"op\": \"remove_task\"},"
        "{\"op\": \"update_task\", \"task\": \"b\", \"set\": {\"env\": null, \"stdin\": \"x\"}},"
        "{\"op\": \"update_task\", \"task\": \"c\", \"set\": {\"selector\": \"a in (\"}},"
        "{\"op\": \"add_task\", \"task\": \"d\", \"spec\": {\"noop\": true, \"sleep\": \"1s\"}}"
        "]}");
    assert_int_equal(reading.err, ERR_INVALID);
    for (size_t i = 0; i < reading.faults.count; i++) {
        const struct edit_fault *fault = &reading.faults.list[i];
        if (i >= sizeof expected / sizeof expected[0] || strcmp(fault->code, expected[i][0]) != 0 ||
            !str_is(fault->path, expected[i][1])) {
            fail_msg("%zu: %s at %.*s: %.*s", i, fault->code, STR_ARG(fault->path),
                     STR_ARG(fault->detail));
        }
    }
    assert_int_equal(reading.faults.count, sizeof expected / sizeof expected[0]);
    arena_done(&reading.arena);
}

static void everything_that_a_batch_may_hold_is_read(void **state)
{
    (void)state;
    struct reading reading;
    read_text(
        &reading,
        "{\"base_revision\": 3, \"author\": {\"kind\": \"planner\", \"name\": \"gpt\"},"
        " \"reason\": \"the disk is full\", \"release\": 7,"
        " \"expect\": [{\"task\": \"a\", \"state\": \"failed\", \"attempt\": 2}],"
        " \"operations\": ["
        "{\"op\": \"add_task\", \"task\": \"b\", \"spec\": {\"run\": [\"echo\", 1.50]}},"
        "{\"op\": \"remove_task\", \"task\": \"c\"},"
        "{\"op\": \"update_task\", \"task\": \"d\", \"set\": {\"priority\": 3, \"env\": null}},"
        "{\"op\": \"add_dependency\", \"from\": \"a\", \"to\": \"b\", \"when\": \"failure\","
        " \"if\": \"exit_code > 1\"},"
        "{\"op\": \"update_dependency\", \"from\": \"a\", \"to\": \"d\", \"if\": null,"
        " \"old_when\": \"always\"},"
        "{\"op\": \"remove_dependency\", \"from\": \"a\", \"to\": \"e\"},"
        "{\"op\": \"set\", \"fail_fast\": true, \"deadline\": \"2h\", \"limits\": {\"gpu\": 2}}"
        "]}");
    must(&reading);
    const struct batch *batch = &reading.batch;
    assert_int_equal(batch->base_revision, 3);
    assert_int_equal(batch->author_kind, AUTHOR_PLANNER);
    expect_str(batch->author, "gpt");
    expect_str(batch->reason, "the disk is full");
    assert_int_equal(batch->release_hold_id, 7);
    assert_int_equal(batch->expects_count, 1);
    assert_int_equal(batch->expects[0].state, TASK_FAILED);
    assert_int_equal(batch->expects[0].attempts, 2);
    assert_int_equal(batch->operations_count, 7);
    const struct batch_operation *list = batch->operations;
    assert_int_equal(list[0].kind, BATCH_ADD_TASK);
    expect_str(list[0].text, "{\"run\":[\"echo\",\"1.50\"]}"); /* the number's own text */
    assert_int_equal(list[2].kind, BATCH_UPDATE_TASK);
    expect_str(list[2].text, "{\"priority\":3,\"env\":null}");
    assert_int_equal(list[3].when, EDGE_WHEN_FAILURE);
    expect_str(list[3].from, "a");
    expect_str(list[3].task, "b");
    expect_str(list[3].condition, "exit_code > 1");
    assert_int_equal(list[4].condition_given, BATCH_NULL);
    assert_int_equal(list[4].old_when, EDGE_WHEN_ALWAYS);
    assert_int_equal(list[5].when, 0);
    assert_true(list[6].fail_fast);
    assert_int_equal(list[6].deadline_ms, 7200000);
    assert_int_equal(list[6].limits[0].capacity, 2);
    arena_done(&reading.arena);
}

static void a_batch_may_be_written_as_yaml(void **state)
{
    (void)state;
    struct reading reading;
    read_text(&reading, "reason: try harder\noperations:\n"
                        "  - {op: add_task, task: 7, spec: {run: [echo, 0x1f, no], noop: True}}\n");
    must(&reading);
    expect_str(reading.batch.operations[0].task, "7");
    expect_str(reading.batch.text, "[{\"op\":\"add_task\",\"task\":\"7\",\"spec\":{\"run\":["
                                   "\"echo\",\"0x1f\",\"no\"],\"noop\":true}}]");
    arena_done(&reading.arena);
}

static void every_mistake_is_told_with_its_operation(void **state)
{
    (void)state;
    struct reading reading;
    read_text(&reading, "{\"operations\": [{\"op\": \"add_tusk\"}, {\"op\": \"remove_task\"},"
                        " {\"op\": \"remove_task\", \"task\": \"a\", \"tusk\": 1},"
                        " {\"op\": \"remove_task\", \"task\": \"b\"}, 7]}");
    assert_int_equal(reading.err, ERR_INVALID);
    assert_int_equal(reading.faults.count, 4);
    static const char *const codes[] = { "unknown_operation", "missing_key", "unknown_key",
                                         "wrong_type" };
    static const uint32_t indexes[] = { 0, 1, 2, 4 };
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(reading.faults.list[i].code, codes[i]);
        assert_int_equal(reading.faults.list[i].part, EDIT_PART_OPERATION);
        assert_int_equal(reading.faults.list[i].index, indexes[i]);
    }
    assert_non_null(strstr(reading.faults.list[0].detail.data, "did you mean \"add_task\"?"));
    expect_str(reading.faults.list[2].path, "/operations/2");
    expect_str(reading.faults.list[2].allowed, "op, task");
    assert_non_null(strstr(reading.faults.list[2].detail.data, "did you mean \"task\"?"));
    arena_done(&reading.arena);
}

static void each_value_is_checked(void **state)
{
    (void)state;
    expect_fault("", "empty", "", "nothing");
    expect_fault("[]", "wrong_type", "", "a list");
    expect_fault("{}", "missing_key", "", "operations");
    expect_fault("{\"operations\": []}", "out_of_range", "/operations", "at least one");
    expect_fault("{\"operations\": [", "syntax", "", "early");
    expect_fault("{\"operations\": [{\"op\":\"set\"}]}", "missing_key", "/operations/0",
                 "sets nothing");
    expect_fault("{\"operations\": [{\"op\":\"set\",\"deadline\":\"soon\"}]}", "wrong_type",
                 "/operations/0/deadline", "span");
    expect_fault("{\"operations\": [{\"op\":\"set\",\"limits\":{\"x\":0}}]}", "out_of_range",
                 "/operations/0/limits", "from 1");
    expect_fault("{\"operations\": [{\"op\":\"set\",\"fail_fast\":1}]}", "wrong_type",
                 "/operations/0/fail_fast", "true or false");
    expect_fault("{\"operations\": [{\"op\":\"add_dependency\",\"from\":\"a\",\"to\":\"b\","
                 "\"when\":\"sucess\"}]}",
                 "bad_value", "/operations/0/when", "did you mean \"success\"");
    expect_fault("{\"operations\": [{\"op\":\"update_dependency\",\"from\":\"a\",\"to\":\"b\"}]}",
                 "missing_key", "/operations/0", "neither");
    expect_fault("{\"operations\": [{\"op\":\"add_task\",\"task\":\"a\",\"spec\":[]}]}",
                 "wrong_type", "/operations/0/spec", "a list");
    expect_fault(
        "{\"base_revision\": -1, \"operations\": [{\"op\":\"remove_task\",\"task\":\"a\"}]}",
        "out_of_range", "/base_revision", "whole number");
    expect_fault("{\"author\": {\"kind\": \"robot\"}, \"operations\": "
                 "[{\"op\":\"remove_task\",\"task\":\"a\"}]}",
                 "bad_value", "/author/kind", "user, rule, planner");
    expect_fault("{\"expect\": [{\"task\": \"a\", \"state\": \"reddy\"}], \"operations\": "
                 "[{\"op\":\"remove_task\",\"task\":\"a\"}]}",
                 "bad_value", "/expect/0/state", "no state");
    expect_fault("{\"expect\": [{\"state\": \"failed\"}], \"operations\": "
                 "[{\"op\":\"remove_task\",\"task\":\"a\"}]}",
                 "missing_key", "/expect/0", "task");
}

static void no_more_faults_are_listed_than_allowed(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "{\"operations\": [0");
    for (int i = 0; i < EDIT_PROBLEMS_MAX; i++) {
        buf_append_text(&text, ",0");
    }
    buf_append_text(&text, "]}");
    struct reading reading;
    read_text(&reading, buf_text(&text));
    assert_int_equal(reading.faults.count, EDIT_PROBLEMS_MAX);
    assert_true(reading.faults.more);
    arena_done(&reading.arena);
    buf_done(&text);
}

static void a_batch_has_a_hundred_thousand_operations_and_no_more(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct buf text = { 0 };
        buf_append_text(&text, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"a\"}");
        for (int i = 1; i < EDIT_OPERATIONS_MAX + over; i++) {
            buf_append_text(&text, ",{\"op\": \"remove_task\", \"task\": \"a\"}");
        }
        buf_append_text(&text, "]}");
        if (over == 0) {
            struct reading reading;
            read_text(&reading, buf_text(&text));
            assert_int_equal(reading.faults.count, 0);
            assert_int_equal(reading.batch.operations_count, 100000);
            arena_done(&reading.arena);
        } else {
            expect_fault(buf_text(&text), "too_large", "/operations", "100001 operations");
        }
        buf_done(&text);
    }
}

static void one_expectation_too_many_is_refused(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct buf text = { 0 };
        buf_append_text(&text, "{\"operations\": [{\"op\": \"remove_task\", \"task\": \"a\"}], "
                               "\"expect\": [{\"task\": \"a\"}");
        for (int i = 1; i < EDIT_EXPECTS_MAX + over; i++) {
            buf_append_text(&text, ",{\"task\": \"a\"}");
        }
        buf_append_text(&text, "]}");
        if (over == 0) {
            struct reading reading;
            read_text(&reading, buf_text(&text));
            assert_int_equal(reading.faults.count, 0);
            assert_int_equal(reading.batch.expects_count, EDIT_EXPECTS_MAX);
            arena_done(&reading.arena);
        } else {
            expect_fault(buf_text(&text), "too_large", "/expect", "10001 expectations");
        }
        buf_done(&text);
    }
}

static void what_sets_a_key_takes_its_place(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct buf json = { 0 };
    struct str before = STR("{\"run\":[\"a\"],\"env\":{\"X\":\"1\"},\"priority\":3}");
    edit_json_merge(before, STR("{\"shell\":\"ls\",\"env\":null,\"cwd\":\"/\",\"priority\":1.50}"),
                    &arena, &json);
    assert_string_equal(buf_text(&json), "{\"shell\":\"ls\",\"cwd\":\"/\",\"priority\":1.50}");
    struct buf back = { 0 };
    struct str after = arena_str(&arena, str_of(buf_text(&json)));
    edit_json_difference(after, before, &arena, &back);
    assert_string_equal(buf_text(&back), "{\"run\":[\"a\"],\"env\":{\"X\":\"1\"},\"priority\":3,"
                                         "\"shell\":null,\"cwd\":null}");
    buf_clear(&json);
    edit_json_merge(after, str_of(buf_text(&back)), &arena, &json);
    assert_string_equal(buf_text(&json), "{\"run\":[\"a\"],\"env\":{\"X\":\"1\"},\"priority\":3}");
    buf_clear(&back);
    edit_json_difference(before, before, &arena, &back);
    assert_string_equal(buf_text(&back), "{}");
    buf_done(&json);
    buf_done(&back);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_a_batch_may_hold_is_read),
        cmocka_unit_test(a_batch_that_cannot_be_read_says_what_is_wrong_inside_its_tasks_too),
        cmocka_unit_test(a_batch_may_be_written_as_yaml),
        cmocka_unit_test(every_mistake_is_told_with_its_operation),
        cmocka_unit_test(each_value_is_checked),
        cmocka_unit_test(no_more_faults_are_listed_than_allowed),
        cmocka_unit_test(a_batch_has_a_hundred_thousand_operations_and_no_more),
        cmocka_unit_test(one_expectation_too_many_is_refused),
        cmocka_unit_test(what_sets_a_key_takes_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
