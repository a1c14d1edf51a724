#include "orchestrator/spec/spec_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How many bytes the character at `at` has; 0 for what is no UTF-8. A NUL counts as one. */
static size_t character_bytes(const char *at, size_t left)
{
    unsigned char lead = (unsigned char)*at;
    size_t bytes = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (bytes == 1) {
        return 1;
    }
    return bytes <= left && str_is_utf8((struct str){ at, bytes }) ? bytes : 0;
}

void spec_json_text(struct buf *json, struct str text)
{
    buf_append_text(json, "\"");
    for (size_t i = 0; i < text.length;) {
        size_t bytes = character_bytes(text.data + i, text.length - i);
        unsigned char byte = (unsigned char)text.data[i];
        if (bytes == 0) {
            buf_append_text(json, "\\ufffd");
        } else if (byte == '"' || byte == '\\') {
            buf_printf(json, "\\%c", byte);
        } else if (byte == '\n') {
            buf_append_text(json, "\\n");
        } else if (byte < 0x20 || byte == 0x7f) {
            buf_printf(json, "\\u%04x", (unsigned)byte);
        } else {
            buf_append(json, text.data + i, bytes);
        }
        i += bytes > 0 ? bytes : 1;
    }
    buf_append_text(json, "\"");
}

static bool is_json_number(struct str text)
{
    json_t *value = json_loadb(text.data, text.length, JSON_DECODE_ANY, NULL);
    bool is_number = json_is_number(value);
    json_decref(value);
    return is_number;
}

void spec_json_number(struct buf *json, struct str text)
{
    enum { NUMBER_BYTES_MAX = 64 };
    char copy[NUMBER_BYTES_MAX];
    if (is_json_number(text)) {
        buf_append(json, text.data, text.length);
        return;
    }
    if (text.length >= sizeof copy) {
        buf_append_text(json, "null");
        return;
    }
    memcpy(copy, text.data, text.length);
    copy[text.length] = 0;
    bool is_octal = str_starts_with(text, STR("0o"));
    double value = is_octal ? (double)strtoull(copy + 2, NULL, 8) : strtod(copy, NULL);
    if (!isfinite(value)) {
        buf_append_text(json, "null");
    } else if (value >= -9e15 && value <= 9e15 && !islessgreater(value, floor(value))) {
        buf_printf(json, "%.0f", value);
    } else {
        buf_printf(json, "%.17g", value);
    }
}

void spec_json_duration(struct buf *json, int64_t ms)
{
    if (ms % 1000 == 0) {
        buf_printf(json, "\"%" PRId64 "s\"", ms / 1000);
    } else {
        buf_printf(json, "\"%" PRId64 "ms\"", ms);
    }
}

void spec_json_milli(struct buf *json, int64_t milli)
{
    int64_t rest = milli % 1000;
    buf_printf(json, "%" PRId64, milli / 1000);
    if (rest % 100 == 0 && rest > 0) {
        buf_printf(json, ".%" PRId64, rest / 100);
    } else if (rest % 10 == 0 && rest > 0) {
        buf_printf(json, ".%02" PRId64, rest / 10);
    } else if (rest > 0) {
        buf_printf(json, ".%03" PRId64, rest);
    }
}
