/* YAML to the neutral tree, from libyaml's events. What makes YAML treacherous is refused here:
   anchors, aliases, tags, merges, keys that are not text, a key twice, a second document. */
#include <yaml.h>

#include "common/base/map.h"
#include "orchestrator/spec/spec_tree.h"
#include "orchestrator/spec/spec_yaml_core.h"

struct level {
    struct spec_node *node; /* a list or a map that is not closed yet */
    struct spec_node *last;
    const struct spec_node *key; /* of a map: the one that was read last */
    bool has_key;                /* and its value comes next */
};

struct builder {
    struct str text;
    struct spec_tree *tree;
    struct spec_report *report;
    struct spec_node *root;
    struct level levels[SPEC_DEPTH_MAX];
    size_t depth;
    size_t documents;
    bool is_done;
};

static struct spec_place mark_place(const yaml_mark_t *mark)
{
    return (struct spec_place){ (uint32_t)mark->line + 1, (uint32_t)mark->column + 1 };
}

/* Where the builder stands, for a report. The frames are the caller's. */
static const struct spec_path *builder_path(const struct builder *builder,
                                            struct spec_path frames[SPEC_DEPTH_MAX])
{
    const struct spec_path *path = NULL;
    for (size_t i = 0; i < builder->depth; i++) {
        const struct level *level = &builder->levels[i];
        bool is_map = level->node->kind == SPEC_MAP;
        bool is_open = i + 1 < builder->depth; /* then the value has been counted */
        if (is_map && !level->has_key && !is_open) {
            break; /* at a key: the map itself is the place */
        }
        frames[i] = (struct spec_path){ .up = path, .index = level->node->length - is_open };
        if (is_map) {
            frames[i].key = spec_node_text(level->key);
        }
        path = &frames[i];
    }
    return path;
}

static void builder_report(struct builder *builder, const char *code, const yaml_mark_t *mark,
                           const char *words)
{
    struct spec_path frames[SPEC_DEPTH_MAX];
    spec_report_add(builder->report, code, mark_place(mark), builder_path(builder, frames), NULL,
                    "%s", words);
}

/* Makes the node the next child of the open container. */
static bool attach(struct builder *builder, struct spec_node *node, const yaml_mark_t *mark)
{
    if (builder->depth == 0) {
        builder->root = node;
        return true;
    }
    struct level *level = &builder->levels[builder->depth - 1];
    bool is_key = level->node->kind == SPEC_MAP && !level->has_key;
    if (is_key && (node->kind == SPEC_LIST || node->kind == SPEC_MAP || node->kind == SPEC_BAD)) {
        builder_report(builder, "bad_key", mark, "a key must be text");
        return false;
    }
    if (is_key) {
        node->kind = SPEC_TEXT;
        level->key = node;
        level->has_key = true;
    } else {
        level->has_key = false;
        level->node->length++;
    }
    if (level->last == NULL) {
        level->node->first = node;
    } else {
        level->last->next = node;
    }
    level->last = node;
    return true;
}

static bool add_node(struct builder *builder, enum spec_kind kind, const yaml_mark_t *mark,
                     struct spec_node **ret_node)
{
    struct spec_node *node = spec_tree_node(builder->tree, kind, mark_place(mark));
    if (node == NULL) {
        builder_report(builder, "too_large", mark, "more values than a spec may have");
        return false;
    }
    *ret_node = node;
    return true;
}

static void check_properties(struct builder *builder, const yaml_char_t *anchor,
                             const yaml_char_t *tag, const yaml_mark_t *mark)
{
    if (anchor != NULL) {
        builder_report(builder, "alias", mark,
                       "anchors (&) are not supported: write the value where it is needed");
    }
    if (tag != NULL) {
        builder_report(builder, "tag", mark, "tags (!) are not supported: quote what is text");
    }
}

static bool add_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum spec_kind kind = is_plain ? spec_yaml_core_kind(text) : SPEC_TEXT;
    struct spec_node *node = NULL;
    check_properties(builder, event->data.scalar.anchor, event->data.scalar.tag,
                     &event->start_mark);
    if (!add_node(builder, kind, &event->start_mark, &node)) {
        return false;
    }
    spec_tree_set_text(builder->tree, node, text);
    const struct level *level = builder->depth > 0 ? &builder->levels[builder->depth - 1] : NULL;
    if (is_plain && level != NULL && level->node->kind == SPEC_MAP && !level->has_key &&
        str_is(text, "<<")) {
        builder_report(builder, "alias", &event->start_mark,
                       "merge keys (<<) are not supported: write the keys out");
        return false;
    }
    return attach(builder, node, &event->start_mark);
}

static bool add_alias(struct builder *builder, const yaml_event_t *event)
{
    struct spec_node *node = NULL;
    builder_report(builder, "alias", &event->start_mark,
                   "aliases (*) are not supported: write the value where it is needed");
    if (!add_node(builder, SPEC_BAD, &event->start_mark, &node)) {
        return false;
    }
    return attach(builder, node, &event->start_mark);
}

