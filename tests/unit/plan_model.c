#include "tests/unit/plan_model.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *text(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_t *at(json_t *object, const char *key)
{
    return json_object_get(object, key);
}

/* --- Lists in a fixed order --- */

static int by_text(const void *a, const void *b)
{
    char *left = json_dumps(*(json_t *const *)a, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    char *right = json_dumps(*(json_t *const *)b, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    int order = strcmp(left, right);
    free(left);
    free(right);
    return order;
}

static json_t *sorted(json_t *list)
{
    size_t count = json_array_size(list);
    json_t **items = calloc(count + 1, sizeof(json_t *));
    json_t *result = json_array();
    for (size_t i = 0; i < count; i++) {
        items[i] = json_array_get(list, i);
    }
    qsort(items, count, sizeof(json_t *), by_text);
    for (size_t i = 0; i < count; i++) {
        json_array_append(result, items[i]);
    }
    free(items);
    return result;
}

/* --- Reading --- */

static json_t *read_need(json_t *written)
{
    if (json_is_string(written)) {
        return json_pack("{s:s,s:s}", "task", json_string_value(written), "when", "success");
    }
    json_t *need = json_deep_copy(written);
    if (at(need, "when") == NULL) {
        json_object_set_new(need, "when", json_string("success"));
    }
    return need;
}

json_t *plan_model_task(json_t *spec)
{
    json_t *task = json_deep_copy(spec);
    json_t *written = at(spec, "needs");
    json_t *needs = json_array();
    if (json_is_string(written)) {
        json_array_append_new(needs, read_need(written));
    }
    for (size_t i = 0; i < json_array_size(written); i++) {
        json_array_append_new(needs, read_need(json_array_get(written, i)));
    }
    json_object_set_new(task, "needs", sorted(needs));
    json_decref(needs);
    return task;
}

json_t *plan_model_read(json_t *shown)
{
    json_t *tasks = json_object();
    json_t *set = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(at(shown, "tasks"), key, value)
    {
        json_object_set_new(tasks, key, plan_model_task(value));
    }
    static const char *const settings[] = { "fail_fast", "deadline", "description" };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        value = at(shown, settings[i]);
        if (value != NULL && !json_is_false(value)) {
            json_object_set(set, settings[i], value);
        }
    }
    return json_pack("{s:o,s:o}", "tasks", tasks, "set", set);
}

/* --- Dependencies --- */

static int is_same(json_t *need, const char *task, const char *when, const char *condition)
{
    const char *other = text(need, "if");
    return strcmp(text(need, "task"), task) == 0 &&
           (when == NULL || strcmp(text(need, "when"), when) == 0) &&
           (condition == NULL || (other == NULL ? *condition == 0 : !strcmp(other, condition)));
}

static int has_need(json_t *task, const char *from, const char *when, const char *condition)
{
    int count = 0;
    for (size_t i = 0; i < json_array_size(at(task, "needs")); i++) {
        count += is_same(json_array_get(at(task, "needs"), i), from, when, condition);
    }
    return count;
}

/* ${{ tasks.KEY.stdout }}: at most one a task here, as its last argument. */
static int refers_to(json_t *task, const char *key)
{
    static const char begin[] = "${{ tasks.";
    json_t *run = at(task, "run");
    const char *last = json_string_value(json_array_get(run, json_array_size(run) - 1));
    size_t length = strlen(key);
    return last != NULL && strncmp(last, begin, sizeof begin - 1) == 0 &&
           strncmp(last + sizeof begin - 1, key, length) == 0 &&
           last[sizeof begin - 1 + length] == '.';
}

static int depends(json_t *task, const char *from)
{
    return has_need(task, from, NULL, NULL) > 0 || refers_to(task, from);
}

static int needs_is_double(json_t *task)
{
    json_t *needs = at(task, "needs");
    for (size_t i = 0; i < json_array_size(needs); i++) {
        for (size_t k = i + 1; k < json_array_size(needs); k++) {
            if (json_equal(json_array_get(needs, i), json_array_get(needs, k))) {
                return 1;
            }
        }
    }
    return 0;
}

/* Whether it depends on one of these. */
static int depends_on_any(json_t *task, json_t *others)
{
    static const char *const keys[] = { "first", "nobody" }; /* that a text may refer to */
    for (size_t i = 0; i < json_array_size(at(task, "needs")); i++) {
        if (at(others, text(json_array_get(at(task, "needs"), i), "task")) != NULL) {
            return 1;
        }
    }
    return (at(others, keys[0]) != NULL && refers_to(task, keys[0])) ||
           (at(others, keys[1]) != NULL && refers_to(task, keys[1]));
}

/* Takes away what depends on nothing that is left, again and again: a cycle is what stays. */
static int has_cycle(json_t *tasks)
{
    json_t *left = json_copy(tasks);
    size_t before = 0;
    do {
        const char *key = NULL;
        json_t *task = NULL;
        void *next = NULL;
        before = json_object_size(left);
        json_object_foreach_safe(left, next, key, task)
        {
            if (!depends_on_any(task, left)) {
                json_object_del(left, key);
            }
        }
    } while (json_object_size(left) < before);
    json_decref(left);
    return before > 0;
}

/* Everything that anybody depends on is there. */
static const char *missing(json_t *tasks, json_t *removed)
{
    const char *key = NULL;
    json_t *task = NULL;
    json_object_foreach(tasks, key, task)
    {
        const char *gone = NULL;
        json_t *was = NULL;
        json_object_foreach(removed, gone, was)
        {
            if (at(tasks, gone) == NULL && depends(task, gone)) {
                return "has_dependents";
            }
        }
    }
    return NULL;
}

/* --- Operations --- */

struct making {
    json_t *tasks;
    json_t *set;
    json_t *removed;
    const char *code;
};

static void refuse(struct making *making, const char *code)
{
    making->code = making->code == NULL ? code : making->code;
}

static void merge(json_t *object, json_t *set)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(set, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(object, key);
        } else {
            json_object_set_new(object, key, json_deep_copy(value));
        }
    }
}

