/* One task read alone, for an edit: what it names is asked of a scope. */
#include "orchestrator/spec/spec_read.h"

static const struct spec_node *read_json(struct spec_reader *reader, struct str json)
{
    size_t before = reader->report.problems->count;
    if (!spec_check_text(&json, &reader->report)) {
        return NULL;
    }
    const struct spec_node *root = spec_tree_of_json(json, reader->tree, &reader->report);
    return reader->report.problems->count == before ? root : NULL;
}

static struct spec_need *take_needs(const struct spec_reader *reader, size_t *ret_count)
{
    const struct plan_edge *edges = (const void *)reader->edges.data;
    size_t count = reader->edges.length / sizeof *edges;
    struct spec_need *needs = arena_array(reader->arena, count, sizeof *needs);
    for (size_t i = 0; i < count; i++) {
        needs[i] = (struct spec_need){
            .task = spec_key_of(reader, edges[i].from),
            .when = edges[i].when,
            .named = edges[i].named,
            .required = edges[i].required,
            .condition = edges[i].condition,
            .arguments = edges[i].arguments,
        };
    }
    *ret_count = count;
    return needs;
}

static void take_one(const struct spec_reader *reader, struct spec_one *one)
{
    *one = (struct spec_one){
        .task = reader->tasks[0],
        .class = *(const struct plan_class *)(const void *)reader->classes.items.data,
        .policy = *(const struct plan_policy *)(const void *)reader->policies.items.data,
        .body = reader->bodies[0],
    };
    one->needs = take_needs(reader, &one->needs_count);
    if (one->class.same_device != 0) {
        one->same_device = spec_key_of(reader, one->class.same_device - 1);
    }
    if (one->class.other_device != 0) {
        one->other_device = spec_key_of(reader, one->class.other_device - 1);
    }
    one->class.same_device = 0;
    one->class.other_device = 0;
}

enum err spec_read_one(struct str key, struct str json, const struct spec_scope *scope,
                       struct arena *arena, struct spec_one *ret_one,
                       struct spec_problems *ret_problems)
{
    static const struct spec_inputs no_inputs;
    static const struct spec_draft top;
    ret_problems->count = 0;
    const struct spec_each *each = NULL;
    const struct spec_node *node = NULL;
    uint32_t value = 0;
    uint32_t next = 0;
    struct spec_tree tree = { .arena = arena };
    struct spec_reader reader = {
        .arena = arena,
        .report = { .arena = arena, .problems = ret_problems },
        .tree = &tree,
        .inputs = &no_inputs,
        .scope = scope,
        .limits = scope->limits,
        .limits_count = scope->limits_count,
        .tasks = arena_array(arena, 1, sizeof *reader.tasks),
        .bodies = arena_array(arena, 1, sizeof *reader.bodies),
        .nodes = &node,
        .each_of = &each,
        .value_of = &value,
        .next_members = &next,
        .tasks_count = 1,
    };
    struct str own = arena_str(arena, key);
    reader.tasks[0].key = own;
    strmap_put(&reader.keys, own, (void *)1);
    if (!spec_is_key(key)) {
        struct str shown = spec_report_shorten(key);
        spec_report_add(&reader.report, "bad_key", (struct spec_place){ 0, 0 }, NULL, NULL,
                        "\"%.*s\" cannot be the key of a task: letters, digits, _ and -, at "
                        "most %d characters",
                        STR_ARG(shown), PLAN_KEY_BYTES_MAX);
    }
    const struct spec_node *root = read_json(&reader, json);
    if (root != NULL) {
        node = root;
        spec_read_task(&reader, 0, &top, root, NULL);
    }
    enum err err = ERR_INVALID;
    if (ret_problems->count == 0) {
        take_one(&reader, ret_one);
        err = ERR_NONE;
    }
    spec_reader_done(&reader);
    spec_report_sort(&reader.report);
    return err;
}
