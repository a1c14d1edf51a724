/* Bad specs and bad tasks end in words that say where and why; nothing of a refused spec is stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"

struct refusal {
    const char *file;
    const char *text;
    size_t length; /* 0: up to the NUL */
    const char *words;
};

static const struct refusal refusals[] = {
    { "unknown.yaml", "name: a\ntasks:\n  a: {noop: true, timout: 3}\n", 0,
      "unknown.yaml:3:19: unknown key \"timout\": did you mean \"timeout\"?" },
    { "type.yaml", "name: a\ntasks:\n  a: {run: \"true\"}\n", 0, "type.yaml:3:12: must be a list" },
    { "duplicate.yaml", "name: a\ntasks:\n  a: {noop: true}\n  a: {noop: true}\n", 0,
      "duplicate.yaml:4:3: the key \"a\" is there already" },
    { "alias.yaml", "name: a\ntasks:\n  a: &x {noop: true}\n  b: *x\n", 0, "alias.yaml:4:6: " },
    { "tab.yaml", "name: a\ntasks:\n\ta: {noop: true}\n", 0, "tab.yaml:3:1: a tab " },
    { "cycle.yaml",
      "name: a\ntasks:\n  a: {noop: true, needs: c}\n  b: {noop: true, needs: a}\n"
      "  c: {noop: true, needs: b}\n",
      0, "a → b → c → a" },
    { "needs.yaml", "name: a\ntasks:\n  alpha: {noop: true}\n  b: {noop: true, needs: alpa}\n", 0,
      "needs.yaml:4:26: there is no task \"alpa\": did you mean \"alpha\"?" },
    { "reference.yaml",
      "name: a\ntasks:\n  alpha: {noop: true}\n  b: {run: [echo, \"${{ tasks.alpa.stdout }}\"]}\n",
      0, "reference.yaml:4:19: there is no task \"alpa\"" },
    { "shell.yaml",
      "name: a\ntasks:\n  a: {noop: true}\n  b: {shell: \"echo ${{ tasks.a.stdout }}\"}\n", 0,
      "shell.yaml:4:14: no placeholder may stand in a shell text" },
    { "empty.yaml", "", 0, "empty.yaml: there is nothing in it" },
    { "binary.yaml", "name: a\0\1\2\n", 11, "binary.yaml:1:8: not text" },
    { "utf8.yaml", "name: \"\xff\xfe\"\n", 0, "utf8.yaml:1:8: not text" },
    { "duplicate.json", "{\"name\":\"a\",\"tasks\":{\"a\":{\"noop\":true,\"noop\":true}}}", 0,
      "duplicate.json:1:39: the key \"noop\" is there already" },
    { "syntax.json", "{\"name\":\"a\",\n\"tasks\":}", 0, "syntax.json:2:9: " },
    { "unknown.json", "{\"name\":\"a\",\"tasks\":{\"a\":{\"nop\":true}}}", 0,
      "unknown.json: /tasks/a/nop: unknown key \"nop\": did you mean \"noop\"?" },
};

static void nothing_is_stored(struct fleet *fleet)
{
    assert_int_equal(history_number(fleet, "SELECT count(*) FROM constellation"), 0);
    assert_int_equal(history_number(fleet, "SELECT count(*) FROM task"), 0);
}

static void a_bad_spec_is_refused_with_its_place_and_nothing_is_stored(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *one = &refusals[i];
        const char *path = fleet_path(fleet, one->file);
        size_t length = one->length == 0 ? strlen(one->text) : one->length;
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(one->text, 1, length, file), length);
        fclose(file);
        cli_expect(fleet, 2, one->words, "run", path, NULL);
    }
    nothing_is_stored(fleet);
    fleet_passed(fleet);
}

static void what_is_too_deep_or_too_large_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct buf text = { 0 };
    buf_append_text(&text, "name: a\ntasks:\n  a: {env: ");
    for (int i = 0; i < 60; i++) {
        buf_append_text(&text, "{a: ");
    }
    cli_expect(fleet, 2, ":3:128: nested more than 32 deep", "run",
               fleet_write(fleet, "deep.yaml", buf_text(&text)), NULL);
    buf_clear(&text);
    for (int i = 0; i < 200000; i++) {
        buf_append_text(&text, "[");
    }
    cli_expect(fleet, 2, "nested more than 32 deep", "run",
               fleet_write(fleet, "deep.json", buf_text(&text)), NULL);
    buf_done(&text);
    const char *path = fleet_write(fleet, "big.yaml", "");
    assert_int_equal(truncate(path, 100L << 20), 0);
    cli_expect(fleet, 2, "64 MiB", "run", path, NULL);
    char *body = mem_alloc(64 * 1024 * 1024 + 2);
    memset(body, ' ', 64 * 1024 * 1024 + 1);
    struct answer answer =
        ask(fleet, &(struct ask){ .method = "POST",
                                  .path = "/api/v1/constellations",
                                  .headers = { "Content-Type: application/yaml" },
                                  .body = body });
    mem_free(body);
    assert_int_equal(answer.status, 413);
    assert_string_equal(text_of(answer.json, "code"), "body_too_large");
    answer_done(&answer);
    nothing_is_stored(fleet);
    fleet_passed(fleet);
}

