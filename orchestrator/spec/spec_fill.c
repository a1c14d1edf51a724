/* Placeholders of params and each, filled in while a spec is read: what is stored has none of them.
   A value is data: it can never become part of another placeholder. */
#include <string.h>

#include "common/base/check.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_read.h"

static struct spec_node bad_node = { .kind = SPEC_BAD }; /* never written */

static void report_reference(struct spec_reader *reader, const struct placeholder *placeholder,
                             const struct spec_node *node, const struct spec_path *path)
{
    if (spec_report_is_full(&reader->report)) {
        return;
    }
    bool is_param = placeholder->kind == PLACEHOLDER_PARAM;
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, placeholder->name);
    if (is_param) {
        size_t at = 0;
        struct str known;
        void *value = NULL;
        while (strmap_each(&reader->params, &at, &known, &value)) {
            spec_nearest_offer(&nearest, known);
        }
    } else {
        spec_nearest_offer(&nearest, reader->filler_name);
    }
    char hint[SPEC_HINT_BYTES_MAX];
    struct str name = spec_report_shorten(placeholder->name);
    const char *words = is_param                          ? "the spec has no param"
                        : reader->filler_name.length == 0 ? "the task has no each, so no"
                                                          : "the task's each has no";
    if (reader->scope != NULL) {
        words = "params and each are filled in when a spec is submitted: here is no";
    }
    spec_report_add(&reader->report, "bad_reference", spec_node_place(node), path, NULL,
                    "%s \"%.*s\"%s", words, STR_ARG(name), spec_nearest_hint(&nearest, hint));
}

const struct spec_value *spec_fill_value(struct spec_reader *reader,
                                         const struct placeholder *placeholder,
                                         const struct spec_node *node, const struct spec_path *path)
{
    const struct spec_value *value = NULL;
    if (placeholder->kind == PLACEHOLDER_PARAM) {
        value = strmap_get(&reader->params, placeholder->name);
    } else if (placeholder->kind == PLACEHOLDER_EACH && reader->filler_name.length > 0 &&
               str_equal(reader->filler_name, placeholder->name)) {
        value = &reader->filler;
    }
    if (value == NULL) {
        report_reference(reader, placeholder, node, path);
        return NULL;
    }
    return value->kind == SPEC_BAD ? NULL : value; /* a bad one is reported where it stands */
}

static size_t count_openings(struct str text)
{
    size_t count = 0;
    while (text.length > 0) {
        const char *open = memmem(text.data, text.length, "${{", 3);
        if (open == NULL) {
            break;
        }
        size_t at = (size_t)(open - text.data) + 3;
        text = (struct str){ text.data + at, text.length - at };
        count++;
    }
    return count;
}

static struct spec_node *new_node(struct spec_reader *reader, const struct spec_node *like,
                                  enum spec_kind kind, const struct spec_path *path)
{
    const struct spec_place place = { like->line, like->column };
    struct spec_node *node = spec_tree_node(reader->tree, kind, place);
    if (node == NULL) {
        spec_report_add(&reader->report, "too_large", spec_node_place(like), path, NULL,
                        "more values than a spec may have");
        return &bad_node;
    }
    node->is_filled = true;
    return node;
}

static const struct spec_node *scalar(struct spec_reader *reader, const struct spec_node *like,
                                      enum spec_kind kind, struct str text,
                                      const struct spec_path *path)
{
    if (!spec_charge(reader, text.length, like, path)) {
        return &bad_node;
    }
    struct spec_node *node = new_node(reader, like, kind, path);
    if (node->kind != SPEC_BAD) {
        spec_tree_set_text(reader->tree, node, text);
    }
    return node;
}

