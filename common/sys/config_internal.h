/* Between the files of config: one value into its place, and the file's reader. */
#ifndef COMMON_SYS_CONFIG_INTERNAL_H
#define COMMON_SYS_CONFIG_INTERNAL_H

#include "common/sys/config.h"

enum {
    CONFIG_ROWS_MAX = 128,
    CONFIG_NAME_BYTES_MAX = 64, /* of a row's name and of its variable */
};

/* Where a setting came from; a higher one replaces a lower one, the same one appends to lists. */
enum config_source {
    CONFIG_SOURCE_NONE = 0,
    CONFIG_SOURCE_DEFAULT,
    CONFIG_SOURCE_FILE,
    CONFIG_SOURCE_ENVIRONMENT,
    CONFIG_SOURCE_FLAG,
};

struct config_loading {
    struct config *config;
    const struct config_table *table;
    void *values;
    enum config_source sources[CONFIG_ROWS_MAX];
};

const struct config_row *config_row_find(const struct config_table *table, const char *name);
/* The name that was probably meant, or NULL. */
const char *config_row_nearest(const struct config_table *table, const char *name);
bool config_row_is_list(const struct config_row *row);
/* `where` is what the reason begins with. */
enum err config_set(struct config_loading *loading, const struct config_row *row,
                    enum config_source source, const char *text, const char *where,
                    struct reason *reason);
enum err config_file_load(struct config_loading *loading, const char *path, struct reason *reason);
/* NULL if it is not there. */
const char *config_environment_get(const char *const *environment, const char *name);
void config_variable(const struct config_table *table, const struct config_row *row,
                     char to[CONFIG_NAME_BYTES_MAX]);

#endif
