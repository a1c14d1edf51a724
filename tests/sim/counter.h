/* Ways that a run should have gone at least once over many seeds: one that no seed went is a hole in
   the simulator. */
#ifndef TESTS_SIM_COUNTER_H
#define TESTS_SIM_COUNTER_H

#include <stdint.h>

#include "tests/sim/fault.h"

#define COUNTERS(X)                                                                                \
    X(SUCCEEDED, "task succeeded")                                                                 \
    X(FAILED, "task failed")                                                                       \
    X(CANCELLED, "task cancelled")                                                                 \
    X(CANCELLED_RUNNING, "task cancelled while it ran")                                            \
    X(SKIPPED, "task skipped")                                                                     \
    X(PREPARE_REFUSED, "task failed without its inputs")                                           \
    X(RETRIED, "attempt after a failure")                                                          \
    X(REASSIGNED, "attempt after a loss")                                                          \
    X(ADOPTED, "attempt adopted")                                                                  \
    X(ADOPTED_AFTER_RESTART, "attempt adopted after a restart of the daemon")                      \
    X(SAME_DEVICE, "sent where another task has run")                                              \
    X(OTHER_DEVICE, "sent elsewhere than another task")                                            \
    X(SILENCED, "ended for its silence")                                                           \
    X(LOST_SILENT, "attempt lost by silence")                                                      \
    X(LOST_DEAD, "attempt lost by death")                                                          \
    X(LOST_NEVER_ARRIVED, "attempt that never arrived")                                            \
    X(LOST_UNCONFIRMED, "attempt whose stop was not confirmed")                                    \
    X(LOST_DISPLACED, "attempt lost to another journal")                                           \
    X(POISON, "poison")                                                                            \
    X(LATE_RESULT, "late result of a lost attempt accepted")                                       \
    X(STALE, "stale report")                                                                       \
    X(TIMED_OUT, "timed out at the agent")                                                         \
    X(TIMED_OUT_BACKUP, "timed out at the daemon")                                                 \
    X(STOPPED_BY_LEASE, "stopped by the end of the lease")                                         \
    X(INTERRUPTED, "interrupted by a shutdown of the agent")                                       \
    X(OVERLAP, "two processes of a task at once, one cut off")                                     \
    X(DUPLICATE, "second connection refused")                                                      \
    X(DISPLACED, "connection displaced")                                                           \
    X(LEASE_CLOSED, "connection closed by its lease")                                              \
    X(PROTOCOL_CLOSED, "connection closed for what it said")                                       \
    X(IDENTITY_REFUSED, "identity refused")                                                        \
    X(VERDICT_KEEP, "verdict keep")                                                                \
    X(VERDICT_CANCEL, "verdict cancel")                                                            \
    X(VERDICT_DROP, "verdict drop")                                                                \
    X(CLAIMED_TWICE, "attempt nobody wants that two agents say they run")                          \
    X(RESULT_AGAIN, "result sent again")                                                           \
    X(OUTPUT_RESUMED, "output resumed in the middle")                                              \
    X(OUTPUT_LARGE, "output beyond what is stored in the row")                                     \
    X(FRAME_LOST, "frame lost")                                                                    \
    X(JOURNAL_ROWS_LOST, "journal rows lost at a power cut")                                       \
    X(SPOOL_LOST, "result died with its spool")                                                    \
    X(SUBMIT_LOST, "submission without an answer")                                                 \
    X(STORE_COMPARED, "store compared with the engine")                                            \
    X(GATE, "gate opened")                                                                         \
    X(FINALLY, "task that runs last assigned")                                                     \
    X(JOIN_ANY, "task that joins any assigned")                                                    \
    X(FORGIVEN, "success in spite of a failure")                                                   \
    X(FAIL_FAST, "stopped by its first failure")                                                   \
    X(DEADLINE, "stopped by its deadline")                                                         \
    X(CANCEL_FINALLY, "cancelled with what runs last")                                             \
    X(CONDITION_OPEN, "condition that held")                                                       \
    X(CONDITION_CLOSED, "condition that did not hold")                                             \
    X(CONDITION_FAILED, "condition that could not be evaluated")                                   \
    X(DECISION_ERASED, "decision taken back")                                                      \
    X(DECISION_KEPT, "decision kept over another round")                                           \
    X(ROUND, "another round of a task")                                                            \
    X(SKIPPED_AGAIN, "skipped task that waits again")                                              \
    X(RETRY, "retry")                                                                              \
    X(RERUN, "rerun")                                                                              \
    X(REVIVED, "constellation that had ended loaded again")                                        \
    X(WOKEN_BY_SLICES, "turn in which one that had ended was loaded in part")                      \
    X(REOPENED, "constellation reopened by another round")                                         \
    X(EDIT_REOPENS, "constellation reopened by an edit")                                           \
    X(ONCE, "attempt of a task that must not run twice")                                           \
    X(UNKNOWN, "task unknown")                                                                     \
    X(RESOLVED, "task resolved")                                                                   \
    X(DRAINED, "device drained, or no more")                                                       \
    X(EDIT_ADD_TASK, "edit: task added")                                                           \
    X(EDIT_REMOVE_TASK, "edit: task removed")                                                      \
    X(EDIT_UPDATE_TASK, "edit: task written anew")                                                 \
    X(EDIT_ADD_EDGE, "edit: dependency added")                                                     \
    X(EDIT_UPDATE_EDGE, "edit: dependency changed")                                                \
    X(EDIT_REMOVE_EDGE, "edit: dependency removed")                                                \
    X(EDIT_SET, "edit: constellation set")                                                         \
    X(EDIT_TOUCH, "edit: task referred to")                                                        \
    X(EDIT_REBASED, "edit applied to a later revision than its base")                              \
    X(EDIT_REPEATED, "edit repeated, and refused")                                                 \
    X(WISH_LOST, "wish without an answer")                                                         \
    X(HOLD_TASKS, "hold on tasks")                                                                 \
    X(HOLD_DESCENDANTS, "hold on descendants")                                                     \
    X(HOLD_ALL, "hold on all")                                                                     \
    X(PAUSED, "paused")                                                                            \
    X(RESUMED, "resumed")                                                                          \
    X(RELEASED, "hold released")                                                                   \
    X(APPROVED, "approved")                                                                        \
    X(DENIED, "denied")                                                                            \
    X(HOLD_EXPIRED, "hold expired, what it held goes on")                                          \
    X(HOLD_EXPIRED_FAIL, "hold expired, what it held fails")                                       \
    X(HOLD_FAILURE_EXPIRED, "hold on a failure expired")                                           \
    X(HOLD_KEPT, "hold kept over a restart")                                                       \
    X(REFUSED, "edit refused")                                                                     \
    X(REFUSED_CONFLICT, "edit refused: conflict")                                                  \
    X(REFUSED_STALE, "edit refused: stale revision")                                               \
    X(REFUSED_FUTURE_BASE, "edit refused: unknown revision")                                       \
    X(REFUSED_UNKNOWN_TASK, "edit refused: unknown task")                                          \
    X(REFUSED_UNKNOWN_EDGE, "edit refused: unknown dependency")                                    \
    X(REFUSED_DUPLICATE_EDGE, "edit refused: dependency twice")                                    \
    X(REFUSED_TASK_STARTED, "edit refused: task started")                                          \
    X(REFUSED_TASK_FINAL, "edit refused: task has ended")                                          \
    X(REFUSED_TARGET_STARTED, "edit refused: target started")                                      \
    X(REFUSED_CYCLE, "edit refused: cycle")                                                        \
    X(REFUSED_HAS_DEPENDENTS, "edit refused: dependents")                                          \
    X(REFUSED_EXPECT_FAILED, "edit refused: not as expected")                                      \
    X(REFUSED_UNKNOWN_HOLD, "edit refused: unknown hold")                                          \
    X(REFUSED_CANCELLED, "edit refused: being stopped")                                            \
    X(REFUSED_NO_TASKS, "edit refused: nothing left")                                              \
    X(REFUSED_REOPENING, "edit refused: a large one is being made")                                \
    X(BULK_HELD, "large edit begun, all held meanwhile")                                           \
    X(BULK_ASLEEP, "large edit begun of what has ended")                                           \
    X(BULK_BUSY, "large edit refused: another is being made, or all is stopped")                   \
    X(BULK_REFUSED, "large edit refused by its check")                                             \
    X(BULK_UNEXPECTED, "large edit found good, and not as expected any more")                      \
    X(BULK_STOPPED, "large edit found good, and all is stopped")                                   \
    X(BULK_LATE, "large edit found good of what had ended, and is another now")                    \
    X(BULK_ADMITTED, "large edit admitted")                                                        \
    X(BULK_REOPENS, "constellation reopened by a large edit")                                      \
    X(BULK_LOST, "large edit that ended with its daemon, before it was admitted")                  \
    X(BULK_RESUMED, "large edit that went on after a restart")                                     \
    X(BULK_MADE, "large edit made")                                                                \
    X(BULK_RENEWED, "large edit that lets what was skipped wait again")                            \
    X(BULK_WORKED_BESIDE, "attempt that ended while a large edit was made")                        \
    X(BULK_UNDONE, "large edit taken back")

enum counter {
#define X(name, words) COUNT_##name,
    COUNTERS(X)
#undef X
        COUNTERS_END,
};

const char *counter_name(enum counter counter);

struct counts {
    uint64_t paths[COUNTERS_END];
    uint64_t faults[FAULT_KINDS];
};

#endif
