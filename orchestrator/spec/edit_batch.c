/* See edit_batch.h: the batch as a whole. Its operations are read in edit_operation.c. */
#include "orchestrator/spec/edit_batch.h"

#include <inttypes.h>
#include <stdio.h>

#include "orchestrator/spec/edit_json.h"
#include "orchestrator/spec/edit_operation.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_report.h"
#include "orchestrator/spec/spec_task.h"
#include "orchestrator/spec/spec_text.h"

static const char batch_names[] = "base_revision, author, reason, expect, release, operations";

static const struct spec_place nowhere = { 0, 0 };

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static const struct spec_node *parse(struct str text, enum spec_format format, struct arena *arena,
                                     struct spec_problems *problems)
{
    problems->count = 0;
    struct spec_report report = { .arena = arena, .problems = problems };
    struct spec_tree tree = { .arena = arena };
    size_t at = 0;
    while (at < text.length && is_blank(text.data[at])) {
        at++;
    }
    if (format == SPEC_FORMAT_GUESS) {
        bool is_json = at < text.length && (text.data[at] == '{' || text.data[at] == '[');
        format = is_json ? SPEC_FORMAT_JSON : SPEC_FORMAT_YAML;
    }
    size_t offset = 0;
    const struct spec_node *root = NULL;
    if (spec_text_find_bad_byte(text, &offset)) {
        struct spec_place place = spec_text_place(text, offset);
        spec_report_add(&report, "not_text", place, NULL, NULL,
                        "not text: byte 0x%02x at line %u, column %u",
                        (unsigned)(unsigned char)text.data[offset], place.line, place.column);
    } else if (at < text.length) {
        root = format == SPEC_FORMAT_JSON ? spec_tree_of_json(text, &tree, &report)
                                          : spec_tree_of_yaml(text, &tree, &report);
    }
    bool is_empty = root == NULL || (root->kind == SPEC_NULL && format == SPEC_FORMAT_YAML);
    if (is_empty && problems->count == 0) {
        spec_report_add(&report, "empty", nowhere, NULL, NULL, "there is nothing in it");
    }
    return problems->count == 0 ? root : NULL;
}

/* What the parser itself refuses. */
static void take_problems(const struct spec_problems *problems, struct edit_faults *faults)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct spec_problem *problem = &problems->list[i];
        const struct edit_fault fault = {
            .code = problem->code,
            .path = problem->path,
            .line = problem->line,
            .column = problem->column,
            .allowed = problem->allowed,
        };
        edit_fault_add(faults, &fault, "%.*s", STR_ARG(problem->detail));
    }
}

static void read_author(struct edit_reader *reader, const struct spec_node *node,
                        struct batch *batch)
{
    static const char *const kinds[] = { "user", "rule", "planner" };
    static const enum author_kind values[] = { AUTHOR_USER, AUTHOR_RULE, AUTHOR_PLANNER };
    if (node->kind != SPEC_MAP) {
        edit_wrong_type(reader, node, "author", "a mapping with kind and name");
        return;
    }
    for (const struct spec_node *name = node->first; name != NULL; name = name->next->next) {
        struct str key = spec_node_text(name);
        size_t choice = 0;
        if (str_is(key, "kind")) {
            if (edit_take_choice(reader, name->next, "author/kind", kinds, 3, "user, rule, planner",
                                 &choice)) {
                batch->author_kind = values[choice];
            }
        } else if (str_is(key, "name")) {
            edit_take_text(reader, name->next, "author/name", EDIT_AUTHOR_BYTES_MAX,
                           &batch->author);
        } else {
            edit_unknown_key(reader, name, "author", "kind, name");
        }
    }
}

static void take_state(struct edit_reader *reader, const struct spec_node *node,
                       struct batch_expect *expect)
{
    struct str text;
    if (!edit_take_text(reader, node, "state", 32, &text)) {
        return;
    }
    expect->is_ready = str_is(text, "ready");
    for (int state = 1; state < TASK_STATES_END; state++) {
        if (str_is(text, task_state_name((enum task_state)state))) {
            expect->state = (enum task_state)state;
        }
    }
    if (expect->is_ready) {
        expect->state = TASK_WAITING;
    }
    if (expect->state == 0) {
        edit_refuse(reader, node, "state", "bad_value",
                    "waiting, ready, assigned, running, backoff, succeeded, failed, cancelled, "
                    "skipped, unknown",
                    "\"%.*s\" is no state of a task", STR_ARG(text));
    }
}

