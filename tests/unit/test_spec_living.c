/* What a spec says of a plan that is more than a list of tasks: params, defaults, each, groups, gates,
   kinds of dependency, places and policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "orchestrator/spec/spec_text.h"
#include "tests/unit/spec_check.h"

static struct arena arena;
static struct spec spec;
static struct spec_problems problems;
static struct spec_inputs inputs;

static int begin(void **state)
{
    (void)state;
    inputs = (struct spec_inputs){ .params = NULL };
    return 0;
}

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void parse(const char *text)
{
    spec = (struct spec){ 0 };
    if (spec_parse(str_of(text), SPEC_FORMAT_GUESS, &inputs, &arena, &spec, &problems) !=
        ERR_NONE) {
        const struct spec_problem *first = &problems.list[0];
        fail_msg("%u:%u %s %.*s: %.*s", first->line, first->column, first->code,
                 STR_ARG(first->path), STR_ARG(first->detail));
    }
    const char *broken = spec_check_plan(&spec);
    if (broken != NULL) {
        fail_msg("not true: %s", broken);
    }
}

/* Exactly one problem. */
static void refuse(const char *text, const char *code, const char *path, const char *words)
{
    assert_int_equal(spec_parse(str_of(text), SPEC_FORMAT_GUESS, &inputs, &arena, &spec, &problems),
                     ERR_INVALID);
    const struct spec_problem *problem = &problems.list[0];
    if (strcmp(problem->code, code) != 0 || !str_is(problem->path, path) ||
        !spec_text_holds(problem->detail, str_of(words)) || problems.count != 1) {
        fail_msg("%zu: %s \"%.*s\": %.*s\n  instead of %s \"%s\": %s", problems.count,
                 problem->code, STR_ARG(problem->path), STR_ARG(problem->detail), code, path,
                 words);
    }
}

static void assert_str(struct str text, const char *expected)
{
    if (!str_is(text, expected)) {
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(text), expected);
    }
}

static size_t task_of(const char *key)
{
    for (size_t i = 0; i < spec.plan.tasks_count; i++) {
        if (str_is(spec.plan.tasks[i].key, key)) {
            return i;
        }
    }
    fail_msg("there is no task %s", key);
    return 0;
}

static const struct plan_class *class_of(const char *key)
{
    return &spec.plan.classes[spec.plan.tasks[task_of(key)].class_index];
}

static const struct plan_policy *policy_of(const char *key)
{
    return &spec.plan.policies[spec.plan.tasks[task_of(key)].policy_index];
}

static const struct plan_edge *edge_of(const char *from, const char *to)
{
    for (size_t i = 0; i < spec.plan.edges_count; i++) {
        const struct plan_edge *edge = &spec.plan.edges[i];
        if (edge->from == task_of(from) && edge->to == task_of(to)) {
            return edge;
        }
    }
    return NULL;
}

static void a_need_has_its_kind_and_condition(void **state)
{
    (void)state;
    parse("name: n\n"
          "tasks:\n"
          "  a: {noop: true}\n"
          "  b: {noop: true, join: any, needs: [{task: a, when: failure}, {if: 'exit_code = 3', "
          "task: a, when: finished}]}\n"
          "  c: {noop: true, needs: {task: a, when: always}}\n");
    assert_int_equal(spec.plan.edges_count, 3);
    assert_int_equal(spec.plan.edges[0].when, EDGE_WHEN_FAILURE);
    assert_int_equal(spec.plan.edges[1].when, EDGE_WHEN_FINISHED);
    assert_str(spec.plan.edges[1].condition, "exit_code = 3");
    assert_int_equal(spec.plan.edges[2].when, EDGE_WHEN_ALWAYS);
    assert_true(spec.plan.edges[2].named);
    assert_int_equal(spec.plan.tasks[1].flags, TASK_JOIN_ANY);
    refuse("name: n\ntasks: {a: {}, b: {needs: [{task: a, if: 'x <'}]}}", "bad_condition",
           "/tasks/b/needs/0/if", "");
    refuse("name: n\ntasks: {a: {}, b: {needs: [{task: a, if: 'number > ${{ tasks.a.stdout }}'}]}}",
           "bad_condition", "/tasks/b/needs/0/if", "only params and each");
    refuse("name: n\ntasks: {a: {}, b: {needs: [{task: a, when: always}, a, {task: a, when: "
           "always}]}}",
           "duplicate_dependency", "/tasks/b/needs/2/task", "is needed already");
}

