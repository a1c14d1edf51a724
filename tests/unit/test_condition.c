/* Conditions: what they answer, and that the same is answered again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/condition_lex.h"

static struct condition_engine *engine;
static struct condition_inputs inputs;
static struct reason reason;

static int begin(void **state)
{
    (void)state;
    engine = condition_engine_new(NULL);
    assert_non_null(engine);
    inputs = (struct condition_inputs){
        .state = STR("succeeded"),
        .has_exit_code = true,
        .exit_code = 2,
        .attempt = 3,
        .output =
            STR("{\"rows\":250,\"name\":\"disk\",\"list\":[1,2,3],\"ok\":true,\"none\":null}"),
        .has_stdout = true,
        .stdout_bytes = 5,
        .stdout_data = STR("1200\n"),
        .has_duration = true,
        .duration_ms = 1500,
    };
    return 0;
}

static int end(void **state)
{
    (void)state;
    condition_engine_free(engine);
    return 0;
}

static void set_stdout(const char *text)
{
    inputs.stdout_data = str_of(text);
    inputs.stdout_bytes = inputs.stdout_data.length;
}

static enum condition_verdict ask(const char *text)
{
    return condition_evaluate(engine, str_of(text), &inputs, NULL, 0, &reason);
}

static enum condition_verdict ask_with(const char *text, struct condition_value value)
{
    return condition_evaluate(engine, str_of(text), &inputs, &value, 1, &reason);
}

static struct condition_value text_value(const char *text)
{
    return (struct condition_value){ .type = CONDITION_VALUE_TEXT, .text = str_of(text) };
}

static struct condition_value integer_value(int64_t value)
{
    return (struct condition_value){ .type = CONDITION_VALUE_INTEGER, .integer = value };
}

static void expect(enum condition_verdict verdict, const char *const *texts)
{
    for (size_t i = 0; texts[i] != NULL; i++) {
        enum condition_verdict is = ask(texts[i]);
        if (is != verdict) {
            fail_msg("%s: %d instead of %d (%s)", texts[i], is, verdict,
                     is == CONDITION_ERROR ? reason.text : "");
        }
    }
}

static void assert_reason(const char *part)
{
    if (strstr(reason.text, part) == NULL) {
        fail_msg("\"%s\" says nothing of \"%s\"", reason.text, part);
    }
}

static void what_is_true_opens(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "exit_code < 3",
        "EXIT_CODE<3 AND State = 'succeeded'",
        "number > 1000",
        "number = 1200 and stdout = '1200'",
        "output->>'$.rows' > 100",
        "output->>'rows' = 250",
        "json_extract(output, '$.rows') between 200 and 300",
        "output->>'$.list[1]' = 2 and json_array_length(output, '$.list') = 3",
        "output->'$.list' = '[1,2,3]'",
        "output->>'$.ok'",
        "json_type(output, '$.none') = 'null' and output->>'$.none' is null",
        "attempt in (1, 2, 3)",
        "duration = 1.5",
        "duration * 2 >= 3",
        "state like 'SUCC%' and not state like '%failed%'",
        "output->>'$.name' like 'd_s%'",
        "'50%' like '50\\%' escape '\\'",
        "case when exit_code = 2 then 1 else 0 end",
        "coalesce(output->>'$.missing', 7) = 7",
        "instr(output, 'disk') > 0 and instr('\xc3\xa4\xc3\xb6x', 'x') = 3",
        "length(trim('  a ')) = 1 and upper('a') = 'A' and lower('A') = 'a'",
        "max(1, exit_code, 0) = 2 and min(1, exit_code) = 1",
        "cast('12' as integer) + 1 = 13",
        "exit_code is not null",
        "exit_code = '2'", /* a number is compared as one, with a text from outside too */
        "'it''s' like '%''%'",
        "(((exit_code))) = 0x2",
        "1 - -1 = 2",
        "round(2.5) = 3 and abs(-1) = 1 and sign(-4) = -1 and substr('abc', 2, 1) = 'b'",
        "iif(exit_code = 2, 'a', 'b') = 'a' and nullif(1, 1) is null and ifnull(null, 1)",
        "typeof(number) = 'integer' and ltrim(' a') || rtrim('b ') = 'ab'",
        "true\n  and not false",
        "state <> 'failed' and state || '' <> 'x' and 'x' <> lower(state)",
        "output->>'$.\"name\"' = 'disk' and output->>'list' = '[1,2,3]'",
        "output->>'$[0]' is null",
        "output->>'$.list[#-1]' = 3 and output->>'$.list[#]' is null and '[7]'->>0 = 7",
        "output->>'$' = output and output->>'a-b$[' is null and output->>'$.a-b.c d' is null",
        "json_extract(output, '$.' || 'rows') = 250",
        NULL
    };
    expect(CONDITION_OPEN, texts);
}

