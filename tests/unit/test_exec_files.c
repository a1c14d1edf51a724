/* What attempts leave on disk: spools, their caps, and that all of it goes away. */
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

/* Its spool of stdout. */
static bool has_spool(const struct rig *rig, uint64_t fence)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/%" PRIu64 ".stdout", rig->directory, fence);
    return lstat(path, &status) == 0;
}

/* The first line of what it put out. */
static void line_of(struct rig *rig, uint64_t fence, char *line, size_t line_bytes)
{
    const char *text = rig_output(rig, fence, STREAM_STDOUT);
    snprintf(line, line_bytes, "%.*s", (int)strcspn(text, "\n"), text);
}

static bool is_there(const char *path, const char *below)
{
    char whole[256];
    struct stat status;
    snprintf(whole, sizeof whole, "%s%s", path, below);
    return lstat(whole, &status) == 0;
}

static void both_streams_are_kept_as_bytes(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "printf 'a\\000\\377b'; printf wrong >&2");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->output.stdout_bytes, 4);
    assert_int_equal(end->output.stderr_bytes, 5);
    assert_false(end->output.truncated);
    assert_memory_equal(rig_output(rig, fence, STREAM_STDOUT), "a\0\377b", 4);
    assert_int_equal(rig->text.length, 4);
    assert_string_equal(rig_output(rig, fence, STREAM_STDERR), "wrong");
}

static void output_is_told_while_the_task_runs(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "echo early; exec sleep 3600");
    rig_wait_output(rig, fence, 6);
    assert_int_equal(rig->told, 0);
    assert_string_equal(rig_output(rig, fence, STREAM_STDOUT), "early\n");
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 30000, "enough");
    rig_wait(rig, fence);
}

static void a_capped_task_goes_on(void **state)
{
    struct rig *rig = *state;
    rig->body.output_bytes_max = 100000;
    uint64_t fence = rig_start_shell(rig, "head -c 67108864 /dev/zero; echo last >&2; exit 5");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->outcome, OUTCOME_EXITED);
    assert_int_equal(end->exit_code, 5);
    assert_int_equal(end->output.stdout_bytes, 100000);
    assert_true(end->output.truncated);
    assert_string_equal(rig_output(rig, fence, STREAM_STDERR), "last\n");
    rig_output(rig, fence, STREAM_STDOUT);
    assert_int_equal(rig->text.length, 100000);
}

/* Of a process that is gone at once the helper reads the first, and the agent the rest. */
static void last_words_are_whole_and_in_order(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "seq 2000; seq 3000 5000 >&2");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->output.stdout_bytes, 8893);
    assert_int_equal(end->output.stderr_bytes, 10005);
    assert_false(end->output.truncated);
    for (int stream = 0; stream < 2; stream++) {
        const char *at = rig_output(rig, fence, stream == 0 ? STREAM_STDOUT : STREAM_STDERR);
        for (int i = stream == 0 ? 1 : 3000; i <= (stream == 0 ? 2000 : 5000); i++) {
            char line[16];
            int length = snprintf(line, sizeof line, "%d\n", i);
            assert_memory_equal(at, line, (size_t)length);
            at += length;
        }
    }
}

static void short_last_words_are_capped_too(void **state)
{
    struct rig *rig = *state;
    rig->body.output_bytes_max = 3;
    uint64_t fence = rig_start_shell(rig, "printf abcdef; printf xyz >&2");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->output.stdout_bytes, 3);
    assert_int_equal(end->output.stderr_bytes, 3);
    assert_true(end->output.truncated);
    assert_string_equal(rig_output(rig, fence, STREAM_STDOUT), "abc");
}

static void output_up_to_the_cap_is_whole(void **state)
{
    struct rig *rig = *state;
    rig->body.output_bytes_max = 100000;
    const struct rig_end *end = rig_shell(rig, "head -c 100000 /dev/zero");
    assert_int_equal(end->output.stdout_bytes, 100000);
    assert_false(end->output.truncated);
}

