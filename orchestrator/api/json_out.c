/* See json_out.h. */
#include "orchestrator/api/json_out.h"

#include <inttypes.h>
#include <string.h>

#include "common/sys/clock.h"

static void append_escape(struct buf *buf, unsigned char byte)
{
    switch (byte) {
    case '"':
        buf_append(buf, "\\\"", 2);
        return;
    case '\\':
        buf_append(buf, "\\\\", 2);
        return;
    case '\n':
        buf_append(buf, "\\n", 2);
        return;
    case '\r':
        buf_append(buf, "\\r", 2);
        return;
    case '\t':
        buf_append(buf, "\\t", 2);
        return;
    default:
        buf_printf(buf, "\\u%04x", byte);
        return;
    }
}

/* The length of the well-formed sequence at `at`, or 0. */
static size_t sequence_length(struct str text, size_t at)
{
    size_t left = text.length - at;
    for (size_t length = 1; length <= 4 && length <= left; length++) {
        if (str_is_utf8((struct str){ text.data + at, length })) {
            return length;
        }
    }
    return 0;
}

static void append_string(struct buf *buf, struct str text)
{
    bool clean = str_is_utf8(text);
    buf_append(buf, "\"", 1);
    size_t from = 0;
    size_t at = 0;
    while (at < text.length) {
        unsigned char byte = (unsigned char)text.data[at];
        if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f && (byte < 0x80 || clean)) {
            at++;
            continue;
        }
        size_t length = byte < 0x80 ? 0 : sequence_length(text, at);
        if (length != 0) {
            at += length;
            continue;
        }
        buf_append(buf, text.data + from, at - from);
        if (byte < 0x80) {
            append_escape(buf, byte);
        } else {
            buf_append(buf, "\xef\xbf\xbd", 3);
        }
        at++;
        from = at;
    }
    if (at > from) {
        buf_append(buf, text.data + from, at - from);
    }
    buf_append(buf, "\"", 1);
}

static bool is_listed(struct str list, struct str key)
{
    while (list.length > 0) {
        const char *comma = memchr(list.data, ',', list.length);
        size_t length = comma == NULL ? list.length : (size_t)(comma - list.data);
        if (str_equal((struct str){ list.data, length }, key)) {
            return true;
        }
        size_t used = length < list.length ? length + 1 : length;
        list = (struct str){ list.data + used, list.length - used };
    }
    return false;
}

bool json_out_wants(const struct json_out *out, const char *key)
{
    return out->only.length == 0 || is_listed(out->only, str_of(key));
}

/* What was written under a key that is not kept goes when it is whole. */
static void drop(struct json_out *out)
{
    if (out->drops && out->depth == out->only_depth) {
        out->buf->length = out->drop_at;
        out->comma = out->drop_comma;
        out->drops = false;
    }
}

static void begin(struct json_out *out, struct str key, bool keyed)
{
    drop(out);
    if (keyed && out->only.length > 0 && out->depth == out->only_depth &&
        !is_listed(out->only, key)) {
        out->drops = true;
        out->drop_at = out->buf->length;
        out->drop_comma = out->comma;
    }
    if (out->comma) {
        buf_append(out->buf, ",", 1);
    }
    if (keyed) {
        append_string(out->buf, key);
        buf_append(out->buf, ":", 1);
    }
    out->comma = true;
}

static void begin_value(struct json_out *out, const char *key)
{
    begin(out, str_of(key), key != NULL);
}

static void open_nested(struct json_out *out, const char *key, const char *bracket)
{
    begin_value(out, key);
    buf_append(out->buf, bracket, 1);
    out->comma = false;
    out->depth++;
}

static void close_nested(struct json_out *out, const char *bracket)
{
    drop(out);
    out->depth--;
    buf_append(out->buf, bracket, 1);
    out->comma = true;
}

void json_out_object(struct json_out *out, const char *key)
{
    open_nested(out, key, "{");
}

void json_out_object_end(struct json_out *out)
{
    close_nested(out, "}");
}

void json_out_array(struct json_out *out, const char *key)
{
    open_nested(out, key, "[");
}

void json_out_array_end(struct json_out *out)
{
    close_nested(out, "]");
}

void json_out_str(struct json_out *out, const char *key, struct str value)
{
    begin_value(out, key);
    append_string(out->buf, value);
}

void json_out_str_keyed(struct json_out *out, struct str key, struct str value)
{
    begin(out, key, true);
    append_string(out->buf, value);
}

void json_out_text(struct json_out *out, const char *key, const char *value)
{
    if (value == NULL) {
        json_out_null(out, key);
        return;
    }
    json_out_str(out, key, str_of(value));
}

void json_out_str_or_null(struct json_out *out, const char *key, struct str value)
{
    if (value.length == 0) {
        json_out_null(out, key);
        return;
    }
    json_out_str(out, key, value);
}

void json_out_int(struct json_out *out, const char *key, int64_t value)
{
    begin_value(out, key);
    buf_printf(out->buf, "%" PRId64, value);
}

void json_out_uint(struct json_out *out, const char *key, uint64_t value)
{
    begin_value(out, key);
    buf_printf(out->buf, "%" PRIu64, value);
}

void json_out_bool(struct json_out *out, const char *key, bool value)
{
    begin_value(out, key);
    buf_append_text(out->buf, value ? "true" : "false");
}

void json_out_null(struct json_out *out, const char *key)
{
    begin_value(out, key);
    buf_append(out->buf, "null", 4);
}

void json_out_time(struct json_out *out, const char *key, int64_t wall_ms)
{
    if (wall_ms == 0) {
        json_out_null(out, key);
        return;
    }
    char text[32];
    clock_format_wall(wall_ms, text);
    json_out_text(out, key, text);
}

void json_out_seconds(struct json_out *out, const char *key, int64_t value_ms)
{
    begin_value(out, key);
    int64_t ms = value_ms < 0 ? 0 : value_ms;
    buf_printf(out->buf, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
}

void json_out_milli(struct json_out *out, const char *key, int64_t milli)
{
    begin_value(out, key);
    int64_t whole = milli < 0 ? 0 : milli;
    buf_printf(out->buf, "%" PRId64, whole / 1000);
    if (whole % 1000 != 0) {
        buf_printf(out->buf, ".%03d", (int)(whole % 1000));
    }
}

void json_out_fence(struct json_out *out, const char *key, uint64_t fence)
{
    if (fence == 0) {
        json_out_null(out, key);
        return;
    }
    begin_value(out, key);
    buf_printf(out->buf, "\"%" PRIu64 "\"", fence);
}

void json_out_raw(struct json_out *out, const char *key, struct str json)
{
    begin_value(out, key);
    buf_append(out->buf, json.data, json.length);
}