static void what_is_false_or_null_closes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "exit_code = 3",
        "0",
        "0.0",
        "null",
        "false",
        "output->>'$.missing' > 1",
        "output->>'$.none'",
        "'abc'", /* a text that is no number is false, as it is to SQLite */
        "state like null",
        "json_valid('{')",
        "instr(null, 'a')",
        "'x' like '%'||null",
        NULL
    };
    expect(CONDITION_CLOSED, texts);
}

static void what_a_task_does_not_have_is_null(void **state)
{
    (void)state;
    inputs = (struct condition_inputs){ .state = STR("skipped") };
    static const char *const texts[] = { "state = 'skipped'", "exit_code is null",
                                         "attempt is null",   "output is null",
                                         "stdout is null",    "number is null",
                                         "duration is null",  NULL };
    expect(CONDITION_OPEN, texts);
}

static void stdout_loses_one_newline(void **state)
{
    (void)state;
    set_stdout("a\n\n");
    assert_int_equal(ask("stdout = 'a\n'"), CONDITION_OPEN);
    set_stdout("");
    assert_int_equal(ask("stdout = '' and number is null"), CONDITION_OPEN);
    set_stdout("\n");
    assert_int_equal(ask("stdout = ''"), CONDITION_OPEN);
}

static void stdout_that_is_too_large_or_no_text_is_null(void **state)
{
    (void)state;
    char *large = mem_alloc(CONDITION_INPUT_BYTES_MAX + 1);
    memset(large, '1', CONDITION_INPUT_BYTES_MAX + 1);
    inputs.stdout_data = (struct str){ large, CONDITION_INPUT_BYTES_MAX };
    inputs.stdout_bytes = CONDITION_INPUT_BYTES_MAX;
    assert_int_equal(ask("length(stdout) = 65536 and number > 1"), CONDITION_OPEN);
    inputs.stdout_bytes = CONDITION_INPUT_BYTES_MAX + 1;
    assert_int_equal(ask("stdout is null and number is null"), CONDITION_OPEN);
    inputs.stdout_data.length++;
    inputs.stdout_bytes = 0;
    assert_int_equal(ask("stdout is null and number is null"), CONDITION_OPEN);
    mem_free(large);
    set_stdout("1\xff");
    assert_int_equal(ask("stdout is null and number is null"), CONDITION_OPEN);
    inputs.stdout_data = STR("1\0");
    inputs.stdout_bytes = 2;
    assert_int_equal(ask("stdout is null and number is null"), CONDITION_OPEN);
}

static void number_is_the_whole_of_stdout_or_null(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *truth;
    } rows[] = {
        { "12", "number = 12" },         { " -3.5 \n", "number = -3.5" },
        { "1e3", "number = 1000" },      { "+7\r\n", "number = 7" },
        { ".5", "number = 0.5" },        { "9223372036854775807", "number = 9223372036854775807" },
        { "12 rows", "number is null" }, { "0x10", "number is null" },
        { "inf", "number is null" },     { "nan", "number is null" },
        { "1 2", "number is null" },     { "--1", "number is null" },
        { "- 1", "number is null" },     { "1.2.3", "number is null" },
        { "-", "number is null" },       { "'1'", "number is null" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_stdout(rows[i].text);
        if (ask(rows[i].truth) != CONDITION_OPEN) {
            fail_msg("\"%s\": not %s", rows[i].text, rows[i].truth);
        }
    }
}

static void a_placeholder_is_a_value_of_its_type(void **state)
{
    (void)state;
    assert_int_equal(ask_with("output->>'$.rows' = ${{ params.p }}", integer_value(250)),
                     CONDITION_OPEN);
    assert_int_equal(ask_with("output->>'$.rows'=${{params.p}}", text_value("250")),
                     CONDITION_CLOSED);
    assert_int_equal(ask_with("exit_code < ${{ params.p }}", text_value("10")), CONDITION_OPEN);
    assert_int_equal(
        ask_with("duration=${{ params.p }}and 1",
                 (struct condition_value){ .type = CONDITION_VALUE_REAL, .real = 1.5 }),
        CONDITION_OPEN);
    assert_int_equal(ask_with("${{ params.p }} is null", (struct condition_value){ 0 }),
                     CONDITION_OPEN);
    assert_int_equal(ask_with("not${{ params.p }}", integer_value(0)), CONDITION_OPEN);
}

