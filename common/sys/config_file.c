/* The settings' file: one flat YAML mapping. Aliases, tags, duplicates and a second document are
   refused, as in specs. */
#include <yaml.h>

#include <string.h>

#include "common/base/check.h"
#include "common/sys/config_internal.h"
#include "common/sys/file.h"

struct file_reader {
    yaml_parser_t parser;
    yaml_event_t event;
    struct config_loading *loading;
    const char *path;
    struct reason *reason;
    bool seen[CONFIG_ROWS_MAX];
};

static enum err refuse(struct file_reader *reader, const char *words)
{
    return reason_set(reader->reason, ERR_INVALID, "%s:%zu:%zu: %s", reader->path,
                      reader->event.start_mark.line + 1, reader->event.start_mark.column + 1,
                      words);
}

/* Takes the next event in place of the last one. */
static enum err next(struct file_reader *reader)
{
    yaml_event_delete(&reader->event);
    if (yaml_parser_parse(&reader->parser, &reader->event) == 0) {
        const char *problem = reader->parser.problem;
        return reason_set(reader->reason, ERR_INVALID, "%s:%zu:%zu: %s", reader->path,
                          reader->parser.problem_mark.line + 1,
                          reader->parser.problem_mark.column + 1,
                          problem == NULL ? "is not YAML" : problem);
    }
    if (reader->event.type == YAML_ALIAS_EVENT) {
        return refuse(reader, "aliases are not allowed here");
    }
    return ERR_NONE;
}

/* The text of the scalar that the reader stands on, in the config's arena; NULL (and the reason)
   for anything else. */
static const char *scalar(struct file_reader *reader, const char *what)
{
    const yaml_event_t *event = &reader->event;
    if (event->type != YAML_SCALAR_EVENT) {
        reason_set(reader->reason, ERR_INVALID, "%s:%zu:%zu: %s must be one plain value",
                   reader->path, event->start_mark.line + 1, event->start_mark.column + 1, what);
        return NULL;
    }
    if (event->data.scalar.tag != NULL) {
        refuse(reader, "tags are not allowed here");
        return NULL;
    }
    if (memchr(event->data.scalar.value, 0, event->data.scalar.length) != NULL) {
        refuse(reader, "a NUL is not allowed here");
        return NULL;
    }
    return arena_copy(&reader->loading->config->arena, event->data.scalar.value,
                      event->data.scalar.length);
}

static enum err set_here(struct file_reader *reader, const struct config_row *row, const char *text)
{
    struct buf place = { 0 };
    buf_printf(&place, "%s:%zu:%zu: %s", reader->path, reader->event.start_mark.line + 1,
               reader->event.start_mark.column + 1, row->name);
    enum err err = config_set(reader->loading, row, CONFIG_SOURCE_FILE, text, buf_text(&place),
                              reader->reason);
    buf_done(&place);
    return err;
}

/* A mapping (pairs only) or a sequence; the reader stands on its start. */
static enum err read_items(struct file_reader *reader, const struct config_row *row)
{
    bool is_mapping = reader->event.type == YAML_MAPPING_START_EVENT;
    if (is_mapping && row->type != CONFIG_PAIRS) {
        return refuse(reader, "a sequence is expected here");
    }
    for (;;) {
        enum err err = next(reader);
        if (err != ERR_NONE) {
            return err;
        }
        if (reader->event.type == YAML_MAPPING_END_EVENT ||
            reader->event.type == YAML_SEQUENCE_END_EVENT) {
            return ERR_NONE;
        }
        const char *text = scalar(reader, row->name);
        if (text == NULL) {
            return ERR_INVALID;
        }
        if (is_mapping) {
            err = next(reader);
            const char *value = err == ERR_NONE ? scalar(reader, row->name) : NULL;
            if (value == NULL) {
                return ERR_INVALID;
            }
            struct buf pair = { 0 };
            buf_printf(&pair, "%s=%s", text, value);
            text = arena_copy(&reader->loading->config->arena, pair.data, pair.length);
            buf_done(&pair);
        }
        err = set_here(reader, row, text);
        if (err != ERR_NONE) {
            return err;
        }
    }
}

static enum err read_entry(struct file_reader *reader)
{
    const struct config_table *table = reader->loading->table;
    const char *name = scalar(reader, "a name");
    if (name == NULL) {
        return ERR_INVALID;
    }
    const struct config_row *row = config_row_find(table, name);
    if (row == NULL) {
        const char *nearest = config_row_nearest(table, name);
        return reason_set(reader->reason, ERR_INVALID, "%s:%zu:%zu: %.64s is unknown%s%s%s",
                          reader->path, reader->event.start_mark.line + 1,
                          reader->event.start_mark.column + 1, name,
                          nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                          nearest == NULL ? "" : "?");
    }
    bool *seen = &reader->seen[row - table->rows];
    if (*seen) {
        return reason_set(reader->reason, ERR_INVALID, "%s:%zu:%zu: %s is given twice",
                          reader->path, reader->event.start_mark.line + 1,
                          reader->event.start_mark.column + 1, row->name);
    }
    *seen = true;
    enum err err = next(reader);
    if (err != ERR_NONE) {
        return err;
    }
    if (config_row_is_list(row) && (reader->event.type == YAML_SEQUENCE_START_EVENT ||
                                    reader->event.type == YAML_MAPPING_START_EVENT)) {
        return read_items(reader, row);
    }
    const char *text = scalar(reader, row->name);
    return text == NULL ? ERR_INVALID : set_here(reader, row, text);
}

static enum err read_document(struct file_reader *reader)
{
    enum err err = ERR_NONE;
    /* The stream's start, then the document's; an empty file has none and sets nothing. */
    for (int i = 0; i < 2; i++) {
        err = next(reader);
        if (err != ERR_NONE || reader->event.type == YAML_STREAM_END_EVENT) {
            return err;
        }
    }
    err = next(reader);
    if (err == ERR_NONE && reader->event.type != YAML_MAPPING_START_EVENT) {
        return refuse(reader, "a mapping of names to values is expected");
    }
    while (err == ERR_NONE) {
        err = next(reader);
        if (err != ERR_NONE) {
            break;
        }
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            break;
        }
        err = read_entry(reader);
    }
    for (int i = 0; err == ERR_NONE && i < 2; i++) {
        err = next(reader);
    }
    if (err == ERR_NONE && reader->event.type != YAML_STREAM_END_EVENT) {
        return refuse(reader, "a second document");
    }
    return err;
}

enum err config_file_load(struct config_loading *loading, const char *path, struct reason *reason)
{
    struct buf text = { 0 };
    enum err err = file_read(path, CONFIG_FILE_BYTES_MAX, &text, reason);
    if (err != ERR_NONE) {
        buf_done(&text);
        return err;
    }
    struct file_reader reader = { .loading = loading, .path = path, .reason = reason };
    int made = yaml_parser_initialize(&reader.parser);
    CHECK(made == 1);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)buf_text(&text),
                                 text.length);
    err = read_document(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    buf_done(&text);
    return err;
}
