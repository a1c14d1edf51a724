/* Rows to the engine, at the start: classes, policies, devices, and of every constellation that is not
   final its tasks, its edges, each task's latest attempt, its limits and its holds, all in the order of
   their ids. */
#include "orchestrator/store/store_sqlite_load.h"

#include "common/base/mem.h"
#include "orchestrator/store/device_json.h"
#include "orchestrator/store/late.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/record_row.h"

/* One pass over a query: `row` takes each of its rows. */
struct pass {
    const char *sql;
    enum err (*row)(struct loader *loader, sqlite3_stmt *row);
};

static bool column_in(sqlite3_stmt *row, int at, int64_t min, int64_t max, int64_t *ret_number)
{
    *ret_number = sqlite3_column_int64(row, at);
    return *ret_number >= min && *ret_number <= max;
}

enum err load_class_row(struct loader *loader, sqlite3_stmt *row)
{
    struct class_record record;
    enum err err = class_row_read(&loader->self->store, row, 0, &loader->arena, &record);
    if (err == ERR_NONE) {
        engine_load_class(loader->engine, &record);
    }
    return err;
}

enum err load_policy_row(struct loader *loader, sqlite3_stmt *row)
{
    struct policy_record record;
    enum err err = policy_row_read(row, 0, &record);
    if (err == ERR_NONE) {
        engine_load_policy(loader->engine, &record);
    }
    return err;
}

static enum err load_device(struct loader *loader, sqlite3_stmt *row)
{
    sqlite3_stmt *each = store_sqlite_statement(&loader->self->store, DEVICE_JSON_EACH, NULL);
    int64_t cpus;
    int64_t slots;
    if (each == NULL || !column_in(row, 10, 0, UINT32_MAX, &cpus) ||
        !column_in(row, 12, 0, UINT32_MAX, &slots)) {
        return ERR_CORRUPT;
    }
    struct device_record record = {
        .id = sqlite3_column_int64(row, 0),
        .name = sqlite_column_str(row, 1),
        .journal_id = sqlite_column_str(row, 2),
        .boot_id = sqlite_column_str(row, 3),
        .process_id = (uint64_t)sqlite3_column_int64(row, 4),
        .session = (uint64_t)sqlite3_column_int64(row, 5),
        .fence = (uint64_t)sqlite3_column_int64(row, 6),
        .agent_version = sqlite_column_str(row, 7),
        .connected_wall_ms = sqlite3_column_int64(row, 8),
        .profile = { .os = sqlite_column_str(row, 9),
                     .cpus = (uint32_t)cpus,
                     .memory_bytes = (uint64_t)sqlite3_column_int64(row, 11),
                     .slots = (uint32_t)slots,
                     .arch = sqlite_column_str(row, 13),
                     .hostname = sqlite_column_str(row, 14) },
        .draining = sqlite3_column_int(row, 18) != 0,
    };
    struct arena *arena = &loader->arena;
    enum err err =
        device_json_read_list(each, sqlite_column_str(row, 15), arena, MSG_EXECUTORS_MAX,
                              &record.profile.executors, &record.profile.executors_count);
    if (err == ERR_NONE) {
        err = device_json_read_list(each, sqlite_column_str(row, 16), arena, MSG_TOOLS_MAX,
                                    &record.profile.tools, &record.profile.tools_count);
    }
    if (err == ERR_NONE) {
        err = device_json_read_labels(each, sqlite_column_str(row, 17), arena,
                                      &record.profile.labels, &record.profile.labels_count);
    }
    if (err == ERR_NONE) {
        err =
            device_json_read_resources(each, sqlite_column_str(row, 19), arena,
                                       &record.profile.resources, &record.profile.resources_count);
    }
    if (err == ERR_NONE) {
        engine_load_device(loader->engine, &record);
    }
    return err;
}

static enum err load_constellation_row(struct loader *loader, sqlite3_stmt *row)
{
    struct constellation_record record;
    enum err err = constellation_row_read(row, 0, &record);
    if (err == ERR_NONE) {
        engine_load_constellation(loader->engine, &record);
    }
    return err;
}

