#include "agent/exec/value.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "proto/msg/msg.h"

static bool is_blank(struct str text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL || text.data[i] == 0) {
            return false;
        }
    }
    return true;
}

static enum err too_large(const char *what, struct reason *reason)
{
    return reason_set(reason, ERR_LIMIT, "%s is larger than %d KiB", what,
                      (int)MSG_RESULT_BYTES_MAX / 1024);
}

/* Takes value. */
static enum err dump(json_t *value, const char *what, char **ret_json, struct reason *reason)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    if (text == NULL) {
        return reason_set(reason, ERR_INVALID, "%s cannot be kept as JSON", what);
    }
    size_t length = strlen(text);
    if (length > MSG_RESULT_BYTES_MAX) {
        free(text);
        return too_large(what, reason);
    }
    *ret_json = mem_copy_text(text);
    free(text);
    return ERR_NONE;
}

static bool is_key(const char *key, size_t length)
{
    if (length == 0 || length > MSG_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)key[i];
        if (c >= 0x80 || (!isalnum(c) && c != '_' && c != '-' && c != '.')) {
            return false;
        }
    }
    return true;
}

/* NULL: some line is not k=v. */
static json_t *parse_lines(struct str text)
{
    json_t *object = json_object();
    size_t at = 0;
    while (at < text.length) {
        const char *line = text.data + at;
        const char *newline = memchr(line, '\n', text.length - at);
        size_t length = newline == NULL ? text.length - at : (size_t)(newline - line);
        at += length + 1;
        if (length > 0 && line[length - 1] == '\r') {
            length--;
        }
        if (length == 0) {
            continue;
        }
        const char *equals = memchr(line, '=', length);
        size_t key_length = equals == NULL ? 0 : (size_t)(equals - line);
        struct str value = { line + key_length + 1, length - key_length - 1 };
        if (!is_key(line, key_length) || !str_is_utf8(value)) {
            json_decref(object);
            return NULL;
        }
        char key[MSG_NAME_BYTES_MAX + 1];
        memcpy(key, line, key_length);
        key[key_length] = 0;
        json_object_set_new(object, key, json_stringn(value.data, value.length));
    }
    return object;
}

/* JSON, or with takes_lines also k=v lines. */
static enum err value_of(struct str text, bool takes_lines, const char *what, char **ret_json,
                         struct reason *reason)
{
    *ret_json = NULL;
    if (text.length > MSG_RESULT_BYTES_MAX) {
        return too_large(what, reason);
    }
    if (is_blank(text)) {
        return ERR_NONE;
    }
    json_error_t error;
    json_t *value =
        json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL && takes_lines) {
        value = parse_lines(text);
    }
    if (value != NULL) {
        return dump(value, what, ret_json, reason);
    }
    return reason_set(reason, ERR_INVALID,
                      takes_lines
                          ? "%s is neither JSON nor k=v lines (as JSON: line %d, column %d: %s)"
                          : "%s is not JSON: line %d, column %d: %s",
                      what, error.line, error.column, error.text);
}

enum err value_of_json(struct str text, const char *what, char **ret_json, struct reason *reason)
{
    return value_of(text, false, what, ret_json, reason);
}

enum err value_of_output(struct str text, const char *what, char **ret_json, struct reason *reason)
{
    return value_of(text, true, what, ret_json, reason);
}
