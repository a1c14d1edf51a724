/* The table of executors, and what all of them share: the map of what runs, the queue of ends. */
#include "agent/exec/executor.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/exec/attempt.h"
#include "agent/exec/channel.h"
#include "agent/exec/leftover.h"
#include "common/base/check.h"
#include "common/base/mem.h"

static const struct executor_kind *const executors[] = {
    &executor_run,
    &executor_shell,
    &executor_noop,
    &executor_sleep,
};

static const struct executor_kind *executor_find(enum executor executor)
{
    for (size_t i = 0; i < sizeof executors / sizeof executors[0]; i++) {
        if (executors[i]->executor == executor) {
            return executors[i];
        }
    }
    return NULL;
}

struct attempt *attempt_new(struct exec *exec, const struct executor_kind *kind,
                            const struct exec_order *order, size_t bytes)
{
    struct attempt *attempt = mem_alloc(bytes);
    attempt->fence = order->fence;
    attempt->exec = exec;
    attempt->kind = kind;
    return attempt;
}

void attempt_runs(struct attempt *attempt)
{
    map_put(&attempt->exec->attempts, attempt->fence, attempt);
}

static void attempt_free(struct attempt *attempt)
{
    if (attempt->kind != NULL && attempt->kind->release != NULL) {
        attempt->kind->release(attempt);
    }
    mem_free(attempt->reason);
    mem_free(attempt->result);
    mem_free(attempt);
}

void attempt_end(struct attempt *attempt, enum outcome outcome)
{
    struct exec *exec = attempt->exec;
    attempt->end.outcome = outcome;
    map_remove(&exec->attempts, attempt->fence);
    if (exec->ending_first == NULL) {
        exec->ending_first = attempt;
        /* In this pass of the loop, so that a start and an end that the helper reports together are one
           turn. But ends that beget starts that end at once wait for the next: with a timeout of
           nothing rather than activated, so that they cannot starve the rest. */
        if (exec->is_telling) {
            attempt_arm(&exec->ending, 0);
        } else {
            event_active(&exec->ending, EV_TIMEOUT, 0);
        }
    } else {
        exec->ending_last->next_ending = attempt;
    }
    exec->ending_last = attempt;
}

void attempt_set_reason(struct attempt *attempt, const char *format, ...)
{
    char text[MSG_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(length >= 0);
    /* Names in it may be any bytes, and a cut may halve a character; the protocol takes UTF-8. */
    if (!str_is_utf8(str_of(text))) {
        for (char *at = text; *at != 0; at++) {
            if ((unsigned char)*at >= 0x80) {
                *at = '?';
            }
        }
    }
    mem_free(attempt->reason);
    attempt->reason = mem_copy_text(text);
}

void attempt_describe_timeout(const char *what, int64_t timeout_ms, char *text, size_t text_bytes)
{
    if (timeout_ms % 1000 == 0) {
        snprintf(text, text_bytes, "%s %" PRId64 "s", what, timeout_ms / 1000);
    } else {
        snprintf(text, text_bytes, "%s %" PRId64 "ms", what, timeout_ms);
    }
}

void attempt_arm(struct event *timer, int64_t ms)
{
    enum { DAY_MS = 24 * 60 * 60 * 1000 };
    const int64_t ms_max = (int64_t)DAY_MS * 3650;
    ms = ms < 0 ? 0 : ms > ms_max ? ms_max : ms;
    struct timeval after = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };
    event_add(timer, &after);
}

static void tell_ends(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct exec *exec = context;
    struct attempt *attempt = exec->ending_first;
    exec->ending_first = NULL;
    exec->ending_last = NULL;
    exec->is_telling = true;
    while (attempt != NULL) {
        struct attempt *next = attempt->next_ending;
        attempt->end.reason = str_of(attempt->reason);
        attempt->end.result = str_of(attempt->result);
        exec->callbacks.ended(exec->callbacks.context, attempt->fence, &attempt->end);
        attempt_free(attempt);
        attempt = next;
    }
    exec->is_telling = false;
}

enum {
    TIDY_PAUSE_MS = 1,
    SPARES_MAX = 64, /* each is two directories, which an agent may never need */
};

static void tidy_later(struct exec *exec)
{
    if (place_is_untidy(&exec->place) && !event_pending(&exec->tidy, EV_TIMEOUT, NULL)) {
        attempt_arm(&exec->tidy, TIDY_PAUSE_MS);
    }
}

static void tidy(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct exec *exec = context;
    place_tidy(&exec->place);
    tidy_later(exec);
}

static char *home_of_user(void)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char text[4096];
    if (getpwuid_r(geteuid(), &entry, text, sizeof text, &found) == 0 && found != NULL &&
        found->pw_dir != NULL && found->pw_dir[0] == '/') {
        return mem_copy_text(found->pw_dir);
    }
    return mem_copy_text("/");
}

/* asterism-exec stands where this program stands. */
static char *helper_beside(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) {
        return mem_copy_text("asterism-exec");
    }
    path[length] = 0;
    char *slash = strrchr(path, '/');
    return mem_format("%.*s/asterism-exec", slash == NULL ? 1 : (int)(slash - path),
                      slash == NULL ? "." : path);
}

