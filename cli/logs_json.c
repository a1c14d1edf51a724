#include "cli/logs_json.h"

#include <stdlib.h>
#include <string.h>

static void append_base64(struct buf *to, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < bytes.length; at += 3) {
        size_t left = bytes.length - at;
        uint32_t value = (uint32_t)(unsigned char)bytes.data[at] << 16;
        value |= left > 1 ? (uint32_t)(unsigned char)bytes.data[at + 1] << 8 : 0;
        value |= left > 2 ? (uint32_t)(unsigned char)bytes.data[at + 2] : 0;
        char four[4] = { digits[value >> 18], digits[value >> 12 & 63], digits[value >> 6 & 63],
                         digits[value & 63] };
        if (left < 3) {
            four[3] = '=';
        }
        if (left < 2) {
            four[2] = '=';
        }
        buf_append(to, four, sizeof four);
    }
}

void logs_json_set(json_t *object, const char *name, const char *name_base64, struct str bytes)
{
    if (str_is_utf8(bytes)) {
        json_object_set_new(object, name,
                            json_stringn(bytes.length == 0 ? "" : bytes.data, bytes.length));
        return;
    }
    struct buf text = { 0 };
    append_base64(&text, bytes);
    json_object_set_new(object, name_base64, json_string(buf_text(&text)));
    buf_done(&text);
}

static void append_object(const struct logs_json *json, struct str line, struct buf *to)
{
    json_t *object = json_object();
    json_object_set_new(object, "task", json_string(json->task));
    json_object_set_new(object, "stream", json_string(json->stream));
    logs_json_set(object, "text", "base64", line);
    char *text = json_dumps(object, JSON_COMPACT);
    buf_append_text(to, text);
    buf_append_text(to, "\n");
    free(text);
    json_decref(object);
}

/* How much of a line that is too long goes into one object: not a part of a character. */
static size_t piece_of(const char *line)
{
    size_t length = LOGS_JSON_LINE_BYTES_MAX;
    size_t back = 0;
    while (back < 3 && ((unsigned char)line[length - back] & 0xc0U) == 0x80) {
        back++;
    }
    return ((unsigned char)line[length - back] & 0xc0U) == 0xc0 ? length - back : length;
}

void logs_json_add(struct logs_json *json, struct str bytes, struct buf *to)
{
    buf_append(&json->held, bytes.data, bytes.length);
    const char *data = (const char *)json->held.data;
    size_t from = 0;
    while (from < json->held.length) {
        size_t left = json->held.length - from;
        size_t most = left < LOGS_JSON_LINE_BYTES_MAX ? left : LOGS_JSON_LINE_BYTES_MAX;
        const char *end = memchr(data + from, '\n', most);
        if (end == NULL && left <= LOGS_JSON_LINE_BYTES_MAX) {
            break;
        }
        size_t length = end != NULL ? (size_t)(end - (data + from)) + 1 : piece_of(data + from);
        append_object(json, (struct str){ data + from, length }, to);
        from += length;
    }
    buf_consume(&json->held, from);
}

void logs_json_end(struct logs_json *json, struct buf *to)
{
    if (json->held.length > 0) {
        append_object(json, (struct str){ (const char *)json->held.data, json->held.length }, to);
    }
    buf_done(&json->held);
}
