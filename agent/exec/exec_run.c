/* The executors that start processes: `run` (arguments, no shell) and `shell`. The helper makes the
   process and tells when it and all its descendants are dead; here are its pipes, its clock and
   what its end means. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/exec/attempt.h"
#include "agent/exec/channel.h"
#include "agent/exec/command.h"
#include "agent/exec/leftover.h"
#include "agent/exec/moment.h"
#include "agent/exec/run.h"
#include "common/base/check.h"
#include "common/base/mem.h"

static struct exec_output output_of(const struct run *run)
{
    return (struct exec_output){
        .stdout_bytes = run->streams[0].bytes,
        .stderr_bytes = run->streams[1].bytes,
        .truncated = run->streams[0].truncated || run->streams[1].truncated,
    };
}

static void tell_output(struct run *run)
{
    struct exec *exec = run->attempt.exec;
    exec->callbacks.output(exec->callbacks.context, run->attempt.fence, output_of(run));
}

/* The helper has said that all of it is dead, and the pipes are at their end (or are held open by
   something that we cannot find, and the wait for it is over). */
static void run_finish(struct run *run)
{
    struct attempt *attempt = &run->attempt;
    event_del(&run->timer);
    event_del(&run->silence);
    stream_close(&run->streams[0]);
    stream_close(&run->streams[1]);
    attempt->end.output = output_of(run);
    run_conclude(run);
}

static void finish_if_complete(struct run *run)
{
    if (run->is_dead && run->streams[0].pipe_fd < 0 && run->streams[1].pipe_fd < 0) {
        run_finish(run);
    }
}

/* The clock of its silence starts anew; also of output that is dropped, since it is there. */
static void hear(struct run *run)
{
    if (run->silence_ms > 0 && !run->is_stopping && !run->is_dead) {
        attempt_arm(&run->silence, run->silence_ms);
    }
}

static void on_stream(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct run *run = context;
    struct stream_reader *stream = &run->streams[fd == run->streams[0].pipe_fd ? 0 : 1];
    stream->heard = false;
    if (stream_read(stream)) {
        tell_output(run);
    }
    if (stream->heard) {
        hear(run);
    }
    finish_if_complete(run);
}

