/* Random batches: of keys that there are, mostly, and now and then with everything that is refused. */
#include "tests/unit/plan_batch.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { KEYS = 8 };

struct making {
    struct rng *rng;
    json_t *plan;
};

static uint64_t below(struct making *making, uint64_t bound)
{
    return rng_below(making->rng, bound);
}

static bool one_in(struct making *making, uint64_t n)
{
    return below(making, n) == 0;
}

/* One that may be free. */
static const char *any_key(struct making *making)
{
    static const char *const keys[KEYS + 2] = { "k0", "k1", "k2", "k3",    "k4",
                                                "k5", "k6", "k7", "first", "nobody" };
    return one_in(making, 60) ? keys[KEYS + 1] : keys[below(making, KEYS + 1)];
}

/* One that is there, mostly. */
static const char *any_task(struct making *making)
{
    json_t *tasks = json_object_get(making->plan, "tasks");
    const char *key = NULL;
    for (int i = 0; i < 10 && (key == NULL || json_object_get(tasks, key) == NULL); i++) {
        key = any_key(making);
    }
    return key;
}

static const char *any_when(struct making *making)
{
    static const char *const whens[] = { "success", "finished", "failure", "always" };
    return whens[below(making, 4)];
}

static const char *any_condition(struct making *making)
{
    static const char *const conditions[] = { "exit_code > 1", "number = 3", "state = 'failed'" };
    return one_in(making, 6) ? "nonsense > 1" : conditions[below(making, 3)];
}

static json_t *any_need(struct making *making)
{
    const char *key = any_task(making);
    if (one_in(making, 3)) {
        return json_string(key);
    }
    json_t *need = json_pack("{s:s}", "task", key);
    if (!one_in(making, 3)) {
        json_object_set_new(need, "when", json_string(any_when(making)));
    }
    if (one_in(making, 4)) {
        json_object_set_new(need, "if", json_string("number = 3"));
    }
    return need;
}

static json_t *any_needs(struct making *making)
{
    json_t *needs = json_array();
    for (uint64_t left = below(making, 3); left > 0; left--) {
        json_array_append_new(needs, any_need(making));
    }
    return needs;
}

/* What it does and how, but for what it needs. */
static void put_text(struct making *making, json_t *task, bool as_set)
{
    uint64_t kind = below(making, 4);
    if (kind == 0) {
        json_object_set_new(task, "noop", json_true());
    } else {
        json_t *run = json_pack("[s,s]", "echo", kind == 1 ? "a" : "b");
        if (kind == 3) {
            json_array_append_new(run,
                                  json_string(one_in(making, 12) ? "${{ tasks.nobody.stdout }}"
                                                                 : "${{ tasks.first.stdout }}"));
        }
        json_object_set_new(task, "run", run);
    }
    if (one_in(making, 3)) {
        json_object_set_new(task, "priority", json_integer(1 + (json_int_t)below(making, 5)));
    } else if (as_set && one_in(making, 2)) {
        json_object_set_new(task, "priority", json_null());
    }
    if (one_in(making, 3)) {
        json_object_set_new(task, "description",
                            json_string(one_in(making, 2) ? "x" : "ü \" \\ y"));
    }
    if (one_in(making, 4)) {
        json_object_set_new(task, "join",
                            as_set && one_in(making, 2) ? json_null() : json_string("any"));
    }
    if (one_in(making, 5)) {
        json_object_set_new(task, "allow_failure",
                            as_set && one_in(making, 2) ? json_null() : json_true());
    }
}

static json_t *any_set(struct making *making)
{
    json_t *set = json_object();
    if (one_in(making, 3)) {
        json_object_set_new(set, "needs", one_in(making, 3) ? json_null() : any_needs(making));
    }
    if (json_object_size(set) == 0 || one_in(making, 2)) {
        put_text(making, set, true);
    }
    return set;
}

static json_t *any_setting(struct making *making)
{
    json_t *operation = json_pack("{s:s}", "op", "set");
    switch (below(making, 3)) {
    case 0:
        json_object_set_new(operation, "fail_fast", json_boolean(one_in(making, 2)));
        break;
    case 1:
        json_object_set_new(operation, "deadline",
                            one_in(making, 3) ? json_null() : json_string("7200s"));
        break;
    default:
        json_object_set_new(operation, "description",
                            one_in(making, 3) ? json_null() : json_string("what for"));
        break;
    }
    return operation;
}

/* Of two dependencies between the same two tasks, which is not said. */
static json_t *either_of_two(struct making *making)
{
    json_t *tasks = json_object_get(making->plan, "tasks");
    const char *key = NULL;
    json_t *task = NULL;
    json_object_foreach(tasks, key, task)
    {
        json_t *needs = json_object_get(task, "needs");
        for (size_t i = 1; i < json_array_size(needs); i++) { /* they are sorted */
            json_t *from = json_object_get(json_array_get(needs, i), "task");
            for (size_t k = 0; k < i; k++) {
                if (json_equal(from, json_object_get(json_array_get(needs, k), "task"))) {
                    return json_pack("{s:s,s:O,s:s,s:s}", "op", "update_dependency", "from", from,
                                     "to", key, "when", any_when(making));
                }
            }
        }
    }
    return NULL;
}

