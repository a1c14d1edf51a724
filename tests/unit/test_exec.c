/* What the executors promise of ordinary tasks: ends, words, input, environment, values. */
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
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

static void exit_codes_come_back(void **state)
{
    struct rig *rig = *state;
    const struct str true_argv[] = { STR("true") };
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, 1, true_argv));
    assert_int_equal(end->outcome, OUTCOME_EXITED);
    assert_int_equal(end->exit_code, 0);
    assert_string_equal(end->reason, "");
    assert_true(end->started_wall_ms > 0);

    end = rig_shell(rig, "exit 37");
    assert_int_equal(end->outcome, OUTCOME_EXITED);
    assert_int_equal(end->exit_code, 37);
    assert_string_equal(end->reason, "exited with code 37");
    assert_int_equal(rig->started, 2);
}

static void a_death_by_a_signal_is_told_in_words(void **state)
{
    const struct rig_end *end = rig_shell(*state, "kill -9 $$");
    assert_int_equal(end->outcome, OUTCOME_SIGNALLED);
    assert_int_equal(end->signal, SIGKILL);
    assert_string_equal(end->reason, "killed by signal 9 (SIGKILL)");
}

static void a_missing_executable_is_told_in_words(void **state)
{
    struct rig *rig = *state;
    const struct str argv[] = { STR("no-such-program") };
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, 1, argv));
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_string_equal(end->reason,
                        "no executable \"no-such-program\" in PATH "
                        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    assert_int_equal(rig->started, 0);

    const struct str path_argv[] = { STR("/no/such/program") };
    end = rig_wait(rig, rig_start_argv(rig, 1, path_argv));
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_string_equal(end->reason, "no executable \"/no/such/program\"");
}

static void what_cannot_be_executed_is_told_in_words(void **state)
{
    struct rig *rig = *state;
    char script[128];
    snprintf(script, sizeof script, "%s/script", rig->directory);
    int fd = open(script, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "#!/no/such/interpreter\n", 23), 23);
    close(fd);
    const struct str argv[] = { str_of(script) };
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, 1, argv));
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_non_null(strstr(end->reason, "is not executable"));

    assert_int_equal(chmod(script, 0700), 0);
    end = rig_wait(rig, rig_start_argv(rig, 1, argv));
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_non_null(strstr(end->reason, "the interpreter that"));

    fd = open(script, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, "echo\n", 5), 5);
    close(fd);
    end = rig_wait(rig, rig_start_argv(rig, 1, argv));
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_non_null(strstr(end->reason, "a script needs a #! line"));
}

static void an_argument_list_that_is_too_long_is_told_in_words(void **state)
{
    struct rig *rig = *state;
    char *large = mem_alloc(300 * 1024);
    memset(large, 'x', 300 * 1024 - 1);
    const struct str argv[] = { STR("true"), { large, 300 * 1024 - 1 } };
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, 2, argv));
    mem_free(large);
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_non_null(strstr(end->reason, "argument list too long"));
}

static void a_large_command_runs(void **state)
{
    struct rig *rig = *state;
    enum { COUNT = 4000, EACH = 100 };
    char *text = mem_alloc(EACH);
    memset(text, 'y', EACH);
    struct str *argv = mem_array(COUNT, sizeof *argv);
    argv[0] = STR("/bin/echo");
    for (size_t i = 1; i < COUNT; i++) {
        argv[i] = (struct str){ text, EACH };
    }
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, COUNT, argv));
    assert_int_equal(end->outcome, OUTCOME_EXITED);
    assert_int_equal(end->output.stdout_bytes, (COUNT - 1) * (EACH + 1));
    mem_free(argv);
    mem_free(text);
}

static void what_makes_no_command_is_refused(void **state)
{
    struct rig *rig = *state;
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, 0, NULL));
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_string_equal(end->reason, "no command is given");

    const struct msg_pair env[] = { { STR("A=B"), STR("c") } };
    rig->body.env = env;
    rig->body.env_count = 1;
    end = rig_shell(rig, "true");
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_string_equal(end->reason, "an environment variable cannot be called \"A=B\"");

    rig->body.executor = (enum executor)77;
    end = rig_wait(rig, rig_start(rig));
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_string_equal(end->reason, "this agent has no executor number 77");
}

static void stdin_is_what_the_task_gives(void **state)
{
    struct rig *rig = *state;
    const struct str argv[] = { STR("cat") };
    uint64_t fence = rig_start_argv(rig, 1, argv);
    assert_int_equal(rig_wait(rig, fence)->output.stdout_bytes, 0);

    enum { BYTES = 300 * 1024 };
    char *large = mem_alloc(BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        large[i] = (char)(i * 7);
    }
    rig->body.has_stdin = true;
    rig->body.stdin_data = (struct str){ large, BYTES };
    fence = rig_start_argv(rig, 1, argv);
    assert_int_equal(rig_wait(rig, fence)->output.stdout_bytes, BYTES);
    assert_memory_equal(rig_output(rig, fence, STREAM_STDOUT), large, BYTES);
    mem_free(large);
}

