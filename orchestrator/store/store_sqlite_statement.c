/* One prepared statement a kind of row effect. */
#include "orchestrator/store/record_row.h"
#include "orchestrator/store/store_sqlite_row.h"

#define ONE_EDGE   "(?,?,?,?,?,?,?,?,?)"
#define FOUR_EDGES ONE_EDGE "," ONE_EDGE "," ONE_EDGE "," ONE_EDGE

#define TASK_FIELDS                                                                                \
    "id, class_id, policy_id, fence, wake_wall_ms, wake_length_ms, priority, attempts, tries,"     \
    " lost, body_bytes, first_attempt, revision, round, flags, state, has_references, prepared"

#define EDGE_FIELDS "id, from_id, to_id, \"when\", flags, decision, fence, constellation_id, late"

static const char *const texts[ROWS_END] = {
    [ROW_ADD_CLASS] =
        "INSERT INTO class(id, executor, strategy, same_task_id, other_task_id, constellation_id,"
        " selector, device, tools, resources, limits) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_ADD_POLICY] =
        "INSERT INTO policy(id, max_attempts, max_lost, backoff_base_ms, backoff_max_ms,"
        " backoff_factor_permille, run_timeout_ms, kill_grace_ms, output_bytes_max,"
        " on_disconnect, effect, retry_on, queue_timeout_ms, start_timeout_ms,"
        " silence_timeout_ms, hold_on_failure_ms) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_ADD_CONSTELLATION] =
        "INSERT INTO constellation_row(id, state, cancel_requested, cancel_finally, "
        "created_wall_ms,"
        " finished_wall_ms, tasks, edges, revision, fail_fast, stopping, deadline_passed,"
        " deadline_wall_ms, deadline_length_ms, succeeded, failed, cancelled, skipped, uid, name)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_ADD_CONSTELLATION_TEXT] =
        "INSERT INTO constellation_text(id, source, description) VALUES(?,?,?)",
    [ROW_SAVE_CONSTELLATION] =
        "UPDATE constellation_row SET state=?2, cancel_requested=?3, cancel_finally=?4,"
        " created_wall_ms=?5, finished_wall_ms=?6, tasks=?7, edges=?8, revision=?9, fail_fast=?10,"
        " stopping=?11, deadline_passed=?12, deadline_wall_ms=?13, deadline_length_ms=?14,"
        " succeeded=?15, failed=?16, cancelled=?17, skipped=?18 WHERE id=?1",
    [ROW_EXTEND_CONSTELLATION] =
        "UPDATE constellation_row SET"
        " first_task_id = iif(first_task_id = 0, ?2, first_task_id), last_task_id ="
        " max(last_task_id, ?3), first_edge_id = iif(first_edge_id = 0, ?4, first_edge_id),"
        " last_edge_id = max(last_edge_id, ?5) WHERE id=?1",
    [ROW_SUBMITTED] = "UPDATE constellation_row SET first_seq=?2 WHERE id=?1",
    [ROW_SUBMITTED_BY] = "UPDATE constellation_text SET actor=?2 WHERE id=?1",
    [ROW_ADD_TASK] = "INSERT INTO task_row(" TASK_FIELDS ", constellation_id, late, name, room)"
                     " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,zeroblob(9))",
    [ROW_ADD_TASK_TEXT] = "INSERT INTO task_text(id, constellation_id, key, body, \"group\","
                          " description, hold) VALUES(?,?,?,?,?,?,?)",
    [ROW_SAVE_TASK] =
        "UPDATE task_row SET class_id=?2, policy_id=?3, fence=?4, wake_wall_ms=?5,"
        " wake_length_ms=?6, priority=?7, attempts=?8, tries=?9, lost=?10, body_bytes=?11,"
        " first_attempt=?12, revision=?13, round=?14, flags=?15, state=?16, has_references=?17,"
        " prepared=?18, room=x'' WHERE id=?1",
    [ROW_TASK_LIVE] = "REPLACE INTO task_live(" TASK_FIELDS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                      " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18"
                      " WHERE EXISTS (SELECT 1 FROM task_row WHERE id=?1)",
    [ROW_TASK_RESTS] = "DELETE FROM task_live WHERE id=?1",
    [ROW_TASK_STAMP] = "INSERT INTO task_stamp(id, revision) VALUES(?,?)"
                       " ON CONFLICT(id) DO UPDATE SET revision=?2",
    [ROW_ADD_EDGE] = "INSERT INTO edge_row(" EDGE_FIELDS ") VALUES" ONE_EDGE,
    [ROW_ADD_EDGES] = "INSERT INTO edge_row(" EDGE_FIELDS ") VALUES" FOUR_EDGES "," FOUR_EDGES
                      "," FOUR_EDGES "," FOUR_EDGES,
    [ROW_SAVE_EDGE] = "UPDATE edge_row SET decision=?2, fence=?3 WHERE id=?1",
    [ROW_DECIDE_EDGE] = "REPLACE INTO edge_decided(edge_id, decision, fence) VALUES(?,?,?)",
    /* Its source may have been assigned again in this very turn: then the attempt before had made it. */
    [ROW_FORGET_DECISION] = "DELETE FROM edge_decided WHERE edge_id=?1 AND fence IN"
                            " (SELECT fence FROM task_row WHERE id=?2 UNION ALL"
                            " SELECT fence FROM task_live WHERE id=?2)",
    [ROW_DROP_DECISION] = "DELETE FROM edge_decided WHERE edge_id=? AND fence=?",
    [ROW_ADD_ATTEMPT] =
        "INSERT INTO attempt(fence, state, outcome, exit_code, signal, output_truncated,"
        " stop_wanted, started_wall_ms, ended_wall_ms, stdout_bytes, stderr_bytes, previous,"
        " constellation_id, task_id, device_id, session, number, assigned_wall_ms, given_up)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_SAVE_ATTEMPT] =
        "UPDATE attempt SET state=?2, outcome=?3, exit_code=?4, signal=?5, output_truncated=?6,"
        " stop_wanted=?7, started_wall_ms=?8, ended_wall_ms=?9, stdout_bytes=?10,"
        " stderr_bytes=?11, given_up=?12 WHERE fence=?1",
    [ROW_SAVE_DEVICE] =
        "INSERT INTO device(id, process_id, session, fence, connected_wall_ms, cpus,"
        " memory_bytes, slots, name, journal_id, boot_id, agent_version, os, arch, hostname,"
        " executors, tools, labels, draining, resources)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT(id) DO UPDATE SET process_id=?2, session=?3, fence=?4, connected_wall_ms=?5,"
        " cpus=?6, memory_bytes=?7, slots=?8, name=?9, journal_id=?10, boot_id=?11,"
        " agent_version=?12, os=?13, arch=?14, hostname=?15, executors=?16, tools=?17,"
        " labels=?18, draining=?19, resources=?20",
    [ROW_TASK_REASON] = "UPDATE task_text SET reason=?2 WHERE id=?1",
    [ROW_STDOUT] = "INSERT INTO output(fence, stdout) VALUES(?1,?3) ON CONFLICT(fence) DO UPDATE"
                   " SET stdout = cast(coalesce(substr(stdout, 1, ?2), x'') || ?3 AS BLOB)",
    [ROW_STDERR] = "INSERT INTO output(fence, stderr) VALUES(?1,?3) ON CONFLICT(fence) DO UPDATE"
                   " SET stderr = cast(coalesce(substr(stderr, 1, ?2), x'') || ?3 AS BLOB)",
    [ROW_RESULT] = "UPDATE attempt SET reason=?2, result=?3 WHERE fence=?1",
    [ROW_HISTORY] = "INSERT INTO event(seq, wall_ms, kind, constellation_id, task_id, device_id,"
                    " fence, state, outcome, number, text) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
    [ROW_INPUTS] = "UPDATE task_text SET inputs=?2 WHERE id=?1",
};