static void add_or_remove(struct making *making, json_t *operation)
{
    const char *op = text(operation, "op");
    const char *key = text(operation, "task");
    if (strcmp(op, "remove_task") == 0) {
        if (at(making->tasks, key) == NULL) {
            refuse(making, "unknown_task");
        }
        json_object_set_new(making->removed, key, json_true());
        json_object_del(making->tasks, key);
    } else if (strcmp(op, "add_task") == 0) {
        if (at(making->tasks, key) != NULL) {
            refuse(making, "duplicate_key");
        }
        json_object_set_new(making->tasks, key, plan_model_task(at(operation, "spec")));
    } else if (strcmp(op, "set") == 0) {
        json_t *set = json_copy(operation);
        json_object_del(set, "op");
        if (json_is_false(at(set, "fail_fast"))) {
            json_object_set_new(set, "fail_fast", json_null());
        }
        merge(making->set, set);
        json_decref(set);
    }
}

/* A text may refer to, and need, only what there is; what the batch removes is told otherwise. */
static void check_text(struct making *making, const char *key, json_t *task)
{
    static const char *const keys[] = { "first", "nobody" };
    json_t *needs = at(task, "needs");
    for (size_t i = 0; i < json_array_size(needs); i++) {
        const char *from = text(json_array_get(needs, i), "task");
        if (at(making->tasks, from) == NULL && at(making->removed, from) == NULL) {
            refuse(making, "unknown_task");
        }
        if (strcmp(from, key) == 0) {
            refuse(making, "cycle");
        }
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (refers_to(task, keys[i]) && strcmp(keys[i], key) == 0) {
            refuse(making, "cycle");
        } else if (refers_to(task, keys[i]) && at(making->tasks, keys[i]) == NULL &&
                   at(making->removed, keys[i]) == NULL) {
            refuse(making, "unknown_task");
        }
    }
    if (needs_is_double(task)) {
        refuse(making, "duplicate_dependency");
    }
}

static void update(struct making *making, json_t *operation)
{
    static const char *const kinds[] = { "run", "shell", "noop", "sleep" };
    const char *key = text(operation, "task");
    json_t *task = at(making->tasks, key);
    json_t *set = at(operation, "set");
    if (task == NULL) {
        refuse(making, "unknown_task");
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        if (at(set, kinds[i]) != NULL) {
            for (size_t k = 0; k < 4; k++) {
                json_object_del(task, kinds[k]);
            }
        }
    }
    merge(task, set);
    task = plan_model_task(task);
    json_object_set_new(making->tasks, key, task);
    check_text(making, key, task);
}

