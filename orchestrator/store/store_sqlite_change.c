/* Effects to rows: those of a plan that changes while it runs, and of holds. They are rare beside what
   runs, so their statements are found by their text. */
#include "orchestrator/store/store_sqlite.h"

#include "orchestrator/store/late.h"
#include "orchestrator/store/record_row.h"

/* A statement of up to three numbers, to be run as it is or with text bound behind them. */
static sqlite3_stmt *statement_of(struct store_sqlite *self, const char *sql, int64_t first,
                                  int64_t second, int64_t third, struct reason *reason)
{
    sqlite3_stmt *statement = store_sqlite_statement(&self->store, sql, reason);
    const int64_t numbers[] = { first, second, third };
    for (int i = 0; statement != NULL && i < sqlite3_bind_parameter_count(statement) && i < 3;
         i++) {
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
    }
    return statement;
}

static enum err run(struct store_sqlite *self, sqlite3_stmt *statement, struct reason *reason)
{
    return statement == NULL ? ERR_IO : store_sqlite_run(&self->store, statement, reason);
}

/* Runs one that must find the row that it changes. */
static enum err run_on_row(struct store_sqlite *self, sqlite3_stmt *statement,
                           struct reason *reason)
{
    enum err err = run(self, statement, reason);
    if (err == ERR_NONE && sqlite3_changes(self->db) != 1) {
        err = reason_set(reason, ERR_CORRUPT, "the database lacks a row that it should have (%s)",
                         sqlite3_sql(statement));
    }
    return err;
}

static enum err run_id(struct store_sqlite *self, const char *sql, int64_t id,
                       struct reason *reason)
{
    return run(self, statement_of(self, sql, id, 0, 0, reason), reason);
}

static enum err run_id_on_row(struct store_sqlite *self, const char *sql, int64_t id,
                              struct reason *reason)
{
    return run_on_row(self, statement_of(self, sql, id, 0, 0, reason), reason);
}

static void note_removed(struct spending *spending, int64_t id)
{
    spending->removed = id > spending->removed ? id : spending->removed;
}

enum err change_edge_text(struct store_sqlite *self, int64_t edge_id, const struct plan_edge *plan,
                          struct reason *reason)
{
    sqlite3_stmt *statement =
        statement_of(self, "REPLACE INTO edge_text(id, condition, arguments) VALUES(?,?2,?3)",
                     edge_id, 0, 0, reason);
    if (statement != NULL) {
        sqlite_bind_text(statement, 2, plan->condition);
        sqlite_bind_text(statement, 3, plan->arguments);
    }
    return run(self, statement, reason);
}

enum err change_edge_undecided(struct store_sqlite *self, int64_t edge_id, struct reason *reason)
{
    return run_id(self, "UPDATE edge_text SET reason = NULL WHERE id = ? AND reason IS NOT NULL",
                  edge_id, reason);
}

static enum err add_limit(struct store_sqlite *self, const struct effect *effect,
                          struct reason *reason)
{
    const struct limit_record *limit = &effect->limit;
    sqlite3_stmt *statement = statement_of(
        self,
        "INSERT INTO constellation_limit(constellation_id, number, capacity, name)"
        " VALUES(?,?,?,?) ON CONFLICT(constellation_id, number) DO UPDATE SET capacity = ?3,"
        " name = ?4",
        limit->constellation_id, limit->index, limit->capacity, reason);
    if (statement != NULL) {
        sqlite_bind_text(statement, 4, limit->name);
    }
    return run(self, statement, reason);
}

