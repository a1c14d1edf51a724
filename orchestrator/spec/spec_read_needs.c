/* Dependencies: what `needs` names, and how. Tasks are read in order, so the edges come out by their
   target without being sorted. */
#include <string.h>

#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/spec_json.h"
#include "orchestrator/spec/spec_read.h"

struct plan_edge *spec_edge_of(struct spec_reader *reader, uint32_t from, uint32_t to)
{
    struct plan_edge *edges = (void *)reader->edges.data;
    const uint32_t *stamps = (const void *)reader->stamps.data;
    if (from >= reader->stamps.length / sizeof *stamps || stamps[from] == 0) {
        return NULL;
    }
    struct plan_edge *edge = &edges[stamps[from] - 1];
    return edge->to == to ? edge : NULL;
}

struct plan_edge *spec_edge_before(struct spec_reader *reader, const struct plan_edge *edge)
{
    struct plan_edge *edges = (void *)reader->edges.data;
    const uint32_t *chain = (const void *)reader->chain.data;
    uint32_t before = chain[edge - edges];
    return before == 0 ? NULL : &edges[before - 1];
}

enum err spec_add_edge(struct spec_reader *reader, const struct plan_edge *edge)
{
    unsigned count = 0;
    uint32_t before = 0;
    const struct plan_edge *other = spec_edge_of(reader, edge->from, edge->to);
    if (other != NULL) {
        before = (uint32_t)(other - (const struct plan_edge *)(const void *)reader->edges.data) + 1;
    }
    for (; other != NULL; other = spec_edge_before(reader, other), count++) {
        if (other->when == edge->when && str_equal(other->condition, edge->condition) &&
            str_equal(other->arguments, edge->arguments)) {
            return ERR_EXISTS;
        }
    }
    size_t edges = reader->edges.length / sizeof *edge;
    if (count == SPEC_PAIR_EDGES_MAX || edges == PLAN_EDGES_MAX) {
        return ERR_LIMIT;
    }
    size_t stamps = reader->stamps.length / sizeof(uint32_t);
    if (edge->from >= stamps) {
        size_t wanted =
            edge->from >= reader->tasks_count ? (size_t)edge->from + 1 : reader->tasks_count;
        size_t bytes = (wanted - stamps) * sizeof(uint32_t);
        memset(buf_reserve(&reader->stamps, bytes), 0, bytes);
        reader->stamps.length += bytes;
    }
    ((uint32_t *)(void *)reader->stamps.data)[edge->from] = (uint32_t)edges + 1;
    buf_append(&reader->edges, edge, sizeof *edge);
    buf_append(&reader->chain, &before, sizeof before);
    return ERR_NONE;
}

/* False: there is no going on. */
static bool add_one(struct spec_reader *reader, const struct spec_draft *draft,
                    const struct spec_need_draft *need, uint32_t from, const struct spec_path *path)
{
    const struct plan_edge edge = {
        .from = from,
        .to = draft->index,
        .when = need->when,
        .named = true,
        .condition = need->condition,
        .arguments = need->arguments,
    };
    struct str key = spec_report_shorten(spec_key_of(reader, from));
    enum err err = spec_add_edge(reader, &edge);
    if (err == ERR_NONE) {
        return spec_charge(reader, need->condition.length + need->arguments.length, need->task,
                           path);
    }
    if (err == ERR_EXISTS) {
        spec_report_add(&reader->report, "duplicate_dependency", spec_node_place(need->task), path,
                        NULL, "\"%.*s\" is needed already", STR_ARG(key));
        return false;
    }
    bool is_full = reader->edges.length / sizeof edge == PLAN_EDGES_MAX;
    spec_report_add(&reader->report, "too_large", spec_node_place(need->task), path, NULL,
                    is_full ? "more than %d dependencies"
                            : "more than %d dependencies between two tasks",
                    is_full ? (int)PLAN_EDGES_MAX : (int)SPEC_PAIR_EDGES_MAX);
    return false;
}

static void add_need(struct spec_reader *reader, const struct spec_draft *draft,
                     const struct spec_need_draft *need, const struct spec_path *path)
{
    struct str key;
    struct spec_named named;
    if (!spec_take_scalar(reader, need->task, path, &key) ||
        !spec_find(reader, draft, key, need->task, path, &named)) {
        return;
    }
    if (named.index != UINT32_MAX) {
        add_one(reader, draft, need, named.index, path);
        return;
    }
    for (uint32_t next = named.group->first; next != 0; next = reader->next_members[next - 1]) {
        if (next - 1 == draft->index) {
            spec_report_add(&reader->report, "cycle", spec_node_place(need->task), path, NULL,
                            "the task is one of that group, and would wait for itself");
            return;
        }
        if (!add_one(reader, draft, need, next - 1, path)) {
            return;
        }
    }
}

void spec_read_need_task(struct spec_reader *reader, struct spec_draft *draft,
                         const struct spec_key *row, const struct spec_node *key,
                         const struct spec_path *path)
{
    (void)reader;
    (void)row;
    (void)path;
    draft->need.task = spec_value(key);
}

