/* Tables and the colours of states. */
#include <string.h>

#include "cli/output.h"
#include "common/base/check.h"

static const struct {
    const char *state;
    const char *sequence;
} colours[] = {
    { "succeeded", "\x1b[32m" }, { "failed", "\x1b[31m" },       { "cancelled", "\x1b[33m" },
    { "skipped", "\x1b[90m" },   { "running", "\x1b[36m" },      { "assigned", "\x1b[36m" },
    { "backoff", "\x1b[33m" },   { "waiting", "\x1b[90m" },      { "connected", "\x1b[32m" },
    { "lost", "\x1b[31m" },      { "disconnected", "\x1b[31m" },
};

const char *output_colour(bool colour, const char *state)
{
    for (size_t i = 0; colour && i < sizeof colours / sizeof colours[0]; i++) {
        if (strcmp(colours[i].state, state) == 0) {
            return colours[i].sequence;
        }
    }
    return "";
}

const char *output_plain(bool colour)
{
    return colour ? "\x1b[0m" : "";
}

size_t output_width(struct str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == 0x1b) {
            while (i < text.length && text.data[i] != 'm') {
                i++;
            }
            continue;
        }
        width += ((unsigned char)text.data[i] & 0xc0U) != 0x80;
    }
    return width;
}

void table_row(struct table *table, size_t columns, const char *const *cells)
{
    CHECK(columns <= OUTPUT_COLUMNS_MAX && (table->rows == 0 || columns == table->columns));
    table->columns = columns;
    table->rows++;
    for (size_t i = 0; i < columns; i++) {
        output_safe(&table->cells, str_of(*cells[i] == 0 ? "-" : cells[i]));
        buf_append(&table->cells, "", 1);
    }
}

void table_render(const struct table *table, bool colour, size_t state_column, struct buf *to)
{
    size_t widths[OUTPUT_COLUMNS_MAX] = { 0 };
    const char *cell = (const char *)table->cells.data;
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t width = output_width(str_of(cell));
        size_t *widest = &widths[i % table->columns];
        *widest = width > *widest ? width : *widest;
        cell += strlen(cell) + 1;
    }
    cell = (const char *)table->cells.data;
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t column = i % table->columns;
        bool is_head = i < table->columns;
        const char *begin = is_head                  ? (colour ? "\x1b[1m" : "")
                            : column == state_column ? output_colour(colour, cell)
                                                     : "";
        buf_printf(to, "%s%s%s", begin, cell, *begin == 0 ? "" : output_plain(colour));
        if (column + 1 == table->columns) {
            buf_append_text(to, "\n");
        } else {
            buf_printf(to, "%*s", (int)(widths[column] - output_width(str_of(cell)) + 2), "");
        }
        cell += strlen(cell) + 1;
    }
}

void table_done(struct table *table)
{
    buf_done(&table->cells);
    *table = (struct table){ 0 };
}
