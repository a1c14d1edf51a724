/* Conditions: the compiled ones that are kept, and their evaluation. */
#include "orchestrator/spec/condition.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "orchestrator/spec/condition_lex.h"
#include "orchestrator/spec/condition_scan.h"
#include "orchestrator/spec/condition_sql.h"
#include "orchestrator/spec/spec_text.h"

enum { WORDS_BYTES_MAX = 200 };

/* A compiled condition, in a ring in the order of use. */
struct compiled {
    struct compiled *newer;
    struct compiled *older;
    char *text; /* its key in the map */
    size_t text_bytes;
    sqlite3_stmt *statement;
    size_t placeholders;
    size_t calls;
};

struct condition_engine {
    struct condition_sql sql;
    struct strmap compiled;
    struct compiled ring; /* newer: the one that was used longest ago; older: the one used last */
    struct buf expression;
    uint64_t steps;
    size_t work;
};

struct condition_engine *condition_engine_new(struct reason *reason)
{
    struct condition_engine *engine = mem_alloc(sizeof *engine);
    engine->ring.newer = &engine->ring;
    engine->ring.older = &engine->ring;
    if (condition_sql_open(&engine->sql, reason) != ERR_NONE) {
        mem_free(engine);
        return NULL;
    }
    return engine;
}

static void ring_remove(struct compiled *compiled)
{
    compiled->newer->older = compiled->older;
    compiled->older->newer = compiled->newer;
}

static void ring_add(struct condition_engine *engine, struct compiled *compiled)
{
    compiled->newer = &engine->ring;
    compiled->older = engine->ring.older;
    compiled->older->newer = compiled;
    engine->ring.older = compiled;
}

static void forget(struct condition_engine *engine, struct compiled *compiled)
{
    ring_remove(compiled);
    strmap_remove(&engine->compiled, (struct str){ compiled->text, compiled->text_bytes });
    sqlite3_finalize(compiled->statement);
    mem_free(compiled->text);
    mem_free(compiled);
}

void condition_engine_free(struct condition_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    while (engine->ring.newer != &engine->ring) {
        forget(engine, engine->ring.newer);
    }
    strmap_done(&engine->compiled);
    condition_sql_close(&engine->sql);
    buf_done(&engine->expression);
    mem_free(engine);
}

static enum err compile(struct condition_engine *engine, struct str text,
                        struct compiled **ret_compiled, size_t *ret_offset, struct reason *reason)
{
    struct compiled *compiled = strmap_get(&engine->compiled, text);
    if (compiled != NULL) {
        ring_remove(compiled);
        ring_add(engine, compiled);
        *ret_compiled = compiled;
        return ERR_NONE;
    }
    size_t placeholders = 0;
    size_t calls = 0;
    sqlite3_stmt *statement = NULL;
    enum err err =
        condition_scan(text, &engine->expression, &placeholders, &calls, ret_offset, reason);
    if (err == ERR_NONE) {
        struct str expression = { (const char *)engine->expression.data,
                                  engine->expression.length };
        err = condition_sql_prepare(&engine->sql, expression, text, placeholders, &statement,
                                    ret_offset, reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    if (engine->compiled.count >= CONDITION_STATEMENTS_MAX) {
        forget(engine, engine->ring.newer);
    }
    compiled = mem_alloc(sizeof *compiled);
    compiled->text = mem_copy(text.data, text.length);
    compiled->text_bytes = text.length;
    compiled->statement = statement;
    compiled->placeholders = placeholders;
    compiled->calls = calls;
    strmap_put(&engine->compiled, text, compiled);
    ring_add(engine, compiled);
    *ret_compiled = compiled;
    return ERR_NONE;
}

static void say_place(struct str text, size_t offset, struct reason *reason)
{
    if (reason == NULL || offset == SIZE_MAX || text.length == 0) {
        return;
    }
    struct reason words = *reason;
    struct spec_place place = spec_text_place(text, offset);
    struct str shown = spec_text_cut(str_of(words.text), REASON_BYTES_MAX - 40);
    if (memchr(text.data, '\n', text.length) != NULL) {
        reason_set(reason, ERR_INVALID, "line %u, column %u: %.*s", place.line, place.column,
                   STR_ARG(shown));
    } else {
        reason_set(reason, ERR_INVALID, "column %u: %.*s", place.column, STR_ARG(shown));
    }
}

/* Compiles it if it is not kept compiled; a refusal begins with its place. */
static enum err prepare(struct condition_engine *engine, struct str text,
                        struct compiled **ret_compiled, size_t *ret_offset, struct reason *reason)
{
    size_t offset = SIZE_MAX;
    enum err err = compile(engine, text, ret_compiled, &offset, reason);
    if (err != ERR_NONE) {
        /* What is missing at the end stands behind it. */
        *ret_offset = offset == SIZE_MAX || offset <= text.length ? offset : text.length;
        say_place(text, *ret_offset, reason);
    }
    return err;
}

enum err condition_check(struct condition_engine *engine, struct str text, size_t *ret_offset,
                         struct reason *reason)
{
    struct compiled *compiled = NULL;
    size_t offset = SIZE_MAX;
    enum err err = prepare(engine, text, &compiled, &offset, reason);
    if (err != ERR_NONE && ret_offset != NULL) {
        *ret_offset = offset;
    }
    return err;
}

/* All of it, but for blanks at its ends, a decimal number. */
static bool find_number(struct str text, struct str *ret_number)
{
    while (text.length > 0 && strchr(" \t\r\n", text.data[0]) != NULL) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]) != NULL) {
        text.length--;
    }
    struct str digits = text;
    if (digits.length > 0 && (digits.data[0] == '+' || digits.data[0] == '-')) {
        digits.data++;
        digits.length--;
    }
    struct condition_word word;
    size_t at = 0;
    if (condition_lex(digits, &at, &word, NULL) != ERR_NONE || word.kind != CONDITION_NUMBER ||
        at != digits.length || word.at != 0 || memchr(digits.data, 'x', digits.length) != NULL ||
        memchr(digits.data, 'X', digits.length) != NULL) {
        return false;
    }
    *ret_number = text;
    return true;
}

