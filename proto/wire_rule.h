/* Rules about single fields, for wire_check.c. The first rule that is broken stays in `rules`; what
   is asked after it is not looked at any more, so that a message's rules read as a list. */
#ifndef PROTO_WIRE_RULE_H
#define PROTO_WIRE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/str.h"

struct rules {
    enum err err; /* ERR_LIMIT: too much of something; ERR_BAD_FRAME: any other rule */
    struct reason *reason;
};

/* Whether all rules so far were kept: for loops. */
static inline bool rules_kept(const struct rules *rules)
{
    return rules->err == ERR_NONE;
}

/* `what` names the field in the refusal: "Hello.device". */
void rule_bytes(struct rules *rules, const char *what, struct str bytes, size_t bytes_max);
/* UTF-8 without a NUL, may be empty. */
void rule_text(struct rules *rules, const char *what, struct str text, size_t bytes_max);
/* The same, not empty, at most MSG_NAME_BYTES_MAX. */
void rule_name(struct rules *rules, const char *what, struct str name);
/* [A-Za-z0-9._-]{1,128} */
void rule_device(struct rules *rules, const char *what, struct str name);
void rule_names(struct rules *rules, const char *what, const struct str *names, size_t count,
                size_t count_max);
void rule_count(struct rules *rules, const char *what, size_t count, size_t count_max);
void rule_range(struct rules *rules, const char *what, int64_t value, int64_t min, int64_t max);
/* 1 … MSG_NUMBER_MAX: fences and sessions. */
void rule_id(struct rules *rules, const char *what, uint64_t id);
/* 0 … max: offsets and sizes. */
void rule_number(struct rules *rules, const char *what, uint64_t value, uint64_t max);
void rule_true(struct rules *rules, const char *what, bool kept, const char *rule);
/* No two alike of the numbers at `first` and each `stride` bytes behind it; rising ones cost least.
   At most MSG_BATCH_MAX of them. */
void rule_distinct(struct rules *rules, const char *what, const uint64_t *first, size_t stride,
                   size_t count);

#endif
