/* An SQLite connection that can do nothing but answer expressions. */
#include "orchestrator/spec/condition_sql.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/condition_lex.h"

enum { PROGRESS_STEPS = 64, WORDS_BYTES_MAX = 200 };

/* With the affinity of its type a number compares as one even with a text from outside, '3' or a
   param of the command line. */
static const struct {
    const char *name;
    const char *type;
} inputs[CONDITION_INPUTS] = {
    { "state", "TEXT" },    { "exit_code", "INTEGER" }, { "attempt", "INTEGER" },
    { "output", "TEXT" },   { "stdout", "TEXT" },       { "number", "NUMERIC" },
    { "duration", "REAL" },
};

const char *condition_input_name(size_t index)
{
    return index < CONDITION_INPUTS ? inputs[index].name : NULL;
}

static int deny(struct condition_sql *sql, const char *what)
{
    snprintf(sql->denied, sizeof sql->denied, "%s", what);
    return SQLITE_DENY;
}

/* Our own statement has two SELECTs and reads no table; the expression may only call functions. */
static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    struct condition_sql *sql = context;
    (void)first;
    (void)database;
    (void)trigger;
    if (action == SQLITE_SELECT) {
        return ++sql->selects <= 2 ? SQLITE_OK : deny(sql, "a query");
    }
    if (action == SQLITE_FUNCTION) {
        if (condition_function_find(str_of(second)) == NULL) {
            return deny(sql, second == NULL ? "this function" : second);
        }
        if (condition_function_reads_json(str_of(second)) && ++sql->reads > CONDITION_READS_MAX) {
            return deny(sql, "more than 16 reads of JSON");
        }
        return ++sql->calls <= CONDITION_CALLS_MAX ? SQLITE_OK : deny(sql, "more than 32 calls");
    }
    return deny(sql, "a table");
}

static int progress(void *context)
{
    struct condition_sql *sql = context;
    return condition_budget_take(&sql->budget, PROGRESS_STEPS) ? 0 : 1;
}

