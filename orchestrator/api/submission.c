#include "orchestrator/api/submission.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/api/api_inner.h"

void submission_add_devices(struct api *api, struct job_submit *submit)
{
    static const char word[] = "each";
    if (submit->text.length == 0 ||
        memmem(submit->text.data, submit->text.length, word, sizeof(word) - 1) == NULL) {
        return;
    }
    struct arena *arena = &submit->arena;
    size_t count = (size_t)engine_stats(api->config.engine).devices;
    struct spec_device *list = arena_array(arena, count + 1, sizeof(*list));
    struct moment now = api_now(api);
    struct device_view view;
    size_t at = 0;
    size_t taken = 0;
    while (taken < count && engine_each_device(api->config.engine, &at, now, &view)) {
        const struct msg_profile *profile = &view.record->profile;
        struct msg_pair *labels = arena_array(arena, profile->labels_count + 1, sizeof(*labels));
        for (size_t i = 0; i < profile->labels_count; i++) {
            labels[i].key = arena_str(arena, profile->labels[i].key);
            labels[i].value = arena_str(arena, profile->labels[i].value);
        }
        list[taken++] = (struct spec_device){ arena_str(arena, view.record->name), labels,
                                              profile->labels_count };
    }
    submit->inputs.devices = list;
    submit->inputs.devices_count = taken;
}

static enum err read_params(struct job_submit *submit, const json_t *params, struct reason *reason)
{
    size_t count = json_object_size(params);
    if (count > SUBMISSION_PARAMS_MAX) {
        return reason_set(reason, ERR_INVALID, "a submission has at most %d params",
                          SUBMISSION_PARAMS_MAX);
    }
    struct arena *arena = &submit->arena;
    struct spec_param *list = arena_array(arena, count + 1, sizeof(*list));
    size_t taken = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)params, name, value)
    {
        /* A text is as it was typed, and becomes what the param's type makes of it. */
        bool is_text = json_is_string(value);
        char *json = is_text ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        struct str text = is_text
                              ? (struct str){ json_string_value(value), json_string_length(value) }
                              : str_of(json);
        list[taken++] =
            (struct spec_param){ arena_str(arena, str_of(name)), arena_str(arena, text), !is_text };
        free(json);
    }
    submit->inputs.params = list;
    submit->inputs.params_count = taken;
    return ERR_NONE;
}

enum err submission_open(struct job_submit *submit, struct str *ret_text, struct reason *reason)
{
    json_error_t problem = { .line = 0 };
    json_t *tree = json_loadb((const char *)submit->text.data, submit->text.length,
                              JSON_REJECT_DUPLICATES, &problem);
    if (tree == NULL) {
        return reason_set(reason, ERR_INVALID, "the submission is no JSON: line %d, column %d: %s",
                          problem.line, problem.column, problem.text);
    }
    const json_t *text = json_object_get(tree, "spec");
    const json_t *params = json_object_get(tree, "params");
    size_t known = (text != NULL) + (size_t)(params != NULL);
    enum err err = ERR_NONE;
    if (!json_is_string(text) || (params != NULL && !json_is_object(params)) ||
        json_object_size(tree) != known) {
        err = reason_set(reason, ERR_INVALID,
                         "a submission is {\"spec\": TEXT, \"params\": {NAME: VALUE}}");
    } else {
        err = read_params(submit, params, reason);
    }
    if (err == ERR_NONE) {
        *ret_text = arena_str(&submit->arena,
                              (struct str){ json_string_value(text), json_string_length(text) });
    }
    json_decref(tree);
    return err;
}
