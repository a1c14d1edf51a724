#include "common/sys/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sys/clock.h"

enum { QUOTE_RING = 8, QUOTE_BYTES = 1024 };

static _Atomic int level_least = LOG_LEVEL_INFO;

static const struct {
    const char *name;
    const char *journal; /* syslog's number, as systemd reads it */
} levels[] = {
    [LOG_LEVEL_DEBUG] = { "debug", "<7>" },
    [LOG_LEVEL_INFO] = { "info", "<6>" },
    [LOG_LEVEL_WARN] = { "warn", "<4>" },
    [LOG_LEVEL_ERROR] = { "error", "<3>" },
};

void log_set_level(enum log_level level)
{
    atomic_store(&level_least, (int)level);
}

bool log_level_of(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(name, levels[i].name) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* JOURNAL_STREAM is inherited, so that a redirected stderr is told apart by its inode. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    if (stream == NULL) {
        return false;
    }
    struct stat is;
    char name[64];
    if (fstat(STDERR_FILENO, &is) != 0) {
        return false;
    }
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)is.st_dev, (uintmax_t)is.st_ino);
    return strcmp(stream, name) == 0;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* Appends with control characters as \n, \t or \xNN; false when `to` has no room. */
static bool append_safe(char *to, size_t bytes, size_t *length, unsigned char c)
{
    char escape[8];
    if (!is_control(c)) {
        escape[0] = (char)c;
        escape[1] = 0;
    } else if (c == '\n' || c == '\t' || c == '\r') {
        snprintf(escape, sizeof escape, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    } else {
        snprintf(escape, sizeof escape, "\\x%02x", c);
    }
    if (*length + strlen(escape) > bytes) {
        return false;
    }
    for (const char *at = escape; *at != 0; at++) {
        to[(*length)++] = *at;
    }
    return true;
}

unsigned log_line_make(struct log_line *to, const char *prefix, const char *event,
                       const char *message)
{
    static const char cut[] = "…";
    const size_t room = sizeof to->text - sizeof cut - 1; /* the cut, the newline, the NUL */
    int head = snprintf(to->text, room, "%s%s", prefix, event);
    size_t length = head < 0 ? 0 : (size_t)head < room ? (size_t)head : room - 1;
    bool fits = *message == 0 || append_safe(to->text, room, &length, ' ');
    for (const char *at = message; *at != 0 && fits; at++) {
        fits = append_safe(to->text, room, &length, (unsigned char)*at);
    }
    if (!fits) {
        /* Not in the middle of a character. */
        while (length > 0 && ((unsigned char)to->text[length - 1] & 0xc0U) == 0x80) {
            length--;
        }
        if (length > 0 && (unsigned char)to->text[length - 1] >= 0xc0) {
            length--;
        }
        memcpy(to->text + length, cut, sizeof cut - 1);
        length += sizeof cut - 1;
    }
    to->text[length++] = '\n';
    to->text[length] = 0;
    return (unsigned)length;
}

static void log_write(enum log_level level, const char *event, const char *message)
{
    char prefix[CLOCK_TEXT_BYTES + 16];
    if (stderr_is_journal()) {
        snprintf(prefix, sizeof prefix, "%s", levels[level].journal);
    } else {
        char now[CLOCK_TEXT_BYTES];
        clock_format_wall(clock_wall_ms(), now);
        snprintf(prefix, sizeof prefix, "%s %s ", now, levels[level].name);
    }
    struct log_line line;
    unsigned length = log_line_make(&line, prefix, event, message);
    /* One write a line: lines of several processes on one terminal do not mix. Nobody could be told
       of a failure. */
    ssize_t written = write(STDERR_FILENO, line.text, length);
    (void)written;
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *event, const char *format, ...)                                          \
    {                                                                                              \
        if (atomic_load_explicit(&level_least, memory_order_relaxed) > (int)(level)) {             \
            return;                                                                                \
        }                                                                                          \
        char message[LOG_LINE_BYTES_MAX];                                                          \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        int length = vsnprintf(message, sizeof message, format, args);                             \
        va_end(args);                                                                              \
        log_write(level, event, length < 0 ? "" : message);                                        \
    }

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)

static bool is_plain(const char *text)
{
    if (*text == 0) {
        return false;
    }
    for (; *text != 0; text++) {
        if (is_control((unsigned char)*text) || strchr(" \"=\\", *text) != NULL) {
            return false;
        }
    }
    return true;
}

const char *log_quote(const char *text)
{
    static _Thread_local char ring[QUOTE_RING][QUOTE_BYTES];
    static _Thread_local unsigned turn;
    char *to = ring[turn++ % QUOTE_RING];
    if (text == NULL) {
        text = "";
    }
    if (strlen(text) < 1000 && is_plain(text)) {
        snprintf(to, QUOTE_BYTES, "%s", text);
        return to;
    }
    size_t length = 0;
    to[length++] = '"';
    for (; *text != 0 && length < 1000; text++) {
        if (*text == '"' || *text == '\\') {
            to[length++] = '\\';
            to[length++] = *text;
        } else if (is_control((unsigned char)*text)) {
            /* Escaped here, since the line would escape it without the second backslash. */
            append_safe(to, 1010, &length, (unsigned char)*text);
        } else {
            to[length++] = *text;
        }
    }
    /* A character that the limit cut in two goes as a whole. */
    if (*text != 0) {
        while (length > 1 && ((unsigned char)to[length - 1] & 0xc0U) == 0x80) {
            length--;
        }
        if ((unsigned char)to[length - 1] >= 0xc0) {
            length--;
        }
    }
    to[length++] = '"';
    to[length] = 0;
    return to;
}
