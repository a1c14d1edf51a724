/* JSON (RFC 8259) to the neutral tree, strictly. A reader of our own: with jansson's tree in between, a
   spec of 100,000 tasks took more than five times as long and twice the memory, and numbers lost the
   text they were written with. The fuzz target compares what it accepts with jansson. */
#include <string.h>

#include "common/base/buf.h"
#include "orchestrator/spec/spec_build.h"

struct json {
    struct spec_build build;
    struct str text;
    size_t at;
    struct buf scratch; /* a string with escapes in it */
};

static struct spec_place offset_place(size_t offset)
{
    return (struct spec_place){ 0, (uint32_t)offset };
}

/* Syntax errors have a place, but no path: it is not sure what is what. */
static bool refuse(struct json *json, size_t offset, const char *words)
{
    spec_report_add(json->build.report, "syntax", spec_text_place(json->text, offset), NULL, NULL,
                    "%s", offset < json->text.length ? words : "it ends too early");
    return false;
}

/* 0 at the end: the text was checked to hold none. */
static char json_peek(const struct json *json)
{
    if (json->at == json->text.length) {
        return 0;
    }
    return json->text.data[json->at];
}

static void skip_blanks(struct json *json)
{
    char byte = json_peek(json);
    while (byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r') {
        json->at++;
        byte = json_peek(json);
    }
}

static bool read_hex(struct json *json, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char byte = json_peek(json);
        uint32_t digit = 0;
        if (byte >= '0' && byte <= '9') {
            digit = (uint32_t)(byte - '0');
        } else if ((byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F')) {
            digit = (uint32_t)((byte | 0x20) - 'a') + 10;
        } else {
            return refuse(json, json->at, "\\u must be followed by four hexadecimal digits");
        }
        value = value << 4 | digit;
        json->at++;
    }
    *ret_value = value;
    return true;
}

static void add_code_point(struct buf *text, uint32_t point)
{
    uint8_t bytes[4];
    size_t count = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = count; i > 1; i--) {
        bytes[i - 1] = (uint8_t)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (uint8_t)(leads[count] | point);
    buf_append(text, bytes, count);
}

/* Behind "\u". Two halves of a surrogate pair are one character; one half is none. */
static bool read_unicode(struct json *json)
{
    size_t from = json->at - 2;
    uint32_t point = 0;
    if (!read_hex(json, &point)) {
        return false;
    }
    if (point >= 0xd800 && point <= 0xdbff) {
        uint32_t low = 0;
        bool has_low =
            json->text.length - json->at >= 2 && memcmp(json->text.data + json->at, "\\u", 2) == 0;
        json->at += has_low ? 2 : 0;
        if (has_low && !read_hex(json, &low)) {
            return false;
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return refuse(json, from, "half a character: \\u must give both its surrogates");
        }
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    } else if (point >= 0xdc00 && point <= 0xdfff) {
        return refuse(json, from, "half a character: \\u must give both its surrogates");
    }
    add_code_point(&json->scratch, point);
    return true;
}