static void the_value_of_a_placeholder_is_never_sql(void **state)
{
    (void)state;
    static const char *const evil[] = {
        "' or 1=1 --", "1) or (1",  "null", "(select 1)", "${{ params.p }}",
        "p1",          "\"state\"", "%",    NULL
    };
    for (size_t i = 0; evil[i] != NULL; i++) {
        assert_int_equal(ask_with("state = ${{ params.p }}", text_value(evil[i])),
                         CONDITION_CLOSED);
        const struct condition_value twice[] = { text_value(evil[i]), text_value(evil[i]) };
        assert_int_equal(condition_evaluate(engine, STR("${{ each.v }} = ${{ each.v }}"), &inputs,
                                            twice, 2, &reason),
                         CONDITION_OPEN);
    }
    /* Nor is what a task puts out. */
    for (size_t i = 0; evil[i] != NULL; i++) {
        set_stdout(evil[i]);
        inputs.output = str_of(evil[i]);
        assert_int_equal(ask("stdout = 'x' or state = 'failed' or output = 'x'"), CONDITION_CLOSED);
    }
}

static void placeholders_are_found_in_order(void **state)
{
    (void)state;
    struct str text =
        STR("'a' = ${{ params.a }} and exit_code in(${{ each.b }},${{tasks.c.output.d}})");
    static const char *const expected[] = { "${{ params.a }}", "${{ each.b }}",
                                            "${{tasks.c.output.d}}" };
    struct condition_word word = { .kind = CONDITION_END };
    size_t at = 0;
    size_t seen = 0;
    do {
        assert_int_equal(condition_lex(text, &at, &word, NULL), ERR_NONE);
        if (word.kind == CONDITION_PLACEHOLDER) {
            assert_true(seen < 3 && str_is(word.text, expected[seen]));
            seen++;
        }
    } while (word.kind != CONDITION_END);
    assert_int_equal(seen, 3);
    assert_int_equal(condition_check(engine, text, NULL, &reason), ERR_NONE);
}

static void values_must_be_as_many_as_placeholders(void **state)
{
    (void)state;
    assert_int_equal(ask("exit_code = ${{ params.p }}"), CONDITION_ERROR);
    assert_reason("1 placeholders, and 0 values");
    assert_int_equal(ask_with("exit_code = 1", integer_value(1)), CONDITION_ERROR);
    char *large = mem_alloc(CONDITION_INPUT_BYTES_MAX + 1);
    memset(large, 'x', CONDITION_INPUT_BYTES_MAX + 1);
    struct condition_value value = text_value("");
    value.text = (struct str){ large, CONDITION_INPUT_BYTES_MAX + 1 };
    assert_int_equal(ask_with("stdout = ${{ params.p }}", value), CONDITION_ERROR);
    assert_reason("placeholder 1 is larger than 64 KiB");
    mem_free(large);
    value.text = STR("\xff");
    assert_int_equal(ask_with("stdout = ${{ params.p }}", value), CONDITION_ERROR);
    assert_reason("not UTF-8");
}

/* A text of chance from letters that mean something to LIKE, with a NUL behind it. */
static void draw_text(struct rng *rng, uint64_t length_max, struct buf *ret_text)
{
    static const char *const letters[] = { "a", "b", "A", "%", "_", "\\", "\xc3\xa4", "%", "a" };
    buf_clear(ret_text);
    for (uint64_t left = rng_below(rng, length_max); left > 0; left--) {
        buf_append_text(ret_text, letters[rng_below(rng, sizeof letters / sizeof letters[0])]);
    }
    (void)buf_text(ret_text);
}

static void like_answers_as_that_of_sqlite_does(void **state)
{
    (void)state;
    struct rng rng;
    struct buf text_buf = { 0 };
    struct buf pattern_buf = { 0 };
    unsigned matches = 0;
    rng_init(&rng, 1);
    for (int i = 0; i < 30000; i++) {
        draw_text(&rng, 12, &text_buf);
        draw_text(&rng, 8, &pattern_buf);
        const char *text = buf_text(&text_buf);
        const char *pattern = buf_text(&pattern_buf);
        const struct condition_value values[] = { text_value(text), text_value(pattern) };
        bool has_escape = rng_below(&rng, 2) == 1;
        struct str condition =
            has_escape ? STR("${{ a }} like ${{ b }} escape '\\'") : STR("${{ a }} like ${{ b }}");
        bool expected = sqlite3_strlike(pattern, text, has_escape ? '\\' : 0) == 0;
        enum condition_verdict verdict =
            condition_evaluate(engine, condition, &inputs, values, 2, &reason);
        if (verdict != (expected ? CONDITION_OPEN : CONDITION_CLOSED)) {
            fail_msg("'%s' like '%s': %d", text, pattern, verdict);
        }
        matches += expected;
    }
    buf_done(&text_buf);
    buf_done(&pattern_buf);
    assert_true(matches > 1000 && matches < 29000);
}