static void a_reference_requires_its_edge(void **state)
{
    (void)state;
    parse("name: n\n"
          "tasks:\n"
          "  a: {noop: true}\n"
          "  b: {noop: true}\n"
          "  c: {noop: true}\n"
          "  d: {noop: true}\n"
          "  e: {run: [\"${{ tasks.a.stdout }}\", \"${{ tasks.b.stdout || 'x' }}\", \"${{ "
          "tasks.c.stdout || 1 }}${{ tasks.c.state }}\", \"${{ tasks.d.stdout || 2 }}\"], needs: "
          "[{task: a, when: finished}, d]}\n");
    assert_int_equal(spec.plan.edges_count, 4);
    assert_true(edge_of("a", "e")->named && edge_of("a", "e")->required);
    assert_int_equal(edge_of("a", "e")->when, EDGE_WHEN_FINISHED);
    assert_true(!edge_of("b", "e")->named && edge_of("b", "e")->required);
    assert_int_equal(edge_of("b", "e")->when, EDGE_WHEN_ALWAYS);
    assert_int_equal(edge_of("c", "e")->when, EDGE_WHEN_SUCCESS);
    assert_true(edge_of("d", "e")->named && !edge_of("d", "e")->required);
}

static void a_task_without_executor_is_a_gate(void **state)
{
    (void)state;
    parse("name: n\n"
          "defaults: {selector: gpu, timeout: 5s, priority: 3}\n"
          "tasks:\n"
          "  a: {noop: true}\n"
          "  b: {needs: a, hold: 'ship it?', allow_failure: true}\n");
    assert_int_equal(spec.plan.tasks[1].flags, TASK_GATE | TASK_ALLOW_FAILURE);
    assert_str(spec.plan.tasks[1].hold, "ship it?");
    assert_int_equal(spec.bodies[1].executor, 0);
    assert_int_equal(class_of("b")->selector.length, 0);
    assert_int_equal(class_of("b")->executor, 0);
    assert_int_equal(policy_of("b")->run_timeout_ms, 0);
    assert_int_equal(spec.plan.tasks[1].priority, 3);
    refuse("name: n\ntasks: {a: {timeout: 5s}}", "no_executor", "/tasks/a/timeout", "is a gate");
}

static void what_runs_last_is_needed_by_nothing_else(void **state)
{
    (void)state;
    parse("name: n\ntasks: {a: {noop: true}, b: {noop: true, finally: true, needs: a}, "
          "c: {noop: true, finally: true, needs: b}}");
    assert_int_equal(spec.plan.tasks[2].flags, TASK_FINALLY);
    refuse("name: n\ntasks: {a: {noop: true, finally: true}, b: {noop: true, needs: a}}",
           "needs_finally", "/tasks/b", "runs last");
}

static void the_top_has_its_keys(void **state)
{
    (void)state;
    parse("name: n\n"
          "description: all of it\n"
          "deadline: 2h\n"
          "fail_fast: true\n"
          "hold_on_failure: 10m\n"
          "limits: {licence: 2, disk: 10}\n"
          "tasks:\n"
          "  a: {noop: true, limits: licence}\n"
          "  b: {noop: true, limits: {disk: 5, licence: 2}, hold_on_failure: 0}\n"
          "  c: {noop: true, limits: [disk]}\n");
    assert_str(spec.plan.description, "all of it");
    assert_int_equal(spec.plan.deadline_ms, 7200000);
    assert_true(spec.plan.fail_fast);
    assert_int_equal(spec.plan.limits_count, 2);
    assert_int_equal(spec.plan.limits[1].capacity, 10);
    assert_int_equal(policy_of("a")->hold_on_failure_ms, 600000);
    assert_int_equal(policy_of("b")->hold_on_failure_ms, 0);
    assert_int_equal(class_of("b")->limits_count, 2);
    assert_int_equal(class_of("b")->limits[0].limit, 0);
    assert_int_equal(class_of("b")->limits[0].amount, 2);
    assert_int_equal(class_of("c")->limits[0].limit, 1);
    assert_int_equal(class_of("c")->limits[0].amount, 1);
    refuse("name: n\nlimits: {licence: 1}\ntasks: {a: {noop: true, limits: license}}",
           "unknown_limit", "/tasks/a/limits", "did you mean \"licence\"?");
    refuse("name: n\nlimits: {l: 1}\ntasks: {a: {noop: true, limits: {l: 2}}}", "out_of_range",
           "/tasks/a/limits/l", "could never run");
}

