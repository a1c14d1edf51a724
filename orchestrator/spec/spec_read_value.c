/* The general readers of the table: a value of one type, within the row's bounds, to the row's place
   in the draft. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/spec/spec_read.h"

enum { DURATION_BYTES_MAX = 20, KIB = 1024, MIB = 1024 * KIB, GIB = 1024 * MIB };

static void *draft_place(struct spec_draft *draft, const struct spec_key *row)
{
    return (char *)draft + row->offset;
}

static void set_number(struct spec_draft *draft, const struct spec_key *row, int64_t value)
{
    memcpy(draft_place(draft, row), &value, sizeof value);
}

static void set_text(struct spec_draft *draft, const struct spec_key *row, struct str text)
{
    memcpy(draft_place(draft, row), &text, sizeof text);
}

void spec_wrong_type(struct spec_reader *reader, const struct spec_node *node,
                     const struct spec_path *path, const char *expected)
{
    if (node->kind == SPEC_BAD) {
        return;
    }
    bool could_be_quoted =
        (node->kind == SPEC_NUMBER || node->kind == SPEC_BOOL) && strcmp(expected, "text") == 0;
    spec_report_add(&reader->report, "wrong_type", spec_node_place(node), path, expected,
                    "must be %s, but is %s%s", expected, spec_kind_name(node->kind),
                    could_be_quoted ? ": put it in quotes if it is meant as text" : "");
}

static bool is_without_nul(struct spec_reader *reader, const struct spec_node *node,
                           const struct spec_path *path)
{
    if (memchr(node->text, 0, node->length) == NULL) {
        return true;
    }
    spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                    "holds a NUL character, which the system does not take here");
    return false;
}

bool spec_take_text(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, struct str *ret_text)
{
    bool is_scalar = node->kind == SPEC_NUMBER || node->kind == SPEC_BOOL;
    if (node->kind != SPEC_TEXT && !(node->is_filled && is_scalar)) {
        spec_wrong_type(reader, node, path, "text");
        return false;
    }
    if (!is_without_nul(reader, node, path)) {
        return false;
    }
    *ret_text = spec_node_text(node);
    return true;
}

bool spec_take_scalar(struct spec_reader *reader, const struct spec_node *node,
                      const struct spec_path *path, struct str *ret_text)
{
    if (node->kind != SPEC_NUMBER && node->kind != SPEC_BOOL) {
        return spec_take_text(reader, node, path, ret_text);
    }
    *ret_text = spec_node_text(node);
    return true;
}

static bool length_fits(struct spec_reader *reader, const struct spec_key *row,
                        const struct spec_node *node, const struct spec_path *path)
{
    if (node->length >= row->min && node->length <= row->max) {
        return true;
    }
    if (node->length == 0) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "must not be empty");
    } else {
        spec_report_add(&reader->report, "too_large", spec_node_place(node), path, NULL,
                        "has %" PRIu32 " bytes; at most %" PRId64 " are allowed", node->length,
                        row->max);
    }
    return false;
}

void spec_read_text(struct spec_reader *reader, struct spec_draft *draft,
                    const struct spec_key *row, const struct spec_node *key,
                    const struct spec_path *path)
{
    struct str text;
    if (spec_take_text(reader, spec_value(key), path, &text) &&
        length_fits(reader, row, spec_value(key), path)) {
        set_text(draft, row, text);
    }
}

bool spec_is_key(struct str text)
{
    const char *at = text.length == 0 ? NULL : memchr(text.data, '@', text.length);
    if (at == NULL || text.length > PLAN_KEY_BYTES_MAX) {
        return spec_is_name(text, "_-", PLAN_KEY_BYTES_MAX);
    }
    size_t length = (size_t)(at - text.data);
    return spec_is_name((struct str){ text.data, length }, "_-", PLAN_KEY_BYTES_MAX) &&
           spec_is_each_value((struct str){ at + 1, text.length - length - 1 });
}

bool spec_is_name(struct str text, const char *also, size_t bytes_max)
{
    if (text.length == 0 || text.length > bytes_max) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9');
        if (!is_plain && (byte == 0 || strchr(also, byte) == NULL)) {
            return false;
        }
    }
    return true;
}

static void read_name(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_key *row, const struct spec_node *node,
                      const struct spec_path *path, const char *also)
{
    struct str text;
    if (!spec_take_text(reader, node, path, &text)) {
        return;
    }
    if (!spec_is_name(text, also, (size_t)row->max)) {
        text = spec_report_shorten(text);
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "\"%.*s\" is no %s: letters, digits and any of \"%s\", at most %" PRId64
                        " characters",
                        STR_ARG(text), row->type, also, row->max);
        return;
    }
    set_text(draft, row, text);
}

void spec_read_name(struct spec_reader *reader, struct spec_draft *draft,
                    const struct spec_key *row, const struct spec_node *key,
                    const struct spec_path *path)
{
    read_name(reader, draft, row, spec_value(key), path, "_-");
}

void spec_read_device(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_key *row, const struct spec_node *key,
                      const struct spec_path *path)
{
    read_name(reader, draft, row, spec_value(key), path, "_-.");
}

/* Decimal, or 0x and 0o as YAML has them. Too large becomes the largest, for the range to refuse. */
static bool parse_integer(struct str text, int64_t *ret_value)
{
    char digits[32];
    bool is_negative = text.length > 0 && text.data[0] == '-';
    size_t at = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    int base = 10;
    if (at == 0 && text.length > 2 && text.data[0] == '0') {
        base = text.data[1] == 'x' ? 16 : text.data[1] == 'o' ? 8 : 10;
        at = base == 10 ? 0 : 2;
    }
    for (size_t i = at; i < text.length; i++) {
        if (base != 16 && (text.data[i] < '0' || text.data[i] > '9')) {
            return false;
        }
    }
    while (at + 1 < text.length && text.data[at] == '0') {
        at++;
    }
    if (text.length - at >= 20) {
        *ret_value = is_negative ? INT64_MIN : INT64_MAX;
        return true;
    }
    memcpy(digits, text.data + at, text.length - at);
    digits[text.length - at] = 0;
    int64_t value = strtoll(digits, NULL, base); /* saturates */
    *ret_value = is_negative ? -value : value;
    return true;
}

