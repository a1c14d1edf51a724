/* What people see: tables, colours, times, and text that came from elsewhere made harmless. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"

struct cli;

/* Appended with control characters and bytes that are not UTF-8 written as \xNN, so that no text of
   the daemon's can move the cursor or change the terminal. */
void output_safe(struct buf *to, struct str text);

/* The same for a task's output that comes in pieces: lines, tabs and (with `colours`) the sequences
   that only set colours pass. Zero-initialised but for `colours`. */
struct output_filter {
    bool colours;
    bool coloured; /* a colour was set: the end takes it back */
    char held[32]; /* the beginning of a character or of a sequence */
    size_t held_length;
};
void output_filter_add(struct output_filter *filter, struct buf *to, struct str bytes);
void output_filter_end(struct output_filter *filter, struct buf *to);

enum { OUTPUT_COLUMNS_MAX = 10, OUTPUT_SPAN_BYTES = 24 };

/* Rows of cells, whose columns line up. Zero-initialised is empty. */
struct table {
    struct buf cells; /* NUL-terminated texts, row after row */
    size_t columns;
    size_t rows;
};
/* The first row is the head. The cells are made safe. Every row has as many as the head. */
void table_row(struct table *table, size_t columns, const char *const *cells);
/* Colours cells of the column `state_column` (SIZE_MAX: none) by the state they name. */
void table_render(const struct table *table, bool colour, size_t state_column, struct buf *to);
void table_done(struct table *table);

/* The sequence that begins a state's colour, or "". */
const char *output_colour(bool colour, const char *state);
const char *output_plain(bool colour); /* ends any colour */

/* "850ms", "3.2s", "4m12s", "2h03m", "5d04h". */
void output_span(int64_t ms, char to[OUTPUT_SPAN_BYTES]);
/* A JSON number of seconds likewise; "-" for null. */
void output_seconds(const json_t *seconds, char to[OUTPUT_SPAN_BYTES]);
/* "512 B", "3.4 MiB". */
void output_size(int64_t bytes, char to[OUTPUT_SPAN_BYTES]);
/* Wall milliseconds of an RFC 3339 text in UTC; 0 if it is none. */
int64_t output_wall_of(const char *text);

/* What is displayed: code points, without colour sequences. */
size_t output_width(struct str text);

/* Ends the process as SIGPIPE would if stdout could not be written because its reader has gone. */
void output_end_if_unread(void);

void output_json(const json_t *json); /* indented, on stdout */
void output_flush(struct buf *to);    /* writes it to stdout and empties it */

#endif
