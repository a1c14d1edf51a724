/* One task both ways, and whole plans: what is rendered is read back as the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/spec/spec_task.h"
#include "orchestrator/spec/spec_text.h"
#include "tests/unit/spec_check.h"
#include "tests/unit/spec_round.h"

static struct arena arena;
static struct spec_one one;
static struct spec_problems problems;

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static const struct plan_limit limits[] = { { { "disk", 4 }, 10 }, { { "licence", 7 }, 2 } };

static bool has_task(void *context, struct str key)
{
    (void)context;
    return str_is(key, "build") || str_is(key, "test@1.5");
}

static const struct spec_scope scope = { NULL, has_task, limits, 2 };

static void read_one(const char *json)
{
    if (spec_read_one(STR("ship"), str_of(json), &scope, &arena, &one, &problems) != ERR_NONE) {
        fail_msg("%.*s: %.*s", STR_ARG(problems.list[0].path), STR_ARG(problems.list[0].detail));
    }
}

static void refuse(const char *json, const char *code, const char *path)
{
    assert_int_equal(spec_read_one(STR("ship"), str_of(json), &scope, &arena, &one, &problems),
                     ERR_INVALID);
    if (strcmp(problems.list[0].code, code) != 0 || !str_is(problems.list[0].path, path) ||
        problems.count != 1) {
        fail_msg("%zu: %s \"%.*s\" %.*s", problems.count, problems.list[0].code,
                 STR_ARG(problems.list[0].path), STR_ARG(problems.list[0].detail));
    }
}

static void a_task_is_read_alone(void **state)
{
    (void)state;
    read_one("{\"run\": [\"./ship\", \"${{ tasks.build.stdout || 'x' }}\"], \"same_device\": "
             "\"test@1.5\", \"limits\": [\"licence\"], \"hold\": \"now?\", \"needs\": [{\"task\": "
             "\"test@1.5\", \"when\": \"finished\", \"if\": \"exit_code < 3\"}], \"timeout\": 5}");
    assert_true(str_is(one.task.key, "ship"));
    assert_true(one.task.has_references);
    assert_int_equal(one.body.argv_count, 2);
    assert_int_equal(one.policy.run_timeout_ms, 5000);
    assert_int_equal(one.class.limits[0].limit, 1);
    assert_true(str_is(one.same_device, "test@1.5"));
    assert_int_equal(one.needs_count, 2);
    assert_true(str_is(one.needs[0].task, "test@1.5"));
    assert_true(one.needs[0].named && one.needs[0].required);
    assert_int_equal(one.needs[0].when, EDGE_WHEN_FINISHED);
    assert_true(str_is(one.needs[1].task, "build"));
    assert_true(!one.needs[1].named && one.needs[1].required);
    assert_int_equal(one.needs[1].when, EDGE_WHEN_ALWAYS);
    read_one("{}");
    assert_int_equal(one.task.flags, TASK_GATE);
    assert_int_equal(one.needs_count, 0);
}

static void problems_of_a_task_alone_begin_within_it(void **state)
{
    (void)state;
    refuse("{\"noop\": true, \"retry\": {\"backof\": 1}}", "unknown_key", "/retry/backof");
    refuse("{\"noop\": true, \"needs\": [\"biuld\"]}", "unknown_task", "/needs/0");
    refuse("{\"noop\": true, \"needs\": [\"ship\"]}", "cycle", "/needs/0");
    refuse("{\"noop\": true, \"each\": {\"v\": [1]}}", "bad_value", "/each");
    refuse("{\"run\": [\"${{ params.x }}\"]}", "bad_reference", "/run/0");
    refuse("{\"noop\": true", "syntax", "");
    refuse("[]", "wrong_type", "");
    refuse("{\"noop\": true, \"limits\": [\"x\"]}", "unknown_limit", "/limits/0");
}

static void assert_renders(const char *json, const char *expected)
{
    read_one(json);
    struct buf text = { 0 };
    const struct spec_task_view view = spec_view_of_one(&one, &scope);
    spec_render_task(&view, &text);
    assert_string_equal(buf_text(&text), expected);
    /* and that is the same task */
    struct buf again = { 0 };
    read_one(buf_text(&text));
    const struct spec_task_view second = spec_view_of_one(&one, &scope);
    spec_render_task(&second, &again);
    assert_string_equal(buf_text(&again), expected);
    buf_done(&again);
    buf_done(&text);
}

