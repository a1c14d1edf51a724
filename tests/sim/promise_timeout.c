/* The checker: no clock of an attempt or of a task that is ready has run out without anything having come
   of it. The daemon keeps them with what it has to do in a turn, so this is asked after one. */
#include <inttypes.h>

#include "tests/sim/books.h"
#include "tests/sim/world.h"

/* What the daemon grants an agent that does not keep a timeout itself (proto/README.md). */
static int64_t backup_ms(const struct plan_policy *policy)
{
    int64_t length_ms = policy->run_timeout_ms + policy->kill_grace_ms;
    return length_ms + length_ms / 10 + 5000;
}

static void check_attempt(struct world *world, const struct book_attempt *attempt)
{
    const struct plan_policy *policy = attempt->task->spec->policy;
    int64_t restarted_ms = world->books->restarted_ms;
    int64_t since_ms = attempt->assigned_ms > restarted_ms ? attempt->assigned_ms : restarted_ms;
    int64_t passed_ms = world->now_ms - since_ms;
    bool is_sent = attempt->record.state == ATTEMPT_SENT;
    if (is_sent && policy->start_timeout_ms > 0) {
        if (passed_ms > policy->start_timeout_ms) {
            promise_broken(world, "P9", "%" PRIu64 " has not started in time, and goes on",
                           attempt->fence);
        }
    } else if ((is_sent || attempt->record.state == ATTEMPT_RUNNING) &&
               policy->run_timeout_ms > 0 && passed_ms > backup_ms(policy)) {
        promise_broken(world, "P9", "%" PRIu64 " runs for longer than its timeout", attempt->fence);
    }
}

/* A hold stops the clock, and a start of the daemon under a hold sets it back; its row says so when the
   task is ready again. Wall clocks that jump are no measure. */
static void check_ready(struct world *world, const struct book_task *task)
{
    const struct task_record *record = &task->record;
    bool is_ready = !task->is_removed && record->state == TASK_WAITING &&
                    (task->spec->plan.flags & TASK_FINALLY) == 0 && book_task_is_open(task) &&
                    !book_task_is_held(task);
    if (is_ready && task->spec->policy->queue_timeout_ms > 0 && record->wake_wall_ms != 0 &&
        world->books->jumped_ms == 0 && daemon_now(world).wall_ms > record->wake_wall_ms) {
        promise_broken(world, "P9", "task %" PRId64 " has waited for longer than it may", task->id);
    }
}

void promise_check_timeouts(struct world *world)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (!world->broken && map_each(&world->books->attempts, &at, &key, &value)) {
        check_attempt(world, value);
    }
    at = 0;
    while (!world->broken && map_each(&world->books->tasks, &at, &key, &value)) {
        check_ready(world, value);
    }
}
