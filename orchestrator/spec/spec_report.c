#include "orchestrator/spec/spec_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/check.h"

enum { DETAIL_BYTES_MAX = 600, SHORT_BYTES_MAX = 80, PATH_KEY_BYTES_MAX = PLAN_KEY_BYTES_MAX };

struct str spec_report_shorten(struct str text)
{
    return spec_text_cut(text, SHORT_BYTES_MAX);
}

bool spec_report_is_full(const struct spec_report *report)
{
    return report->problems->count == SPEC_PROBLEMS_MAX;
}

/* A JSON pointer (RFC 6901), written from its end: the path is linked upwards. */
static struct str path_pointer(struct arena *arena, const struct spec_path *path)
{
    enum { POINTER_BYTES_MAX = (SPEC_DEPTH_MAX + 2) * (2 * PATH_KEY_BYTES_MAX + 1) };
    char text[POINTER_BYTES_MAX];
    size_t at = sizeof text;
    for (; path != NULL; path = path->up) {
        char number[24];
        struct str key = spec_text_cut(path->key, PATH_KEY_BYTES_MAX);
        if (path->key.data == NULL) {
            int length = snprintf(number, sizeof number, "%zu", path->index);
            key = (struct str){ number, (size_t)length };
        }
        CHECK(at > 2 * key.length);
        for (size_t i = key.length; i > 0; i--) {
            char byte = key.data[i - 1];
            if (byte == '~' || byte == '/') {
                text[--at] = byte == '~' ? '0' : '1';
                byte = '~';
            }
            text[--at] = byte;
        }
        text[--at] = '/';
    }
    return arena_str(arena, (struct str){ text + at, sizeof text - at });
}

/* A spec can hold escape sequences in its keys; a terminal shall not obey them. */
static void make_printable(char *text)
{
    for (; *text != 0; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

void spec_report_add(struct spec_report *report, const char *code, struct spec_place place,
                     const struct spec_path *path, const char *allowed, const char *format, ...)
{
    if (spec_report_is_full(report)) {
        return;
    }
    char detail[DETAIL_BYTES_MAX + 8];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    make_printable(detail);
    struct str cut = spec_text_cut(str_of(detail), DETAIL_BYTES_MAX);
    report->problems->list[report->problems->count++] = (struct spec_problem){
        .code = code,
        .path = path_pointer(report->arena, path),
        .line = place.line,
        .column = place.column,
        .detail = arena_str(report->arena, cut),
        .allowed = arena_str(report->arena, str_of(allowed)),
    };
}

static bool stands_before(const struct spec_problem *a, const struct spec_problem *b)
{
    if (a->line == 0 || b->line == 0) {
        return a->line != 0 && b->line == 0;
    }
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* By insertion: there are few, and equal ones keep their order. */
void spec_report_sort(struct spec_report *report)
{
    struct spec_problem *list = report->problems->list;
    for (size_t i = 1; i < report->problems->count; i++) {
        struct spec_problem moving = list[i];
        size_t to = i;
        for (; to > 0 && stands_before(&moving, &list[to - 1]); to--) {
            list[to] = list[to - 1];
        }
        list[to] = moving;
    }
}
