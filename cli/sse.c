#include "cli/sse.h"

#include <stdio.h>
#include <string.h>

static void take_field(struct sse *sse, struct str name, struct str value)
{
    if (str_is(name, "data")) {
        if (sse->has_data) {
            buf_append_text(&sse->data, "\n");
        }
        sse->has_data = true;
        buf_append(&sse->data, value.data, value.length);
    } else if (str_is(name, "event") && value.length < sizeof sse->name) {
        snprintf(sse->name, sizeof sse->name, "%.*s", STR_ARG(value));
    } else if (str_is(name, "id") && value.length < sizeof sse->next_id &&
               memchr(value.data, 0, value.length) == NULL) {
        snprintf(sse->next_id, sizeof sse->next_id, "%.*s", STR_ARG(value));
    }
}

static void take_line(struct sse *sse)
{
    struct str line = { (const char *)sse->line.data, sse->line.length };
    if (line.length == 0) {
        /* The id counts once its event is whole: after a cut before that, the event comes again. */
        memcpy(sse->id, sse->next_id, sizeof sse->id);
        if (sse->has_data) {
            sse->event(sse->context, *sse->name == 0 ? "message" : sse->name,
                       (struct str){ buf_text(&sse->data), sse->data.length });
        }
        buf_clear(&sse->data);
        sse->has_data = false;
        sse->name[0] = 0;
        return;
    }
    const char *colon = memchr(line.data, ':', line.length);
    struct str name = line;
    struct str value = { "", 0 };
    if (colon != NULL) {
        name.length = (size_t)(colon - line.data);
        value = (struct str){ colon + 1, line.length - name.length - 1 };
        if (value.length > 0 && *value.data == ' ') {
            value.data++;
            value.length--;
        }
    }
    take_field(sse, name, value);
}

static void add_text(struct sse *sse, struct str text)
{
    if (sse->line.length + sse->data.length + text.length > SSE_EVENT_BYTES_MAX) {
        sse->too_large = true;
        return;
    }
    buf_append(&sse->line, text.data, text.length);
}

void sse_add(struct sse *sse, struct str bytes)
{
    while (bytes.length > 0 && !sse->too_large) {
        if (sse->after_return && *bytes.data == '\n') {
            bytes.data++;
            bytes.length--;
            sse->after_return = false;
            continue;
        }
        sse->after_return = false;
        size_t length = 0;
        while (length < bytes.length && bytes.data[length] != '\n' && bytes.data[length] != '\r') {
            length++;
        }
        add_text(sse, (struct str){ bytes.data, length });
        if (length < bytes.length && !sse->too_large) {
            if (!sse->started && sse->line.length >= 3 &&
                memcmp(sse->line.data, "\xef\xbb\xbf", 3) == 0) {
                buf_consume(&sse->line, 3);
            }
            sse->started = true;
            sse->after_return = bytes.data[length] == '\r';
            take_line(sse);
            buf_clear(&sse->line);
            length++;
        }
        bytes.data += length;
        bytes.length -= length;
    }
}

void sse_restart(struct sse *sse)
{
    buf_clear(&sse->line);
    buf_clear(&sse->data);
    sse->has_data = false;
    sse->after_return = false;
    sse->started = false;
    sse->too_large = false;
    sse->name[0] = 0;
    memcpy(sse->next_id, sse->id, sizeof sse->next_id);
}

void sse_done(struct sse *sse)
{
    buf_done(&sse->line);
    buf_done(&sse->data);
}
