/* Specs that are accepted, and the plans that they become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/unit/spec_check.h"

static struct arena arena;
static struct spec spec;
static struct spec_problems problems;

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void parse_str(struct str text)
{
    spec = (struct spec){ 0 };
    if (spec_parse(text, SPEC_FORMAT_GUESS, NULL, &arena, &spec, &problems) != ERR_NONE) {
        const struct spec_problem *first = &problems.list[0];
        print_error("%u:%u %s %.*s: %.*s\n", first->line, first->column, first->code,
                    STR_ARG(first->path), STR_ARG(first->detail));
        fail();
    }
    const char *broken = spec_check_plan(&spec);
    if (broken != NULL) {
        fail_msg("not true: %s", broken);
    }
}

static void parse(const char *text)
{
    parse_str(str_of(text));
}

static void assert_str(struct str text, const char *expected)
{
    if (!str_is(text, expected)) {
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(text), expected);
    }
}

static const struct plan_policy *policy_of(size_t task)
{
    return &spec.plan.policies[spec.plan.tasks[task].policy_index];
}

static const struct plan_class *class_of(size_t task)
{
    return &spec.plan.classes[spec.plan.tasks[task].class_index];
}

static void every_executor_is_read(void **state)
{
    (void)state;
    parse("name: all\n"
          "tasks:\n"
          "  a: {run: [du, -s, /var]}\n"
          "  b: {shell: \"find /etc | wc -l\"}\n"
          "  c: {noop: true}\n"
          "  d: {sleep: 1.5s}\n");
    assert_str(spec.plan.name, "all");
    assert_int_equal(spec.plan.tasks_count, 4);
    assert_int_equal(spec.bodies[0].executor, EXECUTOR_RUN);
    assert_int_equal(spec.bodies[0].argv_count, 3);
    assert_str(spec.bodies[0].argv[0], "du");
    assert_str(spec.bodies[0].argv[2], "/var");
    assert_int_equal(spec.bodies[1].executor, EXECUTOR_SHELL);
    assert_str(spec.bodies[1].shell, "find /etc | wc -l");
    assert_int_equal(spec.bodies[2].executor, EXECUTOR_NOOP);
    assert_int_equal(spec.bodies[3].executor, EXECUTOR_SLEEP);
    assert_int_equal(spec.bodies[3].sleep_ms, 1500);
    assert_int_equal(class_of(3)->executor, EXECUTOR_SLEEP);
    assert_str(spec.plan.tasks[3].key, "d");
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    parse("{\"name\": \"n\", \"tasks\": {\"a\": {\"noop\": true}}}");
    const struct msg_body *body = &spec.bodies[0];
    assert_false(body->has_cwd);
    assert_false(body->has_stdin);
    assert_false(body->output_json);
    assert_int_equal(body->env_count, 0);
    assert_int_equal(body->run_timeout_ms, 0);
    assert_int_equal(body->kill_grace_ms, 5000);
    assert_int_equal(body->output_bytes_max, 16 * 1024 * 1024);
    assert_int_equal(body->on_disconnect, ON_DISCONNECT_CONTINUE);
    assert_int_equal(policy_of(0)->max_attempts, 1);
    assert_int_equal(policy_of(0)->max_lost, 3);
    assert_int_equal(policy_of(0)->backoff_base_ms, 1000);
    assert_int_equal(policy_of(0)->backoff_max_ms, 300000);
    assert_int_equal(policy_of(0)->backoff_factor_permille, 2000);
    assert_int_equal(policy_of(0)->kill_grace_ms, 5000);
    assert_int_equal(spec.plan.tasks[0].priority, 0);
    assert_int_equal(class_of(0)->selector.length, 0);
    assert_int_equal(class_of(0)->device.length, 0);
    assert_false(spec.plan.tasks[0].has_references);
}

static void every_key_of_a_task_arrives(void **state)
{
    (void)state;
    parse(
        "name: n\n"
        "description: all of it\n"
        "priority: 7\n"
        "tasks:\n"
        "  a:\n"
        "    description: one\n"
        "    run: [cat]\n"
        "    env: {A: x, _b2: 'y z'}\n"
        "    stdin: |\n"
        "      two\n"
        "      lines\n"
        "    cwd: /tmp\n"
        "    selector: os=linux,gpu\n"
        "    device: box-1.local\n"
        "    retry: {max_attempts: 3, backoff: 250ms, factor: 1.5, max_backoff: 1m, max_lost: 9}\n"
        "    timeout: 90s\n"
        "    kill_grace: 0\n"
        "    on_disconnect: stop\n"
        "    output: json\n"
        "    max_output: 64KiB\n"
        "  b: {noop: true, priority: -2, timeouts: {run: 2m}, retry: {backoff: 1h}}\n"
        "  c: {noop: true, max_output: 1000}\n");
    const struct msg_body *body = &spec.bodies[0];
    assert_int_equal(body->env_count, 2);
    assert_str(body->env[1].key, "_b2");
    assert_str(body->env[1].value, "y z");
    assert_true(body->has_stdin);
    assert_str(body->stdin_data, "two\nlines\n");
    assert_true(body->has_cwd);
    assert_str(body->cwd, "/tmp");
    assert_str(class_of(0)->selector, "os=linux,gpu");
    assert_str(class_of(0)->device, "box-1.local");
    assert_int_equal(policy_of(0)->max_attempts, 3);
    assert_int_equal(policy_of(0)->max_lost, 9);
    assert_int_equal(policy_of(0)->backoff_base_ms, 250);
    assert_int_equal(policy_of(0)->backoff_max_ms, 60000);
    assert_int_equal(policy_of(0)->backoff_factor_permille, 1500);
    assert_int_equal(policy_of(0)->run_timeout_ms, 90000);
    assert_int_equal(body->run_timeout_ms, 90000);
    assert_int_equal(body->kill_grace_ms, 0);
    assert_int_equal(policy_of(0)->on_disconnect, ON_DISCONNECT_STOP);
    assert_true(body->output_json);
    assert_int_equal(body->output_bytes_max, 65536);
    assert_int_equal(spec.plan.tasks[0].priority, 7);
    assert_int_equal(spec.plan.tasks[1].priority, -2);
    assert_int_equal(spec.bodies[1].run_timeout_ms, 120000);
    assert_int_equal(policy_of(1)->backoff_max_ms, 3600000);
    assert_int_equal(spec.bodies[2].output_bytes_max, 1000);
}

static void the_priority_of_the_top_counts_wherever_it_stands(void **state)
{
    (void)state;
    parse("tasks: {a: {noop: true}}\nname: n\npriority: 3\n");
    assert_int_equal(spec.plan.tasks[0].priority, 3);
}

static void yaml_scalars_in_run_and_env_keep_their_text(void **state)
{
    (void)state;
    parse("name: n\n"
          "tasks:\n"
          "  a: {run: [echo, 1.10, 0x1F, no, yes, on, 1_000, 010, 1e3, +5, 2024-01-01, 12:30, "
          "true],\n"
          "      env: {V: 1.10, W: off}}\n");
    static const char *const expected[] = { "echo",       "1.10",  "0x1F", "no",  "yes",
                                            "on",         "1_000", "010",  "1e3", "+5",
                                            "2024-01-01", "12:30", "true" };
    assert_int_equal(spec.bodies[0].argv_count, 13);
    for (size_t i = 0; i < 13; i++) {
        assert_str(spec.bodies[0].argv[i], expected[i]);
    }
    assert_str(spec.bodies[0].env[0].value, "1.10");
    assert_str(spec.bodies[0].env[1].value, "off");
}

static void json_scalars_keep_their_text_too(void **state)
{
    (void)state;
    parse("{\"name\": \"n\", \"tasks\": {\"a\": {\"run\": [\"echo\", 1, 1.10, 1e3, -0.5E-3, "
          "123456789012345678901234567890, true, \"q\\\"\\u00e9\\uD83D\\ude00\\n\", \"\"]}}}");
    static const char *const expected[] = { "echo",    "1",
                                            "1.10",    "1e3",
                                            "-0.5E-3", "123456789012345678901234567890",
                                            "true",    "q\"\u00e9\U0001F600\n",
                                            "" };
    assert_int_equal(spec.bodies[0].argv_count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_str(spec.bodies[0].argv[i], expected[i]);
    }
}

static void needs_take_every_form(void **state)
{
    (void)state;
    parse("name: n\n"
          "tasks:\n"
          "  d: {noop: true, needs: [a, {task: c, when: success}, {task: b}]}\n"
          "  c: {noop: true, needs: a}\n"
          "  b: {noop: true, needs: []}\n"
          "  a: {noop: true}\n"
          "  1: {noop: true, needs: [a]}\n"
          "  e: {noop: true, needs: 1}\n");
    static const uint32_t expected[][2] = {
        { 3, 0 }, { 1, 0 }, { 2, 0 }, { 3, 1 }, { 3, 4 }, { 4, 5 },
    };
    assert_int_equal(spec.plan.edges_count, 6);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(spec.plan.edges[i].from, expected[i][0]);
        assert_int_equal(spec.plan.edges[i].to, expected[i][1]);
        assert_int_equal(spec.plan.edges[i].when, EDGE_WHEN_SUCCESS);
    }
}

static void a_reference_is_a_dependency_unless_needs_names_it(void **state)
{
    (void)state;
    parse(
        "name: n\n"
        "tasks:\n"
        "  a: {noop: true}\n"
        "  b: {noop: true}\n"
        "  c: {noop: true}\n"
        "  d: {noop: true}\n"
        "  e:\n"
        "    run: [\"${{ tasks.a.stdout }}\", \"x${{tasks.a.stderr}}y${{ tasks.b.exit_code }}\"]\n"
        "    env: {C: \"${{ tasks.c.output.rows[0].name }}\"}\n"
        "    stdin: \"${{ tasks.a.device }}\"\n"
        "    cwd: \"${{ tasks.d.output }}\"\n"
        "    needs: [c]\n");
    static const uint32_t expected[][2] = {
        { 2, 4 },
        { 0, 4 },
        { 1, 4 },
        { 3, 4 },
    };
    assert_int_equal(spec.plan.edges_count, 4);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(spec.plan.edges[i].from, expected[i][0]);
        assert_int_equal(spec.plan.edges[i].to, expected[i][1]);
        assert_int_equal(spec.plan.edges[i].when, EDGE_WHEN_SUCCESS);
    }
    assert_true(spec.plan.tasks[4].has_references);
    assert_false(spec.plan.tasks[3].has_references);
}

static void tasks_that_agree_share_class_and_policy(void **state)
{
    (void)state;
    parse("name: n\n"
          "tasks:\n"
          "  a: {noop: true, selector: gpu}\n"
          "  b: {noop: true, selector: gpu, timeout: 5s}\n"
          "  c: {noop: true, device: gpu}\n"
          "  d: {sleep: 1, selector: gpu}\n"
          "  e: {noop: true, selector: gpu, timeouts: {run: 5}}\n");
    assert_int_equal(spec.plan.classes_count, 3);
    assert_int_equal(spec.plan.policies_count, 2);
    assert_int_equal(spec.plan.tasks[0].class_index, spec.plan.tasks[1].class_index);
    assert_int_not_equal(spec.plan.tasks[0].class_index, spec.plan.tasks[2].class_index);
    assert_int_not_equal(spec.plan.tasks[0].class_index, spec.plan.tasks[3].class_index);
    assert_int_equal(spec.plan.tasks[1].policy_index, spec.plan.tasks[4].policy_index);
    assert_int_not_equal(spec.plan.tasks[0].policy_index, spec.plan.tasks[1].policy_index);
}

static void the_source_is_the_text_itself(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf# marked\nname: n\ntasks: {a: {noop: true}}\n";
    parse(text);
    assert_ptr_equal(spec.plan.source.data, text);
    assert_int_equal(spec.plan.source.length, sizeof text - 1);
}

/* As the key order of JSON goes, each task after the three before it. */
static void big_spec(struct buf *json, size_t tasks)
{
    buf_append_text(json, "{\"name\":\"big\",\"tasks\":{");
    for (size_t i = 0; i < tasks; i++) {
        buf_printf(json, "%s\"task-%zu\":{\"noop\":true", i > 0 ? "," : "", i);
        for (size_t j = 1; j <= 3 && j <= i; j++) {
            buf_printf(json, "%s\"task-%zu\"", j == 1 ? ",\"needs\":[" : ",", i - j);
        }
        buf_append_text(json, i > 0 ? "]}" : "}");
    }
    buf_append_text(json, "}}");
}