static enum err load_task_row(struct loader *loader, sqlite3_stmt *row)
{
    struct task_record record;
    enum err err = task_row_read(row, 1, &record);
    if (err == ERR_NONE) {
        engine_load_task(loader->engine, sqlite3_column_int64(row, 0), &record);
    }
    return err;
}

/* What the latest attempt of the edge's source has decided, if it has. The view edge would look for it
   at every edge; the sources, which are loaded by now, say where there can be one. */
static enum err load_decision(struct store_sqlite *self, const struct engine *engine,
                              int64_t constellation_id, struct edge_record *record)
{
    const struct task_record *from = engine_loaded_task(engine, constellation_id, record->from_id);
    if (from == NULL || from->fence == 0) {
        return ERR_NONE;
    }
    sqlite3_stmt *row = store_sqlite_statement(
        &self->store, "SELECT decision FROM edge_decided WHERE fence = ? AND edge_id = ?", NULL);
    if (row == NULL) {
        return ERR_CORRUPT;
    }
    sqlite3_bind_int64(row, 1, (int64_t)from->fence);
    sqlite3_bind_int64(row, 2, record->id);
    int rc = sqlite3_step(row);
    int64_t decision = EDGE_OPEN;
    bool sound = rc == SQLITE_DONE ||
                 (rc == SQLITE_ROW && column_in(row, 0, EDGE_OPEN, EDGE_CLOSED, &decision));
    if (rc == SQLITE_ROW) {
        record->decision = (enum edge_decision)decision;
        record->fence = from->fence;
    }
    sqlite3_reset(row);
    return sound ? ERR_NONE : ERR_CORRUPT;
}

enum err load_edge_row(struct loader *loader, sqlite3_stmt *row)
{
    int64_t constellation_id = sqlite3_column_int64(row, 0);
    struct edge_record record;
    enum err err = edge_row_read(row, 1, &record);
    if (err == ERR_NONE) {
        err = load_decision(loader->self, loader->engine, constellation_id, &record);
    }
    if (err == ERR_NONE) {
        engine_load_edge(loader->engine, constellation_id, &record);
    }
    return err;
}

/* A stream's length is in its row at the commit, the bytes of its file are on the disk at the next sync:
   after a power cut the row may promise more than there is. What is there is made durable, and the row
   says so much; the agent still has the rest, which was never acknowledged. */
static enum err settle_output(struct store_sqlite *self, struct attempt_record *record)
{
    uint64_t have[2] = { record->stdout_bytes, record->stderr_bytes };
    for (int i = 0; i < 2; i++) {
        uint64_t in_file = 0;
        if (have[i] <= STORE_OUTPUT_INLINE_MAX) {
            continue;
        }
        enum err err = output_file_settle(self->data_dir, record->fence,
                                          i == 0 ? STREAM_STDOUT : STREAM_STDERR, &in_file);
        if (err != ERR_NONE) {
            return err;
        }
        if (have[i] > STORE_OUTPUT_INLINE_MAX + in_file) {
            have[i] = STORE_OUTPUT_INLINE_MAX + in_file;
        }
    }
    if (have[0] == record->stdout_bytes && have[1] == record->stderr_bytes) {
        return ERR_NONE;
    }
    record->stdout_bytes = have[0];
    record->stderr_bytes = have[1];
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(
        self->db, "UPDATE attempt SET stdout_bytes=?2, stderr_bytes=?3 WHERE fence=?1", -1,
        &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, (int64_t)record->fence);
        sqlite3_bind_int64(statement, 2, (int64_t)have[0]);
        sqlite3_bind_int64(statement, 3, (int64_t)have[1]);
        rc = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? ERR_NONE : ERR_IO;
}