/* Runs a one-task spec that fails, and looks for the words in `show`. */
static void fails_with(struct fleet *fleet, const char *task, const char *words)
{
    char *text = mem_format("name: bad\ntasks:\n  a: %s\n", task);
    cli_expect(fleet, 1, "failed", "run", fleet_write(fleet, "task.yaml", text), NULL);
    cli_expect(fleet, 0, words, "show", "@last/a", NULL);
    mem_free(text);
}

static void a_task_that_cannot_run_fails_with_the_reason(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    fails_with(fleet, "{run: [/no/such/program]}", "no executable \"/no/such/program\"");
    fails_with(fleet, "{run: [no-such-program]}", "no-such-program");
    char *plain = mem_format("{run: [%s]}", fleet_write(fleet, "plain", "#!/bin/sh\n"));
    fails_with(fleet, plain, "not executable");
    mem_free(plain);
    fails_with(fleet, "{shell: 'kill -SEGV $$'}", "killed by signal 11 (SIGSEGV)");
    fails_with(fleet, "{run: [\"true\"], cwd: /no/such/directory}", "/no/such/directory");
    fails_with(fleet, "{run: [sleep, \"600\"], timeout: 200ms, kill_grace: 100ms}", "200");
    fails_with(fleet, "{shell: 'echo no json', output: json}", "JSON");
    cli_expect(fleet, 0, "", "run", "--on", "role=edge", "--", "true", NULL);
    cli_expect(fleet, 0, "succeeded", "list", NULL);
    fleet_passed(fleet);
}

static void huge_output_is_capped_and_the_task_goes_on(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(
        fleet, "huge.yaml",
        "name: huge\ntasks:\n"
        "  huge: {shell: 'head -c 268435456 /dev/zero; echo done >&2', max_output: 2MiB}\n"
        "  after: {noop: true, needs: huge}\n");
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    json_t *task = ask_json(fleet, "/api/v1/constellations/@last/tasks/huge");
    assert_int_equal(number_of(task, "stdout_bytes"), 2 * 1024 * 1024);
    const json_t *attempt = json_array_get(json_object_get(task, "attempts"), 0);
    assert_true(json_is_true(json_object_get(attempt, "output_truncated")));
    json_decref(task);
    struct answer output = ask(
        fleet,
        &(struct ask){ .path = "/api/v1/constellations/@last/tasks/huge/output?stream=stdout" });
    assert_int_equal(output.status, 200);
    assert_int_equal(output.length, 2 * 1024 * 1024);
    answer_done(&output);
    cli_expect(fleet, 0, "done", "logs", "@last/huge", "--stderr", NULL);
    fleet_passed(fleet);
}

static void binary_output_is_kept_byte_for_byte(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    char bytes[70000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 7 + i / 256);
    }
    const char *path = fleet_path(fleet, "bytes");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
    cli_expect(fleet, 0, "", "run", "--on", "role=edge", "--", "cat", path, NULL);
    static const char url[] = "/api/v1/constellations/@last/tasks/run/output?stream=stdout";
    struct answer whole = ask(fleet, &(struct ask){ .path = url });
    assert_int_equal(whole.length, sizeof bytes);
    assert_memory_equal(whole.body, bytes, sizeof bytes);
    answer_done(&whole);
    struct answer part =
        ask(fleet, &(struct ask){ .path = url, .headers = { "Range: bytes=16000-17000" } });
    assert_int_equal(part.status, 206);
    assert_int_equal(part.length, 1001);
    assert_memory_equal(part.body, bytes + 16000, 1001);
    answer_done(&part);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_bad_spec_is_refused_with_its_place_and_nothing_is_stored),
        ROW(what_is_too_deep_or_too_large_is_refused),
        ROW(a_task_that_cannot_run_fails_with_the_reason),
        ROW(huge_output_is_capped_and_the_task_goes_on),
        ROW(binary_output_is_kept_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
