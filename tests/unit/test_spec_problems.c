/* Specs that are refused: each problem with its code, its place and its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "orchestrator/spec/spec_keys.h"
#include "orchestrator/spec/spec_text.h"

static struct arena arena;
static struct spec_problems problems;

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void refuse(struct str text, enum spec_format format)
{
    struct spec untouched = { .tasks = NULL };
    assert_int_equal(spec_parse(text, format, NULL, &arena, &untouched, &problems), ERR_INVALID);
    assert_true(problems.count > 0);
    assert_null(untouched.tasks);
}

static void assert_problem(size_t index, const char *code, unsigned line, unsigned column,
                           const char *path, const char *words)
{
    assert_true(index < problems.count);
    const struct spec_problem *problem = &problems.list[index];
    bool is_right = strcmp(problem->code, code) == 0 && problem->line == line &&
                    problem->column == column && str_is(problem->path, path) &&
                    spec_text_holds(problem->detail, str_of(words));
    if (!is_right) {
        fail_msg("%u:%u %s \"%.*s\": %.*s\n  instead of %u:%u %s \"%s\": %s", problem->line,
                 problem->column, problem->code, STR_ARG(problem->path), STR_ARG(problem->detail),
                 line, column, code, path, words);
    }
}

/* Exactly one problem. */
static void assert_refused(const char *text, const char *code, unsigned line, unsigned column,
                           const char *path, const char *words)
{
    refuse(str_of(text), SPEC_FORMAT_GUESS);
    assert_problem(0, code, line, column, path, words);
    assert_int_equal(problems.count, 1);
}

/* The text stands as the task `a`, in flow style from line 3, column 6. */
static void assert_task_refused(const char *task, const char *code, unsigned column,
                                const char *path, const char *words)
{
    struct buf text = { 0 };
    buf_printf(&text, "name: n\ntasks:\n  a: %s\n  b: {noop: true}\n", task);
    assert_refused(buf_text(&text), code, 3, column, path, words);
    buf_done(&text);
}

static void an_unknown_key_names_the_nearest(void **state)
{
    (void)state;
    assert_refused("name: n\ntasks:\n  a:\n    noop: true\n    tiemout: 5s\n", "unknown_key", 5, 5,
                   "/tasks/a/tiemout", "unknown key \"tiemout\": did you mean \"timeout\"?");
    assert_true(spec_text_holds(problems.list[0].allowed, STR("run, shell, noop, sleep, needs")));
    assert_refused("nmae: n\nname: n\ntasks: {a: {noop: true}}\n", "unknown_key", 1, 1, "/nmae",
                   "did you mean \"name\"?");
    assert_task_refused("{noop: true, retry: {max_atempts: 2}}", "unknown_key", 27,
                        "/tasks/a/retry/max_atempts", "did you mean \"max_attempts\"?");
    assert_task_refused("{noop: true, zebra: 1}", "unknown_key", 19, "/tasks/a/zebra",
                        "unknown key \"zebra\"");
    assert_false(spec_text_holds(problems.list[0].detail, STR("did you mean")));
    assert_task_refused("{noop: true, on_agent_restart: continue}", "unknown_key", 19,
                        "/tasks/a/on_agent_restart", "unknown key");
    assert_task_refused("{noop: true, needs: [{task: b, iff: x}]}", "unknown_key", 37,
                        "/tasks/a/needs/0/iff", "did you mean \"if\"?");
    assert_refused("{\"name\": \"n\", \"tasks\": {\"a/~\": {\"noop\": true}}}", "bad_key", 0, 0,
                   "/tasks/a~1~0", "cannot be the key of a task");
}