static void set_limits(sqlite3 *db)
{
    static const struct {
        int id;
        int value;
    } limits[] = {
        { SQLITE_LIMIT_LENGTH, CONDITION_VALUE_BYTES_MAX },
        { SQLITE_LIMIT_SQL_LENGTH, 2 * CONDITION_BYTES_MAX },
        { SQLITE_LIMIT_COLUMN, CONDITION_INPUTS + CONDITION_PLACEHOLDERS_MAX },
        { SQLITE_LIMIT_EXPR_DEPTH, CONDITION_DEPTH_MAX },
        { SQLITE_LIMIT_COMPOUND_SELECT, 1 },
        { SQLITE_LIMIT_VDBE_OP, 25000 },
        { SQLITE_LIMIT_FUNCTION_ARG, 8 },
        { SQLITE_LIMIT_ATTACHED, 0 },
        { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000 },
        { SQLITE_LIMIT_VARIABLE_NUMBER, CONDITION_INPUTS + CONDITION_PLACEHOLDERS_MAX },
        { SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
        { SQLITE_LIMIT_WORKER_THREADS, 0 },
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        sqlite3_limit(db, limits[i].id, limits[i].value);
    }
}

static int lock_down(struct condition_sql *sql)
{
    static const struct {
        int id;
        int value;
    } settings[] = {
        { SQLITE_DBCONFIG_DQS_DML, 0 },
        { SQLITE_DBCONFIG_DQS_DDL, 0 },
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },
        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
        { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof settings / sizeof settings[0]; i++) {
        rc = sqlite3_db_config(sql->db, settings[i].id, settings[i].value, NULL);
    }
    /* A long IN list goes through a table of its own, which must not become a file. */
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(sql->db, "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = condition_function_install(sql->db, &sql->budget);
    }
    if (rc == SQLITE_OK) {
        set_limits(sql->db);
        sqlite3_progress_handler(sql->db, PROGRESS_STEPS, progress, sql);
        rc = sqlite3_set_authorizer(sql->db, authorize, sql);
    }
    return rc;
}

enum err condition_sql_open(struct condition_sql *sql, struct reason *reason)
{
    *sql = (struct condition_sql){ .db = NULL };
    int rc =
        sqlite3_open_v2(":memory:", &sql->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_MEMORY, NULL);
    if (rc == SQLITE_OK) {
        rc = lock_down(sql);
    }
    sqlite3_stmt *statement = NULL;
    size_t offset = 0;
    enum err err = ERR_UNSUPPORTED;
    if (rc == SQLITE_OK) {
        const struct str probe = STR("output->>'$.x' IS NOT json_extract(output, '$')");
        err = condition_sql_prepare(sql, probe, probe, 0, &statement, &offset, NULL);
    }
    sqlite3_finalize(statement);
    if (err != ERR_NONE) {
        condition_sql_close(sql);
        return reason_set(reason, ERR_UNSUPPORTED, "this SQLite cannot evaluate conditions: %s",
                          rc == SQLITE_OK ? "it has no JSON operators" : sqlite3_errstr(rc));
    }
    return ERR_NONE;
}

void condition_sql_close(struct condition_sql *sql)
{
    if (sql->db != NULL) {
        int rc = sqlite3_close(sql->db);
        CHECK(rc == SQLITE_OK); /* else a statement is left */
    }
    buf_done(&sql->text);
    *sql = (struct condition_sql){ .db = NULL };
}

/* The values are columns of a query within and not parameters in the expression: SQLite computes what
   has no columns before all else, and then `json_valid(p1) and p1->>'$.x'` would fail on what is no
   JSON. LIMIT keeps the two queries apart for the same reason, and WHERE keeps out aggregates and
   windows. CASE is evaluated from left to right, and AND and OR in it stop as soon as they can. */
static size_t write_statement(struct condition_sql *sql, struct str expression, size_t placeholders)
{
    struct buf *text = &sql->text;
    buf_clear(text);
    buf_append_text(text, "SELECT 1 FROM (SELECT ");
    for (size_t i = 0; i < CONDITION_INPUTS; i++) {
        buf_printf(text, "%sCAST(?%zu AS %s) AS %s", i > 0 ? "," : "", i + 1, inputs[i].type,
                   inputs[i].name);
    }
    for (size_t i = 0; i < placeholders; i++) {
        buf_printf(text, ",?%zu AS p%zu", CONDITION_INPUTS + i + 1, i + 1);
    }
    buf_append_text(text, " LIMIT 1) WHERE CASE WHEN (");
    size_t from = text->length;
    buf_append(text, expression.data, expression.length);
    buf_append_text(text, "\n) THEN 1 ELSE 0 END"); /* the line break ends a comment */
    return from;
}

static size_t find_offset(struct condition_sql *sql, size_t from, struct str text)
{
    int at = sqlite3_error_offset(sql->db);
    if (at < 0 || (size_t)at < from) {
        return SIZE_MAX;
    }
    size_t offset = (size_t)at - from;
    /* pN stands one byte behind the beginning of its placeholder. */
    bool is_placeholder =
        offset > 0 && offset <= text.length &&
        str_starts_with((struct str){ text.data + offset - 1, text.length - offset + 1 },
                        STR("${{"));
    return is_placeholder ? offset - 1 : offset;
}

static enum err refuse(struct condition_sql *sql, int rc, struct str text, size_t offset,
                       struct reason *reason)
{
    if (sql->denied[0] != 0) {
        struct str shown = condition_shown(str_of(sql->denied), sizeof sql->denied);
        return reason_set(reason, ERR_INVALID, "%.*s cannot be used in a condition",
                          STR_ARG(shown));
    }
    if (rc == SQLITE_NOMEM || rc == SQLITE_TOOBIG) {
        return reason_set(reason, ERR_INVALID, "the condition is too large");
    }
    const char *words = sqlite3_errmsg(sql->db);
    if (strstr(words, "syntax error") == NULL) {
        struct str shown = condition_shown(str_of(words), WORDS_BYTES_MAX);
        return reason_set(reason, ERR_INVALID, "%.*s", STR_ARG(shown));
    }
    if (offset == SIZE_MAX || offset >= text.length) {
        return reason_set(reason, ERR_INVALID, "something is missing at the end");
    }
    struct str near = { text.data + offset, text.length - offset };
    struct condition_word word;
    size_t at = 0;
    if (condition_lex(near, &at, &word, NULL) == ERR_NONE && word.kind != CONDITION_END) {
        near = word.text;
    }
    near = condition_shown(near, CONDITION_SHOWN_BYTES_MAX);
    return reason_set(reason, ERR_INVALID, "\"%.*s\" is not expected here", STR_ARG(near));
}

enum err condition_sql_prepare(struct condition_sql *sql, struct str expression, struct str text,
                               size_t placeholders, sqlite3_stmt **ret_statement,
                               size_t *ret_offset, struct reason *reason)
{
    size_t from = write_statement(sql, expression, placeholders);
    sqlite3_stmt *statement = NULL;
    const char *tail = NULL;
    sql->selects = 0;
    sql->calls = 0;
    sql->reads = 0;
    sql->denied[0] = 0;
    sql->budget = (struct condition_budget){ .steps_left = CONDITION_STEPS_MAX };
    const char *whole = buf_text(&sql->text);
    const char *end = whole + sql->text.length;
    int rc =
        sqlite3_prepare_v3(sql->db, whole, (int)sql->text.length + 1,
                           SQLITE_PREPARE_PERSISTENT | SQLITE_PREPARE_NO_VTAB, &statement, &tail);
    if (rc != SQLITE_OK) {
        *ret_offset = find_offset(sql, from, text);
        return refuse(sql, rc, text, *ret_offset, reason);
    }
    /* A NUL ends the text for SQLite; what changes the statement's own shape shows in these. */
    if (statement == NULL || tail != end || sqlite3_column_count(statement) != 1 ||
        sqlite3_bind_parameter_count(statement) != (int)(CONDITION_INPUTS + placeholders)) {
        sqlite3_finalize(statement);
        *ret_offset = SIZE_MAX;
        return reason_set(reason, ERR_INVALID, "this is not one expression");
    }
    *ret_statement = statement;
    return ERR_NONE;
}
