/* The executor that waits: a timer, no process. For tests and benchmarks. */
#include "agent/exec/attempt.h"
#include "agent/exec/moment.h"

struct sleep_attempt {
    struct attempt attempt; /* first: the two are one address */
    struct event timer;
    int64_t sleep_ms;
    int64_t timeout_ms; /* 0: none */
    int64_t started_boot_ms;
    int64_t due_boot_ms;
    bool is_started;
};

static struct sleep_attempt *sleep_of(struct attempt *attempt)
{
    return (struct sleep_attempt *)(void *)attempt;
}

static void sleep_end(struct sleep_attempt *sleep, enum outcome outcome)
{
    event_del(&sleep->timer);
    if (sleep->is_started) {
        sleep->attempt.end.duration_ms = moment_boot_ms() - sleep->started_boot_ms;
    }
    attempt_end(&sleep->attempt, outcome);
}

/* Fires twice: at once, since `started` is told from the loop, and at the end. */
static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct sleep_attempt *sleep = context;
    bool times_out = sleep->timeout_ms > 0 && sleep->timeout_ms < sleep->sleep_ms;
    if (!sleep->is_started) {
        struct exec *exec = sleep->attempt.exec;
        sleep->is_started = true;
        sleep->started_boot_ms = moment_boot_ms();
        sleep->attempt.end.started_wall_ms = moment_wall_ms();
        int64_t wait_ms = times_out ? sleep->timeout_ms : sleep->sleep_ms;
        sleep->due_boot_ms = sleep->started_boot_ms + wait_ms;
        attempt_arm(&sleep->timer, wait_ms);
        exec->callbacks.started(exec->callbacks.context, sleep->attempt.fence,
                                sleep->attempt.end.started_wall_ms);
    } else if (moment_boot_ms() < sleep->due_boot_ms) {
        attempt_arm(&sleep->timer, 1); /* the loop's clock is coarse, and this came early */
    } else if (times_out) {
        char why[64];
        attempt_describe_timeout("ran longer than", sleep->timeout_ms, why, sizeof why);
        attempt_set_reason(&sleep->attempt, "%s", why);
        sleep_end(sleep, OUTCOME_TIMED_OUT);
    } else {
        sleep_end(sleep, OUTCOME_EXITED);
    }
}

static void sleep_start(struct exec *exec, const struct exec_order *order)
{
    struct attempt *attempt =
        attempt_new(exec, &executor_sleep, order, sizeof(struct sleep_attempt));
    struct sleep_attempt *sleep = sleep_of(attempt);
    sleep->sleep_ms = order->body->sleep_ms;
    sleep->timeout_ms = order->body->run_timeout_ms;
    event_assign(&sleep->timer, exec->base, -1, 0, on_timer, sleep);
    attempt_runs(attempt);
    attempt_arm(&sleep->timer, 0);
}

static void sleep_stop(struct attempt *attempt, enum outcome outcome, int64_t grace_ms,
                       const char *why)
{
    (void)grace_ms; /* it obeys at once */
    attempt_set_reason(attempt, "%s", why == NULL ? "stopped" : why);
    sleep_end(sleep_of(attempt), outcome);
}

static void sleep_release(struct attempt *attempt)
{
    event_del(&sleep_of(attempt)->timer);
}

const struct executor_kind executor_sleep = {
    .executor = EXECUTOR_SLEEP,
    .start = sleep_start,
    .stop = sleep_stop,
    .release = sleep_release,
};