bool spec_take_integer(struct spec_reader *reader, const struct spec_node *node,
                       const struct spec_path *path, int64_t min, int64_t max, int64_t *ret_value)
{
    int64_t value = 0;
    if (node->kind != SPEC_NUMBER || !parse_integer(spec_node_text(node), &value)) {
        spec_wrong_type(reader, node, path, "a whole number");
        return false;
    }
    if (value < min || value > max) {
        spec_report_add(&reader->report, "out_of_range", spec_node_place(node), path, NULL,
                        "must be from %" PRId64 " to %" PRId64, min, max);
        return false;
    }
    *ret_value = value;
    return true;
}

void spec_read_integer(struct spec_reader *reader, struct spec_draft *draft,
                       const struct spec_key *row, const struct spec_node *key,
                       const struct spec_path *path)
{
    int64_t value = 0;
    if (spec_take_integer(reader, spec_value(key), path, row->min, row->max, &value)) {
        set_number(draft, row, value);
    }
}

bool spec_take_flag(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, bool *ret_flag)
{
    if (node->kind != SPEC_BOOL) {
        spec_wrong_type(reader, node, path, "true or false");
        return false;
    }
    *ret_flag = node->text[0] == 't' || node->text[0] == 'T';
    return true;
}

void spec_read_flag(struct spec_reader *reader, struct spec_draft *draft,
                    const struct spec_key *row, const struct spec_node *key,
                    const struct spec_path *path)
{
    bool flag = false;
    if (spec_take_flag(reader, spec_value(key), path, &flag)) {
        set_number(draft, row, flag);
    }
}

bool spec_take_choice(struct spec_reader *reader, const struct spec_node *node,
                      const struct spec_path *path, const char *const *words, size_t count,
                      const char *allowed, size_t *ret_choice)
{
    struct str text;
    if (!spec_take_text(reader, node, path, &text)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_is(text, words[i])) {
            *ret_choice = i;
            return true;
        }
    }
    text = spec_report_shorten(text);
    spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, allowed,
                    "must be one of %s, not \"%.*s\"", allowed, STR_ARG(text));
    return false;
}

