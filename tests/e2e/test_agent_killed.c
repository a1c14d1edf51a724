/* kill -9 of an agent: what it ran dies with it and is run again, what it had finished is not. */
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/marks.h"

enum { LIMIT_MS = 40000 };

/* `before` ends at once; `stays` leaves the pids of a child and of a grandchild with a session of its
   own, and goes on for ever in its first run. */
static const char *stays_spec(struct fleet *fleet, const char *more)
{
    char *text =
        mem_format("name: stays\n"
                   "tasks:\n"
                   "  before:\n"
                   "    env: {MARKS: \"%s\"}\n"
                   "    shell: 'echo \"before 1 $$ begin\" >>\"$MARKS\"; echo \"before 1 $$ end\" "
                   ">>\"$MARKS\"'\n"
                   "  stays:\n"
                   "    needs: before\n"
                   "%s"
                   "    env: {MARKS: \"%s\"}\n"
                   "    shell: |\n"
                   "      echo \"stays 1 $$ begin\" >>\"$MARKS\"\n"
                   "      if mkdir \"$MARKS-once\" 2>/dev/null; then\n"
                   "        setsid sleep 3600 & echo $! >>\"$MARKS.pids\"\n"
                   "        (setsid sh -c 'echo $$ >>\"$MARKS.pids\"; sleep 3600; true') &\n"
                   "        echo $$ >>\"$MARKS.pids\"\n"
                   "        sleep 3600\n"
                   "      fi\n"
                   "      echo \"stays 1 $$ end\" >>\"$MARKS\"\n",
                   fleet_path(fleet, "marks"), more, fleet_path(fleet, "marks"));
    const char *path = fleet_write(fleet, "stays.yaml", text);
    mem_free(text);
    return path;
}

static size_t pids_alive(struct fleet *fleet)
{
    char *text = file_text(fleet_path(fleet, "marks.pids"));
    size_t alive = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        alive += pid_is_alive((pid_t)strtol(line, NULL, 10));
    }
    free(text);
    return alive;
}

static struct fleet_agent *agent_of_task(struct fleet *fleet, const char *id, const char *key)
{
    char *path = mem_format("/api/v1/constellations/%s/tasks/%s", id, key);
    json_t *task = ask_json(fleet, path);
    struct fleet_agent *found = NULL;
    for (size_t i = 0; i < fleet->agents_count; i++) {
        if (strcmp(fleet->agents[i].name, text_of(task, "device")) == 0) {
            found = &fleet->agents[i];
        }
    }
    json_decref(task);
    mem_free(path);
    assert_non_null(found);
    return found;
}

static void two_agents(struct fleet *fleet, const char *lost_after)
{
    fleet_quick(fleet, lost_after);
    fleet_daemon_start(fleet);
    fleet_agent_start(fleet, fleet_agent_add(fleet, "left", 2));
    fleet_agent_start(fleet, fleet_agent_add(fleet, "right", 2));
    fleet_agents_connected(fleet, 2);
}

/* The agent on which `stays` runs, and the id in `to`. */
static struct fleet_agent *stays_runs(struct fleet *fleet, const char *more, char to[128])
{
    snprintf(to, 128, "%s", submitted(fleet, stays_spec(fleet, more)));
    EVENTUALLY(LIMIT_MS, file_count(fleet_path(fleet, "marks.pids"), "\n") == 3);
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, to, "stays"), "running") == 0);
    assert_int_equal(pids_alive(fleet), 3);
    return agent_of_task(fleet, to, "stays");
}

static void what_a_killed_agent_ran_dies_and_is_run_elsewhere(void **state)
{
    struct fleet *fleet = *state;
    char id[128];
    two_agents(fleet, "3s");
    struct fleet_agent *victim = stays_runs(fleet, "", id);
    process_kill(&victim->process);
    EVENTUALLY(LIMIT_MS, pids_alive(fleet) == 0);
    cli_expect(fleet, 0, "succeeded", "wait", id, NULL);
    assert_ptr_not_equal(agent_of_task(fleet, id, "stays"), victim);
    assert_int_equal(marks_begun(fleet, "stays"), 2);
    assert_int_equal(marks_ended(fleet, "stays"), 1);
    assert_int_equal(marks_begun(fleet, "before"), 1);
    fleet_daemon_stop(fleet);
    history_check(fleet);
    fleet_passed(fleet);
}

