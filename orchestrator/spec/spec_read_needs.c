/* Dependencies: those that `needs` names and those that placeholders make. Tasks are read in order,
   so the edges come out by their target without being sorted. */
#include "orchestrator/spec/resolve.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_read.h"

enum { NEAREST_TASKS_MAX = 4096 }; /* a hint shall not cost more than the parse */

static void report_unknown_task(struct spec_reader *reader, struct str key,
                                const struct spec_node *node, const struct spec_path *path)
{
    if (spec_report_is_full(&reader->report)) {
        return;
    }
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, key);
    for (size_t i = 0; i < reader->tasks_count && i < NEAREST_TASKS_MAX; i++) {
        spec_nearest_offer(&nearest, spec_node_text(reader->nodes[i]));
    }
    char hint[SPEC_HINT_BYTES_MAX];
    key = spec_report_shorten(key);
    spec_report_add(&reader->report, "unknown_task", spec_node_place(node), path, NULL,
                    "there is no task \"%.*s\"%s", STR_ARG(key), spec_nearest_hint(&nearest, hint));
}

/* The index of a task that this one may depend on, or a report. */
static bool find_task(struct spec_reader *reader, const struct spec_draft *draft, struct str key,
                      const struct spec_node *node, const struct spec_path *path,
                      uint32_t *ret_index)
{
    void *found = strmap_get(&reader->keys, key);
    if (found == NULL) {
        report_unknown_task(reader, key, node, path);
        return false;
    }
    *ret_index = (uint32_t)((uintptr_t)found - 1);
    if (*ret_index == draft->index) {
        key = spec_report_shorten(key);
        spec_report_add(&reader->report, "cycle", spec_node_place(node), path, NULL,
                        "\"%.*s\" would wait for itself", STR_ARG(key));
        return false;
    }
    return true;
}

/* False if the edge is there already. */
static bool add_edge(struct spec_reader *reader, const struct spec_draft *draft, uint32_t from,
                     const struct spec_path *path)
{
    if (reader->stamps[from] == draft->index + 1) {
        return false;
    }
    reader->stamps[from] = draft->index + 1;
    size_t count = reader->edges.length / sizeof(struct plan_edge);
    if (count == PLAN_EDGES_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(reader->nodes[draft->index]),
                        path, NULL, "more than %d dependencies", PLAN_EDGES_MAX);
        return true;
    }
    const struct plan_edge edge = { .from = from, .to = draft->index, .when = EDGE_WHEN_SUCCESS };
    buf_append(&reader->edges, &edge, sizeof edge);
    return true;
}

static void add_need(struct spec_reader *reader, const struct spec_draft *draft,
                     const struct spec_node *node, const struct spec_path *path)
{
    struct str key;
    uint32_t from = 0;
    if (!spec_take_scalar(reader, node, path, &key) ||
        !find_task(reader, draft, key, node, path, &from)) {
        return;
    }
    if (!add_edge(reader, draft, from, path)) {
        key = spec_report_shorten(key);
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "\"%.*s\" is needed already", STR_ARG(key));
    }
}

void spec_read_need_task(struct spec_reader *reader, struct spec_draft *draft,
                         const struct spec_key *row, const struct spec_node *key,
                         const struct spec_path *path)
{
    (void)row;
    draft->need = spec_value(key);
    add_need(reader, draft, draft->need, path);
}

void spec_read_need_when(struct spec_reader *reader, struct spec_draft *draft,
                         const struct spec_key *row, const struct spec_node *key,
                         const struct spec_path *path)
{
    (void)row;
    (void)draft;
    struct str when;
    if (spec_take_text(reader, spec_value(key), path, &when) && !str_is(when, "success")) {
        when = spec_report_shorten(when);
        spec_report_add(&reader->report, "bad_value", spec_node_place(spec_value(key)), path,
                        "success", "when \"%.*s\" is not supported: only success is",
                        STR_ARG(when));
    }
}

static void read_item(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_node *item, const struct spec_path *path)
{
    if (item->kind == SPEC_LIST || item->kind == SPEC_NULL) {
        spec_wrong_type(reader, item, path, "a task key, or a mapping with the key task");
        return;
    }
    if (item->kind != SPEC_MAP) {
        add_need(reader, draft, item, path);
        return;
    }
    draft->need = NULL;
    if (spec_read_map(reader, draft, SPEC_WHERE_NEED, item, path) && draft->need == NULL) {
        spec_report_add(&reader->report, "missing_key", spec_node_place(item), path, "task",
                        "the key \"task\" is missing");
    }
}

void spec_read_needs(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    (void)row;
    const struct spec_node *node = spec_value(key);
    if (node->kind == SPEC_MAP || node->kind == SPEC_NULL) {
        spec_wrong_type(reader, node, path, "a task key or a list of them");
        return;
    }
    if (node->kind != SPEC_LIST) {
        add_need(reader, draft, node, path);
        return;
    }
    size_t index = 0;
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        struct spec_path at = { .up = path, .index = index++ };
        read_item(reader, draft, item, &at);
    }
}

void spec_note_references(struct spec_reader *reader, const struct spec_draft *draft,
                          struct str text, const struct spec_node *node,
                          const struct spec_path *path)
{
    struct placeholder placeholder;
    struct reason reason;
    enum err err = ERR_NONE;
    size_t at = 0;
    while (placeholder_next(text, &at, &placeholder, &err, &reason)) {
        uint32_t from = 0;
        if (find_task(reader, draft, placeholder.task, node, path, &from)) {
            buf_append(&reader->references, &from, sizeof from);
        }
    }
    if (err != ERR_NONE) {
        spec_report_add(&reader->report, "bad_reference", spec_node_place(node), path, NULL, "%s",
                        reason.text);
    }
}

void spec_add_references(struct spec_reader *reader, const struct spec_draft *draft,
                         const struct spec_path *path)
{
    const uint32_t *from = (const void *)reader->references.data;
    for (size_t i = 0; i < reader->references.length / sizeof *from; i++) {
        add_edge(reader, draft, from[i], path);
    }
}