static const char *duration_text(int64_t ms, char text[32])
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            snprintf(text, 32, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
            return text;
        }
    }
    snprintf(text, 32, "%" PRId64 "ms", ms);
    return text;
}

void spec_read_duration(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_key *row, const struct spec_node *key,
                        const struct spec_path *path)
{
    static const char allowed[] = "500ms, 90s, 5m, 1.5h, 2d";
    const struct spec_node *node = spec_value(key);
    int64_t ms = 0;
    if (node->kind != SPEC_TEXT && node->kind != SPEC_NUMBER) {
        spec_wrong_type(reader, node, path, "a duration such as 90s");
        return;
    }
    /* Nothing sensible is longer, and the digits behind the point are bounded with it. */
    if (node->length > DURATION_BYTES_MAX || !str_to_duration_ms(spec_node_text(node), &ms)) {
        struct str text = spec_report_shorten(spec_node_text(node));
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, allowed,
                        "\"%.*s\" is no duration of at most ten years: seconds, or a number "
                        "with ms, s, m, h or d",
                        STR_ARG(text));
        return;
    }
    if (ms < row->min || ms > row->max) {
        char least[32];
        char most[32];
        spec_report_add(&reader->report, "out_of_range", spec_node_place(node), path, NULL,
                        "must be from %s to %s", duration_text(row->min, least),
                        duration_text(row->max, most));
        return;
    }
    set_number(draft, row, ms);
}

bool spec_take_size(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, int64_t min, int64_t max, int64_t *ret_bytes)
{
    static const struct {
        const char *unit;
        int64_t bytes;
    } units[] = { { "", 1 }, { "KiB", KIB }, { "MiB", MIB }, { "GiB", GIB } };
    if (node->kind != SPEC_TEXT && node->kind != SPEC_NUMBER) {
        spec_wrong_type(reader, node, path, "a size such as 16MiB");
        return false;
    }
    struct str text = spec_node_text(node);
    size_t digits = 0;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    size_t unit = digits + (digits < text.length && text.data[digits] == ' ');
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!str_is((struct str){ text.data + unit, text.length - unit }, units[i].unit) ||
            !str_to_uint64((struct str){ text.data, digits },
                           (uint64_t)(INT64_MAX / units[i].bytes), &number)) {
            continue;
        }
        int64_t bytes = (int64_t)number * units[i].bytes;
        if (bytes < min || bytes > max) {
            spec_report_add(&reader->report, "out_of_range", spec_node_place(node), path, NULL,
                            "must be from %" PRId64 " to %" PRId64 " bytes", min, max);
            return false;
        }
        *ret_bytes = bytes;
        return true;
    }
    text = spec_report_shorten(text);
    spec_report_add(
        &reader->report, "bad_value", spec_node_place(node), path, "65536, 64KiB, 16MiB, 1GiB",
        "\"%.*s\" is no size: a whole number of bytes, or with KiB, MiB or GiB", STR_ARG(text));
    return false;
}

void spec_read_size(struct spec_reader *reader, struct spec_draft *draft,
                    const struct spec_key *row, const struct spec_node *key,
                    const struct spec_path *path)
{
    int64_t bytes = 0;
    if (spec_take_size(reader, spec_value(key), path, row->min, row->max, &bytes)) {
        set_number(draft, row, bytes);
    }
}

void spec_read_factor(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_key *row, const struct spec_node *key,
                      const struct spec_path *path)
{
    const struct spec_node *node = spec_value(key);
    if (node->kind != SPEC_NUMBER) {
        spec_wrong_type(reader, node, path, "a number");
        return;
    }
    double permille = strtod(node->text, NULL) * 1000.0; /* a NUL stands behind each text */
    if (!(permille >= (double)row->min && permille <= (double)row->max)) {
        spec_report_add(&reader->report, "out_of_range", spec_node_place(node), path, NULL,
                        "must be from %" PRId64 " to %" PRId64, row->min / 1000, row->max / 1000);
        return;
    }
    set_number(draft, row, llround(permille));
}
