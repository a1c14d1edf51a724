/* Any bytes as a condition: the first line is the expression, the second the predecessor's output
   value, the rest its stdout. Whatever it is, it is refused with a reason or answered, the same way
   by another engine and a second time, within its steps; and the second wall alone holds as well. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/condition_lex.h"
#include "orchestrator/spec/condition_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct condition_engine *first_engine;
static struct condition_engine *second_engine;
static struct condition_sql wall;

static void done(void)
{
    condition_engine_free(first_engine);
    condition_engine_free(second_engine);
    condition_sql_close(&wall);
}

static void begin(void)
{
    first_engine = condition_engine_new(NULL);
    second_engine = condition_engine_new(NULL);
    CHECK(first_engine != NULL && second_engine != NULL);
    enum err err = condition_sql_open(&wall, NULL);
    CHECK(err == ERR_NONE);
    atexit(done);
}

static struct str take_line(struct str *rest)
{
    const char *end = rest->length == 0 ? NULL : memchr(rest->data, '\n', rest->length);
    struct str line = *rest;
    if (end == NULL) {
        rest->length = 0;
        return line;
    }
    line.length = (size_t)(end - line.data);
    rest->data = end + 1;
    rest->length -= line.length + 1;
    return line;
}

/* What stands in quotes or is mutated into a query must not get to any row but our own. */
static void check_wall(struct str text)
{
    sqlite3_stmt *statement = NULL;
    size_t offset = 0;
    struct reason reason = { "" };
    if (text.length > 2048 ||
        condition_sql_prepare(&wall, text, text, 0, &statement, &offset, &reason) != ERR_NONE) {
        CHECK(text.length > 2048 || reason.text[0] != 0);
        return;
    }
    CHECK(sqlite3_stmt_readonly(statement) && wall.selects == 2);
    CHECK(sqlite3_bind_parameter_count(statement) == CONDITION_INPUTS);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        CHECK(sqlite3_column_type(statement, 0) == SQLITE_INTEGER);
        CHECK(sqlite3_step(statement) != SQLITE_ROW);
    }
    sqlite3_finalize(statement);
}

static bool next_placeholder(struct str text, size_t *at, struct str *ret_whole)
{
    struct condition_word word;
    while (condition_lex(text, at, &word, NULL) == ERR_NONE && word.kind != CONDITION_END) {
        if (word.kind == CONDITION_PLACEHOLDER) {
            *ret_whole = word.text;
            return true;
        }
    }
    return false;
}

static void check_answer(struct str text, const struct condition_inputs *inputs)
{
    struct condition_value values[CONDITION_PLACEHOLDERS_MAX + 1] = {
        { .type = CONDITION_VALUE_NULL }
    };
    size_t count = 0;
    size_t at = 0;
    struct str whole;
    while (count <= CONDITION_PLACEHOLDERS_MAX && next_placeholder(text, &at, &whole)) {
        values[count] = (struct condition_value){
            .type = CONDITION_VALUE_TEXT,
            .text = count % 2 == 0 ? inputs->stdout_data : whole,
        };
        count++;
    }
    struct reason first = { "" };
    struct reason second = { "" };
    enum condition_verdict verdict =
        condition_evaluate(first_engine, text, inputs, values, count, &first);
    CHECK(strstr(first.text, "placeholders, and") == NULL);
    CHECK(str_is_utf8(str_of(first.text)));
    CHECK((verdict == CONDITION_ERROR) == (first.text[0] != 0));
    CHECK(condition_engine_steps(first_engine) <= CONDITION_STEPS_MAX);
    uint64_t steps = condition_engine_steps(first_engine);
    const struct condition_inputs other = { .state = STR("failed"), .output = STR("[1]") };
    (void)condition_evaluate(second_engine, text, &other, values, count, &second);
    memset(&second, 0, sizeof second);
    CHECK(condition_evaluate(second_engine, text, inputs, values, count, &second) == verdict);
    CHECK(strcmp(first.text, second.text) == 0);
    CHECK(condition_engine_steps(second_engine) == steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (first_engine == NULL) {
        begin();
    }
    struct str rest = { (const char *)data, size };
    struct str text = take_line(&rest);
    struct condition_inputs inputs = {
        .state = STR("succeeded"),
        .has_exit_code = true,
        .attempt = 1,
        .has_stdout = true,
        .has_duration = true,
        .duration_ms = 1500,
    };
    inputs.output = take_line(&rest);
    inputs.stdout_data = rest;
    inputs.stdout_bytes = rest.length;
    struct reason reason = { "" };
    size_t offset = 0;
    check_wall(text);
    if (condition_check(first_engine, text, &offset, &reason) != ERR_NONE) {
        CHECK(reason.text[0] != 0 && str_is_utf8(str_of(reason.text)));
        CHECK(offset == SIZE_MAX || offset <= text.length);
        return 0;
    }
    if (rest.length <= CONDITION_INPUT_BYTES_MAX && str_is_utf8(rest)) {
        check_answer(text, &inputs);
    }
    return 0;
}
