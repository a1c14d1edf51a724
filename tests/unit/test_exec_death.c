/* Who dies when: stops, timeouts, descendants that try to stay, the agent, the helper. */
#include <dirent.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/exec_rig.h"

static int open_rig(void **state)
{
    *state = rig_new();
    return 0;
}

static int close_rig(void **state)
{
    rig_free(*state);
    return 0;
}

/* Sets the variable F to a file of the rig, and waits for what a task writes there. */
static void name_file(struct rig *rig, struct msg_pair *env, char *path, size_t path_bytes)
{
    snprintf(path, path_bytes, "%s/mark", rig->directory);
    unlink(path);
    *env = (struct msg_pair){ STR("F"), str_of(path) };
    rig->body.env = env;
    rig->body.env_count = 1;
}

static bool has_number(struct rig *rig, void *context)
{
    (void)rig;
    return rig_number_in(context) > 0;
}

static pid_t wait_number(struct rig *rig, char *path)
{
    rig_until(rig, has_number, path);
    return (pid_t)rig_number_in(path);
}

static void a_task_that_runs_too_long_is_stopped(void **state)
{
    struct rig *rig = *state;
    rig->body.run_timeout_ms = 50;
    const struct str argv[] = { STR("sleep"), STR("3600") };
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, 2, argv));
    assert_int_equal(end->outcome, OUTCOME_TIMED_OUT);
    assert_string_equal(end->reason, "ran longer than 50ms");
    assert_int_equal(end->signal, SIGTERM);
    assert_in_range(end->duration_ms, 40, 4000); /* SIGTERM was enough: no grace was waited for */
}

static void a_task_that_ignores_sigterm_is_killed_after_the_grace(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "trap '' TERM; echo; while :; do sleep 3600; done");
    rig_wait_output(rig, fence, 1);
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 100, "cancelled");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->outcome, OUTCOME_CANCELLED);
    assert_string_equal(end->reason, "cancelled; it ignored SIGTERM and was killed");
    assert_int_equal(end->signal, SIGKILL);
}

static void a_second_stop_only_shortens_the_grace(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "trap '' TERM; echo; while :; do sleep 3600; done");
    rig_wait_output(rig, fence, 1);
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 3600 * 1000, "first");
    exec_stop(rig->exec, fence, OUTCOME_DISCONNECTED, 0, "second");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->outcome, OUTCOME_CANCELLED);
    assert_string_equal(end->reason, "first");
}

static void one_that_completes_while_it_is_stopped_has_exited(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "trap 'exit 0' TERM; echo; while :; do sleep 0.01; done");
    rig_wait_output(rig, fence, 1);
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 30000, "cancelled");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->outcome, OUTCOME_EXITED);
    assert_int_equal(end->exit_code, 0);
    assert_string_equal(end->reason, "");

    fence = rig_start_shell(rig, "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done");
    rig_wait_output(rig, fence, 1);
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 30000, "cancelled");
    end = rig_wait(rig, fence);
    assert_int_equal(end->outcome, OUTCOME_CANCELLED);
    assert_int_equal(end->exit_code, 7);
    assert_string_equal(end->reason, "cancelled");
}

static void one_that_is_stopped_at_once_ends_as_stopped(void **state)
{
    struct rig *rig = *state;
    const struct str argv[] = { STR("sleep"), STR("3600") };
    uint64_t fence = rig_start_argv(rig, 2, argv);
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 30000, "cancelled");
    assert_int_equal(rig_wait(rig, fence)->outcome, OUTCOME_CANCELLED);
}

static void a_grandchild_in_the_group_dies_with_its_task(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct msg_pair env;
    name_file(rig, &env, path, sizeof path);
    const struct rig_end *end = rig_shell(rig, "sleep 3600 & echo $! > $F");
    assert_int_equal(end->outcome, OUTCOME_EXITED);
    assert_int_equal(end->exit_code, 0);
    pid_t pid = (pid_t)rig_number_in(path);
    assert_true(pid > 0);
    assert_false(rig_process_lives(pid)); /* by the time that the end is told */
}

static void a_grandchild_in_another_session_dies_with_its_task(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct msg_pair env;
    static const char *const texts[] = {
        /* one that holds the pipes open, one that let go of all, one without our environment */
        "setsid sh -c 'echo $$ > $F; exec sleep 3600' & while [ ! -s $F ]; do sleep 0.01; done",
        "setsid sh -c 'echo $$ > $F; exec sleep 3600' < /dev/null > /dev/null 2>&1 & "
        "while [ ! -s $F ]; do sleep 0.01; done",
        "setsid env -i F=$F sh -c 'echo $$ > $F; exec sleep 3600' < /dev/null > /dev/null 2>&1 & "
        "while [ ! -s $F ]; do sleep 0.01; done",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        name_file(rig, &env, path, sizeof path);
        const struct rig_end *end = rig_shell(rig, texts[i]);
        assert_int_equal(end->outcome, OUTCOME_EXITED);
        pid_t pid = (pid_t)rig_number_in(path);
        assert_true(pid > 0);
        assert_false(rig_process_lives(pid));
    }
}