static void a_wrong_type_says_what_is_right(void **state)
{
    (void)state;
    assert_refused("- a\n", "wrong_type", 1, 1, "", "must be a mapping, but is a list");
    assert_refused("name: 5\ntasks: {a: {noop: true}}\n", "wrong_type", 1, 7, "/name",
                   "must be text, but is a number: put it in quotes");
    assert_refused("name: n\ntasks: [a]\n", "wrong_type", 2, 8, "/tasks", "must be a mapping");
    assert_refused("name: n\ntasks: {a: hello}\n", "wrong_type", 2, 12, "/tasks/a",
                   "must be a mapping, but is text");
    assert_task_refused("{run: ls}", "wrong_type", 12, "/tasks/a/run", "must be a list");
    assert_task_refused("{run: [ls, [x]]}", "wrong_type", 17, "/tasks/a/run/1", "must be text");
    assert_task_refused("{run: [ls, null]}", "wrong_type", 17, "/tasks/a/run/1", "is empty");
    assert_task_refused("{shell: true}", "wrong_type", 14, "/tasks/a/shell",
                        "put it in quotes if it is meant as text");
    assert_task_refused("{noop: yes}", "wrong_type", 13, "/tasks/a/noop", "must be true");
    assert_task_refused("{noop: true, env: [A]}", "wrong_type", 24, "/tasks/a/env",
                        "must be a mapping");
    assert_task_refused("{noop: true, env: {A: }}", "wrong_type", 28, "/tasks/a/env/A", "is empty");
    assert_task_refused("{noop: true, stdin: 5}", "wrong_type", 26, "/tasks/a/stdin", "text");
    assert_task_refused("{noop: true, priority: high}", "wrong_type", 29, "/tasks/a/priority",
                        "must be a whole number");
    assert_task_refused("{noop: true, priority: 1.5}", "wrong_type", 29, "/tasks/a/priority",
                        "must be a whole number");
    assert_task_refused("{noop: true, timeout: [5]}", "wrong_type", 28, "/tasks/a/timeout",
                        "must be a duration");
    assert_task_refused("{noop: true, needs: null}", "wrong_type", 26, "/tasks/a/needs",
                        "a task key or a list");
    assert_task_refused("{noop: true, needs: [[b]]}", "wrong_type", 27, "/tasks/a/needs/0",
                        "a task key");
    assert_task_refused("{noop: true, max_output: true}", "wrong_type", 31, "/tasks/a/max_output",
                        "must be a size");
    assert_task_refused("{noop: true, retry: 3}", "wrong_type", 26, "/tasks/a/retry",
                        "must be a mapping");
    assert_task_refused("{noop: true, retry: {factor: two}}", "wrong_type", 35,
                        "/tasks/a/retry/factor", "must be a number");
}

static void a_bad_value_says_what_is_allowed(void **state)
{
    (void)state;
    assert_refused("name: a b\ntasks: {a: {noop: true}}\n", "bad_value", 1, 7, "/name",
                   "\"a b\" is no name");
    assert_refused("name: n\ntasks: {}\n", "bad_value", 2, 8, "/tasks", "at least one is needed");
    assert_task_refused("{noop: false}", "bad_value", 13, "/tasks/a/noop", "must be true");
    assert_task_refused("{sleep: 5 minutes}", "bad_value", 14, "/tasks/a/sleep", "no duration");
    assert_true(str_is(problems.list[0].allowed, "500ms, 90s, 5m, 1.5h, 2d"));
    assert_task_refused("{sleep: 1.00000000000000000000000000}", "bad_value", 14, "/tasks/a/sleep",
                        "no duration");
    assert_task_refused("{noop: true, max_output: 5MB}", "bad_value", 31, "/tasks/a/max_output",
                        "no size");
    assert_task_refused("{noop: true, on_disconnect: die}", "bad_value", 34,
                        "/tasks/a/on_disconnect", "must be one of continue, stop, not \"die\"");
    assert_true(str_is(problems.list[0].allowed, "continue, stop"));
    assert_task_refused("{noop: true, output: xml}", "bad_value", 27, "/tasks/a/output",
                        "must be json");
    assert_task_refused("{run: [ls], cwd: tmp}", "bad_value", 23, "/tasks/a/cwd",
                        "must be an absolute path");
    assert_task_refused("{run: [\"\"]}", "bad_value", 13, "/tasks/a/run/0", "program is empty");
    assert_task_refused("{run: [\"a\\0b\"]}", "bad_value", 13, "/tasks/a/run/0", "NUL");
    assert_task_refused("{shell: \"\"}", "bad_value", 14, "/tasks/a/shell", "must not be empty");
    assert_task_refused("{noop: true, device: a/b}", "bad_value", 27, "/tasks/a/device",
                        "is no device name");
    assert_task_refused("{noop: true, needs: [{task: b, when: fails}]}", "bad_value", 43,
                        "/tasks/a/needs/0/when", "must be one of success, finished");
    assert_true(str_is(problems.list[0].allowed, "success, finished, failure, always"));
    assert_task_refused("{noop: true, needs: [b, b]}", "duplicate_dependency", 30,
                        "/tasks/a/needs/1", "\"b\" is needed already");
    assert_task_refused("{noop: true, timeout: 5, timeouts: {run: 5}}", "bad_value", 42,
                        "/tasks/a/timeouts/run", "are the same");
    assert_task_refused("{noop: true, timeouts: {run: 5}, timeout: 5}", "bad_value", 39,
                        "/tasks/a/timeout", "are the same");
    assert_task_refused("{noop: true, retry: {backoff: 5s, max_backoff: 1s}}", "bad_value", 26,
                        "/tasks/a/retry", "max_backoff is less than backoff");
}