static void a_range_of_a_spool_can_be_read(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "printf 0123456789");
    rig_wait(rig, fence);
    struct buf text = { 0 };
    assert_int_equal(exec_read(rig->exec, fence, STREAM_STDOUT, 3, 4, &text), ERR_NONE);
    assert_string_equal(buf_text(&text), "3456");
    buf_clear(&text);
    assert_int_equal(exec_read(rig->exec, fence, STREAM_STDOUT, 10, 4, &text), ERR_NONE);
    assert_int_equal(exec_read(rig->exec, fence, STREAM_STDERR, 0, 4, &text), ERR_NONE);
    assert_int_equal(text.length, 0);
    assert_int_equal(exec_read(rig->exec, 999, STREAM_STDOUT, 0, 4, &text), ERR_NOT_FOUND);
    buf_done(&text);
}

static void a_spool_outlives_the_process_that_wrote_it(void **state)
{
    struct rig *rig = *state;
    uint64_t kept = rig_start_shell(rig, "echo kept");
    rig_wait(rig, kept);
    uint64_t other = rig_start_shell(rig, "echo other");
    rig_wait(rig, other);
    exec_free(rig->exec);
    struct exec_config config = { .work_dir = rig->directory };
    struct exec_callbacks callbacks = { .context = NULL };
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
    exec_forget_others(rig->exec, &kept, 1);
    assert_string_equal(rig_output(rig, kept, STREAM_STDOUT), "kept\n");
    assert_false(has_spool(rig, other));
    exec_forget(rig->exec, kept);
    assert_false(has_spool(rig, kept));
}

static bool is_trash_empty(struct rig *rig, void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/trash", rig->directory);
    return rig_entries(path) == 0;
}

static void forgetting_removes_whatever_the_task_left(void **state)
{
    struct rig *rig = *state;
    char outside[128];
    snprintf(outside, sizeof outside, "%s/outside", rig->directory);
    assert_int_equal(mkdir(outside, 0700), 0);
    const struct msg_pair env[] = { { STR("OUTSIDE"), str_of(outside) } };
    rig->body.env = env;
    rig->body.env_count = 1;
    uint64_t fence = rig_start_shell(
        rig, "pwd; touch $OUTSIDE/kept; ln -s $OUTSIDE link; mkfifo fifo; "
             "mkdir -p closed/inner; touch closed/inner/file; chmod 0 closed/inner closed; "
             "i=0; while [ $i -lt 300 ]; do mkdir deep; touch f1; cd deep; i=$((i+1)); done; "
             "touch .deep-0");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->exit_code, 0);
    char work[128];
    line_of(rig, fence, work, sizeof work);
    assert_true(is_there(work, "/closed"));
    exec_forget(rig->exec, fence);
    assert_false(is_there(work, "/.."));
    assert_false(has_spool(rig, fence));
    rig_until(rig, is_trash_empty, NULL);
    assert_int_equal(rig_entries(outside), 1);
}

static void what_runs_is_not_forgotten(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "echo; exec sleep 3600");
    rig_wait_output(rig, fence, 1);
    exec_forget(rig->exec, fence);
    exec_forget_others(rig->exec, NULL, 0);
    assert_true(has_spool(rig, fence));
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 30000, "enough");
    rig_wait(rig, fence);
}

/* The places of attempts that left nothing are used again, and must be as new. */
static void a_place_that_is_used_again_is_empty(void **state)
{
    struct rig *rig = *state;
    static const char *const spoilers[] = {
        "true",
        "touch left",
        "mkdir ../beside",
        "chmod 0755 .",
        "rmdir ../work",
        "echo 1 > $ASTERISM_OUTPUT",
        "echo said",
        "chmod 0 .",
        "chmod 0 ..",
        "mv ../work ../../moved",
        "mv $(dirname $PWD) ../../moved2",
        "touch gone; rm gone",
        "rmdir ../work; mkdir ../work; chmod 700 ../work",
        "mkdir ../../trash/more; touch ../../trash/more/file",
        "rmdir ../work; ln -s /tmp ../work",
    };
    for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++) {
        uint64_t fence = rig_start_shell(rig, spoilers[i]);
        assert_int_equal(rig_wait(rig, fence)->exit_code, 0);
        exec_forget(rig->exec, fence);
        fence = rig_start_shell(rig, "stat -c %a .; ls -A . ; ls -A .. | grep -v stdout");
        rig_wait(rig, fence);
        assert_string_equal(rig_output(rig, fence, STREAM_STDOUT), "700\nwork\n");
        exec_forget(rig->exec, fence);
    }
    exec_forget_others(rig->exec, NULL, 0);
    assert_true(rig_entries(rig->directory) <= 2); /* an idle one, the trash */
}

