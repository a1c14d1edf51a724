/* One operation: its keys by a table, each to its place. See edit_operation.h. */
#include "orchestrator/spec/edit_operation.h"

#include "orchestrator/spec/edit_json.h"
#include "orchestrator/spec/spec_read.h"
#include "orchestrator/spec/spec_report.h"

enum { KEYS_MAX = 6, DESCRIPTION_BYTES_MAX = 4096, EDIT_CAPACITY_MAX = 1000000 };

static const struct {
    const char *name;
    const char *keys[KEYS_MAX]; /* beside "op" */
    uint32_t required;          /* a bit each */
    const char *allowed;
} kinds[BATCH_KINDS] = {
    [BATCH_ADD_TASK] = { "add_task", { "task", "spec" }, 3, "op, task, spec" },
    [BATCH_REMOVE_TASK] = { "remove_task", { "task" }, 1, "op, task" },
    [BATCH_UPDATE_TASK] = { "update_task", { "task", "set" }, 3, "op, task, set" },
    [BATCH_ADD_DEPENDENCY] = { "add_dependency",
                               { "from", "to", "when", "if" },
                               3,
                               "op, from, to, when, if" },
    [BATCH_UPDATE_DEPENDENCY] = { "update_dependency",
                                  { "from", "to", "when", "if", "old_when" },
                                  3,
                                  "op, from, to, when, if, old_when" },
    [BATCH_REMOVE_DEPENDENCY] = { "remove_dependency",
                                  { "from", "to", "when" },
                                  3,
                                  "op, from, to, when" },
    [BATCH_SET] = { "set",
                    { "fail_fast", "deadline", "limits", "description" },
                    0,
                    "op, fail_fast, deadline, limits, description" },
};

static const char operation_names[] = "add_task, remove_task, update_task, add_dependency, "
                                      "update_dependency, remove_dependency, set";

static bool take_when(struct edit_reader *reader, const struct spec_node *node, const char *place,
                      enum edge_when *ret_when)
{
    static const char *const words[] = { "success", "finished", "failure", "always" };
    static const enum edge_when whens[] = { EDGE_WHEN_SUCCESS, EDGE_WHEN_FINISHED,
                                            EDGE_WHEN_FAILURE, EDGE_WHEN_ALWAYS };
    size_t choice = 0;
    bool is_good = edit_take_choice(reader, node, place, words, 4,
                                    "success, finished, failure, always", &choice);
    if (is_good) {
        *ret_when = whens[choice];
    }
    return is_good;
}

static void take_condition(struct edit_reader *reader, const struct spec_node *node,
                           struct batch_operation *operation)
{
    if (node->kind == SPEC_NULL) {
        operation->condition_given = BATCH_NULL;
    } else if (edit_take_text(reader, node, "if", PLAN_CONDITION_BYTES_MAX,
                              &operation->condition)) {
        operation->condition_given = BATCH_VALUE;
    }
}

