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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_that_fails_is_replaced_while_the_daemon_is_killed,
                                        fleet_setup, fleet_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
