#include "orchestrator/spec/spec.h"

#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/spec_graph.h"
#include "orchestrator/spec/spec_read.h"

static const struct spec_place nowhere = { 0, 0 };

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

bool spec_check_text(struct str *text, struct spec_report *report)
{
    if (text->length > SPEC_BYTES_MAX) {
        spec_report_add(report, "too_large", nowhere, NULL, NULL,
                        "has %zu bytes; at most %d are allowed", text->length, SPEC_BYTES_MAX);
        return false;
    }
    if (str_starts_with(*text, STR("\xef\xbb\xbf"))) {
        *text = (struct str){ text->data + 3, text->length - 3 };
    }
    size_t offset = 0;
    if (spec_text_find_bad_byte(*text, &offset)) {
        struct spec_place place = spec_text_place(*text, offset);
        spec_report_add(report, "not_text", place, NULL, NULL,
                        "not text: byte 0x%02x at line %u, column %u",
                        (unsigned)(unsigned char)text->data[offset], place.line, place.column);
        return false;
    }
    return true;
}

static enum spec_format guess_format(struct str text)
{
    size_t at = 0;
    while (at < text.length && is_blank(text.data[at])) {
        at++;
    }
    bool is_json = at < text.length && (text.data[at] == '{' || text.data[at] == '[');
    return is_json ? SPEC_FORMAT_JSON : SPEC_FORMAT_YAML;
}

static const struct spec_node *read_tree(struct str text, enum spec_format format,
                                         struct spec_tree *tree, struct spec_report *report)
{
    const struct spec_node *root = NULL;
    size_t blanks = 0;
    while (blanks < text.length && is_blank(text.data[blanks])) {
        blanks++;
    }
    if (format == SPEC_FORMAT_GUESS) {
        format = guess_format(text);
    }
    if (blanks < text.length) {
        root = format == SPEC_FORMAT_JSON ? spec_tree_of_json(text, tree, report)
                                          : spec_tree_of_yaml(text, tree, report);
    }
    bool is_empty = root == NULL || (root->kind == SPEC_NULL && format == SPEC_FORMAT_YAML);
    if (is_empty && report->problems->count == 0) {
        spec_report_add(report, "empty", nowhere, NULL, NULL, "there is nothing in it");
    }
    return is_empty ? NULL : root;
}

/* "a -> b -> c -> a", for a cycle of any length. */
static void report_cycle(struct spec_reader *reader, const struct buf *cycle)
{
    enum { NAMES_MAX = 10 };
    const uint32_t *tasks = (const void *)cycle->data;
    size_t count = cycle->length / sizeof *tasks;
    size_t shown = count <= NAMES_MAX ? count : NAMES_MAX - 1;
    struct buf words = { 0 };
    for (size_t i = 0; i < shown; i++) {
        struct str key = spec_text_cut(reader->tasks[tasks[i]].key, 32);
        buf_printf(&words, "%.*s \u2192 ", STR_ARG(key));
    }
    if (shown < count) {
        buf_printf(&words, "\u2026 (%zu more) \u2192 ", count - shown);
    }
    struct str first = reader->tasks[tasks[0]].key;
    struct str last = spec_text_cut(first, 32);
    buf_printf(&words, "%.*s", STR_ARG(last));
    struct spec_path top = { .key = STR("tasks") };
    struct spec_path path = { .up = &top, .key = first };
    spec_report_add(&reader->report, "cycle", spec_node_place(reader->nodes[tasks[0]]), &path, NULL,
                    "each of these tasks would wait for the one before it: %s", buf_text(&words));
    buf_done(&words);
}

static void check_cycles(struct spec_reader *reader)
{
    struct buf cycle = { 0 };
    const struct plan_edge *edges = (const void *)reader->edges.data;
    size_t count = reader->edges.length / sizeof *edges;
    if (spec_graph_find_cycle(edges, count, reader->tasks_count, &cycle)) {
        report_cycle(reader, &cycle);
    }
    buf_done(&cycle);
}

static void *to_arena(struct arena *arena, const struct buf *buf)
{
    void *copy = arena_alloc(arena, buf->length);
    if (buf->length > 0) {
        memcpy(copy, buf->data, buf->length);
    }
    return copy;
}

static void fill_plan(const struct spec_reader *reader, const struct spec_draft *top,
                      struct str source, struct spec *spec)
{
    *spec = (struct spec){
        .tasks = reader->tasks,
        .bodies = reader->bodies,
        .plan = {
            .name = top->name,
            .source = source,
            .classes = to_arena(reader->arena, &reader->classes.items),
            .classes_count = reader->classes.items.length / sizeof(struct plan_class),
            .policies = to_arena(reader->arena, &reader->policies.items),
            .policies_count = reader->policies.items.length / sizeof(struct plan_policy),
            .tasks = reader->tasks,
            .tasks_count = reader->tasks_count,
            .edges = to_arena(reader->arena, &reader->edges),
            .edges_count = reader->edges.length / sizeof(struct plan_edge),
            .limits = reader->limits,
            .limits_count = reader->limits_count,
            .deadline_ms = top->deadline_ms,
            .fail_fast = top->fail_fast != 0,
            .description = top->description,
        },
    };
}

enum err spec_parse(struct str text, enum spec_format format, const struct spec_inputs *inputs,
                    struct arena *arena, struct spec *ret_spec, struct spec_problems *ret_problems)
{
    static const struct spec_inputs none;
    CHECK(arena->bytes_max == 0);
    ret_problems->count = 0;
    struct spec_tree tree = { .arena = arena };
    struct spec_reader reader = {
        .arena = arena,
        .report = { .arena = arena, .problems = ret_problems },
        .tree = &tree,
        .inputs = inputs == NULL ? &none : inputs,
    };
    struct str source = text;
    const struct spec_node *root = NULL;
    if (spec_check_text(&text, &reader.report)) {
        root = read_tree(text, format, &tree, &reader.report);
    }
    if (root == NULL) {
        spec_report_sort(&reader.report);
        return ERR_INVALID;
    }
    struct spec_draft top = { .priority = 0 };
    spec_read_top(&reader, root, &top);
    if (top.tasks != NULL) {
        spec_read_all_tasks(&reader, &top);
        check_cycles(&reader);
    }
    enum err err = ERR_INVALID;
    if (ret_problems->count == 0) {
        fill_plan(&reader, &top, source, ret_spec);
        err = ERR_NONE;
    }
    spec_reader_done(&reader);
    spec_report_sort(&reader.report);
    return err;
}