static int bind_text(sqlite3_stmt *statement, int at, struct str text)
{
    return sqlite3_bind_text(statement, at, text.data == NULL ? "" : text.data, (int)text.length,
                             SQLITE_STATIC);
}

/* What is not bound is NULL. The numbers of the parameters are those of condition_input_name(). */
static enum err bind_inputs(sqlite3_stmt *statement, const struct condition_inputs *inputs,
                            struct reason *reason)
{
    enum { STATE = 1, EXIT_CODE, ATTEMPT, OUTPUT, STDOUT, NUMBER, DURATION };
    if (inputs->state.length > CONDITION_INPUT_BYTES_MAX ||
        inputs->output.length > CONDITION_INPUT_BYTES_MAX) {
        return reason_set(reason, ERR_INVALID, "the output value is larger than %d KiB",
                          CONDITION_INPUT_BYTES_MAX / 1024);
    }
    int rc = bind_text(statement, STATE, inputs->state);
    if (inputs->has_exit_code) {
        rc |= sqlite3_bind_int(statement, EXIT_CODE, inputs->exit_code);
    }
    if (inputs->attempt > 0) {
        rc |= sqlite3_bind_int64(statement, ATTEMPT, inputs->attempt);
    }
    if (inputs->output.length > 0 && str_is_utf8(inputs->output)) {
        rc |= bind_text(statement, OUTPUT, inputs->output);
    }
    struct str data = inputs->stdout_data;
    if (inputs->has_stdout && inputs->stdout_bytes <= CONDITION_INPUT_BYTES_MAX &&
        data.length <= CONDITION_INPUT_BYTES_MAX && str_is_utf8(data)) {
        struct str number;
        if (data.length > 0 && data.data[data.length - 1] == '\n') {
            data.length--;
        }
        rc |= bind_text(statement, STDOUT, data);
        if (find_number(data, &number)) {
            rc |= bind_text(statement, NUMBER, number);
        }
    }
    if (inputs->has_duration) {
        rc |= sqlite3_bind_double(statement, DURATION, (double)inputs->duration_ms / 1000.0);
    }
    return rc == SQLITE_OK ? ERR_NONE
                           : reason_set(reason, ERR_LIMIT, "its inputs cannot be passed on");
}