static void a_number_out_of_its_range_names_the_range(void **state)
{
    (void)state;
    assert_task_refused("{noop: true, priority: 1001}", "out_of_range", 29, "/tasks/a/priority",
                        "from -1000 to 1000");
    assert_task_refused("{noop: true, priority: -99999999999999999999999}", "out_of_range", 29,
                        "/tasks/a/priority", "from -1000 to 1000");
    assert_task_refused("{noop: true, retry: {max_attempts: 0}}", "out_of_range", 41,
                        "/tasks/a/retry/max_attempts", "from 1 to 1000");
    assert_task_refused("{noop: true, retry: {factor: 0.5}}", "out_of_range", 35,
                        "/tasks/a/retry/factor", "from 1 to 100");
    assert_task_refused("{noop: true, retry: {factor: .nan}}", "out_of_range", 35,
                        "/tasks/a/retry/factor", "from 1 to 100");
    assert_task_refused("{noop: true, timeout: 0}", "out_of_range", 28, "/tasks/a/timeout",
                        "from 1ms to 3652d");
    assert_task_refused("{noop: true, kill_grace: 2h}", "out_of_range", 31, "/tasks/a/kill_grace",
                        "from 0ms to 1h");
    assert_task_refused("{noop: true, max_output: 2GiB}", "out_of_range", 31, "/tasks/a/max_output",
                        "to 1073741824 bytes");
    assert_task_refused("{run: []}", "out_of_range", 12, "/tasks/a/run", "must name a program");
}

static void a_missing_key_is_named(void **state)
{
    (void)state;
    assert_refused("tasks: {a: {noop: true}}\n", "missing_key", 1, 1, "",
                   "the key \"name\" is missing");
    assert_refused("{\"name\": \"n\"}", "missing_key", 0, 0, "", "the key \"tasks\" is missing");
    assert_task_refused("{noop: true, needs: [{when: success}]}", "missing_key", 27,
                        "/tasks/a/needs/0", "the key \"task\" is missing");
}

static void a_task_has_exactly_one_executor(void **state)
{
    (void)state;
    assert_task_refused("{needs: b, env: {A: x}}", "no_executor", 17, "/tasks/a/env",
                        "is a gate, which runs nowhere");
    assert_task_refused("{noop: true, shell: ls}", "two_executors", 19, "/tasks/a/shell",
                        "it has \"noop\" already, so not \"shell\" too");
    /* One that stands there twice is a key twice, and no more than that. */
    refuse(STR("name: n\ntasks:\n  a: {noop: true, noop: true}\n"), SPEC_FORMAT_GUESS);
    assert_int_equal(problems.count, 1);
    assert_problem(0, "duplicate_key", 3, 19, "/tasks/a/noop", "");
}

