/* See record_row.h. */
#include "orchestrator/store/record_row.h"

#include "orchestrator/store/class_json.h"

/* Numbers that we wrote are in range; a damaged page may hold anything. Once one is not, all are 0. */
struct reader {
    sqlite3_stmt *row;
    int at;
    bool is_broken;
};

static int64_t take(struct reader *reader, int64_t min, int64_t max)
{
    int64_t number = sqlite3_column_int64(reader->row, reader->at++);
    if (number < min || number > max) {
        reader->is_broken = true;
        return 0;
    }
    return number;
}

static int64_t take_any(struct reader *reader)
{
    return take(reader, INT64_MIN, INT64_MAX);
}

static uint32_t take_count(struct reader *reader)
{
    return (uint32_t)take(reader, 0, UINT32_MAX);
}

static uint16_t take_short(struct reader *reader)
{
    return (uint16_t)take(reader, 0, UINT16_MAX);
}

static bool take_bool(struct reader *reader)
{
    return take(reader, 0, 1) != 0;
}

static enum err verdict(const struct reader *reader)
{
    return reader->is_broken ? ERR_CORRUPT : ERR_NONE;
}

enum err class_row_read(struct store *store, sqlite3_stmt *row, int at, struct arena *arena,
                        struct class_record *ret_class)
{
    struct reader reader = { .row = row, .at = at };
    struct class_record class = { .id = take_any(&reader) };
    struct plan_class *plan = &class.plan;
    plan->selector = sqlite_column_copy(row, reader.at++, arena);
    plan->device = sqlite_column_copy(row, reader.at++, arena);
    plan->executor = (enum executor)take(&reader, 0, EXECUTOR_SLEEP);
    plan->strategy = (enum strategy)take(&reader, STRATEGY_LEAST_LOADED, STRATEGY_PACK);
    enum err err = class_json_read_tools(store, sqlite_column_str(row, reader.at++), arena, plan);
    if (err == ERR_NONE) {
        err = class_json_read_resources(store, sqlite_column_str(row, reader.at++), arena, plan);
    }
    if (err == ERR_NONE) {
        err = class_json_read_limits(store, sqlite_column_str(row, reader.at++), arena, plan);
    }
    if (err != ERR_NONE) {
        return err;
    }
    class.same_task_id = take_any(&reader);
    class.other_task_id = take_any(&reader);
    class.constellation_id = take_any(&reader);
    *ret_class = class;
    return verdict(&reader);
}

enum err policy_row_read(sqlite3_stmt *row, int at, struct policy_record *ret_policy)
{
    struct reader reader = { .row = row, .at = at };
    struct policy_record policy = { .id = take_any(&reader) };
    struct plan_policy *plan = &policy.plan;
    plan->max_attempts = take_count(&reader);
    plan->max_lost = take_count(&reader);
    plan->backoff_base_ms = take_any(&reader);
    plan->backoff_max_ms = take_any(&reader);
    plan->backoff_factor_permille = take_count(&reader);
    plan->run_timeout_ms = take_any(&reader);
    plan->kill_grace_ms = take_any(&reader);
    plan->output_bytes_max = take(&reader, 0, INT64_MAX);
    plan->on_disconnect =
        (enum on_disconnect)take(&reader, ON_DISCONNECT_CONTINUE, ON_DISCONNECT_STOP);
    plan->effect = (enum task_effect)take(&reader, TASK_IDEMPOTENT, TASK_ONCE);
    plan->retry_on = take_count(&reader);
    plan->queue_timeout_ms = take_any(&reader);
    plan->start_timeout_ms = take_any(&reader);
    plan->silence_timeout_ms = take_any(&reader);
    plan->hold_on_failure_ms = take_any(&reader);
    *ret_policy = policy;
    return verdict(&reader);
}

enum err constellation_row_read(sqlite3_stmt *row, int at,
                                struct constellation_record *ret_constellation)
{
    struct reader reader = { .row = row, .at = at };
    struct constellation_record record = { .id = take_any(&reader) };
    record.state =
        (enum constellation_state)take(&reader, CONSTELLATION_LOADING, CONSTELLATION_CANCELLED);
    record.cancel_requested = take_bool(&reader);
    record.cancel_finally = take_bool(&reader);
    record.created_wall_ms = take_any(&reader);
    record.finished_wall_ms = take_any(&reader);
    record.tasks = take_count(&reader);
    record.edges = take_count(&reader);
    record.revision = take_count(&reader);
    record.fail_fast = take_bool(&reader);
    record.stopping = take_bool(&reader);
    record.deadline_passed = take_bool(&reader);
    record.deadline_wall_ms = take_any(&reader);
    record.deadline_length_ms = take_any(&reader);
    record.succeeded = take_count(&reader);
    record.failed = take_count(&reader);
    record.cancelled = take_count(&reader);
    record.skipped = take_count(&reader);
    *ret_constellation = record;
    return verdict(&reader);
}