static void a_task_is_rendered_as_it_would_be_written(void **state)
{
    (void)state;
    assert_renders("{\"needs\": \"build\"}", "{\"needs\":[\"build\"]}");
    assert_renders("{\"noop\": true, \"retry\": {}, \"join\": \"all\", \"strategy\": "
                   "\"least_loaded\", \"effect\": \"idempotent\"}",
                   "{\"noop\":true}");
    assert_renders("{\"shell\": \"ls\", \"needs\": {\"task\": \"build\", \"when\": \"failure\", "
                   "\"if\": \"exit_code > 1\"}, \"join\": \"any\", \"hold\": \"a \\\"b\\\"\"}",
                   "{\"shell\":\"ls\",\"needs\":[{\"task\":\"build\",\"when\":\"failure\",\"if\":"
                   "\"exit_code > 1\"}],\"join\":\"any\",\"hold\":\"a \\\"b\\\"\"}");
    assert_renders(
        "{\"sleep\": 1, \"priority\": -3, \"finally\": true, \"allow_failure\": true, "
        "\"selector\": "
        "\"gpu\", \"device\": \"d\", \"tools\": \"gcc\", \"resources\": {\"memory\": \"1KiB\", "
        "\"cpu\": 0.25, \"x\": 3}, \"limits\": {\"licence\": 2, \"disk\": 1}, \"strategy\": "
        "\"pack\", \"retry\": {\"max_attempts\": 2, \"factor\": 1.5, \"backoff\": \"1h\", \"on\": "
        "[\"start\", \"exit\"]}, \"timeouts\": {\"queue\": 1, \"silence\": \"2ms\", \"run\": 3}, "
        "\"effect\": \"once\", \"hold_on_failure\": \"5m\", \"group\": \"g\"}",
        "{\"sleep\":\"1s\",\"timeout\":\"3s\",\"group\":\"g\",\"finally\":true,"
        "\"allow_failure\":true,\"priority\":-3,\"selector\":\"gpu\",\"device\":\"d\","
        "\"tools\":[\"gcc\"],\"resources\":{\"cpu\":0.25,\"memory\":1024,\"x\":3},"
        "\"limits\":{\"disk\":1,\"licence\":2},\"strategy\":\"pack\","
        "\"retry\":{\"max_attempts\":2,\"backoff\":\"3600s\",\"factor\":1.5,"
        "\"on\":[\"exit\",\"start\"]},\"timeouts\":{\"queue\":\"1s\",\"silence\":\"2ms\"},"
        "\"effect\":\"once\",\"hold_on_failure\":\"300s\"}");
}

/* Rendering what was read from the first rendering gives that again, and nothing of the plan is lost. */
static void assert_round_trip(struct str text)
{
    static const struct msg_pair labels[] = { { { "role", 4 }, { "edge", 4 } } };
    static const struct spec_device devices[] = { { { "north", 5 }, labels, 1 },
                                                  { { "south", 5 }, labels, 1 } };
    static const struct spec_inputs inputs = { .devices = devices, .devices_count = 2 };
    struct spec first;
    struct spec second;
    struct buf exported = { 0 };
    struct buf again = { 0 };
    assert_int_equal(spec_parse(text, SPEC_FORMAT_GUESS, &inputs, &arena, &first, &problems),
                     ERR_NONE);
    spec_round_export(&first, &arena, &exported);
    struct str json = { buf_text(&exported), exported.length };
    if (spec_parse(json, SPEC_FORMAT_JSON, NULL, &arena, &second, &problems) != ERR_NONE) {
        fail_msg("%.*s: %.*s\n%s", STR_ARG(problems.list[0].path), STR_ARG(problems.list[0].detail),
                 json.data);
    }
    spec_round_export(&second, &arena, &again);
    assert_string_equal(buf_text(&again), json.data);
    assert_int_equal(first.plan.tasks_count, second.plan.tasks_count);
    assert_int_equal(first.plan.edges_count, second.plan.edges_count);
    assert_int_equal(first.plan.classes_count, second.plan.classes_count);
    assert_int_equal(first.plan.policies_count, second.plan.policies_count);
    for (size_t i = 0; i < first.plan.tasks_count; i++) {
        const struct plan_task *a = &first.plan.tasks[i];
        const struct plan_task *b = &second.plan.tasks[i];
        assert_true(str_equal(a->key, b->key) && str_equal(a->group, b->group));
        assert_true(a->flags == b->flags && a->priority == b->priority);
        assert_int_equal(a->class_index, b->class_index);
        assert_int_equal(a->policy_index, b->policy_index);
        assert_int_equal(a->has_references, b->has_references);
    }
    for (size_t i = 0; i < first.plan.edges_count; i++) {
        const struct plan_edge *a = &first.plan.edges[i];
        const struct plan_edge *b = &second.plan.edges[i];
        assert_true(a->from == b->from && a->to == b->to && a->when == b->when);
        assert_true(a->named == b->named && a->required == b->required);
        assert_int_equal(a->condition.length > 0, b->condition.length > 0);
    }
    buf_done(&exported);
    buf_done(&again);
}

