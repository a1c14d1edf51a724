/* JSON to the neutral tree, by jansson. Its tree knows no positions: only what this file reports has
   a line and a column. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/spec_tree.h"

/* Before jansson builds anything: how deep it goes and how much it would become. Whether the
   brackets match is jansson's to say. */
static bool json_fits(struct str text, struct spec_report *report)
{
    size_t depth = 0;
    size_t containers = 0;
    size_t nodes = 1;
    bool is_string = false;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        if (is_string) {
            i += byte == '\\';
            is_string = byte != '"';
        } else if (byte == '"') {
            is_string = true;
        } else if (byte == '[' || byte == '{') {
            depth++;
            containers++;
            nodes++;
        } else if (byte == ']' || byte == '}') {
            depth -= depth > 0;
        } else if (byte == ',' || byte == ':') {
            nodes++;
        }
        if (depth > SPEC_DEPTH_MAX) {
            spec_report_add(report, "too_deep", spec_text_place(text, i), NULL, NULL,
                            "nested more than %d deep", SPEC_DEPTH_MAX);
            return false;
        }
        if (containers > SPEC_CONTAINERS_MAX || nodes > SPEC_NODES_MAX) {
            spec_report_add(report, "too_large", (struct spec_place){ 0, 0 }, NULL, NULL,
                            "more than %d values, or %d lists and mappings", SPEC_NODES_MAX,
                            SPEC_CONTAINERS_MAX);
            return false;
        }
    }
    return true;
}

/* jansson stands behind the key when it finds it to be the second: back to its first quote. */
static struct spec_place key_place(struct str text, size_t behind)
{
    size_t at = behind < text.length ? behind : text.length;
    while (at > 0 && text.data[at - 1] != '"') {
        at--;
    }
    at -= at > 0; /* on the closing quote */
    while (at > 0) {
        at--;
        size_t slashes = 0;
        while (slashes < at && text.data[at - 1 - slashes] == '\\') {
            slashes++;
        }
        if (text.data[at] == '"' && slashes % 2 == 0) {
            break;
        }
    }
    return spec_text_place(text, at);
}

/* jansson stands behind the token that it did not expect, and mostly quotes it: back to its start. */
static struct spec_place token_place(struct str text, const json_error_t *error)
{
    size_t behind = error->position > 0 ? (size_t)error->position : 0;
    behind = behind < text.length ? behind : text.length;
    const char *near = strstr(error->text, " near '");
    if (near != NULL) {
        struct str token = str_of(near + sizeof " near '" - 1);
        token.length -= token.length > 0; /* the closing quote */
        if (token.length <= behind &&
            str_equal(token, (struct str){ text.data + behind - token.length, token.length })) {
            return spec_text_place(text, behind - token.length);
        }
    }
    return (struct spec_place){
        error->line > 0 ? (uint32_t)error->line : 1,
        error->column > 0 ? (uint32_t)error->column : 1,
    };
}

static void report_error(struct str text, const json_error_t *error, struct spec_report *report)
{
    struct spec_place place = token_place(text, error);
    enum json_error_code code = json_error_code(error);
    if (code == json_error_duplicate_key) {
        place = key_place(text, error->position > 0 ? (size_t)error->position : 0);
        spec_report_add(report, "duplicate_key", place, NULL, NULL, "%s", error->text);
    } else if (code == json_error_numeric_overflow) {
        spec_report_add(report, "out_of_range", place, NULL, NULL, "%s", error->text);
    } else {
        spec_report_add(report, "syntax", place, NULL, NULL, "%s", error->text);
    }
}

/* The shortest text that reads back as the same number. */
static void real_text(double value, char *text, size_t bytes)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, bytes, "%.*g", digits, value);
        if (!islessgreater(strtod(text, NULL), value)) {
            return;
        }
    }
}

static struct spec_node *convert(json_t *json, struct spec_tree *tree);

static struct spec_node *convert_map(json_t *json, struct spec_tree *tree)
{
    const struct spec_place nowhere = { 0, 0 };
    struct spec_node *map = spec_tree_node(tree, SPEC_MAP, nowhere);
    CHECK(map != NULL); /* counted before */
    struct spec_node **last = &map->first;
    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
        struct spec_node *key = spec_tree_node(tree, SPEC_TEXT, nowhere);
        CHECK(key != NULL);
        struct str text = { json_object_iter_key(at), json_object_iter_key_len(at) };
        spec_tree_set_text(tree, key, text);
        key->next = convert(json_object_iter_value(at), tree);
        *last = key;
        last = &key->next->next;
        map->length++;
    }
    return map;
}

static struct spec_node *convert_list(const json_t *json, struct spec_tree *tree)
{
    struct spec_node *list = spec_tree_node(tree, SPEC_LIST, (struct spec_place){ 0, 0 });
    CHECK(list != NULL);
    struct spec_node **last = &list->first;
    for (size_t i = 0; i < json_array_size(json); i++) {
        *last = convert(json_array_get(json, i), tree);
        last = &(*last)->next;
        list->length++;
    }
    return list;
}

static struct spec_node *convert_scalar(const json_t *json, struct spec_tree *tree)
{
    char number[64];
    struct str text = { NULL, 0 };
    enum spec_kind kind = SPEC_NULL;
    switch (json_typeof(json)) {
    case JSON_STRING:
        kind = SPEC_TEXT;
        text = (struct str){ json_string_value(json), json_string_length(json) };
        break;
    case JSON_INTEGER:
        kind = SPEC_NUMBER;
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        text = str_of(number);
        break;
    case JSON_REAL:
        kind = SPEC_NUMBER;
        real_text(json_real_value(json), number, sizeof number);
        text = str_of(number);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        kind = SPEC_BOOL;
        text = json_is_true(json) ? STR("true") : STR("false");
        break;
    case JSON_NULL:
        text = STR("null");
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        CHECK(false);
    }
    struct spec_node *node = spec_tree_node(tree, kind, (struct spec_place){ 0, 0 });
    CHECK(node != NULL);
    spec_tree_set_text(tree, node, text);
    return node;
}

/* As deep as SPEC_DEPTH_MAX, which was checked. */
static struct spec_node *convert(json_t *json, struct spec_tree *tree)
{
    if (json_is_object(json)) {
        return convert_map(json, tree);
    }
    return json_is_array(json) ? convert_list(json, tree) : convert_scalar(json, tree);
}

struct spec_node *spec_tree_of_json(struct str text, struct spec_tree *tree,
                                    struct spec_report *report)
{
    if (!json_fits(text, report)) {
        return NULL;
    }
    json_error_t error;
    json_t *json = json_loadb(text.data, text.length,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (json == NULL) {
        report_error(text, &error, report);
        return NULL;
    }
    struct spec_node *root = convert(json, tree);
    json_decref(json);
    return root;
}
