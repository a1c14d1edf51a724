/* See edit_json.h. */
#include "orchestrator/spec/edit_json.h"

#include "common/base/check.h"
#include "orchestrator/spec/spec_json.h"

/* What a node is, which says what becomes of the numbers in it. */
enum meaning {
    MEANS_DATA,
    MEANS_TEXT, /* a spec takes them with the text that they were written with: JSON has no 007 */
    MEANS_TASK, /* the keys of a task */
    MEANS_OPERATION,
    MEANS_OPERATIONS,
};

static enum meaning meaning_of(struct str key, enum meaning above)
{
    static const struct {
        const char *key;
        enum meaning above;
        enum meaning meaning;
    } rows[] = {
        { "run", MEANS_TASK, MEANS_TEXT },       { "env", MEANS_TASK, MEANS_TEXT },
        { "needs", MEANS_TASK, MEANS_TEXT },     { "task", MEANS_OPERATION, MEANS_TEXT },
        { "from", MEANS_OPERATION, MEANS_TEXT }, { "to", MEANS_OPERATION, MEANS_TEXT },
        { "spec", MEANS_OPERATION, MEANS_TASK }, { "set", MEANS_OPERATION, MEANS_TASK },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].above == above && str_is(key, rows[i].key)) {
            return rows[i].meaning;
        }
    }
    return above == MEANS_TEXT ? MEANS_TEXT : MEANS_DATA;
}

static void add_node(struct buf *json, const struct spec_node *node, enum meaning meaning);

static void add_map(struct buf *json, const struct spec_node *node, enum meaning meaning)
{
    buf_append_text(json, "{");
    for (const struct spec_node *name = node->first; name != NULL; name = name->next->next) {
        buf_append_text(json, name == node->first ? "" : ",");
        spec_json_text(json, spec_node_text(name));
        buf_append_text(json, ":");
        add_node(json, name->next, meaning_of(spec_node_text(name), meaning));
    }
    buf_append_text(json, "}");
}

static void add_list(struct buf *json, const struct spec_node *node, enum meaning meaning)
{
    buf_append_text(json, "[");
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        buf_append_text(json, item == node->first ? "" : ",");
        add_node(json, item, meaning == MEANS_OPERATIONS ? MEANS_OPERATION : meaning);
    }
    buf_append_text(json, "]");
}

static void add_node(struct buf *json, const struct spec_node *node, enum meaning meaning)
{
    switch (node->kind) {
    case SPEC_NULL:
    case SPEC_BAD:
        buf_append_text(json, "null");
        return;
    case SPEC_BOOL:
        if (meaning == MEANS_TEXT) {
            spec_json_text(json, spec_node_text(node));
        } else {
            bool is_true = node->text[0] == 't' || node->text[0] == 'T';
            buf_append_text(json, is_true ? "true" : "false");
        }
        return;
    case SPEC_NUMBER:
        if (meaning == MEANS_TEXT) {
            spec_json_text(json, spec_node_text(node));
        } else {
            spec_json_number(json, spec_node_text(node));
        }
        return;
    case SPEC_TEXT:
        spec_json_text(json, spec_node_text(node));
        return;
    case SPEC_LIST:
        add_list(json, node, meaning);
        return;
    case SPEC_MAP:
        add_map(json, node, meaning);
        return;
    }
}

static void edit_json_node(struct buf *json, const struct spec_node *node)
{
    add_node(json, node, MEANS_DATA);
}

void edit_json_task(struct buf *json, const struct spec_node *node)
{
    add_node(json, node, MEANS_TASK);
}

void edit_json_operations(struct buf *json, const struct spec_node *node)
{
    add_node(json, node, MEANS_OPERATIONS);
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
    bool replaces_timeout = edit_json_get(edit_json_get(new, STR("timeouts")), STR("run")) != NULL;
    bool has_any = false;
    buf_append_text(json, "{");
    for (const struct spec_node *name = old->first; name != NULL; name = name->next->next) {
        struct str key = spec_node_text(name);
        bool is_replaced = (replaces_executor && says_what_runs(key)) ||
                           (replaces_timeout && str_is(key, "timeout"));
        if (edit_json_get(new, key) == NULL && !is_replaced) {
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

/* True when both write the same value. */
static bool edit_json_equal(const struct spec_node *a, const struct spec_node *b)
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
