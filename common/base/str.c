#include "common/base/str.h"

#include <string.h>

struct str str_of(const char *text)
{
    return (struct str){ text, text == NULL ? 0 : strlen(text) };
}

bool str_equal(struct str a, struct str b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool str_is(struct str a, const char *text)
{
    return str_equal(a, str_of(text));
}

bool str_starts_with(struct str text, struct str prefix)
{
    return text.length >= prefix.length &&
           (prefix.length == 0 || memcmp(text.data, prefix.data, prefix.length) == 0);
}

/* The number of continuation bytes that follow a lead byte, and the smallest code point that may be
   written at that length; -1 for a byte that cannot lead. */
static int utf8_tail(uint8_t lead, uint32_t *ret_bits, uint32_t *ret_least)
{
    if (lead < 0x80) {
        *ret_bits = lead;
        *ret_least = 1; /* a NUL is refused */
        return 0;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        *ret_bits = lead & 0x1fU;
        *ret_least = 0x80;
        return 1;
    }
    if ((lead & 0xf0U) == 0xe0) {
        *ret_bits = lead & 0x0fU;
        *ret_least = 0x800;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_bits = lead & 0x07U;
        *ret_least = 0x10000;
        return 3;
    }
    return -1;
}

bool str_is_utf8(struct str text)
{
    const uint8_t *at = (const uint8_t *)text.data;
    size_t left = text.length;
    while (left > 0) {
        uint32_t point = 0;
        uint32_t least = 0;
        int tail = utf8_tail(*at, &point, &least);
        if (tail < 0 || (size_t)tail >= left) {
            return false;
        }
        for (int i = 1; i <= tail; i++) {
            if ((at[i] & 0xc0U) != 0x80) {
                return false;
            }
            point = point << 6 | (at[i] & 0x3fU);
        }
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
            return false;
        }
        at += tail + 1;
        left -= (size_t)tail + 1;
    }
    return true;
}

bool str_to_uint64(struct str text, uint64_t max, uint64_t *ret_value)
{
    if (text.length == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (value > (max - digit) / 10 || digit > max) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

static bool unit_ms(struct str unit, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        { "", 1000 },   { "ms", 1 },      { "s", 1000 },
        { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (str_is(unit, units[i].name)) {
            *ret_ms = units[i].ms;
            return true;
        }
    }
    return false;
}

bool str_to_duration_ms(struct str text, int64_t *ret_ms)
{
    const int64_t ten_years_ms = (int64_t)3652 * 24 * 3600 * 1000;
    size_t digits = 0;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    uint64_t whole = 0;
    if (!str_to_uint64((struct str){ text.data, digits }, 1000000000000U, &whole)) {
        return false;
    }
    size_t at = digits;
    uint64_t part = 0;
    int64_t part_of = 1;
    if (at < text.length && text.data[at] == '.') {
        size_t from = ++at;
        while (at < text.length && text.data[at] >= '0' && text.data[at] <= '9') {
            at++;
            if (at - from > 6) {
                return false;
            }
            part_of *= 10;
        }
        if (!str_to_uint64((struct str){ text.data + from, at - from }, 1000000, &part)) {
            return false;
        }
    }
    int64_t ms = 0;
    if (!unit_ms((struct str){ text.data + at, text.length - at }, &ms) ||
        (int64_t)whole > ten_years_ms / ms) {
        return false;
    }
    *ret_ms = (int64_t)whole * ms + (int64_t)part * ms / part_of;
    return *ret_ms <= ten_years_ms;
}

unsigned str_distance(struct str a, struct str b, unsigned max)
{
    enum { LOOK_MAX = 64 };
    if (a.length > LOOK_MAX || b.length > LOOK_MAX) {
        return max + 1;
    }
    unsigned row[LOOK_MAX + 1];
    for (unsigned j = 0; j <= b.length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.length; j++) {
            unsigned above = row[j];
            unsigned best = diagonal + (a.data[i - 1] != b.data[j - 1]);
            if (above + 1 < best) {
                best = above + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            diagonal = above;
            row[j] = best;
        }
    }
    return row[b.length] > max ? max + 1 : row[b.length];
}
