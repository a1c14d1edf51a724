/* The schema, as numbered steps: a step that has been released is never changed, a change is a new
   step at the end.

   The layout is what makes the daemon fast. Rows have integer keys in the order of submission, so a
   turn touches neighbouring pages; what a transition changes is apart from text, so the pages are few;
   and no column that a transition changes has an index. What must be found otherwise is found by a
   range of ids (constellation.first_task_id …) or along a chain (task.fence → attempt.previous).

   Tasks that run in another order than they were submitted in would still touch a page each, of the
   tasks and of the edges, at every step. So only the end of a task goes to its own row; what happens
   before stands in a table so small that its pages are always at hand, and what its end decides stands
   in the order of the attempts. What an edit makes of the size of a plan stands in its revision. Readers
   see it put together, in the views task, edge and constellation. */
#include "orchestrator/store/schema.h"

#include <stddef.h>
#include <stdio.h>

static const char *const step_1[] = {
    /* Single values: lineage, secret, the ids and the fence of what has gone, and the like. */
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    /* One row a start of the daemon. last_fence: the highest in the database when it had ended. */
    "CREATE TABLE start(epoch INTEGER PRIMARY KEY, start_id BLOB NOT NULL,"
    " wall_ms INTEGER NOT NULL, last_fence INTEGER NOT NULL DEFAULT 0) STRICT",
    /* retired: 0, or the first constellation that cannot refer to it. Only older ones do,
       for display; it goes when the last of them has gone. tools: a JSON array; resources, limits:
       JSON objects, name or index to amount. */
    "CREATE TABLE class(id INTEGER PRIMARY KEY, selector TEXT NOT NULL, device TEXT NOT NULL,"
    " executor INTEGER NOT NULL, strategy INTEGER NOT NULL, tools TEXT NOT NULL,"
    " resources TEXT NOT NULL, limits TEXT NOT NULL, same_task_id INTEGER NOT NULL,"
    " other_task_id INTEGER NOT NULL, constellation_id INTEGER NOT NULL,"
    " retired INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE TABLE policy(id INTEGER PRIMARY KEY, max_attempts INTEGER NOT NULL,"
    " max_lost INTEGER NOT NULL, backoff_base_ms INTEGER NOT NULL,"
    " backoff_max_ms INTEGER NOT NULL, backoff_factor_permille INTEGER NOT NULL,"
    " run_timeout_ms INTEGER NOT NULL, kill_grace_ms INTEGER NOT NULL,"
    " output_bytes_max INTEGER NOT NULL, on_disconnect INTEGER NOT NULL,"
    " effect INTEGER NOT NULL, retry_on INTEGER NOT NULL, queue_timeout_ms INTEGER NOT NULL,"
    " start_timeout_ms INTEGER NOT NULL, silence_timeout_ms INTEGER NOT NULL,"
    " hold_on_failure_ms INTEGER NOT NULL, retired INTEGER NOT NULL DEFAULT 0) STRICT",
    /* Its tasks are those of the id range that name it, its edges likewise (an empty range is 0, 0),
       and those that are late. */
    /* tasks, edges, revision: unless a later revision has said so. */
    "CREATE TABLE constellation_row(id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL, state INTEGER NOT NULL, cancel_requested INTEGER NOT NULL,"
    " cancel_finally INTEGER NOT NULL, created_wall_ms INTEGER NOT NULL,"
    " finished_wall_ms INTEGER NOT NULL, tasks INTEGER NOT NULL, edges INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, fail_fast INTEGER NOT NULL, stopping INTEGER NOT NULL,"
    " deadline_passed INTEGER NOT NULL, deadline_wall_ms INTEGER NOT NULL,"
    " deadline_length_ms INTEGER NOT NULL, succeeded INTEGER NOT NULL,"
    " failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, skipped INTEGER NOT NULL,"
    " first_task_id INTEGER NOT NULL DEFAULT 0, last_task_id INTEGER NOT NULL DEFAULT 0,"
    " first_edge_id INTEGER NOT NULL DEFAULT 0, last_edge_id INTEGER NOT NULL DEFAULT 0,"
    " first_seq INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE TABLE constellation_text(id INTEGER PRIMARY KEY,"
    " description TEXT NOT NULL DEFAULT '', actor TEXT NOT NULL DEFAULT '',"
    " source TEXT NOT NULL) STRICT", /* last: it may be large, and the others are read often */
    /* Without a name: one that was removed; its number is free. */
    "CREATE TABLE constellation_limit(constellation_id INTEGER NOT NULL,"
    " number INTEGER NOT NULL, name TEXT NOT NULL, capacity INTEGER NOT NULL,"
    " PRIMARY KEY(constellation_id, number)) STRICT, WITHOUT ROWID",
    /* A task as it was when no attempt had it. name: a number that its key comes to, by which its duration
       is learned. late: an edit has added it, after the range of ids of its
       constellation. room: about as many bytes as it grows by when it ends or is edited, and none from
       then on; a submission fills its pages, and one that is full would be split. */
    "CREATE TABLE task_row(id INTEGER PRIMARY KEY, constellation_id INTEGER NOT NULL,"
    " class_id INTEGER NOT NULL, policy_id INTEGER NOT NULL, fence INTEGER NOT NULL,"
    " wake_wall_ms INTEGER NOT NULL, wake_length_ms INTEGER NOT NULL,"
    " priority INTEGER NOT NULL, attempts INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " lost INTEGER NOT NULL, body_bytes INTEGER NOT NULL, first_attempt INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, round INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " state INTEGER NOT NULL, has_references INTEGER NOT NULL, prepared INTEGER NOT NULL,"
    " late INTEGER NOT NULL, name INTEGER NOT NULL, room BLOB NOT NULL) STRICT",
    /* Where those are: see late.h. */
    "CREATE TABLE late_task(constellation_id INTEGER NOT NULL, first_id INTEGER NOT NULL,"
    " PRIMARY KEY(constellation_id, first_id)) STRICT, WITHOUT ROWID",
    /* What is true instead while it is assigned or running: as many rows as there are slots in use. */
    "CREATE TABLE task_live(id INTEGER PRIMARY KEY, class_id INTEGER NOT NULL,"
    " policy_id INTEGER NOT NULL, fence INTEGER NOT NULL, wake_wall_ms INTEGER NOT NULL,"
    " wake_length_ms INTEGER NOT NULL, priority INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " tries INTEGER NOT NULL, lost INTEGER NOT NULL, body_bytes INTEGER NOT NULL,"
    " first_attempt INTEGER NOT NULL, revision INTEGER NOT NULL, round INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, state INTEGER NOT NULL, has_references INTEGER NOT NULL,"
    " prepared INTEGER NOT NULL) STRICT",
    /* The revision of a task that an edit has touched and not changed, if it is newer than that of its row:
       rows of tasks lie anywhere, and many of these stand on one page. */
    "CREATE TABLE task_stamp(id INTEGER PRIMARY KEY, revision INTEGER NOT NULL) STRICT",
    "CREATE VIEW task AS SELECT r.id, r.constellation_id,"
    " coalesce(l.class_id, r.class_id) AS class_id,"
    " coalesce(l.policy_id, r.policy_id) AS policy_id, coalesce(l.fence, r.fence) AS fence,"
    " coalesce(l.wake_wall_ms, r.wake_wall_ms) AS wake_wall_ms,"
    " coalesce(l.wake_length_ms, r.wake_length_ms) AS wake_length_ms,"
    " coalesce(l.priority, r.priority) AS priority,"
    " coalesce(l.attempts, r.attempts) AS attempts, coalesce(l.tries, r.tries) AS tries,"
    " coalesce(l.lost, r.lost) AS lost, coalesce(l.body_bytes, r.body_bytes) AS body_bytes,"
    " coalesce(l.first_attempt, r.first_attempt) AS first_attempt,"
    " max(coalesce(l.revision, r.revision), coalesce(s.revision, 0)) AS revision,"
    " coalesce(l.round, r.round) AS round,"
    " coalesce(l.flags, r.flags) AS flags, coalesce(l.state, r.state) AS state,"
    " coalesce(l.has_references, r.has_references) AS has_references,"
    " coalesce(l.prepared, r.prepared) AS prepared, r.late, r.name"
    " FROM task_row r LEFT JOIN task_live l ON l.id = r.id"
    " LEFT JOIN task_stamp s ON s.id = r.id",
    /* body: an encoded TaskBody as submitted; inputs: with its placeholders filled in, or NULL.
       \"group\", description, hold: NULL if there is none. */
    "CREATE TABLE task_text(id INTEGER PRIMARY KEY, constellation_id INTEGER NOT NULL,"
    " key TEXT NOT NULL, body BLOB NOT NULL, inputs BLOB, reason TEXT, \"group\" TEXT,"
    " description TEXT, hold TEXT) STRICT",
    "CREATE UNIQUE INDEX task_text_by_key ON task_text(constellation_id, key)",
    /* What an edit has removed: its attempts stay while its constellation does; without any it goes
       with the event of that edit. seq: of the last event before its removal. */
    "CREATE TABLE task_removed(id INTEGER PRIMARY KEY, constellation_id INTEGER NOT NULL,"
    " key TEXT NOT NULL, fence INTEGER NOT NULL, seq INTEGER NOT NULL) STRICT",
    "CREATE INDEX task_removed_of ON task_removed(constellation_id, fence, seq)",
    /* decision, fence: unless the latest attempt of from_id has made one. flags: enum edge_flag. late:
       as of tasks. */
    "CREATE TABLE edge_row(id INTEGER PRIMARY KEY, constellation_id INTEGER NOT NULL,"
    " from_id INTEGER NOT NULL, to_id INTEGER NOT NULL, \"when\" INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, decision INTEGER NOT NULL, fence INTEGER NOT NULL,"
    " late INTEGER NOT NULL) STRICT",
    "CREATE INDEX edge_by_to ON edge_row(to_id)",
    "CREATE TABLE late_edge(constellation_id INTEGER NOT NULL, first_id INTEGER NOT NULL,"
    " PRIMARY KEY(constellation_id, first_id)) STRICT, WITHOUT ROWID",
    /* What the latest attempt of a task has decided; it moves to edge_row before another follows. */
    "CREATE TABLE edge_decided(fence INTEGER NOT NULL, edge_id INTEGER NOT NULL,"
    " decision INTEGER NOT NULL, PRIMARY KEY(fence, edge_id)) STRICT, WITHOUT ROWID",
    "CREATE VIEW edge AS SELECT r.id, r.constellation_id, r.from_id, r.to_id, r.\"when\", r.flags,"
    " coalesce(d.decision, r.decision) AS decision, coalesce(d.fence, r.fence) AS fence, r.late"
    " FROM edge_row r LEFT JOIN edge_decided d ON d.edge_id = r.id"
    " AND d.fence = (SELECT t.fence FROM task t WHERE t.id = r.from_id)",
    /* Only of edges that have some. reason: why it was decided so. */
    "CREATE TABLE edge_text(id INTEGER PRIMARY KEY, condition TEXT NOT NULL DEFAULT '',"
    " arguments TEXT NOT NULL DEFAULT '', reason TEXT) STRICT",
    "CREATE INDEX edge_text_wrong ON edge_text(id) WHERE reason IS NOT NULL",
    "CREATE TABLE hold(id INTEGER PRIMARY KEY, constellation_id INTEGER NOT NULL,"
    " scope INTEGER NOT NULL, origin INTEGER NOT NULL, on_expiry INTEGER NOT NULL,"
    " root_task_id INTEGER NOT NULL, created_wall_ms INTEGER NOT NULL,"
    " deadline_wall_ms INTEGER NOT NULL, length_ms INTEGER NOT NULL, owner TEXT NOT NULL,"
    " reason TEXT NOT NULL) STRICT",
    "CREATE INDEX hold_of ON hold(constellation_id)",
    /* May name a task that has been removed since. */
    "CREATE TABLE hold_task(hold_id INTEGER NOT NULL, task_id INTEGER NOT NULL,"
    " PRIMARY KEY(hold_id, task_id)) STRICT, WITHOUT ROWID",
    /* Holds that have ended and named many: their rows above go in slices. */
    "CREATE TABLE hold_doomed(id INTEGER PRIMARY KEY) STRICT",
    /* One edit that was applied: the revision that it made, by revision_id() of store_ops.h. bytes: of its
       text. tasks, edges: of the plan that it made; the row of its constellation is left alone. */
    "CREATE TABLE revision(id INTEGER PRIMARY KEY, base INTEGER NOT NULL,"
    " wall_ms INTEGER NOT NULL, author_kind INTEGER NOT NULL, author TEXT NOT NULL,"
    " reason TEXT NOT NULL, bytes INTEGER NOT NULL, bulk_id INTEGER NOT NULL,"
    " tasks INTEGER NOT NULL, edges INTEGER NOT NULL,"
    " operations TEXT NOT NULL, inverse TEXT NOT NULL) STRICT",
    "CREATE VIEW constellation AS SELECT r.id, r.uid, r.name, r.state, r.cancel_requested,"
    " r.cancel_finally, r.created_wall_ms, r.finished_wall_ms, coalesce(v.tasks, r.tasks) AS tasks,"
    " coalesce(v.edges, r.edges) AS edges, coalesce(v.id & 4294967295, r.revision) AS revision,"
    " r.fail_fast, r.stopping, r.deadline_passed, r.deadline_wall_ms, r.deadline_length_ms,"
    " r.succeeded, r.failed, r.cancelled, r.skipped, r.first_task_id, r.last_task_id,"
    " r.first_edge_id, r.last_edge_id, r.first_seq FROM constellation_row r LEFT JOIN revision v"
    " ON v.id = (SELECT max(n.id) FROM revision n WHERE n.id > (r.id << 32) + r.revision"
    " AND n.id < (r.id + 1) << 32)",
    "CREATE INDEX revision_of_bulk ON revision(bulk_id) WHERE bulk_id <> 0",
    /* The constellations that have such rows, for retention: so that most edits need not write here,
       blocks is only how many times REVISION_BLOCK the newest number is. oldest_wall_ms: of the rows. */
    "CREATE TABLE edited(id INTEGER PRIMARY KEY, blocks INTEGER NOT NULL,"
    " oldest_wall_ms INTEGER NOT NULL) STRICT",
    "CREATE INDEX edited_by_blocks ON edited(blocks)",
    "CREATE INDEX edited_by_age ON edited(oldest_wall_ms)",
    /* An edit of many operations that was accepted and is being made: struct bulk_record. The id is that of
       its hold. */
    "CREATE TABLE bulk(id INTEGER PRIMARY KEY, constellation_id INTEGER NOT NULL,"
    " first_task_id INTEGER NOT NULL, tasks_added INTEGER NOT NULL, parts INTEGER NOT NULL,"
    " next INTEGER NOT NULL, renews INTEGER NOT NULL, is_renewing INTEGER NOT NULL,"
    " reopens INTEGER NOT NULL) STRICT",
    /* What will be answered to whoever asks for the same again: goes into idempotency with its end. */
    "CREATE TABLE bulk_answer(id INTEGER PRIMARY KEY, scope TEXT NOT NULL, key TEXT NOT NULL,"
    " body_hash BLOB NOT NULL, status INTEGER NOT NULL, response TEXT NOT NULL,"
    " created_wall_ms INTEGER NOT NULL) STRICT",
    /* The parts of such an edit, and the text of its revision, in pieces: id = piece_id() of store_ops.h. */
    "CREATE TABLE piece(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
    /* Pieces that nobody needs any more: they go in slices. */
    "CREATE TABLE piece_doomed(first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT",
    /* previous: the fence of the task's attempt before, 0 at the first. */
    "CREATE TABLE attempt(fence INTEGER PRIMARY KEY, previous INTEGER NOT NULL,"
    " constellation_id INTEGER NOT NULL, task_id INTEGER NOT NULL, device_id INTEGER NOT NULL,"
    " session INTEGER NOT NULL, number INTEGER NOT NULL, state INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, exit_code INTEGER NOT NULL, signal INTEGER NOT NULL,"
    " output_truncated INTEGER NOT NULL, stop_wanted INTEGER NOT NULL,"
    " given_up INTEGER NOT NULL, assigned_wall_ms INTEGER NOT NULL, started_wall_ms INTEGER NOT "
    "NULL,"
    " ended_wall_ms INTEGER NOT NULL, stdout_bytes INTEGER NOT NULL,"
    " stderr_bytes INTEGER NOT NULL, reason TEXT, result TEXT) STRICT",
    /* The first 16 KiB of each stream; what is beyond stands in a file (output_file.h). */
    "CREATE TABLE output(fence INTEGER PRIMARY KEY, stdout BLOB, stderr BLOB) STRICT",
    /* executors, tools: JSON arrays; labels, resources (in thousandths): JSON objects. */
    "CREATE TABLE device(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " journal_id TEXT NOT NULL, boot_id TEXT NOT NULL, process_id INTEGER NOT NULL,"
    " session INTEGER NOT NULL, fence INTEGER NOT NULL, agent_version TEXT NOT NULL,"
    " connected_wall_ms INTEGER NOT NULL, os TEXT NOT NULL, arch TEXT NOT NULL,"
    " hostname TEXT NOT NULL, cpus INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,"
    " slots INTEGER NOT NULL, draining INTEGER NOT NULL, executors TEXT NOT NULL, tools TEXT NOT "
    "NULL,"
    " labels TEXT NOT NULL, resources TEXT NOT NULL) STRICT",
    /* What happened, for ever rising; see docs/events.md. */
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, constellation_id INTEGER NOT NULL, task_id INTEGER NOT NULL,"
    " device_id INTEGER NOT NULL, fence INTEGER NOT NULL, state INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT) STRICT",
    /* hash: SHA-256 of the token; device: the one an agent's token is bound to; revoked 0: it is not. */
    "CREATE TABLE token(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " hash BLOB NOT NULL UNIQUE, role TEXT NOT NULL, device TEXT NOT NULL DEFAULT '',"
    " created_wall_ms INTEGER NOT NULL, revoked_wall_ms INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE TABLE idempotency(scope TEXT NOT NULL, key TEXT NOT NULL, body_hash BLOB NOT NULL,"
    " status INTEGER NOT NULL, response TEXT NOT NULL, created_wall_ms INTEGER NOT NULL,"
    " PRIMARY KEY(scope, key)) STRICT",
    /* Constellations that have been deleted: their own rows are gone, the rest goes in slices. */
    "CREATE TABLE doomed(id INTEGER PRIMARY KEY, first_task_id INTEGER NOT NULL,"
    " last_task_id INTEGER NOT NULL, first_edge_id INTEGER NOT NULL,"
    " last_edge_id INTEGER NOT NULL) STRICT",
    NULL,
};

