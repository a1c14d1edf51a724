/* The three examples of the living DAG, each through every branch that it has, on the devices that it
   names: the states, the outputs, the exit codes that a user sees. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"

enum { LIMIT_MS = 40000 };

#define EXAMPLE(name) E2E_SOURCE "/examples/" name ".yaml"

/* As fleet_three(), and the server has a GPU. */
static void start(struct fleet *fleet)
{
    static const char *const names[] = { "desktop", "server", "edge" };
    fleet_quick(fleet, "10m"); /* no attempt is given up but with its agent */
    fleet_daemon_start(fleet);
    for (size_t i = 0; i < 3; i++) {
        struct fleet_agent *agent = fleet_agent_add(fleet, names[i], 4);
        agent->more_label = strcmp(agent->name, "server") == 0 ? "gpu=1" : NULL;
        fleet_agent_start(fleet, agent);
    }
    fleet_agents_connected(fleet, 3);
}

static void finish(struct fleet *fleet)
{
    fleet_daemon_stop(fleet);
    history_check(fleet);
    fleet_passed(fleet);
}

/* "NAME=VALUE" in a ring of a few. */
static const char *param(const char *name, const char *value)
{
    static char texts[4][FLEET_PATH_MAX + 64];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%s=%s", name, value);
    return text;
}

static void begin(struct fleet *fleet, const char *spec, const char *first, const char *second)
{
    if (second != NULL) {
        cli_expect(fleet, 0, "", "submit", "-p", first, "-p", second, spec, NULL);
    } else if (first != NULL) {
        cli_expect(fleet, 0, "", "submit", "-p", first, spec, NULL);
    } else {
        cli_expect(fleet, 0, "", "submit", spec, NULL);
    }
}

static void expect_state(struct fleet *fleet, const char *key, const char *state)
{
    const char *is = state_of(fleet, "@last", key);
    if (strcmp(is, state) != 0) {
        fail_msg("%s is %s, not %s", key, is, state);
    }
}

static void until(struct fleet *fleet, const char *key, const char *state)
{
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, "@last", key), state) == 0);
}

static void ends(struct fleet *fleet, int code, const char *words)
{
    cli_expect(fleet, code, words, "wait", "@last", "--timeout", "60s", NULL);
}

/* What a task has written, whole. */
static void expect_output(struct fleet *fleet, const char *task, const char *text)
{
    char *name = mem_format("@last/%s", task);
    struct said said = cli(fleet, "logs", name, NULL);
    assert_string_equal(said.out, text);
    said_done(&said);
    mem_free(name);
}

/* --- nightly-backup --- */

static void a_backup_goes_to_the_nas_when_it_is_there(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    fleet_write(fleet, "tonight", "the files of tonight\n");
    const char *nas = fleet_path(fleet, "nas");
    assert_int_equal(mkdir(nas, 0700), 0);
    cli_expect(fleet, 0, "7 succeeded, 3 skipped", "run", "-p",
               param("what", fleet_path(fleet, "tonight")), "-p", param("nas", nas),
               EXAMPLE("nightly-backup"), NULL);
    char *saved = file_text(fleet_path(fleet, "nas/server"));
    assert_string_equal(saved, "the files of tonight\n");
    free(saved);
    expect_state(fleet, "fallback@server", "skipped");
    expect_output(fleet, "report", "desktop: on the NAS\nserver: on the NAS\nedge: on the NAS\n");
    finish(fleet);
}