void spec_read_need_when(struct spec_reader *reader, struct spec_draft *draft,
                         const struct spec_key *row, const struct spec_node *key,
                         const struct spec_path *path)
{
    (void)row;
    static const char *const words[] = { "success", "finished", "failure", "always" };
    static const enum edge_when whens[] = { EDGE_WHEN_SUCCESS, EDGE_WHEN_FINISHED,
                                            EDGE_WHEN_FAILURE, EDGE_WHEN_ALWAYS };
    size_t choice = 0;
    if (spec_take_choice(reader, spec_value(key), path, words, sizeof words / sizeof words[0],
                         "success, finished, failure, always", &choice)) {
        draft->need.when = whens[choice];
    }
}

static void add_argument(struct buf *json, const struct spec_value *value)
{
    buf_append_text(json, json->length == 0 ? "[" : ",");
    if (value->kind == SPEC_TEXT) {
        spec_json_text(json, value->text);
    } else if (value->kind == SPEC_BOOL) {
        bool is_true = value->text.data[0] == 't' || value->text.data[0] == 'T';
        buf_append_text(json, is_true ? "true" : "false");
    } else {
        spec_json_number(json, value->text);
    }
}

/* Compiled once now, so that a mistake is seen at the submission. */
static void check_condition(struct spec_reader *reader, struct str text,
                            const struct spec_node *node, const struct spec_path *path)
{
    struct reason reason;
    enum err err = ERR_NONE;
    if (reader->conditions == NULL) {
        reader->conditions = condition_engine_new(&reason);
        err = reader->conditions == NULL ? ERR_UNSUPPORTED : ERR_NONE;
    }
    if (err == ERR_NONE) {
        err = condition_check(reader->conditions, text, NULL, &reason);
    }
    if (err != ERR_NONE) {
        spec_report_add(&reader->report, "bad_condition", spec_node_place(node), path, NULL, "%s",
                        reason.text);
    }
}

/* The text stays as it is written: what its placeholders stand for is bound to it. */
void spec_read_need_if(struct spec_reader *reader, struct spec_draft *draft,
                       const struct spec_key *row, const struct spec_node *key,
                       const struct spec_path *path)
{
    (void)row;
    const struct spec_node *node = spec_value(key);
    struct str text;
    if (!spec_take_text(reader, node, path, &text)) {
        return;
    }
    if (text.length == 0 || text.length > PLAN_CONDITION_BYTES_MAX) {
        spec_report_add(&reader->report, "out_of_range", spec_node_place(node), path, NULL,
                        "must be an expression of at most %d bytes", PLAN_CONDITION_BYTES_MAX);
        return;
    }
    struct placeholder placeholder;
    struct reason reason;
    enum err err = ERR_NONE;
    size_t at = 0;
    struct buf json = { 0 };
    size_t bytes = text.length; /* when its values are written into it, as an export does */
    while (placeholder_next(text, &at, &placeholder, &err, &reason)) {
        if (placeholder.kind == PLACEHOLDER_TASK) {
            err = reason_set(&reason, ERR_INVALID,
                             "a condition sees the one task that is needed: only params and each "
                             "may stand in it");
            break;
        }
        const struct spec_value *value = spec_fill_value(reader, &placeholder, node, path);
        if (value != NULL) {
            add_argument(&json, value);
            bytes += 2 * value->text.length + 2;
        }
    }
    if (err == ERR_NONE && bytes > PLAN_CONDITION_BYTES_MAX) {
        err = reason_set(&reason, ERR_INVALID, "with its values it has more than %d bytes",
                         PLAN_CONDITION_BYTES_MAX);
    }
    if (err != ERR_NONE) {
        spec_report_add(&reader->report, "bad_condition", spec_node_place(node), path, NULL, "%s",
                        reason.text);
    } else {
        check_condition(reader, text, node, path);
    }
    draft->need.condition = text;
    if (json.length > 0) {
        buf_append_text(&json, "]");
        draft->need.arguments =
            arena_str(reader->arena, (struct str){ (const char *)json.data, json.length });
    }
    buf_done(&json);
}

static void read_item(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_node *item, const struct spec_path *path)
{
    draft->need = (struct spec_need_draft){ .when = EDGE_WHEN_SUCCESS };
    if (item->kind == SPEC_LIST || item->kind == SPEC_NULL) {
        spec_wrong_type(reader, item, path, "a task key, or a mapping with the key task");
        return;
    }
    if (item->kind != SPEC_MAP) {
        draft->need.task = item;
        add_need(reader, draft, &draft->need, path);
        return;
    }
    if (!spec_read_map(reader, draft, SPEC_WHERE_NEED, item, path)) {
        return;
    }
    if (draft->need.task == NULL) {
        spec_report_add(&reader->report, "missing_key", spec_node_place(item), path, "task",
                        "the key \"task\" is missing");
        return;
    }
    struct spec_path at = { .up = path, .key = STR("task") };
    add_need(reader, draft, &draft->need, &at);
}

void spec_read_needs(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    (void)row;
    const struct spec_node *node = spec_value(key);
    if (node->kind == SPEC_NULL) {
        spec_wrong_type(reader, node, path, "a task key or a list of them");
        return;
    }
    if (node->kind != SPEC_LIST) {
        read_item(reader, draft, node, path);
        return;
    }
    size_t index = 0;
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        struct spec_path at = { .up = path, .index = index++ };
        read_item(reader, draft, item, &at);
    }
}
