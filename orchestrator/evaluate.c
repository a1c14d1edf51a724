#include "orchestrator/evaluate.h"

#include <jansson.h>

static enum err read_value(const json_t *item, struct arena *arena, struct condition_value *ret)
{
    switch (json_typeof(item)) {
    case JSON_NULL:
        *ret = (struct condition_value){ .type = CONDITION_VALUE_NULL };
        return ERR_NONE;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = (struct condition_value){ .type = CONDITION_VALUE_INTEGER,
                                         .integer = json_is_true(item) };
        return ERR_NONE;
    case JSON_INTEGER:
        *ret = (struct condition_value){ .type = CONDITION_VALUE_INTEGER,
                                         .integer = json_integer_value(item) };
        return ERR_NONE;
    case JSON_REAL:
        *ret =
            (struct condition_value){ .type = CONDITION_VALUE_REAL, .real = json_real_value(item) };
        return ERR_NONE;
    case JSON_STRING:
        *ret = (struct condition_value){
            .type = CONDITION_VALUE_TEXT,
            .text =
                arena_str(arena, (struct str){ json_string_value(item), json_string_length(item) }),
        };
        return ERR_NONE;
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return ERR_CORRUPT;
}

/* The JSON array that the store keeps beside the text. */
static enum err read_arguments(struct str json, struct arena *arena,
                               struct condition_value values[CONDITION_PLACEHOLDERS_MAX],
                               size_t *ret_count)
{
    *ret_count = 0;
    if (json.length == 0) {
        return ERR_NONE;
    }
    json_t *list = json_loadb(json.data, json.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    size_t count = json_array_size(list);
    enum err err =
        json_is_array(list) && count <= CONDITION_PLACEHOLDERS_MAX ? ERR_NONE : ERR_CORRUPT;
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        err = read_value(json_array_get(list, i), arena, &values[i]);
    }
    json_decref(list);
    if (err == ERR_NONE) {
        *ret_count = count;
    }
    return err;
}

static struct condition_inputs inputs_of(const struct store_outcome *outcome)
{
    struct condition_inputs inputs = {
        .state = str_of(task_state_name(outcome->state)),
    };
    if (outcome->has_run) {
        inputs.has_exit_code = outcome->has_exit_code;
        inputs.exit_code = outcome->exit_code;
        inputs.attempt = outcome->attempt;
        inputs.output = outcome->result;
        inputs.has_stdout = true;
        inputs.stdout_bytes = outcome->stdout_bytes;
        inputs.stdout_data = outcome->stdout_data;
        inputs.has_duration = outcome->duration_ms >= 0;
        inputs.duration_ms = outcome->duration_ms;
    }
    return inputs;
}

enum err evaluate_edge(struct store *store, struct condition_engine *conditions,
                       const struct effect *effect, struct arena *arena, size_t *work,
                       struct event *ret_event, struct reason *reason)
{
    int64_t edge_id = effect->evaluate.edge_id;
    struct str text;
    struct str arguments;
    struct store_outcome outcome;
    struct condition_value values[CONDITION_PLACEHOLDERS_MAX];
    size_t count = 0;
    enum err err = store_edge_condition(store, edge_id, arena, &text, &arguments);
    if (err == ERR_NONE) {
        err = store_outcome(store, effect->evaluate.from_id, CONDITION_INPUT_BYTES_MAX, arena,
                            &outcome);
    }
    if (err == ERR_NONE) {
        err = read_arguments(arguments, arena, values, &count);
    }
    if (err != ERR_NONE) {
        return reason_set(reason, ERR_IO, "the condition of dependency %lld cannot be read",
                          (long long)edge_id);
    }
    struct condition_inputs inputs = inputs_of(&outcome);
    struct reason words = { "" };
    enum condition_verdict verdict =
        condition_evaluate(conditions, text, &inputs, values, count, &words);
    *work += condition_engine_work(conditions) + arguments.length;
    *ret_event = (struct event){
        .kind = EVENT_EVALUATED,
        .evaluated = {
            .constellation_id = effect->evaluate.constellation_id,
            .edge_id = edge_id,
            .opens = verdict == CONDITION_OPEN,
            .reason = verdict == CONDITION_ERROR ? arena_str(arena, str_of(words.text))
                                                 : (struct str){ NULL, 0 },
        },
    };
    if (verdict == CONDITION_ERROR && ret_event->evaluated.reason.length == 0) {
        ret_event->evaluated.reason = STR("the condition cannot be evaluated");
    }
    return ERR_NONE;
}
