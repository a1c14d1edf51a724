/* What a task waits for, in words, and for each device why it does not run it. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change_words.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"
#include "orchestrator/engine/attention.h"

enum { EXPLAIN_DEVICES_MAX = 1000 };

static void write_devices(struct api *api, struct json_out *out, const struct query_task *task)
{
    struct device_fit fit;
    size_t at = 0;
    size_t count = 0;
    bool more = false;
    json_out_array(out, "devices");
    while (!more && engine_next_fit(api->config.engine, task->constellation_id, task->record.id,
                                    &at, &fit)) {
        more = count++ == EXPLAIN_DEVICES_MAX;
        if (!more) {
            json_out_object(out, NULL);
            json_out_str(out, "device", fit.device);
            json_out_bool(out, "fits", fit.fits);
            json_out_bool(out, "free", fit.free);
            json_out_text(out, "why", fit.why[0] == '\0' ? NULL : fit.why);
            json_out_object_end(out);
        }
    }
    json_out_array_end(out);
    json_out_bool(out, "more_devices", more);
}

static void write_holds(struct api *api, struct json_out *out, const struct query_task *task)
{
    struct wait wait;
    engine_explain(api->config.engine, task->constellation_id, task->record.id, api_now(api),
                   &wait);
    json_out_text(out, "waits_for", wait_kind_name(wait.kind));
    json_out_array(out, "holds");
    for (size_t i = 0; i < wait.holds_count; i++) {
        struct hold_view hold;
        if (engine_find_hold(api->config.engine, task->constellation_id, wait.holds[i], &hold)) {
            view_hold(api, out, NULL, &hold);
            json_out_object_end(out);
        }
    }
    json_out_array_end(out);
}

void explain_get(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    struct reason reason;
    struct view_rows rows;
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    int64_t id = 0;
    enum err err =
        query_task_id(api->config.store, constellation.record.id, call->params[1], &id, &reason);
    if (err == ERR_NONE) {
        err = view_task_rows(api->config.store, id, &out, &api->arena, &rows, &reason);
    }
    if (err != ERR_NONE) {
        buf_done(&body);
        if (err == ERR_NOT_FOUND) {
            err = change_no_task(api->config.store, &api->arena, &constellation, call->params[1],
                                 &reason);
        }
        reply_failed(api, call->request->id, err, &reason);
        return;
    }
    view_task(api, &out, NULL, &rows);
    write_holds(api, &out, &rows.task);
    write_devices(api, &out, &rows.task);
    json_out_str(&out, "constellation", constellation.uid);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}
