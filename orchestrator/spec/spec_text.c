#include "orchestrator/spec/spec_text.h"

#include <string.h>

static bool byte_continues(char byte)
{
    return ((unsigned char)byte & 0xc0U) == 0x80;
}

struct spec_place spec_text_place(struct str text, size_t offset)
{
    struct spec_place place = { 1, 1 };
    size_t end = offset < text.length ? offset : text.length;
    for (size_t i = 0; i < end; i++) {
        bool breaks = text.data[i] == '\n' ||
                      (text.data[i] == '\r' && i + 1 < text.length && text.data[i + 1] != '\n');
        if (breaks) {
            place.line++;
            place.column = 1;
        } else if (!byte_continues(text.data[i])) {
            place.column++;
        }
    }
    return place;
}

/* Eight bytes at once that are all printable ASCII: nearly all of a large spec. */
static bool word_is_printable(const char *at)
{
    const uint64_t ones = 0x0101010101010101U;
    const uint64_t highs = ones * 0x80;
    uint64_t word = 0;
    memcpy(&word, at, sizeof word);
    bool high = (word & highs) != 0;
    bool below_space = ((word - ones * 0x20) & ~word & highs) != 0;
    bool is_delete = ((word + ones) & highs) != 0;
    return !high && !below_space && !is_delete;
}

/* How many bytes the character at `at` has; 0 for what is no text. */
static size_t character_bytes(const char *at, size_t left)
{
    unsigned char lead = (unsigned char)*at;
    if (lead < 0x80) {
        bool is_text =
            (lead >= 0x20 && lead != 0x7f) || lead == '\t' || lead == '\n' || lead == '\r';
        return is_text ? 1 : 0;
    }
    size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return bytes <= left && str_is_utf8((struct str){ at, bytes }) ? bytes : 0;
}

bool spec_text_find_bad_byte(struct str text, size_t *ret_offset)
{
    size_t at = 0;
    while (at < text.length) {
        size_t left = text.length - at;
        if (left >= sizeof(uint64_t) && word_is_printable(text.data + at)) {
            at += sizeof(uint64_t);
            continue;
        }
        size_t bytes = character_bytes(text.data + at, left);
        if (bytes == 0) {
            *ret_offset = at;
            return true;
        }
        at += bytes;
    }
    return false;
}

struct str spec_text_cut(struct str text, size_t bytes_max)
{
    if (text.length <= bytes_max) {
        return text;
    }
    size_t length = bytes_max;
    while (length > 0 && byte_continues(text.data[length])) {
        length--;
    }
    return (struct str){ text.data, length };
}

bool spec_text_holds(struct str text, struct str part)
{
    return part.length == 0 || (text.length >= part.length &&
                                memmem(text.data, text.length, part.data, part.length) != NULL);
}
