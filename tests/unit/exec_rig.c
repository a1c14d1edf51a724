#include "tests/unit/exec_rig.h"

#include <dirent.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_started(void *context, uint64_t fence, int64_t wall_ms)
{
    struct rig *rig = context;
    (void)fence;
    assert_true(wall_ms > 0);
    rig->started++;
}

static struct rig_end *end_of(struct rig *rig, uint64_t fence)
{
    return &rig->ends[fence % RIG_ENDS_MAX];
}

static void on_output(void *context, uint64_t fence, struct exec_output output)
{
    struct rig *rig = context;
    end_of(rig, fence)->output = output;
}

static void on_ended(void *context, uint64_t fence, const struct exec_end *end)
{
    struct rig *rig = context;
    struct rig_end *kept = end_of(rig, fence);
    mem_free(kept->result);
    *kept = (struct rig_end){
        .fence = fence,
        .outcome = end->outcome,
        .exit_code = end->exit_code,
        .signal = end->signal,
        .started_wall_ms = end->started_wall_ms,
        .duration_ms = end->duration_ms,
        .output = end->output,
    };
    snprintf(kept->reason, sizeof kept->reason, "%.*s", STR_ARG(end->reason));
    kept->result = mem_format("%.*s", STR_ARG(end->result));
    rig->told++;
}

struct rig *rig_new(void)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    const char *root = getenv("TMPDIR");
    snprintf(rig->directory, sizeof rig->directory, "%.40s/asterism-XXXXXX",
             root != NULL && strlen(root) <= 40 ? root : "/tmp");
    assert_non_null(mkdtemp(rig->directory));
    rig->base = event_base_new();
    rig->next_fence = 1;
    rig->body = (struct msg_body){ .kill_grace_ms = 5000, .output_bytes_max = 1024 * 1024 };
    struct exec_config config = { .work_dir = rig->directory };
    struct exec_callbacks callbacks = { rig, on_started, on_output, on_ended };
    struct reason reason = { .text = "" };
    enum err err = exec_new(rig->base, &config, &callbacks, &rig->exec, &reason);
    assert_string_equal(reason.text, "");
    assert_int_equal(err, ERR_NONE);
    return rig;
}

void rig_free(struct rig *rig)
{
    if (rig->exec != NULL) {
        exec_forget_others(rig->exec, NULL, 0);
        exec_free(rig->exec);
    }
    event_base_free(rig->base);
    for (size_t i = 0; i < RIG_ENDS_MAX; i++) {
        mem_free(rig->ends[i].result);
    }
    buf_done(&rig->text);
    assert_int_equal(rmdir(rig->directory), 0);
    mem_free(rig);
}

uint64_t rig_start(struct rig *rig)
{
    uint64_t fence = rig->next_fence++;
    struct rig_end *end = end_of(rig, fence);
    mem_free(end->result);
    *end = (struct rig_end){ .fence = 0 };
    exec_start(rig->exec, fence, 3, STR("fleet-ab12/scan"), &rig->body);
    return fence;
}

uint64_t rig_start_argv(struct rig *rig, size_t count, const struct str *argv)
{
    rig->body.executor = EXECUTOR_RUN;
    rig->body.argv = argv;
    rig->body.argv_count = count;
    return rig_start(rig);
}

uint64_t rig_start_shell(struct rig *rig, const char *text)
{
    rig->body.executor = EXECUTOR_SHELL;
    rig->body.shell = str_of(text);
    return rig_start(rig);
}

void rig_until(struct rig *rig, bool (*done)(struct rig *rig, void *context), void *context)
{
    int64_t until_ms = now_ms() + RIG_WAIT_MS;
    const struct timeval tick = { .tv_usec = 5000 };
    while (!done(rig, context)) {
        assert_true(now_ms() < until_ms);
        event_base_loopexit(rig->base, &tick);
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
}

static bool has_ended(struct rig *rig, void *context)
{
    const uint64_t *fence = context;
    return end_of(rig, *fence)->fence == *fence;
}

const struct rig_end *rig_wait(struct rig *rig, uint64_t fence)
{
    rig_until(rig, has_ended, &fence);
    return end_of(rig, fence);
}

const struct rig_end *rig_shell(struct rig *rig, const char *text)
{
    return rig_wait(rig, rig_start_shell(rig, text));
}

struct awaited {
    uint64_t fence;
    uint64_t bytes;
};

static bool has_written(struct rig *rig, void *context)
{
    const struct awaited *awaited = context;
    return end_of(rig, awaited->fence)->output.stdout_bytes >= awaited->bytes;
}

void rig_wait_output(struct rig *rig, uint64_t fence, uint64_t bytes)
{
    struct awaited awaited = { fence, bytes };
    rig_until(rig, has_written, &awaited);
}

const char *rig_output(struct rig *rig, uint64_t fence, enum stream stream)
{
    buf_clear(&rig->text);
    assert_int_equal(exec_read(rig->exec, fence, stream, 0, SIZE_MAX, &rig->text), ERR_NONE);
    return buf_text(&rig->text);
}

bool rig_process_lives(pid_t pid)
{
    char path[64];
    char text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *at = strrchr(text, ')');
    return at != NULL && at[1] == ' ' && at[2] != 'Z' && at[2] != 'X';
}

void rig_wait_death(pid_t pid)
{
    int64_t until_ms = now_ms() + RIG_WAIT_MS;
    const struct timespec pause = { .tv_nsec = 2000000 };
    while (rig_process_lives(pid)) {
        assert_true(now_ms() < until_ms);
        nanosleep(&pause, NULL);
    }
}

long rig_number_in(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    char line[32] = "";
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    char *end = line;
    long number = read == NULL ? 0 : strtol(line, &end, 10);
    return *end == '\n' ? number : 0; /* without its newline it is still being written */
}

size_t rig_entries(const char *directory)
{
    DIR *opened = opendir(directory);
    assert_non_null(opened);
    size_t count = 0;
    while (readdir(opened) != NULL) {
        count++;
    }
    closedir(opened);
    return count - 2; /* . and .. */
}