static enum err bind_value(sqlite3_stmt *statement, int at, const struct condition_value *value,
                           size_t number, struct reason *reason)
{
    int rc = SQLITE_OK;
    switch (value->type) {
    case CONDITION_VALUE_NULL:
        break;
    case CONDITION_VALUE_INTEGER:
        rc = sqlite3_bind_int64(statement, at, value->integer);
        break;
    case CONDITION_VALUE_REAL:
        rc = sqlite3_bind_double(statement, at, value->real); /* NaN becomes NULL */
        break;
    case CONDITION_VALUE_TEXT:
        if (value->text.length > CONDITION_INPUT_BYTES_MAX) {
            return reason_set(reason, ERR_INVALID,
                              "the value of placeholder %zu is larger than %d KiB", number,
                              CONDITION_INPUT_BYTES_MAX / 1024);
        }
        if (!str_is_utf8(value->text)) {
            return reason_set(reason, ERR_INVALID,
                              "the value of placeholder %zu is not UTF-8, or holds a NUL byte",
                              number);
        }
        rc = bind_text(statement, at, value->text);
        break;
    }
    return rc == SQLITE_OK ? ERR_NONE
                           : reason_set(reason, ERR_LIMIT, "its values cannot be passed on");
}

static enum condition_verdict refuse(struct condition_engine *engine, int rc, struct reason *reason)
{
    switch (rc) {
    case SQLITE_INTERRUPT:
        reason_set(reason, ERR_LIMIT, "the condition takes more than %d steps",
                   CONDITION_STEPS_MAX);
        break;
    case SQLITE_TOOBIG:
        reason_set(reason, ERR_LIMIT, "a value in the condition is longer than %d KiB",
                   CONDITION_VALUE_BYTES_MAX / 1024);
        break;
    case SQLITE_NOMEM:
        reason_set(reason, ERR_LIMIT, "the condition takes more memory than there is");
        break;
    default: {
        const char *words = sqlite3_errmsg(engine->sql.db);
        struct str shown = condition_shown(str_of(words), WORDS_BYTES_MAX);
        reason_set(reason, ERR_INVALID, "the condition fails: %.*s", STR_ARG(shown));
        break;
    }
    }
    return CONDITION_ERROR;
}

static enum condition_verdict run(struct condition_engine *engine, const struct compiled *compiled,
                                  const struct condition_inputs *inputs,
                                  const struct condition_value *values, struct reason *reason)
{
    sqlite3_stmt *statement = compiled->statement;
    if (bind_inputs(statement, inputs, reason) != ERR_NONE) {
        return CONDITION_ERROR;
    }
    for (size_t i = 0; i < compiled->placeholders; i++) {
        int at = (int)(CONDITION_INPUTS + i + 1);
        if (bind_value(statement, at, &values[i], i + 1, reason) != ERR_NONE) {
            return CONDITION_ERROR;
        }
    }
    engine->sql.budget = (struct condition_budget){ .steps_left = CONDITION_STEPS_MAX };
    /* SQLite calls its progress handler by the count of all runs of a statement. */
    (void)sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
    int rc = sqlite3_step(statement);
    engine->steps = engine->sql.budget.steps_used;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        return rc == SQLITE_ROW ? CONDITION_OPEN : CONDITION_CLOSED;
    }
    return refuse(engine, rc, reason);
}

/* Each call may go through all that there is. */
static size_t work_of(const struct compiled *compiled, const struct condition_inputs *inputs,
                      const struct condition_value *values)
{
    size_t bytes = inputs->output.length + inputs->stdout_data.length;
    for (size_t i = 0; i < compiled->placeholders; i++) {
        bytes += values[i].type == CONDITION_VALUE_TEXT ? values[i].text.length : 0;
    }
    return (1 + compiled->calls) * bytes;
}

enum condition_verdict condition_evaluate(struct condition_engine *engine, struct str text,
                                          const struct condition_inputs *inputs,
                                          const struct condition_value *values, size_t values_count,
                                          struct reason *reason)
{
    struct compiled *compiled = NULL;
    size_t offset = SIZE_MAX;
    engine->steps = 0;
    engine->work = text.length;
    if (prepare(engine, text, &compiled, &offset, reason) != ERR_NONE) {
        return CONDITION_ERROR;
    }
    if (values_count != compiled->placeholders) {
        reason_set(reason, ERR_INVALID, "the condition has %zu placeholders, and %zu values came",
                   compiled->placeholders, values_count);
        return CONDITION_ERROR;
    }
    engine->work += work_of(compiled, inputs, values);
    enum condition_verdict verdict = run(engine, compiled, inputs, values, reason);
    /* Nothing of this evaluation is left for the next one, nor do we keep what the caller owns. */
    sqlite3_reset(compiled->statement);
    sqlite3_clear_bindings(compiled->statement);
    return verdict;
}

uint64_t condition_engine_steps(const struct condition_engine *engine)
{
    return engine->steps;
}

size_t condition_engine_work(const struct condition_engine *engine)
{
    return engine->work;
}

size_t condition_engine_statements(const struct condition_engine *engine)
{
    return engine->compiled.count;
}
