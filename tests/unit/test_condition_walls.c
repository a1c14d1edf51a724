/* The two walls around conditions, each by itself, and what an evaluation may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/condition_function.h"
#include "orchestrator/spec/condition_sql.h"

static struct condition_engine *engine;
static struct reason reason;

static int begin(void **state)
{
    (void)state;
    engine = condition_engine_new(NULL);
    assert_non_null(engine);
    return 0;
}

static int end(void **state)
{
    (void)state;
    condition_engine_free(engine);
    return 0;
}

struct refusal {
    const char *text;
    size_t offset;
    const char *words;
};

static void expect_refusals(const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t offset = 0;
        enum err err = condition_check(engine, str_of(rows[i].text), &offset, &reason);
        if (err == ERR_NONE) {
            fail_msg("%s: is accepted", rows[i].text);
        }
        if (strstr(reason.text, rows[i].words) == NULL || offset != rows[i].offset) {
            fail_msg("%s: at %zu: %s", rows[i].text, offset, reason.text);
        }
    }
}

#define EXPECT_REFUSALS(rows) expect_refusals((rows), sizeof(rows) / sizeof((rows)[0]))

static void a_mistake_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        { "exitcode < 3", 0, "column 1: there is no \"exitcode\": did you mean \"exit_code\"?" },
        { "exitcode < 3", 0,
          "state, exit_code, attempt, output, stdout, number and duration can be used" },
        { "'\xc3\xa4' = x", 7, "column 7: there is no \"x\"" },
        { "exit_code = 1\nand foo", 18, "line 2, column 5: there is no \"foo\"" },
        { "state = failed", 8, "text is written in single quotes" },
        { "state = \"failed\"", 8, "single quotes" },
        { "state = `failed`", 8, "single quotes" },
        { "[state] = 1", 0, "single quotes" },
        { "lenght(stdout) > 1", 0, "no function \"lenght\": did you mean \"length\"?" },
        { "state(1)", 0, "no function \"state\"" },
        { "exit_code = = 3", 12, "\"=\" is not expected here" },
        { "exit_code =", 11, "something is missing at the end" },
        { "exit_code 3", 10, "\"3\" is not expected here" },
        { "exit_code = 1 ${{ params.p }}", 14,
          "column 15: \"${{ params.p }}\" is not expected here" },
        { "(exit_code = 1", 0, "this ( is not closed" },
        { "exit_code = 1)", 13, "this ) closes nothing" },
        { "state = 'failed", 8, "no closing quote" },
        { "length(1, 2) = 1", 0, "length() takes 1 argument" },
        { "1 = substr('a')", 4, "substr() takes 2 to 3 arguments" },
        { "exit_code = 12abc", 12, "no number" },
        { "", 0, "the condition is empty" },
        { " \n ", 3, "the condition is empty" },
        { "1, 2", 1, "no comma here" },
        { "stdout > 100", 0, "stdout is text, which has no order with numbers: compare number" },
        { "not (1 <= output)", 10, "output->>'$.rows'" },
        { "exit_code = 1 and state < 5", 18, "compare it with =" },
        { "cast(stdout as blob)", 15, "CAST takes the types" },
        { "cast(stdout as select)", 15, "CAST takes the types" },
        { "output->>'$.x' = '${{ params.p }}'", 17,
          "a placeholder stands for a value and takes no quotes" },
        { "state = 'suceeded'", 8, "no state is called 'suceeded': did you mean \"succeeded\"?" },
        { "not 'running' <> state", 4, "is one of succeeded, failed, cancelled and skipped" },
        { "1 or state is 'Failed'", 14, "did you mean \"failed\"?" },
        { "state in ('failed', 'canceled')", 20, "did you mean \"cancelled\"?" },
        { "output->>'$.a[' = 1", 9, "is no path into JSON" },
        { "output -> '$x'", 10, "is no path into JSON" },
        { "json_extract(output, '$.a', 'b')", 28, "is no path into JSON" },
        { "json_type(output, '$[1')", 18, "is no path into JSON" },
        { "json_array_length(output, '$.')", 26, "is no path into JSON" },
        { "${{ }} = 1", 0, "names nothing" },
        { "1 = ${{ params.p", 4, "must end with }}" },
    };
    EXPECT_REFUSALS(rows);
}

static void the_first_wall_refuses_all_that_is_no_plain_expression(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        { "(select 1)", 1, "has no queries" },
        { "exists(select 1)", 0, "has no queries" },
        { "1 in (select 1)", 6, "has no queries" },
        { "1) union select (1", 1, "closes nothing" },
        { "1) then 1 else 0 end or (1", 1, "closes nothing" },
        { "exit_code in json_each('[1]')", 13, "no function \"json_each\"" },
        { "count(*)", 0, "no aggregates" },
        { "sum(exit_code) over ()", 0, "no aggregates" },
        { "max(exit_code) > 1", 0, "max() takes 2 to 8 arguments" },
        { "min(exit_code) > 1", 0, "min() takes 2 to 8 arguments" },
        { "abs(1) over ()", 7, "no windows" },
        { "total(1)", 0, "no function" },
        { "group_concat(stdout)", 0, "no function" },
        { "with x as (select 1) select 1", 0, "there is no \"with\"" },
        { "recursive", 0, "there is no" },
        { "values (1)", 0, "no function" },
        { "?1 = 1", 0, "no ? parameters" },
        { "? = 1", 0, "no ? parameters" },
        { ":x = 1", 0, "no : parameters" },
        { "@x = 1", 0, "no @ parameters" },
        { "$x = 1", 0, "no $ parameters" },
        { "#1 = 1", 0, "no # parameters" },
        { "p1 = 1", 0, "there is no \"p1\"" },
        { "1 -- 2", 2, "begins a comment" },
        { "1 --", 2, "begins a comment" },
        { "1 /* 2 */", 2, "begins a comment" },
        { "1 /*", 2, "begins a comment" },
        { "1; attach 'x' as y", 1, "no ; here" },
        { "1;", 1, "no ; here" },
        { "attach 'x' as y", 0, "there is no \"attach\"" },
        { "pragma foreign_keys", 0, "there is no \"pragma\"" },
        { "random() > 0", 0, "has no chance" },
        { "randomblob(9) = 1", 0, "no function" },
        { "date('now') > 1", 0, "no function" },
        { "datetime() > 1", 0, "no function" },
        { "julianday('now') > 1", 0, "no function" },
        { "strftime('%s') > 1", 0, "no function" },
        { "current_timestamp > 1", 0, "knows no time" },
        { "current_date > 1", 0, "knows no time" },
        { "current_time > 1", 0, "knows no time" },
        { "load_extension('x')", 0, "no function" },
        { "fts3_tokenizer('x')", 0, "no function" },
        { "match(1, 2)", 0, "MATCH is not available" },
        { "stdout match 'x'", 7, "MATCH is not available" },
        { "stdout regexp 'x'", 7, "REGEXP is not available" },
        { "stdout glob 'x*'", 7, "GLOB is not available" },
        { "state = 'X' collate nocase", 12, "COLLATE is not available" },
        { "raise(ignore)", 0, "no function" },
        { "printf('%.*c', 100000000, 'x')", 0, "no function" },
        { "format('%s', 1)", 0, "no function" },
        { "zeroblob(1000000)", 0, "no function" },
        { "replace(stdout, 'a', 'b')", 0, "no function" },
        { "hex(stdout)", 0, "no function" },
        { "quote(stdout)", 0, "no function" },
        { "char(65)", 0, "no function" },
        { "json_group_array(1)", 0, "no function" },
        { "json_patch(output, output)", 0, "no function" },
        { "sqlite_version()", 0, "no function" },
        { "changes()", 0, "no function" },
        { "last_insert_rowid()", 0, "no function" },
        { "trim(stdout, 'x')", 0, "trim() takes 1 argument" },
        { "x'00' = 1", 0, "there is no \"x\"" },
        { "sqlite_master.name", 13, "\".\" has no meaning" },
        { "state.x = 1", 5, "\".\" has no meaning" },
        { "main", 0, "there is no" },
        { "rowid", 0, "there is no" },
        { "1 is distinct from 2", 5, "written IS NOT" },
        { "1 \x01", 2, "no text" },
        { "1 = \xff", 4, "no text" },
        { "1 = \xc3\xa4", 4, "has no meaning outside" },
        { "state\xc3\xa4 = 1", 0, "there is no" },
    };
    EXPECT_REFUSALS(rows);
    assert_int_equal(condition_check(engine, (struct str){ "1\0", 2 }, NULL, &reason), ERR_INVALID);
    assert_int_equal(condition_check(engine, (struct str){ "1\0union", 7 }, NULL, &reason),
                     ERR_INVALID);
}

