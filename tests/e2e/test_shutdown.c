/* SIGTERM: an orderly end with exit code 0, nothing left running, and nothing forgotten. */
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
#include "tests/e2e/marks.h"

enum { LIMIT_MS = 40000 };

/* A task that ends by itself when the file "go" is there, and leaves its pid. */
static const char *waiting_spec(struct fleet *fleet)
{
    char *text = mem_format(
        "name: waiting\ntasks:\n"
        "  a:\n    env: {MARKS: \"%s\", GO: \"%s\"}\n    kill_grace: 300ms\n"
        "    shell: 'echo $$ >>\"$MARKS.pids\"; echo \"a 1 $$ begin\" >>\"$MARKS\";"
        " while [ ! -e \"$GO\" ]; do sleep 0.02; done; echo \"a 1 $$ end\" >>\"$MARKS\"'\n"
        "  b: {noop: true, needs: a}\n",
        fleet_path(fleet, "marks"), fleet_path(fleet, "go"));
    const char *path = fleet_write(fleet, "waiting.yaml", text);
    mem_free(text);
    return path;
}

static bool last_pid_alive(struct fleet *fleet)
{
    char *text = file_text(fleet_path(fleet, "marks.pids"));
    char *line = strrchr(text, '\n');
    while (line != NULL && line > text && line[-1] != '\n') {
        line--;
    }
    pid_t pid = line == NULL ? 0 : (pid_t)strtol(line, NULL, 10);
    free(text);
    return pid > 0 && pid_is_alive(pid);
}

static void a_stopped_daemon_leaves_work_running_and_takes_it_up_again(void **state)
{
    struct fleet *fleet = *state;
    fleet_quick(fleet, "10m");
    fleet_three(fleet);
    char id[128];
    snprintf(id, sizeof id, "%s", submitted(fleet, waiting_spec(fleet)));
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, id, "a"), "running") == 0);
    EVENTUALLY(LIMIT_MS, last_pid_alive(fleet));
    fleet_daemon_stop(fleet);
    struct stat status;
    char *socket = mem_format("%s/admin.sock", fleet->data_dir);
    assert_int_not_equal(stat(socket, &status), 0);
    mem_free(socket);
    assert_true(last_pid_alive(fleet));
    fleet_write(fleet, "go", "");
    fleet_daemon_start(fleet);
    cli_expect(fleet, 0, "succeeded", "wait", id, NULL);
    assert_int_equal(marks_begun(fleet, "a"), 1);
    fleet_passed(fleet);
}

static void a_stopped_agent_ends_its_tasks_and_they_run_again_without_costing_a_try(void **state)
{
    struct fleet *fleet = *state;
    fleet_quick(fleet, "10m");
    fleet_daemon_start(fleet);
    struct fleet_agent *agent = fleet_agent_add(fleet, "only", 2);
    fleet_agent_start(fleet, agent);
    char id[128];
    snprintf(id, sizeof id, "%s", submitted(fleet, waiting_spec(fleet)));
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, id, "a"), "running") == 0);
    EVENTUALLY(LIMIT_MS, last_pid_alive(fleet));
    fleet_agent_stop(agent);
    assert_false(last_pid_alive(fleet));
    assert_int_equal(file_count(agent->process.err, "agent.end"), 1);
    fleet_agents_connected(fleet, 0);
    fleet_write(fleet, "go", "");
    fleet_agent_start(fleet, agent);
    /* max_attempts is 1: a stop that is nobody's failure is not counted. */
    cli_expect(fleet, 0, "succeeded", "wait", id, NULL);
    assert_int_equal(marks_begun(fleet, "a"), 2);
    assert_int_equal(marks_ended(fleet, "a"), 1);
    fleet_passed(fleet);
}

static void a_cancelled_task_is_terminated_with_all_its_children(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    char *text = mem_format("name: stubborn\ntasks:\n"
                            "  a:\n    kill_grace: 200ms\n    env: {MARKS: \"%s\"}\n"
                            "    shell: 'trap \"\" TERM; setsid sh -c \"trap : TERM;"
                            " echo \\$\\$ >>\\\"$MARKS.pids\\\"; while :; do sleep 1; done\" &"
                            " echo $$ >>\"$MARKS.pids\"; while :; do sleep 1; done'\n",
                            fleet_path(fleet, "marks"));
    char id[128];
    snprintf(id, sizeof id, "%s", submitted(fleet, fleet_write(fleet, "stubborn.yaml", text)));
    mem_free(text);
    EVENTUALLY(LIMIT_MS, file_count(fleet_path(fleet, "marks.pids"), "\n") == 2);
    char *pids = file_text(fleet_path(fleet, "marks.pids"));
    char *rest = NULL;
    pid_t first = (pid_t)strtol(pids, &rest, 10);
    pid_t second = (pid_t)strtol(rest, NULL, 10);
    free(pids);
    assert_true(pid_is_alive(first) && pid_is_alive(second));
    cli_expect(fleet, 0, "", "cancel", id, NULL);
    cli_expect(fleet, 5, "cancelled", "wait", id, NULL);
    EVENTUALLY(LIMIT_MS, !pid_is_alive(first) && !pid_is_alive(second));
    fleet_passed(fleet);
}

static void work_directories_go_when_the_result_is_in(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct fleet_agent *agent = fleet_agent_add(fleet, "edge", 2);
    fleet_agent_start(fleet, agent);
    struct said said =
        cli(fleet, "run", "--on", "role=edge", "--", "sh", "-c",
            "pwd; ls -A | wc -l; env | grep -c ASTERISM_; read x || echo none", NULL);
    assert_int_equal(said.code, 0);
    char *work = mem_format("%s/work/", agent->data_dir);
    assert_non_null(strstr(said.out, work));
    assert_non_null(strstr(said.out, "\n0\n4\nnone\n"));
    char directory[FLEET_PATH_MAX];
    snprintf(directory, sizeof directory, "%.*s", (int)strcspn(said.out, "\n"), said.out);
    struct stat status;
    EVENTUALLY(LIMIT_MS, stat(directory, &status) != 0);
    said_done(&said);
    mem_free(work);
    fleet_agent_stop(agent);
    fleet_daemon_stop(fleet);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_stopped_daemon_leaves_work_running_and_takes_it_up_again),
        ROW(a_stopped_agent_ends_its_tasks_and_they_run_again_without_costing_a_try),
        ROW(a_cancelled_task_is_terminated_with_all_its_children),
        ROW(work_directories_go_when_the_result_is_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
