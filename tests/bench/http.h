/* The daemon's HTTP API as the bench uses it: one kept connection, blocking. Anything unexpected ends
   the bench. */
#ifndef TESTS_BENCH_HTTP_H
#define TESTS_BENCH_HTTP_H

#include <stdint.h>

#include "common/base/buf.h"

struct http;

enum { UID_BYTES = 160 };

struct http *http_new(const char *url);
void http_free(struct http *http);

/* Submits a spec in JSON. Returns the seconds from the first byte of the request to the end of the
   201. */
double http_submit(struct http *http, const struct buf *spec, char ret_uid[UID_BYTES]);
/* Any other POST, which must be answered with this status. Returns the seconds that it took. */
double http_post(struct http *http, const char *path, const struct buf *body, long status);
/* Asks until it has ended, every `every_s`; it must have succeeded. Returns now_s() at the answer. Of many
   `tasks` (0: of few) most answers would say nothing, and each costs as much as several tasks: it asks
   when half of the time has gone that those which are left seem to need. */
double http_wait_succeeded(struct http *http, const char *uid, size_t tasks, double every_s);
/* The number of tasks of a constellation that have succeeded. */
int64_t http_succeeded(struct http *http, const char *uid);
/* The values of metrics, each by its name with its labels, as they were at one instant; the list ends with NULL. */
void http_metrics(struct http *http, const char *const *names, double *ret_values);
/* The number of devices that are connected. */
size_t http_connected(struct http *http);

#endif