static bool open_container(struct builder *builder, enum spec_kind kind, const yaml_event_t *event)
{
    struct spec_node *node = NULL;
    if (builder->depth == SPEC_DEPTH_MAX) {
        spec_report_add(builder->report, "too_deep", mark_place(&event->start_mark), NULL, NULL,
                        "nested more than %d deep", SPEC_DEPTH_MAX);
        return false;
    }
    const yaml_char_t *anchor =
        kind == SPEC_LIST ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    const yaml_char_t *tag =
        kind == SPEC_LIST ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    check_properties(builder, anchor, tag, &event->start_mark);
    if (!add_node(builder, kind, &event->start_mark, &node) ||
        !attach(builder, node, &event->start_mark)) {
        return false;
    }
    builder->levels[builder->depth++] = (struct level){ .node = node };
    return true;
}

static void report_duplicate(struct builder *builder, const struct spec_node *key,
                             const struct spec_node *earlier)
{
    struct str name = spec_node_text(key);
    struct spec_path frames[SPEC_DEPTH_MAX];
    struct spec_path last = { .up = builder_path(builder, frames), .key = name };
    name = spec_report_shorten(name);
    spec_report_add(builder->report, "duplicate_key", spec_node_place(key), &last, NULL,
                    "the key \"%.*s\" is there already, on line %u", STR_ARG(name), earlier->line);
}

/* Few keys are compared with each other, many are looked up: tasks may be a million. */
static void find_duplicates(struct builder *builder, struct spec_node *map)
{
    enum { FEW = 16 };
    struct strmap seen = { 0 };
    for (struct spec_node *key = map->first; key != NULL; key = key->next->next) {
        struct spec_node *earlier = NULL;
        if (map->length > FEW) {
            earlier = strmap_get(&seen, spec_node_text(key));
            if (earlier == NULL) {
                strmap_put(&seen, spec_node_text(key), key);
            }
        } else {
            earlier = map->first;
            while (earlier != key && !str_equal(spec_node_text(earlier), spec_node_text(key))) {
                earlier = earlier->next->next;
            }
        }
        if (earlier != NULL && earlier != key) {
            report_duplicate(builder, key, earlier);
        }
    }
    strmap_done(&seen);
}

static bool add_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++builder->documents > 1) {
            builder_report(builder, "syntax", &event->start_mark,
                           "a spec is one document: a second one starts here");
            return false;
        }
        return true;
    case YAML_SCALAR_EVENT:
        return add_scalar(builder, event);
    case YAML_ALIAS_EVENT:
        return add_alias(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(builder, SPEC_LIST, event);
    case YAML_MAPPING_START_EVENT:
        return open_container(builder, SPEC_MAP, event);
    case YAML_MAPPING_END_EVENT:
        find_duplicates(builder, builder->levels[builder->depth - 1].node);
        builder->depth--;
        return true;
    case YAML_SEQUENCE_END_EVENT:
        builder->depth--;
        return true;
    case YAML_STREAM_END_EVENT:
        builder->is_done = true;
        return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return true;
}

/* True if the line of the place starts with white space that has a tab in it. */
static bool is_tab_indented(struct str text, struct spec_place place)
{
    uint32_t line = 1;
    size_t at = 0;
    while (at < text.length && line < place.line) {
        line += text.data[at] == '\n';
        at++;
    }
    while (at < text.length && text.data[at] == ' ') {
        at++;
    }
    return at < text.length && text.data[at] == '\t';
}

static void report_parser(struct builder *builder, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) {
        /* The reader knows only the byte. */
        spec_report_add(builder->report, "not_text",
                        spec_text_place(builder->text, parser->problem_offset), NULL, NULL,
                        "not text: %s", problem);
        return;
    }
    struct spec_place place = mark_place(&parser->problem_mark);
    if (is_tab_indented(builder->text, place)) {
        spec_report_add(builder->report, "syntax", place, NULL, NULL,
                        "a tab cannot indent YAML: use spaces");
        return;
    }
    spec_report_add(builder->report, "syntax", place, NULL, NULL, "%s%s%s",
                    parser->context != NULL ? parser->context : "",
                    parser->context != NULL ? ": " : "", problem);
}

struct spec_node *spec_tree_of_yaml(struct str text, struct spec_tree *tree,
                                    struct spec_report *report)
{
    struct builder builder = { .text = text, .tree = tree, .report = report };
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        spec_report_add(report, "too_large", (struct spec_place){ 0, 0 }, NULL, NULL,
                        "not enough memory to read it");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.length);
    bool is_good = true;
    while (is_good && !builder.is_done) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            report_parser(&builder, &parser);
            is_good = false;
            break;
        }
        is_good = add_event(&builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return is_good ? builder.root : NULL;
}