static void the_orphans_of_a_task_that_runs_are_left_alone(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct msg_pair env;
    name_file(rig, &env, path, sizeof path);
    uint64_t fence =
        rig_start_shell(rig, "(setsid sh -c 'echo $$ > $F; exec sleep 3600' &); exec sleep 3600");
    pid_t orphan = wait_number(rig, path);
    for (int i = 0; i < 3; i++) {
        rig_shell(rig, "true"); /* each end makes the helper look at its orphans */
    }
    assert_true(rig_process_lives(orphan));
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 30000, "cancelled");
    rig_wait(rig, fence);
    assert_false(rig_process_lives(orphan));
}

/* The children of a process, the newest last; what remains in `pids` stays as it is. */
static size_t children_of(pid_t parent, pid_t *pids, size_t pids_max)
{
    DIR *directory = opendir("/proc");
    assert_non_null(directory);
    size_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL && count < pids_max) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *file = pid > 0 ? fopen(path, "re") : NULL;
        if (file == NULL) {
            continue;
        }
        char line[256] = "";
        char *read = fgets(line, sizeof line, file);
        fclose(file);
        /* Behind the name come the state, a letter between blanks, and the parent. */
        const char *name_end = read == NULL ? NULL : strstr(line, ") ");
        if (name_end != NULL && strlen(name_end) > 4 &&
            strtol(name_end + 4, NULL, 10) == (long)parent) {
            pids[count++] = pid;
        }
    }
    closedir(directory);
    return count;
}

static void everything_dies_with_an_agent_that_is_killed(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct msg_pair env;
    name_file(rig, &env, path, sizeof path);
    exec_free(rig->exec);
    rig->exec = NULL;
    pid_t agent = fork();
    assert_true(agent >= 0);
    if (agent == 0) {
        /* Another agent on the same directory; what it starts is told through the file. */
        struct exec_config config = { .work_dir = rig->directory };
        struct exec_callbacks callbacks = { .context = NULL };
        struct exec *exec = NULL;
        event_reinit(rig->base);
        if (exec_new(rig->base, &config, &callbacks, &exec, NULL) != ERR_NONE) {
            _exit(1);
        }
        rig->body.executor = EXECUTOR_SHELL;
        rig->body.shell = STR("sleep 3600 & A=$!; setsid env -i sleep 3600 & "
                              "echo $A > $F.a; echo $! > $F.b; echo $$ > $F; exec sleep 3600");
        exec_start(exec, 7, 1, STR("c/t"), &rig->body);
        event_base_loop(rig->base, EVLOOP_ONCE); /* hands the start over, and waits for the word */
        for (;;) {
            pause();
        }
    }
    pid_t pids[4] = { 0 };
    pids[0] = wait_number(rig, path);
    char beside[160];
    snprintf(beside, sizeof beside, "%s.a", path);
    pids[1] = (pid_t)rig_number_in(beside);
    snprintf(beside, sizeof beside, "%s.b", path);
    pids[2] = (pid_t)rig_number_in(beside);
    assert_int_equal(children_of(agent, &pids[3], 1), 1); /* the helper */
    for (size_t i = 0; i < 4; i++) {
        assert_true(pids[i] > 0 && rig_process_lives(pids[i]));
    }
    kill(agent, SIGKILL);
    assert_int_equal(waitpid(agent, NULL, 0), agent);
    for (size_t i = 0; i < 4; i++) {
        rig_wait_death(pids[i]);
    }
    struct exec_config config = { .work_dir = rig->directory };
    struct exec_callbacks callbacks = { .context = NULL };
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
}

static void a_signal_to_the_helper_that_is_no_kill_changes_nothing(void **state)
{
    struct rig *rig = *state;
    pid_t helper = 0;
    assert_int_equal(children_of(getpid(), &helper, 1), 1);
    assert_int_equal(getsid(helper), helper); /* so the terminal's signals do not reach it */
    kill(helper, SIGTERM);
    kill(helper, SIGINT);
    kill(helper, SIGHUP);
    assert_int_equal(rig_shell(rig, "true")->outcome, OUTCOME_EXITED);
    assert_false(exec_is_broken(rig->exec));
}

/* As many descriptors of a process as are what an ended task had: pipes and files in memory. */
static size_t lent_to(pid_t pid)
{
    char own[64] = "";
    (void)!readlink("/proc/self/fd/2", own, sizeof own - 1); /* its stderr is ours, maybe a pipe */
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    size_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char link[64] = "";
        if (readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1) > 0 &&
            strcmp(link, own) != 0) {
            count += strncmp(link, "pipe:", 5) == 0 || strncmp(link, "/memfd:", 7) == 0;
        }
    }
    closedir(directory);
    return count;
}

