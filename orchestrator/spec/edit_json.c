/* See edit_json.h. */
#include "orchestrator/spec/edit_json.h"

#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/spec_json.h"

void edit_json_node(struct buf *json, const struct spec_node *node)
{
    switch (node->kind) {
    case SPEC_NULL:
    case SPEC_BAD:
        buf_append_text(json, "null");
        return;
    case SPEC_BOOL:
        buf_append_text(json, node->text[0] == 't' || node->text[0] == 'T' ? "true" : "false");
        return;
    case SPEC_NUMBER:
        spec_json_number(json, spec_node_text(node));
        return;
    case SPEC_TEXT:
        spec_json_text(json, spec_node_text(node));
        return;
    case SPEC_LIST:
    case SPEC_MAP:
        break;
    }
    bool is_map = node->kind == SPEC_MAP;
    buf_append_text(json, is_map ? "{" : "[");
    bool is_key = is_map;
    for (const struct spec_node *child = node->first; child != NULL; child = child->next) {
        if (child != node->first && (is_key || !is_map)) {
            buf_append_text(json, ",");
        }
        edit_json_node(json, child);
        if (is_map) {
            buf_append_text(json, is_key ? ":" : "");
            is_key = !is_key;
        }
    }
    buf_append_text(json, is_map ? "}" : "]");
}

const struct spec_node *edit_json_get(const struct spec_node *map, struct str key)
{
    if (map == NULL || map->kind != SPEC_MAP) {
        return NULL;
    }
    for (const struct spec_node *name = map->first; name != NULL; name = name->next->next) {
        if (str_equal(spec_node_text(name), key)) {
            return name->next;
        }
    }
    return NULL;
}

const struct spec_node *edit_json_parse(struct str text, struct arena *arena)
{
    struct spec_problems problems;
    problems.count = 0;
    struct spec_report report = { .arena = arena, .problems = &problems };
    struct spec_tree tree = { .arena = arena };
    const struct spec_node *root = spec_tree_of_json(text, &tree, &report);
    bool is_good = root != NULL && problems.count == 0 && root->kind == SPEC_MAP;
    return is_good ? root : NULL;
}

static bool says_what_runs(struct str key)
{
    static const char *const keys[] = { "run", "shell", "noop", "sleep" };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (str_is(key, keys[i])) {
            return true;
        }
    }
    return false;
}

static bool gives_what_runs(const struct spec_node *map)
{
    for (const struct spec_node *name = map->first; name != NULL; name = name->next->next) {
        if (name->next->kind != SPEC_NULL && says_what_runs(spec_node_text(name))) {
            return true;
        }
    }
    return false;
}

static void add_pair(struct buf *json, const struct spec_node *name, bool *has_any)
{
    buf_append_text(json, *has_any ? "," : "");
    *has_any = true;
    edit_json_node(json, name);
    buf_append_text(json, ":");
    edit_json_node(json, name->next);
}

void edit_json_merge(struct str object, struct str set, struct arena *arena, struct buf *json)
{
    const struct spec_node *old = edit_json_parse(object, arena);
    const struct spec_node *new = edit_json_parse(set, arena);
    CHECK(old != NULL && new != NULL);
    bool replaces_executor = gives_what_runs(new);
    bool has_any = false;
    buf_append_text(json, "{");
    for (const struct spec_node *name = old->first; name != NULL; name = name->next->next) {
        struct str key = spec_node_text(name);
        if (edit_json_get(new, key) == NULL && !(replaces_executor && says_what_runs(key))) {
            add_pair(json, name, &has_any);
        }
    }
    for (const struct spec_node *name = new->first; name != NULL; name = name->next->next) {
        if (name->next->kind != SPEC_NULL) {
            add_pair(json, name, &has_any);
        }
    }
    buf_append_text(json, "}");
}

bool edit_json_equal(const struct spec_node *a, const struct spec_node *b)
{
    if (a->kind != b->kind || a->length != b->length) {
        return false;
    }
    switch (a->kind) {
    case SPEC_NULL:
        return true;
    case SPEC_BOOL:
    case SPEC_NUMBER:
    case SPEC_TEXT:
    case SPEC_BAD:
        return str_equal(spec_node_text(a), spec_node_text(b));
    case SPEC_LIST:
    case SPEC_MAP:
        break;
    }
    const struct spec_node *other = b->first;
    for (const struct spec_node *child = a->first; child != NULL; child = child->next) {
        if (!edit_json_equal(child, other)) {
            return false;
        }
        other = other->next;
    }
    return true;
}

void edit_json_difference(struct str after, struct str before, struct arena *arena,
                          struct buf *json)
{
    const struct spec_node *now = edit_json_parse(after, arena);
    const struct spec_node *then = edit_json_parse(before, arena);
    CHECK(now != NULL && then != NULL);
    bool has_any = false;
    buf_append_text(json, "{");
    for (const struct spec_node *name = then->first; name != NULL; name = name->next->next) {
        const struct spec_node *value = edit_json_get(now, spec_node_text(name));
        if (value == NULL || !edit_json_equal(value, name->next)) {
            add_pair(json, name, &has_any);
        }
    }
    for (const struct spec_node *name = now->first; name != NULL; name = name->next->next) {
        if (edit_json_get(then, spec_node_text(name)) == NULL) {
            buf_append_text(json, has_any ? "," : "");
            has_any = true;
            edit_json_node(json, name);
            buf_append_text(json, ":null");
        }
    }
    buf_append_text(json, "}");
}