static void change_need(struct making *making, json_t *operation)
{
    const char *op = text(operation, "op");
    const char *from = text(operation, "from");
    const char *to = text(operation, "to");
    const char *when = text(operation, "when");
    json_t *task = at(making->tasks, to);
    if (task == NULL && at(making->removed, to) != NULL && !strcmp(op, "remove_dependency")) {
        return; /* it goes with the task */
    }
    int is_bad = text(operation, "if") != NULL && strstr(text(operation, "if"), "nonsense") != NULL;
    if (is_bad) {
        refuse(making, "bad_condition");
    }
    if (task == NULL || (at(making->tasks, from) == NULL && !strcmp(op, "add_dependency"))) {
        refuse(making, "unknown_task");
        return;
    }
    json_t *needs = at(task, "needs");
    if (strcmp(op, "add_dependency") == 0) {
        json_t *need = json_pack("{s:s,s:s}", "task", from, "when", when ? when : "success");
        if (text(operation, "if") != NULL) {
            json_object_set(need, "if", at(operation, "if"));
        }
        json_array_append_new(needs, need);
    } else {
        const char *wanted =
            strcmp(op, "update_dependency") == 0 ? text(operation, "old_when") : when;
        int found = has_need(task, from, wanted, NULL);
        bool is_made = has_need(task, from, NULL, NULL) == 0 && refers_to(task, from) &&
                       (wanted == NULL || strcmp(wanted, "success") == 0);
        if (is_made && strcmp(op, "update_dependency") == 0) {
            json_array_append_new(needs, json_pack("{s:s,s:s}", "task", from, "when", "success"));
        } else if (found == 0) {
            refuse(making, is_made ? "made_by_reference" : "unknown_dependency");
            return;
        }
        if (strcmp(op, "update_dependency") == 0 && found > 1) {
            refuse(making, "ambiguous_dependency");
            return;
        }
        for (size_t i = json_array_size(needs); i > 0; i--) {
            json_t *need = json_array_get(needs, i - 1);
            if (!is_same(need, from, wanted, NULL)) {
                continue;
            }
            if (strcmp(op, "remove_dependency") == 0) {
                json_array_remove(needs, i - 1);
                continue;
            }
            if (when != NULL) {
                json_object_set_new(need, "when", json_string(when));
            }
            if (json_is_null(at(operation, "if"))) {
                json_object_del(need, "if");
            } else if (at(operation, "if") != NULL) {
                json_object_set(need, "if", at(operation, "if"));
            }
        }
    }
    if (needs_is_double(task)) {
        refuse(making, "duplicate_dependency");
    }
    json_t *order = sorted(needs);
    json_object_set_new(task, "needs", order);
}

json_t *plan_model_apply(json_t *plan, json_t *operations, const char **ret_code)
{
    struct making making = { .tasks = json_deep_copy(at(plan, "tasks")),
                             .set = json_deep_copy(at(plan, "set")),
                             .removed = json_object() };
    for (size_t i = 0; i < json_array_size(operations); i++) {
        json_t *operation = json_array_get(operations, i);
        bool is_update = strcmp(text(operation, "op"), "update_dependency") == 0;
        if (is_update && at(operation, "when") == NULL && at(operation, "if") == NULL) {
            refuse(&making, "missing_key");
        }
    }
    for (size_t i = 0; i < json_array_size(operations); i++) {
        add_or_remove(&making, json_array_get(operations, i));
    }
    for (size_t i = 0; i < json_array_size(operations); i++) {
        json_t *operation = json_array_get(operations, i);
        const char *op = text(operation, "op");
        if (strcmp(op, "add_task") == 0) {
            json_t *spec = plan_model_task(at(operation, "spec"));
            check_text(&making, text(operation, "task"), spec);
            json_decref(spec);
        } else if (strcmp(op, "update_task") == 0) {
            update(&making, operation);
        } else if (strstr(op, "_dependency") != NULL) {
            change_need(&making, operation);
        }
    }
    if (missing(making.tasks, making.removed) != NULL) {
        refuse(&making, "has_dependents");
    }
    if (json_object_size(making.tasks) == 0) {
        refuse(&making, "no_tasks");
    }
    if (making.code == NULL && has_cycle(making.tasks)) {
        refuse(&making, "cycle");
    }
    json_decref(making.removed);
    *ret_code = making.code;
    if (making.code != NULL) {
        json_decref(making.tasks);
        json_decref(making.set);
        return NULL;
    }
    return json_pack("{s:o,s:o}", "tasks", making.tasks, "set", making.set);
}