enum err task_row_read(sqlite3_stmt *row, int at, struct task_record *ret_task)
{
    struct reader reader = { .row = row, .at = at };
    struct task_record record = { .id = take_any(&reader) };
    record.class_id = take_any(&reader);
    record.policy_id = take_any(&reader);
    record.fence = (uint64_t)take_any(&reader);
    record.wake_wall_ms = take_any(&reader);
    record.wake_length_ms = take_any(&reader);
    record.priority = (int16_t)take(&reader, -PLAN_PRIORITY_MAX, PLAN_PRIORITY_MAX);
    record.attempts = take_count(&reader);
    record.tries = take_short(&reader);
    record.lost = take_short(&reader);
    record.body_bytes = take_count(&reader);
    record.first_attempt = take_count(&reader);
    record.revision = take_count(&reader);
    record.round = take_short(&reader);
    record.flags = take_short(&reader);
    record.state = (uint8_t)take(&reader, TASK_WAITING, TASK_STATES_END - 1);
    record.has_references = take_bool(&reader);
    record.prepared = take_bool(&reader);
    record.name = take_short(&reader);
    *ret_task = record;
    return verdict(&reader);
}

enum err edge_row_read(sqlite3_stmt *row, int at, struct edge_record *ret_edge)
{
    struct reader reader = { .row = row, .at = at };
    struct edge_record record = { .id = take_any(&reader) };
    record.from_id = take_any(&reader);
    record.to_id = take_any(&reader);
    record.when = (enum edge_when)take(&reader, EDGE_WHEN_SUCCESS, EDGE_WHEN_ALWAYS);
    int64_t flags = take(&reader, 0, EDGE_NAMED | EDGE_REQUIRED | EDGE_CONDITIONAL);
    record.named = (flags & EDGE_NAMED) != 0;
    record.required = (flags & EDGE_REQUIRED) != 0;
    record.conditional = (flags & EDGE_CONDITIONAL) != 0;
    record.decision = (enum edge_decision)take(&reader, EDGE_UNDECIDED, EDGE_CLOSED);
    record.fence = (uint64_t)take_any(&reader);
    *ret_edge = record;
    return verdict(&reader);
}

enum err hold_row_read(sqlite3_stmt *row, int at, struct hold_record *ret_hold)
{
    struct reader reader = { .row = row, .at = at };
    struct hold_record record = { .id = take_any(&reader) };
    record.constellation_id = take_any(&reader);
    record.scope = (enum hold_scope)take(&reader, HOLD_TASKS, HOLD_ALL);
    record.origin = (enum hold_origin)take(&reader, HOLD_BY_REQUEST, HOLD_BULK);
    record.on_expiry =
        (enum hold_expiry)take(&reader, 0, HOLD_EXPIRY_FAIL); /* 0: it has no deadline */
    record.root_task_id = take_any(&reader);
    record.created_wall_ms = take_any(&reader);
    record.deadline_wall_ms = take_any(&reader);
    record.length_ms = take_any(&reader);
    *ret_hold = record;
    return verdict(&reader);
}

enum err limit_row_read(sqlite3_stmt *row, int at, struct arena *arena,
                        struct limit_record *ret_limit)
{
    struct reader reader = { .row = row, .at = at };
    struct limit_record record = { .constellation_id = take_any(&reader) };
    record.index = take_count(&reader);
    record.name = sqlite_column_copy(row, reader.at++, arena);
    record.capacity = take_count(&reader);
    *ret_limit = record;
    return verdict(&reader);
}

enum err attempt_row_read(sqlite3_stmt *row, int at, struct attempt_record *ret_attempt)
{
    struct reader reader = { .row = row, .at = at };
    struct attempt_record record = { .fence = (uint64_t)take_any(&reader) };
    record.previous = (uint64_t)take_any(&reader);
    record.constellation_id = take_any(&reader);
    record.task_id = take_any(&reader);
    record.device_id = take_any(&reader);
    record.session = (uint64_t)take_any(&reader);
    record.number = (uint32_t)take(&reader, 1, UINT32_MAX);
    record.state = (enum attempt_state)take(&reader, ATTEMPT_SENT, ATTEMPT_LOST);
    record.outcome = (enum outcome)take(&reader, 0, OUTCOME_DISCONNECTED);
    record.exit_code = (int32_t)take(&reader, INT32_MIN, INT32_MAX);
    record.signal = (int32_t)take(&reader, INT32_MIN, INT32_MAX);
    record.output_truncated = take_bool(&reader);
    record.stop_wanted = take_bool(&reader);
    record.given_up = take_bool(&reader);
    record.assigned_wall_ms = take_any(&reader);
    record.started_wall_ms = take_any(&reader);
    record.ended_wall_ms = take_any(&reader);
    record.stdout_bytes = (uint64_t)take_any(&reader);
    record.stderr_bytes = (uint64_t)take_any(&reader);
    *ret_attempt = record;
    return verdict(&reader);
}