static void a_place_has_its_keys(void **state)
{
    (void)state;
    parse("name: n\n"
          "tasks:\n"
          "  a: {noop: true, tools: [tar, gcc, tar], resources: {memory: 2GiB, cpu: 0.5, gpu: 1, "
          "x: 0.001}, strategy: spread}\n"
          "  b: {noop: true, tools: gcc, same_device: a}\n"
          "  c: {noop: true, other_device: a, needs: {task: a, when: always}}\n");
    const struct plan_class *class = class_of("a");
    assert_int_equal(class->tools_count, 2);
    assert_str(class->tools[0], "gcc");
    assert_int_equal(class->resources_count, 4);
    assert_str(class->resources[0].name, "cpu");
    assert_int_equal(class->resources[0].amount_milli, 500);
    assert_int_equal(class->resources[1].amount_milli, 1000);
    assert_true(class->resources[2].amount_milli == INT64_C(2147483648000));
    assert_int_equal(class->resources[3].amount_milli, 1);
    assert_int_equal(class->strategy, STRATEGY_SPREAD);
    assert_int_equal(class_of("b")->same_device, 1);
    assert_true(edge_of("a", "b")->required && !edge_of("a", "b")->named);
    assert_int_equal(class_of("c")->other_device, 1);
    assert_int_equal(edge_of("a", "c")->when, EDGE_WHEN_ALWAYS);
    assert_false(spec.plan.tasks[1].has_references);
    refuse("name: n\ntasks: {a: {noop: true, resources: {cpu: 0.0001}}}", "out_of_range",
           "/tasks/a/resources/cpu", "0.001");
    refuse("name: n\ntasks: {b: {noop: true}, a: {noop: true, same_device: b, other_device: b}}",
           "bad_value", "/tasks/a/other_device", "no device is the one where \"b\" has run");
    refuse("name: n\ntasks: {a: {noop: true, same_device: a}}", "cycle", "/tasks/a/same_device",
           "wait for itself");
}

static void a_policy_has_its_keys(void **state)
{
    (void)state;
    parse(
        "name: n\n"
        "tasks:\n"
        "  a: {noop: true, effect: once, retry: {on: [exit, start]}, timeouts: {queue: 1h, start: "
        "30s, run: 10m, silence: 2m}}\n"
        "  b: {noop: true, retry: {on: timeout}}\n"
        "  c: {noop: true}\n");
    const struct plan_policy *policy = policy_of("a");
    assert_int_equal(policy->effect, TASK_ONCE);
    assert_int_equal(policy->retry_on, RETRY_ON_EXIT | RETRY_ON_START);
    assert_int_equal(policy->queue_timeout_ms, 3600000);
    assert_int_equal(policy->start_timeout_ms, 30000);
    assert_int_equal(policy->run_timeout_ms, 600000);
    assert_int_equal(policy->silence_timeout_ms, 120000);
    assert_int_equal(spec.bodies[0].silence_timeout_ms, 120000);
    assert_int_equal(policy_of("b")->retry_on, RETRY_ON_TIMEOUT);
    assert_int_equal(policy_of("c")->retry_on, RETRY_ON_ALL);
    refuse("name: n\ntasks: {a: {noop: true, retry: {on: []}}}", "bad_value", "/tasks/a/retry/on",
           "names no end");
}