static bool read_escape(struct json *json)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    json->at++; /* the backslash */
    char byte = json_peek(json);
    if (byte == 'u') {
        json->at++;
        return read_unicode(json);
    }
    const char *name = byte != 0 ? strchr(names, byte) : NULL;
    if (name == NULL) {
        return refuse(json, json->at, "no such escape: \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    }
    json->at++;
    buf_append(&json->scratch, &values[name - names], 1);
    return true;
}

/* The string's bytes: in the text itself if it has no escapes, otherwise in the scratch. */
static bool read_string(struct json *json, struct str *ret_text)
{
    size_t from = ++json->at;
    bool has_escapes = false;
    buf_clear(&json->scratch);
    for (;;) {
        char byte = json_peek(json);
        if (byte == '"') {
            break;
        }
        if ((unsigned char)byte < 0x20) {
            return refuse(json, json->at, "a line break or a tab in a string: write \\n or \\t");
        }
        if (byte == '\\') {
            buf_append(&json->scratch, json->text.data + from, json->at - from);
            has_escapes = true;
            if (!read_escape(json)) {
                return false;
            }
            from = json->at;
        } else {
            json->at++;
        }
    }
    struct str rest = { json->text.data + from, json->at - from };
    json->at++;
    if (has_escapes) {
        buf_append(&json->scratch, rest.data, rest.length);
        rest = (struct str){ (const char *)json->scratch.data, json->scratch.length };
    }
    *ret_text = rest;
    return true;
}

static size_t skip_digits(struct json *json)
{
    size_t from = json->at;
    while (json_peek(json) >= '0' && json_peek(json) <= '9') {
        json->at++;
    }
    return json->at - from;
}

static bool read_number(struct json *json, struct str *ret_text)
{
    size_t from = json->at;
    json->at += json_peek(json) == '-';
    bool is_zero = json_peek(json) == '0';
    size_t whole = skip_digits(json);
    bool is_good = whole == 1 || (whole > 1 && !is_zero);
    if (is_good && json_peek(json) == '.') {
        json->at++;
        is_good = skip_digits(json) > 0;
    }
    if (is_good && (json_peek(json) == 'e' || json_peek(json) == 'E')) {
        json->at++;
        json->at += json_peek(json) == '-' || json_peek(json) == '+';
        is_good = skip_digits(json) > 0;
    }
    if (!is_good) {
        return refuse(json, from, "no number as JSON has them");
    }
    *ret_text = (struct str){ json->text.data + from, json->at - from };
    return true;
}

static bool read_word(struct json *json, enum spec_kind *ret_kind, struct str *ret_text)
{
    static const struct {
        struct str word;
        enum spec_kind kind;
    } words[] = { { { "true", 4 }, SPEC_BOOL },
                  { { "false", 5 }, SPEC_BOOL },
                  { { "null", 4 }, SPEC_NULL } };
    struct str rest = { json->text.data + json->at, json->text.length - json->at };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_starts_with(rest, words[i].word)) {
            json->at += words[i].word.length;
            *ret_kind = words[i].kind;
            *ret_text = words[i].word;
            return true;
        }
    }
    return refuse(json, json->at, "a value must stand here; text stands in double quotes");
}

/* A value, or only the opening of one that has others inside. */
static bool read_value(struct json *json)
{
    struct spec_place place = offset_place(json->at);
    enum spec_kind kind = SPEC_NUMBER;
    struct str text = { NULL, 0 };
    char byte = json_peek(json);
    bool is_good = false;
    if (byte == '{' || byte == '[') {
        json->at++;
        return spec_build_open(&json->build, byte == '{' ? SPEC_MAP : SPEC_LIST, place);
    }
    if (byte == '"') {
        kind = SPEC_TEXT;
        is_good = read_string(json, &text);
    } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
        is_good = read_number(json, &text);
    } else {
        is_good = read_word(json, &kind, &text);
    }
    return is_good && spec_build_scalar(&json->build, kind, place, text);
}

static bool read_key(struct json *json)
{
    struct spec_place place = offset_place(json->at);
    struct str text;
    if (json_peek(json) != '"') {
        return refuse(json, json->at, "a key in double quotes must stand here");
    }
    if (!read_string(json, &text) || !spec_build_scalar(&json->build, SPEC_TEXT, place, text)) {
        return false;
    }
    skip_blanks(json);
    if (json_peek(json) != ':') {
        return refuse(json, json->at, "a ':' must follow the key");
    }
    json->at++;
    return true;
}

/* Behind a value: closes what ends here, and the comma before the next item. */
static bool read_end_of_item(struct json *json)
{
    while (json->build.depth > 0) {
        const struct spec_node *node = json->build.levels[json->build.depth - 1].node;
        bool is_map = node->kind == SPEC_MAP;
        skip_blanks(json);
        if (json_peek(json) == (is_map ? '}' : ']')) {
            json->at++;
            spec_build_close(&json->build);
        } else if (json_peek(json) == ',' && node->length > 0) {
            json->at++;
            return true;
        } else if (node->length == 0) {
            return true; /* just opened */
        } else {
            return refuse(json, json->at,
                          is_map ? "a ',' or '}' must stand here" : "a ',' or ']' must stand here");
        }
    }
    return true;
}

static bool read_document(struct json *json)
{
    do {
        skip_blanks(json);
        if (spec_build_wants_key(&json->build) && !read_key(json)) {
            return false;
        }
        skip_blanks(json);
        if (!read_value(json) || !read_end_of_item(json)) {
            return false;
        }
    } while (json->build.depth > 0);
    skip_blanks(json);
    return json->at == json->text.length ||
           refuse(json, json->at, "something follows the end of the spec");
}

struct spec_node *spec_tree_of_json(struct str text, struct spec_tree *tree,
                                    struct spec_report *report)
{
    struct json json = {
        .text = text,
        .build = { .text = text, .tree = tree, .report = report },
    };
    bool is_good = read_document(&json);
    buf_done(&json.scratch);
    return is_good ? json.build.root : NULL;
}