enum err row_prepare(struct store_sqlite *self, struct reason *reason)
{
    for (size_t i = 0; i < ROWS_END; i++) {
        int rc = sqlite3_prepare_v3(self->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &self->rows[i], NULL);
        if (rc != SQLITE_OK) {
            return reason_set(reason, ERR_CORRUPT, "the database lacks what it should have: %s",
                              sqlite3_errmsg(self->db));
        }
    }
    return ERR_NONE;
}

void row_finalize(struct store_sqlite *self)
{
    for (size_t i = 0; i < ROWS_END; i++) {
        sqlite3_finalize(self->rows[i]);
    }
}

void bind_numbers(sqlite3_stmt *statement, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_int64(statement, (int)i + 1, numbers[i]);
    }
}

enum err row_run_on(struct store_sqlite *self, enum row row, struct reason *reason)
{
    enum err err = store_sqlite_run(&self->store, self->rows[row], reason);
    if (err == ERR_NONE && sqlite3_changes(self->db) != 1) {
        err = reason_set(reason, ERR_CORRUPT, "the database lacks a row that it should have (%s)",
                         texts[row]);
    }
    return err;
}

enum err row_run(struct store_sqlite *self, enum row row, struct reason *reason)
{
    return store_sqlite_run(&self->store, self->rows[row], reason);
}
