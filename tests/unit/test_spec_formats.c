/* The two front ends, YAML and JSON, and text that is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "orchestrator/spec/spec_text.h"
#include "orchestrator/spec/spec_yaml_core.h"

static struct arena arena;
static struct spec_problems problems;

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void refuse(struct str text, enum spec_format format)
{
    struct spec spec;
    assert_int_equal(spec_parse(text, format, NULL, &arena, &spec, &problems), ERR_INVALID);
    assert_true(problems.count > 0);
}

static void assert_first(const char *code, unsigned line, unsigned column, const char *path,
                         const char *words)
{
    const struct spec_problem *problem = &problems.list[0];
    bool is_right = strcmp(problem->code, code) == 0 && problem->line == line &&
                    problem->column == column && str_is(problem->path, path) &&
                    spec_text_holds(problem->detail, str_of(words));
    if (!is_right) {
        fail_msg("%u:%u %s \"%.*s\": %.*s\n  instead of %u:%u %s \"%s\": %s", problem->line,
                 problem->column, problem->code, STR_ARG(problem->path), STR_ARG(problem->detail),
                 line, column, code, path, words);
    }
}

static void assert_refused(const char *text, const char *code, unsigned line, unsigned column,
                           const char *path, const char *words)
{
    refuse(str_of(text), SPEC_FORMAT_GUESS);
    assert_first(code, line, column, path, words);
}

static void nothing_is_refused_as_empty(void **state)
{
    (void)state;
    static const char *const texts[] = { "",      " \n\t\r\n", "# only a comment\n",
                                         "---\n", "null\n",    "\xef\xbb\xbf" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_refused(texts[i], "empty", 0, 0, "", "nothing in it");
        assert_int_equal(problems.count, 1);
    }
    refuse((struct str){ NULL, 0 }, SPEC_FORMAT_JSON);
    assert_first("empty", 0, 0, "", "");
}

static void what_is_no_text_is_refused_with_its_byte(void **state)
{
    (void)state;
    refuse(STR("name: n\nx\0y"), SPEC_FORMAT_GUESS);
    assert_first("not_text", 2, 2, "", "not text: byte 0x00 at line 2, column 2");
    refuse(STR("{\"name\": \"\xff\"}"), SPEC_FORMAT_GUESS);
    assert_first("not_text", 1, 11, "", "not text: byte 0xff");
    refuse(STR("name: a\u00e9bcdefghijklmno\xc3"), SPEC_FORMAT_YAML);
    assert_first("not_text", 1, 23, "", "byte 0xc3");
    refuse(STR("name: \x1b[31m"), SPEC_FORMAT_YAML);
    assert_first("not_text", 1, 7, "", "byte 0x1b");
    refuse(STR("name: \xed\xa0\x80"), SPEC_FORMAT_YAML);
    assert_first("not_text", 1, 7, "", "byte 0xed");
    refuse(STR("\xff\xfen\0a\0m\0e\0"), SPEC_FORMAT_YAML);
    assert_first("not_text", 1, 1, "", "byte 0xff");
    refuse(STR("\x7f"
               "ELF\x02"),
           SPEC_FORMAT_GUESS);
    assert_first("not_text", 1, 1, "", "byte 0x7f");
    /* What only libyaml minds: a C1 control character. */
    refuse(STR("name: n\nx: a\xc2\x81"), SPEC_FORMAT_YAML);
    assert_first("not_text", 2, 5, "", "not text");
}

static void too_much_is_refused_before_it_is_read(void **state)
{
    (void)state;
    /* If a byte of it were looked at, the address sanitizer would say so. */
    char *one = mem_alloc(1);
    refuse((struct str){ one, (size_t)SPEC_BYTES_MAX + 1 }, SPEC_FORMAT_GUESS);
    assert_first("too_large", 0, 0, "", "has 67108865 bytes; at most 67108864");
    mem_free(one);
}

static void fill(struct buf *text, const char *with, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_text(text, with);
    }
}

