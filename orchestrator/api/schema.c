/* The JSON Schemas of what can be sent, for editors and for programs that write specs and edits. */
#include "orchestrator/spec/spec_schema.h"

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"

void schema_get(struct api *api, const struct api_call *call)
{
    struct buf body = { NULL, 0, 0 };
    if (str_is(call->params[0], "spec")) {
        spec_schema(&body);
    } else if (str_is(call->params[0], "edit")) {
        spec_schema_edit(&body);
    } else {
        reply_problem(api, call->request->id, PROBLEM_NOT_FOUND,
                      "there is a schema of: spec, edit");
        return;
    }
    reply_json(api, call->request->id, call->route->status, &body);
}