static void a_backup_goes_to_another_devices_disk_when_the_nas_is_away(void **state)
{
    static const char *const sites[] = { "desktop", "server", "edge" };
    struct fleet *fleet = *state;
    start(fleet);
    const char *spare = fleet_path(fleet, "spare");
    cli_expect(fleet, 0, "7 succeeded, 3 failed", "run", "-p",
               param("nas", fleet_path(fleet, "nowhere")), "-p", param("spare", spare),
               EXAMPLE("nightly-backup"), NULL);
    struct said said = cli(fleet, "logs", "@last/report", NULL);
    for (size_t i = 0; i < 3; i++) {
        char *own = mem_format("%s: on the disk of %s\n", sites[i], sites[i]);
        char *words = mem_format("%s: on the disk of ", sites[i]);
        char *file = mem_format("spare/%s", sites[i]);
        char *text = file_text(fleet_path(fleet, file));
        char *key = mem_format("nas@%s", sites[i]);
        assert_non_null(strstr(said.out, words));
        assert_null(strstr(said.out, own)); /* other_device */
        assert_true(strlen(text) > 1);
        expect_state(fleet, key, "failed");
        assert_int_equal(history_number(fleet, "SELECT max(attempts) FROM task"), 2);
        free(text);
        mem_free(own);
        mem_free(words);
        mem_free(file);
        mem_free(key);
    }
    said_done(&said);
    finish(fleet);
}

/* --- firmware --- */

static void firmware_is_flashed_once_somebody_has_approved_it(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    begin(fleet, EXAMPLE("firmware"), "version=2.0", NULL);
    until(fleet, "bench", "succeeded");
    cli_expect(fleet, 0, "flash 2.0?", "holds", "@last", NULL);
    expect_state(fleet, "flash", "waiting");
    cli_expect(fleet, 0, "approved", "approve", "@last/approve", NULL);
    ends(fleet, 0, "4 succeeded, 1 skipped");
    expect_output(fleet, "flash", "flashing image-2.0\n");
    expect_state(fleet, "revert", "skipped");
    cli_expect(fleet, 0, "nothing is held", "holds", "@last", NULL);
    cli_expect(fleet, 4, "", "approve", "@last/approve", NULL);
    finish(fleet);
}

static void firmware_that_is_denied_is_not_flashed(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    begin(fleet, EXAMPLE("firmware"), NULL, NULL);
    until(fleet, "approve", "ready");
    cli_expect(fleet, 0, "denied", "deny", "@last/approve", "--reason", "not on a Friday", NULL);
    struct said said = cli(fleet, "wait", "@last", NULL);
    assert_int_equal(said.code, 1);
    assert_non_null(strstr(said.err, "approve failed: denied by local: not on a Friday\n"));
    said_done(&said);
    cli_expect(fleet, 0, "denied by local: not on a Friday", "show", "@last/approve", NULL);
    expect_state(fleet, "approve", "failed");
    expect_state(fleet, "flash", "skipped");
    expect_state(fleet, "revert", "skipped");
    finish(fleet);
}

static void firmware_that_does_not_work_is_reverted_where_it_was_flashed(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    begin(fleet, EXAMPLE("firmware"), "broken=true", NULL);
    cli_expect(fleet, 0, "approved", "approve", "@last/approve", NULL); /* before it is asked */
    ends(fleet, 1, "4 succeeded, 1 failed");
    expect_state(fleet, "flash", "failed");
    expect_output(fleet, "revert", "back to the last image\n");
    json_t *task = ask_json(fleet, "/api/v1/constellations/@last/tasks/revert");
    assert_string_equal(text_of(task, "device"), "edge");
    json_decref(task);
    finish(fleet);
}

/* The agent dies while it flashes, and comes back: nobody knows what became of the board. */
static void lose_the_flash(struct fleet *fleet)
{
    start(fleet);
    begin(fleet, EXAMPLE("firmware"), "seconds=3600", NULL);
    cli_expect(fleet, 0, "approved", "approve", "@last/approve", NULL);
    until(fleet, "flash", "running");
    struct fleet_agent *edge = &fleet->agents[2];
    process_kill(&edge->process);
    fleet_agent_start(fleet, edge);
    until(fleet, "flash", "unknown");
    expect_state(fleet, "revert", "waiting");
    expect_state(fleet, NULL, "running");
}

static size_t flashed(struct fleet *fleet)
{
    return (size_t)history_number(fleet, "SELECT attempts FROM task JOIN task_text"
                                         " ON task_text.id = task.id WHERE key = 'flash'");
}

