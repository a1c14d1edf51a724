/* Values of a batch, and what is said of those that are wrong. See edit_operation.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/spec/edit_operation.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_report.h"
#include "orchestrator/spec/spec_text.h"

void edit_reader_at(struct edit_reader *reader, enum edit_part part, uint32_t index)
{
    reader->part = part;
    reader->index = index;
    reader->faults_before = reader->faults->count;
}

static struct str path_of(const struct edit_reader *reader, const char *place)
{
    char text[128];
    const char *slash = place[0] == '\0' ? "" : "/";
    int length = 0;
    if (reader->part == EDIT_PART_BATCH) {
        length = snprintf(text, sizeof(text), "%s%s", slash, place);
    } else {
        const char *list = reader->part == EDIT_PART_EXPECT ? "expect" : "operations";
        length =
            snprintf(text, sizeof(text), "/%s/%u%s%s", list, (unsigned)reader->index, slash, place);
    }
    return arena_str(reader->arena, (struct str){ text, (size_t)length });
}

void edit_refuse(struct edit_reader *reader, const struct spec_node *node, const char *place,
                 const char *code, const char *allowed, const char *format, ...)
{
    if (reader->faults->count == EDIT_PROBLEMS_MAX) {
        reader->faults->more = true; /* and nothing is worked out for it */
        return;
    }
    char words[REASON_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    struct spec_place at = spec_node_place(node);
    if (at.line == 0) { /* JSON is not counted while it is read: its column is the byte's offset */
        at = spec_text_place(reader->source, node->column);
    }
    const struct edit_fault fault = {
        .part = reader->part,
        .index = reader->index,
        .code = code,
        .path = path_of(reader, place),
        .line = at.line,
        .column = at.column,
        .allowed = arena_str(reader->arena, str_of(allowed)),
    };
    edit_fault_add(reader->faults, &fault, "%s", words);
}

void edit_wrong_type(struct edit_reader *reader, const struct spec_node *node, const char *place,
                     const char *expected)
{
    if (node->kind != SPEC_BAD) {
        edit_refuse(reader, node, place, "wrong_type", NULL, "must be %s, not %s", expected,
                    spec_kind_name(node->kind));
    }
}

/* The words of a comma separated list. */
static void offer_all(struct spec_nearest *nearest, const char *words)
{
    struct str rest = str_of(words);
    while (rest.length > 0) {
        size_t length = 0;
        while (length < rest.length && rest.data[length] != ',') {
            length++;
        }
        spec_nearest_offer(nearest, (struct str){ rest.data, length });
        size_t step = length + 2 < rest.length ? length + 2 : rest.length;
        rest = (struct str){ rest.data + step, rest.length - step };
    }
}

void edit_unknown_key(struct edit_reader *reader, const struct spec_node *name, const char *place,
                      const char *allowed)
{
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, spec_node_text(name));
    offer_all(&nearest, allowed);
    char hint[SPEC_HINT_BYTES_MAX];
    struct str shown = spec_report_shorten(spec_node_text(name));
    edit_refuse(reader, name, place, "unknown_key", allowed, "unknown key \"%.*s\"%s",
                STR_ARG(shown), spec_nearest_hint(&nearest, hint));
}

bool edit_take_text(struct edit_reader *reader, const struct spec_node *node, const char *place,
                    size_t bytes_max, struct str *ret_text)
{
    /* A key may look like a number: in YAML nobody quotes it. */
    if (node->kind != SPEC_TEXT && node->kind != SPEC_NUMBER) {
        edit_wrong_type(reader, node, place, "text");
        return false;
    }
    struct str text = spec_node_text(node);
    if (text.length == 0 || text.length > bytes_max) {
        edit_refuse(reader, node, place, "out_of_range", NULL, "must have 1 to %zu bytes",
                    bytes_max);
        return false;
    }
    if (memchr(text.data, 0, text.length) != NULL) {
        edit_refuse(reader, node, place, "bad_value", NULL, "holds a NUL character");
        return false;
    }
    *ret_text = text;
    return true;
}

bool edit_take_integer(struct edit_reader *reader, const struct spec_node *node, const char *place,
                       int64_t min, int64_t max, int64_t *ret_value)
{
    uint64_t value = 0;
    if (node->kind != SPEC_NUMBER) {
        edit_wrong_type(reader, node, place, "a whole number");
        return false;
    }
    if (!str_to_uint64(spec_node_text(node), (uint64_t)max, &value) || (int64_t)value < min) {
        edit_refuse(reader, node, place, "out_of_range", NULL,
                    "must be a whole number from %lld to %lld", (long long)min, (long long)max);
        return false;
    }
    *ret_value = (int64_t)value;
    return true;
}

bool edit_take_choice(struct edit_reader *reader, const struct spec_node *node, const char *place,
                      const char *const *words, size_t count, const char *allowed,
                      size_t *ret_choice)
{
    if (node->kind != SPEC_TEXT) {
        edit_wrong_type(reader, node, place, "text");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_is(spec_node_text(node), words[i])) {
            *ret_choice = i;
            return true;
        }
    }
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, spec_node_text(node));
    offer_all(&nearest, allowed);
    char hint[SPEC_HINT_BYTES_MAX];
    struct str shown = spec_report_shorten(spec_node_text(node));
    edit_refuse(reader, node, place, "bad_value", allowed, "\"%.*s\" is none of: %s%s",
                STR_ARG(shown), allowed, spec_nearest_hint(&nearest, hint));
    return false;
}