static enum err load_attempt_row(struct loader *loader, sqlite3_stmt *row)
{
    struct attempt_record record;
    enum err err = attempt_row_read(row, 0, &record);
    if (err == ERR_NONE && record.state != ATTEMPT_ENDED && !loader->only_looks) {
        err = settle_output(loader->self, &record);
    }
    if (err == ERR_NONE) {
        engine_load_attempt(loader->engine, &record);
    }
    return err;
}

enum err load_limit_row(struct loader *loader, sqlite3_stmt *row)
{
    struct limit_record record;
    enum err err = limit_row_read(row, 0, &loader->arena, &record);
    if (err == ERR_NONE) {
        engine_load_limit(loader->engine, &record);
    }
    return err;
}

/* Tasks that have been removed are held no more. */
enum err load_hold_row(struct loader *loader, sqlite3_stmt *row)
{
    struct hold_record record;
    enum err err = hold_row_read(row, 0, &record);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *member = store_sqlite_statement(
        &loader->self->store,
        "SELECT h.task_id FROM hold_task h JOIN task_row r ON r.id = h.task_id"
        " WHERE h.hold_id = ? ORDER BY h.task_id LIMIT ?",
        NULL);
    if (member == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(member, 1, record.id);
    sqlite3_bind_int64(member, 2, ENGINE_HOLD_TASKS_MAX + 1);
    size_t count = 0;
    size_t capacity = 0;
    int64_t *tasks = NULL;
    int rc;
    while ((rc = sqlite3_step(member)) == SQLITE_ROW) {
        if (count == capacity) {
            capacity = capacity == 0 ? 8 : capacity * 2;
            tasks = mem_resize(tasks, capacity * sizeof tasks[0]);
        }
        tasks[count++] = sqlite3_column_int64(member, 0);
    }
    sqlite3_reset(member);
    if (rc == SQLITE_DONE && count <= ENGINE_HOLD_TASKS_MAX) {
        engine_load_hold(loader->engine, &record, tasks, count);
    }
    mem_free(tasks);
    return rc == SQLITE_DONE && count <= ENGINE_HOLD_TASKS_MAX ? ERR_NONE : ERR_CORRUPT;
}

static enum err load_bulk(struct loader *loader, sqlite3_stmt *row)
{
    int64_t numbers[4];
    for (int i = 0; i < 4; i++) {
        if (!column_in(row, 3 + i, 0, UINT32_MAX, &numbers[i])) {
            return ERR_CORRUPT;
        }
    }
    const struct bulk_record record = {
        .id = sqlite3_column_int64(row, 0),
        .constellation_id = sqlite3_column_int64(row, 1),
        .first_task_id = sqlite3_column_int64(row, 2),
        .tasks_added = (uint32_t)numbers[0],
        .parts = (uint32_t)numbers[1],
        .next = (uint32_t)numbers[2],
        .renews = numbers[3] != 0,
        .is_renewing = sqlite3_column_int(row, 7) != 0,
        .reopens = sqlite3_column_int(row, 8) != 0,
    };
    engine_load_bulk(loader->engine, &record);
    return ERR_NONE;
}

static enum err load_duration(struct loader *loader, sqlite3_stmt *row)
{
    int64_t name;
    if (!column_in(row, 0, 0, UINT16_MAX, &name)) {
        return ERR_CORRUPT;
    }
    engine_load_duration(loader->engine, (uint16_t)name, sqlite3_column_int64(row, 1));
    return ERR_NONE;
}

/* So many rows of the newest are looked at, whatever has become of them. */
_Static_assert(ENGINE_DURATIONS_MAX == 8192 && ATTEMPT_ENDED == 4 && OUTCOME_EXITED == 1,
               "the numbers of the query below");
static const struct pass of_the_past[] = {
    { "SELECT r.name, a.ended_wall_ms - a.started_wall_ms FROM (SELECT fence, task_id, state,"
      " outcome, exit_code, started_wall_ms, ended_wall_ms, reason FROM attempt"
      " ORDER BY fence DESC LIMIT 8192) a CROSS JOIN task_row r ON r.id = a.task_id"
      " WHERE a.state = 4 AND a.outcome = 1 AND a.exit_code = 0 AND a.started_wall_ms <> 0"
      " AND coalesce(a.reason, '') = '' ORDER BY a.fence",
      load_duration },
};

static const struct pass of_bulks[] = {
    { "SELECT b.id, b.constellation_id, b.first_task_id, b.tasks_added, b.parts, b.next, b.renews,"
      " b.is_renewing, b.reopens FROM bulk b CROSS JOIN hold h ON h.id = b.id"
      " AND h.constellation_id = b.constellation_id ORDER BY b.id",
      load_bulk },
};

static const struct pass shared[] = {
    { "SELECT " CLASS_COLUMNS " FROM class k WHERE k.retired = 0 ORDER BY k.id", load_class_row },
    { "SELECT " POLICY_COLUMNS " FROM policy p WHERE p.retired = 0 ORDER BY p.id",
      load_policy_row },
    { "SELECT id, name, journal_id, boot_id, process_id, session, fence, agent_version,"
      " connected_wall_ms, os, cpus, memory_bytes, slots, arch, hostname, executors, tools, labels,"
      " draining, resources FROM device ORDER BY id",
      load_device },
};

/* Those that are neither loading (1) nor final; or one, whatever it is. */
#define WHICH "(?1 = 0 AND c.state IN (2, 3) OR c.id = ?1)"

/* CROSS JOIN keeps the order of the loops: of each constellation its range of ids, then those that are
   late, whose ids are higher. */
#define TASKS_IN_RANGE                                                                             \
    " FROM constellation_row c CROSS JOIN task t ON t.id BETWEEN c.first_task_id AND"              \
    " c.last_task_id AND t.constellation_id = c.id AND t.late = 0"
#define TASKS_LATE                                                                                 \
    " FROM constellation_row c CROSS JOIN " LATE_ROWS("late_task", "task", "t",                    \
                                                      "0") " AND b.constellation_id = c.id"
#define IN_LATE_ORDER(row) " ORDER BY c.id, b.first_id, " row ".id"

static const struct pass of_constellations[] = {
    { "SELECT " CONSTELLATION_COLUMNS " FROM constellation c WHERE " WHICH " ORDER BY c.id",
      load_constellation_row },
    { "SELECT t.constellation_id, " TASK_COLUMNS TASKS_IN_RANGE " WHERE " WHICH
      " ORDER BY c.id, t.id",
      load_task_row },
    { "SELECT t.constellation_id, " TASK_COLUMNS TASKS_LATE " WHERE " WHICH IN_LATE_ORDER("t"),
      load_task_row },
    { "SELECT e.constellation_id, " EDGE_COLUMNS " FROM constellation_row c CROSS JOIN edge_row e"
      " ON e.id BETWEEN c.first_edge_id AND c.last_edge_id AND e.constellation_id = c.id"
      " AND e.late = 0 WHERE " WHICH " ORDER BY c.id, e.id",
      load_edge_row },
    { "SELECT e.constellation_id, " EDGE_COLUMNS " FROM constellation_row c CROSS JOIN " LATE_ROWS(
          "late_edge", "edge_row", "e",
          "0") " AND b.constellation_id = c.id WHERE " WHICH IN_LATE_ORDER("e"),
      load_edge_row },
    { "SELECT " ATTEMPT_COLUMNS TASKS_IN_RANGE " CROSS JOIN attempt a ON a.fence = t.fence"
      " WHERE " WHICH " AND t.fence <> 0 ORDER BY c.id, t.id",
      load_attempt_row },
    { "SELECT " ATTEMPT_COLUMNS TASKS_LATE " CROSS JOIN attempt a ON a.fence = t.fence"
      " WHERE " WHICH " AND t.fence <> 0" IN_LATE_ORDER("t"),
      load_attempt_row },
    { "SELECT " LIMIT_COLUMNS " FROM constellation_row c CROSS JOIN constellation_limit l"
      " ON l.constellation_id = c.id WHERE " WHICH " ORDER BY c.id, l.number",
      load_limit_row },
    { "SELECT " HOLD_COLUMNS " FROM constellation_row c CROSS JOIN hold h"
      " ON h.constellation_id = c.id WHERE " WHICH " ORDER BY c.id, h.id",
      load_hold_row },
};

enum err load_damaged(struct store_sqlite *self, enum err err, struct reason *reason)
{
    if (err == ERR_NONE && sqlite_err(sqlite3_errcode(self->db)) == ERR_TIMEOUT) {
        return reason_set(reason, ERR_TIMEOUT, "interrupted"); /* a reader: see reader.h */
    }
    return reason_set(reason, ERR_CORRUPT,
                      "the database in %s is damaged (%s): stop asterismd, move the directory "
                      "away and restore a backup with: asterismd restore BACKUP",
                      self->data_dir,
                      err != ERR_NONE ? "a number that no asterismd writes"
                                      : sqlite3_errmsg(self->db));
}

static enum err run_pass(struct loader *loader, const struct pass *pass, struct reason *reason)
{
    struct store_sqlite *self = loader->self;
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(self->db, pass->sql, -1, &statement, NULL);
    if (sqlite3_bind_parameter_count(statement) > 0) {
        sqlite3_bind_int64(statement, 1, loader->only_id);
    }
    enum err err = ERR_NONE;
    while (err == ERR_NONE && (rc == SQLITE_OK || rc == SQLITE_ROW)) {
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
            err = pass->row(loader, statement);
            arena_clear(&loader->arena);
        }
    }
    if (err != ERR_NONE || rc != SQLITE_DONE) {
        err = load_damaged(self, err, reason);
    }
    sqlite3_finalize(statement);
    return err;
}

