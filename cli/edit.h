/* What the verbs share that change a plan: sending it, and the words for what came of it. */
#ifndef CLI_EDIT_H
#define CLI_EDIT_H

#include <jansson.h>

#include "cli/cli.h"
#include "common/base/str.h"

/* POST of a body to `rest` of a constellation, with --dry-run as it was given. CLI_OK after the words
   about what it did, or the exit code after those about what was wrong. */
int edit_send(struct cli *cli, const char *id, const char *rest, const char *content_type,
              struct str body);

#endif
