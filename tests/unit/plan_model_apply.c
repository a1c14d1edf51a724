/* The plain model: what operations make of a plan, or why it is refused. */
#include <string.h>

#include "tests/unit/plan_model_parts.h"

/* --- Dependencies --- */

/* ${{ tasks.KEY.stdout }}: at most one a task here, as its last argument. */
static int refers_to(json_t *task, const char *key)
{
    static const char begin[] = "${{ tasks.";
    json_t *run = plan_at(task, "run");
    const char *last = json_string_value(json_array_get(run, json_array_size(run) - 1));
    size_t length = strlen(key);
    return last != NULL && strncmp(last, begin, sizeof begin - 1) == 0 &&
           strncmp(last + sizeof begin - 1, key, length) == 0 &&
           last[sizeof begin - 1 + length] == '.';
}

static int depends(json_t *task, const char *from)
{
    return plan_has_need(task, from, NULL, NULL) > 0 || refers_to(task, from);
}

static int needs_is_double(json_t *task)
{
    json_t *needs = plan_at(task, "needs");
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
    for (size_t i = 0; i < json_array_size(plan_at(task, "needs")); i++) {
        if (plan_at(others, plan_text(json_array_get(plan_at(task, "needs"), i), "task")) != NULL) {
            return 1;
        }
    }
    return (plan_at(others, keys[0]) != NULL && refers_to(task, keys[0])) ||
           (plan_at(others, keys[1]) != NULL && refers_to(task, keys[1]));
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
            if (plan_at(tasks, gone) == NULL && depends(task, gone)) {
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
    const char *op = plan_text(operation, "op");
    const char *key = plan_text(operation, "task");
    if (strcmp(op, "remove_task") == 0) {
        if (plan_at(making->tasks, key) == NULL) {
            refuse(making, "unknown_task");
        }
        json_object_set_new(making->removed, key, json_true());
        json_object_del(making->tasks, key);
    } else if (strcmp(op, "add_task") == 0) {
        if (plan_at(making->tasks, key) != NULL) {
            refuse(making, "duplicate_key");
        }
        json_object_set_new(making->tasks, key, plan_model_task(plan_at(operation, "spec")));
    } else if (strcmp(op, "set") == 0) {
        json_t *set = json_copy(operation);
        json_object_del(set, "op");
        if (json_is_false(plan_at(set, "fail_fast"))) {
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
    json_t *needs = plan_at(task, "needs");
    for (size_t i = 0; i < json_array_size(needs); i++) {
        const char *from = plan_text(json_array_get(needs, i), "task");
        if (plan_at(making->tasks, from) == NULL && plan_at(making->removed, from) == NULL) {
            refuse(making, "unknown_task");
        }
        if (strcmp(from, key) == 0) {
            refuse(making, "cycle");
        }
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (refers_to(task, keys[i]) && strcmp(keys[i], key) == 0) {
            refuse(making, "cycle");
        } else if (refers_to(task, keys[i]) && plan_at(making->tasks, keys[i]) == NULL &&
                   plan_at(making->removed, keys[i]) == NULL) {
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
    const char *key = plan_text(operation, "task");
    json_t *task = plan_at(making->tasks, key);
    json_t *set = plan_at(operation, "set");
    if (task == NULL) {
        refuse(making, "unknown_task");
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        if (plan_at(set, kinds[i]) != NULL) {
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
    const char *op = plan_text(operation, "op");
    const char *from = plan_text(operation, "from");
    const char *to = plan_text(operation, "to");
    const char *when = plan_text(operation, "when");
    json_t *task = plan_at(making->tasks, to);
    if (task == NULL && plan_at(making->removed, to) != NULL && !strcmp(op, "remove_dependency")) {
        return; /* it goes with the task */
    }
    int is_bad = plan_text(operation, "if") != NULL &&
                 strstr(plan_text(operation, "if"), "nonsense") != NULL;
    if (is_bad) {
        refuse(making, "bad_condition");
    }
    if (task == NULL || (plan_at(making->tasks, from) == NULL && !strcmp(op, "add_dependency"))) {
        refuse(making, "unknown_task");
        return;
    }
    json_t *needs = plan_at(task, "needs");
    if (strcmp(op, "add_dependency") == 0) {
        json_t *need = json_pack("{s:s,s:s}", "task", from, "when", when ? when : "success");
        if (plan_text(operation, "if") != NULL) {
            json_object_set(need, "if", plan_at(operation, "if"));
        }
        json_array_append_new(needs, need);
    } else {
        const char *wanted =
            strcmp(op, "update_dependency") == 0 ? plan_text(operation, "old_when") : when;
        int found = plan_has_need(task, from, wanted, NULL);
        bool is_made = plan_has_need(task, from, NULL, NULL) == 0 && refers_to(task, from) &&
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
            if (!plan_need_is(need, from, wanted, NULL)) {
                continue;
            }
            if (strcmp(op, "remove_dependency") == 0) {
                json_array_remove(needs, i - 1);
                continue;
            }
            if (when != NULL) {
                json_object_set_new(need, "when", json_string(when));
            }
            if (json_is_null(plan_at(operation, "if"))) {
                json_object_del(need, "if");
            } else if (plan_at(operation, "if") != NULL) {
                json_object_set(need, "if", plan_at(operation, "if"));
            }
        }
    }
    if (needs_is_double(task)) {
        refuse(making, "duplicate_dependency");
    }
    json_t *order = plan_sorted(needs);
    json_object_set_new(task, "needs", order);
}

json_t *plan_model_apply(json_t *plan, json_t *operations, const char **ret_code)
{
    struct making making = { .tasks = json_deep_copy(plan_at(plan, "tasks")),
                             .set = json_deep_copy(plan_at(plan, "set")),
                             .removed = json_object() };
    for (size_t i = 0; i < json_array_size(operations); i++) {
        json_t *operation = json_array_get(operations, i);
        bool is_update = strcmp(plan_text(operation, "op"), "update_dependency") == 0;
        if (is_update && plan_at(operation, "when") == NULL && plan_at(operation, "if") == NULL) {
            refuse(&making, "missing_key");
        }
    }
    for (size_t i = 0; i < json_array_size(operations); i++) {
        add_or_remove(&making, json_array_get(operations, i));
    }
    for (size_t i = 0; i < json_array_size(operations); i++) {
        json_t *operation = json_array_get(operations, i);
        const char *op = plan_text(operation, "op");
        if (strcmp(op, "add_task") == 0) {
            json_t *spec = plan_model_task(plan_at(operation, "spec"));
            check_text(&making, plan_text(operation, "task"), spec);
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
