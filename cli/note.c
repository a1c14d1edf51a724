/* Words on stderr. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"

enum { NOTE_BYTES_MAX = 2048 };

static void print(const char *text)
{
    struct buf line = { 0 };
    buf_append_text(&line, "asterism: ");
    output_safe(&line, str_of(text));
    buf_append_text(&line, "\n");
    /* What is on stdout so far stands before it, where both are one terminal. */
    fflush(stdout);
    fwrite(line.data, 1, line.length, stderr);
    buf_done(&line);
}

int cli_fail(int code, const char *format, ...)
{
    char text[NOTE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print(text);
    return code;
}

void cli_note(const char *format, ...)
{
    char text[NOTE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print(text);
}
