/* One event of the history as clients see it: docs/events.md says which fields each kind has. */
#ifndef ORCHESTRATOR_API_EVENT_JSON_H
#define ORCHESTRATOR_API_EVENT_JSON_H

#include "common/base/buf.h"
#include "orchestrator/engine/record.h"

struct api;
struct json_out;

/* As the next element of an array. Names are looked up in the store; what has been deleted since is
   null. */
void event_write_json(struct api *api, const struct history *history, struct json_out *out);
/* Appended as a server-sent event with its id. */
void event_write(struct api *api, const struct history *history, struct buf *text);

#endif
