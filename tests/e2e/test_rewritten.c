/* A constellation that is rewritten while it runs: a task that fails is replaced by two others, and what
   depended on it is rewired to them. The daemon is killed at each step, and everything ends right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/e2e/ask.h"
#include "tests/e2e/fleet.h"

enum { LIMIT_MS = 30000, BATCH_BYTES = 1024 };

#define SPEC                                                                                       \
    "name: rewrite\ntasks:\n"                                                                      \
    "  prepare: {run: [\"true\"]}\n"                                                               \
    "  fetch: {run: [\"false\"], needs: prepare, hold_on_failure: 5m, allow_failure: true}\n"      \
    "  build: {run: [echo, built], needs: fetch}\n"                                                \
    "  report: {run: [echo, \"${{ tasks.build.stdout }}\"], needs: build}\n"

static void kill_and_start(struct fleet *fleet, size_t agents)
{
    fleet_daemon_kill(fleet);
    fleet_daemon_start(fleet);
    fleet_agents_connected(fleet, agents);
}

/* The number of the hold that the failure has placed; 0: there is none yet. */
static int64_t hold_of(struct fleet *fleet, const char *id)
{
    char path[FLEET_PATH_MAX];
    snprintf(path, sizeof(path), "/api/v1/constellations/%s/holds", id);
    json_t *answer = ask_json(fleet, path);
    int64_t number = number_of(json_array_get(json_object_get(answer, "holds"), 0), "id");
    json_decref(answer);
    return number;
}

static void write_batch(struct fleet *fleet, const char *name, int64_t hold)
{
    char batch[BATCH_BYTES];
    snprintf(batch, sizeof(batch),
             "base_revision: 1\n"
             "author: {kind: planner, name: repair}\n"
             "reason: the mirror is gone, two others have it\n"
             "expect: [{task: fetch, state: failed}]\n"
             "release: %lld\n"
             "operations:\n"
             "  - {op: add_task, task: fetch-a, spec: {run: [echo, a], needs: prepare}}\n"
             "  - {op: add_task, task: fetch-b, spec: {run: [echo, b], needs: prepare}}\n"
             "  - {op: remove_dependency, from: fetch, to: build}\n"
             "  - {op: add_dependency, from: fetch-a, to: build}\n"
             "  - {op: add_dependency, from: fetch-b, to: build}\n",
             (long long)hold);
    fleet_write(fleet, name, batch);
}

static void a_task_that_fails_is_replaced_while_the_daemon_is_killed(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    fleet_agent_start(fleet, fleet_agent_add(fleet, "desktop", 2));
    fleet_agents_connected(fleet, 1);
    char id[128];
    snprintf(id, sizeof(id), "%s", submitted(fleet, fleet_write(fleet, "spec.yaml", SPEC)));
    EVENTUALLY(LIMIT_MS, hold_of(fleet, id) != 0);
    assert_string_equal(state_of(fleet, id, "fetch"), "failed");
    kill_and_start(fleet, 1);
    int64_t hold = hold_of(fleet, id);
    assert_int_not_equal(hold, 0);
    assert_string_equal(state_of(fleet, id, "build"), "waiting");
    write_batch(fleet, "repair.yaml", hold);
    const char *repair = fleet_path(fleet, "repair.yaml");
    cli_expect(fleet, 0, "would be at revision 2: 2 tasks added", "edit", id, "-f", repair,
               "--dry-run", NULL);
    cli_expect(fleet, 0, "is at revision 2: 2 tasks added", "edit", id, "-f", repair, NULL);
    kill_and_start(fleet, 1);
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, id, NULL), "succeeded") == 0);
    assert_string_equal(state_of(fleet, id, "fetch-a"), "succeeded");
    assert_string_equal(state_of(fleet, id, "fetch-b"), "succeeded");
    assert_string_equal(state_of(fleet, id, "report"), "succeeded");
    assert_int_equal(hold_of(fleet, id), 0);
    cli_expect(fleet, 4, "", "edit", id, "-f", repair, NULL); /* the batch is of an old plan */
    cli_expect(fleet, 0, "repair (planner)", "history", id, NULL);
    cli_expect(fleet, 0, "+ fetch-a", "diff", id, "1", "2", NULL);
    fleet_passed(fleet);
}

/* Every verb that changes or reads a plan, each operation from the command line. */
static void the_verbs_edit_undo_export_and_import(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    char id[128];
    snprintf(id, sizeof(id), "%s",
             submitted(fleet, fleet_write(fleet, "spec.yaml",
                                          "name: plan\ntasks:\n  a: {run: [\"true\"]}\n")));
    cli_expect(fleet, 0, "is at revision 2: 1 task added", "edit", id, "add-task", "b", "--spec",
               "{\"noop\": true}", "--reason", "one more", NULL);
    cli_expect(fleet, 0, "1 dependency added", "edit", id, "add-dep", "a", "b", "--when",
               "finished", "--if", "exit_code < 3", NULL);
    cli_expect(fleet, 0, "1 task changed", "edit", id, "set-task", "b", "priority=5",
               "description=more words", NULL);
    cli_expect(fleet, 0, "revision 5", "edit", id, "set", "deadline=2h", NULL);
    cli_expect(fleet, 0, "~ b priority: - → 5", "diff", id, "3", "4", NULL);
    cli_expect(fleet, 0, "one more", "history", id, "b", NULL);
    cli_expect(fleet, 4, "edit_conflict", "edit", id, "set-task", "b", "priority=6", "--base", "2",
               NULL);
    cli_expect(fleet, 4, "did you mean \"b\"?", "edit", id, "remove-task", "bb", NULL);
    cli_expect(fleet, 2, "unknown_operation", "edit", id, "-f",
               fleet_write(fleet, "wrong.json", "{\"operations\": [{\"op\": \"add\"}]}"), NULL);
    cli_expect(fleet, 2, "is none of", "edit", id, "add", "x", NULL);
    cli_expect(fleet, 0, "revision 6", "undo", id, NULL);
    cli_expect(fleet, 0, "revision 7", "redo", id, NULL);
    cli_expect(fleet, 4, "nothing to redo", "redo", id, NULL);
    cli_expect(fleet, 0, "\"deadline\":\"7200s\"", "export", id, NULL);
    cli_expect(fleet, 0, "\"tasks\":{\n\"a\"", "export", id, "--revision", "1", NULL);
    cli_expect(fleet, 0, "add_dependency", "schema", "edit", NULL);
    struct said said = cli(fleet, "export", id, NULL);
    cli_expect(fleet, 0, "plan-", "import", fleet_write(fleet, "again.json", said.out), NULL);
    said_done(&said);
    cli_expect(fleet, 0, "/tasks/t/status", "import",
               fleet_write(fleet, "ufo.json",
                           "{\"name\": \"u\", \"tasks\": {\"t\": {\"task_id\": \"t\", \"status\": "
                           "\"pending\", \"task_data\": {\"command\": \"ls\"}}}}"),
               NULL);
    fleet_passed(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_that_fails_is_replaced_while_the_daemon_is_killed,
                                        fleet_setup, fleet_teardown),
        cmocka_unit_test_setup_teardown(the_verbs_edit_undo_export_and_import, fleet_setup,
                                        fleet_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