static void deep_nesting_is_refused_however_deep(void **state)
{
    (void)state;
    static const size_t depths[] = { SPEC_DEPTH_MAX + 1, 100000 };
    for (size_t i = 0; i < 2; i++) {
        struct buf text = { 0 };
        fill(&text, "[", depths[i]);
        assert_refused(buf_text(&text), "too_deep", 1, SPEC_DEPTH_MAX + 1, "", "more than 32 deep");
        refuse(str_of(buf_text(&text)), SPEC_FORMAT_YAML);
        assert_first("too_deep", 1, SPEC_DEPTH_MAX + 1, "", "more than 32 deep");
        buf_clear(&text);
        fill(&text, "{\"a\":", depths[i]);
        refuse(str_of(buf_text(&text)), SPEC_FORMAT_JSON);
        assert_first("too_deep", 1, 5 * SPEC_DEPTH_MAX + 1, "", "");
        buf_clear(&text);
        fill(&text, "- ", depths[i]);
        refuse(str_of(buf_text(&text)), SPEC_FORMAT_YAML);
        assert_first("too_deep", 1, 2 * SPEC_DEPTH_MAX + 1, "", "");
        buf_done(&text);
    }
}

static void a_flood_of_lists_is_refused_at_the_limit(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "[");
    fill(&text, "[],", SPEC_CONTAINERS_MAX);
    buf_append_text(&text, "[]]");
    refuse(str_of(buf_text(&text)), SPEC_FORMAT_JSON);
    assert_first("too_large", 1, 11999999, "/3999999", "more values than a spec may have");
    buf_done(&text);
}

static void a_flood_of_values_is_refused_at_the_limit(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "[");
    fill(&text, "1,", SPEC_NODES_MAX - 1); /* with the list itself as many as there may be */
    buf_append_text(&text, "1]");
    refuse(str_of(buf_text(&text)), SPEC_FORMAT_JSON);
    assert_first("too_large", 1, 20000000, "/9999999", "more values than a spec may have");
    buf_done(&text);
}

static void a_key_twice_is_refused_at_the_second(void **state)
{
    (void)state;
    assert_refused("name: n\ntasks:\n  a: {noop: true}\n  b: {noop: true}\n  a: {noop: true}\n",
                   "duplicate_key", 5, 3, "/tasks/a", "\"a\" is there already, on line 3");
    assert_refused("name: n\nname: m\ntasks: {a: {noop: true}}\n", "duplicate_key", 2, 1, "/name",
                   "on line 1");
    assert_refused("{\"name\": \"n\",\n  \"na\\u006de\": \"m\"}", "duplicate_key", 2, 3, "/name",
                   "\"name\" is there already, on line 1");
    assert_refused("{\"q\\\"\": 1, \"q\\\"\": 2}", "duplicate_key", 1, 12, "/q\"", "on line 1");
    struct buf text = { 0 };
    buf_append_text(&text, "name: n\ntasks:\n");
    for (int i = 0; i < 1000; i++) {
        buf_printf(&text, "  t%d: {noop: true}\n", i);
    }
    buf_append_text(&text, "  t500: {noop: true}\n");
    assert_refused(buf_text(&text), "duplicate_key", 1003, 3, "/tasks/t500", "on line 503");
    buf_done(&text);
}

static void anchors_aliases_merges_and_tags_are_refused(void **state)
{
    (void)state;
    assert_refused("name: &n x\ntasks: {a: {noop: true}}\n", "alias", 1, 7, "/name", "anchors (&)");
    assert_int_equal(problems.count, 1);
    assert_refused("name: n\ntasks: {a: &t {noop: true}, b: *t}\n", "alias", 2, 12, "/tasks/a",
                   "anchors (&)");
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.list[1].code, "alias");
    assert_int_equal(problems.list[1].column, 32);
    assert_true(str_is(problems.list[1].path, "/tasks/b"));
    assert_refused("name: !!str n\ntasks: {a: {noop: true}}\n", "tag", 1, 7, "/name", "tags (!)");
    assert_refused("name: n\ntasks: {a: !x {noop: true}}\n", "tag", 2, 12, "/tasks/a", "tags (!)");
    assert_refused("name: n\ntasks: {a: {<<: {x: 1}}}\n", "alias", 2, 13, "/tasks/a", "merge keys");
    assert_refused("name: n\ntasks:\n  a:\n    run: [x, *y]\n", "alias", 4, 14, "/tasks/a/run/1",
                   "aliases (*)");
    assert_refused("*x : 1\n", "alias", 1, 1, "", "aliases (*)");
}

