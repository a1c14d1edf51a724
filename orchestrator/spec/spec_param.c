/* `params`: what a spec says a submission can set, and the values that this one gives. */
#include <string.h>

#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_read.h"
#include "orchestrator/spec/spec_yaml_core.h"

enum { PARAMS_MAX = 256, PARAM_BYTES_MAX = 64 * 1024 };

static const char *const type_words[] = { "text", "integer", "number", "boolean" };
static const char types[] = "text, integer, number, boolean";

void spec_read_param_type(struct spec_reader *reader, struct spec_draft *draft,
                          const struct spec_key *row, const struct spec_node *key,
                          const struct spec_path *path)
{
    (void)row;
    static const enum spec_kind kinds[] = { SPEC_TEXT, SPEC_NUMBER, SPEC_NUMBER, SPEC_BOOL };
    size_t choice = 0;
    if (spec_take_choice(reader, spec_value(key), path, type_words,
                         sizeof type_words / sizeof type_words[0], types, &choice)) {
        draft->param_kind = kinds[choice];
        draft->param_is_integer = choice == 1;
    }
}

static void take_default(struct spec_reader *reader, struct spec_draft *draft,
                         const struct spec_node *node, const struct spec_path *path)
{
    if (node->kind != SPEC_TEXT && node->kind != SPEC_NUMBER && node->kind != SPEC_BOOL) {
        spec_wrong_type(reader, node, path, "text, a number, true or false");
        return;
    }
    draft->param_default = node;
}

void spec_read_param_default(struct spec_reader *reader, struct spec_draft *draft,
                             const struct spec_key *row, const struct spec_node *key,
                             const struct spec_path *path)
{
    (void)row;
    take_default(reader, draft, spec_value(key), path);
}

static bool is_integer(struct str text)
{
    size_t at = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    for (size_t i = at; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.length > at;
}

static const char *type_of(const struct spec_draft *param)
{
    switch (param->param_kind) {
    case SPEC_NUMBER:
        return param->param_is_integer ? "a whole number" : "a number";
    case SPEC_BOOL:
        return "true or false";
    case SPEC_NULL:
    case SPEC_TEXT:
    case SPEC_LIST:
    case SPEC_MAP:
    case SPEC_BAD:
        break;
    }
    return "text";
}

/* Whether the param takes this value; else a report. */
static bool check_value(struct spec_reader *reader, const struct spec_draft *param,
                        const struct spec_value *value, struct spec_place place,
                        const struct spec_path *path)
{
    struct str shown = spec_report_shorten(value->text);
    bool fits = param->param_kind == SPEC_NULL || param->param_kind == value->kind;
    if (!fits || (param->param_is_integer && !is_integer(value->text))) {
        spec_report_add(&reader->report, "wrong_type", place, path, type_of(param),
                        "must be %s, not \"%.*s\"", type_of(param), STR_ARG(shown));
        return false;
    }
    if (value->text.length > PARAM_BYTES_MAX) {
        spec_report_add(&reader->report, "too_large", place, path, NULL,
                        "has %zu bytes; at most %d are allowed", value->text.length,
                        PARAM_BYTES_MAX);
        return false;
    }
    /* What is filled in is data: it must never be read as a placeholder itself. */
    bool has_nul = value->text.length > 0 && memchr(value->text.data, 0, value->text.length);
    if (has_nul || spec_text_holds(value->text, STR("${{")) || !str_is_utf8(value->text)) {
        spec_report_add(&reader->report, "bad_value", place, path, NULL,
                        "its value holds a NUL, a placeholder or what is no text");
        return false;
    }
    return true;
}

/* What the submission gives, as a value of the param's type as far as that can be. */
static bool take_given(struct spec_reader *reader, const struct spec_draft *param,
                       const struct spec_param *given, const struct spec_path *path,
                       struct spec_value *ret_value)
{
    struct spec_value value = { .kind = SPEC_TEXT, .text = given->text };
    if (given->is_json) {
        struct spec_tree tree = { .arena = reader->arena };
        const struct spec_node *node =
            given->text.length == 0 ? NULL : spec_tree_of_json(given->text, &tree, &reader->report);
        if (node == NULL || node->kind == SPEC_LIST || node->kind == SPEC_MAP ||
            node->kind == SPEC_NULL || node->kind == SPEC_BAD) {
            spec_report_add(&reader->report, "wrong_type", (struct spec_place){ 0, 0 }, path,
                            type_of(param), "must be %s", type_of(param));
            return false;
        }
        value = (struct spec_value){ .kind = node->kind, .text = spec_node_text(node) };
    } else if (param->param_kind == SPEC_NUMBER || param->param_kind == SPEC_BOOL) {
        value.kind = spec_yaml_core_kind(given->text);
    }
    if (!check_value(reader, param, &value, (struct spec_place){ 0, 0 }, path)) {
        return false;
    }
    *ret_value = value;
    return true;
}

static const struct spec_param *find_given(const struct spec_reader *reader, struct str name)
{
    for (size_t i = 0; i < reader->inputs->params_count; i++) {
        if (str_equal(reader->inputs->params[i].name, name)) {
            return &reader->inputs->params[i];
        }
    }
    return NULL;
}

/* {type, default, …}, or the default alone. */
static bool read_declaration(struct spec_reader *reader, const struct spec_node *node,
                             const struct spec_path *path, struct spec_draft *ret_param)
{
    size_t before = reader->report.problems->count;
    if (node->kind != SPEC_MAP) {
        take_default(reader, ret_param, node, path);
    } else {
        spec_read_map(reader, ret_param, SPEC_WHERE_PARAM, node, path);
    }
    const struct spec_node *fallback = ret_param->param_default;
    if (fallback == NULL) {
        if (spec_draft_has(ret_param, SPEC_KEY_PARAM_REQUIRED) && ret_param->required == 0) {
            spec_report_add(&reader->report, "missing_key", spec_node_place(node), path, "default",
                            "a param that is not required needs a default");
        }
        return reader->report.problems->count == before;
    }
    if (ret_param->required != 0) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "a param that is required has no default");
    }
    if (ret_param->param_kind == SPEC_NULL) {
        ret_param->param_kind = fallback->kind;
    }
    const struct spec_value value = { .kind = fallback->kind, .text = spec_node_text(fallback) };
    return check_value(reader, ret_param, &value, spec_node_place(fallback), path) &&
           reader->report.problems->count == before;
}