static void a_bad_name_of_task_or_variable_is_refused(void **state)
{
    (void)state;
    assert_refused("name: n\ntasks:\n  a b: {noop: true}\n", "bad_key", 3, 3, "/tasks/a b",
                   "\"a b\" cannot be the key of a task");
    assert_task_refused("{noop: true, env: {1A: x}}", "bad_key", 25, "/tasks/a/env/1A",
                        "not a digit first");
    assert_task_refused("{noop: true, env: {A=B: x}}", "bad_key", 25, "/tasks/a/env/A=B",
                        "cannot be the name of a variable");
    assert_task_refused("{noop: true, env: {ASTERISM_OUTPUT: x}}", "bad_key", 25,
                        "/tasks/a/env/ASTERISM_OUTPUT", "the agent sets it");
}

static void a_bad_selector_says_where_it_went_wrong(void **state)
{
    (void)state;
    assert_task_refused("{noop: true, selector: \"os in (\"}", "bad_selector", 29,
                        "/tasks/a/selector", "");
    assert_true(problems.list[0].detail.length > 0);
}

static void an_unknown_task_names_the_nearest(void **state)
{
    (void)state;
    assert_refused("name: n\ntasks:\n  build: {noop: true}\n  test: {noop: true, needs: [biuld]}\n",
                   "unknown_task", 4, 30, "/tasks/test/needs/0",
                   "there is no task \"biuld\": did you mean \"build\"?");
    assert_refused("name: n\ntasks:\n  scan: {noop: true}\n"
                   "  show: {run: [echo, \"${{ tasks.scn.stdout }}\"]}\n",
                   "unknown_task", 4, 22, "/tasks/show/run/1", "did you mean \"scan\"?");
}

static void a_bad_reference_is_shown(void **state)
{
    (void)state;
    assert_task_refused("{shell: \"echo ${{ tasks.b.stdout }}\"}", "bad_reference", 14,
                        "/tasks/a/shell", "put it under env and write \"$NAME\"");
    assert_task_refused("{run: [echo, \"${{ tasks.b.stdot }}\"]}", "bad_reference", 19,
                        "/tasks/a/run/1", "did you mean \"stdout\"?");
    assert_task_refused("{run: [echo, \"${{ tasks.b.stdout\"]}", "bad_reference", 19,
                        "/tasks/a/run/1", "must end with }}");
    assert_task_refused("{run: [echo, \"${{ params.x }}\"]}", "bad_reference", 19, "/tasks/a/run/1",
                        "the spec has no param \"x\"");
    assert_task_refused("{run: [echo, \"${{ each.x }}\"]}", "bad_reference", 19, "/tasks/a/run/1",
                        "the task has no each, so no \"x\"");
    assert_task_refused("{run: [echo, \"${{ task.b.stdout }}\"]}", "bad_reference", 19,
                        "/tasks/a/run/1", "only tasks.KEY.FIELD, params.NAME and each.NAME");
    assert_task_refused("{run: [echo, \"${{ tasks.b.output || x }}\"]}", "bad_reference", 19,
                        "/tasks/a/run/1", "behind || stands a default");
    assert_task_refused("{noop: true, env: {A: \"${{ tasks.b }}\"}}", "bad_reference", 28,
                        "/tasks/a/env/A", "tasks.KEY.FIELD");
    assert_task_refused("{noop: true, stdin: \"${{ tasks.b.stdout.x }}\"}", "bad_reference", 26,
                        "/tasks/a/stdin", "only output has a path");
    assert_task_refused("{run: [ls], cwd: \"/x/${{ tasks.b.output[x] }}\"}", "bad_reference", 23,
                        "/tasks/a/cwd", "made of .NAME and [INDEX]");
}

