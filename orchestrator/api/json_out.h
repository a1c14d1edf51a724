/* Writes JSON straight into a buf: answers hold up to a thousand rows, and a tree of each would cost
   more than the rows themselves. Commas are kept here; a key of NULL is for elements of an array. */
#ifndef ORCHESTRATOR_API_JSON_OUT_H
#define ORCHESTRATOR_API_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"

struct json_out {
    struct buf *buf;
    bool comma; /* one is due before the next value */
    unsigned depth;
    /* In objects of this depth (1: the outermost) only these keys, divided by commas, are kept; empty:
       all are. */
    struct str only;
    unsigned only_depth;
    bool drops; /* what stands behind drop_at is not kept */
    bool drop_comma;
    size_t drop_at;
};

/* Whether a key of such an object is kept: what is not need not be looked for. */
bool json_out_wants(const struct json_out *out, const char *key);

void json_out_object(struct json_out *out, const char *key);
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out, const char *key);
void json_out_array_end(struct json_out *out);
/* Bytes that are not UTF-8 become U+FFFD. */
void json_out_str(struct json_out *out, const char *key, struct str value);
void json_out_str_keyed(struct json_out *out, struct str key, struct str value);
void json_out_text(struct json_out *out, const char *key, const char *value); /* NULL: null */
/* The empty string becomes null: what a row does not have. */
void json_out_str_or_null(struct json_out *out, const char *key, struct str value);
void json_out_int(struct json_out *out, const char *key, int64_t value);
void json_out_uint(struct json_out *out, const char *key, uint64_t value);
void json_out_bool(struct json_out *out, const char *key, bool value);
void json_out_null(struct json_out *out, const char *key);
void json_out_time(struct json_out *out, const char *key, int64_t wall_ms);     /* 0: null */
void json_out_seconds(struct json_out *out, const char *key, int64_t value_ms); /* 12.345 */
void json_out_milli(struct json_out *out, const char *key, int64_t milli);      /* 0.5, 2 */
void json_out_fence(struct json_out *out, const char *key, uint64_t fence); /* a string; 0: null */
void json_out_raw(struct json_out *out, const char *key, struct str json);  /* JSON already */

#endif
