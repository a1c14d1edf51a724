/* What the end of a process means: its outcome in words, and the value that it put out. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/exec/run.h"
#include "agent/exec/value.h"
#include "common/base/mem.h"

/* One that completes by itself keeps its own outcome, even if a stop was under way: exit 0 always,
   any other end if our signal never reached it. */
static enum outcome run_outcome(struct run *run)
{
    struct attempt *attempt = &run->attempt;
    struct exec_end *end = &attempt->end;
    bool is_exit = WIFEXITED(run->status);
    end->exit_code = is_exit ? WEXITSTATUS(run->status) : 0;
    end->signal = WIFSIGNALED(run->status) ? WTERMSIG(run->status) : 0;
    if (is_exit && end->exit_code == 0) {
        return OUTCOME_EXITED;
    }
    if (run->is_stopping && run->was_signalled) {
        /* One that was given no time cannot be said to have ignored anything. */
        bool ignored = end->signal == SIGKILL && run->was_asked;
        attempt_set_reason(attempt, "%s%s", run->stop_reason,
                           ignored ? "; it ignored SIGTERM and was killed" : "");
        return run->stop_outcome;
    }
    if (is_exit) {
        attempt_set_reason(attempt, "exited with code %d", (int)end->exit_code);
        return OUTCOME_EXITED;
    }
    const char *name = sigabbrev_np(end->signal);
    attempt_set_reason(attempt, "killed by signal %d (SIG%s)", (int)end->signal,
                       name == NULL ? "?" : name);
    return OUTCOME_SIGNALLED;
}

/* One byte more than a value may have shows that it is too large. Closes fd. */
static enum err read_value(int fd, struct buf *into)
{
    enum err err = ERR_NONE;
    while (into->length <= MSG_RESULT_BYTES_MAX) {
        size_t want = (size_t)MSG_RESULT_BYTES_MAX + 1 - into->length;
        ssize_t length = read(fd, buf_reserve(into, want), want);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length <= 0) {
            err = length < 0 ? ERR_IO : ERR_NONE;
            break;
        }
        into->length += (size_t)length;
    }
    close(fd);
    return err;
}

static enum err run_value(const struct run *run, char **ret_json, struct reason *reason)
{
    const struct attempt *attempt = &run->attempt;
    struct place *place = &attempt->exec->place;
    const char *what = run->output_json ? "stdout" : "the output file";
    *ret_json = NULL;
    int fd;
    if (run->output_json) {
        fd =
            run->streams[0].bytes > 0 ? place_open_spool(place, attempt->fence, STREAM_STDOUT) : -1;
        if (run->streams[0].bytes == 0) {
            return reason_set(reason, ERR_INVALID, "stdout is empty, and no JSON");
        }
    } else {
        fd = place_open_output(place, attempt->fence);
        if (fd < 0 && errno == ENOENT) {
            return ERR_NONE;
        }
    }
    if (fd < 0) {
        return errno == ENXIO
                   ? reason_set(reason, ERR_INVALID, "%s is not a regular file", what)
                   : reason_set(reason, ERR_IO, "%s cannot be read: %s", what, strerror(errno));
    }
    struct buf text = { 0 };
    enum err err = read_value(fd, &text);
    struct str bytes = { (const char *)text.data, text.length };
    if (err != ERR_NONE) {
        err = reason_set(reason, err, "%s cannot be read: %s", what, strerror(errno));
    } else {
        err = run->output_json ? value_of_json(bytes, what, ret_json, reason)
                               : value_of_output(bytes, what, ret_json, reason);
    }
    buf_done(&text);
    return err;
}

void run_conclude(struct run *run)
{
    struct attempt *attempt = &run->attempt;
    enum outcome outcome = run_outcome(run);
    bool has_succeeded = outcome == OUTCOME_EXITED && attempt->end.exit_code == 0;
    if (!run->output_json || has_succeeded) {
        struct reason reason = { .text = "" };
        enum err err = run_value(run, &attempt->result, &reason);
        /* Of one that failed anyway, half a value is no news. */
        if (err != ERR_NONE && has_succeeded) {
            attempt_set_reason(attempt, "%s", reason.text);
        }
    }
    place_leave(&attempt->exec->place, attempt->fence, !run->has_survivors);
    attempt_end(attempt, outcome);
}