static void a_restarted_agent_says_what_died_and_it_is_run_at_once(void **state)
{
    struct fleet *fleet = *state;
    char id[128];
    two_agents(fleet, "10m");
    struct fleet_agent *victim = stays_runs(fleet, "", id);
    process_kill(&victim->process);
    EVENTUALLY(LIMIT_MS, pids_alive(fleet) == 0);
    fleet_agent_start(fleet, victim);
    cli_expect(fleet, 0, "succeeded", "wait", id, NULL);
    assert_int_equal(marks_begun(fleet, "stays"), 2);
    assert_int_equal(marks_begun(fleet, "before"), 1);
    fleet_passed(fleet);
}

/* The helper: the one child of an agent. */
static pid_t child_of(pid_t parent)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)parent, (long)parent);
    char *text = file_text(path);
    pid_t child = (pid_t)strtol(text, NULL, 10);
    free(text);
    assert_true(child > 1);
    return child;
}

static void a_killed_helper_is_the_death_of_its_agent(void **state)
{
    struct fleet *fleet = *state;
    char id[128];
    fleet_quick(fleet, "10m");
    fleet_daemon_start(fleet);
    struct fleet_agent *agent = fleet_agent_add(fleet, "only", 2);
    fleet_agent_start(fleet, agent);
    stays_runs(fleet, "", id);
    kill(child_of(agent->process.pid), SIGKILL);
    assert_true(process_wait(&agent->process, LIMIT_MS));
    assert_int_equal(process_code(&agent->process), 1);
    EVENTUALLY(LIMIT_MS, pids_alive(fleet) == 0);
    assert_string_equal(state_of(fleet, id, "stays"), "running"); /* nobody has said more yet */
    fleet_agent_start(fleet, agent);
    cli_expect(fleet, 0, "succeeded", "wait", id, NULL); /* no try was counted: there is but one */
    assert_int_equal(marks_begun(fleet, "stays"), 2);
    assert_int_equal(marks_begun(fleet, "before"), 1);
    assert_int_equal(history_number(fleet, "SELECT count(*) FROM event WHERE kind = 9"), 1);
    fleet_passed(fleet);
}

static void a_task_that_kills_its_agents_is_poison(void **state)
{
    struct fleet *fleet = *state;
    fleet_quick(fleet, "10m");
    fleet_daemon_start(fleet);
    struct fleet_agent *agent = fleet_agent_add(fleet, "only", 2);
    fleet_agent_start(fleet, agent);
    const char *spec = fleet_write(fleet, "poison.yaml",
                                   "name: poison\n"
                                   "tasks:\n"
                                   "  bad: {sleep: 1h, device: only, retry: {max_lost: 2}}\n"
                                   "  good: {noop: true}\n"
                                   "  after: {noop: true, needs: bad}\n");
    char id[128];
    snprintf(id, sizeof id, "%s", submitted(fleet, spec));
    for (int i = 0; i < 2; i++) {
        EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, id, "bad"), "running") == 0);
        process_kill(&agent->process);
        fleet_agent_start(fleet, agent);
        EVENTUALLY(LIMIT_MS,
                   history_number(fleet, "SELECT count(*) FROM event WHERE kind = 9") == i + 1);
    }
    cli_expect(fleet, 1, "failed", "wait", id, NULL);
    cli_expect(fleet, 0, "poison", "show", id, NULL);
    assert_string_equal(state_of(fleet, id, "after"), "skipped");
    assert_string_equal(state_of(fleet, id, "good"), "succeeded");
    fleet_passed(fleet);
}

static void copy_file(const char *from, const char *to)
{
    char piece[16384];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    assert_non_null(out);
    size_t got;
    while (in != NULL && (got = fread(piece, 1, sizeof piece, in)) > 0) {
        assert_int_equal(fwrite(piece, 1, got, out), got);
    }
    if (in != NULL) {
        fclose(in);
    }
    fclose(out);
}

/* Results that the agent holds, by a copy of its journal, which it keeps locked; -1: the copy was taken
   in the middle of something. */