/* --- Differences --- */

static json_t *pair(json_t *before, json_t *after)
{
    return json_pack("{s:O?,s:O?}", "before", before, "after", after);
}

static json_t *changed_keys(json_t *before, json_t *after)
{
    json_t *keys = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(before, key, value)
    {
        if (strcmp(key, "needs") != 0 && !json_equal(value, at(after, key))) {
            json_t *other = at(after, key);
            json_object_set_new(keys, key, pair(value, other == NULL ? json_null() : other));
        }
    }
    json_object_foreach(after, key, value)
    {
        if (strcmp(key, "needs") != 0 && at(before, key) == NULL) {
            json_object_set_new(keys, key, pair(json_null(), value));
        }
    }
    return keys;
}

static void needs_only_in(json_t *list, const char *to, json_t *task, json_t *other)
{
    for (size_t i = 0; i < json_array_size(at(task, "needs")); i++) {
        json_t *need = json_array_get(at(task, "needs"), i);
        const char *condition = text(need, "if");
        if (has_need(other, text(need, "task"), text(need, "when"), condition ? condition : "")) {
            continue;
        }
        json_t *row = json_pack("{s:s,s:s,s:s}", "from", text(need, "task"), "to", to, "when",
                                text(need, "when"));
        if (condition != NULL) {
            json_object_set(row, "if", at(need, "if"));
        }
        json_array_append_new(list, row);
    }
}

static json_t *rows(json_t *list)
{
    json_t *result = sorted(list);
    json_decref(list);
    return result;
}

json_t *plan_model_diff(json_t *before, json_t *after)
{
    json_t *added = json_array();
    json_t *removed = json_array();
    json_t *changed = json_array();
    json_t *linked = json_array();
    json_t *unlinked = json_array();
    const char *key = NULL;
    json_t *task = NULL;
    json_object_foreach(at(after, "tasks"), key, task)
    {
        json_t *old = at(at(before, "tasks"), key);
        needs_only_in(linked, key, task, old);
        if (old == NULL) {
            json_array_append_new(added, json_pack("{s:s,s:O}", "task", key, "spec", task));
            continue;
        }
        json_t *keys = changed_keys(old, task);
        if (json_object_size(keys) > 0) {
            json_array_append_new(changed, json_pack("{s:s,s:O}", "task", key, "keys", keys));
        }
        json_decref(keys);
    }
    json_object_foreach(at(before, "tasks"), key, task)
    {
        json_t *now = at(at(after, "tasks"), key);
        needs_only_in(unlinked, key, task, now);
        if (now == NULL) {
            json_array_append_new(removed, json_pack("{s:s,s:O}", "task", key, "spec", task));
        }
    }
    return json_pack("{s:{s:o,s:o,s:o},s:{s:o,s:o},s:o}", "tasks", "added", rows(added), "removed",
                     rows(removed), "changed", rows(changed), "dependencies", "added", rows(linked),
                     "removed", rows(unlinked), "set",
                     changed_keys(at(before, "set"), at(after, "set")));
}

static json_t *with_specs(json_t *list)
{
    json_t *result = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array_get(list, i);
        json_array_append_new(result, json_pack("{s:O,s:o}", "task", at(row, "task"), "spec",
                                                plan_model_task(at(row, "spec"))));
    }
    return rows(result);
}

json_t *plan_model_read_diff(json_t *shown)
{
    json_t *tasks = at(shown, "tasks");
    json_t *needs = at(shown, "dependencies");
    json_t *set = json_deep_copy(at(shown, "set"));
    json_t *fail_fast = at(set, "fail_fast");
    if (fail_fast != NULL) { /* false is what it is when nobody says so */
        json_t *before = at(fail_fast, "before");
        json_t *after = at(fail_fast, "after");
        json_object_set_new(set, "fail_fast",
                            pair(json_is_true(before) ? before : json_null(),
                                 json_is_true(after) ? after : json_null()));
    }
    return json_pack("{s:{s:o,s:o,s:o},s:{s:o,s:o},s:o}", "tasks", "added",
                     with_specs(at(tasks, "added")), "removed", with_specs(at(tasks, "removed")),
                     "changed", sorted(at(tasks, "changed")), "dependencies", "added",
                     sorted(at(needs, "added")), "removed", sorted(at(needs, "removed")), "set",
                     set);
}
