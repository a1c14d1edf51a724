/* The JSON Schemas: made of every row of the table of keys and nothing else; what the reader takes they
   take, and what is wrong by its shape they refuse. The validator here knows the words that they use,
   and fails on any other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/base/buf.h"
#include "orchestrator/spec/spec_keys.h"
#include "orchestrator/spec/spec_schema.h"

static json_t *root; /* of the schema in use */

static json_t *load_schema(void (*write)(struct buf *json))
{
    struct buf text = { 0 };
    json_error_t error;
    write(&text);
    json_t *schema = json_loads(buf_text(&text), JSON_REJECT_DUPLICATES, &error);
    if (schema == NULL) {
        fail_msg("%s at %d: %.80s", error.text, error.position,
                 buf_text(&text) + (error.position > 40 ? error.position - 40 : 0));
    }
    buf_done(&text);
    return schema;
}

static bool is_of_type(const json_t *value, const char *type)
{
    return (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "object") == 0 && json_is_object(value));
}

static bool fits(json_t *schema, json_t *value);

static bool fits_any(json_t *schemas, json_t *value)
{
    size_t at = 0;
    json_t *schema = NULL;
    json_array_foreach(schemas, at, schema)
    {
        if (fits(schema, value)) {
            return true;
        }
    }
    return false;
}

static bool fits_type(json_t *types, const json_t *value)
{
    size_t at = 0;
    json_t *type = NULL;
    if (json_is_string(types)) {
        return is_of_type(value, json_string_value(types));
    }
    json_array_foreach(types, at, type)
    {
        if (is_of_type(value, json_string_value(type))) {
            return true;
        }
    }
    return false;
}

static bool fits_members(json_t *schema, json_t *object)
{
    json_t *properties = json_object_get(schema, "properties");
    json_t *others = json_object_get(schema, "additionalProperties");
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        json_t *own = json_object_get(properties, key);
        if (own == NULL && json_is_false(others)) {
            return false;
        }
        own = own == NULL && json_is_object(others) ? others : own;
        if (own != NULL && !fits(own, value)) {
            return false;
        }
    }
    size_t at = 0;
    json_t *name = NULL;
    json_array_foreach(json_object_get(schema, "required"), at, name)
    {
        if (json_object_get(object, json_string_value(name)) == NULL) {
            return false;
        }
    }
    return true;
}

static bool fits_items(json_t *items, const json_t *array)
{
    size_t at = 0;
    json_t *value = NULL;
    json_array_foreach(array, at, value)
    {
        if (!fits(items, value)) {
            return false;
        }
    }
    return true;
}

static bool holds_value(const json_t *values, const json_t *value)
{
    size_t at = 0;
    json_t *one = NULL;
    json_array_foreach(values, at, one)
    {
        if (json_equal(one, value)) {
            return true;
        }
    }
    return false;
}

static size_t length_of(const json_t *value)
{
    return json_is_string(value)  ? json_string_length(value)
           : json_is_array(value) ? json_array_size(value)
                                  : json_object_size(value);
}

static bool fits_word(json_t *schema, const char *word, json_t *rule, json_t *value)
{
    static const char *const silent[] = {
        "$schema",    "title",    "description",          "$defs",
        "properties", "required", "additionalProperties", "propertyNames"
    };
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        if (strcmp(word, silent[i]) == 0) {
            return true;
        }
    }
    bool is_number = json_is_number(value);
    double number = json_number_value(value);
    if (strcmp(word, "$ref") == 0) {
        const char *name = strrchr(json_string_value(rule), '/') + 1;
        json_t *named = json_object_get(json_object_get(root, "$defs"), name);
        assert_non_null(named);
        return fits(named, value);
    }
    if (strcmp(word, "type") == 0) {
        return fits_type(rule, value);
    }
    if (strcmp(word, "anyOf") == 0 || strcmp(word, "oneOf") == 0) {
        return fits_any(rule, value);
    }
    if (strcmp(word, "enum") == 0) {
        return holds_value(rule, value);
    }
    if (strcmp(word, "const") == 0) {
        return json_equal(rule, value);
    }
    if (strcmp(word, "items") == 0) {
        return !json_is_array(value) || fits_items(rule, value);
    }
    if (strcmp(word, "minimum") == 0 || strcmp(word, "maximum") == 0) {
        bool is_least = word[1] == 'i';
        return !is_number ||
               (is_least ? number >= json_number_value(rule) : number <= json_number_value(rule));
    }
    if (strncmp(word, "min", 3) == 0 || strncmp(word, "max", 3) == 0) {
        size_t bound = (size_t)json_integer_value(rule);
        return word[1] == 'i' ? length_of(value) >= bound : length_of(value) <= bound;
    }
    if (strcmp(word, "pattern") == 0) {
        assert_string_equal(json_string_value(rule), "[$][{][{]");
        return json_is_string(value) && strstr(json_string_value(value), "${{") != NULL;
    }
    (void)schema;
    fail_msg("the validator does not know \"%s\"", word);
    return false;
}

