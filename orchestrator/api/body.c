#include "orchestrator/api/body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t SECONDS_MAX = (int64_t)10 * 365 * 24 * 3600;

static bool is_known(const char *const *known, const char *key)
{
    while (*known != NULL && strcmp(*known, key) != 0) {
        known++;
    }
    return *known != NULL;
}

static enum err refuse_key(const char *const *known, const char *key, struct reason *reason)
{
    char list[160] = "";
    for (size_t i = 0; known[i] != NULL; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof(list) - length, "%s%s", i == 0 ? "" : ", ", known[i]);
    }
    return reason_set(reason, ERR_INVALID, "the body must not have the key \"%.40s\"; known %s %s",
                      key, known[0] != NULL && known[1] == NULL ? "is" : "are",
                      known[0] == NULL ? "none" : list);
}

/* At least as many values as there are, if it is JSON: what comes before a comma, and what is in a bracket. */
static size_t count_values(struct str text)
{
    size_t count = 0;
    bool in_text = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '"') {
            in_text = !in_text;
        } else if (in_text) {
            i += c == '\\';
        } else {
            count += c == ',' || c == '[' || c == '{';
        }
    }
    return count;
}

enum err body_read(struct str text, const char *const *known, json_t **ret_body,
                   struct reason *reason)
{
    if (text.length > BODY_BYTES_MAX) {
        return reason_set(reason, ERR_LIMIT, "the body has at most %d bytes", BODY_BYTES_MAX);
    }
    if (count_values(text) > BODY_VALUES_MAX) {
        return reason_set(reason, ERR_LIMIT, "the body has at most %d values", BODY_VALUES_MAX);
    }
    json_error_t problem = { .line = 0 };
    json_t *body = text.length == 0
                       ? json_object()
                       : json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &problem);
    if (body == NULL) {
        return reason_set(reason, ERR_INVALID, "the body is no JSON: line %d, column %d: %s",
                          problem.line, problem.column, problem.text);
    }
    enum err err = ERR_NONE;
    if (!json_is_object(body)) {
        err = reason_set(reason, ERR_INVALID, "the body must be a JSON object");
    }
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value)
    {
        if (err == ERR_NONE && !is_known(known, key)) {
            err = refuse_key(known, key, reason);
        }
    }
    if (err != ERR_NONE) {
        json_decref(body);
        return err;
    }
    *ret_body = body;
    return ERR_NONE;
}

static const json_t *find(const json_t *body, const char *key)
{
    const json_t *value = json_object_get(body, key);
    return json_is_null(value) ? NULL : value;
}

static struct str copy(struct arena *arena, const json_t *text)
{
    return arena_str(arena, (struct str){ json_string_value(text), json_string_length(text) });
}

enum err body_text(const json_t *body, const char *key, size_t bytes_max, struct arena *arena,
                   struct str *ret_text, struct reason *reason)
{
    const json_t *value = find(body, key);
    if (value == NULL) {
        return ERR_NONE;
    }
    if (!json_is_string(value) || json_string_length(value) > bytes_max) {
        return reason_set(reason, ERR_INVALID, "%s must be text of at most %zu bytes", key,
                          bytes_max);
    }
    *ret_text = copy(arena, value);
    return ERR_NONE;
}

enum err body_texts(const json_t *body, const char *key, size_t max, struct arena *arena,
                    struct str **ret_list, size_t *ret_count, struct reason *reason)
{
    const json_t *value = find(body, key);
    if (value == NULL) {
        return ERR_NONE;
    }
    size_t count = json_is_string(value) ? 1 : json_array_size(value);
    if (!json_is_string(value) && !json_is_array(value)) {
        return reason_set(reason, ERR_INVALID, "%s must be a list of texts", key);
    }
    if (count > max) {
        return reason_set(reason, ERR_LIMIT, "%s has at most %zu items", key, max);
    }
    struct str *list = arena_array(arena, count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_string(value) ? value : json_array_get(value, i);
        if (!json_is_string(item) || json_string_length(item) == 0) {
            return reason_set(reason, ERR_INVALID, "%s must be a list of texts", key);
        }
        list[i] = copy(arena, item);
    }
    *ret_list = list;
    *ret_count = count;
    return ERR_NONE;
}

enum err body_flag(const json_t *body, const char *key, bool *ret_flag, struct reason *reason)
{
    const json_t *value = find(body, key);
    if (value == NULL) {
        return ERR_NONE;
    }
    if (!json_is_boolean(value)) {
        return reason_set(reason, ERR_INVALID, "%s must be true or false", key);
    }
    *ret_flag = json_is_true(value);
    return ERR_NONE;
}

enum err body_duration(const json_t *body, const char *key, int64_t *ret_ms, struct reason *reason)
{
    const json_t *value = find(body, key);
    if (value == NULL) {
        return ERR_NONE;
    }
    int64_t ms = 0;
    bool good = json_is_string(value) &&
                str_to_duration_ms(
                    (struct str){ json_string_value(value), json_string_length(value) }, &ms);
    if (json_is_number(value)) {
        double seconds = json_number_value(value);
        good = seconds > 0 && seconds <= (double)SECONDS_MAX;
        ms = good ? (int64_t)(seconds * 1000.0) : 0;
    }
    if (!good || ms <= 0) {
        return reason_set(reason, ERR_INVALID, "%s must be a span of time, as \"10m\"", key);
    }
    *ret_ms = ms;
    return ERR_NONE;
}

enum err body_word(const json_t *body, const char *key, const char *words, int *ret_place,
                   struct reason *reason)
{
    const json_t *value = find(body, key);
    if (value == NULL) {
        return ERR_NONE;
    }
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    int place = 1;
    for (const char *at = words; *at != '\0'; place++) {
        size_t length = strcspn(at, " ");
        if (strlen(text) == length && memcmp(at, text, length) == 0) {
            *ret_place = place;
            return ERR_NONE;
        }
        at += length + (at[length] == ' ');
    }
    return reason_set(reason, ERR_INVALID, "%s must be one of: %s", key, words);
}
