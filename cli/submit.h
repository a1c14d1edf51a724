/* Submitting a spec exactly once, whatever happens to the connection. */
#ifndef CLI_SUBMIT_H
#define CLI_SUBMIT_H

#include <jansson.h>

#include "cli/cli.h"
#include "common/base/buf.h"
#include "common/base/str.h"

enum { SUBMIT_BYTES_MAX = 64 * 1024 * 1024 };

/* Appends the file, "-" being stdin, and says what it is by its name, or by how it begins. CLI_OK, or
   the exit code after the words. */
int submit_read(const char *path, struct buf *text, const char **ret_content_type);
/* Reads the file, "-" being stdin, and submits it. CLI_OK and the new constellation, or the exit code
   after the words, which for a wrong spec are file:line:column: message, one a line. */
int submit_file(struct cli *cli, const char *path, json_t **ret_constellation);
/* The same for a text; `name` stands for the file in the words. */
int submit_text(struct cli *cli, const char *name, const char *content_type, struct str text,
                json_t **ret_constellation);
/* The words for a refused spec: one line a problem. `problem` is the answer. */
void submit_problems(const char *name, const json_t *problem, struct buf *to);

#endif