static enum err add_hold(struct store_sqlite *self, const struct effect *effect,
                         struct reason *reason)
{
    const struct hold_record *hold = effect->hold.record;
    sqlite3_stmt *statement = store_sqlite_statement(
        &self->store,
        "INSERT INTO hold(id, constellation_id, scope, origin, on_expiry, root_task_id,"
        " created_wall_ms, deadline_wall_ms, length_ms, owner, reason)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?)",
        reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    const int64_t numbers[HOLD_COLUMNS_COUNT] = {
        hold->id,        hold->constellation_id, hold->scope,           hold->origin,
        hold->on_expiry, hold->root_task_id,     hold->created_wall_ms, hold->deadline_wall_ms,
        hold->length_ms,
    };
    for (int i = 0; i < HOLD_COLUMNS_COUNT; i++) {
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
    }
    sqlite_bind_text(statement, HOLD_COLUMNS_COUNT + 1, effect->hold.owner);
    sqlite_bind_text(statement, HOLD_COLUMNS_COUNT + 2, effect->hold.reason);
    return run(self, statement, reason);
}

static enum err add_hold_task(struct store_sqlite *self, const struct effect *effect,
                              struct reason *reason)
{
    return run(self,
               statement_of(self, "INSERT INTO hold_task(hold_id, task_id) VALUES(?,?)",
                            effect->hold_task.hold_id, effect->hold_task.task_id, 0, reason),
               reason);
}

/* What it names goes with it if that is little; else later, in slices (retention.c): nobody looks at what
   a hold names that is not there, and its id is never given out again. */
static enum err remove_hold(struct store_sqlite *self, const struct effect *effect,
                            struct reason *reason)
{
    note_removed(&self->holds_spent, effect->id);
    enum err err = run(self,
                       statement_of(self,
                                    "DELETE FROM hold_task WHERE hold_id = ?1 AND task_id IN"
                                    " (SELECT task_id FROM hold_task WHERE hold_id = ?1 LIMIT ?2)",
                                    effect->id, STORE_HOLD_TASKS_AT_ONCE, 0, reason),
                       reason);
    if (err == ERR_NONE && sqlite3_changes(self->db) == STORE_HOLD_TASKS_AT_ONCE) {
        err = run_id(self, "INSERT INTO hold_doomed(id) VALUES(?)", effect->id, reason);
    }
    if (err == ERR_NONE) {
        err = run_id_on_row(self, "DELETE FROM hold WHERE id = ?", effect->id, reason);
    }
    return err;
}

/* What stays says where its attempts are, and what events call it. */
static enum err remove_task(struct store_sqlite *self, const struct effect *effect,
                            struct reason *reason)
{
    note_removed(&self->tasks_spent, effect->id);
    enum err err =
        run_on_row(self,
                   statement_of(self,
                                "INSERT INTO task_removed(id, constellation_id, key, fence, seq)"
                                " SELECT t.id, t.constellation_id, x.key, t.fence, ?2"
                                " FROM task t JOIN task_text x ON x.id = t.id WHERE t.id = ?1",
                                effect->id, self->seq, 0, reason),
                   reason);
    if (err == ERR_NONE) {
        err = run_id_on_row(self, "DELETE FROM task_text WHERE id = ?", effect->id, reason);
    }
    if (err == ERR_NONE) {
        err = run_id(self, "DELETE FROM task_live WHERE id = ?", effect->id, reason);
    }
    if (err == ERR_NONE) {
        err = run_id(self, "DELETE FROM task_stamp WHERE id = ?", effect->id, reason);
    }
    if (err == ERR_NONE) {
        err = late_goes(&self->store, LATE_TASK, effect->id, reason);
    }
    if (err == ERR_NONE) {
        err = run_id_on_row(self, "DELETE FROM task_row WHERE id = ?", effect->id, reason);
    }
    return err;
}

static enum err remove_edge(struct store_sqlite *self, const struct effect *effect,
                            struct reason *reason)
{
    note_removed(&self->edges_spent, effect->id);
    enum err err =
        run_id(self,
               "DELETE FROM edge_decided WHERE edge_id = ?1 AND fence ="
               " (SELECT t.fence FROM edge_row e JOIN task t ON t.id = e.from_id WHERE e.id = ?1)",
               effect->id, reason);
    if (err == ERR_NONE) {
        err = run_id(self, "DELETE FROM edge_text WHERE id = ?", effect->id, reason);
    }
    if (err == ERR_NONE) {
        err = late_goes(&self->store, LATE_EDGE, effect->id, reason);
    }
    if (err == ERR_NONE) {
        err = run_id_on_row(self, "DELETE FROM edge_row WHERE id = ?", effect->id, reason);
    }
    return err;
}

static enum err task_text(struct store_sqlite *self, const struct effect *effect,
                          struct reason *reason)
{
    const struct plan_task *plan = effect->task.plan;
    sqlite3_stmt *statement = statement_of(
        self,
        "UPDATE task_text SET body=?2, inputs=NULL, \"group\"=?3, description=?4, hold=?5"
        " WHERE id=?1",
        effect->task.record->id, 0, 0, reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite_bind_blob(statement, 2, plan->body);
    sqlite_bind_words(statement, 3, plan->group);
    sqlite_bind_words(statement, 4, plan->description);
    sqlite_bind_words(statement, 5, plan->hold);
    return run_on_row(self, statement, reason);
}

static enum err drop_inputs(struct store_sqlite *self, const struct effect *effect,
                            struct reason *reason)
{
    return run_id_on_row(self, "UPDATE task_text SET inputs=NULL, reason=NULL WHERE id=?",
                         effect->id, reason);
}

/* With the kind: a decision leaves the row alone, so this is what writes it. */
static enum err edge_text(struct store_sqlite *self, const struct effect *effect,
                          struct reason *reason)
{
    const struct edge_record *record = &effect->edge.record;
    enum err err =
        run_on_row(self,
                   statement_of(self, "UPDATE edge_row SET \"when\"=?2, flags=?3 WHERE id=?1",
                                record->id, record->when, edge_flags(record), reason),
                   reason);
    if (err != ERR_NONE) {
        return err;
    }
    if (record->conditional) {
        return change_edge_text(self, record->id, effect->edge.plan, reason);
    }
    return run_id(self, "DELETE FROM edge_text WHERE id = ?", record->id, reason);
}

static enum err edge_reason(struct store_sqlite *self, const struct effect *effect,
                            struct reason *reason)
{
    sqlite3_stmt *statement = statement_of(
        self,
        "INSERT INTO edge_text(id, reason) VALUES(?,?2) ON CONFLICT(id) DO UPDATE SET reason=?2",
        effect->edge_reason.edge_id, 0, 0, reason);
    if (statement != NULL) {
        sqlite_bind_text(statement, 2, effect->edge_reason.text);
    }
    return run(self, statement, reason);
}

/* How long the pieces of a kind are in all. */
static enum err pieces_bytes(struct store_sqlite *self, int64_t bulk_id, enum piece_kind kind,
                             int64_t *ret_bytes, struct reason *reason)
{
    sqlite3_stmt *statement = statement_of(
        self, "SELECT coalesce(sum(length(body)), 0) FROM piece WHERE id >= ? AND id < ?",
        piece_id(bulk_id, kind, 0), piece_id(bulk_id, kind, 0) + (1 << PIECE_NUMBER_BITS), 0,
        reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    int rc = sqlite3_step(statement);
    *ret_bytes = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return rc == SQLITE_ROW ? ERR_NONE
                            : reason_set(reason, ERR_IO, "the database cannot be read: %s",
                                         sqlite3_errmsg(self->db));
}

/* Most edits find that nothing has to be written. */
static enum err note_edited(struct store_sqlite *self, const struct revision_record *revision,
                            struct reason *reason)
{
    return run(self,
               statement_of(self,
                            "INSERT INTO edited(id, blocks, oldest_wall_ms) VALUES(?1,?2,?3)"
                            " ON CONFLICT(id) DO UPDATE SET blocks = ?2 WHERE blocks <> ?2",
                            revision->constellation_id, revision->number / REVISION_BLOCK,
                            revision->wall_ms, reason),
               reason);
}

/* Of one in pieces there is no text but an inverse that is empty, which is looked for. */
static enum err add_revision(struct store_sqlite *self, const struct effect *effect,
                             struct reason *reason)
{
    const struct revision_record *revision = &effect->revision;
    struct str inverse = revision->inverse;
    int64_t bytes[2] = { (int64_t)revision->operations.length, (int64_t)inverse.length };
    enum err err = ERR_NONE;
    if (revision->bulk_id != 0) {
        err = pieces_bytes(self, revision->bulk_id, PIECE_OPERATIONS, &bytes[0], reason);
        if (err == ERR_NONE) {
            err = pieces_bytes(self, revision->bulk_id, PIECE_INVERSE, &bytes[1], reason);
        }
        inverse = bytes[1] <= 2 ? STR("[]") : inverse;
    }
    sqlite3_stmt *statement =
        err != ERR_NONE
            ? NULL
            : statement_of(self,
                           "INSERT INTO revision(id, base, wall_ms, author_kind, bytes, author,"
                           " reason, operations, inverse, bulk_id, tasks, edges)"
                           " VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                           revision_id(revision->constellation_id, revision->number),
                           revision->base, revision->wall_ms, reason);
    if (statement == NULL) {
        return ERR_IO;
    }
    sqlite3_bind_int64(statement, 4, revision->author_kind);
    sqlite3_bind_int64(statement, 5, bytes[0] + bytes[1]);
    sqlite_bind_text(statement, 6, revision->author);
    sqlite_bind_text(statement, 7, revision->reason);
    sqlite_bind_text(statement, 8, revision->operations);
    sqlite_bind_text(statement, 9, inverse);
    sqlite3_bind_int64(statement, 10, revision->bulk_id);
    sqlite3_bind_int64(statement, 11, revision->tasks);
    sqlite3_bind_int64(statement, 12, revision->edges);
    err = run(self, statement, reason);
    return err != ERR_NONE ? err : note_edited(self, revision, reason);
}

enum err change_apply(struct store_sqlite *self, const struct effect *effect, struct reason *reason)
{
    static enum err (*const writers[])(struct store_sqlite *, const struct effect *,
                                       struct reason *) = {
        [EFFECT_ADD_LIMIT] = add_limit,         [EFFECT_ADD_HOLD] = add_hold,
        [EFFECT_ADD_HOLD_TASK] = add_hold_task, [EFFECT_REMOVE_HOLD] = remove_hold,
        [EFFECT_REMOVE_TASK] = remove_task,     [EFFECT_REMOVE_EDGE] = remove_edge,
        [EFFECT_TASK_TEXT] = task_text,         [EFFECT_DROP_INPUTS] = drop_inputs,
        [EFFECT_EDGE_TEXT] = edge_text,         [EFFECT_EDGE_REASON] = edge_reason,
        [EFFECT_ADD_REVISION] = add_revision,   [EFFECT_PUT_BULK] = bulk_apply,
        [EFFECT_REMOVE_BULK] = bulk_apply,
    };
    return writers[effect->kind](self, effect, reason);
}

static enum err spend(struct store_sqlite *self, const char *key, struct spending *spending,
                      struct reason *reason)
{
    int64_t removed = spending->removed;
    spending->removed = 0;
    if (removed <= spending->written) {
        return ERR_NONE;
    }
    spending->written = removed + SPENT_AHEAD;
    sqlite3_stmt *statement = statement_of(self,
                                           "INSERT INTO meta(value, key) VALUES(?,?2)"
                                           " ON CONFLICT(key) DO UPDATE SET value = max(value, ?1)",
                                           spending->written, 0, 0, reason);
    if (statement != NULL) {
        sqlite_bind_text(statement, 2, str_of(key));
    }
    return run(self, statement, reason);
}

enum err change_spend_ids(struct store_sqlite *self, struct reason *reason)
{
    enum err err = spend(self, "spent_task_id", &self->tasks_spent, reason);
    if (err == ERR_NONE) {
        err = spend(self, "spent_edge_id", &self->edges_spent, reason);
    }
    if (err == ERR_NONE) {
        err = spend(self, "spent_hold_id", &self->holds_spent, reason);
    }
    return err;
}

enum err change_put_description(struct store *store, int64_t constellation_id,
                                struct str description, struct reason *reason)
{
    struct store_sqlite *self = sqlite_of(store);
    enum err err = store_sqlite_write(store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    sqlite3_stmt *statement =
        statement_of(self, "UPDATE constellation_text SET description=?2 WHERE id=?1",
                     constellation_id, 0, 0, reason);
    if (statement != NULL) {
        sqlite_bind_text(statement, 2, description);
    }
    return run_on_row(self, statement, reason);
}
