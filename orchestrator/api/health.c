/* Is it alive, is it ready, and what can be asked of it. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/openapi_text.h"

static void reply_text(struct api *api, uint64_t request, int status, const char *text)
{
    net_reply(api->config.net, request, status, "text/plain; charset=utf-8", NULL, 0, str_of(text));
}

void health_alive(struct api *api, const struct api_call *call)
{
    reply_text(api, call->request->id, call->route->status, "ok\n");
}

void health_ready(struct api *api, const struct api_call *call)
{
    struct reason why = { "not ready" };
    if (engine_is_blocked(api->config.engine)) {
        reply_text(api, call->request->id, call->route->other,
                   "assignment is stopped: the database was restored and devices have seen a newer "
                   "one (see asterismd restore --accept)\n");
        return;
    }
    if (api->config.host.ready != NULL && !api->config.host.ready(api->config.host.context, &why)) {
        struct buf text = { NULL, 0, 0 };
        buf_printf(&text, "%s\n", why.text);
        reply_text(api, call->request->id, call->route->other, buf_text(&text));
        buf_done(&text);
        return;
    }
    reply_text(api, call->request->id, call->route->status, "ok\n");
}

void openapi_get(struct api *api, const struct api_call *call)
{
    net_reply(api->config.net, call->request->id, call->route->status, "application/yaml", NULL, 0,
              (struct str){ (const char *)openapi_text, openapi_text_bytes });
}
