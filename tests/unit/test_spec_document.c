/* What docs/spec.md and examples/ show is what the reader takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "orchestrator/spec/condition_function.h"
#include "tests/unit/spec_check.h"

static void read_file(const char *path, struct buf *ret_text)
{
    enum { FILE_BYTES_MAX = 1024 * 1024 };
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s is not there", path);
    }
    ret_text->length += fread(buf_reserve(ret_text, FILE_BYTES_MAX), 1, FILE_BYTES_MAX, file);
    fclose(file);
}

static void parse(const char *name, struct str text)
{
    static const struct msg_pair labels[] = { { { "role", 4 }, { "site", 4 } },
                                              { { "role", 4 }, { "edge", 4 } } };
    static const struct spec_device devices[] = { { { "north", 5 }, &labels[0], 1 },
                                                  { { "south", 5 }, &labels[0], 1 },
                                                  { { "board-1", 7 }, &labels[1], 1 } };
    static const struct spec_inputs inputs = { .devices = devices, .devices_count = 3 };
    struct arena arena = { 0 };
    struct spec spec;
    struct spec_problems problems;
    if (spec_parse(text, SPEC_FORMAT_GUESS, &inputs, &arena, &spec, &problems) != ERR_NONE) {
        const struct spec_problem *first = &problems.list[0];
        fail_msg("%s: %u:%u %s %.*s: %.*s\n%.*s", name, first->line, first->column, first->code,
                 STR_ARG(first->path), STR_ARG(first->detail), STR_ARG(text));
    }
    assert_null(spec_check_plan(&spec));
    arena_done(&arena);
}

/* A block that has no name is some tasks. */
static void parse_block(struct str block)
{
    struct buf text = { 0 };
    if (!str_starts_with(block, STR("name:"))) {
        buf_append_text(&text, "name: shown\ntasks:\n");
        for (size_t i = 0; i < block.length; i++) {
            if (i == 0 || block.data[i - 1] == '\n') {
                buf_append_text(&text, "  ");
            }
            buf_append(&text, &block.data[i], 1);
        }
        block = (struct str){ (const char *)text.data, text.length };
    }
    parse("docs/spec.md", block);
    buf_done(&text);
}

static void every_example_in_the_document_is_a_spec(void **state)
{
    (void)state;
    struct buf document = { 0 };
    read_file("docs/spec.md", &document);
    const char *at = buf_text(&document);
    unsigned count = 0;
    for (;;) {
        const char *open = strstr(at, "```yaml\n");
        if (open == NULL) {
            break;
        }
        open += strlen("```yaml\n");
        const char *close = strstr(open, "```");
        assert_non_null(close);
        parse_block((struct str){ open, (size_t)(close - open) });
        at = close + 3;
        count++;
    }
    assert_true(count >= 25);
    buf_done(&document);
}

static void every_function_of_conditions_is_in_the_document(void **state)
{
    (void)state;
    struct buf document = { 0 };
    read_file("docs/spec.md", &document);
    const struct condition_function *function = NULL;
    for (size_t i = 0; (function = condition_function_at(i)) != NULL; i++) {
        struct buf row = { 0 };
        buf_printf(&row, "| `%s` | %s |", function->name, function->help);
        if (strstr(buf_text(&document), buf_text(&row)) == NULL) {
            fail_msg("docs/spec.md lacks %s", buf_text(&row));
        }
        buf_done(&row);
    }
    buf_done(&document);
}

static unsigned lines_of(const struct buf *text)
{
    unsigned lines = 0;
    for (size_t i = 0; i < text->length; i++) {
        lines += text->data[i] == '\n';
    }
    return lines;
}

static void every_example_is_a_spec_and_three_are_short(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool is_short;
    } files[] = {
        { "examples/disk-report.yaml", false },   { "examples/fleet-report.yaml", false },
        { "examples/slow.yaml", false },          { "examples/needs-a-gpu.yaml", false },
        { "examples/nightly-backup.yaml", true }, { "examples/firmware.yaml", true },
        { "examples/disk-full.yaml", true },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct buf text = { 0 };
        read_file(files[i].path, &text);
        parse(files[i].path, (struct str){ (const char *)text.data, text.length });
        if (files[i].is_short && lines_of(&text) >= 20) {
            fail_msg("%s has %u lines", files[i].path, lines_of(&text));
        }
        buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_in_the_document_is_a_spec),
        cmocka_unit_test(every_function_of_conditions_is_in_the_document),
        cmocka_unit_test(every_example_is_a_spec_and_three_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
