/* The command-line tool: what its verbs share. A verb is one constant of its own file, and a row in
   verbs.c; from the rows come dispatch, help, docs/cli.md and shell completion. The tool speaks
   only the HTTP API. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* the constellation failed */
    CLI_USAGE = 2,       /* wrong command line, or a spec that is refused */
    CLI_UNREACHABLE = 3, /* no connection, or the daemon cannot serve */
    CLI_REFUSED = 4,     /* 401, 403, 404, 409 and the like */
    CLI_CANCELLED = 5,
    CLI_TIMED_OUT = 124,
    CLI_INTERRUPTED = 130,
};

/* What stands in place of an argument, for completion and for help. */
enum cli_operand {
    CLI_OPERAND_NONE = 0,
    CLI_OPERAND_FILE,
    CLI_OPERAND_ID,
    CLI_OPERAND_TASK, /* ID or ID/task */
    CLI_OPERAND_DEVICE,
    CLI_OPERAND_VERB,
    CLI_OPERAND_WORD, /* one of `words` */
};

struct http;
struct cli;

struct verb {
    const char *name;
    const char *summary; /* one line, for the list */
    const char *usage;   /* what follows the name */
    const char *text;    /* a paragraph more, or NULL */
    const char *example; /* lines of commands */
    const struct option *options;
    enum cli_operand operand;
    const char *words; /* "create list revoke": the first argument is one of these */
    size_t arguments_min;
    size_t arguments_max;
    bool takes_command; /* words behind "--" */
    bool hidden;
    int (*run)(struct cli *cli); /* returns a cli_exit */
};

struct cli {
    const struct verb *verb;
    struct options options;
    struct http *http;
    bool json;     /* -o json */
    bool terminal; /* stdout is one that can be drawn on */
    bool colour;
};

/* The table, in the order of the help; NULL at its end. */
extern const struct verb *const verbs[];
/* The options of every verb. */
extern const struct option global_options[];

const struct verb *verb_find(const char *name);
const char *verb_nearest(const char *name); /* NULL: nothing is near */
/* On stdout, as words or as one JSON document. */
void verb_print_help(const struct verb *verb, bool json);
void verbs_help(bool json);
/* The rows as Markdown on stdout: docs/cli.md. */
void verbs_markdown(void);

/* "asterism: …" on stderr, with control characters escaped; returns `code`. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
