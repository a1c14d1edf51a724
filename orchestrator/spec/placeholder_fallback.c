/* Defaults of placeholders: what stands behind ||. */
#include <jansson.h>

#include "orchestrator/spec/placeholder.h"

size_t placeholder_quoted_bytes(struct str text)
{
    char quote = text.data[0];
    for (size_t i = 1; i < text.length; i++) {
        if (quote == '"' && text.data[i] == '\\') {
            i++;
        } else if (text.data[i] == quote) {
            if (quote == '"' || i + 1 == text.length || text.data[i + 1] != quote) {
                return i + 1;
            }
            i++; /* two of them are one that does not end it */
        }
    }
    return 0;
}

bool placeholder_is_fallback(struct str text)
{
    if (text.length > 0 && text.data[0] == '\'') {
        return placeholder_quoted_bytes(text) == text.length;
    }
    /* jansson's own limits (large numbers, a NUL in a text) are no surprise here. */
    json_t *value = text.length == 0 ? NULL
                                     : json_loadb(text.data, text.length,
                                                  JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool is_scalar = value != NULL && !json_is_object(value) && !json_is_array(value);
    json_decref(value);
    return is_scalar;
}

void placeholder_fallback(struct str fallback, struct buf *text)
{
    if (fallback.length == 0 || (fallback.data[0] != '\'' && fallback.data[0] != '"')) {
        buf_append(text, fallback.data, fallback.length);
        return;
    }
    if (fallback.data[0] == '"') {
        json_t *value =
            json_loadb(fallback.data, fallback.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (value != NULL) {
            buf_append(text, json_string_value(value), json_string_length(value));
        }
        json_decref(value);
        return;
    }
    for (size_t i = 1; i + 1 < fallback.length; i++) {
        buf_append(text, &fallback.data[i], 1);
        i += fallback.data[i] == '\'';
    }
}
