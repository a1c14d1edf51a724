/* What is followed live: events without a gap over restarts, changes, output. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"

enum { LIMIT_MS = 30000 };

/* Reads /events behind `last` ("" for all) until `until` comes; counts the events in it, checks that
   their numbers rise by one, and leaves the last id in `last`. */
static unsigned read_events(struct fleet *fleet, char last[64], const char *until)
{
    char header[96];
    snprintf(header, sizeof header, "Last-Event-ID: %s", last);
    struct ask follow = { .path = last[0] == 0 ? "/api/v1/events?since=0" : "/api/v1/events",
                          .headers = { last[0] == 0 ? NULL : header },
                          .until = until };
    struct answer answer = ask(fleet, &follow);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, until));
    unsigned count = 0;
    long seq = last[0] == 0 ? 0 : strtol(strchr(last, '-') + 1, NULL, 10);
    for (const char *at = answer.body; (at = strstr(at, "id: ")) != NULL; at++) {
        size_t length = strcspn(at + 4, "\r\n");
        const char *end = strstr(at, "\n\n");
        if (end == NULL) {
            break; /* the rest did not come */
        }
        snprintf(last, 64, "%.*s", (int)length, at + 4);
        assert_int_equal(strtol(strchr(last, '-') + 1, NULL, 10), ++seq);
        count++;
    }
    answer_done(&answer);
    return count;
}

static void events_go_on_without_a_gap_over_a_restart(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "one.yaml", "name: one\ntasks:\n  a: {noop: true}\n");
    char last[64] = "";
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    unsigned count = read_events(fleet, last, "constellation.finished");
    assert_true(count >= 8);
    fleet_daemon_kill(fleet);
    fleet_daemon_start(fleet);
    fleet_agents_connected(fleet, 3);
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    /* From where it stopped: the start, the agents' return and all of the second run. */
    count += read_events(fleet, last, "constellation.finished");
    assert_int_equal(count, history_number(fleet, "SELECT max(seq) FROM event WHERE kind = 4"));
    fleet_passed(fleet);
}

static void an_event_id_of_another_database_is_a_gap(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct answer answer = ask(fleet, &(struct ask){ .path = "/api/v1/events",
                                                     .headers = { "Last-Event-ID: 00000000-1" },
                                                     .limit_ms = 5000 });
    assert_int_equal(answer.status, 410);
    assert_string_equal(text_of(answer.json, "code"), "event_gap");
    answer_done(&answer);
    fleet_passed(fleet);
}

static void changes_begin_with_a_snapshot_and_end_with_the_constellation(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "slow.yaml",
                                   "name: slow\ntasks:\n  a: {sleep: 600ms}\n"
                                   "  b: {noop: true, needs: a}\n");
    char *path = mem_format("/api/v1/changes?constellation=%s", submitted(fleet, spec));
    struct answer answer = ask(fleet, &(struct ask){ .path = path, .until = "event: end" });
    assert_int_equal(answer.status, 200);
    const char *snapshot = strstr(answer.body, "event: snapshot");
    const char *change = strstr(answer.body, "event: change");
    const char *end = strstr(answer.body, "event: end");
    assert_true(snapshot != NULL && change != NULL && end != NULL);
    assert_true(snapshot < change && change < end);
    assert_non_null(strstr(change, "\"succeeded\""));
    answer_done(&answer);
    mem_free(path);
    fleet_passed(fleet);
}

/* Each line is followed as it comes, over a restart of the daemon, and none twice. */
static void followed_output_comes_live_and_whole_over_a_restart(void **state)
{
    struct fleet *fleet = *state;
    fleet_quick(fleet, "10m");
    fleet_three(fleet);
    char *text = mem_format("name: talk\ntasks:\n"
                            "  talk:\n    env: {GO: \"%s\"}\n"
                            "    shell: 'i=0; while [ $i -lt 6 ]; do i=$((i+1)); echo line $i;"
                            " while [ ! -e \"$GO-$i\" ]; do sleep 0.02; done; done'\n",
                            fleet_path(fleet, "go"));
    char id[128];
    snprintf(id, sizeof id, "%s", submitted(fleet, fleet_write(fleet, "talk.yaml", text)));
    mem_free(text);
    struct process logs = { 0 };
    char task[160];
    snprintf(task, sizeof task, "%s/talk", id);
    cli_start(fleet, &logs, "logs", "-f", task, NULL);
    for (int i = 1; i <= 6; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d\n", i);
        EVENTUALLY(LIMIT_MS, file_count(logs.out, line) == 1);
        if (i == 3) {
            fleet_daemon_kill(fleet);
            fleet_daemon_start(fleet);
        }
        snprintf(line, sizeof line, "go-%d", i);
        fleet_write(fleet, line, "");
    }
    assert_true(process_wait(&logs, LIMIT_MS));
    assert_int_equal(process_code(&logs), 0);
    char *said = file_text(logs.out);
    assert_string_equal(said, "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n");
    free(said);
    fleet_passed(fleet);
}

static void metrics_tell_what_was_done(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    cli_expect(fleet, 0, "", "run", "--on", "role=edge", "--", "true", NULL);
    struct answer answer = ask(fleet, &(struct ask){ .path = "/metrics" });
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "# TYPE asterism_"));
    assert_null(strstr(answer.body, "nan"));
    answer_done(&answer);
    answer = ask(fleet, &(struct ask){ .path = "/api/v1/openapi.yaml" });
    assert_non_null(strstr(answer.body, "openapi: 3"));
    answer_done(&answer);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(events_go_on_without_a_gap_over_a_restart),
        ROW(an_event_id_of_another_database_is_a_gap),
        ROW(changes_begin_with_a_snapshot_and_end_with_the_constellation),
        ROW(followed_output_comes_live_and_whole_over_a_restart),
        ROW(metrics_tell_what_was_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