static const char *const *const steps[] = { step_1 };

/* The newest that this program knows. */
static int schema_version(void)
{
    return (int)(sizeof steps / sizeof steps[0]);
}

static enum err read_number(sqlite3 *db, const char *sql, int *ret_number, struct reason *reason)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc != SQLITE_ROW) {
        enum err err = rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? ERR_CORRUPT : ERR_IO;
        reason_set(reason, err, "the database cannot be read: %s", sqlite3_errmsg(db));
        sqlite3_finalize(statement);
        return err;
    }
    *ret_number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return ERR_NONE;
}

static enum err examine(sqlite3 *db, int *ret_version, struct reason *reason)
{
    int application = 0;
    int version = 0;
    int tables = 0;
    enum err err = read_number(db, "PRAGMA application_id", &application, reason);
    if (err == ERR_NONE) {
        err = read_number(db, "PRAGMA user_version", &version, reason);
    }
    if (err == ERR_NONE) {
        err = read_number(db, "SELECT count(*) FROM sqlite_schema", &tables, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    if (application != SCHEMA_APPLICATION_ID && (application != 0 || version != 0 || tables != 0)) {
        return reason_set(reason, ERR_CORRUPT, "the database was not made by asterismd");
    }
    if (version > schema_version()) {
        return reason_set(reason, ERR_VERSION,
                          "the database has version %d, this program knows up to %d: start the "
                          "newer asterismd that wrote it, or restore an older backup",
                          version, schema_version());
    }
    if (version < 0 || (version > 0 && tables == 0)) {
        return reason_set(reason, ERR_CORRUPT, "the database says version %d and has %d tables",
                          version, tables);
    }
    *ret_version = version;
    return ERR_NONE;
}

enum err schema_check(sqlite3 *db, struct reason *reason)
{
    int version = 0;
    enum err err = examine(db, &version, reason);
    if (err == ERR_NONE && version == 0) {
        err = reason_set(reason, ERR_CORRUPT, "the database is empty");
    }
    return err;
}

enum err schema_migrate(sqlite3 *db, struct reason *reason)
{
    int version = 0;
    enum err err = examine(db, &version, reason);
    if (err != ERR_NONE) {
        return err;
    }
    for (; version < schema_version(); version++) {
        char last[96];
        snprintf(last, sizeof last, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                 SCHEMA_APPLICATION_ID, version + 1);
        int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (const char *const *sql = steps[version]; rc == SQLITE_OK && *sql != NULL; sql++) {
            rc = sqlite3_exec(db, *sql, NULL, NULL, NULL);
        }
        if (rc != SQLITE_OK || sqlite3_exec(db, last, NULL, NULL, NULL) != SQLITE_OK) {
            return reason_set(reason, ERR_IO, "the database cannot be brought to version %d: %s",
                              version + 1, sqlite3_errmsg(db));
        }
    }
    return ERR_NONE;
}
