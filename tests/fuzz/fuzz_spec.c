/* Any bytes as a spec, in both formats. What is accepted must be a plan that keeps its promises, whose
   bodies can be encoded, and which reads back as the same when it is rendered. What is JSON, and
   what is in it, jansson must agree on. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/spec/spec_tree.h"
#include "proto/wire.h"
#include "tests/unit/spec_check.h"
#include "tests/unit/spec_round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each pass decides the tasks whose predecessors are decided; a pass that decides none ends it. */
static bool is_acyclic(const struct plan *plan)
{
    bool *is_decided = mem_array(plan->tasks_count, sizeof *is_decided);
    bool *is_held = mem_array(plan->tasks_count, sizeof *is_held);
    size_t decided = 0;
    size_t before = SIZE_MAX;
    while (decided != before && decided < plan->tasks_count) {
        before = decided;
        memset(is_held, 0, plan->tasks_count * sizeof *is_held);
        for (size_t i = 0; i < plan->edges_count; i++) {
            is_held[plan->edges[i].to] |= !is_decided[plan->edges[i].from];
        }
        for (size_t i = 0; i < plan->tasks_count; i++) {
            if (!is_decided[i] && !is_held[i]) {
                is_decided[i] = true;
                decided++;
            }
        }
    }
    mem_free(is_decided);
    mem_free(is_held);
    return decided == plan->tasks_count;
}

/* The plan as a spec again: read, it is the same. */
static void check_round_trip(const struct spec *spec, struct arena *arena)
{
    struct buf first = { 0 };
    struct buf second = { 0 };
    struct spec again;
    struct spec_problems problems;
    spec_round_export(spec, arena, &first);
    struct str text = { (const char *)first.data, first.length };
    CHECK(spec_parse(text, SPEC_FORMAT_JSON, NULL, arena, &again, &problems) == ERR_NONE);
    CHECK(again.plan.tasks_count == spec->plan.tasks_count);
    CHECK(again.plan.edges_count == spec->plan.edges_count);
    spec_round_export(&again, arena, &second);
    CHECK(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
    buf_done(&first);
    buf_done(&second);
}

static void check_format(struct str text, enum spec_format format)
{
    struct arena arena = { 0 };
    struct spec spec;
    struct spec_problems problems;
    static const struct msg_pair labels[] = { { { "role", 4 }, { "edge", 4 } } };
    static const struct spec_device devices[] = { { { "north", 5 }, labels, 1 },
                                                  { { "south.1", 7 }, labels, 1 } };
    static const struct spec_inputs inputs = { .devices = devices, .devices_count = 2 };
    enum err err = spec_parse(text, format, &inputs, &arena, &spec, &problems);
    CHECK((err == ERR_NONE) == (problems.count == 0));
    for (size_t i = 0; i < problems.count; i++) {
        CHECK(problems.list[i].detail.length > 0);
        CHECK(str_is_utf8(problems.list[i].detail));
    }
    if (err == ERR_NONE) {
        CHECK(spec_check_plan(&spec) == NULL);
        CHECK(is_acyclic(&spec.plan));
        for (size_t i = 0; i < spec.plan.tasks_count; i++) {
            struct buf bytes = { 0 };
            bool is_gate = spec.bodies[i].executor == 0;
            CHECK(is_gate || wire_encode_body(&spec.bodies[i], &bytes, NULL) == ERR_NONE);
            buf_done(&bytes);
        }
        check_round_trip(&spec, &arena);
    }
    arena_done(&arena);
}

static bool is_same(const struct spec_node *node, json_t *json);

static bool is_same_map(const struct spec_node *map, json_t *json)
{
    if (!json_is_object(json) || json_object_size(json) != map->length) {
        return false;
    }
    for (const struct spec_node *key = map->first; key != NULL; key = key->next->next) {
        json_t *value = json_object_getn(json, key->text, key->length);
        if (value == NULL || !is_same(key->next, value)) {
            return false;
        }
    }
    return true;
}

static bool is_same_list(const struct spec_node *list, const json_t *json)
{
    size_t index = 0;
    if (!json_is_array(json) || json_array_size(json) != list->length) {
        return false;
    }
    for (const struct spec_node *item = list->first; item != NULL; item = item->next) {
        if (!is_same(item, json_array_get(json, index++))) {
            return false;
        }
    }
    return true;
}

static bool is_same(const struct spec_node *node, json_t *json)
{
    switch (node->kind) {
    case SPEC_MAP:
        return is_same_map(node, json);
    case SPEC_LIST:
        return is_same_list(node, json);
    case SPEC_TEXT:
        return json_is_string(json) &&
               str_equal(spec_node_text(node),
                         (struct str){ json_string_value(json), json_string_length(json) });
    case SPEC_NUMBER:
        return json_is_integer(json)
                   ? strtoll(node->text, NULL, 10) == json_integer_value(json)
                   : json_is_real(json) &&
                         !islessgreater(strtod(node->text, NULL), json_real_value(json));
    case SPEC_BOOL:
        return json_is_boolean(json) && (node->text[0] == 't') == json_is_true(json);
    case SPEC_NULL:
        return json_is_null(json);
    case SPEC_BAD:
        break;
    }
    return false;
}

/* Beyond what ours refuses first (depth, control characters), and what only jansson cannot hold (large
   numbers, a NUL in a key), both take the same texts and see the same in them. */
static void check_json(struct str text)
{
    struct arena arena = { 0 };
    struct spec_problems problems = { .count = 0 };
    struct spec_report report = { &arena, &problems };
    struct spec_tree tree = { .arena = &arena };
    json_error_t error;
    size_t offset = 0;
    if (spec_text_find_bad_byte(text, &offset)) {
        return;
    }
    struct spec_node *ours = spec_tree_of_json(text, &tree, &report);
    json_t *theirs = json_loadb(text.data, text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool is_only_ours = theirs == NULL && (json_error_code(&error) == json_error_numeric_overflow ||
                                           json_error_code(&error) == json_error_null_byte_in_key);
    bool is_too_deep = problems.count > 0 && strcmp(problems.list[0].code, "too_deep") == 0;
    if (!is_only_ours && !is_too_deep) {
        CHECK((ours != NULL) == (theirs != NULL));
    }
    if (ours != NULL && theirs != NULL && problems.count == 0) {
        CHECK(is_same(ours, theirs));
    }
    json_decref(theirs);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    check_format(text, SPEC_FORMAT_GUESS);
    check_format(text, SPEC_FORMAT_YAML);
    check_format(text, SPEC_FORMAT_JSON);
    check_json(text);
    return 0;
}