static bool fits(json_t *schema, json_t *value)
{
    const char *word = NULL;
    json_t *rule = NULL;
    json_object_foreach(schema, word, rule)
    {
        if (!fits_word(schema, word, rule, value)) {
            return false;
        }
    }
    return !json_is_object(value) || fits_members(schema, value);
}

/* What a YAML text is in JSON: by the reader's own tree. */
static json_t *json_of(const struct spec_node *node)
{
    json_t *json = NULL;
    json_int_t integer = 0;
    char *end = NULL;
    switch (node->kind) {
    case SPEC_NULL:
        return json_null();
    case SPEC_BOOL:
        return json_boolean(node->text[0] == 't' || node->text[0] == 'T');
    case SPEC_NUMBER:
        integer = strtoll(node->text, &end, 0);
        return *end == 0 ? json_integer(integer) : json_real(strtod(node->text, NULL));
    case SPEC_TEXT:
        return json_stringn(node->text, node->length);
    case SPEC_LIST:
        json = json_array();
        for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
            json_array_append_new(json, json_of(item));
        }
        return json;
    case SPEC_MAP:
        json = json_object();
        for (const struct spec_node *key = node->first; key != NULL; key = key->next->next) {
            json_object_set_new(json, key->text, json_of(key->next));
        }
        return json;
    case SPEC_BAD:
        break;
    }
    fail();
    return NULL;
}

static bool spec_fits(struct str text)
{
    struct arena arena = { 0 };
    struct spec_problems problems = { .count = 0 };
    struct spec_report report = { &arena, &problems };
    struct spec_tree tree = { .arena = &arena };
    const struct spec_node *node = spec_tree_of_yaml(text, &tree, &report);
    assert_non_null(node);
    json_t *json = json_of(node);
    bool does_fit = fits(root, json);
    json_decref(json);
    arena_done(&arena);
    return does_fit;
}

static void assert_properties(json_t *object, enum spec_where where)
{
    size_t count = 0;
    size_t here = 0;
    const struct spec_key *rows = spec_keys(&count);
    json_t *properties = json_object_get(object, "properties");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].where == where) {
            here++;
            if (json_object_get(properties, rows[i].name) == NULL) {
                fail_msg("the schema lacks %s", rows[i].name);
            }
        }
    }
    assert_int_equal(json_object_size(properties), here);
    assert_true(json_is_false(json_object_get(object, "additionalProperties")));
}

static void every_key_is_in_the_schema_and_nothing_else(void **state)
{
    (void)state;
    root = load_schema(spec_schema);
    json_t *named = json_object_get(root, "$defs");
    json_t *need = json_array_get(json_object_get(json_object_get(named, "need"), "anyOf"), 1);
    assert_properties(root, SPEC_WHERE_TOP);
    assert_properties(json_object_get(named, "task"), SPEC_WHERE_TASK);
    assert_properties(json_object_get(named, "retry"), SPEC_WHERE_RETRY);
    assert_properties(json_object_get(named, "timeouts"), SPEC_WHERE_TIMEOUTS);
    assert_properties(json_object_get(named, "param"), SPEC_WHERE_PARAM);
    assert_properties(need, SPEC_WHERE_NEED);
    json_decref(root);
}

static void whole_file(const char *path, struct buf *text)
{
    enum { FILE_BYTES_MAX = 1024 * 1024 };
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text->length += fread(buf_reserve(text, FILE_BYTES_MAX), 1, FILE_BYTES_MAX, file);
    fclose(file);
}

