/* Where settings come from: defaults, the file, the environment and flags, in the order in which
   one replaces the other. */
#include "common/sys/config.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/sys/config_internal.h"

void config_variable(const struct config_table *table, const struct config_row *row,
                     char to[CONFIG_NAME_BYTES_MAX])
{
    int length = snprintf(to, CONFIG_NAME_BYTES_MAX, "%s%s", table->environment, row->name);
    CHECK(length > 0 && length < CONFIG_NAME_BYTES_MAX);
    for (char *at = to; *at != 0; at++) {
        if (*at == '-') {
            *at = '_';
        } else if (*at >= 'a' && *at <= 'z') {
            *at = (char)(*at - 'a' + 'A');
        }
    }
}

const char *config_environment_get(const char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') {
            return *environment + length + 1;
        }
    }
    return NULL;
}

/* Lists are written with commas where only one text is possible. */
static enum err set_text(struct config_loading *loading, const struct config_row *row,
                         enum config_source source, const char *text, const char *where,
                         struct reason *reason)
{
    if (!config_row_is_list(row)) {
        return config_set(loading, row, source, text, where, reason);
    }
    enum err err = ERR_NONE;
    while (err == ERR_NONE && *text != 0) {
        size_t length = strcspn(text, ",");
        const char *item = arena_copy(&loading->config->arena, text, length);
        err = config_set(loading, row, source, item, where, reason);
        text += length + (text[length] == ',');
    }
    return err;
}

static enum err load_defaults(struct config_loading *loading, struct reason *reason)
{
    const struct config_table *table = loading->table;
    CHECK(table->rows_count <= CONFIG_ROWS_MAX);
    for (size_t i = 0; i < table->rows_count; i++) {
        const struct config_row *row = &table->rows[i];
        if (row->value == NULL) {
            continue;
        }
        enum err err = set_text(loading, row, CONFIG_SOURCE_DEFAULT, row->value, row->name, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}

static enum err load_environment(struct config_loading *loading, const char *const *environment,
                                 struct reason *reason)
{
    for (size_t i = 0; i < loading->table->rows_count; i++) {
        const struct config_row *row = &loading->table->rows[i];
        char name[CONFIG_NAME_BYTES_MAX];
        config_variable(loading->table, row, name);
        const char *text = config_environment_get(environment, name);
        if (text == NULL) {
            continue;
        }
        enum err err = set_text(loading, row, CONFIG_SOURCE_ENVIRONMENT, text, name, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}

/* The flags that every program has. */
static bool wish_of(const char *flag, enum config_wish *ret_wish)
{
    static const struct {
        const char *flag;
        enum config_wish wish;
    } wishes[] = {
        { "--help", CONFIG_WISH_HELP },
        { "-h", CONFIG_WISH_HELP },
        { "--version", CONFIG_WISH_VERSION },
        { "--help-config-markdown", CONFIG_WISH_MARKDOWN },
    };
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        if (strcmp(flag, wishes[i].flag) == 0) {
            *ret_wish = wishes[i].wish;
            return true;
        }
    }
    return false;
}

static enum err unknown_flag(const struct config_table *table, const char *name,
                             struct reason *reason)
{
    const char *nearest = config_row_nearest(table, name);
    if (nearest != NULL) {
        return reason_set(reason, ERR_INVALID, "--%s is unknown; did you mean --%s?", name,
                          nearest);
    }
    return reason_set(reason, ERR_INVALID, "--%s is unknown; --help lists what is known", name);
}

/* One flag, at argv[*at]; moves *at to its last word. */
static enum err take_flag(struct config_loading *loading, int argc, const char *const *argv,
                          int *at, const char **ret_file, struct reason *reason)
{
    const char *flag = argv[*at] + 2;
    size_t length = strcspn(flag, "=");
    char name[CONFIG_NAME_BYTES_MAX];
    if (length >= sizeof name) {
        return reason_set(reason, ERR_INVALID, "a flag of %zu characters is unknown", length);
    }
    memcpy(name, flag, length);
    name[length] = 0;
    const char *text = flag[length] == '=' ? flag + length + 1 : NULL;
    bool is_file = strcmp(name, "config") == 0;
    const struct config_row *row = config_row_find(loading->table, name);
    if (row == NULL && strncmp(name, "no-", 3) == 0 && text == NULL) {
        row = config_row_find(loading->table, name + 3);
        if (row != NULL && row->type == CONFIG_BOOL) {
            return config_set(loading, row, CONFIG_SOURCE_FLAG, "false", name, reason);
        }
        row = NULL;
    }
    if (row == NULL && !is_file) {
        return unknown_flag(loading->table, name, reason);
    }
    if (text == NULL && row != NULL && row->type == CONFIG_BOOL) {
        text = "true";
    }
    if (text == NULL) {
        if (*at + 1 >= argc) {
            return reason_set(reason, ERR_INVALID, "--%s needs a value", name);
        }
        text = argv[++*at];
    }
    if (row == NULL) {
        *ret_file = text;
        return ERR_NONE;
    }
    char where[CONFIG_NAME_BYTES_MAX + 2];
    snprintf(where, sizeof where, "--%s", name);
    return config_set(loading, row, CONFIG_SOURCE_FLAG, text, where, reason);
}

static enum err load_flags(struct config_loading *loading, int argc, const char *const *argv,
                           const char **ret_file, struct reason *reason)
{
    struct config *config = loading->config;
    bool only_arguments = false;
    for (int at = 1; at < argc; at++) {
        if (!only_arguments && strcmp(argv[at], "--") == 0) {
            only_arguments = true;
            continue;
        }
        if (only_arguments || argv[at][0] != '-' || argv[at][1] == 0) {
            if (config->arguments_count == CONFIG_ARGUMENTS_MAX) {
                return reason_set(reason, ERR_LIMIT, "more than %d arguments",
                                  CONFIG_ARGUMENTS_MAX);
            }
            config->arguments[config->arguments_count++] = argv[at];
            continue;
        }
        if (wish_of(argv[at], &config->wish)) {
            continue;
        }
        if (argv[at][1] != '-') {
            return reason_set(reason, ERR_INVALID, "%s is unknown; --help lists what is known",
                              argv[at]);
        }
        enum err err = take_flag(loading, argc, argv, &at, ret_file, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}

enum err config_load(struct config *config, const struct config_table *table, int argc,
                     const char *const *argv, const char *const *environment, void *values,
                     struct reason *reason)
{
    struct config_loading loading = { .config = config, .table = table, .values = values };
    const char *file = NULL;
    enum err err = load_defaults(&loading, reason);
    CHECK(err == ERR_NONE);
    /* Flags first, since they may name the file; what they set, the others leave alone. */
    err = load_flags(&loading, argc, argv, &file, reason);
    if (err != ERR_NONE || config->wish != CONFIG_WISH_RUN) {
        return err;
    }
    err = load_environment(&loading, environment, reason);
    if (err != ERR_NONE) {
        return err;
    }
    char variable[CONFIG_NAME_BYTES_MAX];
    config_variable(table, &(struct config_row){ .name = "config" }, variable);
    if (file == NULL) {
        file = config_environment_get(environment, variable);
    }
    if (file != NULL) {
        config->file = file;
        return config_file_load(&loading, file, reason);
    }
    if (table->file == NULL) {
        return ERR_NONE;
    }
    config->file = table->file;
    err = config_file_load(&loading, table->file, reason);
    if (err == ERR_NOT_FOUND) {
        config->file = NULL;
        return ERR_NONE;
    }
    return err;
}

void config_done(struct config *config)
{
    arena_done(&config->arena);
    *config = (struct config){ 0 };
}