static void a_cycle_names_its_tasks(void **state)
{
    (void)state;
    assert_refused("name: n\ntasks:\n"
                   "  z: {noop: true, needs: c}\n"
                   "  a: {noop: true, needs: c}\n"
                   "  b: {noop: true, needs: [a, o]}\n"
                   "  c: {run: [echo, \"${{ tasks.b.stdout }}\"]}\n"
                   "  o: {noop: true}\n",
                   "cycle", 4, 3, "/tasks/a", "a \u2192 b \u2192 c \u2192 a");
    assert_task_refused("{noop: true, needs: [a]}", "cycle", 27, "/tasks/a/needs/0",
                        "\"a\" would wait for itself");
    assert_task_refused("{run: [\"${{ tasks.a.stdout }}\"]}", "cycle", 13, "/tasks/a/run/0",
                        "would wait for itself");
}

static void a_long_cycle_is_cut(void **state)
{
    (void)state;
    enum { TASKS = 50000 };
    struct buf text = { 0 };
    buf_append_text(&text, "{\"name\": \"n\", \"tasks\": {");
    for (int i = 0; i < TASKS; i++) {
        buf_printf(&text, "%s\"t%d\": {\"noop\": true, \"needs\": \"t%d\"}", i > 0 ? "," : "", i,
                   i > 0 ? i - 1 : TASKS - 1);
    }
    buf_append_text(&text, "}}");
    assert_refused(buf_text(&text), "cycle", 0, 0, "/tasks/t0",
                   "t7 \u2192 t8 \u2192 \u2026 (49991 more) \u2192 t0");
    buf_done(&text);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "name: n\ntasks:\n  a:\n    run:\n      - echo\n      - \"");
    size_t bytes = MSG_BODY_BYTES_MAX;
    memset(buf_reserve(&text, bytes), 'x', bytes);
    text.length += bytes;
    buf_append_text(&text, "\"\n");
    assert_refused(buf_text(&text), "too_large", 3, 3, "/tasks/a", "at most 786432 are allowed");
    buf_clear(&text);
    buf_append_text(&text, "name: n\ntasks:\n  a: {run: [x");
    for (int i = 0; i < MSG_ARGS_MAX; i++) {
        buf_append_text(&text, ",y");
    }
    buf_append_text(&text, "]}\n");
    assert_refused(buf_text(&text), "out_of_range", 3, 12, "/tasks/a/run", "at most 4096 items");
    buf_clear(&text);
    buf_append_text(&text, "name: n\ntasks:\n  a: {noop: true, env: {");
    for (int i = 0; i <= MSG_ENV_MAX; i++) {
        buf_printf(&text, "A%d: x,", i);
    }
    buf_append_text(&text, "}}\n");
    assert_refused(buf_text(&text), "too_large", 3, 24, "/tasks/a/env", "at most 1024");
    buf_done(&text);
}

static void more_tasks_than_a_plan_may_have_are_refused(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "{\"name\": \"n\", \"tasks\": {");
    for (int i = 0; i <= PLAN_TASKS_MAX; i++) {
        buf_printf(&text, "%s\"%x\":1", i > 0 ? "," : "", (unsigned)i);
    }
    buf_append_text(&text, "}}");
    assert_refused(buf_text(&text), "too_large", 0, 0, "/tasks", "has 1000001 tasks");
    buf_done(&text);
}

/* Each task needs those before it, until the last one needs one more than there may be. */
static void more_dependencies_than_a_plan_may_have_are_refused(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "{\"name\": \"n\", \"tasks\": {");
    unsigned task = 0;
    unsigned need = 0;
    for (int edges = 0; edges <= PLAN_EDGES_MAX; task++) {
        buf_printf(&text, "%s\"%x\":{\"noop\":true,\"needs\":[", task > 0 ? "," : "", task);
        for (need = 0; need < task && edges <= PLAN_EDGES_MAX; need++, edges++) {
            buf_printf(&text, "%s\"%x\"", need > 0 ? "," : "", need);
        }
        buf_append_text(&text, "]}");
    }
    buf_append_text(&text, "}}");
    char path[64];
    snprintf(path, sizeof path, "/tasks/%x/needs/%u", task - 1, need - 1);
    assert_refused(buf_text(&text), "too_large", 0, 0, path, "more than 4000000 dependencies");
    buf_done(&text);
}

