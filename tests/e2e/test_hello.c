/* The whole way, once: specs in, results out, every verb of the CLI on a live system. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/e2e/ask.h"

static void a_chain_of_noops_succeeds(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "chain.yaml",
                                   "name: chain\n"
                                   "tasks:\n"
                                   "  a: {noop: true}\n"
                                   "  b: {noop: true, needs: a}\n"
                                   "  c: {noop: true, needs: [b]}\n");
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    cli_expect(fleet, 0, "chain-", "list", NULL);
    cli_expect(fleet, 0, "succeeded", "show", "@last", NULL);
    cli_expect(fleet, 0, "\"decision\": \"open\"", "show", "@last/c", "-o", "json", NULL);
    cli_expect(fleet, 0, "digraph", "graph", "@last", "-o", "dot", NULL);
    cli_expect(fleet, 0, "c", "graph", "@last", NULL);
    fleet_passed(fleet);
}

static void output_comes_back_by_logs_byte_for_byte(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "out.yaml",
                                   "name: out\n"
                                   "tasks:\n"
                                   "  say: {shell: 'printf \"a b\\nc\"; printf \"oops\\n\" >&2'}\n"
                                   "  echo: {run: [echo, \"<${{ tasks.say.stdout }}>\"]}\n");
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    struct said said = cli(fleet, "logs", "@last/say", NULL);
    assert_int_equal(said.code, 0);
    assert_string_equal(said.out, "a b\nc");
    assert_string_equal(said.err, "oops\n");
    said_done(&said);
    said = cli(fleet, "logs", "@last/echo", NULL);
    assert_string_equal(said.out, "<a b\nc>\n");
    said_done(&said);
    said = cli(fleet, "logs", "@last/say", "--stderr", NULL);
    assert_string_equal(said.out, "oops\n");
    said_done(&said);
    fleet_passed(fleet);
}

static void a_one_off_runs_where_the_selector_says(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    struct said said = cli(fleet, "run", "--on", "role=edge", "--", "uname", "-s", NULL);
    assert_string_equal(said.err, "");
    assert_string_equal(said.out, "Linux\n");
    assert_int_equal(said.code, 0);
    said_done(&said);
    json_t *task = ask_json(fleet, "/api/v1/constellations/@last/tasks/run");
    assert_string_equal(text_of(task, "device"), "edge");
    json_decref(task);
    cli_expect(fleet, 1, "exited with code 7", "run", "--on", "role=edge", "--", "sh", "-c",
               "exit 7", NULL);
    fleet_passed(fleet);
}

static void exit_codes_tell_how_it_ended(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *bad = fleet_write(fleet, "bad.yaml", "name: bad\ntasks:\n  a: {rum: [true]}\n");
    const char *fails =
        fleet_write(fleet, "fails.yaml", "name: fails\ntasks:\n  a: {run: [\"false\"]}\n");
    const char *stays = fleet_write(fleet, "stays.yaml",
                                    "name: stays\ntasks:\n  a: {sleep: 1h}\n"
                                    "  b: {noop: true, needs: a}\n");
    cli_expect(fleet, 1, "failed", "run", fails, NULL);
    cli_expect(fleet, 2, "bad.yaml:3:7: ", "run", bad, NULL);
    cli_expect(fleet, 2, "nosuchverb", "nosuchverb", NULL);
    cli_expect(fleet, 2, "nosuch.yaml", "run", "nosuch.yaml", NULL);
    cli_expect(fleet, 3, "cannot reach", "--url", "http://127.0.0.1:1", "list", NULL);
    cli_expect(fleet, 4, "nosuch", "show", "nosuch-2222", NULL);
    char *id = mem_copy_text(submitted(fleet, stays));
    EVENTUALLY(20000, strcmp(state_of(fleet, id, "a"), "running") == 0);
    cli_expect(fleet, 124, id, "wait", id, "--timeout", "300ms", NULL);
    cli_expect(fleet, 4, "", "delete", id, NULL);
    cli_expect(fleet, 0, "", "cancel", id, NULL);
    cli_expect(fleet, 5, "cancelled", "wait", id, NULL);
    assert_string_equal(state_of(fleet, id, "b"), "cancelled");
    cli_expect(fleet, 4, "", "cancel", id, NULL);
    cli_expect(fleet, 0, "", "delete", id, NULL);
    cli_expect(fleet, 4, "", "show", id, NULL);
    mem_free(id);
    fleet_passed(fleet);
}

static void a_repeated_submission_counts_once(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct ask post = { .method = "POST",
                        .path = "/api/v1/constellations",
                        .headers = { "Content-Type: application/yaml", "Idempotency-Key: one" },
                        .body = "name: once\ntasks:\n  a: {noop: true}\n" };
    struct answer first = ask(fleet, &post);
    struct answer second = ask(fleet, &post);
    assert_int_equal(first.status, 201);
    assert_int_equal(second.status, 201);
    assert_string_equal(text_of(first.json, "id"), text_of(second.json, "id"));
    post.body = "name: other\ntasks:\n  a: {noop: true}\n";
    struct answer third = ask(fleet, &post);
    assert_int_equal(third.status, 422);
    assert_string_equal(text_of(third.json, "code"), "idempotency_mismatch");
    fleet_daemon_kill(fleet);
    fleet_daemon_start(fleet);
    post.body = "name: once\ntasks:\n  a: {noop: true}\n";
    struct answer fourth = ask(fleet, &post);
    assert_string_equal(text_of(first.json, "id"), text_of(fourth.json, "id"));
    json_t *list = ask_json(fleet, "/api/v1/constellations");
    assert_int_equal(json_array_size(json_object_get(list, "constellations")), 1);
    json_decref(list);
    answer_done(&first);
    answer_done(&second);
    answer_done(&third);
    answer_done(&fourth);
    fleet_passed(fleet);
}

static void what_waits_says_why(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "gpu.yaml",
                                   "name: gpu\ntasks:\n  train: {noop: true, selector: gpu}\n"
                                   "  after: {noop: true, needs: train}\n");
    char *id = mem_copy_text(submitted(fleet, spec));
    cli_expect(fleet, 0, "gpu", "show", id, NULL);
    cli_expect(fleet, 0, "waits for train", "show", id, NULL);
    cli_expect(fleet, 0, "role=edge", "devices", NULL);
    cli_expect(fleet, 0, "edge", "devices", "edge", NULL);
    cli_expect(fleet, 4, "toaster", "devices", "toaster", NULL);
    cli_expect(fleet, 0, "", "cancel", id, NULL);
    cli_expect(fleet, 5, "cancelled", "wait", id, NULL);
    mem_free(id);
    fleet_passed(fleet);
}

static void ctrl_c_detaches_and_the_work_goes_on(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "slow.yaml", "name: slow\ntasks:\n  a: {sleep: 1h}\n");
    struct process run = { 0 };
    cli_start(fleet, &run, "run", spec, NULL);
    EVENTUALLY(20000, strcmp(state_of(fleet, "@last", "a"), "running") == 0);
    EVENTUALLY(20000, file_count(run.out, "running") > 0 || file_count(run.out, "assigned") > 0);
    assert_true(process_end(&run, SIGINT, 20000));
    assert_int_equal(process_code(&run), 130);
    assert_true(file_count(run.err, "cancel") > 0);
    assert_string_equal(state_of(fleet, "@last", NULL), "running");
    fleet_passed(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_chain_of_noops_succeeds, fleet_setup, fleet_teardown),
        cmocka_unit_test_setup_teardown(output_comes_back_by_logs_byte_for_byte, fleet_setup,
                                        fleet_teardown),
        cmocka_unit_test_setup_teardown(a_one_off_runs_where_the_selector_says, fleet_setup,
                                        fleet_teardown),
        cmocka_unit_test_setup_teardown(exit_codes_tell_how_it_ended, fleet_setup, fleet_teardown),
        cmocka_unit_test_setup_teardown(a_repeated_submission_counts_once, fleet_setup,
                                        fleet_teardown),
        cmocka_unit_test_setup_teardown(what_waits_says_why, fleet_setup, fleet_teardown),
        cmocka_unit_test_setup_teardown(ctrl_c_detaches_and_the_work_goes_on, fleet_setup,
                                        fleet_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
