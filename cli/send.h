/* Changes, sent once whatever happens to the connection. */
#ifndef CLI_SEND_H
#define CLI_SEND_H

#include <jansson.h>

#include "cli/http.h"
#include "cli/tasks.h"

struct cli;

enum { SEND_TRIES_MAX = 30 };

/* Performs the exchange under an Idempotency-Key of its own. A lost connection is tried again with the
   same key, so that the daemon can tell the repetition; a daemon that was never reached is not waited
   for. `doing` is for the words: "submitting". */
void send_once(struct cli *cli, struct http_exchange *exchange, const char *doing);

/* The same with a JSON body (NULL: none; borrowed). CLI_OK and the answer, which may be NULL if there
   was none, or the exit code after the words. ret_answer may be left out. */
int send_change(struct cli *cli, const char *method, const char *path, const json_t *body,
                json_t **ret_answer);

/* The whole id, as what changes something takes it: @last is resolved, so that it does not mean
   another one the second time; everything else goes to the daemon as it is. Refuses ID/task. */
int send_whole_id(struct cli *cli, const char *text, char ret_id[TASKS_NAME_BYTES_MAX]);
/* "ID TASK…", "ID/TASK ID/TASK…" or both mixed, of one constellation: the arguments from `from` on. The
   keys are appended to the array, each once. */
int send_names(struct cli *cli, size_t from, char ret_id[TASKS_NAME_BYTES_MAX], json_t *keys);

#endif