enum err exec_new(struct event_base *base, const struct exec_config *config,
                  const struct exec_callbacks *callbacks, struct exec **ret_exec,
                  struct reason *reason)
{
    struct place place;
    enum err err = place_open(&place, config->work_dir, reason);
    if (err != ERR_NONE) {
        return err;
    }
    /* An agent that died together with its helper may have left processes. */
    leftover_kill(place.root);
    struct exec *exec = mem_alloc(sizeof *exec);
    exec->base = base;
    exec->callbacks = *callbacks;
    exec->place = place;
    exec->home = home_of_user();
    exec->keep_environment = config->keep_environment;
    exec->place.spares = config->spares < SPARES_MAX ? config->spares : SPARES_MAX;
    event_assign(&exec->ending, base, -1, 0, tell_ends, exec);
    event_assign(&exec->tidy, base, -1, 0, tidy, exec);
    tidy_later(exec);
    struct channel_callbacks channel_callbacks = {
        .context = exec,
        .report = run_on_report,
        .lost = run_on_lost,
    };
    char *helper = config->helper != NULL ? mem_copy_text(config->helper) : helper_beside();
    err = channel_open(base, helper, place.root, &channel_callbacks, &exec->channel, reason);
    mem_free(helper);
    if (err != ERR_NONE) {
        exec_free(exec);
        return err;
    }
    *ret_exec = exec;
    return ERR_NONE;
}

void exec_free(struct exec *exec)
{
    if (exec == NULL) {
        return;
    }
    channel_close(exec->channel);
    event_del(&exec->ending);
    event_del(&exec->tidy);
    size_t at = 0;
    uint64_t fence;
    void *value;
    while (map_each(&exec->attempts, &at, &fence, &value)) {
        attempt_free(value);
    }
    map_done(&exec->attempts);
    while (exec->ending_first != NULL) {
        struct attempt *next = exec->ending_first->next_ending;
        attempt_free(exec->ending_first);
        exec->ending_first = next;
    }
    place_close(&exec->place);
    mem_free(exec->home);
    mem_free(exec);
}

void exec_start(struct exec *exec, uint64_t fence, uint32_t attempt, struct str task_name,
                const struct msg_body *body)
{
    CHECK(map_get(&exec->attempts, fence) == NULL);
    if (exec->is_broken) {
        return; /* it has not failed: the next agent says that it died */
    }
    struct exec_order order = { fence, attempt, task_name, body };
    const struct executor_kind *kind = executor_find(body->executor);
    if (kind == NULL) {
        struct attempt *unknown = attempt_new(exec, NULL, &order, sizeof *unknown);
        attempt_set_reason(unknown, "this agent has no executor number %d", (int)body->executor);
        attempt_end(unknown, OUTCOME_START_FAILED);
        return;
    }
    kind->start(exec, &order);
}

void exec_stop(struct exec *exec, uint64_t fence, enum outcome outcome, int64_t grace_ms,
               const char *why)
{
    struct attempt *attempt = map_get(&exec->attempts, fence);
    if (attempt != NULL && attempt->kind->stop != NULL && !exec->is_broken) {
        attempt->kind->stop(attempt, outcome, grace_ms < 0 ? 0 : grace_ms, why);
    }
}

enum err exec_read(struct exec *exec, uint64_t fence, enum stream stream, uint64_t offset,
                   size_t bytes, struct buf *into)
{
    int fd = place_open_spool(&exec->place, fence, stream);
    if (fd < 0) {
        if (errno != ENOENT) {
            return ERR_IO;
        }
        /* A stream that nothing was written to has no file. */
        return place_exists(&exec->place, fence) ? ERR_NONE : ERR_NOT_FOUND;
    }
    enum err err = ERR_NONE;
    while (bytes > 0 && offset <= INT64_MAX) {
        size_t want = bytes < 65536 ? bytes : 65536;
        ssize_t length = pread(fd, buf_reserve(into, want), want, (off_t)offset);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length <= 0) {
            err = length < 0 ? ERR_IO : ERR_NONE;
            break;
        }
        into->length += (size_t)length;
        offset += (uint64_t)length;
        bytes -= (size_t)length;
    }
    close(fd);
    return err;
}

void exec_forget(struct exec *exec, uint64_t fence)
{
    if (map_get(&exec->attempts, fence) == NULL) {
        place_remove(&exec->place, fence);
        tidy_later(exec);
    }
}

struct kept {
    const struct exec *exec;
    struct map fences;
};

static bool is_kept(void *context, uint64_t fence)
{
    const struct kept *kept = context;
    return map_get(&kept->fences, fence) != NULL || map_get(&kept->exec->attempts, fence) != NULL;
}

void exec_forget_others(struct exec *exec, const uint64_t *fences, size_t count)
{
    struct kept kept = { .exec = exec };
    for (size_t i = 0; i < count; i++) {
        map_put(&kept.fences, fences[i], exec);
    }
    place_remove_others(&exec->place, is_kept, &kept);
    tidy_later(exec);
    map_done(&kept.fences);
}

bool exec_is_broken(const struct exec *exec)
{
    return exec->is_broken;
}

bool exec_has_ends(const struct exec *exec)
{
    return exec->ending_first != NULL;
}
