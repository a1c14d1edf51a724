/* The documents of the API say what it does: its routes and problems, the events, the codes of an edit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include <cmocka.h>

#include "common/sys/file.h"
#include "orchestrator/api/reply.h"
#include "tests/unit/api_house.h"

static const yaml_node_t *value_of(yaml_document_t *document, const yaml_node_t *map,
                                   const char *key)
{
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *name = yaml_document_get_node(document, pair->key);
        if (strcmp((const char *)name->data.scalar.value, key) == 0) {
            return yaml_document_get_node(document, pair->value);
        }
    }
    return NULL;
}

/* Statuses that the table promises: of the good answers and of the problems. */
static bool is_promised(const struct api_route_view *route, int status)
{
    bool found = status == route->status || (status == route->other && status != 0);
    for (unsigned code = 0; code < PROBLEM_CODES_COUNT; code++) {
        bool is_set = (route->problems >> code & 1U) != 0;
        found = found || (is_set && problem_status((enum problem_code)code) == status);
    }
    return found;
}

static bool lists(yaml_document_t *document, const yaml_node_t *responses, int status)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", status);
    return status == 0 || value_of(document, responses, name) != NULL;
}

/* Every status and every code of the row is in the document, and no other is. */
static void expect_answers(yaml_document_t *document, const yaml_node_t *operation,
                           const struct api_route_view *route)
{
    const yaml_node_t *responses = value_of(document, operation, "responses");
    for (yaml_node_pair_t *pair = responses->data.mapping.pairs.start;
         pair < responses->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(document, pair->key);
        const char *text = (const char *)name->data.scalar.value;
        if (!is_promised(route, (int)strtol(text, NULL, 10))) {
            fail_msg("%s never answers %s", route->operation, text);
        }
    }
    const yaml_node_t *codes = value_of(document, operation, "x-problems");
    struct buf written = { NULL, 0, 0 };
    struct buf promised = { NULL, 0, 0 };
    if (codes != NULL) {
        for (yaml_node_item_t *item = codes->data.sequence.items.start;
             item < codes->data.sequence.items.top; item++) {
            const yaml_node_t *code = yaml_document_get_node(document, *item);
            buf_printf(&written, "%s ", (const char *)code->data.scalar.value);
        }
    }
    bool is_listed =
        lists(document, responses, route->status) && lists(document, responses, route->other);
    for (unsigned code = 0; code < PROBLEM_CODES_COUNT; code++) {
        if ((route->problems >> code & 1U) != 0) {
            is_listed =
                is_listed && lists(document, responses, problem_status((enum problem_code)code));
            buf_printf(&promised, "%s ", problem_name((enum problem_code)code));
        }
    }
    if (!is_listed) {
        fail_msg("docs/openapi.yaml lacks an answer of %s", route->operation);
    }
    assert_string_equal(buf_text(&written), buf_text(&promised));
    buf_done(&written);
    buf_done(&promised);
}

static void expect_every_code_named(yaml_document_t *document)
{
    const yaml_node_t *node = yaml_document_get_root_node(document);
    static const char *const path[] = { "components", "responses", "Problem", "description" };
    for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
        node = value_of(document, node, path[i]);
        assert_non_null(node);
    }
    for (unsigned code = 0; code < PROBLEM_CODES_COUNT; code++) {
        assert_non_null(
            strstr((const char *)node->data.scalar.value, problem_name((enum problem_code)code)));
    }
}

static bool is_method(const char *name)
{
    return strcmp(name, "get") == 0 || strcmp(name, "post") == 0 || strcmp(name, "delete") == 0 ||
           strcmp(name, "put") == 0 || strcmp(name, "patch") == 0;
}

static size_t count_operations(yaml_document_t *document, const yaml_node_t *paths)
{
    size_t count = 0;
    for (yaml_node_pair_t *path = paths->data.mapping.pairs.start;
         path < paths->data.mapping.pairs.top; path++) {
        const yaml_node_t *methods = yaml_document_get_node(document, path->value);
        for (yaml_node_pair_t *pair = methods->data.mapping.pairs.start;
             pair < methods->data.mapping.pairs.top; pair++) {
            const yaml_node_t *name = yaml_document_get_node(document, pair->key);
            count += is_method((const char *)name->data.scalar.value);
        }
    }
    return count;
}