static void run_stop(struct attempt *attempt, enum outcome outcome, int64_t grace_ms,
                     const char *why)
{
    struct run *run = run_of(attempt);
    int64_t kill_at_ms = moment_boot_ms() + grace_ms;
    if (run->is_dead || (run->is_stopping && kill_at_ms >= run->kill_at_ms)) {
        return;
    }
    if (!run->is_stopping) {
        run->is_stopping = true;
        event_del(&run->silence);
        run->stop_outcome = outcome;
        run->stop_reason = mem_copy_text(why == NULL ? "stopped" : why);
        if (grace_ms > 0) {
            channel_signal(attempt->exec->channel, attempt->fence, SIGTERM);
        }
    }
    run->kill_at_ms = kill_at_ms;
    if (grace_ms > 0) {
        attempt_arm(&run->timer, grace_ms);
    } else {
        event_del(&run->timer);
        channel_signal(attempt->exec->channel, attempt->fence, SIGKILL);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct run *run = context;
    struct attempt *attempt = &run->attempt;
    if (run->is_dead) {
        run_finish(run);
    } else if (run->is_stopping) {
        run->was_asked = true;
        channel_signal(attempt->exec->channel, attempt->fence, SIGKILL);
    } else {
        char why[64];
        attempt_describe_timeout("ran longer than", run->timeout_ms, why, sizeof why);
        run_stop(attempt, OUTCOME_TIMED_OUT, run->grace_ms, why);
    }
}

static void on_silence(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct run *run = context;
    char why[64];
    attempt_describe_timeout("put out nothing for", run->silence_ms, why, sizeof why);
    run_stop(&run->attempt, OUTCOME_TIMED_OUT, run->grace_ms, why);
}

/* The text in memory, sealed: no pipe to feed, and the task cannot change it. -1 with errno. */
static int stdin_memfd(struct str text)
{
    int fd = memfd_create("asterism-stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t written = 0;
    while (fd >= 0 && written < text.length) {
        ssize_t length = pwrite(fd, text.data + written, text.length - written, (off_t)written);
        if (length < 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        written += (size_t)length;
    }
    if (fd >= 0) {
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    }
    return fd;
}

/* Hands the start to the helper. Whatever fails stands in `reason`. */
static enum err run_launch(struct exec *exec, const struct exec_order *order,
                           const struct command *command, struct reason *reason)
{
    struct channel_start start = {
        .fence = order->fence,
        .command = &command->text,
        .args_count = command->args_count,
        .env_count = command->env_count,
        .stdin_fd = -1,
    };
    if (order->body->has_stdin && order->body->stdin_data.length > 0) {
        start.stdin_fd = stdin_memfd(order->body->stdin_data);
        if (start.stdin_fd < 0) {
            return reason_set(reason, ERR_IO, "cannot make the stdin of the process: %s",
                              strerror(errno));
        }
    }
    return channel_start_take(exec->channel, &start, reason);
}

static void run_start(struct exec *exec, const struct executor_kind *kind,
                      const struct exec_order *order)
{
    struct attempt *attempt = attempt_new(exec, kind, order, sizeof(struct run));
    struct run *run = run_of(attempt);
    for (int i = 0; i < 2; i++) {
        run->streams[i] = (struct stream_reader){
            .pipe_fd = -1,
            .spool_fd = -1,
            .stream = i == 0 ? STREAM_STDOUT : STREAM_STDERR,
            .fence = order->fence,
            .place = &exec->place,
            .bytes_max = order->body->output_bytes_max,
        };
    }
    run->timeout_ms = order->body->run_timeout_ms;
    run->silence_ms = order->body->silence_timeout_ms;
    run->grace_ms = order->body->kill_grace_ms;
    run->output_json = order->body->output_json;
    event_assign(&run->timer, exec->base, -1, 0, on_timer, run);
    event_assign(&run->silence, exec->base, -1, 0, on_silence, run);
    attempt_runs(attempt);

    struct command command = { .args_count = 0 };
    struct reason reason = { .text = "" };
    enum err err = place_make(&exec->place, order->fence, &reason);
    if (err == ERR_NONE) {
        err = command_build(&command, exec, order, &reason);
    }
    if (err == ERR_NONE) {
        err = run_launch(exec, order, &command, &reason);
    }
    buf_done(&command.text);
    if (err != ERR_NONE) {
        attempt_set_reason(attempt, "%s", reason.text);
        place_leave(&exec->place, order->fence, true);
        attempt_end(attempt, OUTCOME_START_FAILED);
    }
}

static void start_run(struct exec *exec, const struct exec_order *order)
{
    run_start(exec, &executor_run, order);
}

static void start_shell(struct exec *exec, const struct exec_order *order)
{
    run_start(exec, &executor_shell, order);
}

static void run_release(struct attempt *attempt)
{
    struct run *run = run_of(attempt);
    event_del(&run->timer);
    event_del(&run->silence);
    stream_close(&run->streams[0]);
    stream_close(&run->streams[1]);
    mem_free(run->stop_reason);
    run->stop_reason = NULL;
}

/* Those of its pipes that the helper has handed over. One that was lost on the way, as we have too many
   descriptors, held output that nobody will read. */
static void take_pipes(struct run *run, const struct report *report, const int fds[2])
{
    static const uint32_t marks[2] = { REPORT_HAS_STDOUT, REPORT_HAS_STDERR };
    for (size_t i = 0; i < 2; i++) {
        if ((report->flags & marks[i]) != 0) {
            run->streams[i].pipe_fd = fds[i];
            run->streams[i].truncated |= fds[i] < 0;
        }
    }
}

/* Those that are open, and not watched yet. */
static void watch_pipes(struct run *run)
{
    for (size_t i = 0; i < 2; i++) {
        stream_watch(&run->streams[i], run->attempt.exec->base, on_stream, run);
    }
}

static void on_started(struct run *run, const struct report *report)
{
    struct attempt *attempt = &run->attempt;
    struct exec *exec = attempt->exec;
    run->pid = report->pid;
    attempt->end.started_wall_ms = report->wall_ms;
    if (run->timeout_ms > 0 && !run->is_stopping) {
        attempt_arm(&run->timer, run->timeout_ms);
    }
    hear(run);
    exec->callbacks.started(exec->callbacks.context, attempt->fence, report->wall_ms);
}

/* Its last words: what the helper has read, then what is left in the pipes. After a clean end they stand
   at their end now. */
static void on_dead(struct run *run, const struct report *report, struct str text, const int fds[2])
{
    struct attempt *attempt = &run->attempt;
    run->is_dead = true;
    event_del(&run->silence);
    run->pid = 0;
    run->status = report->status;
    run->was_signalled = (report->flags & REPORT_WAS_SIGNALLED) != 0;
    run->has_survivors = (report->flags & REPORT_HAS_SURVIVORS) != 0;
    attempt->end.started_wall_ms = report->wall_ms;
    attempt->end.duration_ms = report->duration_ms;
    CHECK(report->stdout_bytes <= text.length);
    size_t split = report->stdout_bytes;
    bool has_grown = stream_put(&run->streams[0], (struct str){ text.data, split });
    has_grown |=
        stream_put(&run->streams[1], (struct str){ text.data + split, text.length - split });
    take_pipes(run, report, fds);
    has_grown |= stream_drain(&run->streams[0]);
    has_grown |= stream_drain(&run->streams[1]);
    if (has_grown) {
        tell_output(run);
    }
    if (run->streams[0].pipe_fd < 0 && run->streams[1].pipe_fd < 0) {
        run_finish(run);
        return;
    }
    watch_pipes(run);
    attempt_arm(&run->timer, RUN_DRAIN_MS);
}

void run_on_report(void *context, const struct report *report, struct str text, const int fds[2])
{
    struct exec *exec = context;
    struct attempt *attempt = map_get(&exec->attempts, report->fence);
    if (attempt == NULL) {
        for (size_t i = 0; i < 2; i++) {
            if (fds[i] >= 0) {
                close(fds[i]);
            }
        }
        return;
    }
    struct run *run = run_of(attempt);
    switch (report->kind) {
    case REPORT_STARTED:
        on_started(run, report);
        break;
    case REPORT_FAILED:
        attempt_set_reason(attempt, "%.*s", STR_ARG(text));
        run_release(attempt);
        place_leave(&exec->place, attempt->fence, true);
        attempt_end(attempt, OUTCOME_START_FAILED);
        break;
    case REPORT_PIPES:
        take_pipes(run, report, fds);
        watch_pipes(run);
        break;
    case REPORT_ENDED:
        on_dead(run, report, text, fds);
        break;
    default:
        break;
    }
}

/* What ran has no end that anybody saw: none is made up. It is as dead as if the agent had been killed, and is
   told so by the next one, from the journal. */
void run_on_lost(void *context)
{
    struct exec *exec = context;
    exec->is_broken = true;
    /* The kernel has killed the main processes (PR_SET_PDEATHSIG); the rest is for us. */
    size_t at = 0;
    uint64_t fence;
    void *value;
    struct buf dead = { 0 };
    while (map_each(&exec->attempts, &at, &fence, &value)) {
        struct attempt *attempt = value;
        if (attempt->kind != &executor_run && attempt->kind != &executor_shell) {
            continue;
        }
        struct run *run = run_of(attempt);
        if (run->is_dead) {
            buf_append(&dead, &run, sizeof run); /* its end removes it from the map */
        } else {
            if (run->pid > 1) {
                kill(-run->pid, SIGKILL);
            }
            run_release(attempt);
        }
    }
    leftover_kill(exec->place.root);
    for (at = 0; at + sizeof(struct run *) <= dead.length; at += sizeof(struct run *)) {
        struct run *run;
        memcpy(&run, dead.data + at, sizeof run);
        stream_drain(&run->streams[0]);
        stream_drain(&run->streams[1]);
        run_finish(run);
    }
    buf_done(&dead);
}

const struct executor_kind executor_run = {
    .executor = EXECUTOR_RUN,
    .start = start_run,
    .stop = run_stop,
    .release = run_release,
};

const struct executor_kind executor_shell = {
    .executor = EXECUTOR_SHELL,
    .start = start_shell,
    .stop = run_stop,
    .release = run_release,
};
