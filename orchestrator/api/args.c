/* See args.h. */
#include "orchestrator/api/args.h"

#include <inttypes.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Percent-decodes; '+' is a space, as forms write it. False for a broken escape. */
static bool decode(struct str text, struct arena *arena, struct str *ret_text)
{
    char *to = arena_copy(arena, text.data == NULL ? "" : text.data, text.length);
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        char c = text.data[at];
        if (c == '%') {
            int high = at + 2 < text.length ? hex_digit(text.data[at + 1]) : -1;
            int low = at + 2 < text.length ? hex_digit(text.data[at + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            at += 2;
        } else if (c == '+') {
            c = ' ';
        }
        to[length++] = c;
    }
    to[length] = '\0';
    *ret_text = (struct str){ to, length };
    return true;
}

static bool is_known(const char *const *known, struct str name)
{
    for (size_t i = 0; known != NULL && known[i] != NULL; i++) {
        if (str_is(name, known[i])) {
            return true;
        }
    }
    return false;
}

static enum err unknown(const char *const *known, struct str name, struct reason *reason)
{
    char list[160] = "none";
    size_t length = 0;
    for (size_t i = 0; known != NULL && known[i] != NULL; i++) {
        size_t bytes = strlen(known[i]);
        if (length + bytes + 3 > sizeof(list)) {
            break;
        }
        if (length > 0) {
            memcpy(list + length, ", ", 2);
            length += 2;
        }
        memcpy(list + length, known[i], bytes);
        length += bytes;
        list[length] = '\0';
    }
    return reason_set(reason, ERR_INVALID, "unknown query parameter \"%.*s\"; known here: %s",
                      STR_ARG(name), list);
}

static enum err read_one(struct str pair, const char *const *known, struct arena *arena,
                         struct args *args, struct reason *reason)
{
    const char *equals = memchr(pair.data, '=', pair.length);
    size_t name_length = equals == NULL ? pair.length : (size_t)(equals - pair.data);
    struct str raw_name = { pair.data, name_length };
    struct str raw_value = { "", 0 };
    if (equals != NULL) {
        raw_value = (struct str){ equals + 1, pair.length - name_length - 1 };
    }
    if (raw_name.length > 3 * ARG_NAME_BYTES_MAX || raw_value.length > ARG_VALUE_BYTES_MAX) {
        return reason_set(reason, ERR_INVALID, "a query parameter is too long");
    }
    struct arg arg;
    if (!decode(raw_name, arena, &arg.name) || !decode(raw_value, arena, &arg.value) ||
        !str_is_utf8(arg.name) || !str_is_utf8(arg.value)) {
        return reason_set(reason, ERR_INVALID,
                          "the query is not percent-encoded UTF-8 (\"%%\" must be written %%25)");
    }
    if (!is_known(known, arg.name)) {
        return unknown(known, arg.name, reason);
    }
    struct str before;
    char name[ARG_NAME_BYTES_MAX + 1] = { 0 };
    memcpy(name, arg.name.data, arg.name.length < ARG_NAME_BYTES_MAX ? arg.name.length : 0);
    if (args_get(args, name, &before)) {
        return reason_set(reason, ERR_INVALID, "query parameter \"%s\" is given twice", name);
    }
    if (args->count == ARGS_MAX) {
        return reason_set(reason, ERR_INVALID, "too many query parameters");
    }
    args->list[args->count++] = arg;
    return ERR_NONE;
}

enum err args_read(struct str query, const char *const *known, struct arena *arena,
                   struct args *ret_args, struct reason *reason)
{
    struct args args = { 0 };
    size_t at = 0;
    while (at < query.length) {
        const char *end = memchr(query.data + at, '&', query.length - at);
        size_t length = end == NULL ? query.length - at : (size_t)(end - query.data) - at;
        if (length > 0) {
            enum err err =
                read_one((struct str){ query.data + at, length }, known, arena, &args, reason);
            if (err != ERR_NONE) {
                return err;
            }
        }
        at += length + 1;
    }
    *ret_args = args;
    return ERR_NONE;
}

bool args_get(const struct args *args, const char *name, struct str *ret_value)
{
    for (size_t i = 0; i < args->count; i++) {
        if (str_is(args->list[i].name, name)) {
            *ret_value = args->list[i].value;
            return true;
        }
    }
    return false;
}

enum err args_number(const struct args *args, const char *name, uint64_t min, uint64_t max,
                     uint64_t fallback, uint64_t *ret_value, struct reason *reason)
{
    struct str text;
    uint64_t value = fallback;
    if (args_get(args, name, &text) && (!str_to_uint64(text, max, &value) || value < min)) {
        return reason_set(reason, ERR_INVALID,
                          "%s must be a whole number from %" PRIu64 " to %" PRIu64, name, min, max);
    }
    *ret_value = value;
    return ERR_NONE;
}

enum err args_flag(const struct args *args, const char *name, bool *ret_value,
                   struct reason *reason)
{
    struct str text;
    bool value = false;
    if (args_get(args, name, &text)) {
        value = str_is(text, "1") || str_is(text, "true");
        if (!value && !str_is(text, "0") && !str_is(text, "false")) {
            return reason_set(reason, ERR_INVALID, "%s must be 1 or 0", name);
        }
    }
    *ret_value = value;
    return ERR_NONE;
}

bool args_item(struct str list, size_t *at, struct str *ret_item)
{
    while (*at < list.length) {
        const char *from = list.data + *at;
        const char *comma = memchr(from, ',', list.length - *at);
        size_t length = comma == NULL ? list.length - *at : (size_t)(comma - from);
        *at += length + 1;
        if (length > 0) {
            *ret_item = (struct str){ from, length };
            return true;
        }
    }
    return false;
}
