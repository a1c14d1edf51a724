/* Rows of the database as the records they hold: one list of columns a record, and the function that
   reads them, for the load and for the queries alike. */
#ifndef ORCHESTRATOR_STORE_RECORD_ROW_H
#define ORCHESTRATOR_STORE_RECORD_ROW_H

#include "orchestrator/engine/record.h"
#include "orchestrator/store/sqlite_db.h"

/* Bits of an edge, stored. */
enum edge_flag {
    EDGE_NAMED = 1 << 0,
    EDGE_REQUIRED = 1 << 1,
    EDGE_CONDITIONAL = 1 << 2,
};

static inline int64_t edge_flags(const struct edge_record *record)
{
    return (record->named ? EDGE_NAMED : 0) | (record->required ? EDGE_REQUIRED : 0) |
           (record->conditional ? EDGE_CONDITIONAL : 0);
}

/* Each reads its columns from `at` on. ERR_CORRUPT: a number that no asterismd writes. Text is in
   `arena`. */

#define CLASS_COLUMNS                                                                              \
    "k.id, k.selector, k.device, k.executor, k.strategy, k.tools, k.resources, k.limits,"          \
    " k.same_task_id, k.other_task_id, k.constellation_id"
enum { CLASS_COLUMNS_COUNT = 11 };
enum err class_row_read(struct store *store, sqlite3_stmt *row, int at, struct arena *arena,
                        struct class_record *ret_class);

#define POLICY_COLUMNS                                                                             \
    "p.id, p.max_attempts, p.max_lost, p.backoff_base_ms, p.backoff_max_ms,"                       \
    " p.backoff_factor_permille, p.run_timeout_ms, p.kill_grace_ms, p.output_bytes_max,"           \
    " p.on_disconnect, p.effect, p.retry_on, p.queue_timeout_ms, p.start_timeout_ms,"              \
    " p.silence_timeout_ms, p.hold_on_failure_ms"
enum { POLICY_COLUMNS_COUNT = 16 };
enum err policy_row_read(sqlite3_stmt *row, int at, struct policy_record *ret_policy);

#define CONSTELLATION_COLUMNS                                                                      \
    "c.id, c.state, c.cancel_requested, c.cancel_finally, c.created_wall_ms, c.finished_wall_ms,"  \
    " c.tasks, c.edges, c.revision, c.fail_fast, c.stopping, c.deadline_passed,"                   \
    " c.deadline_wall_ms, c.deadline_length_ms, c.succeeded, c.failed, c.cancelled, c.skipped"
enum { CONSTELLATION_COLUMNS_COUNT = 18 };
enum err constellation_row_read(sqlite3_stmt *row, int at,
                                struct constellation_record *ret_constellation);

/* Of the view task. */
#define TASK_COLUMNS                                                                               \
    "t.id, t.class_id, t.policy_id, t.fence, t.wake_wall_ms, t.wake_length_ms, t.priority,"        \
    " t.attempts, t.tries, t.lost, t.body_bytes, t.first_attempt, t.revision, t.round, t.flags,"   \
    " t.state, t.has_references, t.prepared, t.name"
enum { TASK_COLUMNS_COUNT = 19 };
enum err task_row_read(sqlite3_stmt *row, int at, struct task_record *ret_task);

/* Of the view edge, or of edge_row without what the latest attempt has decided. */
#define EDGE_COLUMNS "e.id, e.from_id, e.to_id, e.\"when\", e.flags, e.decision, e.fence"
enum { EDGE_COLUMNS_COUNT = 7 };
enum err edge_row_read(sqlite3_stmt *row, int at, struct edge_record *ret_edge);

#define HOLD_COLUMNS                                                                               \
    "h.id, h.constellation_id, h.scope, h.origin, h.on_expiry, h.root_task_id,"                    \
    " h.created_wall_ms, h.deadline_wall_ms, h.length_ms"
enum { HOLD_COLUMNS_COUNT = 9 };
enum err hold_row_read(sqlite3_stmt *row, int at, struct hold_record *ret_hold);

#define LIMIT_COLUMNS "l.constellation_id, l.number, l.name, l.capacity"
enum err limit_row_read(sqlite3_stmt *row, int at, struct arena *arena,
                        struct limit_record *ret_limit);

#define ATTEMPT_COLUMNS                                                                            \
    "a.fence, a.previous, a.constellation_id, a.task_id, a.device_id, a.session, a.number,"        \
    " a.state, a.outcome, a.exit_code, a.signal, a.output_truncated, a.stop_wanted, a.given_up,"   \
    " a.assigned_wall_ms, a.started_wall_ms, a.ended_wall_ms, a.stdout_bytes, a.stderr_bytes"
enum { ATTEMPT_COLUMNS_COUNT = 19 };
enum err attempt_row_read(sqlite3_stmt *row, int at, struct attempt_record *ret_attempt);

#endif