static json_t *any_dependency(struct making *making, const char *op)
{
    json_t *ambiguous =
        strcmp(op, "update_dependency") == 0 && one_in(making, 4) ? either_of_two(making) : NULL;
    if (ambiguous != NULL) {
        return ambiguous;
    }
    json_t *operation =
        json_pack("{s:s,s:s,s:s}", "op", op, "from", any_task(making), "to", any_task(making));
    bool is_update = strcmp(op, "update_dependency") == 0;
    /* Of those that there are, mostly. */
    const char *key = any_task(making);
    const json_t *task = json_object_get(json_object_get(making->plan, "tasks"), key);
    const json_t *needs = json_object_get(task, "needs");
    if (strcmp(op, "add_dependency") != 0 && json_array_size(needs) > 0) {
        const json_t *need = json_array_get(needs, below(making, json_array_size(needs)));
        json_object_set(operation, "from", json_object_get(need, "task"));
        json_object_set_new(operation, "to", json_string(key));
        if (one_in(making, is_update ? 4 : 2)) {
            json_object_set(operation, is_update ? "old_when" : "when",
                            json_object_get(need, "when"));
        }
    } else if (strcmp(op, "add_dependency") != 0 &&
               task != NULL) { /* perhaps one that a text has made */
        for (int i = 0; i < 12 && json_array_size(json_object_get(task, "run")) < 3; i++) {
            key = any_task(making);
            task = json_object_get(json_object_get(making->plan, "tasks"), key);
        }
        json_object_set_new(operation, "from", json_string("first"));
        json_object_set_new(operation, "to", json_string(key));
    }
    if (strcmp(op, "remove_dependency") == 0) {
        return operation;
    }
    if (!one_in(making, 4)) {
        json_object_set_new(operation, "when", json_string(any_when(making)));
    }
    if (one_in(making, 3)) {
        json_object_set_new(operation, "if",
                            is_update && one_in(making, 2) ? json_null()
                                                           : json_string(any_condition(making)));
    }
    return operation;
}

static json_t *any_addition(struct making *making)
{
    json_t *tasks = json_object_get(making->plan, "tasks");
    json_t *spec = json_object();
    const char *key = any_key(making);
    for (int i = 0; i < 10 && json_object_get(tasks, key) != NULL && !one_in(making, 8); i++) {
        key = any_key(making);
    }
    put_text(making, spec, false);
    json_object_set_new(spec, "needs", any_needs(making));
    return json_pack("{s:s,s:s,s:o}", "op", "add_task", "task", key, "spec", spec);
}

static json_t *any_operation(struct making *making, bool is_single)
{
    static const char *const kinds[] = { "add_task",
                                         "add_task",
                                         "add_task",
                                         "remove_task",
                                         "update_task",
                                         "update_task",
                                         "set",
                                         "update_dependency",
                                         "update_dependency",
                                         "remove_dependency",
                                         "remove_dependency",
                                         "add_dependency",
                                         "add_dependency",
                                         "add_dependency" };
    const char *op = kinds[below(making, sizeof kinds / sizeof kinds[0])];
    if (strcmp(op, "add_task") == 0) {
        return any_addition(making);
    }
    if (strcmp(op, "remove_task") == 0) {
        return json_pack("{s:s,s:s}", "op", op, "task", any_task(making));
    }
    if (strcmp(op, "update_task") == 0) {
        return json_pack("{s:s,s:s,s:o}", "op", op, "task", any_task(making), "set",
                         any_set(making));
    }
    if (strcmp(op, "set") == 0) {
        return any_setting(making);
    }
    /* On itself only alone: another operation may take it back before or after it is looked at. */
    json_t *operation = any_dependency(making, op);
    while (!is_single &&
           json_equal(json_object_get(operation, "from"), json_object_get(operation, "to"))) {
        json_decref(operation);
        operation = any_dependency(making, op);
    }
    return operation;
}

static bool is_of(const json_t *operation, const char *op, const json_t *key)
{
    return strcmp(json_string_value(json_object_get(operation, "op")), op) == 0 &&
           json_equal(json_object_get(operation, "task"), key);
}

static bool is_added_in(const json_t *list, const json_t *key)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (is_of(json_array_get(list, i), "add_task", key)) {
            return true;
        }
    }
    return false;
}

json_t *plan_batch(struct rng *rng, json_t *plan)
{
    struct making of = { .rng = rng, .plan = plan };
    struct making *making = &of;
    json_t *list = json_array();
    bool is_single = one_in(making, 2);
    for (uint64_t left = is_single ? 1 : 2 + below(making, 3); left > 0; left--) {
        json_t *operation = any_operation(making, is_single);
        const json_t *key = json_object_get(operation, "task");
        bool is_removal = is_of(operation, "remove_task", key);
        bool is_rewrite = is_removal && one_in(making, 3);
        if (is_removal && is_added_in(list, key)) {
            json_decref(operation);
            left++;
            continue;
        }
        json_t *again = is_rewrite ? json_pack("{s:s,s:O,s:{s:b,s:o}}", "op", "add_task", "task",
                                               json_object_get(operation, "task"), "spec", "noop",
                                               1, "needs", any_needs(making))
                                   : NULL;
        json_array_append_new(list, operation);
        if (again != NULL) {
            json_array_append_new(list, again);
        }
    }
    return list;
}