static void yaml_that_is_broken_is_refused_where_it_breaks(void **state)
{
    (void)state;
    assert_refused("name: n\ntasks:\n\ta: {noop: true}\n", "syntax", 3, 1, "",
                   "a tab cannot indent YAML");
    assert_refused("name: n\ntasks:\n  a: {noop: true\n", "syntax", 4, 1, "", "");
    assert_refused("name: \"n\n", "syntax", 2, 1, "", "");
    assert_refused("name: n\n---\nname: m\n", "syntax", 2, 1, "", "a second one");
    assert_refused("? [a, b]\n: c\n", "bad_key", 1, 3, "", "a key must be text");
    assert_refused("name: n\n...\njunk: x\n", "syntax", 3, 1, "", "");
}

static void json_that_is_broken_is_refused_where_it_breaks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        unsigned column;
        const char *words;
    } rows[] = {
        { "{\"name\": \"n\",\n \"tasks\": nope}", 2, 11, "a value must stand here" },
        { "{\"name\": \"n\"} x", 1, 15, "something follows" },
        { "{\"name\": \"n\"", 1, 13, "it ends too early" },
        { "{\"name\"", 1, 8, "it ends too early" },
        { "{\"name", 1, 7, "it ends too early" },
        { "{", 1, 2, "it ends too early" },
        { "[", 1, 2, "it ends too early" },
        { "{\"a\": 1,}", 1, 9, "a key in double quotes" },
        { "{a: 1}", 1, 2, "a key in double quotes" },
        { "{1: 1}", 1, 2, "a key in double quotes" },
        { "{\"a\" 1}", 1, 6, "a ':' must follow" },
        { "{\"a\": 1 \"b\": 2}", 1, 9, "a ',' or '}'" },
        { "[1 2]", 1, 4, "a ',' or ']'" },
        { "[1}", 1, 3, "a ',' or ']'" },
        { "[1,]", 1, 4, "a value must stand here" },
        { "[,1]", 1, 2, "a value must stand here" },
        { "[]]", 1, 3, "something follows" },
        { "[01]", 1, 2, "no number" },
        { "[1.]", 1, 2, "no number" },
        { "[-]", 1, 2, "no number" },
        { "[1e+]", 1, 2, "no number" },
        { "[.5]", 1, 2, "a value must stand here" },
        { "[+1]", 1, 2, "a value must stand here" },
        { "['a']", 1, 2, "text stands in double quotes" },
        { "[\"a\nb\"]", 1, 4, "a line break or a tab" },
        { "[\"\\x\"]", 1, 4, "no such escape" },
        { "[\"\\u00g0\"]", 1, 7, "four hexadecimal digits" },
        { "[\"a\\ud800\"]", 1, 4, "half a character" },
        { "[\"a\\ud800\\u0041\"]", 1, 4, "half a character" },
        { "[\"a\\udc00\"]", 1, 4, "half a character" },
        { "[tru]", 1, 2, "a value must stand here" },
        { "[truer]", 1, 6, "a ',' or ']'" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_refused(rows[i].text, "syntax", rows[i].line, rows[i].column, "", rows[i].words);
        assert_int_equal(problems.count, 1);
    }
}

static void the_format_can_be_said_or_guessed(void **state)
{
    (void)state;
    static const char flow[] = "{name: n, tasks: {a: {noop: true}}}";
    struct spec spec;
    assert_int_equal(spec_parse(str_of(flow), SPEC_FORMAT_YAML, NULL, &arena, &spec, &problems),
                     ERR_NONE);
    refuse(str_of(flow), SPEC_FORMAT_GUESS);
    assert_first("syntax", 1, 2, "", "");
    assert_int_equal(spec_parse(STR("\n \t{\"name\":\"n\",\"tasks\":{\"a\":{\"noop\":true}}}"),
                                SPEC_FORMAT_GUESS, NULL, &arena, &spec, &problems),
                     ERR_NONE);
}