/* The text with its values, in `filled`. False: reported. */
static bool fill_parts(struct spec_reader *reader, const struct spec_node *node,
                       const struct spec_path *path, struct buf *filled)
{
    struct str text = spec_node_text(node);
    struct placeholder placeholder;
    struct reason reason;
    enum err err = ERR_NONE;
    size_t at = 0;
    size_t copied = 0;
    size_t kept = 0;
    while (placeholder_next(text, &at, &placeholder, &err, &reason)) {
        if (placeholder.kind == PLACEHOLDER_TASK) {
            kept++;
            continue;
        }
        const struct spec_value *value = spec_fill_value(reader, &placeholder, node, path);
        if (value == NULL || !spec_charge(reader, value->text.length, node, path)) {
            return false;
        }
        buf_append(filled, text.data + copied, placeholder.from - copied);
        buf_append(filled, value->text.data, value->text.length);
        copied = placeholder.to;
    }
    buf_append(filled, text.data + copied, text.length - copied);
    if (err != ERR_NONE) {
        spec_report_add(&reader->report, "bad_reference", spec_node_place(node), path, NULL, "%s",
                        reason.text);
        return false;
    }
    if (count_openings((struct str){ (const char *)filled->data, filled->length }) != kept) {
        spec_report_add(&reader->report, "bad_reference", spec_node_place(node), path, NULL,
                        "with its values filled in it would hold another placeholder");
        return false;
    }
    return true;
}

static const struct spec_node *fill_text(struct spec_reader *reader, const struct spec_node *node,
                                         const struct spec_path *path)
{
    struct str text = spec_node_text(node);
    struct placeholder placeholder;
    struct reason reason;
    enum err err = ERR_NONE;
    size_t at = 0;
    if (!placeholder_is_own(text)) {
        return node;
    }
    if (placeholder_next(text, &at, &placeholder, &err, &reason) && placeholder.from == 0 &&
        placeholder.to == text.length) {
        const struct spec_value *value = spec_fill_value(reader, &placeholder, node, path);
        return value == NULL ? &bad_node : scalar(reader, node, value->kind, value->text, path);
    }
    struct buf filled = { 0 };
    const struct spec_node *result = &bad_node;
    if (fill_parts(reader, node, path, &filled)) {
        struct str whole = { (const char *)filled.data, filled.length };
        result = scalar(reader, node, SPEC_TEXT, whole, path);
    }
    buf_done(&filled);
    return result;
}

static bool holds_own(const struct spec_node *node, bool is_needs)
{
    if (node->kind == SPEC_TEXT) {
        return placeholder_is_own(spec_node_text(node));
    }
    if (node->kind != SPEC_LIST && node->kind != SPEC_MAP) {
        return false;
    }
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        if (node->kind == SPEC_MAP) {
            bool is_condition = is_needs && str_is(spec_node_text(item), "if");
            item = item->next;
            if (is_condition) {
                continue;
            }
        }
        if (holds_own(item, is_needs)) {
            return true;
        }
    }
    return false;
}

static const struct spec_node *fill(struct spec_reader *reader, const struct spec_node *node,
                                    const struct spec_path *path, bool is_needs);

/* A copy of a list or a map with its items filled in. */
static const struct spec_node *fill_items(struct spec_reader *reader, const struct spec_node *node,
                                          const struct spec_path *path, bool is_needs)
{
    struct spec_node *copy = new_node(reader, node, node->kind, path);
    if (copy->kind == SPEC_BAD) {
        return copy;
    }
    copy->length = node->length;
    struct spec_node **link = &copy->first;
    size_t index = 0;
    const struct spec_node *key = NULL; /* of a map: what the next item is the value of */
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        bool is_key = node->kind == SPEC_MAP && key == NULL;
        struct spec_path at = { .up = path, .index = index };
        bool is_condition = false;
        if (key != NULL) {
            at.key = spec_node_text(key);
            is_condition = is_needs && str_is(at.key, "if");
        }
        const struct spec_node *filled =
            is_key || is_condition ? item : fill(reader, item, &at, is_needs);
        struct spec_node *own = new_node(reader, item, item->kind, path);
        if (own->kind == SPEC_BAD && item->kind != SPEC_BAD) {
            return &bad_node;
        }
        *own = *filled;
        own->next = NULL;
        *link = own;
        link = &own->next;
        key = is_key ? item : NULL;
        index += !is_key;
    }
    return copy;
}

static const struct spec_node *fill(struct spec_reader *reader, const struct spec_node *node,
                                    const struct spec_path *path, bool is_needs)
{
    if (!holds_own(node, is_needs)) {
        return node;
    }
    return node->kind == SPEC_TEXT ? fill_text(reader, node, path)
                                   : fill_items(reader, node, path, is_needs);
}

const struct spec_node *spec_fill(struct spec_reader *reader, const struct spec_node *node,
                                  const struct spec_path *path)
{
    return fill(reader, node, path, str_is(path->key, "needs"));
}
