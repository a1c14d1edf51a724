/* A task's output as JSON: an object for each of its lines, {"task", "stream", "text"}; "base64" in
   place of "text" for what is not UTF-8. Joined they are the output, byte for byte. */
#ifndef CLI_LOGS_JSON_H
#define CLI_LOGS_JSON_H

#include <jansson.h>

#include "common/base/buf.h"
#include "common/base/str.h"

enum { LOGS_JSON_LINE_BYTES_MAX = 64 * 1024 }; /* a longer line comes in several objects */

/* One stream of one task. The texts are borrowed; `held` is what has no line end yet. */
struct logs_json {
    const char *task;
    const char *stream; /* "stdout" or "stderr" */
    struct buf held;
};

/* Appends the objects of the lines that are whole, each on a line. */
void logs_json_add(struct logs_json *json, struct str bytes, struct buf *to);
/* Appends what is left, and releases it. */
void logs_json_end(struct logs_json *json, struct buf *to);

/* object[name] = the bytes as text, or object[name_base64] if they are none. */
void logs_json_set(json_t *object, const char *name, const char *name_base64, struct str bytes);

#endif
