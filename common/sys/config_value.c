/* One setting: from the text that a person wrote to the place in the program's struct. */
#include <string.h>

#include "common/base/check.h"
#include "common/sys/config_internal.h"

const struct config_row *config_row_find(const struct config_table *table, const char *name)
{
    for (size_t i = 0; i < table->rows_count; i++) {
        if (strcmp(table->rows[i].name, name) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

const char *config_row_nearest(const struct config_table *table, const char *name)
{
    enum { FAR = 3 };
    const char *best = NULL;
    unsigned best_distance = FAR;
    for (size_t i = 0; i < table->rows_count; i++) {
        const char *candidate = table->rows[i].name;
        unsigned distance = str_distance(str_of(candidate), str_of(name), FAR);
        if (distance < best_distance && distance < strlen(candidate)) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

bool config_row_is_list(const struct config_row *row)
{
    return row->type == CONFIG_LIST || row->type == CONFIG_PAIRS;
}

bool config_size_of(const char *text, int64_t *ret_bytes)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {
        { "", 1 },
        { "B", 1 },
        { "K", 1024 },
        { "M", 1024LL * 1024 },
        { "G", 1024LL * 1024 * 1024 },
        { "KiB", 1024 },
        { "MiB", 1024LL * 1024 },
        { "GiB", 1024LL * 1024 * 1024 },
        { "TiB", 1024LL * 1024 * 1024 * 1024 },
        { "KB", 1000 },
        { "MB", 1000LL * 1000 },
        { "GB", 1000LL * 1000 * 1000 },
    };
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + (text[digits] == ' ');
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        uint64_t count = 0;
        if (strcmp(unit, units[i].name) == 0 &&
            str_to_uint64((struct str){ text, digits }, (uint64_t)(INT64_MAX / units[i].bytes),
                          &count)) {
            *ret_bytes = (int64_t)count * units[i].bytes;
            return true;
        }
    }
    return false;
}

static bool bool_of(const char *text, bool *ret_value)
{
    static const char *const yes[] = { "true", "yes", "on", "1" };
    static const char *const no[] = { "false", "no", "off", "0" };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *ret_value = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool int_of(const char *text, int64_t *ret_value)
{
    bool negative = *text == '-';
    uint64_t value = 0;
    if (!str_to_uint64(str_of(text + negative), INT64_MAX, &value)) {
        return false;
    }
    *ret_value = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool choice_allows(const char *choices, const char *text)
{
    size_t length = strcspn(text, "|");
    if (length == 0 || text[length] != 0) {
        return false;
    }
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, text, length) == 0 && (at[length] == 0 || at[length] == '|')) {
            return true;
        }
    }
    return false;
}

/* A pair's key may not be empty; the rest of its grammar is the program's business. */
static bool is_pair(const char *text)
{
    const char *equals = strchr(text, '=');
    return equals != NULL && equals != text;
}

static enum err set_number(const struct config_row *row, const char *text, void *place,
                           const char *where, struct reason *reason)
{
    int64_t value = 0;
    bool any = row->min == 0 && row->max == 0;
    const char *kind = "a whole number";
    bool good = false;
    if (row->type == CONFIG_DURATION) {
        kind = "a duration such as 250ms, 90s, 5m, 1h or 7d";
        good = str_to_duration_ms(str_of(text), &value);
    } else if (row->type == CONFIG_SIZE) {
        kind = "a size such as 512, 64KiB, 1MiB or 10GiB";
        good = config_size_of(text, &value);
    } else {
        good = int_of(text, &value);
    }
    if (!good) {
        return reason_set(reason, ERR_INVALID, "%s: \"%s\" is not %s", where, text, kind);
    }
    if (any ? value < 0 : value < row->min || value > row->max) {
        const char *unit = row->type == CONFIG_DURATION ? " milliseconds"
                           : row->type == CONFIG_SIZE   ? " bytes"
                                                        : "";
        if (any) {
            return reason_set(reason, ERR_INVALID, "%s: %s must not be negative", where, text);
        }
        return reason_set(reason, ERR_INVALID, "%s: %s is not within %lld to %lld%s", where, text,
                          (long long)row->min, (long long)row->max, unit);
    }
    *(int64_t *)place = value;
    return ERR_NONE;
}

static enum err add_item(struct config_loading *loading, const struct config_row *row,
                         struct config_list *list, const char *text, const char *where,
                         struct reason *reason)
{
    if (row->type == CONFIG_PAIRS && !is_pair(text)) {
        return reason_set(reason, ERR_INVALID, "%s: \"%s\" is not of the form key=value", where,
                          text);
    }
    if (*text == 0) {
        return reason_set(reason, ERR_INVALID, "%s: an empty item", where);
    }
    if (list->count == CONFIG_LIST_MAX) {
        return reason_set(reason, ERR_LIMIT, "%s: more than %d items", where, CONFIG_LIST_MAX);
    }
    list->items[list->count++] = arena_copy(&loading->config->arena, text, strlen(text));
    return ERR_NONE;
}

enum err config_set(struct config_loading *loading, const struct config_row *row,
                    enum config_source source, const char *text, const char *where,
                    struct reason *reason)
{
    size_t index = (size_t)(row - loading->table->rows);
    enum config_source *from = &loading->sources[index];
    if (*from > source) {
        return ERR_NONE;
    }
    if (strlen(text) > CONFIG_VALUE_BYTES_MAX) {
        return reason_set(reason, ERR_LIMIT, "%s: longer than %d bytes", where,
                          CONFIG_VALUE_BYTES_MAX);
    }
    void *place = (char *)loading->values + row->offset;
    bool is_first = *from != source;
    *from = source;
    switch (row->type) {
    case CONFIG_CHOICE:
        if (!choice_allows(row->choices, text)) {
            return reason_set(reason, ERR_INVALID, "%s: \"%s\" is none of %s", where, text,
                              row->choices);
        }
        *(const char **)place = arena_copy(&loading->config->arena, text, strlen(text));
        return ERR_NONE;
    case CONFIG_STRING:
        *(const char **)place = arena_copy(&loading->config->arena, text, strlen(text));
        return ERR_NONE;
    case CONFIG_BOOL:
        return bool_of(text, place)
                   ? ERR_NONE
                   : reason_set(reason, ERR_INVALID, "%s: \"%s\" is neither true nor false", where,
                                text);
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return set_number(row, text, place, where, reason);
    case CONFIG_LIST:
    case CONFIG_PAIRS:
        if (is_first) {
            ((struct config_list *)place)->count = 0;
        }
        return add_item(loading, row, place, text, where, reason);
    }
    check_failed("a type of the enum", __FILE__, __LINE__);
}
