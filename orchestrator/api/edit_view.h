/* What an edit has done, or why it was refused, as JSON. */
#ifndef ORCHESTRATOR_API_EDIT_VIEW_H
#define ORCHESTRATOR_API_EDIT_VIEW_H

#include "orchestrator/api/edit_resolve.h"
#include "orchestrator/api/json_out.h"
#include "orchestrator/api/reply.h"

/* What the engine has found is put among what was found before it, in the order of the batch. */
enum err edit_take_problems(struct store *store, const struct edit_resolved *resolved,
                            const struct edit_result *result, struct edit_faults *faults,
                            struct reason *reason);
/* With errors[{index, code, path, detail, tasks, allowed}]. */
void edit_view_faults(struct buf *body, enum problem_code code, struct str detail,
                      const struct edit_faults *faults, uint32_t revision);
/* Members of an object that the caller has opened. */
enum err edit_view_result(struct store *store, struct json_out *out,
                          const struct edit_resolved *resolved, const struct edit_result *result,
                          struct arena *arena, struct reason *reason);

#endif
