/* The plain model: what is different in two plans. */
#include <string.h>

#include "tests/unit/plan_model_parts.h"

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
        if (strcmp(key, "needs") != 0 && !json_equal(value, plan_at(after, key))) {
            json_t *other = plan_at(after, key);
            json_object_set_new(keys, key, pair(value, other == NULL ? json_null() : other));
        }
    }
    json_object_foreach(after, key, value)
    {
        if (strcmp(key, "needs") != 0 && plan_at(before, key) == NULL) {
            json_object_set_new(keys, key, pair(json_null(), value));
        }
    }
    return keys;
}

static void needs_only_in(json_t *list, const char *to, json_t *task, json_t *other)
{
    for (size_t i = 0; i < json_array_size(plan_at(task, "needs")); i++) {
        json_t *need = json_array_get(plan_at(task, "needs"), i);
        const char *condition = plan_text(need, "if");
        if (plan_has_need(other, plan_text(need, "task"), plan_text(need, "when"),
                          condition ? condition : "")) {
            continue;
        }
        json_t *row = json_pack("{s:s,s:s,s:s}", "from", plan_text(need, "task"), "to", to, "when",
                                plan_text(need, "when"));
        if (condition != NULL) {
            json_object_set(row, "if", plan_at(need, "if"));
        }
        json_array_append_new(list, row);
    }
}

static json_t *rows(json_t *list)
{
    json_t *result = plan_sorted(list);
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
    json_object_foreach(plan_at(after, "tasks"), key, task)
    {
        json_t *old = plan_at(plan_at(before, "tasks"), key);
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
    json_object_foreach(plan_at(before, "tasks"), key, task)
    {
        json_t *now = plan_at(plan_at(after, "tasks"), key);
        needs_only_in(unlinked, key, task, now);
        if (now == NULL) {
            json_array_append_new(removed, json_pack("{s:s,s:O}", "task", key, "spec", task));
        }
    }
    return json_pack("{s:{s:o,s:o,s:o},s:{s:o,s:o},s:o}", "tasks", "added", rows(added), "removed",
                     rows(removed), "changed", rows(changed), "dependencies", "added", rows(linked),
                     "removed", rows(unlinked), "set",
                     changed_keys(plan_at(before, "set"), plan_at(after, "set")));
}

static json_t *with_specs(json_t *list)
{
    json_t *result = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array_get(list, i);
        json_array_append_new(result, json_pack("{s:O,s:o}", "task", plan_at(row, "task"), "spec",
                                                plan_model_task(plan_at(row, "spec"))));
    }
    return rows(result);
}

json_t *plan_model_read_diff(json_t *shown)
{
    json_t *tasks = plan_at(shown, "tasks");
    json_t *needs = plan_at(shown, "dependencies");
    json_t *set = json_deep_copy(plan_at(shown, "set"));
    json_t *fail_fast = plan_at(set, "fail_fast");
    if (fail_fast != NULL) { /* false is what it is when nobody says so */
        json_t *before = plan_at(fail_fast, "before");
        json_t *after = plan_at(fail_fast, "after");
        json_object_set_new(set, "fail_fast",
                            pair(json_is_true(before) ? before : json_null(),
                                 json_is_true(after) ? after : json_null()));
    }
    return json_pack("{s:{s:o,s:o,s:o},s:{s:o,s:o},s:o}", "tasks", "added",
                     with_specs(plan_at(tasks, "added")), "removed",
                     with_specs(plan_at(tasks, "removed")), "changed",
                     plan_sorted(plan_at(tasks, "changed")), "dependencies", "added",
                     plan_sorted(plan_at(needs, "added")), "removed",
                     plan_sorted(plan_at(needs, "removed")), "set", set);
}
