/* /attention: what needs a person, in words. */
#include <inttypes.h>
#include <stdio.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/attention.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"

/* "1,204" */
static void append_count(struct buf *words, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    for (int i = 0; i < length; i++) {
        buf_printf(words, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", digits[i]);
    }
}

static void append_tasks(struct buf *words, uint64_t count, const char *one, const char *many)
{
    append_count(words, count);
    buf_append_text(words, count == 1 ? one : many);
}

static void append_summary(const struct attention_item *item, struct buf *words)
{
    bool has_cause = item->cause.length > 0;
    switch (item->reason) {
    case ATTENTION_BLOCKED:
        buf_append_text(words, "nothing is assigned: devices have seen a newer database than this");
        return;
    case ATTENTION_CLONED_IDENTITY:
        buf_printf(words, "two machines take turns as device %.*s", STR_ARG(item->cause));
        return;
    case ATTENTION_UNKNOWN:
        append_tasks(words, item->count, " task may or may not have run",
                     " tasks may or may not have run");
        return;
    case ATTENTION_APPROVAL:
        append_tasks(words, item->count, " task waits for an approval",
                     " tasks wait for an approval");
        break;
    case ATTENTION_FAILURE_HELD:
        append_tasks(words, item->count, " task has failed, and what follows waits for someone",
                     " tasks have failed, and what follows waits for someone");
        return;
    case ATTENTION_HOLD_EXPIRING:
        append_tasks(words, item->count, " hold ends soon, and what it holds fails then",
                     " holds end soon, and what they hold fails then");
        break;
    case ATTENTION_EDIT_STUCK:
        append_tasks(words, item->count, " edit holds its constellation, and does not go on",
                     " edits hold their constellations, and do not go on");
        break;
    case ATTENTION_CONDITION_ERROR:
        append_tasks(words, item->count, " condition could not be evaluated, and has closed",
                     " conditions could not be evaluated, and have closed");
        break;
    case ATTENTION_NO_DEVICE:
        append_tasks(words, item->count, " task waits for one thing: no ",
                     " tasks wait for one thing: no ");
        buf_append(words, item->cause.data, item->cause.length);
        return;
    case ATTENTION_CERTIFICATE:
        buf_printf(words, "the daemon's certificate %.*s", STR_ARG(item->cause));
        return;
    case ATTENTION_REASONS:
        return;
    }
    if (has_cause) {
        buf_printf(words, ": %.*s", STR_ARG(item->cause));
    }
}

static const char *advice(enum attention_reason reason)
{
    switch (reason) {
    case ATTENTION_BLOCKED:
        return "put the newer database back, or: asterismd restore --accept";
    case ATTENTION_CLONED_IDENTITY:
        return "stop one of them, or give it a name of its own; an agent that loses its data "
               "directory at each start looks the same";
    case ATTENTION_UNKNOWN:
        return "find out, then: asterism resolve ID/TASK succeeded, failed or retry";
    case ATTENTION_APPROVAL:
        return "asterism approve ID/TASK, or asterism deny ID/TASK";
    case ATTENTION_FAILURE_HELD:
        return "edit, retry, or let it go on: asterism holds ID, asterism release ID HOLD";
    case ATTENTION_HOLD_EXPIRING:
        return "asterism release ID HOLD, if it may go on";
    case ATTENTION_EDIT_STUCK:
        return "see the daemon's log, its disk and its threads; started again, it goes on with an "
               "edit "
               "that was accepted and lets go of one that was not";
    case ATTENTION_CONDITION_ERROR:
        return "asterism edit ID, then asterism retry or rerun";
    case ATTENTION_NO_DEVICE:
        return "connect such a device, or edit the tasks; asterism explain ID/TASK says why not";
    case ATTENTION_CERTIFICATE:
        return "make a new one for --tls-cert, then restart the daemon";
    case ATTENTION_REASONS:
        break;
    }
    return "";
}

static void write_ref(struct api *api, struct json_out *out, const struct attention_ref *ref)
{
    struct reason reason;
    struct str uid = { NULL, 0 };
    struct str key = { NULL, 0 };
    struct device_view device;
    json_out_object(out, NULL);
    if (ref->constellation_id != 0) {
        query_constellation_uid(api->config.store, ref->constellation_id, &api->arena, &uid,
                                &reason);
    }
    if (ref->task_id != 0) {
        query_task_key(api->config.store, ref->task_id, &api->arena, &key, &reason);
    }
    json_out_str_or_null(out, "constellation", uid);
    json_out_str_or_null(out, "task", key);
    if (ref->device_id != 0 &&
        engine_find_device_id(api->config.engine, ref->device_id, api_now(api), &device)) {
        json_out_str(out, "device", device.record->name);
    } else {
        json_out_null(out, "device");
    }
    if (ref->hold_id != 0) {
        json_out_int(out, "hold", ref->hold_id);
    } else {
        json_out_null(out, "hold");
    }
    json_out_object_end(out);
}

static void write_item(struct api *api, struct json_out *out, const struct attention_item *item)
{
    struct buf words = { NULL, 0, 0 };
    append_summary(item, &words);
    json_out_object(out, NULL);
    json_out_text(out, "reason", attention_name(item->reason));
    json_out_uint(out, "count", item->count);
    json_out_time(out, "since", item->since_wall_ms);
    json_out_time(out, "until", item->until_wall_ms);
    json_out_str(out, "summary", (struct str){ (const char *)words.data, words.length });
    json_out_text(out, "advice", advice(item->reason));
    json_out_array(out, "refs");
    for (size_t i = 0; i < item->refs_count; i++) {
        write_ref(api, out, &item->refs[i]);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    buf_done(&words);
}

void attention_get(struct api *api, const struct api_call *call)
{
    struct attention attention;
    struct reason reason;
    enum err err = attention_gather(api, &attention, &reason);
    if (err != ERR_NONE) {
        reply_failed(api, call->request->id, err, &reason);
        return;
    }
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", api->seq);
    json_out_array(&out, "items");
    for (size_t i = 0; i < attention.count; i++) {
        write_item(api, &out, &attention.list[i]);
    }
    json_out_array_end(&out);
    json_out_bool(&out, "more", attention.more);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}