static void what_is_exported_is_imported_as_the_same_plan(void **state)
{
    (void)state;
    assert_round_trip(STR(
        "name: n\n"
        "description: \"a \\\"b\\\"\\n\"\n"
        "deadline: 90m\n"
        "fail_fast: true\n"
        "limits: {l: 3}\n"
        "priority: 4\n"
        "hold_on_failure: 1m\n"
        "params: {text: \"it's\", most: -2.5, yes: true, hex: 0x1F, minus: -7}\n"
        "defaults: {timeout: 1m, selector: gpu}\n"
        "tasks:\n"
        "  a: {run: [echo, \"${{ params.text }}\"], each: {v: [x, 1.5]}}\n"
        "  b: {run: [\"${{ tasks.a.stdout || 'it''s' }}\"], each: {v: [x, 1.5]}, limits: l}\n"
        "  c: {needs: [{task: b, when: always, if: \"stdout = ${{ params.text }} or number > ${{ "
        "params.most }} or attempt = ${{ params.yes }} or number = 1 -${{ params.minus }} or "
        "number = ${{ params.hex }}\"}], hold: "
        "'why not?'}\n"
        "  d: {noop: true, each: {device: role=edge}, needs: [c], other_device: a@x}\n"
        "  e: {noop: true, same_device: d, each: {device: role=edge}, join: any}\n"
        "  f: {noop: true, finally: true, needs: [{task: d, when: failure}, {task: e, when: "
        "finished}]}\n"));
}

/* A generator without a clock: the same specs each time. */
static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static void add_task(struct buf *text, uint64_t *seed, unsigned index)
{
    static const char *const bodies[] = { "\"noop\":true", "\"shell\":\"ls\"",
                                          "\"run\":[\"a\",1.10,true]", "\"sleep\":\"2s\"" };
    static const char *const extras[] = { ",\"priority\":5",
                                          ",\"timeout\":\"3s\"",
                                          ",\"selector\":\"a in (b, c)\"",
                                          ",\"resources\":{\"cpu\":0.125}",
                                          ",\"retry\":{\"max_attempts\":3}",
                                          ",\"tools\":[\"z\",\"a\"]",
                                          ",\"effect\":\"pure\"",
                                          ",\"hold\":\"x\"",
                                          ",\"each\":{\"v\":[\"p\",2]}",
                                          ",\"join\":\"any\"",
                                          ",\"allow_failure\":true",
                                          ",\"env\":{\"E\":\"\\u0007\"}",
                                          ",\"stdin\":\"\\u0000\"",
                                          ",\"limits\":{\"l\":2}",
                                          ",\"kill_grace\":\"1ms\"",
                                          ",\"description\":\"d\"" };
    buf_printf(text, "%s\"t%u\":{%s", index > 0 ? "," : "", index, bodies[next_random(seed) % 4]);
    for (unsigned i = 0; i < sizeof extras / sizeof extras[0]; i++) {
        if (next_random(seed) % 5 == 0) {
            buf_append_text(text, extras[i]);
        }
    }
    unsigned count = index == 0 ? 0 : next_random(seed) % 4;
    for (unsigned i = 0; i < count && i < index; i++) {
        buf_append_text(text, i == 0 ? ",\"needs\":[" : ",");
        char need[128];
        unsigned from = index - 1 - i;
        switch (next_random(seed) % 4) {
        case 0:
            snprintf(need, sizeof need, "\"t%u\"", from);
            break;
        case 1:
            snprintf(need, sizeof need, "{\"task\":\"t%u\",\"when\":\"failure\"}", from);
            break;
        case 2:
            snprintf(need, sizeof need, "{\"task\":\"t%u\",\"if\":\"number > ${{ params.p }}\"}",
                     from);
            break;
        default:
            snprintf(need, sizeof need, "{\"when\":\"always\",\"task\":\"t%u\"}", from);
            break;
        }
        buf_append_text(text, need);
    }
    buf_append_text(text, count > 0 && index > 0 ? "]}" : "}");
}

static void generated_specs_make_the_round_too(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 300; round++) {
        uint64_t seed = round * UINT64_C(0x9e3779b97f4a7c15);
        struct buf text = { 0 };
        buf_append_text(&text, "{\"name\":\"g\",\"limits\":{\"l\":3},\"params\":{\"p\":\"'x\"},"
                               "\"tasks\":{");
        unsigned count = 1 + next_random(&seed) % 12;
        for (unsigned i = 0; i < count; i++) {
            add_task(&text, &seed, i);
        }
        buf_append_text(&text, "}}");
        assert_round_trip((struct str){ buf_text(&text), text.length });
        buf_done(&text);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_task_is_read_alone, forget),
        cmocka_unit_test_teardown(problems_of_a_task_alone_begin_within_it, forget),
        cmocka_unit_test_teardown(a_task_is_rendered_as_it_would_be_written, forget),
        cmocka_unit_test_teardown(what_is_exported_is_imported_as_the_same_plan, forget),
        cmocka_unit_test_teardown(generated_specs_make_the_round_too, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
