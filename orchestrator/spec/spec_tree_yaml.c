/* YAML to the neutral tree, from libyaml's events. What makes YAML treacherous is refused here:
   anchors, aliases, tags, merges, keys that are not text, a key twice, a second document. */
#include <yaml.h>

#include "orchestrator/spec/spec_build.h"
#include "orchestrator/spec/spec_yaml_core.h"

struct reading {
    struct spec_build build;
    size_t documents;
    bool is_done;
};

static struct spec_place mark_place(const yaml_mark_t *mark)
{
    return (struct spec_place){ (uint32_t)mark->line + 1, (uint32_t)mark->column + 1 };
}

static void check_properties(struct spec_build *build, const yaml_char_t *anchor,
                             const yaml_char_t *tag, struct spec_place place)
{
    if (anchor != NULL) {
        spec_build_report(build, "alias", place,
                          "anchors (&) are not supported: write the value where it is needed");
    }
    if (tag != NULL) {
        spec_build_report(build, "tag", place, "tags (!) are not supported: quote what is text");
    }
}

static bool add_scalar(struct spec_build *build, const yaml_event_t *event)
{
    struct str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
    struct spec_place place = mark_place(&event->start_mark);
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    check_properties(build, event->data.scalar.anchor, event->data.scalar.tag, place);
    if (is_plain && spec_build_wants_key(build) && str_is(text, "<<")) {
        spec_build_report(build, "alias", place,
                          "merge keys (<<) are not supported: write the keys out");
        return false;
    }
    return spec_build_scalar(build, is_plain ? spec_yaml_core_kind(text) : SPEC_TEXT, place, text);
}

static bool add_alias(struct spec_build *build, const yaml_event_t *event)
{
    struct spec_place place = mark_place(&event->start_mark);
    spec_build_report(build, "alias", place,
                      "aliases (*) are not supported: write the value where it is needed");
    return spec_build_scalar(build, SPEC_BAD, place, (struct str){ NULL, 0 });
}

static bool open_list(struct spec_build *build, const yaml_event_t *event)
{
    struct spec_place place = mark_place(&event->start_mark);
    check_properties(build, event->data.sequence_start.anchor, event->data.sequence_start.tag,
                     place);
    return spec_build_open(build, SPEC_LIST, place);
}

static bool open_map(struct spec_build *build, const yaml_event_t *event)
{
    struct spec_place place = mark_place(&event->start_mark);
    check_properties(build, event->data.mapping_start.anchor, event->data.mapping_start.tag, place);
    return spec_build_open(build, SPEC_MAP, place);
}

static bool add_event(struct reading *reading, const yaml_event_t *event)
{
    struct spec_build *build = &reading->build;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++reading->documents > 1) {
            spec_build_report(build, "syntax", mark_place(&event->start_mark),
                              "a spec is one document: a second one starts here");
            return false;
        }
        return true;
    case YAML_SCALAR_EVENT:
        return add_scalar(build, event);
    case YAML_ALIAS_EVENT:
        return add_alias(build, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_list(build, event);
    case YAML_MAPPING_START_EVENT:
        return open_map(build, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        spec_build_close(build);
        return true;
    case YAML_STREAM_END_EVENT:
        reading->is_done = true;
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

static void report_parser(struct spec_build *build, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) {
        /* The reader knows only the byte. */
        spec_report_add(build->report, "not_text",
                        spec_text_place(build->text, parser->problem_offset), NULL, NULL,
                        "not text: %s", problem);
        return;
    }
    struct spec_place place = mark_place(&parser->problem_mark);
    if (is_tab_indented(build->text, place)) {
        spec_report_add(build->report, "syntax", place, NULL, NULL,
                        "a tab cannot indent YAML: use spaces");
        return;
    }
    spec_report_add(build->report, "syntax", place, NULL, NULL, "%s%s%s",
                    parser->context != NULL ? parser->context : "",
                    parser->context != NULL ? ": " : "", problem);
}

struct spec_node *spec_tree_of_yaml(struct str text, struct spec_tree *tree,
                                    struct spec_report *report)
{
    struct reading reading = { .build = { .text = text, .tree = tree, .report = report } };
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        spec_report_add(report, "too_large", (struct spec_place){ 0, 0 }, NULL, NULL,
                        "not enough memory to read it");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.length);
    bool is_good = true;
    while (is_good && !reading.is_done) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            report_parser(&reading.build, &parser);
            is_good = false;
            break;
        }
        is_good = add_event(&reading, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return is_good ? reading.build.root : NULL;
}
