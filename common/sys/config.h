/* A program's settings as one table of rows, which feeds its flags, environment, file, `--help` and
   documents. Flags win over the environment, that over the file, that over the default.

     --data-dir PATH      ASTERISMD_DATA_DIR=PATH      data-dir: PATH

   A row's value lands in the program's own struct, at the row's offset. */
#ifndef COMMON_SYS_CONFIG_H
#define COMMON_SYS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

enum config_type {
    CONFIG_STRING = 1, /* const char *; NULL without a default */
    CONFIG_CHOICE,     /* const char *; one of `choices` */
    CONFIG_INT,        /* int64_t */
    CONFIG_BOOL,       /* bool; the flag is --name, --no-name or --name=false */
    CONFIG_DURATION,   /* int64_t, milliseconds: 250ms 90s 5m 1h 7d; plain digits are seconds */
    CONFIG_SIZE,       /* int64_t, bytes: 512 64KiB 1MiB 10GiB */
    CONFIG_LIST,       /* struct config_list; the flag repeats, the environment has commas, the
                          file a sequence */
    CONFIG_PAIRS, /* struct config_list of "k=v"; as a list, the file may also have a mapping */
};

enum {
    CONFIG_LIST_MAX = 256,
    CONFIG_VALUE_BYTES_MAX = 4096,
    CONFIG_FILE_BYTES_MAX = 1024 * 1024,
    CONFIG_ARGUMENTS_MAX = 64,
};

/* Zero-initialised is empty. */
struct config_list {
    const char *items[CONFIG_LIST_MAX];
    size_t count;
};

struct config_row {
    const char *name; /* lower case with dashes */
    enum config_type type;
    size_t offset;
    const char *value;   /* the default, as a person would write it; NULL: unset, 0, empty */
    int64_t min;         /* of INT, DURATION (ms) and SIZE (bytes) */
    int64_t max;         /* min = max = 0: any that is not negative */
    const char *choices; /* "a|b|c" */
    const char *operand; /* what stands for the value in the help: "PATH" */
    const char *help;    /* one sentence */
    const char *unset;   /* for the help: what happens without a value, when value is NULL */
};

struct config_table {
    const char *program;     /* "asterismd" */
    const char *usage;       /* the head of --help: what it is, forms of the command */
    const char *environment; /* "ASTERISMD_" */
    const char *file; /* read if it is there; --config PATH reads another one, which must be */
    const struct config_row *rows;
    size_t rows_count;
};

/* What the command line asks for beside settings. */
enum config_wish {
    CONFIG_WISH_RUN = 0,
    CONFIG_WISH_HELP, /* print config_help() and end with 0 */
    CONFIG_WISH_VERSION,
    CONFIG_WISH_MARKDOWN, /* --help-config-markdown: config_markdown() */
};

/* Zero-initialised is ready. Owns the texts that `values` points to. */
struct config {
    struct arena arena;
    enum config_wish wish;
    const char *arguments[CONFIG_ARGUMENTS_MAX]; /* what is no flag; behind "--" everything */
    size_t arguments_count;
    const char *file; /* what was read, or NULL */
};

/* Fills in `values`, the program's struct, which must be zero. ERR_INVALID and a reason that names
   the source ("--slots", "ASTERISM_AGENT_SLOTS", "file:3:8: slots"); ERR_NOT_FOUND and others for a
   file that cannot be read. `environment` is environ, or a list of a test's own. */
enum err config_load(struct config *config, const struct config_table *table, int argc,
                     const char *const *argv, const char *const *environment, void *values,
                     struct reason *reason);
void config_done(struct config *config);

/* Where a program that is not told otherwise keeps what must last: /var/lib/NAME for root, else
   $XDG_STATE_HOME/NAME or ~/.local/state/NAME. The text lives in `config`. ERR_INVALID: no HOME. */
enum err config_data_dir(struct config *config, const char *name, const char *const *environment,
                         const char **ret_path, struct reason *reason);

/* Appended to `to`. */
void config_help(const struct config_table *table, struct buf *to);
void config_markdown(const struct config_table *table, struct buf *to);

/* "64KiB" and the like; KB, MB and GB are powers of ten, K, M and G of two. */
bool config_size_of(const char *text, int64_t *ret_bytes);

#endif