/* Without the first wall: the expression goes straight to SQLite. */
static void the_second_wall_refuses_what_reaches_for_more(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "(select 1)",
        "exists(select 1)",
        "1 in (select 1)",
        "1) union select (1",
        "1) then 1 end union all select 1 where (case when (1",
        "1) then 1 end limit (select 1) --",
        "1 in json_each('[1]')",
        "1 in pragma_table_info('x')",
        "1 in sqlite_master",
        "count(*)",
        "count()",
        "sum(exit_code) over ()",
        "row_number() over ()",
        "abs(1) over ()",
        "max(exit_code) > 1",
        "(with recursive x(n) as (select 1 union all select n+1 from x) select max(n) from x)",
        "(values (1))",
        "?2 = 1 or ?8",
        "?",
        ":x",
        "@x",
        "$x",
        "1 /*",
        "1; select 1",
        "1) then 1 end; select (1",
        "1) then 1 end; attach 'x' as (1",
        "\"exitcode\" = 1",
        "\"a text\" = 1",
        "random()",
        "randomblob(9)",
        "date('now')",
        "datetime('now')",
        "julianday('now')",
        "strftime('%s','now')",
        "current_timestamp",
        "load_extension('x')",
        "fts3_tokenizer('x')",
        "stdout match 'x'",
        "stdout regexp 'x'",
        "stdout glob 'x'",
        "raise(ignore)",
        "printf('%.*c', 100000000, 'x')",
        "zeroblob(100)",
        "replace('a','b','c')",
        "hex('a')",
        "sqlite_version()",
        "changes()",
        "likely(1)",
        "state in (select name from sqlite_master)",
        "(select name from sqlite_schema limit 1)",
        "1 in (1, (select 1))",
        "nothing",
        "json_extract(output, 1, 2, 3, 4, 5, 6, 7, 8)",
        "json_group_array(1)",
        "",
        NULL
    };
    struct condition_sql sql;
    assert_int_equal(condition_sql_open(&sql, &reason), ERR_NONE);
    for (size_t i = 0; texts[i] != NULL; i++) {
        sqlite3_stmt *statement = NULL;
        size_t offset = 0;
        enum err err = condition_sql_prepare(&sql, str_of(texts[i]), str_of(texts[i]), 0,
                                             &statement, &offset, &reason);
        sqlite3_finalize(statement);
        if (err == ERR_NONE) {
            fail_msg("%s: is accepted", texts[i]);
        }
        assert_true(strlen(reason.text) > 0);
    }
    condition_sql_close(&sql);
}

