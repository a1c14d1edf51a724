/* The programs' log: one line an event on stderr, a dotted name and then key=value. Only floor 4 logs;
   libraries return. No secrets, no payloads.

     2026-11-22T17:10:47.123Z warn channel.closed device=desktop reason="lease ran out"

   Under systemd the journal keeps time and level, and both are left out. Control characters of what
   was formatted are escaped, so that no value can begin a line of its own. */
#ifndef COMMON_SYS_LOG_H
#define COMMON_SYS_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_DEBUG = 0,
    LOG_LEVEL_INFO, /* the default */
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
};

enum { LOG_LINE_BYTES_MAX = 4096 }; /* longer lines are cut and end in "…" */

void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_of(const char *name, enum log_level *ret_level);

/* An event with nothing to add passes "%s", "". */
void log_debug(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_error(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A value that may hold blanks or quotes, quoted if it must be: "reason=%s", log_quote(reason). The
   text lives until this thread's eighth call from now; NULL gives "". Cut at 1,000 bytes. */
const char *log_quote(const char *text);

/* The line as it is written, without its time, into `to`: what the four above use. Returns its
   length. */
struct log_line {
    char text[LOG_LINE_BYTES_MAX];
};
unsigned log_line_make(struct log_line *to, const char *prefix, const char *event,
                       const char *message);

#endif
