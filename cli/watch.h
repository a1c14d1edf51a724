/* Following one constellation until it ends: what `run` and `watch` share; and the words of the end. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdint.h>

#include "cli/cli.h"
#include "cli/live.h"

/* Follows the constellation with this full id: a picture on a terminal, else lines; with -o json it only waits.
   deadline_ms is boot time, 0: none. Prints its end, or, after Ctrl-C, how to go on. ret_constellation (may
   be NULL) gets a new reference, or NULL. */
int watch_constellation(struct cli *cli, const char *id, int64_t deadline_ms,
                        json_t **ret_constellation);
/* "disk-report-7k2m succeeded in 4.2s: 12 succeeded" on stdout, and, on stderr, what failed and why. */
void watch_verdict(struct cli *cli, const json_t *constellation);
/* The words after a timeout: what it still waits for. Returns the exit code. */
int watch_timed_out(struct cli *cli, const char *id);
/* The words after Ctrl-C. */
int watch_detached(const char *id);
/* --timeout as boot time; 0 if it was not given. False (after words) if it is no duration. */
bool watch_deadline(const struct cli *cli, int64_t *ret_deadline_ms);

#endif
