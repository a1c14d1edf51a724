/* The table as words: for --help and for the documents. */
#include <string.h>

#include "common/sys/config_internal.h"

enum { HELP_COLUMN = 30, HELP_WIDTH = 96 };

static const char *operand_of(const struct config_row *row)
{
    if (row->operand != NULL) {
        return row->operand;
    }
    switch (row->type) {
    case CONFIG_STRING:
        return "TEXT";
    case CONFIG_CHOICE:
        return row->choices;
    case CONFIG_INT:
        return "N";
    case CONFIG_BOOL:
        return "";
    case CONFIG_DURATION:
        return "DURATION";
    case CONFIG_SIZE:
        return "SIZE";
    case CONFIG_LIST:
        return "TEXT";
    case CONFIG_PAIRS:
        return "K=V";
    }
    return "";
}

/* Words broken into lines that begin at the column. */
static void append_wrapped(struct buf *to, const char *text, size_t column)
{
    size_t at = column;
    while (*text != 0) {
        size_t length = strcspn(text, " ");
        if (at + length > HELP_WIDTH && at > HELP_COLUMN) {
            buf_printf(to, "\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        }
        buf_append(to, text, length);
        at += length;
        text += length;
        if (*text == ' ') {
            text++;
            buf_append_text(to, " ");
            at++;
        }
    }
    buf_append_text(to, "\n");
}

static void append_row(struct buf *to, const char *head, const char *help)
{
    size_t length = strlen(head);
    buf_printf(to, "  %s", head);
    if (length + 4 > HELP_COLUMN) {
        buf_append_text(to, "\n");
        buf_printf(to, "%*s", HELP_COLUMN, "");
    } else {
        buf_printf(to, "%*s", (int)(HELP_COLUMN - 2 - length), "");
    }
    append_wrapped(to, help, HELP_COLUMN);
}

void config_help(const struct config_table *table, struct buf *to)
{
    buf_append_text(to, table->usage);
    buf_append_text(to, "\nSettings (flags win over the environment, that over the file):\n");
    struct buf head = { 0 };
    struct buf text = { 0 };
    for (size_t i = 0; i < table->rows_count; i++) {
        const struct config_row *row = &table->rows[i];
        buf_clear(&head);
        buf_clear(&text);
        const char *operand = operand_of(row);
        buf_printf(&head, "--%s%s%s", row->name, *operand == 0 ? "" : " ", operand);
        buf_append_text(&text, row->help);
        if (config_row_is_list(row)) {
            buf_append_text(&text, " May be given several times.");
        }
        if (row->value != NULL) {
            buf_printf(&text, " Default: %s", *row->value == 0 ? "none" : row->value);
        } else if (row->unset != NULL) {
            buf_printf(&text, " Default: %s", row->unset);
        }
        append_row(to, buf_text(&head), buf_text(&text));
    }
    buf_clear(&text);
    buf_printf(&text, "Read settings from this YAML file. Default: %s",
               table->file == NULL ? "none" : table->file);
    append_row(to, "--config PATH", buf_text(&text));
    append_row(to, "--help", "This text.");
    append_row(to, "--version", "The version.");
    buf_printf(to,
               "\nIn the environment --some-name is %sSOME_NAME; in the file it is some-name.\n",
               table->environment);
    buf_done(&head);
    buf_done(&text);
}

static const char *type_name(enum config_type type)
{
    switch (type) {
    case CONFIG_STRING:
        return "text";
    case CONFIG_CHOICE:
        return "choice";
    case CONFIG_INT:
        return "number";
    case CONFIG_BOOL:
        return "true or false";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_LIST:
        return "list";
    case CONFIG_PAIRS:
        return "list of k=v";
    }
    return "";
}

/* A bar would end the table's cell. */
static void append_cell(struct buf *to, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '|') {
            buf_append_text(to, "\\");
        }
        buf_append(to, text, 1);
    }
}

/* In the unit in which people write it, as far as it is whole. */
static void append_quantity(struct buf *to, const struct config_row *row, int64_t value)
{
    static const struct {
        const char *name;
        int64_t of;
    } spans[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } },
      sizes[] = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "B", 1 } };
    if (row->type == CONFIG_DURATION) {
        size_t i = 0;
        while (value % spans[i].of != 0) {
            i++;
        }
        buf_printf(to, "%lld%s", (long long)(value / spans[i].of), value == 0 ? "" : spans[i].name);
    } else if (row->type == CONFIG_SIZE) {
        size_t i = 0;
        while (value % sizes[i].of != 0) {
            i++;
        }
        buf_printf(to, "%lld%s", (long long)(value / sizes[i].of), value == 0 ? "" : sizes[i].name);
    } else {
        buf_printf(to, "%lld", (long long)value);
    }
}

void config_markdown(const struct config_table *table, struct buf *to)
{
    buf_append_text(to, "| name | variable | type | default | range | meaning |\n"
                        "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < table->rows_count; i++) {
        const struct config_row *row = &table->rows[i];
        char variable[CONFIG_NAME_BYTES_MAX];
        config_variable(table, row, variable);
        buf_printf(to, "| `%s` | `%s` | %s | ", row->name, variable, type_name(row->type));
        if (row->value != NULL && *row->value != 0) {
            buf_append_text(to, "`");
            append_cell(to, row->value);
            buf_append_text(to, "`");
        } else if (row->unset != NULL) {
            append_cell(to, row->unset);
        }
        buf_append_text(to, " | ");
        if (row->choices != NULL) {
            append_cell(to, row->choices);
        } else if (row->min != 0 || row->max != 0) {
            append_quantity(to, row, row->min);
            buf_append_text(to, " to ");
            append_quantity(to, row, row->max);
        }
        buf_append_text(to, " | ");
        append_cell(to, row->help);
        buf_append_text(to, " |\n");
    }
}