static void all_problems_come_at_once_in_order(void **state)
{
    (void)state;
    refuse(STR("tasks:\n"
               "  a: {needs: nobody, shell: ls}\n"
               "  b: {noop: true, wat: 1}\n"
               "  c: {sleep: never}\n"
               "name: 7\n"),
           SPEC_FORMAT_GUESS);
    assert_int_equal(problems.count, 4);
    assert_problem(0, "unknown_task", 2, 14, "/tasks/a/needs", "");
    assert_problem(1, "unknown_key", 3, 19, "/tasks/b/wat", "");
    assert_problem(2, "bad_value", 4, 14, "/tasks/c/sleep", "");
    assert_problem(3, "wrong_type", 5, 7, "/name", "");
}

static void problems_are_counted_to_a_limit(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "name: n\ntasks:\n");
    for (int i = 0; i < 100; i++) {
        buf_printf(&text, "  t%d: {nop: true}\n", i);
    }
    refuse(str_of(buf_text(&text)), SPEC_FORMAT_GUESS);
    assert_int_equal(problems.count, SPEC_PROBLEMS_MAX);
    buf_done(&text);
}

static void what_a_key_holds_cannot_reach_the_terminal(void **state)
{
    (void)state;
    assert_refused("name: n\ntasks: {a: {noop: true}}\n\"\\e[31m\": 1\n", "unknown_key", 3, 1,
                   "/\x1b[31m", "unknown key \"?[31m\"");
}

/* docs/spec.md has each row of the table, with its type. */
static void the_document_has_every_key(void **state)
{
    (void)state;
    static char document[64 * 1024];
    FILE *file = fopen("docs/spec.md", "r");
    assert_non_null(file);
    size_t length = fread(document, 1, sizeof document - 1, file);
    fclose(file);
    assert_in_range(length, 1, sizeof document - 2);
    size_t count = 0;
    const struct spec_key *rows = spec_keys(&count);
    assert_int_equal(count, SPEC_KEY_COUNT);
    for (size_t i = 0; i < count; i++) {
        static const char *const prefixes[] = { "", "params.", "", "retry.", "timeouts.", "" };
        char row[128];
        snprintf(row, sizeof row, "| `%s%s` | %s |", prefixes[rows[i].where], rows[i].name,
                 rows[i].type);
        if (strstr(document, row) == NULL) {
            fail_msg("docs/spec.md does not have: %s", row);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_unknown_key_names_the_nearest, forget),
        cmocka_unit_test_teardown(a_wrong_type_says_what_is_right, forget),
        cmocka_unit_test_teardown(a_bad_value_says_what_is_allowed, forget),
        cmocka_unit_test_teardown(a_number_out_of_its_range_names_the_range, forget),
        cmocka_unit_test_teardown(a_missing_key_is_named, forget),
        cmocka_unit_test_teardown(a_task_has_exactly_one_executor, forget),
        cmocka_unit_test_teardown(a_bad_name_of_task_or_variable_is_refused, forget),
        cmocka_unit_test_teardown(a_bad_selector_says_where_it_went_wrong, forget),
        cmocka_unit_test_teardown(an_unknown_task_names_the_nearest, forget),
        cmocka_unit_test_teardown(a_bad_reference_is_shown, forget),
        cmocka_unit_test_teardown(a_cycle_names_its_tasks, forget),
        cmocka_unit_test_teardown(a_long_cycle_is_cut, forget),
        cmocka_unit_test_teardown(what_is_too_large_is_refused, forget),
        cmocka_unit_test_teardown(more_tasks_than_a_plan_may_have_are_refused, forget),
        cmocka_unit_test_teardown(more_dependencies_than_a_plan_may_have_are_refused, forget),
        cmocka_unit_test_teardown(all_problems_come_at_once_in_order, forget),
        cmocka_unit_test_teardown(problems_are_counted_to_a_limit, forget),
        cmocka_unit_test_teardown(what_a_key_holds_cannot_reach_the_terminal, forget),
        cmocka_unit_test_teardown(the_document_has_every_key, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
