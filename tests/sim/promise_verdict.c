/* The checker: when a constellation is stopped, and how it ends. */
#include <inttypes.h>

#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

static unsigned count_tasks(const struct book_constellation *constellation, enum task_state state,
                            unsigned without)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < constellation->tasks_count; i++) {
        const struct book_task *task = constellation->tasks[i];
        count += task->record.state == state && (task->spec->plan.flags & without) == 0;
    }
    return count;
}

void promise_stopping(struct world *world, const struct book_constellation *constellation)
{
    const struct constellation_record *record = &constellation->record;
    const struct constellation_record *before = &constellation->before;
    bool unsure = world->books->jumped_ms != 0;
    if (record->cancel_requested && !constellation->cancel_asked) {
        promise_broken(world, "P6", "constellation %" PRId64 " is cancelled by nobody", record->id);
    }
    if (record->deadline_passed && !before->deadline_passed) {
        count_path(world, COUNT_DEADLINE);
        if (record->deadline_wall_ms == 0 ||
            (!unsure && daemon_now(world).wall_ms < record->deadline_wall_ms)) {
            promise_broken(world, "P6", "the deadline of constellation %" PRId64 " has not passed",
                           record->id);
        }
    }
    if (record->stopping && !before->stopping && !record->deadline_passed) {
        count_path(world, COUNT_FAIL_FAST);
        if (!record->fail_fast ||
            count_tasks(constellation, TASK_FAILED, TASK_ALLOW_FAILURE | TASK_FINALLY) == 0) {
            promise_broken(world, "P6", "constellation %" PRId64 " is stopped without a cause",
                           record->id);
        }
    }
    count_path_if(world, COUNT_CANCEL_FINALLY, record->cancel_finally && !before->cancel_finally);
}

void promise_verdict(struct world *world, const struct book_constellation *constellation)
{
    const struct constellation_record *record = &constellation->record;
    unsigned succeeded = count_tasks(constellation, TASK_SUCCEEDED, 0);
    unsigned failed = count_tasks(constellation, TASK_FAILED, 0);
    unsigned cancelled = count_tasks(constellation, TASK_CANCELLED, 0);
    unsigned skipped = count_tasks(constellation, TASK_SKIPPED, 0);
    bool has_failed =
        record->deadline_passed || count_tasks(constellation, TASK_FAILED, TASK_ALLOW_FAILURE) > 0;
    bool is_cancelled =
        record->cancel_requested ||
        (!has_failed && count_tasks(constellation, TASK_CANCELLED, TASK_ALLOW_FAILURE) > 0);
    enum constellation_state due = is_cancelled ? CONSTELLATION_CANCELLED
                                   : has_failed ? CONSTELLATION_FAILED
                                                : CONSTELLATION_SUCCEEDED;
    bool counted = record->succeeded == succeeded && record->failed == failed &&
                   record->cancelled == cancelled && record->skipped == skipped;
    if (succeeded + failed + cancelled + skipped != constellation->tasks_count || !counted ||
        due != record->state) {
        promise_broken(world, "P6",
                       "constellation %" PRId64 " is %s, and should be %s; it says %u-%u-%u-%u, of "
                       "its %u tasks are %u-%u-%u-%u",
                       constellation->id, constellation_state_name(record->state),
                       constellation_state_name(due), record->succeeded, record->failed,
                       record->cancelled, record->skipped, constellation->tasks_count, succeeded,
                       failed, cancelled, skipped);
    }
    if (constellation->holds != NULL) {
        promise_broken(world, "the hold", "constellation %" PRId64 " has ended and is held",
                       constellation->id);
    }
    world->counts->paths[COUNT_FORGIVEN] += due == CONSTELLATION_SUCCEEDED && failed > 0;
}
