/* The executor that does nothing: for tests, and to measure what everything else costs. No process,
   no directory, no event of its own: ten thousand of them end in one pass of the loop. */
#include "agent/exec/attempt.h"
#include "agent/exec/moment.h"

static void noop_start(struct exec *exec, const struct exec_order *order)
{
    struct attempt *attempt = attempt_new(exec, &executor_noop, order, sizeof *attempt);
    attempt->end.started_wall_ms = moment_wall_ms();
    attempt_end(attempt, OUTCOME_EXITED);
}

const struct executor_kind executor_noop = {
    .executor = EXECUTOR_NOOP,
    .start = noop_start,
};