static void read_expect(struct edit_reader *reader, const struct spec_node *node,
                        struct batch_expect *expect)
{
    if (node->kind != SPEC_MAP) {
        edit_wrong_type(reader, node, "", "a mapping with task, state and attempt");
        return;
    }
    for (const struct spec_node *name = node->first; name != NULL; name = name->next->next) {
        struct str key = spec_node_text(name);
        int64_t number = 0;
        if (str_is(key, "task")) {
            edit_take_text(reader, name->next, "task", PLAN_KEY_BYTES_MAX, &expect->task);
        } else if (str_is(key, "state")) {
            take_state(reader, name->next, expect);
        } else if (str_is(key, "attempt")) {
            if (edit_take_integer(reader, name->next, "attempt", 0, UINT32_MAX, &number)) {
                expect->attempts = (uint32_t)number;
                expect->no_attempt = number == 0;
            }
        } else {
            edit_unknown_key(reader, name, "", "task, state, attempt");
        }
    }
    if (expect->task.length == 0 && reader->faults->count == reader->faults_before) {
        edit_refuse(reader, node, "", "missing_key", "task", "the key \"task\" is missing");
    }
}

static void read_expects(struct edit_reader *reader, const struct spec_node *node,
                         struct batch *batch)
{
    if (node->kind != SPEC_LIST) {
        edit_wrong_type(reader, node, "expect", "a list");
        return;
    }
    if (node->length > EDIT_EXPECTS_MAX) {
        edit_refuse(reader, node, "expect", "too_large", NULL, "%u expectations; at most %d",
                    node->length, EDIT_EXPECTS_MAX);
        return;
    }
    struct batch_expect *list = arena_array(reader->arena, node->length, sizeof(*list));
    uint32_t index = 0;
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        edit_reader_at(reader, EDIT_PART_EXPECT, index);
        list[index].index = index;
        read_expect(reader, item, &list[index]);
        index++;
    }
    edit_reader_at(reader, EDIT_PART_BATCH, 0);
    batch->expects = list;
    batch->expects_count = index;
}