static void the_helper_keeps_no_descriptor_of_a_task(void **state)
{
    struct rig *rig = *state;
    pid_t helper = 0;
    assert_int_equal(children_of(getpid(), &helper, 1), 1);
    rig->body.has_stdin = true;
    rig->body.stdin_data = STR("input");
    uint64_t fence = rig_start_shell(rig, "echo; exec sleep 3600");
    rig_wait_output(rig, fence, 1); /* which the helper has handed over by then */
    assert_int_equal(rig_wait(rig, rig_start_shell(rig, "cat"))->output.stdout_bytes, 5);
    assert_int_equal(lent_to(helper), 0);
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 0, "cancelled");
    rig_wait(rig, fence);
}

static bool is_broken(struct rig *rig, void *context)
{
    (void)context;
    return exec_is_broken(rig->exec);
}

/* Its FIFOs: with the agent's end they go, or else with the next one's start. */
static void what_runs_when_the_helper_is_killed_dies_and_has_no_end(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct msg_pair env;
    name_file(rig, &env, path, sizeof path);
    rig_shell(rig, "true");
    unsigned told = rig->told;
    uint64_t first = rig_start_shell(
        rig, "echo said; setsid sleep 3600 & echo $! > $F; while :; do sleep 3600; done");
    pid_t escaped = wait_number(rig, path);
    rig_wait_output(rig, first, 5);
    rig_start_shell(rig, "sleep 3600");
    pid_t helper = 0;
    assert_int_equal(children_of(getpid(), &helper, 1), 1);
    kill(helper, SIGKILL);
    rig_until(rig, is_broken, NULL);
    rig_wait_death(escaped);
    unsigned started = rig->started;
    rig_start_shell(rig, "true"); /* what comes now is not begun, and has not failed either */
    exec_stop(rig->exec, first, OUTCOME_CANCELLED, 0, "cancelled");
    for (int i = 0; i < 20; i++) {
        event_base_loop(rig->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(rig->told, told);
    assert_int_equal(rig->started, started);
    assert_false(exec_has_ends(rig->exec));
    exec_free(rig->exec);
    struct exec_config config = { .work_dir = rig->directory }; /* the next one starts afresh */
    struct exec_callbacks callbacks = { .context = NULL };
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
}

static void what_a_killed_helper_leaves_is_removed(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/pipes", rig->directory);
    /* Made when some small processes in a row have done with short pipes. */
    for (int i = 0; i < 200 && lstat(path, &status) != 0; i++) {
        rig_shell(rig, "true");
    }
    pid_t helper = 0;
    assert_int_equal(children_of(getpid(), &helper, 1), 1);
    kill(helper, SIGKILL);
    rig_until(rig, is_broken, NULL);
    exec_free(rig->exec);
    rig->exec = NULL;
    assert_int_equal(lstat(path, &status), -1);
    assert_int_equal(mkdir(path, 0700), 0);
    char inside[160];
    snprintf(inside, sizeof inside, "%s/0", path);
    assert_int_equal(mkfifo(inside, 0600), 0);
    struct exec_config config = { .work_dir = rig->directory };
    struct exec_callbacks callbacks = { .context = NULL };
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
    assert_int_equal(lstat(path, &status), -1);
}

static void freeing_kills_what_runs(void **state)
{
    struct rig *rig = *state;
    char path[128];
    struct msg_pair env;
    name_file(rig, &env, path, sizeof path);
    rig_start_shell(rig, "trap '' TERM; echo $$ > $F; while :; do sleep 3600; done");
    pid_t pid = wait_number(rig, path);
    exec_forget_others(rig->exec, NULL, 0); /* not what runs, but the mark */
    exec_free(rig->exec);
    assert_false(rig_process_lives(pid));
    assert_int_equal(rig->told, 0);
    struct exec_config config = { .work_dir = rig->directory };
    struct exec_callbacks callbacks = { .context = NULL };
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_that_runs_too_long_is_stopped),
        TEST(a_task_that_ignores_sigterm_is_killed_after_the_grace),
        TEST(a_second_stop_only_shortens_the_grace),
        TEST(one_that_completes_while_it_is_stopped_has_exited),
        TEST(one_that_is_stopped_at_once_ends_as_stopped),
        TEST(a_grandchild_in_the_group_dies_with_its_task),
        TEST(a_grandchild_in_another_session_dies_with_its_task),
        TEST(the_orphans_of_a_task_that_runs_are_left_alone),
        TEST(everything_dies_with_an_agent_that_is_killed),
        TEST(a_signal_to_the_helper_that_is_no_kill_changes_nothing),
        TEST(the_helper_keeps_no_descriptor_of_a_task),
        TEST(what_runs_when_the_helper_is_killed_dies_and_has_no_end),
        TEST(what_a_killed_helper_leaves_is_removed),
        TEST(freeing_kills_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
