/* The plain model: plans as they are shown, in one form. */
#include "tests/unit/plan_model_parts.h"

#include <stdlib.h>
#include <string.h>

const char *plan_text(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

json_t *plan_at(json_t *object, const char *key)
{
    return json_object_get(object, key);
}

/* --- Lists in a fixed order --- */

struct item {
    char *text;
    json_t *json;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->text, ((const struct item *)b)->text);
}

json_t *plan_sorted(json_t *list)
{
    size_t count = json_array_size(list);
    struct item *items = calloc(count + 1, sizeof *items);
    json_t *result = json_array();
    for (size_t i = 0; i < count; i++) {
        items[i].json = json_array_get(list, i);
        items[i].text =
            count == 1 ? NULL : json_dumps(items[i].json, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    }
    qsort(items, count, sizeof *items, by_text);
    for (size_t i = 0; i < count; i++) {
        json_array_append(result, items[i].json);
        free(items[i].text);
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
    if (plan_at(need, "when") == NULL) {
        json_object_set_new(need, "when", json_string("success"));
    }
    return need;
}

json_t *plan_model_task(json_t *spec)
{
    json_t *task = json_deep_copy(spec);
    json_t *written = plan_at(spec, "needs");
    json_t *needs = json_array();
    if (json_is_string(written)) {
        json_array_append_new(needs, read_need(written));
    }
    for (size_t i = 0; i < json_array_size(written); i++) {
        json_array_append_new(needs, read_need(json_array_get(written, i)));
    }
    json_object_set_new(task, "needs", plan_sorted(needs));
    json_decref(needs);
    return task;
}

json_t *plan_model_read(json_t *shown)
{
    json_t *tasks = json_object();
    json_t *set = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(plan_at(shown, "tasks"), key, value)
    {
        json_object_set_new(tasks, key, plan_model_task(value));
    }
    static const char *const settings[] = { "fail_fast", "deadline", "description" };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        value = plan_at(shown, settings[i]);
        if (value != NULL && !json_is_false(value)) {
            json_object_set(set, settings[i], value);
        }
    }
    return json_pack("{s:o,s:o}", "tasks", tasks, "set", set);
}

/* --- Dependencies --- */

int plan_need_is(json_t *need, const char *task, const char *when, const char *condition)
{
    const char *other = plan_text(need, "if");
    return strcmp(plan_text(need, "task"), task) == 0 &&
           (when == NULL || strcmp(plan_text(need, "when"), when) == 0) &&
           (condition == NULL || (other == NULL ? *condition == 0 : !strcmp(other, condition)));
}

int plan_has_need(json_t *task, const char *from, const char *when, const char *condition)
{
    int count = 0;
    for (size_t i = 0; i < json_array_size(plan_at(task, "needs")); i++) {
        count += plan_need_is(json_array_get(plan_at(task, "needs"), i), from, when, condition);
    }
    return count;
}