static void a_flash_of_unknown_fate_waits_for_somebody_to_look(void **state)
{
    struct fleet *fleet = *state;
    lose_the_flash(fleet);
    fleet_daemon_kill(fleet); /* that it is not known is remembered */
    fleet_daemon_start(fleet);
    fleet_agents_connected(fleet, 3);
    expect_state(fleet, "flash", "unknown");
    cli_expect(fleet, 2, "one of: succeeded failed retry", "resolve", "@last/flash", "maybe", NULL);
    cli_expect(fleet, 4, "", "resolve", "@last/build", "failed", NULL);
    cli_expect(fleet, 0, "succeeded", "resolve", "@last/flash", "succeeded", NULL);
    ends(fleet, 0, "4 succeeded, 1 skipped");
    assert_int_equal(flashed(fleet), 1);
    finish(fleet);
}

static void a_flash_that_was_lost_is_reverted_if_somebody_says_so(void **state)
{
    struct fleet *fleet = *state;
    lose_the_flash(fleet);
    cli_expect(fleet, 0, "failed", "resolve", "@last/flash", "failed", NULL);
    ends(fleet, 1, "4 succeeded, 1 failed");
    expect_state(fleet, "revert", "succeeded");
    assert_int_equal(flashed(fleet), 1);
    finish(fleet);
}

/* --- disk-full --- */

static void a_disk_with_room_needs_nobody(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    cli_expect(fleet, 0, "2 succeeded, 5 skipped", "run", "-p", "alarm=101", EXAMPLE("disk-full"),
               NULL);
    expect_output(fleet, "fine", "nothing to do\n");
    expect_state(fleet, "approve", "skipped"); /* nobody was asked */
    finish(fleet);
}

static void a_full_disk_is_cleared_at_once_and_grown_when_approved(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    begin(fleet, EXAMPLE("disk-full"), "alarm=0", "duty=ada@example.org");
    until(fleet, "approve", "ready");
    expect_state(fleet, "clear", "succeeded");
    expect_state(fleet, "fine", "skipped");
    cli_expect(fleet, 0, "approved", "approve", "@last/approve", NULL);
    ends(fleet, 0, "6 succeeded, 1 skipped");
    cli_expect(fleet, 0, "to ada@example.org: the disk was ", "logs", "@last/page", NULL);
    cli_expect(fleet, 0, " % full; disk grown\n", "logs", "@last/page", NULL);
    finish(fleet);
}

static void a_full_disk_that_must_not_grow_is_told_to_who_is_on_duty(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    begin(fleet, EXAMPLE("disk-full"), "alarm=0", NULL);
    until(fleet, "approve", "ready");
    cli_expect(fleet, 0, "denied", "deny", "@last/approve", NULL);
    ends(fleet, 1, "failed");
    expect_state(fleet, "grow", "skipped");
    cli_expect(fleet, 0, " % full; not grown\n", "logs", "@last/page", NULL);
    finish(fleet);
}

static void a_disk_that_cannot_be_looked_at_is_told_too(void **state)
{
    struct fleet *fleet = *state;
    start(fleet);
    begin(fleet, EXAMPLE("disk-full"), "disk=/nonexistent", NULL);
    /* What the failure opens goes at once; what it closes waits for hold_on_failure. */
    until(fleet, "page", "succeeded");
    cli_expect(fleet, 0, "the disk was ? % full; not grown\n", "logs", "@last/page", NULL);
    ends(fleet, 1, "1 succeeded, 1 failed, 5 skipped");
    finish(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_backup_goes_to_the_nas_when_it_is_there),
        ROW(a_backup_goes_to_another_devices_disk_when_the_nas_is_away),
        ROW(firmware_is_flashed_once_somebody_has_approved_it),
        ROW(firmware_that_is_denied_is_not_flashed),
        ROW(firmware_that_does_not_work_is_reverted_where_it_was_flashed),
        ROW(a_flash_of_unknown_fate_waits_for_somebody_to_look),
        ROW(a_flash_that_was_lost_is_reverted_if_somebody_says_so),
        ROW(a_disk_with_room_needs_nobody),
        ROW(a_full_disk_is_cleared_at_once_and_grown_when_approved),
        ROW(a_full_disk_that_must_not_grow_is_told_to_who_is_on_duty),
        ROW(a_disk_that_cannot_be_looked_at_is_told_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