static void defaults_are_taken_by_key_and_removed_by_null(void **state)
{
    (void)state;
    parse(
        "name: n\n"
        "priority: 1\n"
        "defaults: {timeout: 1m, retry: {max_attempts: 3, max_lost: 7}, env: {A: x}, priority: 2, "
        "selector: gpu}\n"
        "tasks:\n"
        "  a: {noop: true}\n"
        "  b: {noop: true, retry: {max_attempts: 2}, env: {B: y}, selector: null}\n"
        "  c: {noop: true, timeouts: {run: 5s}, priority: 3}\n");
    assert_int_equal(policy_of("a")->max_attempts, 3);
    assert_int_equal(policy_of("a")->run_timeout_ms, 60000);
    assert_int_equal(spec.plan.tasks[0].priority, 2);
    assert_str(spec.bodies[0].env[0].key, "A");
    assert_int_equal(policy_of("b")->max_attempts, 2);
    assert_int_equal(policy_of("b")->max_lost, 3);
    assert_int_equal(spec.bodies[1].env_count, 1);
    assert_int_equal(class_of("b")->selector.length, 0);
    assert_int_equal(policy_of("c")->run_timeout_ms, 5000);
    assert_int_equal(spec.plan.tasks[2].priority, 3);
    refuse("name: n\ndefaults: {tiemout: 1}\ntasks: {a: {noop: true}, b: {noop: true}}",
           "unknown_key", "/defaults/tiemout", "did you mean");
    refuse("name: n\ndefaults: {run: [ls]}\ntasks: {a: {noop: true}}", "bad_value", "/defaults/run",
           "belongs to one task");
    refuse("name: n\ntasks: {a: {noop: true, cwd: null}}", "wrong_type", "/tasks/a/cwd", "empty");
}

static const char params_spec[] =
    "name: \"n-${{ params.site }}\"\n"
    "params: {site: north, count: {type: integer, default: 4}, ratio: {type: number, required: "
    "true}, dry: false}\n"
    "tasks:\n"
    "  a:\n"
    "    run: [echo, \"${{ params.site }}-${{params.count}}\", \"${{ params.dry }}\"]\n"
    "    env: {R: \"${{ params.ratio }}\", if: \"${{ params.site }}\"}\n"
    "    stdin: \"${{ params.count }}\"\n"
    "    selector: \"site=${{ params.site }}\"\n"
    "    device: \"${{ params.site }}\"\n"
    "    priority: \"${{ params.count }}\"\n"
    "    retry: {max_attempts: \"${{ params.count }}\"}\n"
    "  b:\n"
    "    noop: true\n"
    "    allow_failure: \"${{ params.dry }}\"\n"
    "    needs: [{task: a, if: \"number > ${{ params.ratio }} and stdout <> ${{ params.site "
    "}}\"}]\n";

static void params_keep_their_types(void **state)
{
    (void)state;
    static const struct spec_param given[] = { { { "ratio", 5 }, { "0.5", 3 }, false },
                                               { { "dry", 3 }, { "true", 4 }, true },
                                               { { "site", 4 }, { "it's", 4 }, false } };
    inputs = (struct spec_inputs){ .params = given, .params_count = 2 };
    parse(params_spec);
    assert_str(spec.plan.name, "n-north");
    assert_str(spec.bodies[0].argv[1], "north-4");
    assert_str(spec.bodies[0].argv[2], "true");
    assert_str(spec.bodies[0].env[0].value, "0.5");
    assert_str(spec.bodies[0].env[1].value, "north");
    assert_str(spec.bodies[0].stdin_data, "4");
    assert_str(class_of("a")->selector, "site=north");
    assert_str(class_of("a")->device, "north");
    assert_int_equal(spec.plan.tasks[0].priority, 4);
    assert_int_equal(policy_of("a")->max_attempts, 4);
    assert_int_equal(spec.plan.tasks[1].flags, TASK_ALLOW_FAILURE);
    assert_str(spec.plan.edges[0].arguments, "[0.5,\"north\"]");
    assert_false(spec.plan.tasks[0].has_references);
}

static void a_param_that_is_wrong_is_told_at_its_place(void **state)
{
    (void)state;
    refuse(params_spec, "missing_param", "/params/ratio", "has no default");
    static const struct spec_param given[] = { { { "ratio", 5 }, { "half", 4 }, false },
                                               { { "raito", 5 }, { "0.5", 3 }, false } };
    inputs = (struct spec_inputs){ .params = given, .params_count = 1 };
    refuse(params_spec, "wrong_type", "/params/ratio", "must be a number, not \"half\"");
    inputs.params = &given[1];
    assert_int_equal(
        spec_parse(str_of(params_spec), SPEC_FORMAT_GUESS, &inputs, &arena, &spec, &problems),
        ERR_INVALID);
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.list[1].code, "unknown_param");
    assert_true(spec_text_holds(problems.list[1].detail, STR("did you mean \"ratio\"?")));
    inputs.params_count = 0;
    refuse("name: n\nparams: {a: {required: true, default: 1}}\ntasks: {x: {noop: true}}",
           "bad_value", "/params/a", "has no default");
    refuse("name: n\nparams: {a: {type: integer, default: 1.5}}\ntasks: {x: {noop: true}}",
           "wrong_type", "/params/a", "must be a whole number");
    refuse("name: n\nparams: {a: 1}\ntasks: {x: {run: [\"${{ params.b }}\"]}}", "bad_reference",
           "/tasks/x/run/0", "no param \"b\"");
    refuse("name: n\nparams: {a: x}\ntasks: {x: {shell: \"echo ${{ params.a }}\"}}",
           "bad_reference", "/tasks/x/shell", "put it under env");
}

