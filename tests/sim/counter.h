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
    X(RESULT_AGAIN, "result sent again")                                                           \
    X(OUTPUT_RESUMED, "output resumed in the middle")                                              \
    X(OUTPUT_LARGE, "output beyond what is stored in the row")                                     \
    X(FRAME_LOST, "frame lost")                                                                    \
    X(JOURNAL_ROWS_LOST, "journal rows lost at a power cut")                                       \
    X(SPOOL_LOST, "result died with its spool")                                                    \
    X(SUBMIT_LOST, "submission without an answer")                                                 \
    X(STORE_COMPARED, "store compared with the engine")

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