static void a_hundred_thousand_tasks_are_complete(void **state)
{
    (void)state;
    enum { TASKS = 100000 };
    struct buf json = { 0 };
    big_spec(&json, TASKS);
    parse_str((struct str){ (const char *)json.data, json.length });
    assert_int_equal(spec.plan.tasks_count, TASKS);
    assert_int_equal(spec.plan.edges_count, 3 * TASKS - 6);
    assert_int_equal(spec.plan.classes_count, 1);
    assert_int_equal(spec.plan.policies_count, 1);
    assert_str(spec.plan.tasks[TASKS - 1].key, "task-99999");
    const struct plan_edge *last = &spec.plan.edges[spec.plan.edges_count - 1];
    assert_int_equal(last->to, TASKS - 1);
    assert_int_equal(last->from, TASKS - 4);
    buf_done(&json);
}

static void a_chain_written_backwards_is_no_cycle(void **state)
{
    (void)state;
    enum { TASKS = 20000 };
    struct buf yaml = { 0 };
    buf_append_text(&yaml, "name: chain\ntasks:\n");
    for (size_t i = TASKS; i > 0; i--) {
        if (i > 1) {
            buf_printf(&yaml, "  t%zu: {noop: true, needs: t%zu}\n", i, i - 1);
        } else {
            buf_append_text(&yaml, "  t1: {noop: true}\n");
        }
    }
    parse_str((struct str){ (const char *)yaml.data, yaml.length });
    assert_int_equal(spec.plan.edges_count, TASKS - 1);
    buf_done(&yaml);
}