static void what_is_guarded_does_not_fail(void **state)
{
    (void)state;
    inputs.output = STR("no json");
    set_stdout("no json");
    assert_int_equal(ask("json_valid(output) and output->>'$.x' = 1"), CONDITION_CLOSED);
    assert_int_equal(ask("not json_valid(stdout) or stdout->>'$.x' = 1"), CONDITION_OPEN);
    assert_int_equal(ask("case when json_valid(stdout) then stdout->>'$.x' else 1 end"),
                     CONDITION_OPEN);
    const struct condition_value both[] = { text_value("no json"), text_value("no json") };
    assert_int_equal(condition_evaluate(engine,
                                        STR("json_valid(${{ each.v }}) and ${{ each.v }}->>'$.x'"),
                                        &inputs, both, 2, &reason),
                     CONDITION_CLOSED);
}

static void what_fails_says_why(void **state)
{
    (void)state;
    set_stdout("no json");
    assert_int_equal(ask("stdout->>'$.x' = 1"), CONDITION_ERROR);
    assert_reason("the condition fails: malformed JSON");
    assert_int_equal(ask("json_extract(output, '$' || '[')"), CONDITION_ERROR);
    assert_reason("JSON path");
    assert_int_equal(ask("abs(attempt - 4 + -9223372036854775807)"), CONDITION_ERROR);
    assert_reason("integer overflow");
    assert_int_equal(ask("'a' like 'a' escape 'ab'"), CONDITION_ERROR);
    assert_reason("single character");
    /* After a failure all is as before. */
    assert_int_equal(ask("exit_code = 2"), CONDITION_OPEN);
}

static void the_same_is_answered_again(void **state)
{
    (void)state;
    static const char *const texts[] = { "output->>'$.rows' > 100", "stdout->>'$.x' = 1",
                                         "number > 1000", "stdout like '%2%'" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct condition_inputs first = inputs;
        enum condition_verdict verdict = ask(texts[i]);
        uint64_t steps = condition_engine_steps(engine);
        /* Something else in between, in the same statement, with other inputs and with none. */
        set_stdout("{\"x\":1}");
        inputs.output = STR("[]");
        (void)ask(texts[i]);
        inputs = (struct condition_inputs){ .state = STR("failed") };
        assert_int_not_equal(ask(texts[i]), CONDITION_OPEN);
        inputs = first;
        assert_int_equal(ask(texts[i]), verdict);
        assert_int_equal(condition_engine_steps(engine), steps);
    }
}

static void compiled_conditions_are_kept_up_to_a_limit(void **state)
{
    (void)state;
    char text[64];
    for (int i = 0; i < 3 * CONDITION_STATEMENTS_MAX; i++) {
        snprintf(text, sizeof text, "exit_code = %d", i % (CONDITION_STATEMENTS_MAX + 10));
        assert_int_equal(ask(text), i % (CONDITION_STATEMENTS_MAX + 10) == 2 ? CONDITION_OPEN
                                                                             : CONDITION_CLOSED);
        assert_int_equal(ask("attempt = 3"), CONDITION_OPEN);
        assert_true(condition_engine_statements(engine) <= CONDITION_STATEMENTS_MAX);
    }
    assert_int_equal(condition_engine_statements(engine), CONDITION_STATEMENTS_MAX);
    /* What is used stays, and a condition that is refused takes no place. */
    assert_int_equal(ask("exit_code ="), CONDITION_ERROR);
    assert_int_equal(condition_engine_statements(engine), CONDITION_STATEMENTS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_true_opens),
        TEST(what_is_false_or_null_closes),
        TEST(what_a_task_does_not_have_is_null),
        TEST(stdout_loses_one_newline),
        TEST(stdout_that_is_too_large_or_no_text_is_null),
        TEST(number_is_the_whole_of_stdout_or_null),
        TEST(a_placeholder_is_a_value_of_its_type),
        TEST(the_value_of_a_placeholder_is_never_sql),
        TEST(placeholders_are_found_in_order),
        TEST(values_must_be_as_many_as_placeholders),
        TEST(like_answers_as_that_of_sqlite_does),
        TEST(what_is_guarded_does_not_fail),
        TEST(what_fails_says_why),
        TEST(the_same_is_answered_again),
        TEST(compiled_conditions_are_kept_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
