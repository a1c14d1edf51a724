/* One task of a constellation, with its attempts. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change_words.h"
#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"
#include "proto/wire.h"

enum { BODY_ARENA_BYTES_MAX = 16 * 1024 * 1024 };

/* From the latest back along the chain, then written the other way round. */
static enum err write_attempts(struct api *api, struct json_out *out, const struct query_task *task,
                               struct reason *reason)
{
    struct query_attempt *list =
        arena_array(&api->arena, API_PAGE_MAX, sizeof(struct query_attempt));
    size_t count = 0;
    uint64_t fence = task->record.fence;
    while (fence != 0 && count < API_PAGE_MAX) {
        enum err err = query_attempt(api->config.store, fence, &api->arena, &list[count], reason);
        if (err == ERR_NOT_FOUND) {
            break;
        }
        if (err != ERR_NONE) {
            return err;
        }
        fence = list[count].record.previous;
        count++;
    }
    json_out_array(out, "attempts");
    while (count > 0) {
        view_attempt(api_now(api).wall_ms, out, NULL, &list[--count]);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    return ERR_NONE;
}

static enum err write_body(struct json_out *out, const char *key, struct str bytes,
                           struct reason *reason)
{
    if (bytes.length == 0) {
        json_out_null(out, key);
        return ERR_NONE;
    }
    struct arena arena = { .bytes_max = BODY_ARENA_BYTES_MAX };
    struct buf json = { NULL, 0, 0 };
    struct msg_body body;
    enum err err = wire_decode_body(bytes, &arena, &body, reason);
    if (err == ERR_NONE) {
        spec_render_body(&body, &json);
        json_out_raw(out, key, (struct str){ (const char *)json.data, json.length });
    }
    buf_done(&json);
    arena_done(&arena);
    return err;
}

/* All of it, as the keys that a person would have written. */
static enum err write_spec(struct api *api, struct json_out *out, const struct query_task *task,
                           struct reason *reason)
{
    struct edit_known known;
    struct edit_top top;
    enum err err =
        edit_lookup_task(api->config.store, task->record.id, &api->arena, &known, reason);
    if (err == ERR_NONE) {
        err = edit_lookup_top(api->config.store, task->constellation_id, &api->arena, &top, reason);
    }
    if (err == ERR_NONE) {
        json_out_raw(out, "spec", edit_known_render(&known, &top, &api->arena));
    }
    return err;
}

static enum err write_task(struct api *api, struct json_out *out, int64_t task_id,
                           struct reason *reason)
{
    struct view_rows rows;
    struct str body = { NULL, 0 };
    struct str inputs = { NULL, 0 };
    enum err err = view_task_rows(api->config.store, task_id, out, &api->arena, &rows, reason);
    if (err == ERR_NONE) {
        err = query_task_bodies(api->config.store, task_id, &api->arena, &body, &inputs, reason);
    }
    if (err == ERR_NONE) {
        view_task(api, out, NULL, &rows);
        err = write_attempts(api, out, &rows.task, reason);
    }
    if (err == ERR_NONE) {
        err = write_spec(api, out, &rows.task, reason);
    }
    if (err == ERR_NONE) {
        err = write_body(out, "inputs", inputs, reason);
    }
    return err;
}

void tasks_get(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    struct reason reason;
    int64_t task_id = 0;
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    enum err err = query_task_id(api->config.store, constellation.record.id, call->params[1],
                                 &task_id, &reason);
    if (err == ERR_NONE) {
        err = write_task(api, &out, task_id, &reason);
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
    json_out_str(&out, "constellation", constellation.uid);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}
