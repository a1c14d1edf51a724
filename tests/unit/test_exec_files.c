/* What attempts leave on disk: spools, their caps, and that all of it goes away. */
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

static bool exists(const struct rig *rig, uint64_t fence, const char *below)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/%" PRIu64 "%s", rig->directory, fence, below);
    return lstat(path, &status) == 0;
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
    assert_false(exists(rig, other, ""));
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
        rig, "echo; touch $OUTSIDE/kept; ln -s $OUTSIDE link; mkfifo fifo; "
             "mkdir -p closed/inner; touch closed/inner/file; chmod 0 closed/inner closed; "
             "i=0; while [ $i -lt 300 ]; do mkdir deep; touch f1; cd deep; i=$((i+1)); done; "
             "touch .deep-0");
    const struct rig_end *end = rig_wait(rig, fence);
    assert_int_equal(end->exit_code, 0);
    assert_true(exists(rig, fence, "/work/closed"));
    exec_forget(rig->exec, fence);
    assert_false(exists(rig, fence, ""));
    assert_int_equal(rig_entries(outside), 1);
}

static void what_runs_is_not_forgotten(void **state)
{
    struct rig *rig = *state;
    uint64_t fence = rig_start_shell(rig, "echo; exec sleep 3600");
    rig_wait_output(rig, fence, 1);
    exec_forget(rig->exec, fence);
    exec_forget_others(rig->exec, NULL, 0);
    assert_true(exists(rig, fence, "/stdout"));
    exec_stop(rig->exec, fence, OUTCOME_CANCELLED, 30000, "enough");
    rig_wait(rig, fence);
}

/* The places of attempts that left nothing are used again, and must be as new. */
static void a_place_that_is_used_again_is_empty(void **state)
{
    struct rig *rig = *state;
    static const char *const spoilers[] = {
        "true",         "touch left",    "mkdir ../beside",
        "chmod 0755 .", "rmdir ../work", "echo 1 > $ASTERISM_OUTPUT",
        "echo said",
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
    assert_true(rig_entries(rig->directory) <= 1);
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
    uint64_t fence = rig_start_shell(rig, ": > $VICTIM; ln -s $VICTIM ../stdout; echo text");
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
        TEST(output_up_to_the_cap_is_whole),
        TEST(a_range_of_a_spool_can_be_read),
        TEST(a_spool_outlives_the_process_that_wrote_it),
        TEST(forgetting_removes_whatever_the_task_left),
        TEST(what_runs_is_not_forgotten),
        TEST(a_place_that_is_used_again_is_empty),
        TEST(a_spool_is_never_written_through_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