static void the_connection_can_do_nothing_else(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "create table t (a)",
        "create temp table t (a)",
        "attach ':memory:' as x",
        "pragma temp_store=file",
        "select * from sqlite_master",
        "vacuum",
        "begin",
        "savepoint x",
        "analyze",
        "with recursive x(n) as (select 1 union all select n from x) select 1 from x",
        NULL
    };
    struct condition_sql sql;
    assert_int_equal(condition_sql_open(&sql, &reason), ERR_NONE);
    for (size_t i = 0; texts[i] != NULL; i++) {
        sql.selects = 0;
        if (sqlite3_exec(sql.db, texts[i], NULL, NULL, NULL) == SQLITE_OK) {
            fail_msg("%s: is done", texts[i]);
        }
    }
    condition_sql_close(&sql);
}

/* Every row of the table is a function of this SQLite, or a limit of it would go unseen. */
static void every_function_of_the_table_can_be_called(void **state)
{
    (void)state;
    struct condition_sql sql;
    struct buf text = { 0 };
    assert_int_equal(condition_sql_open(&sql, &reason), ERR_NONE);
    const struct condition_function *function = NULL;
    for (size_t i = 0; (function = condition_function_at(i)) != NULL; i++) {
        bool is_operator = function->name[0] == '-';
        for (unsigned count = function->arguments_min; count <= function->arguments_max; count++) {
            buf_clear(&text);
            buf_printf(&text, is_operator ? "'{}'%s'a'" : "%s('{}'", function->name);
            for (unsigned more = 1; more < count && !is_operator; more++) {
                buf_append_text(&text, ",'$'");
            }
            buf_append_text(&text, is_operator ? "" : ")");
            sqlite3_stmt *statement = NULL;
            size_t offset = 0;
            struct str expression = { (const char *)text.data, text.length };
            if (condition_sql_prepare(&sql, expression, expression, 0, &statement, &offset,
                                      &reason) != ERR_NONE) {
                fail_msg("%s: %s", buf_text(&text), reason.text);
            }
            sqlite3_finalize(statement);
        }
        assert_true(strlen(function->help) > 0);
    }
    buf_done(&text);
    condition_sql_close(&sql);
}

