/* A task's `output` value: the JSON that stands in its output file or on its stdout. */
#ifndef AGENT_EXEC_VALUE_H
#define AGENT_EXEC_VALUE_H

#include "common/base/err.h"
#include "common/base/str.h"

/* Any JSON value, written compactly; NULL in *ret_json if the text is blank. ERR_INVALID with words
   (that begin with `what`) if it is none; ERR_LIMIT if it is larger than MSG_RESULT_BYTES_MAX. The
   text is the caller's to mem_free. */
enum err value_of_json(struct str text, const char *what, char **ret_json, struct reason *reason);
/* The same, but lines of k=v are taken too: an object of strings, in which the last line of a key
   counts. */
enum err value_of_output(struct str text, const char *what, char **ret_json, struct reason *reason);

#endif
