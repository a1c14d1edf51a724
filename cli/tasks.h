/* Names of constellations and tasks, and pages of tasks. */
#ifndef CLI_TASKS_H
#define CLI_TASKS_H

#include <jansson.h>

#include "cli/http.h"

enum { TASKS_NAME_BYTES_MAX = 300 };

/* "ID" or "ID/task"; what is behind the '/' may be empty only if there is no '/'. */
struct tasks_name {
    char id[TASKS_NAME_BYTES_MAX];
    char key[TASKS_NAME_BYTES_MAX]; /* "": none */
};
/* CLI_OK, or CLI_USAGE after the words. */
int tasks_name_of(const char *text, struct tasks_name *ret_name);

/* "/api/v1/constellations/ID" and `rest`, the id escaped, appended. */
void tasks_path(struct buf *to, const char *id, const char *rest);
void tasks_key_path(struct buf *to, const struct tasks_name *name, const char *rest);

/* The constellation of an id, a prefix of one or "@last". */
int tasks_constellation(struct http *http, const char *id, json_t **ret_constellation);

/* The full id of what a command line names: a prefix, or @last, may mean another one later. */
int tasks_full_id(struct http *http, const char *text, char ret_id[TASKS_NAME_BYTES_MAX]);

/* Whether the task put out more than its limit; the words say what is kept: "16.0 MiB of output kept,
   the rest was dropped". */
bool tasks_output_cut(const json_t *task);
void tasks_cut_words(const json_t *task, struct buf *to);

struct tasks_query {
    const char *id;
    const char *state; /* "failed,skipped"; NULL: any */
    int64_t limit;
};
/* The answer of the first page, its tasks joined with those of the pages behind it, up to the limit. */
int tasks_get(struct http *http, const struct tasks_query *query, json_t **ret_answer);

#endif
