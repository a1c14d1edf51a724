#include "cli/output.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"

/* The length of the well-formed character at the start, at most `left`; 0: none; -1: cut off. */
static int character(const char *at, size_t left)
{
    unsigned char lead = (unsigned char)*at;
    int length = lead < 0x80   ? 1
                 : lead < 0xc2 ? 0
                 : lead < 0xe0 ? 2
                 : lead < 0xf0 ? 3
                 : lead < 0xf5 ? 4
                               : 0;
    if (length == 0) {
        return 0;
    }
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= left) {
            return -1;
        }
        if (((unsigned char)at[i] & 0xc0U) != 0x80) {
            return 0;
        }
    }
    return lead == 0 || str_is_utf8((struct str){ at, (size_t)length }) ? length : 0;
}

/* C0, DEL, and C1 in its two-byte form: what terminals act on. */
static bool is_control(const char *at, int length)
{
    unsigned char first = (unsigned char)at[0];
    return (length == 1 && (first < 0x20 || first == 0x7f)) ||
           (length == 2 && first == 0xc2 && (unsigned char)at[1] < 0xa0);
}

static void append_escaped(struct buf *to, const char *at, int length)
{
    for (int i = 0; i < length; i++) {
        buf_printf(to, "\\x%02x", (unsigned char)at[i]);
    }
}

void output_safe(struct buf *to, struct str text)
{
    while (text.length > 0) {
        int length = character(text.data, text.length);
        if (length > 0 && !is_control(text.data, length)) {
            buf_append(to, text.data, (size_t)length);
        } else {
            length = length > 0 ? length : 1;
            append_escaped(to, text.data, length);
        }
        text.data += length;
        text.length -= (size_t)length;
    }
}

/* The length of the colour sequence at the start; 0: it is none; -1: it may become one. */
static int colour_sequence(const char *at, size_t left)
{
    enum { LONGEST = 24 };
    if (*at != 0x1b) {
        return 0;
    }
    if (left > 1 && at[1] != '[') {
        return 0;
    }
    for (size_t i = 2; i < left && i < LONGEST; i++) {
        if (at[i] == 'm') {
            return (int)i + 1;
        }
        if (strchr("0123456789;:", at[i]) == NULL) {
            return 0;
        }
    }
    return left >= LONGEST ? 0 : -1;
}

static void filter(struct output_filter *state, struct buf *to, struct str *text, bool last)
{
    while (text->length > 0) {
        int length = state->colours ? colour_sequence(text->data, text->length) : 0;
        bool passes = length > 0;
        if (passes) {
            state->coloured = !(length == 3 || (length == 4 && text->data[2] == '0'));
        }
        if (length == 0) {
            length = character(text->data, text->length);
            passes = length > 0 && (*text->data == '\n' || *text->data == '\t' ||
                                    !is_control(text->data, length));
        }
        if (length < 0 && !last) {
            return;
        }
        /* A line end of another system is no more than a line end. */
        if (*text->data == '\r') {
            if (text->length == 1 && !last) {
                return;
            }
            if (text->length > 1 && text->data[1] == '\n') {
                text->data++;
                text->length--;
                continue;
            }
        }
        if (passes) {
            buf_append(to, text->data, (size_t)length);
        } else {
            length = length > 0 ? length : 1;
            append_escaped(to, text->data, length);
        }
        text->data += length;
        text->length -= (size_t)length;
    }
}

void output_filter_add(struct output_filter *state, struct buf *to, struct str bytes)
{
    struct buf joined = { 0 };
    if (state->held_length > 0) {
        buf_append(&joined, state->held, state->held_length);
        buf_append(&joined, bytes.data, bytes.length);
        bytes = (struct str){ (const char *)joined.data, joined.length };
    }
    filter(state, to, &bytes, false);
    CHECK(bytes.length <= sizeof state->held);
    memcpy(state->held, bytes.length == 0 ? "" : bytes.data, bytes.length);
    state->held_length = bytes.length;
    buf_done(&joined);
}

void output_filter_end(struct output_filter *state, struct buf *to)
{
    struct str held = { state->held, state->held_length };
    filter(state, to, &held, true);
    state->held_length = 0;
    if (state->coloured) {
        buf_append_text(to, "\x1b[0m");
    }
}

void output_span(int64_t ms, char to[OUTPUT_SPAN_BYTES])
{
    long long s = (long long)(ms < 0 ? 0 : ms) / 1000;
    if (ms < 1000) {
        snprintf(to, OUTPUT_SPAN_BYTES, "%dms", ms < 0 ? 0 : (int)ms);
    } else if (s < 60) {
        snprintf(to, OUTPUT_SPAN_BYTES, "%lld.%llds", s, (long long)ms / 100 % 10);
    } else if (s < 3600) {
        snprintf(to, OUTPUT_SPAN_BYTES, "%lldm%02llds", s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(to, OUTPUT_SPAN_BYTES, "%lldh%02lldm", s / 3600, s / 60 % 60);
    } else {
        snprintf(to, OUTPUT_SPAN_BYTES, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    }
}

void output_seconds(const json_t *seconds, char to[OUTPUT_SPAN_BYTES])
{
    double value = json_number_value(seconds);
    if (!json_is_number(seconds) || !isfinite(value) || value < 0 || value > 1e12) {
        snprintf(to, OUTPUT_SPAN_BYTES, "-");
        return;
    }
    output_span((int64_t)(value * 1000 + 0.5), to);
}

void output_size(int64_t bytes, char to[OUTPUT_SPAN_BYTES])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(to, OUTPUT_SPAN_BYTES, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value,
             units[unit]);
}

int64_t output_wall_of(const char *text)
{
    struct tm utc = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest == NULL) {
        return 0;
    }
    int64_t ms = 0;
    if (*rest == '.') {
        ms = (int64_t)(strtod(rest, NULL) * 1000 + 0.5);
    }
    return (int64_t)timegm(&utc) * 1000 + ms;
}

void output_end_if_unread(void)
{
    struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
    if (ferror(stdout) && poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
}

void output_json(const json_t *json)
{
    /* Seconds have at most milliseconds: more digits would only show how a double is kept. */
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    fputc('\n', stdout);
}

void output_flush(struct buf *to)
{
    if (to->length > 0) {
        fwrite(to->data, 1, to->length, stdout);
    }
    fflush(stdout);
    buf_clear(to);
}
