/* Long polls: one answer of JSON that waits until there is something to tell, at most 55 seconds. For
   clients that cannot read server-sent events. */
#ifndef ORCHESTRATOR_API_POLL_H
#define ORCHESTRATOR_API_POLL_H

#include "orchestrator/api/route.h"

struct effects;
struct json_out;
struct query_events;

enum { POLL_WAIT_MS_MAX = 55 * 1000 };

/* *ret_wait_ms: 0 if the request does not ask to wait. False: it has been answered. */
bool poll_wanted(struct api *api, const struct api_call *call, int64_t *ret_wait_ms);
/* Answers when the constellation has ended; or, when the time is over, with it as it is. */
void poll_end(struct api *api, const struct api_call *call, int64_t constellation_id,
              int64_t wait_ms);
/* Answers when there are events behind `at`: {seq, events, next}, which may hold none in the end. */
void poll_events(struct api *api, const struct api_call *call, int64_t constellation_id, int64_t at,
                 int64_t wait_ms);
/* The same of /changes: {seq, constellations, devices, tasks, next}. */
void poll_changes(struct api *api, const struct api_call *call, int64_t constellation_id,
                  int64_t at, int64_t wait_ms);
/* events.c: where a reader wants to begin. False: it has been answered. */
bool events_find_start(struct api *api, const struct api_call *call, int64_t first_seq,
                       int64_t *ret_at);
/* changes.c: into an open object, what these events were of, as it is now. */
void changes_write_since(struct api *api, const struct query_events *events,
                         int64_t constellation_id, struct json_out *out);
void polls_committed(struct api *api, const struct effects *effects);

#endif