/* Where the task's directory was, told through a file outside of it. */
static uint64_t told_directory(struct rig *rig, const char *text)
{
    char path[128];
    char script[256];
    snprintf(path, sizeof path, "%s/told", rig->directory);
    snprintf(script, sizeof script, "basename $(dirname $PWD) > ../../told; %s", text);
    uint64_t fence = rig_start_shell(rig, script);
    assert_int_equal(rig_wait(rig, fence)->exit_code, 0);
    exec_forget(rig->exec, fence);
    return (uint64_t)rig_number_in(path);
}

static void a_directory_left_as_it_was_is_used_again(void **state)
{
    struct rig *rig = *state;
    uint64_t first = told_directory(rig, "true");
    assert_true(first > 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(told_directory(rig, "true"), first);
    }
    assert_int_equal(told_directory(rig, "touch left"), first);
    assert_int_not_equal(told_directory(rig, "true"), first);
}

static bool is_third_there(struct rig *rig, void *context)
{
    (void)context;
    return is_there(rig->directory, "/3/work") && is_trash_empty(rig, NULL);
}

static void the_first_directories_are_there_before_the_first_attempts(void **state)
{
    struct rig *rig = *state;
    exec_free(rig->exec);
    struct exec_config config = { .work_dir = rig->directory, .spares = 3 };
    struct exec_callbacks callbacks = { .context = NULL };
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
    exec_forget_others(rig->exec, NULL, 0);
    rig_until(rig, is_third_there, NULL);
    exec_free(rig->exec);
    assert_false(is_there(rig->directory, "/1"));
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
    rig_until(rig, is_third_there, NULL);
    assert_false(is_there(rig->directory, "/4"));
}

static void a_directory_in_which_a_process_may_live_is_not_used_again(void **state)
{
    struct rig *rig = *state;
    /* While this one runs, the orphan cannot be told from one of its own. */
    uint64_t older = rig_start_shell(rig, "echo; exec sleep 3600");
    rig_wait_output(rig, older, 1);
    uint64_t first =
        told_directory(rig, "setsid env -i sleep 3600 < /dev/null > /dev/null 2>&1 & "
                            "while [ \"$(tr '\\0' ' ' < /proc/$!/cmdline)\" != 'sleep 3600 ' ]; "
                            "do sleep 0.01; done");
    assert_int_not_equal(told_directory(rig, "true"), first);
    exec_stop(rig->exec, older, OUTCOME_CANCELLED, 30000, "enough");
    rig_wait(rig, older);
}

static void a_value_is_not_read_through_a_link_in_the_place_of_the_directory(void **state)
{
    struct rig *rig = *state;
    const struct rig_end *end =
        rig_shell(rig, "mkdir ../../outside; echo k=secret > ../../outside/output; "
                       "dir=$(dirname $PWD); cd ../..; rm -r $dir; ln -s outside $dir");
    assert_int_equal(end->exit_code, 0);
    assert_string_equal(end->result, "");
    assert_string_equal(end->reason, "the output file is not a regular file");
}

static bool is_moved_gone(struct rig *rig, void *context)
{
    (void)context;
    return !is_there(rig->directory, "/moved") && is_trash_empty(rig, NULL);
}