static int64_t results_held(struct fleet *fleet, const struct fleet_agent *agent)
{
    char from[FLEET_PATH_MAX + 16];
    snprintf(from, sizeof from, "%s/journal.db", agent->data_dir);
    copy_file(from, fleet_path(fleet, "copy.db"));
    snprintf(from, sizeof from, "%s/journal.db-wal", agent->data_dir);
    copy_file(from, fleet_path(fleet, "copy.db-wal"));
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t held = -1;
    if (sqlite3_open(fleet_path(fleet, "copy.db"), &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT count(*) FROM attempt WHERE state = 3", -1, &statement,
                           NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        held = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    remove(fleet_path(fleet, "copy.db-shm"));
    return held;
}

static void a_result_that_was_not_acknowledged_outlives_its_agent(void **state)
{
    struct fleet *fleet = *state;
    static const struct marks_task tasks[] = {
        { "one", "only", "", 400, false },
        { "two", "only", "one", 50, false },
        { NULL, NULL, NULL, 0, false },
    };
    fleet_quick(fleet, "10m");
    fleet_daemon_start(fleet);
    struct fleet_agent *agent = fleet_agent_add(fleet, "only", 2);
    fleet_agent_start(fleet, agent);
    char id[128];
    snprintf(id, sizeof id, "%s", submitted(fleet, marks_spec(fleet, tasks)));
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, id, "one"), "running") == 0);
    fleet_daemon_kill(fleet);
    EVENTUALLY(LIMIT_MS, results_held(fleet, agent) == 1);
    process_kill(&agent->process);
    fleet_agent_start(fleet, agent);
    fleet_daemon_start(fleet);
    cli_expect(fleet, 0, "succeeded", "wait", id, NULL);
    struct marks_count count = marks_check(fleet, tasks);
    assert_int_equal(count.reruns + count.lost + count.disorder, 0);
    cli_expect(fleet, 0, "two.one.", "logs", "@last/two", NULL);
    EVENTUALLY(LIMIT_MS, results_held(fleet, agent) == 0);
    fleet_daemon_stop(fleet);
    history_check(fleet);
    fleet_passed(fleet);
}

static void a_cut_off_task_with_on_disconnect_stop_is_stopped_and_run_again(void **state)
{
    struct fleet *fleet = *state;
    char id[128];
    two_agents(fleet, "10m");
    stays_runs(fleet, "    on_disconnect: stop\n    kill_grace: 100ms\n", id);
    fleet_daemon_kill(fleet);
    /* The lease of two seconds ends without anybody telling the agent. */
    EVENTUALLY(LIMIT_MS, pids_alive(fleet) == 0);
    fleet_daemon_start(fleet);
    cli_expect(fleet, 0, "succeeded", "wait", id, NULL);
    assert_int_equal(marks_begun(fleet, "stays"), 2);
    assert_int_equal(marks_begun(fleet, "before"), 1);
    fleet_passed(fleet);
}

static void a_task_that_runs_when_its_daemon_dies_runs_on(void **state)
{
    struct fleet *fleet = *state;
    char id[128];
    two_agents(fleet, "10m");
    stays_runs(fleet, "", id);
    fleet_daemon_kill(fleet);
    fleet_daemon_start(fleet);
    fleet_agents_connected(fleet, 2);
    assert_int_equal(pids_alive(fleet), 3);
    assert_string_equal(state_of(fleet, id, "stays"), "running");
    cli_expect(fleet, 0, "", "cancel", id, NULL);
    cli_expect(fleet, 5, "cancelled", "wait", id, NULL);
    EVENTUALLY(LIMIT_MS, pids_alive(fleet) == 0);
    assert_int_equal(marks_begun(fleet, "stays"), 1);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(what_a_killed_agent_ran_dies_and_is_run_elsewhere),
        ROW(a_restarted_agent_says_what_died_and_it_is_run_at_once),
        ROW(a_killed_helper_is_the_death_of_its_agent),
        ROW(a_task_that_kills_its_agents_is_poison),
        ROW(a_result_that_was_not_acknowledged_outlives_its_agent),
        ROW(a_cut_off_task_with_on_disconnect_stop_is_stopped_and_run_again),
        ROW(a_task_that_runs_when_its_daemon_dies_runs_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