/* Neither alone nor together with what stands around it. */
static void a_params_value_never_becomes_a_placeholder(void **state)
{
    (void)state;
    refuse("name: n\nparams: {a: \"${{ tasks.y.stdout }}\"}\ntasks: {x: {run: [\"${{ params.a "
           "}}\"]}, y: {noop: true}}",
           "bad_value", "/params/a", "a placeholder");
    refuse("name: n\nparams: {a: \"{{ tasks.y.stdout }}\"}\ntasks: {x: {run: [\"$${{ params.a "
           "}}\"]}, y: {noop: true}}",
           "bad_reference", "/tasks/x/run/0", "would hold another placeholder");
    parse("name: n\nparams: {a: \"$(reboot)'\\\";\"}\ntasks: {x: {run: [\"<${{ params.a }}>\"]}}");
    assert_str(spec.bodies[0].argv[0], "<$(reboot)'\";>");
}

static void each_makes_a_task_of_every_value(void **state)
{
    (void)state;
    parse("name: n\n"
          "tasks:\n"
          "  a: {run: [\"${{ each.v }}\"], each: {v: [x, 1, 2.5]}}\n"
          "  b: {run: [\"${{ tasks.a.stdout }}\", \"<${{ tasks.a.output.k || 'n' }}>\"], each: {v: "
          "[x, "
          "1, 2.5]}, needs: {task: c, if: \"number = ${{ each.v }}\"}}\n"
          "  c: {noop: true, needs: [a@x, \"a@1\"]}\n"
          "  d: {noop: true, needs: [b]}\n"
          "  e: {noop: true, needs: b, each: {v: [x, \"1\"]}}\n");
    assert_int_equal(spec.plan.tasks_count, 10);
    assert_str(spec.plan.tasks[2].key, "a@2.5");
    assert_str(spec.plan.tasks[2].group, "a");
    assert_str(spec.bodies[2].argv[0], "2.5");
    assert_str(spec.bodies[3].argv[0], "${{ tasks.a@x.stdout }}");
    assert_str(spec.bodies[5].argv[1], "<${{ tasks.a@2.5.output.k || 'n' }}>");
    assert_non_null(edge_of("a@2.5", "b@2.5"));
    assert_null(edge_of("a@x", "b@2.5"));
    assert_str(edge_of("c", "b@x")->arguments, "[\"x\"]");
    assert_str(edge_of("c", "b@2.5")->arguments, "[2.5]");
    assert_non_null(edge_of("b@x", "d"));
    assert_non_null(edge_of("b@2.5", "d"));
    assert_non_null(edge_of("b@2.5", "e@x")); /* another each: all of them */
}

static void an_each_that_is_wrong_is_told_once(void **state)
{
    (void)state;
    refuse("name: n\ntasks: {a: {noop: true, each: {v: []}}}", "out_of_range", "/tasks/a/each/v",
           "must have a value");
    refuse("name: n\ntasks: {a: {noop: true, each: {v: [x, x]}}}", "bad_value", "/tasks/a/each/v/1",
           "is there twice");
    refuse("name: n\ntasks: {a: {noop: true, each: {v: [a/b]}}}", "bad_value", "/tasks/a/each/v/0",
           "cannot be part of a task's key");
    refuse("name: n\ntasks: {a: {noop: true, each: {v: [1.stdout]}}}", "bad_value",
           "/tasks/a/each/v/0", "cannot be part of a task's key");
    refuse("name: n\ntasks: {a: {noop: true, each: {v: [x], w: [y]}}}", "wrong_type",
           "/tasks/a/each", "one name");
    refuse("name: n\ntasks: {a: {run: [\"${{ each.w }}\"], each: {v: [x, y, z]}}}", "bad_reference",
           "/tasks/a/run/0", "the task's each has no \"w\"");
    refuse("name: n\ntasks: {a: {noop: true, each: {v: [x]}}, a@x: {noop: true}}", "duplicate_key",
           "/tasks/a@x", "is there twice");
    refuse("name: n\ntasks: {a: {noop: true, each: {v: [x]}}, b: {run: [\"${{ tasks.a.stdout "
           "}}\"]}}",
           "bad_reference", "/tasks/b/run/0", "is a group of tasks: name one of them, such as");
    refuse("name: n\ntasks: {a: {noop: true, each: {v: [x]}, needs: a}}", "cycle", "/tasks/a/needs",
           "wait for itself");
}

