/* Other tasks by name: those that `needs` names and those that placeholders refer to. */

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
        spec_nearest_offer(&nearest, spec_key_of(reader, (uint32_t)i));
    }
    char hint[SPEC_HINT_BYTES_MAX];
    key = spec_report_shorten(key);
    spec_report_add(&reader->report, "unknown_task", spec_node_place(node), path, NULL,
                    "there is no task \"%.*s\"%s", STR_ARG(key), spec_nearest_hint(&nearest, hint));
}

struct str spec_key_of(const struct spec_reader *reader, uint32_t index)
{
    if (reader->scope != NULL && index > 0) {
        const struct str *names = (const void *)reader->names.data;
        return names[index - 1];
    }
    return reader->tasks[index].key;
}

/* With a scope a task gets its number when it is named first. 0: there is none. */
static uintptr_t number_of(struct spec_reader *reader, struct str key)
{
    uintptr_t number = (uintptr_t)strmap_get(&reader->keys, key);
    if (number == 0 && reader->scope != NULL &&
        reader->scope->has_task(reader->scope->context, key)) {
        struct str copy = arena_str(reader->arena, key);
        buf_append(&reader->names, &copy, sizeof copy);
        number = reader->names.length / sizeof copy + 1;
        strmap_put(&reader->keys, key, (void *)number);
    }
    return number;
}

bool spec_find(struct spec_reader *reader, const struct spec_draft *draft, struct str key,
               const struct spec_node *node, const struct spec_path *path,
               struct spec_named *ret_named)
{
    uintptr_t number = number_of(reader, key);
    const struct spec_group *group = number == 0 ? strmap_get(&reader->groups, key) : NULL;
    if (number == 0 && group == NULL) {
        report_unknown_task(reader, key, node, path);
        return false;
    }
    struct spec_named named = { .index = UINT32_MAX, .group = group };
    if (number != 0) {
        named.index = (uint32_t)(number - 1);
    } else if (reader->scope == NULL && group->each != NULL &&
               group->each == reader->each_of[draft->index]) {
        /* Members of one each stand side by side, in the order of its values. */
        named.index = group->first - 1 + reader->value_of[draft->index];
        named.group = NULL;
    }
    if (named.index == draft->index) {
        key = spec_report_shorten(key);
        spec_report_add(&reader->report, "cycle", spec_node_place(node), path, NULL,
                        "\"%.*s\" would wait for itself", STR_ARG(key));
        return false;
    }
    *ret_named = named;
    return true;
}

bool spec_find_one(struct spec_reader *reader, const struct spec_draft *draft, struct str key,
                   const struct spec_node *node, const struct spec_path *path, uint32_t *ret_index)
{
    struct spec_named named;
    if (!spec_find(reader, draft, key, node, path, &named)) {
        return false;
    }
    if (named.group != NULL) {
        struct str first = spec_report_shorten(spec_key_of(reader, named.group->first - 1));
        key = spec_report_shorten(key);
        spec_report_add(&reader->report, "bad_reference", spec_node_place(node), path, NULL,
                        "\"%.*s\" is a group of tasks: name one of them, such as \"%.*s\", or give "
                        "this task the same each",
                        STR_ARG(key), STR_ARG(first));
        return false;
    }
    *ret_index = named.index;
    return true;
}

/* Text with keys of groups replaced by those of the tasks that pair up; `changed` stays empty if there
   is none. Copied so far: *copied. */
static void replace_key(struct str text, const struct placeholder *placeholder, struct str key,
                        size_t *copied, struct buf *changed)
{
    size_t at = (size_t)(placeholder->name.data - text.data);
    buf_append(changed, text.data + *copied, at - *copied);
    buf_append(changed, key.data, key.length);
    *copied = at + placeholder->name.length;
}

static void note(struct spec_reader *reader, const struct spec_draft *draft,
                 const struct placeholder *placeholder, struct str text, size_t *copied,
                 struct buf *changed, const struct spec_node *node, const struct spec_path *path)
{
    if (placeholder->kind != PLACEHOLDER_TASK) {
        spec_fill_value(reader, placeholder, node, path); /* what is left of these is wrong */
        return;
    }
    struct spec_reference reference = { .has_fallback = placeholder->fallback.length > 0,
                                        .in_body = true };
    if (!spec_find_one(reader, draft, placeholder->name, node, path, &reference.from)) {
        return;
    }
    buf_append(&reader->references, &reference, sizeof reference);
    struct str key = spec_key_of(reader, reference.from);
    if (!str_equal(key, placeholder->name)) {
        replace_key(text, placeholder, key, copied, changed);
    }
}

void spec_note_references(struct spec_reader *reader, const struct spec_draft *draft,
                          struct str *text, const struct spec_node *node,
                          const struct spec_path *path)
{
    struct placeholder placeholder;
    struct reason reason;
    enum err err = ERR_NONE;
    size_t at = 0;
    size_t copied = 0;
    struct buf changed = { 0 };
    while (placeholder_next(*text, &at, &placeholder, &err, &reason)) {
        note(reader, draft, &placeholder, *text, &copied, &changed, node, path);
    }
    if (err != ERR_NONE) {
        spec_report_add(&reader->report, "bad_reference", spec_node_place(node), path, NULL, "%s",
                        reason.text);
    }
    if (changed.length > 0 && spec_charge(reader, changed.length + text->length, node, path)) {
        buf_append(&changed, text->data + copied, text->length - copied);
        *text =
            arena_str(reader->arena, (struct str){ (const char *)changed.data, changed.length });
    }
    buf_done(&changed);
}

/* Of several edges from one task those in `needs` decide among themselves. */
static void require(struct spec_reader *reader, const struct spec_draft *draft,
                    const struct spec_reference *reference, const struct spec_path *path)
{
    struct plan_edge *edge = spec_edge_of(reader, reference->from, draft->index);
    if (edge == NULL) {
        const struct plan_edge made = {
            .from = reference->from,
            .to = draft->index,
            .when = reference->has_fallback ? EDGE_WHEN_ALWAYS : EDGE_WHEN_SUCCESS,
            .required = true,
        };
        if (spec_add_edge(reader, &made) == ERR_LIMIT) {
            const struct spec_node *node = reader->nodes[draft->index];
            spec_report_add(&reader->report, "too_large", spec_node_place(node), path, NULL,
                            "more than %d dependencies", PLAN_EDGES_MAX);
        }
        return;
    }
    if (reference->has_fallback) {
        return;
    }
    if (!edge->named) {
        edge->when = EDGE_WHEN_SUCCESS; /* another placeholder has a default, this one none */
    } else if (spec_edge_before(reader, edge) == NULL) {
        edge->required = true;
    }
}

void spec_add_references(struct spec_reader *reader, const struct spec_draft *draft,
                         const struct spec_path *path)
{
    const struct spec_reference *references = (const void *)reader->references.data;
    for (size_t i = 0; i < reader->references.length / sizeof *references; i++) {
        require(reader, draft, &references[i], path);
    }
}
