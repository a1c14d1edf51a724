/* Devices: what the engine knows of each that has ever connected. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"
#include "orchestrator/engine/attention.h"

static void write_names(struct json_out *out, const char *key, const struct str *names,
                        size_t count)
{
    json_out_array(out, key);
    for (size_t i = 0; i < count; i++) {
        json_out_str(out, NULL, names[i]);
    }
    json_out_array_end(out);
}

static void write_resources(const struct api *api, struct json_out *out, int64_t device_id)
{
    struct plan_resource total;
    int64_t used_milli = 0;
    json_out_array(out, "resources");
    for (size_t at = 0;
         engine_device_resource(api->config.engine, device_id, at, &total, &used_milli); at++) {
        json_out_object(out, NULL);
        json_out_str(out, "name", total.name);
        json_out_milli(out, "total", total.amount_milli);
        json_out_milli(out, "used", used_milli);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

void view_device(const struct api *api, struct json_out *out, const char *key,
                 const struct device_view *device)
{
    const struct device_record *record = device->record;
    const struct msg_profile *profile = &record->profile;
    json_out_object(out, key);
    json_out_str(out, "name", record->name);
    json_out_text(out, "status", device_status_name(device->status));
    json_out_bool(out, "connected", device->connected);
    json_out_str(out, "os", profile->os);
    json_out_str(out, "arch", profile->arch);
    json_out_str(out, "hostname", profile->hostname);
    json_out_uint(out, "cpus", profile->cpus);
    json_out_uint(out, "memory_bytes", profile->memory_bytes);
    write_names(out, "executors", profile->executors, profile->executors_count);
    write_names(out, "tools", profile->tools, profile->tools_count);
    json_out_object(out, "labels");
    for (size_t i = 0; i < profile->labels_count; i++) {
        json_out_str_keyed(out, profile->labels[i].key, profile->labels[i].value);
    }
    json_out_object_end(out);
    json_out_uint(out, "slots", profile->slots);
    json_out_uint(out, "used", device->used);
    write_resources(api, out, record->id);
    json_out_time(out, "contested_at",
                  engine_device_contested_wall_ms(api->config.engine, record->id, api_now(api)));
    json_out_uint(out, "session", record->session);
    json_out_str(out, "agent_version", record->agent_version);
    json_out_time(out, "connected_at", record->connected_wall_ms);
    /* Of one that is not connected the engine knows it only while something runs there. */
    if (device->connected || device->silent_ms > 0) {
        json_out_seconds(out, "silent", device->silent_ms);
    } else {
        json_out_null(out, "silent");
    }
}

void devices_list(struct api *api, const struct api_call *call)
{
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", api->seq);
    json_out_array(&out, "devices");
    struct moment now = api_now(api);
    struct device_view device;
    size_t at = 0;
    while (engine_each_device(api->config.engine, &at, now, &device)) {
        view_device(api, &out, NULL, &device);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}

void devices_get(struct api *api, const struct api_call *call)
{
    struct device_view device;
    if (!engine_find_device(api->config.engine, call->params[0], api_now(api), &device)) {
        reply_problem(api, call->request->id, PROBLEM_NOT_FOUND,
                      "no device \"%.*s\" has ever connected",
                      (int)(call->params[0].length < 128 ? call->params[0].length : 128),
                      call->params[0].data);
        return;
    }
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    view_device(api, &out, NULL, &device);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}
