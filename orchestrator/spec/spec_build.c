#include "orchestrator/spec/spec_build.h"

#include "common/base/map.h"

static struct spec_place known_place(const struct spec_build *build, struct spec_place place)
{
    return place.line > 0 ? place : spec_text_place(build->text, place.column);
}

bool spec_build_wants_key(const struct spec_build *build)
{
    if (build->depth == 0) {
        return false;
    }
    const struct spec_level *level = &build->levels[build->depth - 1];
    return level->node->kind == SPEC_MAP && !level->has_key;
}

/* Where the next value goes, for a report. The frames are the caller's. */
static const struct spec_path *build_path(const struct spec_build *build,
                                          struct spec_path frames[SPEC_DEPTH_MAX])
{
    const struct spec_path *path = NULL;
    for (size_t i = 0; i < build->depth; i++) {
        const struct spec_level *level = &build->levels[i];
        bool is_map = level->node->kind == SPEC_MAP;
        bool is_open = i + 1 < build->depth; /* then the value has been counted */
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

void spec_build_report(struct spec_build *build, const char *code, struct spec_place place,
                       const char *words)
{
    struct spec_path frames[SPEC_DEPTH_MAX];
    spec_report_add(build->report, code, known_place(build, place), build_path(build, frames), NULL,
                    "%s", words);
}

/* Makes the node the next child of the open container. */
static void attach(struct spec_build *build, struct spec_node *node)
{
    if (build->depth == 0) {
        build->root = node;
        return;
    }
    struct spec_level *level = &build->levels[build->depth - 1];
    if (spec_build_wants_key(build)) {
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
}

static struct spec_node *add(struct spec_build *build, enum spec_kind kind, struct spec_place place)
{
    bool is_scalar = kind != SPEC_LIST && kind != SPEC_MAP && kind != SPEC_BAD;
    if (!is_scalar && spec_build_wants_key(build)) {
        spec_build_report(build, "bad_key", place, "a key must be text");
        return NULL;
    }
    struct spec_node *node = spec_tree_node(build->tree, kind, place);
    if (node == NULL) {
        spec_build_report(build, "too_large", place, "more values than a spec may have");
        return NULL;
    }
    attach(build, node);
    return node;
}

bool spec_build_scalar(struct spec_build *build, enum spec_kind kind, struct spec_place place,
                       struct str text)
{
    struct spec_node *node = add(build, kind, place);
    if (node != NULL && kind != SPEC_BAD) {
        spec_tree_set_text(build->tree, node, text);
    }
    return node != NULL;
}

bool spec_build_open(struct spec_build *build, enum spec_kind kind, struct spec_place place)
{
    if (build->depth == SPEC_DEPTH_MAX) {
        spec_report_add(build->report, "too_deep", known_place(build, place), NULL, NULL,
                        "nested more than %d deep", SPEC_DEPTH_MAX);
        return false;
    }
    struct spec_node *node = add(build, kind, place);
    if (node == NULL) {
        return false;
    }
    build->levels[build->depth++] = (struct spec_level){ .node = node };
    return true;
}

static void report_duplicate(struct spec_build *build, const struct spec_node *key,
                             const struct spec_node *earlier)
{
    if (spec_report_is_full(build->report)) {
        return; /* places are not free */
    }
    struct str name = spec_node_text(key);
    struct spec_path frames[SPEC_DEPTH_MAX];
    struct spec_path path = { .up = build_path(build, frames), .key = name };
    struct spec_place second = known_place(build, (struct spec_place){ key->line, key->column });
    struct spec_place first =
        known_place(build, (struct spec_place){ earlier->line, earlier->column });
    name = spec_report_shorten(name);
    spec_report_add(build->report, "duplicate_key", second, &path, NULL,
                    "the key \"%.*s\" is there already, on line %u", STR_ARG(name), first.line);
}

/* Few keys are compared with each other, many are looked up: tasks may be a million. */
static void find_duplicates(struct spec_build *build, struct spec_node *map)
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
            report_duplicate(build, key, earlier);
        }
    }
    strmap_done(&seen);
}

void spec_build_close(struct spec_build *build)
{
    struct spec_node *node = build->levels[build->depth - 1].node;
    if (node->kind == SPEC_MAP) {
        find_duplicates(build, node);
    }
    build->depth--;
}