/* Its keys are a task's: spec_read_one() looks at them once it is known what else there is. */
static void take_object(struct edit_reader *reader, const struct spec_node *node, const char *place,
                        struct batch_operation *operation)
{
    if (node->kind != SPEC_MAP) {
        edit_wrong_type(reader, node, place, "a mapping of a task's keys");
        return;
    }
    struct buf text = { 0 };
    edit_json_task(&text, node);
    operation->text =
        arena_str(reader->arena, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
}

static void take_deadline(struct edit_reader *reader, const struct spec_node *node,
                          struct batch_operation *operation)
{
    if (node->kind == SPEC_NULL) {
        operation->deadline_given = BATCH_NULL;
        return;
    }
    int64_t ms = 0;
    bool is_scalar = node->kind == SPEC_TEXT || node->kind == SPEC_NUMBER;
    if (!is_scalar || !str_to_duration_ms(spec_node_text(node), &ms) || ms <= 0) {
        edit_refuse(reader, node, "deadline", "wrong_type", NULL,
                    "must be a span of time such as 90s or 2h, or null");
        return;
    }
    operation->deadline_given = BATCH_VALUE;
    operation->deadline_ms = ms;
}

/* As a spec has them. */
static bool check_limit_name(struct edit_reader *reader, const struct spec_node *name)
{
    if (spec_is_name(spec_node_text(name), "_-.+", MSG_NAME_BYTES_MAX)) {
        return true;
    }
    struct str shown = spec_report_shorten(spec_node_text(name));
    edit_refuse(reader, name, "limits", "bad_value", NULL,
                "\"%.*s\" is no name of a limit: letters, digits and any of \"_-.+\"",
                STR_ARG(shown));
    return false;
}

static void take_limits(struct edit_reader *reader, const struct spec_node *node,
                        struct batch_operation *operation)
{
    if (node->kind != SPEC_MAP || node->length == 0 || node->length > PLAN_LIMITS_MAX) {
        edit_refuse(reader, node, "limits", "wrong_type", NULL,
                    "must be a mapping of 1 to %d names to capacities", PLAN_LIMITS_MAX);
        return;
    }
    struct plan_limit *list = arena_array(reader->arena, node->length, sizeof(*list));
    size_t count = 0;
    for (const struct spec_node *name = node->first; name != NULL; name = name->next->next) {
        int64_t capacity = 0;
        struct str key;
        if (edit_take_text(reader, name, "limits", MSG_NAME_BYTES_MAX, &key) &&
            check_limit_name(reader, name) &&
            (name->next->kind == SPEC_NULL ||
             edit_take_integer(reader, name->next, "limits", 1, EDIT_CAPACITY_MAX, &capacity))) {
            list[count++] = (struct plan_limit){ key, (uint32_t)capacity };
        }
    }
    operation->limits = list;
    operation->limits_count = count;
}

static void take_value(struct edit_reader *reader, const struct spec_node *name,
                       struct batch_operation *operation)
{
    const struct spec_node *node = name->next;
    struct str key = spec_node_text(name);
    if (str_is(key, "task")) {
        edit_take_text(reader, node, "task", PLAN_KEY_BYTES_MAX, &operation->task);
    } else if (str_is(key, "from")) {
        edit_take_text(reader, node, "from", PLAN_KEY_BYTES_MAX, &operation->from);
    } else if (str_is(key, "to")) {
        edit_take_text(reader, node, "to", PLAN_KEY_BYTES_MAX, &operation->task);
    } else if (str_is(key, "spec")) {
        take_object(reader, node, "spec", operation);
    } else if (str_is(key, "set")) {
        take_object(reader, node, "set", operation);
    } else if (str_is(key, "when")) {
        take_when(reader, node, "when", &operation->when);
    } else if (str_is(key, "old_when")) {
        take_when(reader, node, "old_when", &operation->old_when);
    } else if (str_is(key, "if")) {
        take_condition(reader, node, operation);
    } else if (str_is(key, "deadline")) {
        take_deadline(reader, node, operation);
    } else if (str_is(key, "limits")) {
        take_limits(reader, node, operation);
    } else if (str_is(key, "description")) {
        operation->description_given = BATCH_NULL;
        if (node->kind != SPEC_NULL &&
            edit_take_text(reader, node, "description", DESCRIPTION_BYTES_MAX,
                           &operation->description)) {
            operation->description_given = BATCH_VALUE;
        }
    } else if (str_is(key, "fail_fast")) {
        if (node->kind != SPEC_BOOL) {
            edit_wrong_type(reader, node, "fail_fast", "true or false");
        } else {
            operation->fail_fast_given = BATCH_VALUE;
            operation->fail_fast = node->text[0] == 't' || node->text[0] == 'T';
        }
    }
}

/* The bit of a key of this kind; 0: it has none of that name. */
static uint32_t key_bit(enum batch_kind kind, struct str key)
{
    for (size_t i = 0; i < KEYS_MAX && kinds[kind].keys[i] != NULL; i++) {
        if (str_is(key, kinds[kind].keys[i])) {
            return UINT32_C(1) << i;
        }
    }
    return 0;
}

static bool read_kind(struct edit_reader *reader, const struct spec_node *node,
                      enum batch_kind *ret_kind)
{
    const struct spec_node *op = edit_json_get(node, STR("op"));
    if (op == NULL) {
        edit_refuse(reader, node, "op", "missing_key", operation_names,
                    "the key \"op\" is missing");
        return false;
    }
    const char *names[BATCH_KINDS];
    for (size_t i = 0; i < BATCH_KINDS; i++) {
        names[i] = kinds[i].name;
    }
    size_t choice = 0;
    size_t before = reader->faults->count;
    if (!edit_take_choice(reader, op, "op", names, BATCH_KINDS, operation_names, &choice)) {
        if (reader->faults->count > before && op->kind == SPEC_TEXT) {
            reader->faults->list[before].code = "unknown_operation";
        }
        return false;
    }
    *ret_kind = (enum batch_kind)choice;
    return true;
}

void edit_operation_read(struct edit_reader *reader, const struct spec_node *node,
                         struct batch_operation *operation)
{
    if (node->kind != SPEC_MAP) {
        edit_wrong_type(reader, node, "", "a mapping with the key op");
        return;
    }
    enum batch_kind kind = BATCH_SET;
    if (!read_kind(reader, node, &kind)) {
        return;
    }
    operation->kind = kind;
    uint32_t seen = 0;
    for (const struct spec_node *name = node->first; name != NULL; name = name->next->next) {
        struct str key = spec_node_text(name);
        uint32_t bit = key_bit(kind, key);
        seen |= bit;
        if (bit != 0) {
            take_value(reader, name, operation);
        } else if (!str_is(key, "op")) {
            edit_unknown_key(reader, name, "", kinds[kind].allowed);
        }
    }
    for (size_t i = 0; i < KEYS_MAX && kinds[kind].keys[i] != NULL; i++) {
        if ((kinds[kind].required >> i & 1U) != 0 && (seen >> i & 1U) == 0) {
            edit_refuse(reader, node, kinds[kind].keys[i], "missing_key", kinds[kind].allowed,
                        "the key \"%s\" is missing", kinds[kind].keys[i]);
        }
    }
    if (kind == BATCH_SET && seen == 0) {
        edit_refuse(reader, node, "", "missing_key", kinds[kind].allowed, "it sets nothing");
    }
    if (kind == BATCH_UPDATE_DEPENDENCY && operation->when == 0 &&
        operation->condition_given == BATCH_ABSENT &&
        reader->faults->count == reader->faults_before) {
        edit_refuse(reader, node, "", "missing_key", "when, if", "it changes neither when nor if");
    }
}
