/* Borrowed text or bytes with a length. Not terminated by a NUL. */
#ifndef COMMON_BASE_STR_H
#define COMMON_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *data;
    size_t length;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).length, (s).data == NULL ? "" : (s).data

struct str str_of(const char *text); /* NULL gives the empty one */
bool str_equal(struct str a, struct str b);
bool str_is(struct str a, const char *text);
bool str_starts_with(struct str text, struct str prefix);
/* Well-formed UTF-8 (RFC 3629: no overlong form, no surrogate) without a NUL. */
bool str_is_utf8(struct str text);
/* A decimal number without sign, blank or leading '+', at most `max`. */
bool str_to_uint64(struct str text, uint64_t max, uint64_t *ret_value);
/* A span of time: digits and a unit of ms, s, m, h or d ("90s", "1.5h"); plain digits are
   seconds. At most ten years. */
bool str_to_duration_ms(struct str text, int64_t *ret_ms);
/* Levenshtein distance, cut off at `max` + 1: for "did you mean". At most 64 bytes are looked at. */
unsigned str_distance(struct str a, struct str b, unsigned max);

#endif