static void assert_rendered(const char *task, const char *expected)
{
    struct buf text = { 0 };
    struct buf json = { 0 };
    buf_printf(&text, "name: n\ntasks:\n  a: %s\n", task);
    parse_str((struct str){ (const char *)text.data, text.length });
    spec_render_body(&spec.bodies[0], &json);
    assert_string_equal(buf_text(&json), expected);
    buf_done(&text);
    buf_done(&json);
}

static void a_body_is_rendered_as_it_would_be_written(void **state)
{
    (void)state;
    assert_rendered("{noop: true, kill_grace: 5s, max_output: 16MiB}", "{\"noop\":true}");
    assert_rendered("{sleep: 1500ms}", "{\"sleep\":\"1500ms\"}");
    assert_rendered("{shell: \"echo \\\"\\u00e9\\\"\\n\\e\"}",
                    "{\"shell\":\"echo \\\"\u00e9\\\"\\n\\u001b\"}");
    assert_rendered("{run: [a, 1.10], env: {A: 1, B: x}, stdin: \"z\\0\", cwd: /, timeout: 1m, "
                    "kill_grace: 1, on_disconnect: stop, output: json, max_output: 1KiB}",
                    "{\"run\":[\"a\",\"1.10\"],\"env\":{\"A\":\"1\",\"B\":\"x\"},"
                    "\"stdin\":\"z\\u0000\",\"cwd\":\"/\",\"timeout\":\"60s\","
                    "\"kill_grace\":\"1s\",\"on_disconnect\":\"stop\",\"output\":\"json\","
                    "\"max_output\":1024}");
}