static enum err run_passes(struct loader *loader, const struct pass *passes, size_t count,
                           struct reason *reason)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        err = run_pass(loader, &passes[i], reason);
    }
    return err;
}

#define RUN_PASSES(loader, passes, reason)                                                         \
    run_passes(loader, passes, sizeof(passes) / sizeof((passes)[0]), reason)

enum err load_all(struct store *store, struct engine *engine, struct reason *reason)
{
    struct loader loader = { .self = sqlite_of(store), .engine = engine };
    enum err err = RUN_PASSES(&loader, shared, reason);
    if (err == ERR_NONE) {
        err = RUN_PASSES(&loader, of_constellations, reason);
    }
    if (err == ERR_NONE) {
        err = RUN_PASSES(&loader, of_bulks, reason);
    }
    if (err == ERR_NONE) {
        err = RUN_PASSES(&loader, of_the_past, reason);
    }
    arena_done(&loader.arena);
    return err;
}

/* A start has retired what nobody used who was not final. */
static const struct pass of_final[] = {
    { "SELECT " CLASS_COLUMNS " FROM class k WHERE k.id IN (SELECT t.class_id" TASKS_IN_RANGE
      " WHERE " WHICH ") OR k.id IN (SELECT t.class_id" TASKS_LATE " WHERE " WHICH
      ") ORDER BY k.id",
      load_class_row },
    { "SELECT " POLICY_COLUMNS " FROM policy p WHERE p.id IN (SELECT t.policy_id" TASKS_IN_RANGE
      " WHERE " WHICH ") OR p.id IN (SELECT t.policy_id" TASKS_LATE " WHERE " WHICH
      ") ORDER BY p.id",
      load_policy_row },
};

enum err store_sqlite_look(struct store *store, struct engine *engine, int64_t id,
                           struct reason *reason)
{
    struct loader loader = {
        .self = sqlite_of(store), .engine = engine, .only_id = id, .only_looks = true
    };
    enum err err = RUN_PASSES(&loader, shared, reason);
    if (err == ERR_NONE) {
        err = RUN_PASSES(&loader, of_final, reason);
    }
    if (err == ERR_NONE) {
        err = RUN_PASSES(&loader, of_constellations, reason);
    }
    arena_done(&loader.arena);
    return err;
}