static void a_task_runs_in_an_empty_directory_of_its_own(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "pwd -P; ls -A | wc -l; umask; stat -c %a .");
    rig_wait(rig, fence);
    const char *said = rig_output(rig, fence, STREAM_STDOUT);
    size_t length = strlen(rig->directory);
    assert_memory_equal(said, rig->directory, length);
    said += length;
    said += strcspn(said, "w"); /* the number is the agent's own affair */
    assert_string_equal(said, "work\n0\n0022\n700\n");
}

static void a_task_runs_in_the_directory_that_it_names(void **state)
{
    struct rig *rig = *state;
    rig->body.has_cwd = true;
    rig->body.cwd = STR("/usr/bin");
    uint64_t fence = rig_start_shell(rig, "pwd");
    assert_int_equal(rig_wait(rig, fence)->outcome, OUTCOME_EXITED);
    assert_string_equal(rig_output(rig, fence, STREAM_STDOUT), "/usr/bin\n");

    rig->body.cwd = STR("/no/such/directory");
    const struct rig_end *end = rig_shell(rig, "pwd");
    assert_int_equal(end->outcome, OUTCOME_START_FAILED);
    assert_string_equal(end->reason, "the directory \"/no/such/directory\" does not exist");
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void the_environment_is_exactly_the_plain_one(void **state)
{
    struct rig *rig = *state;
    const struct msg_pair env[] = { { STR("LANG"), STR("C") },
                                    { STR("NUMBER"), STR("a=b c\nd") },
                                    { STR("ASTERISM_FENCE"), STR("9") } };
    rig->body.env = env;
    rig->body.env_count = 3;
    const struct str argv[] = { STR("env"), STR("-0") };
    uint64_t fence = rig_start_argv(rig, 2, argv);
    assert_int_equal(rig_wait(rig, fence)->outcome, OUTCOME_EXITED);
    rig_output(rig, fence, STREAM_STDOUT);
    char *lines[16] = { NULL };
    size_t count = 0;
    for (size_t at = 0; at < rig->text.length; at += strlen(lines[count++]) + 1) {
        assert_true(count < 16);
        lines[count] = (char *)rig->text.data + at;
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    assert_int_equal(count, 8);
    char expected[256];
    assert_string_equal(lines[0], "ASTERISM_ATTEMPT=3");
    snprintf(expected, sizeof expected, "ASTERISM_FENCE=%" PRIu64, fence);
    assert_string_equal(lines[1], expected);
    snprintf(expected, sizeof expected, "ASTERISM_OUTPUT=%s/", rig->directory);
    assert_memory_equal(lines[2], expected, strlen(expected));
    assert_string_equal(strrchr(lines[2], '/'), "/output");
    assert_string_equal(lines[3], "ASTERISM_TASK=fleet-ab12/scan");
    assert_memory_equal(lines[4], "HOME=/", 6);
    assert_string_equal(lines[5], "LANG=C");
    assert_string_equal(lines[6], "NUMBER=a=b c\nd");
    assert_string_equal(lines[7],
                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

static void an_executable_is_looked_for_in_the_path_of_the_task(void **state)
{
    struct rig *rig = *state;
    const struct msg_pair env[] = { { STR("PATH"), STR("/no/such:/nowhere") } };
    rig->body.env = env;
    rig->body.env_count = 1;
    const struct str argv[] = { STR("true") };
    const struct rig_end *end = rig_wait(rig, rig_start_argv(rig, 1, argv));
    assert_string_equal(end->reason, "no executable \"true\" in PATH /no/such:/nowhere");
}

static void a_task_inherits_no_descriptor_and_no_signal_setting(void **state)
{
    struct rig *rig = *state;
    /* Neither what leaks at the agent, nor what is blocked or ignored there. */
    int leak = open("/dev/null", O_RDONLY); /* NOLINT: not close-on-exec on purpose */
    assert_true(leak >= 0);
    signal(SIGPIPE, SIG_IGN);
    uint64_t fence = rig_start_shell(
        rig, "ls /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign):' /proc/self/status; "
             "[ $$ = $(ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat) ] && echo own");
    rig_wait(rig, fence);
    signal(SIGPIPE, SIG_DFL);
    close(leak);
    /* 0, 1, 2, and the directory that ls reads. */
    assert_string_equal(rig_output(rig, fence, STREAM_STDOUT),
                        "4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nown\n");
}

/* The helper holds the descriptors of all that wait to be started. */
static void of_many_that_start_at_once_none_inherits_what_is_anothers(void **state)
{
    struct rig *rig = *state;
    rig->body.has_stdin = true;
    rig->body.stdin_data = STR("input");
    uint64_t first = rig->next_fence;
    for (int i = 0; i < RIG_ENDS_MAX; i++) {
        rig_start_shell(rig, "ls /proc/self/fd | wc -l; cat; echo $ASTERISM_FENCE");
    }
    for (uint64_t fence = first; fence < rig->next_fence; fence++) {
        char expected[64];
        snprintf(expected, sizeof expected, "4\ninput%" PRIu64 "\n", fence);
        rig_wait(rig, fence);
        assert_string_equal(rig_output(rig, fence, STREAM_STDOUT), expected);
    }
}

static void the_value_is_the_json_of_the_output_file(void **state)
{
    struct rig *rig = *state;
    const struct rig_end *end =
        rig_shell(rig, "printf '{ \"rows\": 12,\\n \"ok\" : true }' > \"$ASTERISM_OUTPUT\"");
    assert_string_equal(end->result, "{\"rows\":12,\"ok\":true}");
    assert_string_equal(end->reason, "");
    end = rig_shell(rig, "echo 42 > \"$ASTERISM_OUTPUT\"");
    assert_string_equal(end->result, "42");
    end = rig_shell(rig, "echo 42 > \"$ASTERISM_OUTPUT\"; exit 3");
    assert_string_equal(end->result, "42");
    assert_string_equal(end->reason, "exited with code 3");
}

static void lines_of_an_output_file_are_an_object_of_strings(void **state)
{
    const struct rig_end *end =
        rig_shell(*state, "echo rows=12 > $ASTERISM_OUTPUT; echo path=/a=b >> $ASTERISM_OUTPUT");
    assert_string_equal(end->result, "{\"rows\":\"12\",\"path\":\"/a=b\"}");
}

static void a_bad_output_file_is_a_reason_beside_exit_0(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[][2] = {
        { "echo '{\"a\":1,\"a\":2}' > $ASTERISM_OUTPUT",
          "the output file is neither JSON nor k=v lines" },
        { "echo just words > $ASTERISM_OUTPUT", "the output file is neither JSON nor k=v lines" },
        { "head -c 70000 /dev/zero > $ASTERISM_OUTPUT", "the output file is larger than 64 KiB" },
        { "ln -s /etc/passwd $ASTERISM_OUTPUT", "the output file is not a regular file" },
        { "mkfifo $ASTERISM_OUTPUT", "the output file is not a regular file" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct rig_end *end = rig_shell(rig, bad[i][0]);
        assert_int_equal(end->outcome, OUTCOME_EXITED);
        assert_int_equal(end->exit_code, 0);
        assert_string_equal(end->result, "");
        assert_memory_equal(end->reason, bad[i][1], strlen(bad[i][1]));
    }
}

static void stdout_is_the_value_if_the_body_says_so(void **state)
{
    struct rig *rig = *state;
    rig->body.output_json = true;
    assert_string_equal(rig_shell(rig, "echo '[1, 2]'")->result, "[1,2]");
    const struct rig_end *end = rig_shell(rig, "echo '[1, 2'");
    assert_string_equal(end->result, "");
    assert_memory_equal(end->reason, "stdout is not JSON: line", 24);
    end = rig_shell(rig, "exit 4");
    assert_string_equal(end->reason, "exited with code 4");
}

static bool all_noops_ended(struct rig *rig, void *context)
{
    return rig->told == *(const unsigned *)context;
}

static void ten_thousand_noops_end_from_the_loop(void **state)
{
    struct rig *rig = *state;
    unsigned count = 10000;
    rig->body.executor = EXECUTOR_NOOP;
    for (unsigned i = 0; i < count; i++) {
        rig_start(rig);
    }
    assert_int_equal(rig->told, 0); /* never from inside exec_start */
    rig_until(rig, all_noops_ended, &count);
    assert_int_equal(rig_entries(rig->directory), 1); /* the trash */
}

/* What the helper says last may come a moment after the process is gone: then another is tried. */
static void a_start_and_an_end_that_wait_are_told_in_one_pass(void **state)
{
    struct rig *rig = *state;
    char path[96];
    snprintf(path, sizeof path, "%s/mark", rig->directory);
    const struct msg_pair env = { STR("F"), str_of(path) };
    rig->body.env = &env;
    rig->body.env_count = 1;
    const struct timespec pause = { .tv_nsec = 1000000 };
    bool is_together = false;
    for (int i = 0; i < 100 && !is_together; i++) {
        unsigned told = rig->told;
        unsigned started = rig->started;
        uint64_t fence = rig_start_shell(rig, "echo $$ > $F");
        event_base_loop(rig->base, EVLOOP_ONCE | EVLOOP_NONBLOCK); /* the order goes out */
        assert_int_equal(rig->started, started);
        while (rig_number_in(path) == 0 || kill((pid_t)rig_number_in(path), 0) == 0) {
            nanosleep(&pause, NULL);
        }
        event_base_loop(rig->base, EVLOOP_ONCE);
        is_together = rig->started > started && rig->told > told;
        rig_wait(rig, fence);
        assert_int_equal(unlink(path), 0);
    }
    assert_true(is_together);
}

static void a_sleep_ends_in_time_or_when_it_is_stopped(void **state)
{
    struct rig *rig = *state;
    rig->body.executor = EXECUTOR_SLEEP;
    rig->body.sleep_ms = 20;
    const struct rig_end *end = rig_wait(rig, rig_start(rig));
    assert_int_equal(end->outcome, OUTCOME_EXITED);
    assert_in_range(end->duration_ms, 19, 10000);

    rig->body.run_timeout_ms = 10;
    end = rig_wait(rig, rig_start(rig));
    assert_int_equal(end->outcome, OUTCOME_TIMED_OUT);
    assert_string_equal(end->reason, "ran longer than 10ms");

    rig->body.run_timeout_ms = 0;
    rig->body.sleep_ms = 3600 * 1000;
    uint64_t fence = rig_start(rig);
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 0, "cancelled by a test");
    exec_stop(rig->exec, fence + 1, OUTCOME_CANCELLED, 0, "no such fence");
    end = rig_wait(rig, fence);
    assert_int_equal(end->outcome, OUTCOME_CANCELLED);
    assert_string_equal(end->reason, "cancelled by a test");
}

static void a_process_is_stopped_for_its_silence_and_not_while_it_speaks(void **state)
{
    struct rig *rig = *state;
    rig->body.executor = EXECUTOR_SHELL;
    rig->body.silence_timeout_ms = 1500;
    rig->body.output_bytes_max = 4; /* what is dropped counts as well */
    rig->body.shell = STR("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.25; done");
    const struct rig_end *end = rig_wait(rig, rig_start(rig));
    assert_int_equal(end->outcome, OUTCOME_EXITED);

    rig->body.shell = STR("echo first; exec sleep 3600");
    end = rig_wait(rig, rig_start(rig));
    assert_int_equal(end->outcome, OUTCOME_TIMED_OUT);
    assert_string_equal(end->reason, "put out nothing for 1500ms");
    assert_in_range(end->duration_ms, 1499, 60000);
}

static void a_missing_helper_is_an_error_of_exec_new(void **state)
{
    struct rig *rig = *state;
    struct exec_config config = { .work_dir = rig->directory, .helper = "/no/such/helper" };
    struct exec_callbacks callbacks = { .context = rig };
    struct exec *exec = NULL;
    struct reason reason;
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &exec, &reason), ERR_IO);
    assert_string_equal(reason.text,
                        "cannot start the exec helper /no/such/helper: No such file or directory");
    config.helper = "/bin/true";
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &exec, &reason), ERR_IO);
    assert_string_equal(reason.text, "/bin/true is not the exec helper of this version");
    assert_null(exec);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exit_codes_come_back),
        TEST(a_death_by_a_signal_is_told_in_words),
        TEST(a_missing_executable_is_told_in_words),
        TEST(what_cannot_be_executed_is_told_in_words),
        TEST(an_argument_list_that_is_too_long_is_told_in_words),
        TEST(a_large_command_runs),
        TEST(what_makes_no_command_is_refused),
        TEST(stdin_is_what_the_task_gives),
        TEST(a_task_runs_in_an_empty_directory_of_its_own),
        TEST(a_task_runs_in_the_directory_that_it_names),
        TEST(the_environment_is_exactly_the_plain_one),
        TEST(an_executable_is_looked_for_in_the_path_of_the_task),
        TEST(a_task_inherits_no_descriptor_and_no_signal_setting),
        TEST(of_many_that_start_at_once_none_inherits_what_is_anothers),
        TEST(the_value_is_the_json_of_the_output_file),
        TEST(lines_of_an_output_file_are_an_object_of_strings),
        TEST(a_bad_output_file_is_a_reason_beside_exit_0),
        TEST(stdout_is_the_value_if_the_body_says_so),
        TEST(ten_thousand_noops_end_from_the_loop),
        TEST(a_start_and_an_end_that_wait_are_told_in_one_pass),
        TEST(a_sleep_ends_in_time_or_when_it_is_stopped),
        TEST(a_process_is_stopped_for_its_silence_and_not_while_it_speaks),
        TEST(a_missing_helper_is_an_error_of_exec_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