static void settle_param(struct spec_reader *reader, const struct spec_node *key,
                         const struct spec_path *up)
{
    struct spec_path path = { .up = up, .key = spec_node_text(key) };
    struct spec_draft param = { .param_kind = SPEC_NULL };
    struct spec_value *value = arena_alloc(reader->arena, sizeof *value);
    *value = (struct spec_value){ .kind = SPEC_BAD };
    strmap_put(&reader->params, path.key, value); /* a bad one too: one report is enough */
    if (!spec_is_name(path.key, "_-", MSG_NAME_BYTES_MAX)) {
        spec_report_add(&reader->report, "bad_key", spec_node_place(key), &path, NULL,
                        "a param's name has letters, digits, _ and -, at most %d",
                        MSG_NAME_BYTES_MAX);
        return;
    }
    if (!read_declaration(reader, spec_value(key), &path, &param)) {
        return;
    }
    const struct spec_param *given = find_given(reader, path.key);
    if (given != NULL) {
        take_given(reader, &param, given, &path, value);
    } else if (param.param_default != NULL) {
        *value = (struct spec_value){ .kind = param.param_default->kind,
                                      .text = spec_node_text(param.param_default) };
    } else {
        spec_report_add(&reader->report, "missing_param", spec_node_place(key), &path, NULL,
                        "the param \"%.*s\" has no default: the submission must give it",
                        STR_ARG(path.key));
    }
}

static void report_unknown(struct spec_reader *reader, struct str name,
                           const struct spec_path *path)
{
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, name);
    size_t at = 0;
    struct str known;
    void *value = NULL;
    while (strmap_each(&reader->params, &at, &known, &value)) {
        spec_nearest_offer(&nearest, known);
    }
    char hint[SPEC_HINT_BYTES_MAX];
    struct spec_path there = { .up = path, .key = name };
    name = spec_report_shorten(name);
    spec_report_add(&reader->report, "unknown_param", (struct spec_place){ 0, 0 }, &there, NULL,
                    "the spec has no param \"%.*s\"%s", STR_ARG(name),
                    spec_nearest_hint(&nearest, hint));
}

void spec_settle_params(struct spec_reader *reader, const struct spec_draft *top)
{
    const struct spec_path path = { .key = STR("params") };
    const struct spec_node *map = top->params;
    if (map != NULL && map->length > PARAMS_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(map), &path, NULL,
                        "has %u params; at most %d are allowed", map->length, PARAMS_MAX);
        return;
    }
    const struct spec_node *first = map == NULL ? NULL : map->first;
    for (const struct spec_node *key = first; key != NULL; key = key->next->next) {
        settle_param(reader, key, &path);
    }
    for (size_t i = 0; i < reader->inputs->params_count; i++) {
        struct str name = reader->inputs->params[i].name;
        if (strmap_get(&reader->params, name) == NULL) {
            report_unknown(reader, name, &path);
        }
    }
}
