/* A revision as clients see it. */
#ifndef ORCHESTRATOR_API_REVISIONS_H
#define ORCHESTRATOR_API_REVISIONS_H

#include "orchestrator/api/json_out.h"
#include "orchestrator/store/query_revision.h"

/* Without its texts; the object is left open. */
void view_revision(struct json_out *out, const struct revision_record *revision);

#endif