static void each_goes_over_devices(void **state)
{
    (void)state;
    static const struct msg_pair labels[] = { { { "role", 4 }, { "edge", 4 } },
                                              { { "role", 4 }, { "desktop", 7 } } };
    static const struct spec_device devices[] = { { { "board-2", 7 }, &labels[0], 1 },
                                                  { { "desk", 4 }, &labels[1], 1 },
                                                  { { "board-1.a", 9 }, &labels[0], 1 } };
    inputs = (struct spec_inputs){ .devices = devices, .devices_count = 3 };
    parse("name: n\n"
          "params: {role: edge}\n"
          "tasks:\n"
          "  a: {run: [\"${{ each.device }}\"], each: {device: \"role=${{ params.role }}\"}}\n"
          "  b: {noop: true, each: {device: role=edge}, needs: a, device: desk}\n");
    assert_int_equal(spec.plan.tasks_count, 4);
    assert_str(spec.plan.tasks[0].key, "a@board-1.a");
    assert_str(class_of("a@board-1.a")->device, "board-1.a");
    assert_str(spec.bodies[1].argv[0], "board-2");
    assert_str(class_of("b@board-2")->device, "desk");
    assert_int_equal(spec.plan.edges_count, 2);
    refuse("name: n\ntasks: {a: {noop: true, each: {device: role=gpu}}}", "no_device",
           "/tasks/a/each/device", "no device that is known matches \"role=gpu\" (there are 3)");
}

static void groups_by_hand_are_needed_by_name(void **state)
{
    (void)state;
    parse("name: n\ntasks: {a@x: {noop: true, group: a}, a@y: {noop: true, group: a}, b: {noop: "
          "true, needs: {task: a, when: always}}}");
    assert_int_equal(spec.plan.edges_count, 2);
    assert_int_equal(spec.plan.edges[1].when, EDGE_WHEN_ALWAYS);
    refuse("name: n\ntasks: {a@x@y: {noop: true}}", "bad_key", "/tasks/a@x@y", "cannot be the key");
    refuse("name: n\ntasks: {\"a@\": {noop: true}}", "bad_key", "/tasks/a@", "cannot be the key");
}

/* One more than there may be of them is refused, as many as there may be are not. `many` is written between
   `before` and `after`, with its number for %d. */
static void reach(const char *before, const char *many, const char *after, int max,
                  const char *code, const char *path, const char *words)
{
    for (int over = 0; over < 2; over++) {
        struct buf text = { 0 };
        buf_append_text(&text, before);
        for (int i = 0; i < max + over; i++) {
            const char *number = strchr(many, '#');
            buf_printf(&text, "%s%.*s%d%s", i > 0 ? "," : "", (int)(number - many), many, i,
                       number + 1);
        }
        buf_append_text(&text, after);
        if (over == 0) {
            parse(buf_text(&text));
        } else {
            refuse(buf_text(&text), code, path, words);
        }
        buf_done(&text);
        arena_done(&arena);
    }
}

static void places_and_limits_are_so_many_and_no_more(void **state)
{
    (void)state;
    reach("{\"name\":\"n\",\"limits\":{", "\"l#\":1", "},\"tasks\":{\"a\":{\"noop\":true}}}",
          PLAN_LIMITS_MAX, "too_large", "/limits", "has 65 limits; at most 64");
    reach("{\"name\":\"n\",\"limits\":{\"l0\":1,\"l1\":1,\"l2\":1,\"l3\":1,\"l4\":1},"
          "\"tasks\":{\"a\":{\"noop\":true,\"limits\":{",
          "\"l#\":1", "}}}}", PLAN_TASK_LIMITS_MAX, "too_large", "/tasks/a/limits",
          "has 5 limits; at most 4");
    reach("{\"name\":\"n\",\"tasks\":{\"a\":{\"noop\":true,\"resources\":{", "\"r#\":1", "}}}}",
          PLAN_RESOURCES_MAX, "too_large", "/tasks/a/resources", "at most 16");
    reach("{\"name\":\"n\",\"tasks\":{\"a\":{\"noop\":true,\"tools\":[", "\"t#\"", "]}}}",
          PLAN_TOOLS_MAX, "too_large", "/tasks/a/tools", "at most 32");
}