static void read_operations(struct edit_reader *reader, const struct spec_node *node,
                            struct batch *batch)
{
    if (node->kind != SPEC_LIST) {
        edit_wrong_type(reader, node, "operations", "a list of at least one operation");
        return;
    }
    if (node->length == 0) {
        edit_refuse(reader, node, "operations", "out_of_range", NULL,
                    "must have at least one operation");
        return;
    }
    if (node->length > reader->operations_max) {
        edit_refuse(reader, node, "operations", "too_large", NULL, "%u operations; at most %u",
                    node->length, reader->operations_max);
        return;
    }
    struct batch_operation *list = arena_array(reader->arena, node->length, sizeof(*list));
    uint32_t index = 0;
    for (const struct spec_node *item = node->first; item != NULL; item = item->next) {
        edit_reader_at(reader, EDIT_PART_OPERATION, index);
        list[index].index = index;
        edit_operation_read(reader, item, &list[index]);
        index++;
    }
    edit_reader_at(reader, EDIT_PART_BATCH, 0);
    batch->operations = list;
    batch->operations_count = index;
    struct buf text = { 0 };
    edit_json_operations(&text, node);
    batch->text = arena_str(reader->arena, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
}

/* Ids come as text elsewhere. */
static void read_release(struct edit_reader *reader, const struct spec_node *node,
                         struct batch *batch)
{
    uint64_t id = 0;
    bool is_scalar = node->kind == SPEC_TEXT || node->kind == SPEC_NUMBER;
    if (!is_scalar || !str_to_uint64(spec_node_text(node), INT64_MAX, &id) || id == 0) {
        edit_refuse(reader, node, "release", "wrong_type", NULL, "must be the number of a hold");
        return;
    }
    batch->release_hold_id = (int64_t)id;
}

static void read_key(struct edit_reader *reader, const struct spec_node *name, struct batch *batch)
{
    const struct spec_node *value = name->next;
    struct str key = spec_node_text(name);
    int64_t number = 0;
    if (str_is(key, "base_revision")) {
        if (edit_take_integer(reader, value, "base_revision", 0, UINT32_MAX, &number)) {
            batch->base_revision = (uint32_t)number;
        }
    } else if (str_is(key, "author")) {
        read_author(reader, value, batch);
    } else if (str_is(key, "reason")) {
        edit_take_text(reader, value, "reason", EDIT_REASON_BYTES_MAX, &batch->reason);
    } else if (str_is(key, "expect")) {
        read_expects(reader, value, batch);
    } else if (str_is(key, "release")) {
        read_release(reader, value, batch);
    } else if (str_is(key, "operations")) {
        read_operations(reader, value, batch);
    } else {
        edit_unknown_key(reader, name, "", batch_names);
    }
}

/* --- The tasks of a batch that cannot be read --- */

static bool may_be_there(void *context, struct str key)
{
    (void)context;
    (void)key;
    return true;
}

/* Whether that is wrong whatever the plan holds, and whatever else the task has that `set` changes. */
static bool is_certain(const struct spec_problem *problem, enum batch_kind kind)
{
    static const char *const certain[] = { "wrong_type",   "unknown_key",   "out_of_range",
                                           "bad_selector", "bad_condition", "bad_reference" };
    if (kind == BATCH_ADD_TASK) {
        return !str_is(str_of(problem->code), "unknown_limit");
    }
    for (size_t i = 0; i < sizeof certain / sizeof certain[0]; i++) {
        if (str_is(str_of(problem->code), certain[i])) {
            return true;
        }
    }
    return false;
}

static void check_task(const struct batch_operation *operation, struct arena *arena,
                       struct edit_faults *faults)
{
    static const struct spec_scope scope = { .has_task = may_be_there };
    struct spec_one one;
    struct spec_problems problems = { .count = 0 };
    struct str text = operation->text;
    if (operation->kind == BATCH_UPDATE_TASK) {
        struct buf json = { 0 };
        edit_json_merge(STR("{\"run\":[\"any\"]}"), text, arena, &json);
        text = arena_str(arena, (struct str){ (const char *)json.data, json.length });
        buf_done(&json);
    }
    if (spec_read_one(operation->task, text, &scope, arena, &one, &problems) == ERR_NONE) {
        return;
    }
    for (size_t i = 0; i < problems.count; i++) {
        const struct spec_problem *problem = &problems.list[i];
        char path[512];
        snprintf(path, sizeof path, "/operations/%u/%s%.*s", operation->index,
                 operation->kind == BATCH_ADD_TASK ? "spec" : "set", STR_ARG(problem->path));
        const struct edit_fault fault = {
            .part = EDIT_PART_OPERATION,
            .index = operation->index,
            .code = problem->code,
            .path = arena_str(arena, str_of(path)),
            .allowed = arena_str(arena, problem->allowed),
        };
        if (is_certain(problem, operation->kind)) {
            edit_fault_add(faults, &fault, "%.*s", STR_ARG(problem->detail));
        }
    }
}

/* What the tasks hold is looked at when the batch meets the plan. One that never will is refused with what
   can be known without it, so that nothing of that is left for the next try. */
static void check_tasks(const struct batch *batch, struct arena *arena, struct edit_faults *faults)
{
    for (size_t i = 0; i < batch->operations_count && !faults->more; i++) {
        const struct batch_operation *operation = &batch->operations[i];
        bool has_text = operation->text.length > 0 && operation->task.length > 0;
        if (has_text &&
            (operation->kind == BATCH_ADD_TASK || operation->kind == BATCH_UPDATE_TASK)) {
            check_task(operation, arena, faults);
        }
    }
}

static enum err read_batch(struct str text, enum spec_format format, uint32_t operations_max,
                           struct arena *arena, struct batch *ret_batch, struct edit_faults *faults)
{
    struct spec_problems problems;
    struct batch batch = { .base_revision = 0 };
    const struct spec_node *root = parse(text, format, arena, &problems);
    if (root == NULL) {
        take_problems(&problems, faults);
        return ERR_INVALID;
    }
    struct edit_reader reader = {
        .operations_max = operations_max, .arena = arena, .source = text, .faults = faults
    };
    edit_reader_at(&reader, EDIT_PART_BATCH, 0);
    if (root->kind != SPEC_MAP) {
        edit_wrong_type(&reader, root, "", "a mapping with the key operations");
        return ERR_INVALID;
    }
    for (const struct spec_node *name = root->first; name != NULL; name = name->next->next) {
        read_key(&reader, name, &batch);
    }
    if (edit_json_get(root, STR("operations")) == NULL) {
        edit_refuse(&reader, root, "", "missing_key", batch_names,
                    "the key \"operations\" is missing");
    }
    if (faults->count > 0) {
        check_tasks(&batch, arena, faults);
        edit_faults_sort(faults);
        return ERR_INVALID;
    }
    *ret_batch = batch;
    return ERR_NONE;
}

enum err batch_read(struct str text, enum spec_format format, struct arena *arena,
                    struct batch *ret_batch, struct edit_faults *faults)
{
    return read_batch(text, format, EDIT_OPERATIONS_MAX, arena, ret_batch, faults);
}

enum err batch_read_inverse(struct str json, struct arena *arena, struct batch *ret_batch,
                            struct edit_faults *faults)
{
    return read_batch(json, SPEC_FORMAT_JSON, UINT32_MAX, arena, ret_batch, faults);
}