static void bytes_that_are_no_text_are_rendered_with_a_mark(void **state)
{
    (void)state;
    const struct msg_body body = {
        .executor = EXECUTOR_NOOP,
        .has_stdin = true,
        .stdin_data = STR("a\xff\xc3"),
        .kill_grace_ms = SPEC_KILL_GRACE_MS,
        .output_bytes_max = SPEC_OUTPUT_BYTES_MAX,
    };
    struct buf json = { 0 };
    spec_render_body(&body, &json);
    assert_string_equal(buf_text(&json), "{\"noop\":true,\"stdin\":\"a\\ufffd\\ufffd\"}");
    buf_done(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_executor_is_read, forget),
        cmocka_unit_test_teardown(what_is_left_out_has_its_default, forget),
        cmocka_unit_test_teardown(every_key_of_a_task_arrives, forget),
        cmocka_unit_test_teardown(the_priority_of_the_top_counts_wherever_it_stands, forget),
        cmocka_unit_test_teardown(yaml_scalars_in_run_and_env_keep_their_text, forget),
        cmocka_unit_test_teardown(json_scalars_keep_their_text_too, forget),
        cmocka_unit_test_teardown(needs_take_every_form, forget),
        cmocka_unit_test_teardown(a_reference_is_a_dependency_unless_needs_names_it, forget),
        cmocka_unit_test_teardown(tasks_that_agree_share_class_and_policy, forget),
        cmocka_unit_test_teardown(the_source_is_the_text_itself, forget),
        cmocka_unit_test_teardown(a_hundred_thousand_tasks_are_complete, forget),
        cmocka_unit_test_teardown(a_chain_written_backwards_is_no_cycle, forget),
        cmocka_unit_test_teardown(a_body_is_rendered_as_it_would_be_written, forget),
        cmocka_unit_test_teardown(bytes_that_are_no_text_are_rendered_with_a_mark, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