/* A million tasks of two megabytes each would not fit anywhere. */
static void what_each_and_defaults_multiply_has_a_limit(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "{\"name\":\"n\",\"defaults\":{\"stdin\":\"");
    size_t bytes = 700 * 1024;
    memset(buf_reserve(&text, bytes), 'x', bytes);
    text.length += bytes;
    buf_append_text(&text, "\"},\"tasks\":{\"a\":{\"noop\":true,\"each\":{\"v\":[");
    for (int i = 0; i < 1000; i++) {
        buf_printf(&text, "%s%d", i > 0 ? "," : "", i);
    }
    buf_append_text(&text, "]}}}}");
    refuse(buf_text(&text), "too_large", "/tasks/a", "more than 512 MiB together");
    buf_done(&text);
}

static void values_that_are_filled_in_have_a_limit(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "{\"name\":\"n\",\"params\":{\"p\":\"");
    size_t bytes = 60 * 1024;
    memset(buf_reserve(&text, bytes), 'x', bytes);
    text.length += bytes;
    buf_append_text(&text, "\"},\"tasks\":{\"a\":{\"noop\":true,\"stdin\":\"");
    for (int i = 0; i < 10000; i++) {
        buf_append_text(&text, "${{params.p}}.");
    }
    buf_append_text(&text, "\"}}}");
    refuse(buf_text(&text), "too_large", "/tasks/a/stdin", "more than 512 MiB together");
    buf_done(&text);
}

static void a_condition_with_its_values_has_a_limit(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "{\"name\":\"n\",\"params\":{\"p\":\"");
    size_t bytes = PLAN_CONDITION_BYTES_MAX / 2;
    memset(buf_reserve(&text, bytes), '\'', bytes);
    text.length += bytes;
    buf_append_text(&text, "\"},\"tasks\":{\"a\":{},\"b\":{\"needs\":{\"task\":\"a\",\"if\":"
                           "\"stdout = ${{ params.p }}\"}}}}");
    refuse(buf_text(&text), "bad_condition", "/tasks/b/needs/if", "with its values");
    buf_done(&text);
}

static void two_tasks_have_few_dependencies_on_each_other(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "name: n\ntasks: {a: {}, b: {needs: [");
    for (int i = 0; i < 17; i++) {
        buf_printf(&text, "{task: a, if: \"number = %d\"}, ", i);
    }
    buf_append_text(&text, "]}}");
    refuse(buf_text(&text), "too_large", "/tasks/b/needs/16/task", "more than 16 dependencies");
    buf_done(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, forget)
    const struct CMUnitTest tests[] = {
        TEST(a_need_has_its_kind_and_condition),
        TEST(a_reference_requires_its_edge),
        TEST(a_task_without_executor_is_a_gate),
        TEST(what_runs_last_is_needed_by_nothing_else),
        TEST(the_top_has_its_keys),
        TEST(a_place_has_its_keys),
        TEST(a_policy_has_its_keys),
        TEST(defaults_are_taken_by_key_and_removed_by_null),
        TEST(params_keep_their_types),
        TEST(a_param_that_is_wrong_is_told_at_its_place),
        TEST(a_params_value_never_becomes_a_placeholder),
        TEST(each_makes_a_task_of_every_value),
        TEST(an_each_that_is_wrong_is_told_once),
        TEST(each_goes_over_devices),
        TEST(groups_by_hand_are_needed_by_name),
        TEST(places_and_limits_are_so_many_and_no_more),
        TEST(what_each_and_defaults_multiply_has_a_limit),
        TEST(values_that_are_filled_in_have_a_limit),
        TEST(a_condition_with_its_values_has_a_limit),
        TEST(two_tasks_have_few_dependencies_on_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
