/* The end of a constellation, for who wants nothing else of it: what its tasks do is not sent, however many
   they are. */
#ifndef CLI_END_H
#define CLI_END_H

#include <jansson.h>
#include <stdint.h>

#include "cli/cli.h"

/* Waits until the constellation with this full id has ended; a cut connection, a restarted daemon or a 503 is
   waited out and said once. deadline_ms is boot time, 0: none. Says, after Ctrl-C or when the time is over,
   how to go on. Returns the exit code of its end. *ret_constellation: a new reference to it as it was told
   last, or NULL. */
int end_wait(struct cli *cli, const char *id, int64_t deadline_ms, json_t **ret_constellation);

#endif