static void what_the_document_shows_fits_the_schema(void **state)
{
    (void)state;
    struct buf document = { 0 };
    root = load_schema(spec_schema);
    whole_file("docs/spec.md", &document);
    const char *at = buf_text(&document);
    for (const char *open = strstr(at, "```yaml\n"); open != NULL; open = strstr(at, "```yaml\n")) {
        open += strlen("```yaml\n");
        const char *close = strstr(open, "```");
        struct buf text = { 0 };
        if (strncmp(open, "name:", 5) != 0) {
            buf_append_text(&text, "name: n\ntasks:\n  ");
        }
        for (const char *byte = open; byte < close; byte++) {
            buf_append(&text, byte, 1);
            if (*byte == '\n' && strncmp(open, "name:", 5) != 0) {
                buf_append_text(&text, "  ");
            }
        }
        if (!spec_fits((struct str){ buf_text(&text), text.length })) {
            fail_msg("does not fit:\n%s", buf_text(&text));
        }
        buf_done(&text);
        at = close + 3;
    }
    static const char *const files[] = { "examples/nightly-backup.yaml", "examples/firmware.yaml",
                                         "examples/disk-full.yaml", "examples/fleet-report.yaml",
                                         "examples/slow.yaml" };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct buf text = { 0 };
        whole_file(files[i], &text);
        assert_true(spec_fits((struct str){ (const char *)text.data, text.length }));
        buf_done(&text);
    }
    buf_done(&document);
    json_decref(root);
}

static void what_has_a_wrong_shape_does_not_fit(void **state)
{
    (void)state;
    static const char *const tasks[] = {
        "{noop: true, tiemout: 5s}",
        "{run: ls}",
        "{run: []}",
        "{run: [ls, [x]]}",
        "{shell: true}",
        "{noop: false}",
        "{noop: true, env: [A]}",
        "{noop: true, priority: high}",
        "{noop: true, priority: 1001}",
        "{noop: true, timeout: [5]}",
        "{noop: true, needs: [{when: success}]}",
        "{noop: true, needs: [{task: b, when: fails}]}",
        "{noop: true, needs: [{task: b, iff: x}]}",
        "{noop: true, retry: 3}",
        "{noop: true, retry: {max_attempts: 0}}",
        "{noop: true, retry: {on: [crash]}}",
        "{noop: true, join: some}",
        "{noop: true, output: xml}",
        "{noop: true, on_disconnect: die}",
        "{noop: true, finally: 1}",
        "{noop: true, each: {v: [1], w: [2]}}",
        "{noop: true, strategy: best}",
        "hello",
    };
    root = load_schema(spec_schema);
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        struct buf text = { 0 };
        buf_printf(&text, "name: n\ntasks: {a: %s}\n", tasks[i]);
        if (spec_fits((struct str){ buf_text(&text), text.length })) {
            fail_msg("%s fits", tasks[i]);
        }
        buf_done(&text);
    }
    assert_false(spec_fits(STR("tasks: {a: {noop: true}}")));
    assert_false(spec_fits(STR("name: n")));
    assert_false(spec_fits(STR("name: n\ntasks: {}")));
    assert_false(spec_fits(STR("name: 5\ntasks: {a: {noop: true}}")));
    json_decref(root);
}

static void an_edit_fits_or_does_not(void **state)
{
    (void)state;
    root = load_schema(spec_schema_edit);
    assert_true(spec_fits(
        STR("base_revision: 3\n"
            "author: {kind: planner, name: p}\n"
            "reason: because\n"
            "expect: [{task: a, state: running, attempt: 1}]\n"
            "release: 7\n"
            "operations:\n"
            "- {op: add_task, task: b, spec: {run: [ls], needs: a}}\n"
            "- {op: remove_task, task: c}\n"
            "- {op: update_task, task: d, set: {timeout: null, priority: 3}}\n"
            "- {op: add_dependency, from: a, to: d, when: failure, if: exit_code = 3}\n"
            "- {op: update_dependency, from: a, to: d, when: always, if: null, old_when: failure}\n"
            "- {op: remove_dependency, from: a, to: d}\n"
            "- {op: set, fail_fast: true, deadline: 5m, limits: {l: 3}, description: x}\n")));
    assert_false(spec_fits(STR("operations: []")));
    assert_false(spec_fits(STR("reason: x")));
    assert_false(spec_fits(STR("operations: [{op: remove_task}]")));
    assert_false(spec_fits(STR("operations: [{op: erase, task: a}]")));
    assert_false(spec_fits(STR("operations: [{op: remove_task, task: a, from: b}]")));
    assert_false(spec_fits(STR("operations: [{op: add_task, task: a, spec: {rnu: [ls]}}]")));
    assert_false(spec_fits(STR("{author: {kind: cat}, operations: [{op: set}]}")));
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_in_the_schema_and_nothing_else),
        cmocka_unit_test(what_the_document_shows_fits_the_schema),
        cmocka_unit_test(what_has_a_wrong_shape_does_not_fit),
        cmocka_unit_test(an_edit_fits_or_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
