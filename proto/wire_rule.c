/* Rules about single fields: sizes, text, ranges. */
#include "proto/wire_rule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "proto/msg/msg.h"

void rule_bytes(struct rules *rules, const char *what, struct str bytes, size_t bytes_max)
{
    if (rules_kept(rules) && bytes.length > bytes_max) {
        rules->err =
            reason_set(rules->reason, ERR_LIMIT, "%s has %zu bytes, at most %zu are allowed", what,
                       bytes.length, bytes_max);
    }
}

void rule_text(struct rules *rules, const char *what, struct str text, size_t bytes_max)
{
    rule_bytes(rules, what, text, bytes_max);
    if (rules_kept(rules) && !str_is_utf8(text)) {
        rules->err =
            reason_set(rules->reason, ERR_BAD_FRAME, "%s is not UTF-8 without a NUL", what);
    }
}

void rule_name(struct rules *rules, const char *what, struct str name)
{
    rule_text(rules, what, name, MSG_NAME_BYTES_MAX);
    rule_true(rules, what, name.length > 0, "is empty");
}

static bool is_device_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

void rule_device(struct rules *rules, const char *what, struct str name)
{
    rule_name(rules, what, name);
    for (size_t i = 0; rules_kept(rules) && i < name.length; i++) {
        rule_true(rules, what, is_device_char(name.data[i]),
                  "has a character outside [A-Za-z0-9._-]");
    }
}

void rule_names(struct rules *rules, const char *what, const struct str *names, size_t count,
                size_t count_max)
{
    rule_count(rules, what, count, count_max);
    for (size_t i = 0; rules_kept(rules) && i < count; i++) {
        rule_name(rules, what, names[i]);
    }
}

void rule_count(struct rules *rules, const char *what, size_t count, size_t count_max)
{
    if (rules_kept(rules) && count > count_max) {
        rules->err =
            reason_set(rules->reason, ERR_LIMIT, "%s has %zu entries, at most %zu are allowed",
                       what, count, count_max);
    }
}

void rule_range(struct rules *rules, const char *what, int64_t value, int64_t min, int64_t max)
{
    if (rules_kept(rules) && (value < min || value > max)) {
        rules->err =
            reason_set(rules->reason, ERR_BAD_FRAME,
                       "%s is %" PRId64 ", outside %" PRId64 " to %" PRId64, what, value, min, max);
    }
}

void rule_id(struct rules *rules, const char *what, uint64_t id)
{
    rule_true(rules, what, id != 0, "is missing");
    rule_number(rules, what, id, MSG_NUMBER_MAX);
}

void rule_number(struct rules *rules, const char *what, uint64_t value, uint64_t max)
{
    if (rules_kept(rules) && value > max) {
        rules->err =
            reason_set(rules->reason, ERR_BAD_FRAME,
                       "%s is %" PRIu64 ", at most %" PRIu64 " is allowed", what, value, max);
    }
}

void rule_true(struct rules *rules, const char *what, bool kept, const char *rule)
{
    if (rules_kept(rules) && !kept) {
        rules->err = reason_set(rules->reason, ERR_BAD_FRAME, "%s %s", what, rule);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

void rule_distinct(struct rules *rules, const char *what, const uint64_t *first, size_t stride,
                   size_t count)
{
    if (!rules_kept(rules) || count < 2) {
        return;
    }
    CHECK(count <= MSG_BATCH_MAX);
    uint64_t numbers[MSG_BATCH_MAX];
    bool rising = true;
    for (size_t i = 0; i < count; i++) {
        memcpy(&numbers[i], (const char *)first + i * stride, sizeof numbers[i]);
        rising = rising && (i == 0 || numbers[i - 1] < numbers[i]);
    }
    if (rising) {
        return;
    }
    qsort(numbers, count, sizeof numbers[0], compare_numbers);
    for (size_t i = 1; i < count; i++) {
        rule_true(rules, what, numbers[i - 1] != numbers[i], "names a fence twice");
    }
}