static void plain_scalars_follow_the_core_schema(void **state)
{
    (void)state;
    static const char *const numbers[] = { "0",    "-1",   "+12",  "1.10", ".5",    "5.",  "1e3",
                                           "1E-3", "0x1F", "0o17", ".inf", "-.INF", ".NaN" };
    static const char *const texts[] = { "no",  "yes",  "on",   "off",  "y",  "1.2.3", "1_000",
                                         "0x",  "0xg",  "0o8",  "1e",   "-",  ".",     "+.",
                                         "--1", "1:30", "nULL", "tRue", "e5", "0b1",   "-0x1F" };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (spec_yaml_core_kind(str_of(numbers[i])) != SPEC_NUMBER) {
            fail_msg("%s is a number", numbers[i]);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (spec_yaml_core_kind(str_of(texts[i])) != SPEC_TEXT) {
            fail_msg("%s is text", texts[i]);
        }
    }
    assert_int_equal(spec_yaml_core_kind(STR("True")), SPEC_BOOL);
    assert_int_equal(spec_yaml_core_kind(STR("FALSE")), SPEC_BOOL);
    assert_int_equal(spec_yaml_core_kind(STR("~")), SPEC_NULL);
    assert_int_equal(spec_yaml_core_kind(STR("")), SPEC_NULL);
}

/* Every byte of a spec taken away, and every prefix of it: refused or read, never worse. */
static void a_damaged_spec_is_read_or_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "name: n\ntasks:\n  a: {run: [x, \"${{ tasks.b.output.c[0] }}\"], env: {A: 1}}\n"
        "  b:\n    shell: |\n      ls\n    needs:\n    - {task: c, when: success}\n"
        "  c: {sleep: 1m, retry: {max_attempts: 2, factor: 1.5}, max_output: 1MiB}\n",
        "{\"name\": \"n\", \"tasks\": {\"a\": {\"run\": [\"x\", 1.5], \"needs\": [\"b\"]}, "
        "\"b\": {\"noop\": true, \"retry\": {\"backoff\": \"1s\"}}}}",
    };
    char damaged[512];
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(texts[i]);
        for (size_t at = 0; at < length; at++) {
            struct spec spec;
            memcpy(damaged, texts[i], at);
            memcpy(damaged + at, texts[i] + at + 1, length - at - 1);
            enum err err = spec_parse((struct str){ damaged, length - 1 }, SPEC_FORMAT_GUESS, NULL,
                                      &arena, &spec, &problems);
            assert_int_equal(err == ERR_NONE, problems.count == 0);
            err = spec_parse((struct str){ damaged, at }, SPEC_FORMAT_GUESS, NULL, &arena, &spec,
                             &problems);
            assert_int_equal(err == ERR_NONE, problems.count == 0);
            arena_clear(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_refused_as_empty, forget),
        cmocka_unit_test_teardown(what_is_no_text_is_refused_with_its_byte, forget),
        cmocka_unit_test_teardown(too_much_is_refused_before_it_is_read, forget),
        cmocka_unit_test_teardown(deep_nesting_is_refused_however_deep, forget),
        cmocka_unit_test_teardown(a_flood_of_lists_is_refused_at_the_limit, forget),
        cmocka_unit_test_teardown(a_flood_of_values_is_refused_at_the_limit, forget),
        cmocka_unit_test_teardown(a_key_twice_is_refused_at_the_second, forget),
        cmocka_unit_test_teardown(anchors_aliases_merges_and_tags_are_refused, forget),
        cmocka_unit_test_teardown(yaml_that_is_broken_is_refused_where_it_breaks, forget),
        cmocka_unit_test_teardown(json_that_is_broken_is_refused_where_it_breaks, forget),
        cmocka_unit_test_teardown(the_format_can_be_said_or_guessed, forget),
        cmocka_unit_test_teardown(plain_scalars_follow_the_core_schema, forget),
        cmocka_unit_test_teardown(a_damaged_spec_is_read_or_refused, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