static void the_document_and_the_table_of_routes_agree(void **state)
{
    (void)state;
    struct buf text = { NULL, 0, 0 };
    struct reason reason;
    assert_int_equal(file_read("docs/openapi.yaml", 1 << 20, &text, &reason), ERR_NONE);
    yaml_parser_t parser;
    yaml_document_t document;
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, text.data, text.length);
    assert_true(yaml_parser_load(&parser, &document));
    const yaml_node_t *paths = value_of(&document, yaml_document_get_root_node(&document), "paths");
    size_t at = 0;
    size_t routes = 0;
    struct api_route_view route;
    while (api_each_route(&at, &route)) {
        const yaml_node_t *path = value_of(&document, paths, route.path);
        char method[16] = "";
        for (size_t i = 0; route.method[i] != '\0'; i++) {
            method[i] = (char)(route.method[i] + ('a' - 'A'));
        }
        const yaml_node_t *operation = path == NULL ? NULL : value_of(&document, path, method);
        if (operation == NULL) {
            fail_msg("docs/openapi.yaml lacks %s %s", route.method, route.path);
            return; /* the analyzer does not know that it has failed */
        }
        const yaml_node_t *id = value_of(&document, operation, "operationId");
        assert_string_equal((const char *)id->data.scalar.value, route.operation);
        const yaml_node_t *summary = value_of(&document, operation, "summary");
        if (strcmp(route.role, "none") != 0 &&
            strstr((const char *)summary->data.scalar.value, route.role) == NULL) {
            fail_msg("%s: the summary does not name the role %s", route.operation, route.role);
        }
        expect_answers(&document, operation, &route);
        routes++;
    }
    assert_int_equal(count_operations(&document, paths), routes);
    expect_every_code_named(&document);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    buf_done(&text);
}

static void the_document_of_events_names_every_kind(void **state)
{
    (void)state;
    struct buf text = { NULL, 0, 0 };
    struct reason reason;
    assert_int_equal(file_read("docs/events.md", 1 << 20, &text, &reason), ERR_NONE);
    for (int kind = HISTORY_DAEMON_STARTED; kind < HISTORY_KINDS_END; kind++) {
        char row[64];
        if (kind == 21) {
            continue; /* never given out */
        }
        snprintf(row, sizeof(row), "| `%s` |", history_kind_name((enum history_kind)kind));
        if (strstr(buf_text(&text), row) == NULL) {
            fail_msg("docs/events.md lacks %s", row);
        }
    }
    buf_done(&text);
}

static void the_document_of_codes_has_every_problem_of_an_edit(void **state)
{
    (void)state;
    static const char *const others[] = { "duplicate_key",
                                          "ambiguous_dependency",
                                          "made_by_reference",
                                          "bad_condition",
                                          "unknown_limit",
                                          "unknown_operation",
                                          "unknown_key",
                                          "missing_key",
                                          "wrong_type",
                                          "bad_value",
                                          "out_of_range",
                                          "too_large",
                                          "empty",
                                          "syntax",
                                          "not_text",
                                          "invalid_edit",
                                          "edit_refused" };
    struct buf text = { 0 };
    struct reason reason;
    assert_int_equal(file_read("docs/codes.md", 1 << 20, &text, &reason), ERR_NONE);
    for (int code = EDIT_CODE_CONFLICT; code < EDIT_CODES_END; code++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "\n| `%s` | ", edit_code_name((enum edit_code)code));
        if (strstr(buf_text(&text), quoted) == NULL) {
            fail_msg("docs/codes.md lacks %s", quoted);
        }
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "\n| `%s` | ", others[i]);
        if (strstr(buf_text(&text), quoted) == NULL) {
            fail_msg("docs/codes.md lacks %s", quoted);
        }
    }
    buf_done(&text);
}

/* With its status, in a row of its own. */
static void the_document_of_codes_has_every_problem(void **state)
{
    (void)state;
    struct buf text = { 0 };
    struct reason reason;
    assert_int_equal(file_read("docs/codes.md", 1 << 20, &text, &reason), ERR_NONE);
    for (unsigned code = 0; code < PROBLEM_CODES_COUNT; code++) {
        char row[96];
        snprintf(row, sizeof(row), "\n| `%s` | %d | ", problem_name((enum problem_code)code),
                 problem_status((enum problem_code)code));
        if (strstr(buf_text(&text), row) == NULL) {
            fail_msg("docs/codes.md lacks %s", row);
        }
    }
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_and_the_table_of_routes_agree),
        cmocka_unit_test(the_document_of_events_names_every_kind),
        cmocka_unit_test(the_document_of_codes_has_every_problem_of_an_edit),
        cmocka_unit_test(the_document_of_codes_has_every_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
