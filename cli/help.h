/* Between the files of `help`: as text and Markdown, and as JSON for programs. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/cli.h"

struct help_exit {
    int code;
    const char *meaning; /* NULL: the end of the table */
};
extern const struct help_exit help_exits[];

/* On stdout: one verb, or with NULL all that are not hidden, with what they share. */
void help_json(const struct verb *verb);

#endif