static void a_directory_that_its_task_moved_away_is_found(void **state)
{
    struct rig *rig = *state;
    static const char *const texts[] = { "touch left; mv ../work ../../moved",
                                         "touch left; mv $(dirname $PWD) ../../moved" };
    for (size_t i = 0; i < 2; i++) {
        uint64_t other = rig_start_shell(rig, "pwd");
        rig_wait(rig, other);
        uint64_t fence = rig_start_shell(rig, texts[i]);
        assert_int_equal(rig_wait(rig, fence)->exit_code, 0);
        assert_true(is_there(rig->directory, "/moved"));
        exec_forget(rig->exec, fence);
        rig_until(rig, is_moved_gone, NULL);
        char work[128];
        line_of(rig, other, work, sizeof work);
        assert_true(is_there(work, "")); /* what is held stays */
        assert_true(has_spool(rig, other));
        exec_forget(rig->exec, other);
    }
}

/* 20,000 files, in each pass of the loop so few of them that all else goes on between. */
static void a_large_tree_does_not_hold_up_the_loop(void **state)
{
    enum { FILES = 20000, A_PASS_MAX = 200 };
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "pwd; : > 0");
    rig_wait(rig, fence);
    rig_until(rig, is_trash_empty, NULL);
    char path[128];
    line_of(rig, fence, path, sizeof path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 1; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(linkat(fd, "0", fd, name, 0), 0);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    exec_forget(rig->exec, fence);
    size_t left = FILES;
    for (int passes = 0; passes < 20; passes++) {
        size_t before = left;
        event_base_loop(rig->base, EVLOOP_ONCE);
        left = rig_entries(path);
        assert_in_range(before - left, 0, A_PASS_MAX);
    }
    assert_true(left < FILES);
    close(fd);
    rig_until(rig, is_trash_empty, NULL);
}

static void trash_that_a_kill_left_is_removed_by_the_next_start(void **state)
{
    struct rig *rig = *state;
    char path[160];
    exec_free(rig->exec);
    snprintf(path, sizeof path, "%s/trash", rig->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/trash/17", rig->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "%s/trash/17/%d", rig->directory, i);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    struct exec_config config = { .work_dir = rig->directory };
    struct exec_callbacks callbacks = { .context = NULL };
    assert_int_equal(exec_new(rig->base, &config, &callbacks, &rig->exec, NULL), ERR_NONE);
    assert_false(is_trash_empty(rig, NULL));
    rig_until(rig, is_trash_empty, NULL);
}

/* The task puts a link where its spool will be. */
static void a_spool_is_never_written_through_a_link(void **state)
{
    struct rig *rig = *state;
    char victim[128];
    snprintf(victim, sizeof victim, "%s/victim", rig->directory);
    const struct msg_pair env[] = { { STR("VICTIM"), str_of(victim) } };
    rig->body.env = env;
    rig->body.env_count = 1;
    uint64_t fence =
        rig_start_shell(rig, ": > $VICTIM; ln -s $VICTIM ../../$ASTERISM_FENCE.stdout; echo text");
    rig_wait(rig, fence);
    assert_string_equal(rig_output(rig, fence, STREAM_STDOUT), "text\n");
    struct stat status;
    assert_int_equal(stat(victim, &status), 0);
    assert_int_equal(status.st_size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_streams_are_kept_as_bytes),
        TEST(output_is_told_while_the_task_runs),
        TEST(a_capped_task_goes_on),
        TEST(last_words_are_whole_and_in_order),
        TEST(short_last_words_are_capped_too),
        TEST(output_up_to_the_cap_is_whole),
        TEST(a_range_of_a_spool_can_be_read),
        TEST(a_spool_outlives_the_process_that_wrote_it),
        TEST(forgetting_removes_whatever_the_task_left),
        TEST(what_runs_is_not_forgotten),
        TEST(a_place_that_is_used_again_is_empty),
        TEST(a_directory_left_as_it_was_is_used_again),
        TEST(the_first_directories_are_there_before_the_first_attempts),
        TEST(a_directory_in_which_a_process_may_live_is_not_used_again),
        TEST(a_value_is_not_read_through_a_link_in_the_place_of_the_directory),
        TEST(a_directory_that_its_task_moved_away_is_found),
        TEST(a_large_tree_does_not_hold_up_the_loop),
        TEST(trash_that_a_kill_left_is_removed_by_the_next_start),
        TEST(a_spool_is_never_written_through_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