/* begin, `part` count times, end */
static struct str repeat(struct buf *buf, const char *first, const char *part, size_t count,
                         const char *last)
{
    buf_clear(buf);
    buf_append_text(buf, first);
    for (size_t i = 0; i < count; i++) {
        buf_append_text(buf, part);
    }
    buf_append_text(buf, last);
    return (struct str){ (const char *)buf->data, buf->length };
}

static void every_limit_of_the_text_is_reached(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    static const struct {
        const char *first, *part;
        size_t fits, breaks;
        const char *last, *words;
    } rows[] = {
        { "1", " ", CONDITION_BYTES_MAX - 1, CONDITION_BYTES_MAX, "", "more than 4096 bytes" },
        { "exit_code in (1", ",1", 128, 129, ")", "more than 128 commas" },
        { "1", " or ${{ params.p }}", CONDITION_PLACEHOLDERS_MAX, CONDITION_PLACEHOLDERS_MAX + 1,
          "", "more than 32 placeholders" },
        { "1", " or abs(1)", CONDITION_CALLS_MAX, CONDITION_CALLS_MAX + 1, "",
          "more than 32 calls" },
        { "1", " or stdout like 'x'", CONDITION_CALLS_MAX, CONDITION_CALLS_MAX + 1, "",
          "more than 32 calls" },
        { "output", "->'a'", CONDITION_READS_MAX, CONDITION_READS_MAX + 1, "",
          "more than 16 reads of JSON" },
        { "1", " or json_valid(output)", CONDITION_READS_MAX, CONDITION_READS_MAX + 1, "",
          "more than 16 reads of JSON" },
        { "1", " or attempt", CONDITION_DEPTH_MAX - 2, CONDITION_DEPTH_MAX + 2, "",
          "maximum depth 250" },
        { "coalesce(1", ",1", 7, 8, ")", "coalesce() takes 2 to 8 arguments" },
        { "", "not ", CONDITION_DEPTH_MAX - 2, CONDITION_DEPTH_MAX + 2, "1", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str text = repeat(&buf, rows[i].first, rows[i].part, rows[i].fits, rows[i].last);
        enum err err = condition_check(engine, text, NULL, &reason);
        if (err != ERR_NONE && i + 1 < sizeof rows / sizeof rows[0]) {
            fail_msg("%zu %s: %s", rows[i].fits, rows[i].part, reason.text);
        }
        text = repeat(&buf, rows[i].first, rows[i].part, rows[i].breaks, rows[i].last);
        assert_int_equal(condition_check(engine, text, NULL, &reason), ERR_INVALID);
        if (strstr(reason.text, rows[i].words) == NULL) {
            fail_msg("%zu %s: %s", rows[i].breaks, rows[i].part, reason.text);
        }
    }
    struct str parentheses = repeat(&buf, "", "(", 41, "1");
    assert_int_equal(condition_check(engine, parentheses, NULL, &reason), ERR_INVALID);
    assert_non_null(strstr(reason.text, "parentheses within each other"));
    buf_done(&buf);
}

/* 64 KiB of one character. */
static struct str fill(char *text, char byte)
{
    memset(text, byte, CONDITION_INPUT_BYTES_MAX);
    return (struct str){ text, CONDITION_INPUT_BYTES_MAX };
}

static void a_quadratic_search_ends_after_its_steps(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    char *text = mem_alloc(CONDITION_INPUT_BYTES_MAX);
    struct condition_inputs inputs = { .state = STR("failed"), .has_stdout = true };
    inputs.stdout_data = fill(text, 'a');
    /* Each of these would look at 64 KiB for each of its characters. */
    struct str patterns[] = {
        repeat(&buf, "stdout like '%", "a", 900, "b'"),
    };
    assert_int_equal(condition_evaluate(engine, patterns[0], &inputs, NULL, 0, &reason),
                     CONDITION_ERROR);
    assert_non_null(strstr(reason.text, "more than 1048576 steps"));
    assert_int_equal(condition_engine_steps(engine), CONDITION_STEPS_MAX);
    /* Many % are no worse than one: the work is at most text × pattern. */
    struct str many = repeat(&buf, "not stdout like '", "%a", 400, "%b'");
    assert_int_equal(condition_evaluate(engine, many, &inputs, NULL, 0, &reason), CONDITION_OPEN);
    assert_true(condition_engine_steps(engine) <= 3 * CONDITION_INPUT_BYTES_MAX);
    struct str ones = repeat(&buf, "not stdout like '", "%_", 400, "%b'");
    assert_int_equal(condition_evaluate(engine, ones, &inputs, NULL, 0, &reason), CONDITION_OPEN);
    assert_true(condition_engine_steps(engine) <= 3 * CONDITION_INPUT_BYTES_MAX);
    /* instr takes the sum of its arguments, and all share one purse. */
    struct str parts = repeat(&buf, "1", " and not instr(stdout||'c', stdout||'b')", 31, "");
    assert_int_equal(condition_evaluate(engine, parts, &inputs, NULL, 0, &reason), CONDITION_OPEN);
    assert_true(condition_engine_steps(engine) <= 32 * (CONDITION_INPUT_BYTES_MAX / 4 + 64));
    mem_free(text);
    buf_done(&buf);
}

/* No expression has a loop, so that the most that is allowed cannot be reached: allow less. */
static void an_evaluation_ends_when_its_instructions_are_used_up(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    struct condition_sql sql;
    sqlite3_stmt *statement = NULL;
    size_t offset = 0;
    struct str text = repeat(&buf, "1 = 0", " or exit_code = 1", 200, "");
    assert_int_equal(condition_sql_open(&sql, &reason), ERR_NONE);
    assert_int_equal(condition_sql_prepare(&sql, text, text, 0, &statement, &offset, &reason),
                     ERR_NONE);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    assert_true(sql.budget.steps_used >= 128 && sql.budget.steps_used < 4096);
    sqlite3_reset(statement);
    sql.budget = (struct condition_budget){ .steps_left = 100 };
    assert_int_equal(sqlite3_step(statement), SQLITE_INTERRUPT);
    sqlite3_finalize(statement);
    condition_sql_close(&sql);
    buf_done(&buf);
}

static void a_pattern_has_a_longest_length(void **state)
{
    (void)state;
    char *text = mem_alloc(CONDITION_INPUT_BYTES_MAX);
    struct condition_inputs inputs = { .state = STR("failed"), .has_stdout = true };
    inputs.stdout_data = fill(text, '%');
    assert_int_equal(condition_evaluate(engine, STR("'a' like stdout"), &inputs, NULL, 0, &reason),
                     CONDITION_ERROR);
    assert_non_null(strstr(reason.text, "longer than 1000 bytes"));
    mem_free(text);
}

static void a_value_that_grows_too_long_is_an_error(void **state)
{
    (void)state;
    char *text = mem_alloc(CONDITION_INPUT_BYTES_MAX);
    struct condition_inputs inputs = { .state = STR("failed"), .has_stdout = true };
    inputs.stdout_data = fill(text, '1');
    assert_int_equal(condition_evaluate(engine, STR("length(stdout||stdout) = 131072"), &inputs,
                                        NULL, 0, &reason),
                     CONDITION_OPEN);
    assert_int_equal(
        condition_evaluate(engine, STR("stdout||stdout||'x' = 'x'"), &inputs, NULL, 0, &reason),
        CONDITION_ERROR);
    assert_non_null(strstr(reason.text, "longer than 128 KiB"));
    mem_free(text);
}

static void the_memory_of_an_evaluation_is_bounded(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    char *data = mem_alloc(CONDITION_INPUT_BYTES_MAX);
    struct condition_inputs inputs = { .state = STR("failed"), .has_stdout = true };
    inputs.stdout_data = fill(data, '1');
    inputs.output = STR("[]");
    buf_append_text(&buf, "not output in (''");
    for (int i = 0; i < 128; i++) {
        buf_printf(&buf, ",stdout||stdout||%d", i);
    }
    buf_append_text(&buf, ")");
    struct str text = { (const char *)buf.data, buf.length };
    inputs.stdout_data.length -= 2; /* with three digits behind it, 128 KiB are all but full */
    assert_int_equal(condition_check(engine, text, NULL, &reason), ERR_NONE);
    sqlite3_int64 before = sqlite3_memory_used();
    (void)sqlite3_memory_highwater(1);
    assert_int_equal(condition_evaluate(engine, text, &inputs, NULL, 0, &reason), CONDITION_OPEN);
    sqlite3_int64 most = sqlite3_memory_highwater(0) - before;
    assert_true(most > CONDITION_INPUT_BYTES_MAX && most < 4 * 1024 * 1024);
    /* All that is left is the compiled statement. */
    assert_true(sqlite3_memory_used() - before < CONDITION_INPUT_BYTES_MAX);
    mem_free(data);
    buf_done(&buf);
}

static void deep_json_is_answered_or_refused(void **state)
{
    (void)state;
    char *data = mem_alloc(CONDITION_INPUT_BYTES_MAX);
    struct condition_inputs inputs = { .state = STR("failed"), .has_stdout = true };
    inputs.stdout_data = fill(data, '[');
    inputs.output = inputs.stdout_data;
    assert_int_equal(
        condition_evaluate(engine, STR("json_valid(stdout)"), &inputs, NULL, 0, &reason),
        CONDITION_CLOSED);
    assert_int_equal(condition_evaluate(engine, STR("output->>'$[0]'"), &inputs, NULL, 0, &reason),
                     CONDITION_ERROR);
    mem_free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_mistake_is_named_with_its_place),
        TEST(the_first_wall_refuses_all_that_is_no_plain_expression),
        TEST(the_second_wall_refuses_what_reaches_for_more),
        TEST(the_connection_can_do_nothing_else),
        TEST(every_function_of_the_table_can_be_called),
        TEST(every_limit_of_the_text_is_reached),
        TEST(a_quadratic_search_ends_after_its_steps),
        TEST(an_evaluation_ends_when_its_instructions_are_used_up),
        TEST(a_pattern_has_a_longest_length),
        TEST(a_value_that_grows_too_long_is_an_error),
        TEST(the_memory_of_an_evaluation_is_bounded),
        TEST(deep_json_is_answered_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
